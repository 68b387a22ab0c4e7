{# USES_VARIABLES { _queue } #}
{% extends 'common.cpp' %}
{% block body %}
    const int32_t* const _events = {{ get_array_name(eventspace_variable) }};
    native::push(*task.queue, _events, _events[_num{{ eventspace_variable.name }} - 1]);
{% endblock %}
