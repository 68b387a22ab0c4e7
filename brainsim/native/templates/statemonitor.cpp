{# USES_VARIABLES { t, _clock_t, _indices, N } #}
{# WRITES_TO_READ_ONLY_VARIABLES { t, N } #}
{% extends 'common.cpp' %}
{% block body %}
    *native::append<double>(network, {{ _dynamic_t }}, 1) = {{ _clock_t }};
    {% for name, var in _recorded_variables | dictsort %}
    {{ c_data_type(var.dtype) }}* const _row_{{ name }} = native::append<{{ c_data_type(var.dtype) }}>(network, {{ get_array_name(var, access_data=False) }}, 1);
    {% endfor %}
    const size_t _vectorisation_idx = -1;
    {{ scalar_code | autoindent }}
    for (int64_t _column = 0; _column < int64_t(_num_indices); _column++) {
        const size_t _idx = {{ _indices }}[_column];
        const size_t _vectorisation_idx = _idx;
        {{ vector_code | autoindent }}
        {% for name in _recorded_variables | sort %}
        _row_{{ name }}[_column] = _to_record_{{ name }};
        {% endfor %}
    }
    {{ N }} = {{ _dynamic_t }}.size;
{% endblock %}
