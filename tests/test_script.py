"""The printed script: it reads well, holds nothing foreign as code, and gives the spikes of the numpy backend."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from handmade import Memory, balanced, digits, images, lif, plastic, whole
from hypothesis import given, settings
from hypothesis import strategies as st

from brainsim import backends, expressions, script
from brainsim.compose import draws
from brainsim.compose.plan import Connection, Initial, Line, Phase, Places, Plan, Watch, Wiring
from brainsim.script.formula import numpy_code
from brainsim.script.words import block, comment, literal, seconds
from brainsim.units import NONE, UNITS, Quantity, parse_unit

TIME, LENGTH, VOLT = (parse_unit(unit)[1] for unit in ("second", "meter", "volt"))

GOLDEN = Path(__file__).parent / "golden"
SMALL = {"n_in": 100, "n_out": 10, "train": 3, "test": 2}


def small_digits() -> Plan:
    return digits(**SMALL)


def run_script(plan: Plan, folder: Path, samples=None, order=None, saved=None) -> dict[str, np.ndarray]:
    """Run the script with Brian2 alone in a fresh interpreter; times and ids of each spike monitor."""
    (folder / "script.py").write_text(script.text(plan, saved))
    if samples is not None:
        np.savez(folder / "samples.npz", images=samples.images, labels=samples.labels, order=order)
    if arrays := script.arrays(plan, saved):
        np.savez(folder / "arrays.npz", **arrays)
    names = [watch.name for watch in plan.watches if watch.kind == "spikes"]
    (folder / "look.py").write_text(
        "import runpy, sys, numpy as np\n"
        "found = runpy.run_path('script.py')\n"
        "assert not any(name.split('.')[0] == 'brainsim' for name in sys.modules)\n"
        f"times = {{n + '.t': found[n].t_[:] for n in {names}}}\n"
        f"np.savez('out.npz', **times, **{{n + '.i': found[n].i[:] for n in {names}}})\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "look.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in names:
        assert f"{name}: " in done.stdout
    return dict(np.load(folder / "out.npz"))


@pytest.mark.parametrize("make", [balanced, plastic, small_digits])
def test_script_gives_the_spikes_of_the_numpy_backend_bit_for_bit(make, tmp_path):
    plan = make()
    samples, order = images(plan, side=10) if plan.data else (None, None)
    out = run_script(plan, tmp_path, samples, order)
    memory = Memory()
    backends.run(plan, "numpy", samples, order, memory)
    for watch in plan.watches:
        if watch.kind == "spikes":
            times, ids = memory.times_ids(watch.path)
            assert len(times) > 5
            np.testing.assert_array_equal(times, out[f"{watch.name}.t"])
            np.testing.assert_array_equal(ids, out[f"{watch.name}.i"] + watch.start)


@pytest.mark.parametrize("make", [balanced, plastic, small_digits])
def test_golden(make):
    plan = make()
    golden = GOLDEN / f"{plan.name}.py.txt"  # no linter shall touch it
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(script.text(plan))
    assert script.text(plan) == golden.read_text(), (
        "if the change is meant: UPDATE_GOLDEN=1 pytest tests/test_script.py"
    )


def test_script_has_no_paths_of_this_machine():
    found = script.text(plastic()) + script.text(small_digits())
    for word in (str(Path.home()), str(Path.cwd()), "site-packages"):
        assert word not in found


HOSTILE = '"""\nimport os; os.abort()\n# \x0c\u2028\rexec("1")\\'


def test_text_of_the_model_stays_out_of_the_code():
    plan = balanced()
    changed = replace(
        plan,
        name=HOSTILE,
        about=HOSTILE,
        cite=(HOSTILE,),
        groups=tuple(replace(group, about=HOSTILE, path=HOSTILE, cell=HOSTILE) for group in plan.groups),
        connections=tuple(replace(c, about=HOSTILE, path=HOSTILE, parts=(HOSTILE,)) for c in plan.connections),
        phases=tuple(replace(phase, name=HOSTILE) for phase in plan.phases),
    )
    assert ast.dump(ast.parse(script.text(changed))) == ast.dump(ast.parse(script.text(plan)))


def test_hostile_code_is_a_string():
    plan = balanced()
    group = replace(plan.groups[0], threshold=HOSTILE, reset=HOSTILE, method=HOSTILE, refractory=HOSTILE)
    tree = ast.parse(script.text(replace(plan, groups=(group, plan.groups[1]))))
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert strings.count(HOSTILE) == 4
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"os", "exec"}


def test_names_and_initial_values_cannot_carry_code():
    plan = balanced()
    for change in ({"name": "a = 1; b"}, {"initial": (Initial("v; x", "1", NONE, "s"),)}):
        with pytest.raises(ValueError, match="no name"):
            script.text(replace(plan, groups=(replace(plan.groups[0], **change), plan.groups[1]), connections=()))
    hostile = (Initial("v", "__import__('os').abort()", NONE, "s"),)
    with pytest.raises(Exception, match="error"):
        script.text(replace(plan, groups=(replace(plan.groups[0], initial=hostile), plan.groups[1])))


@given(st.text(max_size=200))
def test_literals_and_comments_hold_any_text(value):
    found = ast.literal_eval(literal(value))
    assert [row.strip() for row in found.strip().splitlines()] == [row.strip() for row in value.strip().splitlines()]
    if '"""' not in literal(value):
        assert found == value
    assert ast.dump(ast.parse(comment(value))) == ast.dump(ast.parse(""))
    rows = value.split("\n")
    assert ast.literal_eval(block(rows)).strip().split() == " ".join(row.strip() for row in rows).split()


@settings(max_examples=300)
@given(st.one_of(st.floats(1e-7, 1e4), st.integers(1, 100_000).map(lambda n: n * 1e-4), st.just(350e-3)))
def test_times_are_printed_exactly(value):
    number, unit = seconds(value).split("*")
    assert float(number) * UNITS[unit][0] == value


VOLT = parse_unit("volt")[1]
KNOWN = {
    "i": Quantity(np.arange(40)),
    "N": Quantity(40),
    "u": Quantity(np.linspace(-0.07, -0.05, 40), VOLT),
    "k": Quantity(np.arange(40) % 7),
}


@pytest.mark.parametrize(
    "text",
    [
        "3", "-70*mV", "(-70*mV) + rand()*((-50*mV) - (-70*mV))", "randn()*sqrt(2/N)", "0.3*i/N + 0.1*i**2/N**2",
        "clip(u, -65*mV, -55*mV)", "int(u > -60*mV)*2 - 1", "(u > -60*mV)*3*mV", "exp(-i/N)*rand()", "i % 3 + i // 4",
        "int(rand() < 0.3 and not (i > 20 or k == 2))", "abs(u)/mV - floor(i/3) + ceil(i/7)", "exprel(i/N - 0.5)",
        "poisson(3*i)*pA", "log(1 + i) + log10(1 + i) + tan(i) + arctan(i)", "inf*1", "2**-3*e + pi",
        "timestep(3*ms, 0.1*ms)",
        "-u**2/volt", "sign(sin(i)) - (k > 3)", "1.5e-3*i", "sqrt(4*mV**2)*rand()",
    ],
)  # fmt: skip
def test_initial_values_are_printed_as_they_are_computed(text):
    """Quantities of Brian2 in the script, SI numbers in the engine: the same bits."""
    from brainsim import brian

    b2 = brian.load()
    rng = np.random.default_rng(5)
    calls = {
        "rand": lambda: rng.random(40),
        "randn": lambda: rng.standard_normal(40),
        "poisson": lambda mean: rng.poisson(mean, 40),
    }
    expected = expressions.parse(text).evaluate(KNOWN, calls)
    names = {"i": "np.arange(40)", "N": "40", "u": "u", "k": "(1.0*k)"}
    code, drawn = numpy_code(text, names, "40")
    assert drawn == any(word in text for word in ("rand", "poisson"))
    scope = {"np": np, "rng": np.random.default_rng(5), "k": np.arange(40) % 7}
    scope["u"] = b2.Quantity(KNOWN["u"].value, dim=b2.volt.dim)
    scope |= {name: getattr(b2, name) for name in UNITS if hasattr(b2, name)}
    found = eval(code, scope)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected.value))
    np.testing.assert_allclose(b2.get_dimensions(found)._dims, expected.dims)


def line(n=30) -> Plan:
    """Cells on a line, connected by distance: positions are too long to print."""
    cells = lif("cells", "cells", n)
    place = np.arange(n)[:, None] * 1e-3
    near = {"source_positions": place, "target_positions": place, "p": "exp(-d/(5*mm))", "distance": 0.02}
    connection = Connection(
        "near", "near", whole("cells", n), whole("cells", n), Wiring("distance", "near.connect", near),
        pathways=balanced().connections[0].pathways, equations=balanced().connections[0].equations,
        constants=balanced().connections[0].constants,
    )  # fmt: skip
    return Plan(
        "line",
        "",
        4,
        1e-4,
        (cells,),
        (connection,),
        (Watch("spikes", "spikes", "cells", "cells"),),
        (Phase("run", 0.05),),
    )


def test_long_arrays_go_into_a_file(tmp_path):
    plan = line()
    assert set(script.arrays(plan)) == {"near.source_positions", "near.target_positions"}
    out = run_script(plan, tmp_path)
    memory = Memory()
    backends.run(plan, "numpy", None, None, memory)
    np.testing.assert_array_equal(memory.times_ids("cells")[0], out["spikes.t"])
    assert len(out["spikes.t"]) > 10


def test_values_that_depend_on_the_distance(tmp_path):
    """Weights and delays; the distance is printed as a function of its own."""
    plan = line()
    [near] = plan.connections
    delay = Initial("delay", "d/(5*mm/ms)", TIME, "near.delay")
    places = Places(*(near.wiring.options[k] for k in ("source_positions", "target_positions")), None, LENGTH)
    near = replace(
        near,
        equations=(Line("w : volt"),),
        constants=(),
        initial=(Initial("w", "2*mV*exp(-d/(5*mm))", VOLT, "near.w"),),
        pathways=(replace(near.pathways[0], delay=None, delays=delay),),
        places=places,
    )
    plan = replace(plan, connections=(near,))
    out, memory = run_script(plan, tmp_path), Memory()
    backends.run(plan, "numpy", None, None, memory)
    np.testing.assert_array_equal(memory.times_ids("cells")[0], out["spikes.t"])
    other = Memory()
    backends.run(line(), "numpy", None, None, other)
    assert not np.array_equal(memory.times_ids("cells")[0], other.times_ids("cells")[0])


def test_a_connection_without_pairs_is_left_out(tmp_path):
    plan = balanced()
    first = replace(plan.connections[0], wiring=Wiring("p", "x", {"p": 1e-9}))
    plan = replace(plan, connections=(first, *plan.connections[1:]))
    assert draws.is_empty(first, plan.seed)
    out = run_script(plan, tmp_path)
    memory = Memory()
    backends.run(plan, "numpy", None, None, memory)
    np.testing.assert_array_equal(memory.times_ids("net.inh")[0], out["spikes_net_inh.t"])


def test_values_of_an_earlier_run_are_read_back(tmp_path):
    plan = plastic()
    rule = replace(plan.connections[0], initial=(Initial("w", "", NONE, "w", saved="runs/before"),))
    plan = replace(plan, connections=(rule,))
    count = len(draws.pairs(rule, plan.seed)[0])
    saved = {("learned", "w"): np.linspace(0, 3, count)}
    out = run_script(plan, tmp_path, saved=saved)
    memory = Memory()
    backends.run(plan, "numpy", None, None, memory, saved=saved)
    np.testing.assert_array_equal(memory.times_ids("cells")[0], out["spikes_cells.t"])
    np.testing.assert_array_equal(memory.kept["learned"][4]["w"][0], saved["learned", "w"])


def test_names_python_would_trip_over(tmp_path):
    plan = balanced()
    group = lif("network", "net.exc", 20)
    plan = replace(plan, groups=(group,), connections=(), watches=(Watch("seed", "spikes", "network", "net.exc"),))
    assert "network_ = NeuronGroup(" in script.text(plan)
    assert 'name="network"' in script.text(plan)
