{# A loop that takes eight elements at a time; `after` is done at the end of each eight. See rewrites/vectors.py. #}
{% macro vector_loop(loop, after='') %}
{% for line in loop.before %}
{{ line }}
{% endfor %}
native::in_vectors(_from, _to, [&](const int64_t _idx, auto _lanes) {
    {% for line in loop.reads + loop.body + loop.writes %}
    {{ line }}
    {% endfor %}
    {{ after }}
});
{% endmacro %}
