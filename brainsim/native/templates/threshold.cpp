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
    // Each thread lists its events from the place of its first cell on; then they are moved together.
    const int64_t _from = native::first_of(task, part), _to = native::last_of(task, part, N);
    int32_t* const _list = {{ get_array_name(eventspace_variable) }};
    int32_t* const _events = _list + _from;
    const size_t _vectorisation_idx = -1;
    {{ scalar_code | autoindent }}
    int32_t _event_count = 0;
    {% if rewritten.get("vectors") %}
    {{ _event_loop(rewritten.vectors, _note_event()) | autoindent }}
    {% else %}
    for (int64_t _idx = _from; _idx < _to; _idx++) {
        const size_t _vectorisation_idx = _idx;
        {{ vector_code | autoindent }}
        if (_cond) {
            {{ _note_event() | autoindent }}
        }
    }
    {% endif %}
    if (part.count == 1)
        _list[N] = _event_count;
    else
        task.found[8 * part.number] = _event_count;
{% endblock %}
