{# USES_VARIABLES { N, _clock_t, count, _source_start, _source_stop } #}
{# WRITES_TO_READ_ONLY_VARIABLES { N, count } #}
{% extends 'common.cpp' %}
{% block body %}
    const int32_t* const _events = {{ get_array_name(eventspace_variable) }};
    int64_t _begin, _end;
    native::slice(_events, _events[_num{{ eventspace_variable.name }} - 1], _source_start, _source_stop, _begin, _end);
    if (_end > _begin) {
        {% for name, var in record_variables | dictsort %}
        {{ c_data_type(var.dtype) }}* const _new_{{ name }} = native::append<{{ c_data_type(var.dtype) }}>(network, {{ get_array_name(var, access_data=False) }}, _end - _begin);
        {% endfor %}
        const size_t _vectorisation_idx = -1;
        {{ scalar_code | autoindent }}
        for (int64_t _event = _begin; _event < _end; _event++) {
            const size_t _idx = _events[_event];
            const size_t _vectorisation_idx = _idx;
            {{ vector_code | autoindent }}
            {% for name in record_variables | sort %}
            _new_{{ name }}[_event - _begin] = _to_record_{{ name }};
            {% endfor %}
            {{ count }}[_idx - _source_start]++;
        }
        {{ N }} += _end - _begin;
    }
{% endblock %}
