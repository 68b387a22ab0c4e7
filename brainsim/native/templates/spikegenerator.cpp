{# USES_VARIABLES { _spikespace, neuron_index, _timebins, _period_bins, _lastindex, t_in_timesteps, N } #}
{% extends 'common.cpp' %}
{% block body %}
    int64_t _bin = {{ t_in_timesteps }};
    if ({{ _period_bins }} > 0) {
        _bin %= {{ _period_bins }};
        // a new period: start from the first spike again
        if ({{ _lastindex }} > 0 && {{ _timebins }}[{{ _lastindex }} - 1] >= _bin) {{ _lastindex }} = 0;
    }
    int32_t _event_count = 0;
    while ({{ _lastindex }} < int64_t(_num_timebins) && {{ _timebins }}[{{ _lastindex }}] <= _bin)
        {{ _spikespace }}[_event_count++] = {{ neuron_index }}[{{ _lastindex }}++];
    {{ _spikespace }}[N] = _event_count;
{% endblock %}
