{# The frame of every code object: it ends up in a namespace of its own. BINDINGS is filled in by codeobject.py. #}
static thread_local const double* _reals;
{{ support_code_lines | autoindent }}
{{ hashdefine_lines | autoindent }}
static void run([[maybe_unused]] Task& task, [[maybe_unused]] Network& network, [[maybe_unused]] const Part part)
{
    %BINDINGS%
    {{ pointers_lines | autoindent }}
    {% block body %}
    {% endblock %}
}
