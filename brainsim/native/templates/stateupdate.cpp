{# USES_VARIABLES { N } #}
{# ALLOWS_SCALAR_WRITE #}
{% extends 'common.cpp' %}
{% from 'loops.cpp' import vector_loop as _vector_loop %}
{% block body %}
    const int64_t _size = {{ constant_or_scalar('N', variables['N']) }};
    const int64_t _from = native::first_of(task, part), _to = native::last_of(task, part, _size);
    const size_t _vectorisation_idx = -1;
    {{ scalar_code | autoindent }}
    {% if rewritten.get("vectors") %}
    {{ _vector_loop(rewritten.vectors) | autoindent }}
    {% else %}
    for (int64_t _idx = _from; _idx < _to; _idx++) {
        const size_t _vectorisation_idx = _idx;
        {{ vector_code | autoindent }}
    }
    {% endif %}
{% endblock %}
