{# USES_VARIABLES { N } #}
{# not_refractory, lastspike and t are added by the Thresholder where the group is refractory #}
{% extends 'common.cpp' %}
{% from 'loops.cpp' import event_loop as _event_loop %}
{% macro _note_event() %}
_events[_event_count++] = int32_t(_idx);
{% if _uses_refractory %}
{{ not_refractory }}[_idx] = false;
{{ lastspike }}[_idx] = {{ t }};
{% endif %}
{% endmacro %}
{% block body %}
    int32_t* const _events = {{ get_array_name(eventspace_variable) }};
    const size_t _vectorisation_idx = -1;
    {{ scalar_code | autoindent }}
    int32_t _event_count = 0;
    {% if rewritten.get("vectors") %}
    const int64_t _size = N;
    {{ _event_loop(rewritten.vectors, _note_event()) | autoindent }}
    {% else %}
    for (int64_t _idx = 0; _idx < N; _idx++) {
        const size_t _vectorisation_idx = _idx;
        {{ vector_code | autoindent }}
        if (_cond) {
            {{ _note_event() | autoindent }}
        }
    }
    {% endif %}
    _events[N] = _event_count;
{% endblock %}
