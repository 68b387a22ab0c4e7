{# USES_VARIABLES { N } #}
{# ALLOWS_SCALAR_WRITE #}
{# State update and threshold in one loop, see rewrites/fuse.py; always in vectors. #}
{% extends 'common.cpp' %}
{% from 'loops.cpp' import event_loop as _event_loop %}
{% macro _note_event(loop) %}
_events[_event_count++] = int32_t(_idx);
{% if _uses_refractory %}
{{ not_refractory }}[_idx] = false;
{{ lastspike }}[_idx] = {{ t }};
{% if "release" in loop.used %}
_recent->push(int32_t(_idx), _size);
{% endif %}
{% endif %}
{% endmacro %}
{% block body %}
    {% if rewritten.get("vectors") %}
    int32_t* const _events = {{ get_array_name(eventspace_variable) }};
    const int64_t _size = {{ constant_or_scalar('N', variables['N']) }};
    const int64_t _from = 0, _to = _size;
    const size_t _vectorisation_idx = -1;
    {{ scalar_code | autoindent }}
    int32_t _event_count = 0;
    {{ _event_loop(rewritten.vectors, _note_event(rewritten.vectors)) | autoindent }}
    _events[_size] = _event_count;
    {% endif %}
{% endblock %}
