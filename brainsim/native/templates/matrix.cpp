{# All spikes that have arrived at all-to-all connections, see rewrites/matrix.py. #}
{% macro _spiking_cell(found) %}
[[maybe_unused]] const int64_t {{ found.near }} = _near + _arrivals.list[_arrival];
{% for line in found.near_reads %}
{{ line }}
{% endfor %}
{% endmacro %}
{% macro _part(length) %}
const int64_t _first_cell = part.count > 1 ? _others[0] : 0;
const int64_t _part_from = native::within(native::first_of(task, part) - _first_cell, {{ length }});
const int64_t _part_to = native::within(native::last_of(task, part, {{ length }}) - _first_cell, {{ length }});
{% endmacro %}
{% macro _in_columns(found) %}
const int64_t _row_count = _queue.begin[1] - _queue.begin[0], _columns = _synapse ? _synapse[1] - _synapse[0] : 1;
{% for line in found.before %}
{{ line }}
{% endfor %}
{{ _part('_row_count') }}
native::in_vectors<{{ found.step }}>(_part_from, _part_to, [&](const int64_t _at, auto _lanes) {
    {% for line in found.far_reads %}
    {{ line }}
    {% endfor %}
    for (int64_t _arrival = 0; _arrival < _arrivals.count; _arrival++) {
        {{ _spiking_cell(found) }}
        [[maybe_unused]] const int64_t _synapses = _at * _columns + _arrivals.list[_arrival];
        [[maybe_unused]] const int64_t _places = _arrivals.list[_arrival] * _row_count + _at;
        {% for line in found.spike %}
        {{ line }}
        {% endfor %}
    }
    {% for line in found.far_writes %}
    {{ line }}
    {% endfor %}
});
{% endmacro %}
{% macro _across(found) %}
const int64_t _row_count = _queue.begin[1] - _queue.begin[0];
[[maybe_unused]] const int64_t _columns = _synapse ? _synapse[1] - _synapse[0] : 1;
{% for line in found.before %}
{{ line }}
{% endfor %}
static thread_local native::Scratch<int64_t> _scratch;
int64_t* const _starts = _scratch.room_for(_arrivals.count);
{% for type, name in found.side_by_side %}
static thread_local native::Scratch<{{ type }}> _scratch_{{ name }};
{{ type }}* const _near_{{ name }} = _scratch_{{ name }}.room_for(_arrivals.count);
{% endfor %}
[[maybe_unused]] bool _zero = true, _still = true;
for (int64_t _arrival = 0; _arrival < _arrivals.count; _arrival++) {
    {{ _spiking_cell(found) }}
    _starts[_arrival] = _arrivals.list[_arrival] * _row_count;
    {% for type, name in found.side_by_side %}
    _near_{{ name }}[_arrival] = {{ name }};
    {% endfor %}
    {% if found.change %}
    _zero = _zero && ({{ found.change }}) == 0;
    {% endif %}
    {% if found.product %}
    _still = _still && ({{ found.product }}) == 0;
    {% endif %}
}
{% for name, type, arrays in found.calls %}
const {{ type }} {{ name }}_across({{ arrays }}, _arrivals.count);
static thread_local native::Scratch<double> {{ name }}_scratch;
double* const {{ name }}_values = {{ name }}_scratch.room_for({{ type }}::room(_arrivals.count));
{% endfor %}
{{ _part('_row_count') }}
for (int64_t _at = _part_from; _at < _part_to; _at++) {
    {% for line in found.far_reads + found.prepared %}
    {{ line }}
    {% endfor %}
    {% if found.change %}
    if (_zero && {{ found.none }}) continue;
    {% endif %}
    {% if found.product %}
    if (_still && {{ found.small }}) continue;
    {% endif %}
    {% for name, type, arrays in found.calls %}
    {{ name }}_across.values({{ name }}, {{ name }}_values);
    {% endfor %}
    native::in_vectors<{{ found.step }}>(_arrivals.count, [&](const int64_t _k, auto _lanes) {
        {% for line in found.spike %}
        {{ line }}
        {% endfor %}
    });
}
{% endmacro %}
{% macro _in_rows(found) %}
const int64_t _row_length = _queue.begin[1] - _queue.begin[0];
[[maybe_unused]] const int64_t _columns = _synapse ? _synapse[1] - _synapse[0] : 1;
{% for line in found.before %}
{{ line }}
{% endfor %}
{{ _part('_row_length') }}
const auto _row = [&](const int64_t _arrival) {
    {{ _spiking_cell(found) }}
    const int64_t _begin = _arrivals.list[_arrival] * _row_length;
    return [=](const int64_t _at, auto _lanes{% for type, name in found.vectors %}, {{ type }}& {{ name }}{% endfor %}) {
        [[maybe_unused]] const int64_t _places = _begin + _at, _synapses = _at * _columns + _begin / _row_length;
        {% for line in found.spike %}
        {{ line }}
        {% endfor %}
    };
};
int64_t _next = 0;
const auto _together = [&](auto... _rows) {
    {% if found.asked %}
    int64_t _later[sizeof...(_rows)];  // where the rows that come next begin: the processor does not know
    for (int64_t _k = 0; _k < int64_t(sizeof...(_rows)); _k++) {
        const int64_t _arrival = _next + int64_t(sizeof...(_rows)) + _k;
        _later[_k] = _arrivals.list[_arrival < _arrivals.count ? _arrival : _next] * _row_length;
    }
    {% endif %}
    native::in_vectors<{{ found.step }}>(_part_from, _part_to, [&](const int64_t _at, auto _lanes) {
        {% for line in found.far_reads %}
        {{ line }}
        {% endfor %}
        {% for array in found.asked %}
        for (const int64_t _begin : _later) __builtin_prefetch({{ array }} + _begin + _at);
        {% endfor %}
        (_rows(_at, _lanes{% for type, name in found.vectors %}, {{ name }}{% endfor %}), ...);
        {% for line in found.far_writes %}
        {{ line }}
        {% endfor %}
    });
};
for (; _next + 4 <= _arrivals.count; _next += 4) _together(_row(_next), _row(_next + 1), _row(_next + 2), _row(_next + 3));
for (; _next < _arrivals.count; _next++) _together(_row(_next));
{% endmacro %}
{% macro matrix(found) %}
{{ _across(found) if found.across else _in_columns(found) if found.columns else _in_rows(found) }}
{% endmacro %}
