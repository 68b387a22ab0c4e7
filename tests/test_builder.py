"""Plan to Brian2: values, schedules and phases are what the plan says, and errors point into the YAML."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from handmade import VOLT, Memory, balanced, constants, digits, images, lif, lines, plastic, whole

import brainsim
from brainsim import backends, brian, builder, functions
from brainsim.compose import draws
from brainsim.compose.plan import (
    Connection,
    Constant,
    Event,
    Group,
    Initial,
    Line,
    Pathway,
    Phase,
    Plan,
    Regular,
    Watch,
    Wiring,
)
from brainsim.errors import BrainsimError, FitError, Mark, RunError
from brainsim.units import NONE, parse

HERE = Mark("model.yaml", 7, 3)


def one(group: Group, *more: Group, duration=0.01, watches=(), connections=(), phases=None, **options) -> Plan:
    return Plan(
        "one", "", 1, 1e-4, (group, *more), connections, watches, phases or (Phase("run", duration),), **options
    )


def simulate(plan: Plan, **options) -> Memory:
    memory = Memory()
    backends.run(plan, "numpy", recorder=memory, **options)
    return memory


def state(memory: Memory, path: str, variable: str) -> tuple[np.ndarray, np.ndarray]:
    parts = memory.states[path, variable]
    return np.concatenate([part[1] for part in parts]), np.concatenate([part[2] for part in parts])


# --- values -------------------------------------------------------------------------------------------


def test_values_arrive_in_si_units_and_initial_values_come_from_their_streams():
    plan = balanced()
    with brian.quiet(), brian.device("runtime"):
        built = builder.build(plan)
        assert np.asarray(built.groups["net_exc"].tau_m_).item() == 20 * 0.001
        first = np.array(built.groups["net_exc"].v_[:])
        again = builder.build(replace(plan, groups=(plan.groups[0],), connections=(), watches=()))
        np.testing.assert_array_equal(first, again.groups["net_exc"].v_[:])  # another object reseeds nothing
        assert not np.array_equal(first[:20], built.groups["net_inh"].v_[:])
        other = builder.build(replace(plan, seed=2))
        assert not np.array_equal(first, other.groups["net_exc"].v_[:])


def test_initial_values_may_read_earlier_ones_indices_and_sizes():
    group = Group(
        "a", "a", 4, lines("x : 1\ny : volt\nn : integer"),
        initial=(
            Initial("x", "2*i + N", NONE, "x"),
            Initial("y", "x*3*mV", VOLT, "y"),
            Initial("n", "i % 2", NONE, "n", integer=True),
        ),
    )  # fmt: skip
    with brian.quiet(), brian.device("runtime"):
        made = builder.build(one(group)).groups["a"]
        np.testing.assert_array_equal(made.x[:], [4, 6, 8, 10])
        np.testing.assert_allclose(made.y_[:], np.array([4, 6, 8, 10]) * 3e-3)
        np.testing.assert_array_equal(made.n[:], [0, 1, 0, 1])


def test_nothing_comes_from_the_frame_of_the_caller():
    nope = 3  # noqa: F841
    with pytest.raises(FitError, match="nope is not declared"):
        simulate(one(Group("a", "a", 1, lines("dx/dt = nope/second : 1"), method="euler")))


def test_synapse_indices_count_within_slices_and_results_within_populations():
    plan = plastic()
    memory = simulate(plan)
    source_path, target_path, source, target, values = memory.kept["learned"]
    assert (source_path, target_path) == ("senders", "cells")
    assert source.min() >= 5 and target.min() >= 2 and source.max() == 39 and target.max() == 9
    i, j = draws.pairs(plan.connections[0], plan.seed)
    np.testing.assert_array_equal(source, i + 5)
    np.testing.assert_array_equal(target, j + 2)
    before, after = values["w"]
    assert before.min() >= 0.5 and not np.array_equal(before, after)
    _, ids = memory.times_ids("senders")
    assert set(ids) == set(range(5, 20))
    recorded = memory.states["learned", "w"][0][3]
    assert all(pair in set(zip(source, target, strict=True)) for pair in zip(*recorded, strict=True))


def test_delays_are_in_seconds_and_whole_populations_need_no_slice():
    sender = Group("s", "s", 1, lines("x : 1"), threshold="t >= 1*ms and t < 1.05*ms")
    target = Group("r", "r", 1, lines("x : 1"))
    drawn = Initial("delay", "2*ms", parse("1 s").dims, "d")
    for delay in ({"delay": 2e-3}, {"delays": drawn}):
        pathway = Pathway("pre", "pre", "spike", "x_post += 1", **delay)
        link = Connection("c", "c", whole("s", 1), whole("r", 1), Wiring("all", "c"), pathways=(pathway,))
        watch = Watch("m", "state", "r", "r", ("x",), ("x",), ("1",))
        times, values = state(simulate(one(sender, target, connections=(link,), watches=(watch,))), "r", "x")
        # States are read at the start of a step: the first that shows it is the step after the arrival.
        assert times[np.argmax(values[:, 0] > 0)] == pytest.approx(3.1e-3)


LATE = """
experiment: late
region:
  region: late
  populations:
    a: {neuron: lif, size: 60}
    b: {neuron: lif, size: 50}
  projections:
    one: {from: a, to: b, synapse: ampa, connect: &many {number: 1500, multapses: true},
      delay: &late "clip(1.5*ms*(1 + 0.5*randn()), 0.1*ms, 1*second)",
      initial: &w {w: 1 + 0.01*i + 0.0001*j + 0.1*randn()}}
    two: {from: a, to: b, synapse: ampa, connect: {p: 0.3}, delay: 1 ms, initial: *w}
    seen: {from: a, to: b, synapse: ampa, connect: *many, delay: *late, initial: *w}
run: {duration: 100 ms, backend: numpy}
record:
  state: {seen: {variables: [w], sample: 3}}
"""


def test_synapses_that_nobody_sees_may_be_numbered_by_arrival(monkeypatch):
    """The same synapses, by source and delay; of those with both in common, the order stays."""
    plan = brainsim.plan(LATE)
    monkeypatch.setattr(builder.arrange, "PIECE", 100)
    found = []
    for by_arrival in (False, True):
        with brian.quiet(), brian.device("runtime"):
            built = builder.build(plan, by_arrival=by_arrival)
            found.append(
                {
                    name: [np.array(made.variables[key].get_value()) for key in ("i", "j", "w")]
                    + [np.array(made.pre.variables["delay"].get_value())]
                    for name, made in built.connections.items()
                }
            )
            assert set(built.pairs) == {"seen"}
    before, after = found
    for name in ("two", "seen"):
        for mine, its in zip(before[name], after[name], strict=True):
            np.testing.assert_array_equal(mine, its)
    i, j, w, delay = before["one"]
    steps = np.floor(delay / plan.dt + 0.5)
    order = np.lexsort((steps, i))
    assert not np.array_equal(order, np.arange(len(i)))
    np.testing.assert_allclose(after["one"][3], steps[order] * plan.dt, rtol=1e-12)
    for mine, its in zip((i, j, w), after["one"], strict=False):
        np.testing.assert_array_equal(mine[order], its)


def test_values_are_the_same_in_pieces_and_at_once(monkeypatch):
    known = {"i": parse("3"), "x": replace(parse("1 mV"), value=np.arange(1000.0))}
    one = Initial("y", "x*(1 + i*randn())", VOLT, "y")
    two = Initial("y", "x*rand()*randn()", VOLT, "y")
    flat = Initial("n", "i*2", NONE, "n", integer=True)
    whole = [draws.values("a", item, 1000, known, 1).value for item in (one, two, flat)]
    monkeypatch.setattr(draws, "PIECE", 64)
    for item, values in zip((one, two, flat), whole, strict=True):
        found = draws.values("a", item, 1000, known, 1).value
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values)


def test_events_and_schedules():
    """A named event runs before the threshold, code of each in the slot and order it asks for."""
    slot = "before_thresholds"
    mark = Event("mark", "x > i", slot, -1, "trace = 10*trace + 1\nfired = 1\nx = 0", slot, 3)
    group = Group(
        "a", "a", 3, lines("x : 1\ntrace : 1\nfired : 1"),
        threshold="fired > 0", reset="trace = 10*trace + 2\nfired = 0",
        events=(mark,),
        regular=(Regular("a_push", "x = 1.5*int(t < 0.05*ms)", 1e-4, "groups", 0),),
    )  # fmt: skip
    with brian.quiet(), brian.device("runtime"):
        built = builder.build(one(group))
        built.network.run(0.5 * brian.load().ms, namespace={})
        np.testing.assert_array_equal(built.groups["a"].trace[:], [12, 12, 0])


def test_periods_share_clocks():
    group = Group(
        "a", "a", 1, lines("x : 1\ny : 1\nz : 1"),
        regular=tuple(Regular(f"a_{v}", f"{v} += 1", p) for v, p in (("x", 1e-3), ("y", 1e-3), ("z", 1e-4))),
    )  # fmt: skip
    with brian.quiet(), brian.device("runtime"):
        built = builder.build(one(group))
        assert len({obj.clock.name for obj in built.network.sorted_objects}) == 2
        built.network.run(5 * brian.load().ms, namespace={})
        made = built.groups["a"]
        assert (made.x[0], made.y[0], made.z[0]) == (5, 5, 50)


# --- phases -------------------------------------------------------------------------------------------


def test_fresh_cells_start_again_exactly():
    """Without synapses and noise, a fresh phase repeats the first to the step."""
    cells = replace(lif("cells", "cells", 20), constants=constants(
        E_L="-45 mV", V_th="-50 mV", V_r="-60 mV", tau_m="20 ms", tau_exc="5 ms", tau_inh="10 ms", t_ref="7 ms"
    ))  # fmt: skip
    phases = (Phase("a", 0.0511), Phase("b", 0.0511, fresh=("cells",)), Phase("c", 0.0511))
    memory = simulate(one(cells, phases=phases, watches=(Watch("m", "spikes", "cells", "cells"),)))
    times, ids = memory.times_ids("cells")
    parts = [(times >= k * 0.0511 - 1e-9) & (times < (k + 1) * 0.0511 - 1e-9) for k in range(3)]
    assert parts[0].sum() > 20
    np.testing.assert_array_equal(ids[parts[0]], ids[parts[1]])
    np.testing.assert_allclose(times[parts[0]], times[parts[1]] - 0.0511, atol=1e-9)
    assert not np.array_equal(ids[parts[0]], ids[parts[2]])  # the third goes on from the second


def test_what_a_phase_sets_is_undone():
    group = Group(
        "a", "a", 1, lines("x : 1\nk : 1 (shared, constant)"),
        regular=(Regular("a_add", "x += k", 1e-4),), constants=constants(k="1"),
    )  # fmt: skip
    phases = (Phase("p", 1e-3), Phase("q", 1e-3, set=(("a", Constant("k", parse("100"))),)), Phase("r", 1e-3))
    watch = Watch("m", "state", "a", "a", ("x",), ("x",), ("1",))
    _, values = state(simulate(one(group, phases=phases, watches=(watch,))), "a", "x")
    steps = np.diff(values[:, 0])
    np.testing.assert_array_equal(steps[:9], 1)
    assert sorted(set(steps)) == [1, 100] and (steps == 100).sum() == 10 and steps[-1] == 1


# --- functions and samples ----------------------------------------------------------------------------


def test_tables_of_samples_stay_inside():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = functions.table("image", pixels).numpy
    np.testing.assert_array_equal(image(np.array([0, 2, 9]), np.array([1, 3, 0])), np.array([1, 11, 8]) / 255)
    assert image(0, 4) == 0 and image(0, -1) == 0
    order = functions.table("order", np.array([5, 6, 7])).numpy
    np.testing.assert_array_equal(order(np.array([-1, 1, 3])), [5, 6, 7])
    one_hot = functions.one_hot("goal", np.array([2, 0])).numpy
    np.testing.assert_array_equal(one_hot(0, np.arange(4)), [0, 0, 1, 0])
    values = functions.table("values", np.array([[0.5, 2.0], [-1.0, 4.0]])).numpy
    np.testing.assert_array_equal(values(np.array([1, 0, 9]), np.array([0, 1, 2])), [-1, 2, 0])
    with pytest.raises(TypeError):
        functions.table("image", np.zeros((2, 2), np.float32))


def test_paired_trace_sums_the_trace_before_each_spike():
    rng = np.random.default_rng(0)
    pre, post = rng.integers(0, 2, (50, 31)), rng.integers(0, 2, (50, 31))
    powers = 2 ** np.arange(30, -1, -1)
    expected = np.zeros(50)
    for k in range(50):
        trace = 0.0
        for step in range(31):
            expected[k] += trace * post[k, step]
            trace = 0.75 * trace + pre[k, step]
    words = (pre @ powers).astype(np.int32), (post @ powers).astype(np.int32)
    np.testing.assert_allclose(functions.paired_trace(*words, 0.75), expected, rtol=1e-14)


def vdsp_in_numpy(plan: Plan, samples, order) -> tuple[list[int], list[int], np.ndarray]:
    """The network of ``digits`` as a program of its own: steps and cells of the output spikes, final weights."""
    dt, trial_steps, n_train = plan.dt, plan.trial.steps, plan.phases[0].count
    with brian.quiet(), brian.device("runtime"):
        first = builder.build(plan, samples, order)
        v0, n_out = np.array(first.groups["retina"].v_[:]), len(first.groups["output"])
        w = np.array(first.connections["learned"].w_[:]).reshape(len(v0), n_out)
        kick = np.asarray(first.connections["learned"].kick_).item()
    steps, cells = [], []
    for trial, sample in enumerate(order):
        if trial in (0, n_train):
            v, dead, u, g, n, t_win = v0.copy(), np.zeros(len(v0)), *np.zeros((3, n_out)), -10.0
            last: list[int] = []
        eta = 0.003 if trial < n_train else 0.0
        drive = 4 * (samples.images[sample] / 255) + 0.5
        for step in range(trial * trial_steps, (trial + 1) * trial_steps):
            v = v + (drive - v) * (1 - np.exp(-np.clip(dt - dead, 0, dt) / 0.03))
            dead = np.clip(dead - dt, 0, 0.005)
            free = step * dt - t_win > 0.01 - 0.5 * dt
            u = np.clip(u + (5 * g - n - u) * (1 - np.exp(-dt / 0.03)), -1, 1000) * free
            g, n = g * np.exp(-dt / 0.005), n - n * dt
            fired, winners = np.flatnonzero(v > 1), np.flatnonzero((u > 1) & (u >= max(0, u.max())))
            if len(winners):
                t_win = step * dt
            steps += [step] * len(winners)
            cells += winners.tolist()
            dead[fired] = 0.005 + 0.03 * np.log(1 - (v[fired] - 1) / (drive[fired] - 1))
            v[fired] = -1
            n[winners] += 0.02
            for cell in last:
                up, down = (v < 0) * (np.exp(-v) - 1), (v > 0) * (np.exp(v) - 1)
                w[:, cell] = np.clip(w[:, cell] + eta * (up * (1 - w[:, cell]) - down * w[:, cell]), 0, 1)
            g = g + (1 - np.exp(-1)) * kick * w[fired].sum(axis=0)
            last = winners.tolist()
    return steps, cells, w


def test_vdsp_equals_an_independent_program():
    plan = digits(n_in=100, n_out=10, train=6, test=4)
    samples, order = images(plan, side=10)
    memory = simulate(plan, samples=samples, order=order)
    times, ids = memory.times_ids("output")
    steps, cells, weights = vdsp_in_numpy(plan, samples, order)
    assert len(steps) > 100
    np.testing.assert_array_equal(np.round(times / plan.dt).astype(int), steps)
    np.testing.assert_array_equal(ids, cells)
    before, after = memory.kept["learned"][4]["w"]
    np.testing.assert_allclose(after, weights.ravel(), atol=1e-12)
    assert np.abs(after - before).max() > 0.01


# --- errors -------------------------------------------------------------------------------------------


def marked(text: str) -> tuple[Line, ...]:
    return tuple(Line(row.text, Mark("cell.yaml", number, 3)) for number, row in enumerate(lines(text), 10))


CELL = "dv/dt = (E - v)/tau : volt\nI = v/(10*ohm) : amp\nE : volt (shared, constant)\ntau : second (shared, constant)"


def cell(**changes) -> Group:
    options = {
        "threshold": "v > E",
        "reset": "v = E",
        "method": "euler",
        "constants": constants(E="-60 mV", tau="10 ms"),
    }
    text = changes.pop("text", CELL)
    return Group("net_a", "net.a", 3, marked(text), mark=HERE, **{**options, **changes})


def code(text: str) -> tuple[Connection, ...]:
    pathway = Pathway("pre", "pre", "spike", text, mark=HERE)
    return (Connection("c", "net.c", whole("net_a", 3), whole("net_a", 3), Wiring("all", "c"), pathways=(pathway,)),)


@pytest.mark.parametrize(
    ("plan", "kind", "words", "mark"),
    [
        (one(cell(text=CELL.replace("(E - v)/tau", "E - v"))), "dimension", "net.a", Mark("cell.yaml", 10, 3)),
        (one(cell(text=CELL.replace("v/(10*ohm)", "v"))), "dimension", "subexpression I:", Mark("cell.yaml", 11, 3)),
        (one(cell(text=CELL.replace("v/(10*ohm)", "w/ohm"))), "name", "w is not declared", Mark("cell.yaml", 11, 3)),
        (one(cell(threshold="v > 1")), "dimension", "net.a", HERE),
        (one(cell(reset="v = E*2*ms")), "dimension", "v = E*2*ms", HERE),
        (one(cell(reset="v = nowhere")), "name", "nowhere is not declared", HERE),
        (one(cell(text=CELL.replace("(E - v)/tau", "E*E/v/tau"), method="exact")), "backend", "net.a", None),
        (one(cell(), connections=code("v_post += 1")), "dimension", "net.c", HERE),
        (one(cell(), connections=code("v_post += z*mV")), "name", "z is not declared", HERE),
        (one(cell(), connections=code("z_post += 1*mV")), "name", "z_post is not declared", HERE),
        (one(cell(regular=(Regular("net_a_0", "v = 3", 1e-4, mark=HERE),))), "dimension", "v = 3", HERE),
        (one(cell(initial=(Initial("v", "3*ms", VOLT, "s", mark=HERE),))), "dimension", "a time", HERE),
        (one(cell(initial=(Initial("v", "3*mV/0", VOLT, "s", mark=HERE),))), "value", "v", HERE),
    ],
)  # fmt: skip
def test_errors_name_the_path_and_the_line(plan, kind, words, mark):
    with pytest.raises(FitError if kind != "backend" else RunError) as caught:
        simulate(plan)
    (problem,) = caught.value.problems
    assert problem.kind == kind
    assert words in problem.message
    assert "\n" not in problem.message and "brian2" not in problem.message.lower()
    if mark:
        assert problem.mark == mark


def test_after_an_error_the_next_run_works():
    with pytest.raises(BrainsimError):
        simulate(one(cell(threshold="v > 1")))
    assert simulate(balanced(50, 0.01)) is not None


# --- the guarded import -------------------------------------------------------------------------------

GUARD = """
import os, signal, sys, warnings, logging
from brainsim import brian
hook, interrupt, show = sys.excepthook, signal.getsignal(signal.SIGINT), warnings.showwarning
brian2 = brian.load()
assert brian2 is brian.load()
assert os.getcwd() == os.path.realpath(sys.argv[1]), os.getcwd()
assert sys.excepthook is hook and signal.getsignal(signal.SIGINT) is interrupt and warnings.showwarning is show
assert not logging.getLogger("py.warnings").handlers
assert brian2.BrianLogger.tmp_log is None and brian2.BrianLogger.tmp_script is None
assert brian2.prefs.codegen.target != "numpy"
print(*brian.notes(), sep="\\n")
"""


def test_a_preferences_file_in_the_folder_is_not_run(tmp_path):
    (tmp_path / "brian_preferences").write_text("codegen.target = 'numpy'\ncore.x = open('ran', 'w')\n")
    environment = {**os.environ, "PYTHONPATH": str(Path(brainsim.__file__).parent.parent)}
    command = [sys.executable, "-c", GUARD, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["brian_preferences"]
    assert "brian_preferences" in done.stdout and "not read" in done.stdout


def test_brian2_is_imported_in_one_place_only():
    engine = Path(brainsim.__file__).parent
    for path in engine.rglob("*.py"):
        if path.is_relative_to(engine / "native"):  # the device: for scripts that use Brian2 anyway
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "brian2" for name in names), path
