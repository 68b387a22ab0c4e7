{# USES_VARIABLES { N } #}
{% extends 'common.cpp' %}
{% block body %}
    const int64_t _size = {{ constant_or_scalar('N', variables['N']) }};
    const int64_t _target_count = {{ constant_or_scalar(_target_size_name, variables[_target_size_name]) }};
    for (int64_t _target = 0; _target < _target_count; _target++)
        {{ get_array_name(_target_var) }}[_target + {{ _target_start }}] = 0;
    const size_t _vectorisation_idx = -1;
    {{ scalar_code | autoindent }}
    for (int64_t _idx = 0; _idx < _size; _idx++) {
        const size_t _vectorisation_idx = _idx;
        {{ vector_code | autoindent }}
        {{ get_array_name(_target_var) }}[{{ get_array_name(_index_var) }}[_idx]] += _synaptic_var;
    }
{% endblock %}
