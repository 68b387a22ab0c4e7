{# USES_VARIABLES { N } #}
{# ALLOWS_SCALAR_WRITE #}
{% extends 'common.cpp' %}
{% block body %}
    const int64_t _size = {{ constant_or_scalar('N', variables['N']) }};
    const size_t _vectorisation_idx = -1;
    {{ scalar_code | autoindent }}
    for (int64_t _idx = 0; _idx < _size; _idx++) {
        const size_t _vectorisation_idx = _idx;
        {{ vector_code | autoindent }}
    }
{% endblock %}
