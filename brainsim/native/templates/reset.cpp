{# USES_VARIABLES { N } #}
{% extends 'common.cpp' %}
{% block body %}
    const int32_t* const _events = {{ get_array_name(eventspace_variable) }};
    const int32_t _event_count = _events[N];
    const size_t _vectorisation_idx = -1;
    {{ scalar_code | autoindent }}
    for (int32_t _event = 0; _event < _event_count; _event++) {
        const size_t _idx = _events[_event];
        const size_t _vectorisation_idx = _idx;
        {{ vector_code | autoindent }}
    }
{% endblock %}
