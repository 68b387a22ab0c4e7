{# USES_VARIABLES { _queue } #}
{% extends 'common.cpp' %}
{% from 'matrix.cpp' import matrix as _matrix with context %}
{% set _delivery = rewritten.delivery %}
{% set _split = scalar_code is mapping %}
{% macro _loop(code, spike) %}
const native::Blocks _blocks(_queue, part, {{ 'true' if _delivery.blocks else 'false' }});
for (int64_t _block = _blocks.first; _block < _blocks.last; _block++)
for (int64_t _arrival = 0; _arrival < _arrivals.count; _arrival++) {
    int64_t _begin, _end;
    _arrivals.part(_others, _arrival, _block, _begin, _end);
    if (_begin == _end) continue;
    {% if _delivery.other %}
    _arrivals.prefetch(_others, _others, _arrival + _arrivals.ahead, _block);
    {% endif %}
    {% for array in _delivery.in_order %}
    _arrivals.prefetch(_others, {{ array }}, _arrival + _arrivals.ahead, _block);
    {% endfor %}
    {% if _delivery.ahead %}
    _arrivals.prefetch(_others, _synapse, _arrival + _arrivals.ahead + 2, _block);
    {% endif %}
    {% for array in _delivery.ahead %}
    _arrivals.prefetch_listed({{ array }}, _synapse, _arrival + 2);
    {% endfor %}
    const int64_t _first = _synapse ? _synapse[_begin] : _begin;
    {% for line in _delivery.per_run %}
    {{ line }}
    {% endfor %}
    {% if spike %}
    const size_t _idx = _first;
    {{ spike | autoindent }}
    if (part.count == 0) continue;
    {% endif %}
    {% if _delivery.rows %}
    const int64_t _far = _others[_begin];
    {% for call in _delivery.rows.calls %}
    double* const _call_{{ loop.index0 }} = _scratch_{{ loop.index0 }}.room_for(_end - _begin);
    for (int64_t _k = 0; _k < _end - _begin; _k++) _call_{{ loop.index0 }}[_k] = {{ call }};
    {% endfor %}
    native::in_vectors<{{ _delivery.rows.step }}>(_end - _begin, [&](const int64_t _at, auto _lanes) {
        {% for line in _delivery.rows.reads + _delivery.rows.body + _delivery.rows.writes %}
        {{ line }}
        {% endfor %}
    });
    {% else %}
    #pragma GCC unroll 8
    for (int64_t _place = _begin; _place < _end; _place++) {
        const size_t _idx = _synapse ? _synapse[_place] : _place;
        {% for array in _delivery.ahead %}
        __builtin_prefetch({{ array }} + _synapse[_place + {{ _delivery.distance }}]);
        {% endfor %}
        const size_t _vectorisation_idx = _idx;
        {{ code | autoindent }}
    }
    {% endif %}
}
{% endmacro %}
{% block body %}
    Queue& _queue = *task.queue;
    native::Arrivals _arrivals(_queue);
    if (_arrivals.count > 0) {
        const int32_t* const _synapse = _queue.synapse;
        {% if _delivery.other %}
        const {{ _delivery.other }}* const _others = static_cast<const {{ _delivery.other }}*>(_queue.other);
        {% else %}
        const int32_t* const _others = nullptr;
        {% endif %}
        const size_t _vectorisation_idx = -1;
        {% if _split %}
        {{ scalar_code.spike | autoindent }}
        {{ scalar_code.synapse | autoindent }}
        {% else %}
        {{ scalar_code | autoindent }}
        {% endif %}
        {% if _delivery.rows %}
        {% for call in _delivery.rows.calls %}
        static thread_local native::Scratch<double> _scratch_{{ loop.index0 }};
        {% endfor %}
        {% for line in _delivery.rows.before %}
        {{ line }}
        {% endfor %}
        {% endif %}
        {% if rewritten.get("matrix") %}
        if (_arrivals.whole(){{ ' && _arrivals.ascending()' if rewritten.matrix.across }}) {
            {{ _matrix(rewritten.matrix) | autoindent }}
        } else {
            _arrivals.look_up();
            {{ _loop(vector_code, '') }}
        }
        {% elif _delivery.changes %}
        if (!_arrivals.carried()) _arrivals.look_up();
        const bool _many = _queue.uneven == 0 && _arrivals.synapses() > (_queue.high - _queue.low) / 8;
        if (_queue.width) _queue.carrying = _many;
        const auto _add = [&](const auto& _counts) {
            {% for line in _delivery.even %}
            {{ line }}
            {% endfor %}
            {% for change in _delivery.changes %}
            _counts.add({{ change.array }}, {{ change.value }}, {{ change.guard }});
            {% endfor %}
        };
        if (_many && _queue.bitmap && _arrivals.whole()) {
            native::Counts<uint8_t> _counts(_arrivals, task, part);
            for (int64_t _from = 0; _from < _arrivals.count; _from += _counts.most) {
                _counts.from_bitmaps(_from, _counts.last(_from));
                _add(_counts);
            }
        } else if (_many && _arrivals.carried() && _arrivals.count <= native::Counts<uint16_t>::most) {
            native::Counts<uint16_t> _counts(_arrivals, task, part);
            _counts.from_carried(_others);
            _add(_counts);
        } else if (_many) {
            _arrivals.look_up();
            native::Counts<uint16_t> _counts(_arrivals, task, part);
            for (int64_t _from = 0; _from < _arrivals.count; _from += _counts.most) {
                _counts.from_lists(_others, _from, _counts.last(_from), part);
                _add(_counts);
            }
        } else {
            _arrivals.look_up();
            {{ _loop(vector_code, '') }}
        }
        {% elif _delivery.held %}
        _arrivals.look_up();
        if (part.count > 0 && _arrivals.synapses() > int64_t({{ _delivery.held[0][2] }}) / 4) {
            {% for kind, array, size, guard in _delivery.held %}
            static thread_local native::Held<{{ kind }}> _held_{{ loop.index0 }};
            _held_{{ loop.index0 }}.keep({{ array }}, {{ guard }}, native::first_of(task, part), native::last_of(task, part, {{ size }}));
            {% endfor %}
            {{ _loop(_delivery.free, vector_code.spike if _split else '') }}
            {% for kind, array, size, guard in _delivery.held %}
            _held_{{ loop.index0 }}.restore({{ array }});
            {% endfor %}
        } else {
            {{ _loop(vector_code.synapse if _split else vector_code, vector_code.spike if _split else '') }}
        }
        {% else %}
        _arrivals.look_up();
        {{ _loop(vector_code.synapse if _split else vector_code, vector_code.spike if _split else '') }}
        {% endif %}
    }
    if (part.count == 1) native::advance(_queue);
{% endblock %}
