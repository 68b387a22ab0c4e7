"""Equations: what is read, where errors are, and the names Brian2 cannot take, shown on Brian2 itself."""

from __future__ import annotations

import math
import time

import pytest

from brainsim.equations import FLAGS, parse_equations
from brainsim.errors import FileError, Mark
from brainsim.names import BUILT_IN, FUNCTIONS, refused_name
from brainsim.units import UNITS, parse_unit


def problems(text: str, **options):
    with pytest.raises(FileError) as caught:
        parse_equations(text, **options)
    return caught.value.problems


ADEX = """
  # Brette and Gerstner 2005
  dv/dt = (g_L*(E_L - v)   # leak
           + g_L*Delta_T*exp((v - V_T)/Delta_T)
           - w + I_syn)/C_m : volt (unless refractory)
  dw/dt = (a*(v - E_L) - w)/tau_w : amp
  dn/dt = -n/tau + sigma*xi*sqrt(2/tau)
      : 1
  I_syn = I_exc + I_inh : amp   # sum
  I_exc : amp
  word : integer
  on = v > V_T : boolean
  u_top : 1 (linked)
  tau_w : second (shared, constant)
  gain = 2 : 1 ( constant  over  dt )
  dx/dt = -x/tau_x : 1 (event-driven)
  total_post = w : amp (summed)
"""


def test_equations_of_every_kind():
    found = parse_equations(ADEX)
    assert [(e.name, e.kind, e.unit, e.type, e.flags) for e in found] == [
        ("v", "diff", "volt", "float", ("unless refractory",)),
        ("w", "diff", "amp", "float", ()),
        ("n", "diff", "1", "float", ()),
        ("I_syn", "sub", "amp", "float", ()),
        ("I_exc", "param", "amp", "float", ()),
        ("word", "param", "integer", "integer", ()),
        ("on", "sub", "boolean", "boolean", ()),
        ("u_top", "param", "1", "float", ("linked",)),
        ("tau_w", "param", "second", "float", ("shared", "constant")),
        ("gain", "sub", "1", "float", ("constant over dt",)),
        ("x", "diff", "1", "float", ("event-driven",)),
        ("total_post", "sub", "amp", "float", ("summed",)),
    ]
    assert found[0].text == (
        "dv/dt = (g_L*(E_L - v) + g_L*Delta_T*exp((v - V_T)/Delta_T) - w + I_syn)/C_m : volt (unless refractory)"
    )
    assert found[8].text == "tau_w : second (shared, constant)"
    assert found[0].dims == UNITS["volt"][1]
    assert "xi" in found[2].expression.names


def test_places():
    lines = tuple(Mark("lif.yaml", 20 + k, 3) for k in range(20))
    found = parse_equations("dv/dt = (E_L -  # leak\n    v)/tau : volt\nw : 1", lines)
    assert [e.mark for e in found] == [Mark("lif.yaml", 20, 3), Mark("lif.yaml", 22, 3)]
    assert found[0].expression.mark_of("tau") == Mark("lif.yaml", 21, 3 + 7)
    (wrong,) = problems("w : 1\ndv/dt = (E_L\n  - v)/tau_m + * 3 : volt", lines=lines)
    assert wrong.mark == Mark("lif.yaml", 22, 3 + 15)


def test_rename_and_substitute():
    (found,) = parse_equations("dg/dt = -g/tau : siemens (unless refractory)")
    assert found.rename({"g": "g_1", "tau": "tau_1"}).text == "dg_1/dt = -g_1/tau_1 : siemens (unless refractory)"
    assert found.substitute({"tau": "5*ms"}).text == "dg/dt = -g/(5*ms) : siemens (unless refractory)"


WRONG = [
    # text, kind, (line, column), words of the message, words of the hint
    ("v = a\ndw/dt = -w/tau : 1", "syntax", (1, 6), "v has no unit", ": volt"),
    ("v", "syntax", (1, 1), "not an equation", "dv/dt = ..."),
    ("tau*dv/dt = -v : volt", "syntax", (1, 1), "not an equation", "left side is dv/dt alone"),
    ("dv/dt = -v/tau :", "unit", (1, 17), "nothing is not a unit", "1 for a plain number"),
    ("v : mV", "unit", (1, 5), "without prefix, not mV", "Write volt."),
    ("v : siemens/cm**2", "unit", (1, 5), "without prefix", "Write siemens/meter**2."),
    ("v : bool", "unit", (1, 5), "bool", "boolean"),
    ("v : int", "unit", (1, 5), "int", "integer"),
    ("v : vlot", "unit", (1, 5), "vlot", "Did you mean volt?"),
    ("v : 9**9**9**9", "unit", (1, 5), "", ""),
    ("v : __import__('os').system('x')", "syntax", (1, 3), "", ""),
    ("v : volt (unles refractory)", "key", (1, 11), "unles refractory is not a flag", "unless refractory"),
    ("dv/dt = -v/tau : volt (constant, linked)", "key", (1, 24), "(constant) does not go with", "unless refractory"),
    ("w : 1 (shared, event-driven)", "key", (1, 16), "(event-driven) does not go with", "constant"),
    ("v : volt (constant) x", "syntax", (1, 3), "is not a unit", "flags"),
    ("v : volt;w : 1", "syntax", (1, 3), "", ""),
    ("w : 1\nw : 1", "name", (2, 1), "w has two equations", ":1:1"),
    ("a = b : 1\nb = 2*a : 1", "cycle", (2, 1), "a -> b -> a", ""),
    ("a = a + 1 : 1", "cycle", (1, 1), "a -> a", ""),
    ("dw/dt = 1/tau : integer", "value", (1, 17), "no integer", ""),
    ("x = w : 1 (summed)", "name", (1, 1), "not a variable of a cell", "x_post"),
    ("w_pre : 1", "name", (1, 1), "_pre marks", ""),
    ("double : 1", "name", (1, 1), "double", "another name"),
    ("w : 1\ndS/dt = -S/tau : 1", "name", (2, 2), "S is a name of SymPy", "another name"),
    ("dv/dt = 9**9**9**9/tau : 1", "limit", (1, 12), "power in an exponent", ""),
    ("x = (y + z)**10 : 1\ndv/dt = x**10/tau : 1", "limit", (2, 9), "2,000 terms", ""),
    ("dv/dt = (x if v else y)/tau : 1", "syntax", (1, 12), "if", "int(c)*a"),
    ("v = : 1", "syntax", (1, 5), "missing here", ""),
]


@pytest.mark.parametrize(("text", "kind", "place", "message", "hint"), WRONG, ids=[w[0] for w in WRONG])
def test_wrong_equations(text, kind, place, message, hint):
    start = time.perf_counter()
    found = problems(text)[0]
    assert time.perf_counter() - start < 60  # no hang
    assert (found.kind, (found.mark.line, found.mark.column)) == (kind, place)
    assert message in found.message
    assert hint in found.hint


def test_all_wrong_equations_at_once():
    found = problems("v : mV\nw : 1\ndx/dt = -x/ : 1\nu")
    assert [p.mark.line for p in found] == [1, 3, 4]


def test_long_chains_of_subexpressions_are_fine():
    text = "\n".join(f"a{k + 1} = a{k} + 1 : 1" for k in range(300)) + "\na0 : 1"
    assert len(parse_equations(text)) == 301


# --- the same as Brian2 ---------------------------------------------------------------------------------

UNIT_TEXTS = [
    "1", "volt", "amp", "siemens", "farad", "second", "Hz", "hertz", "meter", "ohm", "coulomb", "joule", "watt",
    "mole", "kelvin", "amp/meter**2", "siemens/meter**2", "volt/second", "1/second", "mole/meter**3", "volt*second",
    "mV", "nS", "ms", "mM", "umeter", "molar", "radian", "bool", "boolean", "integer", "kilogram", "candle",
    "second**-1", "volt**0.5", "2*volt", "V", "kg", "kHz",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNIT_TEXTS)
def test_units_are_those_brian2_takes(unit):
    """Whatever we let through Brian2 takes, with the same dimensions and type."""
    from brian2.equations.equations import dimensions_and_type_from_string

    try:
        (ours,) = parse_equations(f"x : {unit}")
    except FileError as error:
        (found,) = error.problems
        assert found.kind == "unit"
        if found.hint.startswith("Write ") and "..." not in found.hint:  # and what we propose is right
            parse_equations(f"x : {found.hint.removeprefix('Write ').split(' ')[0].removesuffix('.')}")
        return
    dims, kind = dimensions_and_type_from_string(unit)
    assert kind == ours.type
    assert tuple(dims._dims) == pytest.approx(tuple(ours.dims))
    assert tuple(parse_unit(unit)[1] if ours.type == "float" else ours.dims) == ours.dims


def test_brian2_reads_our_text():
    from brian2.equations.equations import Equations

    found = parse_equations(ADEX)
    theirs = Equations("\n".join(e.text for e in found))
    kinds = {"differential equation": "diff", "subexpression": "sub", "parameter": "param"}
    assert {n: (kinds[e.type], e.var_type, tuple(sorted(e.flags))) for n, e in theirs.items()} == {
        e.name: (e.kind, e.type, tuple(sorted(e.flags))) for e in found
    }


def test_flags_are_those_of_brian2():
    import brian2

    kinds = {"diff": "dx/dt = -x/tau : 1", "sub": "x = 2 : 1", "param": "x : 1"}
    tau = {"tau": 10 * brian2.ms}
    for flag, allowed in FLAGS.items():
        for kind, text in kinds.items():
            first, _, rest = text.partition("\n")
            equations = f"{first} ({flag})\n{rest}"
            taken = False
            for make in (_neurons, _synapses):
                try:
                    make(brian2, equations, tau)
                    taken = True
                except Exception:
                    pass
            assert taken == (kind in allowed), (flag, kind)


def _neurons(b2, equations, namespace):
    return b2.NeuronGroup(1, equations, namespace=namespace, method="euler")


def _synapses(b2, equations, namespace):
    group = b2.NeuronGroup(1, "z : 1", threshold="z > 1", name="cells*")
    if "summed" in equations:
        equations = equations.replace("x =", "z_post =")
    return b2.Synapses(group, group, equations, on_pre="z_post += 1", namespace=namespace)


# --- names ----------------------------------------------------------------------------------------------


def decay(name: str, method: str = "exact") -> float | str:
    """A variable of this name that decays from 1 for one time constant: its value, or the type of the error."""
    import brian2 as b2

    try:
        group = b2.NeuronGroup(1, f"d{name}/dt = -{name}/tau : 1", method=method, namespace={"tau": 10 * b2.ms})
        setattr(group, name, 1)
        network = b2.Network(group)
        network.run(10 * b2.ms, namespace={})
        return float(getattr(group, name)[0])
    except Exception as error:
        while error.__cause__ is not None:
            error = error.__cause__
        return type(error).__name__


@pytest.fixture
def numpy_target():
    import brian2 as b2

    before = b2.prefs.codegen.target
    b2.prefs.codegen.target = "numpy"
    yield b2
    b2.prefs.codegen.target = before


SYMPY = ["beta", "gamma", "zeta", "S", "Q", "O", "Ci", "Si", "li", "E1", "trace", "factorial", "sum", "open"]


@pytest.mark.parametrize("name", SYMPY)
def test_sympys_names_break_the_exact_integrator(numpy_target, name):
    assert decay(name) in ("SympifyError", "TypeError", "AttributeError")
    assert decay(name, "euler") == pytest.approx(math.exp(-1), rel=0.01), "other integrators take it"
    assert "SymPy" in refused_name(name, "diff")
    assert refused_name(name) == "", "as a parameter or a subexpression Brian2 takes it"


@pytest.mark.parametrize("name", ["E", "oo", "nan"])
def test_some_of_sympys_names_give_wrong_results_in_silence(numpy_target, name):
    assert decay(name) != pytest.approx(math.exp(-1), rel=0.1)
    assert "SymPy" in refused_name(name, "diff")


@pytest.mark.parametrize("name", ["I", "v", "C", "u", "alpha", "theta", "lambda1", "m", "h", "n", "x", "g_ampa", "Vm"])
def test_names_of_papers_that_brian2_takes(numpy_target, name):
    """The current I is SymPy's imaginary unit, and still comes out right."""
    assert decay(name) == pytest.approx(math.exp(-1))
    assert refused_name(name, "diff") == ""


def test_parameters_named_like_sympys_functions_are_fine(numpy_target):
    b2 = numpy_target
    names = ["beta", "gamma", "S", "E", "Q", "zeta"]
    assert [refused_name(name) for name in names] == [""] * len(names)
    equations = f"dv/dt = ({' + '.join(names)} - v)/tau : 1\n" + "\n".join(f"{n} : 1 (shared, constant)" for n in names)
    group = b2.NeuronGroup(1, equations, method="exact", namespace={"tau": 1 * b2.ms})
    for name in names:
        setattr(group, name, 1)
    network = b2.Network(group)
    network.run(20 * b2.ms, namespace={})
    assert group.v[0] == pytest.approx(6)


HIDDEN = [
    "active", "name", "clock", "order", "when", "start", "stop", "state", "events", "spikes", "variables",
    "equations", "namespace", "source", "target", "pre", "id", "indices", "x_", "self", "owner", "scalar_code",
]  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_names_of_brian2s_own_attributes_do_not_work(numpy_target, name):
    """A variable of this name cannot be set, read and used on both kinds of object."""
    b2 = numpy_target
    assert refused_name(name)
    failed = False
    try:
        group = b2.NeuronGroup(2, f"{name} : 1\nvv : 1", threshold="vv > 0.5", reset=f"vv = 0; {name} += 1")
        setattr(group, name, 3)
        group.vv = 1
        network = b2.Network(group)
        network.run(0.3 * b2.ms, namespace={})
        failed = list(getattr(group, name)[:]) != [4, 4]
        cells = b2.NeuronGroup(2, "vv : 1", threshold="vv > 0.5", reset="vv = 0")
        cells.vv = 1
        synapses = b2.Synapses(cells, cells, f"{name} : 1", on_pre=f"{name} += 1")
        synapses.connect(j="i")
        setattr(synapses, name, 3)
        network = b2.Network(cells, synapses)
        network.run(0.3 * b2.ms, namespace={})
        failed = failed or list(getattr(synapses, name)[:]) != [4, 4]
    except Exception:
        failed = True
    assert failed


CPP = [
    "double",
    "auto",
    "class",
    "new",
    "this",
    "register",
    "template",
    "NULL",
    "EOF",
    "RAND_MAX",
    "M_PI",
    "EINTR",
    "int32_t",
]


def test_cpp_words_reach_the_compiler(tmp_path):
    """Brian2 writes them into C++ as they are (generated only, nothing is compiled)."""
    import subprocess
    import sys

    names = [name for name in CPP if name != "class"]
    code = (
        "import brian2 as b2\nb2.set_device('cpp_standalone', build_on_run=False)\n"
        f"names = {names!r}\n"
        "group = b2.NeuronGroup(1, '\\n'.join(f'{n} : 1' for n in names))\n"
        "for n in names: group.run_regularly(f'{n} = {n} + 1', name=f'of_{n}')\n"
        "network = b2.Network(group)\nnetwork.run(1*b2.ms, namespace={})\n"
        "b2.device.build(directory='out', compile=False, run=False)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in names:
        text = (tmp_path / "out" / "code_objects" / f"of_{name}_codeobject.cpp").read_text()
        assert f"double {name} = " in text
    assert all(refused_name(name) for name in CPP)


def test_brian2s_units_functions_and_reserved_names_are_refused():
    from brian2.core.functions import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS
    from brian2.core.namespace import DEFAULT_UNITS

    assert [name for name in DEFAULT_UNITS if not refused_name(name)] == []
    assert [name for name in (*DEFAULT_FUNCTIONS, "pi", "e", "inf") if not refused_name(name)] == []
    assert "inf" in DEFAULT_CONSTANTS
    reserved = [
        *BUILT_IN,
        *FUNCTIONS,
        "xi",
        "xi_1",
        "refractory",
        "w_pre",
        "w_post",
        "_w",
        "w_",
        "größe",
        "3x",
        "a.b",
        "",
        "lambda",
    ]
    assert [name for name in reserved if not refused_name(name)] == []


def test_attributes_of_brian2s_objects_are_refused():
    """Setting such a variable would replace what Brian2 keeps there, without a word."""
    import brian2 as b2

    group = b2.NeuronGroup(1, "v : 1", threshold="v > 1", reset="v = 0", events={"bid": "v > 2"})
    synapses = b2.Synapses(group, group, "w : 1", on_pre="w += 1", on_post="w += 1")
    found = {name for one in (group, synapses) for name in (*dir(one), *vars(one)) if not name.startswith("_")}
    assert [name for name in found if not refused_name(name)] == []


def test_code_units_are_brian2s():
    """Scale and dimensions of every unit code may use, to the last bit."""
    from brian2.core.namespace import DEFAULT_UNITS

    for name, (scale, dims) in UNITS.items():
        assert float(DEFAULT_UNITS[name]) == scale, name
        assert tuple(DEFAULT_UNITS[name].dim._dims) == pytest.approx(tuple(dims)), name
