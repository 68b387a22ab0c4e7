{# USES_VARIABLES { N, rate, t, _spikespace, _clock_t, _clock_dt, _num_source_neurons, _source_start, _source_stop } #}
{# WRITES_TO_READ_ONLY_VARIABLES { N } #}
{% extends 'common.cpp' %}
{% block body %}
    int64_t _begin, _end;
    native::slice({{ _spikespace }}, {{ _spikespace }}[_num_spikespace - 1], _source_start, _source_stop, _begin, _end);
    *native::append<{{ c_data_type(variables['rate'].dtype) }}>(network, {{ _dynamic_rate }}, 1) = 1.0 * (_end - _begin) / {{ _clock_dt }} / _num_source_neurons;
    *native::append<double>(network, {{ _dynamic_t }}, 1) = {{ _clock_t }};
    {{ N }} += 1;
{% endblock %}
