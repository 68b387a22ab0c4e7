{# Never rendered: see synapses_create_array.cpp. #}
{# USES_VARIABLES { _synaptic_pre, _synaptic_post, N, N_pre, N_post, _source_offset, _target_offset } #}
{# WRITES_TO_READ_ONLY_VARIABLES { _synaptic_pre, _synaptic_post, N } #}
{# ITERATE_ALL { _idx } #}
