{# A loop that takes the elements of a vector at a time, see rewrites/vectors.py. #}
{% macro vector_loop(loop) %}
{% for line in loop.before %}
{{ line }}
{% endfor %}
native::in_vectors<{{ loop.step }}>(_from, _to, [&](const int64_t _idx, auto _lanes) {
    {% for line in loop.reads + loop.body + loop.writes %}
    {{ line }}
    {% endfor %}
});
{% endmacro %}
{# The same, where `note` is done for each element `_idx` that has an event. #}
{% macro event_loop(loop, note) %}
{% for line in loop.before %}
{{ line }}
{% endfor %}
native::events_in_vectors<{{ loop.step }}>(_from, _to, [&](const int64_t _idx, auto _lanes) {
    {% for line in loop.reads + loop.body + loop.writes %}
    {{ line }}
    {% endfor %}
    return native::lane_bits({{ loop.condition }}, _lanes);
}, [&](const int64_t _first_idx, uint64_t _found) {
    for (; _found; _found &= _found - 1) {
        const int64_t _idx = _first_idx + __builtin_ctzll(_found);
        {{ note }}
    }
});
{% endmacro %}
