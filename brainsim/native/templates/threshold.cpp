{# USES_VARIABLES { N } #}
{# not_refractory, lastspike and t are added by the Thresholder where the group is refractory #}
{% extends 'common.cpp' %}
{% block body %}
    int32_t* const _events = {{ get_array_name(eventspace_variable) }};
    const size_t _vectorisation_idx = -1;
    {{ scalar_code | autoindent }}
    int32_t _event_count = 0;
    for (int64_t _idx = 0; _idx < N; _idx++) {
        const size_t _vectorisation_idx = _idx;
        {{ vector_code | autoindent }}
        if (_cond) {
            _events[_event_count++] = int32_t(_idx);
            {% if _uses_refractory %}
            {{ not_refractory }}[_idx] = false;
            {{ lastspike }}[_idx] = {{ t }};
            {% endif %}
        }
    }
    _events[N] = _event_count;
{% endblock %}
