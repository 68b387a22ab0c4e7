{# USES_VARIABLES { _queue } #}
{% extends 'common.cpp' %}
{% block body %}
    Queue& _queue = *task.queue;
    const int32_t* const _arriving = _queue.list[_queue.offset];
    const int64_t _arriving_count = _queue.count[_queue.offset];
    if (_arriving_count > 0) {
        const size_t _vectorisation_idx = -1;
        {{ scalar_code | autoindent }}
        for (int64_t _arrival = 0; _arrival < _arriving_count; _arrival++) {
            const size_t _idx = _arriving[_arrival];
            const size_t _vectorisation_idx = _idx;
            {{ vector_code | autoindent }}
        }
        _queue.count[_queue.offset] = 0;
    }
    _queue.offset = (_queue.offset + 1) % _queue.length;
{% endblock %}
