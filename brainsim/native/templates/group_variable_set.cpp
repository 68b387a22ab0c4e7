{# USES_VARIABLES { _group_idx } #}
{% extends 'common.cpp' %}
{% block body %}
    const size_t _vectorisation_idx = -1;
    {{ scalar_code | autoindent }}
    for (int64_t _place = 0; _place < int64_t(_num_group_idx); _place++) {
        const size_t _idx = {{ _group_idx }}[_place];
        const size_t _vectorisation_idx = _idx;
        {{ vector_code | autoindent }}
    }
{% endblock %}
