{# USES_VARIABLES { _queue } #}
{% extends 'common.cpp' %}
{% set _delivery = rewritten.delivery %}
{% macro _loop(code) %}
for (int64_t _arrival = 0; _arrival < _arrivals.count; _arrival++) {
    const int64_t _begin = _arrivals.begin(_arrival), _end = _arrivals.end(_arrival);
    {% if _delivery.other %}
    _arrivals.prefetch(_others, _arrival + 2);
    {% endif %}
    const int64_t _first = _synapse ? _synapse[_begin] : _begin;
    {% for line in _delivery.per_run %}
    {{ line }}
    {% endfor %}
    for (int64_t _place = _begin; _place < _end; _place++) {
        const size_t _idx = _synapse ? _synapse[_place] : _place;
        const size_t _vectorisation_idx = _idx;
        {{ code | autoindent }}
    }
}
{% endmacro %}
{% macro _in_columns(found) %}
const int64_t _row_count = _queue.begin[1] - _queue.begin[0], _columns = _synapse[1] - _synapse[0];
{% for line in found.before %}
{{ line }}
{% endfor %}
{% if found.change %}
bool _zero = true;
for (int64_t _arrival = 0; _arrival < _arrivals.count; _arrival++) {
    [[maybe_unused]] const int64_t {{ found.near }} = _near + _arrivals.list[_arrival];
    {% for line in found.near_reads %}
    {{ line }}
    {% endfor %}
    _zero = _zero && ({{ found.change }}) == 0;
}
{% endif %}
native::in_vectors(_row_count, [&](const int64_t _row, auto _lanes) {
    {% for line in found.block %}
    {{ line }}
    {% endfor %}
    {% if found.change %}
    if (_zero && {{ found.none }}) return;
    {% endif %}
    for (int64_t _arrival = 0; _arrival < _arrivals.count; _arrival++) {
        [[maybe_unused]] const int64_t {{ found.near }} = _near + _arrivals.list[_arrival];
        [[maybe_unused]] const int64_t _place = _row * _columns + _arrivals.list[_arrival];
        {% for line in found.near_reads + found.spike %}
        {{ line }}
        {% endfor %}
    }
    {% for line in found.after %}
    {{ line }}
    {% endfor %}
});
{% endmacro %}
{% block body %}
    Queue& _queue = *task.queue;
    const native::Arrivals _arrivals(_queue);
    if (_arrivals.count > 0) {
        const int32_t* const _synapse = _queue.synapse;
        {% if _delivery.other %}
        const {{ _delivery.other }}* const _others = static_cast<const {{ _delivery.other }}*>(_queue.other);
        {% endif %}
        const size_t _vectorisation_idx = -1;
        {{ scalar_code | autoindent }}
        {% if rewritten.get("columns") %}
        if (_arrivals.whole()) {
            {{ _in_columns(rewritten.columns) | autoindent }}
        } else {
            {{ _loop(vector_code) }}
        }
        {% elif _delivery.held %}
        if (_arrivals.synapses() > int64_t({{ _delivery.held[0][2] }}) / 4) {
            {% for kind, array, size, guard in _delivery.held %}
            static thread_local native::Held<{{ kind }}> _held_{{ loop.index0 }};
            _held_{{ loop.index0 }}.keep({{ array }}, {{ guard }}, {{ size }});
            {% endfor %}
            {{ _loop(_delivery.free) }}
            {% for kind, array, size, guard in _delivery.held %}
            _held_{{ loop.index0 }}.restore({{ array }});
            {% endfor %}
        } else {
            {{ _loop(vector_code) }}
        }
        {% else %}
        {{ _loop(vector_code) }}
        {% endif %}
    }
    native::advance(_queue);
{% endblock %}
