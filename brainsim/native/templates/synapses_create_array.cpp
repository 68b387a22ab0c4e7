{# Never rendered: synapses are made at once, by Brian2's own numpy code (see device.py). This file only says what that needs. #}
{# USES_VARIABLES { _synaptic_pre, _synaptic_post, sources, targets, N, N_pre, N_post, _source_offset, _target_offset } #}
{# WRITES_TO_READ_ONLY_VARIABLES { _synaptic_pre, _synaptic_post, N } #}
{# ITERATE_ALL { _idx } #}
