{# USES_VARIABLES { _queue } #}
{% extends 'common.cpp' %}
{% from 'matrix.cpp' import matrix as _matrix with context %}
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
        {% if rewritten.get("matrix") %}
        if (_arrivals.whole()) {
            {{ _matrix(rewritten.matrix) | autoindent }}
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
