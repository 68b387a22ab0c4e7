"""The backend ``native``: the results of numpy where nothing is random, nothing compiled twice, clean stops."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import numpy as np
import pytest
from handmade import Memory, balanced, digits, images, lines, plastic
from test_backends import Press, endless, nothing_is_left_behind, tables  # noqa: F401 (a fixture)

import brainsim
from brainsim import backends, datasets
from brainsim.backends import native, runtime
from brainsim.compose.plan import Constant, Phase, Plan
from brainsim.errors import FitError, RunError
from brainsim.runs import phases
from brainsim.units import parse

pytestmark = [
    pytest.mark.compiled,
    pytest.mark.skipif(bool(backends.available()["native"]), reason="no C++ compiler"),
]


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    """Libraries of these tests go to a folder of their own."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


def simulate(plan: Plan, backend: str = "native", **options):
    """Results in memory; samples are those of the data set, or made up where the plan was written by hand."""
    memory, samples, order = Memory(), None, None
    if plan.data is not None and plan.data.name == "synthetic":
        samples, order = images(plan, side=10)
    elif plan.data is not None:
        samples = datasets.load(plan.data.name, plan.data.splits)
        order = phases.schedule(plan, samples).order
    outcome = backends.run(plan, backend, samples, order, memory, **options)
    return memory, outcome


def assert_equal(one: Memory, two: Memory) -> int:
    """Spikes to the bit, states and weights to 1e-12; returns the number of spikes."""
    assert one.spike_parts.keys() == two.spike_parts.keys()
    for path in one.spike_parts:
        for a, b in zip(one.times_ids(path), two.times_ids(path), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=path)
    assert one.states.keys() == two.states.keys() and one.kept.keys() == two.kept.keys()
    for key in one.states:
        for k in (1, 2):
            parts = [np.concatenate([part[k] for part in memory.states[key]]) for memory in (one, two)]
            np.testing.assert_allclose(*parts, rtol=1e-12, atol=1e-15, err_msg=str(key))
    for key in one.kept:
        np.testing.assert_array_equal(one.kept[key][2], two.kept[key][2])
        for variable, values in one.kept[key][4].items():
            for a, b in zip(values, two.kept[key][4][variable], strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14, err_msg=f"{key}.{variable}")
    return sum(len(one.times_ids(path)[0]) for path in one.spike_parts)


# --- results ------------------------------------------------------------------------------------------

#: Experiments of the library, those with noise with a constant drive in its place.
EXPERIMENTS = {
    "cuba": {"run.duration": "200 ms"},
    "cortex_ei": {
        "run.duration": "200 ms", "rate": "0 Hz", "exc.neuron.I_bias": "260 pA", "inh.neuron.I_bias": "260 pA",
    },
    "brunel": {
        "scale": 0.11, "run.duration": "60 ms",
        **{f"{p}.neuron.{k}": v for p in ("exc", "inh") for k, v in (("J_ext", "0 mV"), ("I_bias", "240 pA"))},
    },
    "digits_vdsp": {"data.train": 12, "data.label": 6, "data.test": 6},
}  # fmt: skip


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments_of_the_library_equal_numpy(name):
    plan = brainsim.plan(name, set=EXPERIMENTS[name])
    assert assert_equal(simulate(plan, "numpy")[0], simulate(plan)[0]) > 100


@pytest.mark.parametrize("make", [plastic, lambda: digits(n_in=100, n_out=10), tables])
def test_native_equals_numpy(make):
    plan = make()
    memory, outcome = simulate(plan)
    expected, reached = simulate(plan, "numpy")  # numpy after native in one process
    assert_equal(expected, memory)
    assert outcome.backend == "native" and outcome.completed and outcome.notes == ()
    assert outcome.stopped_at == pytest.approx(reached.stopped_at)


def test_threads_change_nothing(monkeypatch):
    monkeypatch.delenv("BRAINSIM_NATIVE_THREADS", raising=False)
    plans = [brainsim.plan("cortex_ei", set={"run.duration": "100 ms", "run.threads": count}) for count in (1, 3)]
    assert [plan.threads for plan in plans] == [1, 3]
    (one, _), (three, _) = map(simulate, plans)
    assert assert_equal(one, three) > 100


def test_noise_depends_on_the_seed_only():
    plan = brainsim.plan("cortex_ei", set={"run.duration": "100 ms"})
    first, again, other = (simulate(replace(plan, seed=seed))[0] for seed in (1, 1, 2))
    assert assert_equal(first, again) > 100
    assert not np.array_equal(first.times_ids("exc")[0], other.times_ids("exc")[0])


# --- compiled once --------------------------------------------------------------------------------------


@pytest.fixture
def compilations():
    """Number of libraries compiled since the test began."""
    statistics = native.load().statistics
    before = statistics.compiled
    return lambda: statistics.compiled - before


def test_another_value_compiles_nothing(compilations):
    def run(**values):
        settings = {"data.train": 4, "data.label": 2, "data.test": 2, **values}
        return simulate(brainsim.plan("digits_vdsp", set=settings))

    run(**{"learned.plasticity.eta": 0.011})
    before = compilations()
    for path, value in {
        "learned.plasticity.eta": 0.02, "retina.neuron.tau_m": "25 ms", "data.train": 6, "run.seed": 5, "n_cells": 20,
    }.items():  # fmt: skip
        run(**{path: value})
        assert compilations() == before, path


def test_phases_compile_nothing_anew(compilations):
    plan = replace(plastic(), phases=(*plastic().phases, *plastic().phases))
    simulate(plan)
    assert compilations() <= 1


def test_two_starts_share_what_was_compiled(compilations):
    plan = balanced()
    simulate(plan)
    before = compilations()
    simulate(replace(plan, seed=9))
    assert compilations() == before


# --- while it runs --------------------------------------------------------------------------------------


def test_progress_and_segments(monkeypatch):
    monkeypatch.setattr(runtime, "REPORT_SECONDS", 0.01)
    monkeypatch.setattr(runtime, "SEGMENT_SECONDS", 0.01)
    seen = []
    plan = replace(plastic(), phases=(Phase("a", 30.0), Phase("b", 30.0)))
    memory, outcome = simulate(plan, progress=lambda *call: seen.append(call))
    times = [call[0] for call in seen]
    assert times == sorted(times) and times[0] == 0 and times[-1] == pytest.approx(60)
    assert len(set(times)) > 4 and all(call[1] == pytest.approx(60) for call in seen)
    rates = [call[2]["senders"] for call in seen if "senders" in call[2]]
    assert 30 < np.mean(rates) < 50
    assert memory.flushes > 2 and len(memory.spike_parts["senders"]) > 2
    assert_equal(memory, simulate(plan)[0])
    assert outcome.completed and outcome.stopped_at == pytest.approx(60)


def test_ctrl_c_keeps_what_there_is():
    seen = []
    press = Press(3)
    memory, outcome = simulate(endless(), progress=lambda *call: (seen.append(call), press()))
    assert not outcome.completed and 0 < outcome.stopped_at < 1e5
    times, _ = memory.times_ids("a")
    assert len(times) and times.max() <= outcome.stopped_at
    np.testing.assert_allclose(np.diff(times), 0.1001, atol=1e-9)
    assert simulate(balanced())[1].completed  # the next run is not affected


def test_ctrl_c_ends_the_compiler(monkeypatch):
    real = subprocess.run

    def press(command, *arguments, **options):
        if "model.cpp" in command:
            Press(1)()
        return real(command, *arguments, **options)

    monkeypatch.setattr(subprocess, "run", press)
    plan = endless()
    group = replace(plan.groups[0], threshold="x > 1000 + 0.5*k")  # not compiled before
    _, outcome = simulate(replace(plan, groups=(group,)))
    assert not outcome.completed and outcome.stopped_at == 0


# --- errors ---------------------------------------------------------------------------------------------


def test_a_compiler_that_fails_leaves_its_log(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINSIM_NATIVE_FLAGS", "-Dnative_run=1x")
    with pytest.raises(RunError) as caught:
        simulate(endless(), folder=tmp_path / "run")
    (problem,) = caught.value.problems
    assert "compile" in problem.message and "error" in problem.message
    assert str(tmp_path / "run" / "compile.log") in problem.hint and (tmp_path / "run" / "compile.log").exists()


def test_errors_of_the_model_name_its_path():
    plan = balanced()
    broken = replace(plan.groups[0], threshold="v > nowhere")
    with pytest.raises(FitError) as caught:
        simulate(replace(plan, groups=(broken, plan.groups[1])))
    assert "net.exc: nowhere is not declared" in str(caught.value)


def test_what_the_device_cannot_do_is_refused_and_auto_takes_another():
    plan = balanced(4000, duration=100.0)
    group = replace(plan.groups[0], method="gsl_rkf45")
    name, reason = backends.choose(replace(plan, groups=(group, plan.groups[1])))
    assert name == "cpp_standalone" and "net.exc" in reason and "GSL" in reason
    assert backends.choose(plan)[0] == "native"


def test_a_parameter_set_in_a_phase_and_undone():
    group = replace(endless().groups[0], threshold="x > 9", equations=lines("x : 1\nk : 1 (shared, constant)"))
    stretch = tuple(Phase(n, 0.05, set=(("a", Constant("k", parse(v))),)) for n, v in (("a", "2"), ("b", "5")))
    plan = replace(endless(), groups=(group,), phases=(Phase("0", 0.05), *stretch, Phase("1", 0.05)))
    assert assert_equal(simulate(plan, "numpy")[0], simulate(plan)[0]) > 100


def test_without_a_compiler_auto_falls_back_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(backends.cost, "compile_seconds", lambda plan: 0.0)
    results = brainsim.run("cortex_ei", set={"run.duration": "5 ms"}, backend="auto", out=tmp_path / "run")
    (note,) = (note for note in results.summary["notes"] if "auto chose" in note)
    assert note.startswith("auto chose numpy") and "compiler" in note
