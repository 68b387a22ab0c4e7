{# USES_VARIABLES { N } #}
{% extends 'common.cpp' %}
{% from 'loops.cpp' import vector_loop as _vector_loop %}
{% block body %}
    const int32_t* const _events = {{ get_array_name(eventspace_variable) }};
    const int32_t _event_count = _events[N];
    const size_t _vectorisation_idx = -1;
    {{ scalar_code | autoindent }}
    {% if rewritten.get("vectors") %}
    const int64_t _from = 0, _to = _event_count;
    {{ _vector_loop(rewritten.vectors) | autoindent }}
    {% else %}
    for (int32_t _event = 0; _event < _event_count; _event++) {
        const size_t _idx = _events[_event];
        const size_t _vectorisation_idx = _idx;
        {{ vector_code | autoindent }}
    }
    {% endif %}
{% endblock %}
