"""Backends: the same spikes everywhere, clean stops, nothing left behind, and a choice that follows sizes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from handmade import Memory, balanced, digits, images, lines, plastic

import brainsim
from brainsim import backends, brian
from brainsim.backends import cost, program, runtime
from brainsim.compose.plan import Constant, Group, Initial, Phase, Plan, Regular, Table, Trial, Watch
from brainsim.errors import RunError, SetupError
from brainsim.units import NONE, parse


@pytest.fixture(autouse=True)
def nothing_is_left_behind(tmp_path, monkeypatch):
    """Build folders go to a folder of the test, which must be empty again; handlers and preferences stay."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    b2 = brian.load()
    before = {name: b2.prefs[name] for name in b2.prefs}
    handler, clock, here = signal.getsignal(signal.SIGINT), float(b2.defaultclock.dt), os.getcwd()
    random_state = np.random.get_state()[1].copy()
    yield
    assert {name: b2.prefs[name] for name in b2.prefs} == before
    assert signal.getsignal(signal.SIGINT) is handler
    assert float(b2.defaultclock.dt) == clock and os.getcwd() == here
    assert b2.get_device() is b2.all_devices["runtime"]
    np.testing.assert_array_equal(np.random.get_state()[1], random_state)


def left() -> list[str]:
    return sorted(path.name for path in Path(tempfile.gettempdir()).iterdir())


def simulate(plan: Plan, backend: str, **options):
    memory = Memory()
    samples, order = images(plan, side=10) if plan.data else (None, None)
    outcome = backends.run(plan, backend, samples, order, memory, **options)
    return memory, outcome


def assert_same(plan: Plan, one: Memory, two: Memory) -> None:
    for watch in plan.watches:
        if watch.kind == "spikes":
            assert len(one.times_ids(watch.path)[0]) > 5
            np.testing.assert_array_equal(one.times_ids(watch.path)[0], two.times_ids(watch.path)[0])
            np.testing.assert_array_equal(one.times_ids(watch.path)[1], two.times_ids(watch.path)[1])
    assert one.states.keys() == two.states.keys() and one.kept.keys() == two.kept.keys()
    for key in one.states:
        for k in (1, 2):
            parts = [np.concatenate([part[k] for part in memory.states[key]]) for memory in (one, two)]
            np.testing.assert_allclose(*parts, rtol=1e-12, atol=1e-15)
    for key in one.kept:
        np.testing.assert_array_equal(one.kept[key][2], two.kept[key][2])
        for variable, (before, after) in one.kept[key][4].items():
            np.testing.assert_array_equal(before, two.kept[key][4][variable][0])
            np.testing.assert_allclose(after, two.kept[key][4][variable][1], rtol=1e-11)


# --- the choice ---------------------------------------------------------------------------------------


def test_auto_follows_sizes_and_steps():
    assert backends.choose(balanced())[0] == "numpy"
    name, reason = backends.best(digits(train=2000, test=500, passes=3))
    assert name == "native" and "min" in reason
    assert backends.best(balanced(4000, duration=100.0))[0] == "native"


def test_a_release_of_brian2_the_device_was_not_tried_with(monkeypatch):
    monkeypatch.setattr(backends.native.metadata, "version", lambda package: "2.10.1")
    assert "2.10.1" in backends.available()["native"]
    assert "native" not in backends.choose(digits(train=2000, test=500, passes=3))[0]


def test_cost_is_right_within_a_factor_of_four():
    """Coarse, since tests share their machine; it catches a lost factor of dt or of size."""
    plan = plastic()
    _, outcome = simulate(plan, "numpy")
    assert cost.numpy_seconds(plan) / 4 < outcome.run_seconds < cost.numpy_seconds(plan) * 20


def test_without_a_compiler(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    found = backends.available()
    assert found["numpy"] == "" and all("compiler" in found[name] for name in ("cpp_standalone", "cython", "native"))
    name, reason = backends.choose(digits(train=2000, test=500, passes=3))
    assert name == "numpy" and "compiler" in reason
    for backend in ("cpp_standalone", "cython", "native", "nope"):
        with pytest.raises(SetupError) as caught:
            simulate(balanced(), backend)
        assert "\n" not in caught.value.problems[0].message and caught.value.problems[0].hint


def test_a_network_without_cells_is_not_compiled():
    with pytest.raises(SetupError, match="there are no cells"):
        simulate(Plan("none", "", 1, 1e-4, (), (), (), (Phase("run", 0.01),)), "cpp_standalone")


def test_choosing_does_not_import_brian2():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from handmade import balanced; from brainsim import backends\n"
        "backends.available(), backends.choose(balanced()); assert 'brian2' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(brainsim.__file__).parent.parent)}
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    subprocess.run(command, check=True, env=environment)


# --- numpy --------------------------------------------------------------------------------------------


def test_noise_depends_on_the_seed_only():
    group = Group(
        "a", "a", 20, lines("dv/dt = -v/(5*ms) + xi*(5*ms)**-0.5 : 1"), threshold="v > 1", reset="v = 0", method="euler"
    )
    plan = Plan("noise", "", 1, 1e-4, (group,), (), (Watch("m", "spikes", "a", "a"),), (Phase("run", 0.05),))
    first, again, other = (simulate(replace(plan, seed=seed), "numpy")[0] for seed in (1, 1, 2))
    assert_same(plan, first, again)
    assert not np.array_equal(first.times_ids("a")[0], other.times_ids("a")[0])


def test_progress_and_segments(monkeypatch):
    monkeypatch.setattr(runtime, "REPORT_SECONDS", 0.02)
    monkeypatch.setattr(runtime, "SEGMENT_SECONDS", 0.05)
    seen = []
    plan = replace(plastic(), phases=(Phase("a", 0.2), Phase("b", 0.2)))
    memory, outcome = simulate(plan, "numpy", progress=lambda *call: seen.append(call))
    times = [call[0] for call in seen]
    assert times == sorted(times) and times[0] == 0 and times[-1] == pytest.approx(0.4)
    assert all(call[1] == pytest.approx(0.4) for call in seen)
    rates = [call[2]["senders"] for call in seen if "senders" in call[2]]
    assert 30 < np.mean(rates) < 50
    assert memory.flushes > 2 and len(memory.spike_parts["senders"]) > 2
    whole, _ = simulate(plan, "numpy")
    assert_same(plan, memory, whole)
    assert outcome.completed and outcome.stopped_at == pytest.approx(0.4)


class Press:
    """Ctrl-C at the n-th call of progress."""

    def __init__(self, n: int):
        self.n = n

    def __call__(self, *_):
        self.n -= 1
        if self.n == 0:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_keeps_what_there_is(monkeypatch):
    monkeypatch.setattr(runtime, "REPORT_SECONDS", 0.02)
    plan = replace(plastic(), phases=(Phase("a", 50.0), Phase("b", 0.1)))
    memory, outcome = simulate(plan, "numpy", progress=Press(20))
    assert not outcome.completed and 0 < outcome.stopped_at < 50
    times, _ = memory.times_ids("senders")
    assert len(times) and times.max() <= outcome.stopped_at
    assert "learned" in memory.kept and memory.flushes
    assert simulate(balanced(), "numpy")[1].completed  # the next run is not affected


def test_ctrl_c_while_building(monkeypatch):
    from brainsim import builder

    real = builder._connection

    def press(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr(builder, "_connection", press)
    for backend in ("numpy", "cpp_standalone"):
        if not backends.available()[backend]:
            _, outcome = simulate(balanced(), backend)
            assert not outcome.completed and outcome.stopped_at == 0
    assert left() == []


def test_an_empty_connection_and_its_monitor_are_left_out():
    plan = plastic()
    rule = replace(plan.connections[0], wiring=replace(plan.connections[0].wiring, options={"p": 0.0}))
    memory, outcome = simulate(replace(plan, connections=(rule,)), "numpy")
    assert outcome.completed and memory.kept == {} and memory.states == {}


# --- compiled -----------------------------------------------------------------------------------------

compiled = pytest.mark.compiled
needs_compiler = pytest.mark.skipif(bool(backends.available()["cpp_standalone"]), reason="no C++ compiler")


def tables() -> Plan:
    """Every kind of table, and a function of the allow-list, in two code objects."""
    clock = Group(
        "trials", "trials", 1, lines("trial : integer\nsample : integer"),
        regular=(Regular("next", "trial += 1\nsample = sample_order(trial)", 1e-3, "start", -100),),
        initial=(Initial("trial", "-1", NONE, "trials.trial", integer=True),),
    )  # fmt: skip
    cells = Group(
        "cells", "cells", 105, lines("x : 1\ny : 1\nz : 1\nword : integer\nsample : integer"),
        regular=(
            Regular(
                "read", "sample = sample_order(i)\nx = image(sample, i - 2)\ny = goal(sample, i % 10)\n"
                "z = label(sample, i) + paired_trace(i*37, word, 0.75)\nword = 2*word + i % 2", 1e-3, "start", -99,
            ),
        ),
    )  # fmt: skip
    watch = Watch("m", "state", "cells", "cells", ("x", "y", "z"), ("x", "y", "z"), ("1", "1", "1"), every=1e-3)
    plan = digits(n_in=100, n_out=10)
    return replace(
        plan, name="tables", dt=1e-3, groups=(clock, cells), connections=(), watches=(watch,),
        functions=("paired_trace",),
        tables=(Table("image", "image"), Table("goal", "label", True), Table("label", "label")),
        trial=Trial(1e-3, 1), phases=(Phase("p", data="train", count=10),),
    )  # fmt: skip


@compiled
@needs_compiler
@pytest.mark.parametrize("make", [balanced, plastic, lambda: digits(n_in=100, n_out=10), tables])
def test_standalone_equals_numpy(make):
    plan = make()
    numpy_memory, _ = simulate(plan, "numpy")
    memory, outcome = simulate(plan, "cpp_standalone")
    assert_same(plan, numpy_memory, memory)
    assert outcome.completed and outcome.compile_seconds > 0 and left() == []
    assert outcome.stopped_at == pytest.approx(cost.steps(plan) * plan.dt)
    again, _ = simulate(plan, "numpy")  # numpy after standalone in one process
    assert_same(plan, numpy_memory, again)


@compiled
@pytest.mark.skipif(bool(backends.available()["cython"]), reason="no Cython or compiler")
@pytest.mark.parametrize("make", [plastic, tables])
def test_cython_equals_numpy(make):
    plan = make()
    assert_same(plan, simulate(plan, "numpy")[0], simulate(plan, "cython")[0])


def endless(seconds=1e5) -> Plan:
    """One cell that counts its steps, in two phases; quick to compile."""
    group = Group(
        "a", "a", 1, lines("x : 1\nk : 1 (shared, constant)"), threshold="x > 1000", reset="x = 0",
        regular=(Regular("a_add", "x += k", 1e-4),), constants=(Constant("k", parse("1")),),
    )  # fmt: skip
    phases = (Phase("a", seconds), Phase("b", seconds, set=(("a", Constant("k", parse("2"))),)))
    return Plan("endless", "", 1, 1e-4, (group,), (), (Watch("m", "spikes", "a", "a"),), phases)


@compiled
@needs_compiler
def test_ctrl_c_ends_the_program_and_keeps_what_there_is():
    seen = []
    press = Press(3)
    memory, outcome = simulate(endless(), "cpp_standalone", progress=lambda *call: (seen.append(call), press()))
    assert not outcome.completed and 0 < outcome.stopped_at < 1e5
    times, _ = memory.times_ids("a")
    assert len(times) and times.max() <= outcome.stopped_at  # the second phase did not begin
    np.testing.assert_allclose(np.diff(times), 0.1001, atol=1e-9)
    assert seen[-1][2]["a"] == pytest.approx(10, rel=0.01)
    assert left() == []


@compiled
@needs_compiler
def test_ctrl_c_ends_the_compiler(monkeypatch):
    real = subprocess.Popen.wait

    def press(child, *arguments):
        if child.args[0] == "make":
            monkeypatch.setattr(subprocess.Popen, "wait", real)
            os.kill(os.getpid(), signal.SIGINT)
        return real(child, *arguments)

    monkeypatch.setattr(subprocess.Popen, "wait", press)
    _, outcome = simulate(endless(), "cpp_standalone")
    assert not outcome.completed and outcome.stopped_at == 0 and left() == []


@compiled
@needs_compiler
def test_a_compiler_that_fails_leaves_its_log(monkeypatch, tmp_path):
    monkeypatch.setattr(program, "COMPILE_FLAGS", [*program.COMPILE_FLAGS, "-O0", "-Dmain=1x"])
    with pytest.raises(RunError) as caught:
        simulate(endless(), "cpp_standalone", folder=tmp_path / "run")
    (problem,) = caught.value.problems
    assert "compiler" in problem.message and "error:" in problem.hint
    assert str(tmp_path / "run" / "compile.log") in problem.hint and (tmp_path / "run" / "compile.log").exists()
    assert left() == []


@compiled
@needs_compiler
def test_a_program_that_crashes_leaves_its_log_and_the_build_can_be_kept(monkeypatch, tmp_path):
    real = program.progress_code

    def crash(*arguments):
        return real(*arguments).replace(
            "if (++step < look) return;", 'if (++step > 9) { std::cerr << "broken" << std::endl; abort(); }'
        )

    monkeypatch.setattr(program, "progress_code", crash)
    with pytest.raises(RunError) as caught:
        simulate(endless(), "cpp_standalone", folder=tmp_path / "run", keep=True)
    (problem,) = caught.value.problems
    assert "signal 6" in problem.message and "broken" in problem.hint
    assert (tmp_path / "run" / "run.log").exists() and (tmp_path / "run" / "build" / "main").exists()
    assert left() == []
