"""Threads: the same bits for any number of them, and what is right with one is right with several."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import brian2 as b2
import numpy as np
import pytest
from brian2 import Hz, ms, mV
from brunel import brunel, results_of_brunel
from native_models import MODELS
from test_fuzz import drawn, run

from brainsim.native import threads

pytestmark = pytest.mark.compiled

COUNTS = (2, 3, 4)


def same_bits(device, model, counts=COUNTS):
    """What a model gives with one thread, after a comparison with others."""

    def result(count):
        device.threads = count
        b2.seed(7)
        b2.defaultclock.dt = 0.1 * ms
        found = model()
        return found.values() if isinstance(found, dict) else found

    expected = [np.array(values) for values in result(1)]
    for count in counts:
        for one, other in zip(expected, result(count), strict=True):
            assert one.tobytes() == np.ascontiguousarray(other).tobytes(), f"{count} threads"
    return expected


def who(device, pattern):
    """The lines about threads of the tasks with such a name."""
    text = device.explain()
    blocks = re.split(r"\n(?=  ? ?\d)", text)
    return [block.splitlines()[-1].strip() for block in blocks if re.search(pattern, block.splitlines()[0])]


@pytest.mark.parametrize("name", MODELS)
def test_models_give_the_same_bits(name, shared):
    assert len(same_bits(shared, MODELS[name])[0]) > 20


@pytest.mark.parametrize("number", range(12))
def test_random_networks_give_the_same_bits(number, shared):
    same_bits(shared, lambda: run(drawn(number)), (3,))


@pytest.mark.parametrize("plasticity", [False, True])
@pytest.mark.parametrize("delays", [False, True])
def test_brunel_gives_the_same_bits(plasticity, delays, shared):
    found = same_bits(shared, lambda: results_of_brunel(plasticity=plasticity, delays=delays))
    assert len(found[0]) > 500
    delivery = who(shared, r"(inh|exc)_pre.* synapses  ")
    assert len(delivery) == 2
    assert all(line.startswith("threads, each of the cells") for line in delivery)


def test_conductances_give_the_same_bits(shared):
    def coba():
        rng = np.random.default_rng(5)
        equations = """
            dv/dt = (-60*mV - v + ge * (0*mV - v) + gi * (-80*mV - v)) / (20*ms) : volt (unless refractory)
            dge/dt = -ge / (5*ms) : 1
            dgi/dt = -gi / (10*ms) : 1"""
        group = b2.NeuronGroup(
            300, equations, threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * ms, method="exponential_euler"
        )
        group.v = (-60 + 10 * rng.random(300)) * mV
        group.ge = np.maximum(0, 4 + 1.5 * rng.standard_normal(300))
        exc = b2.Synapses(group[:240], group, on_pre="ge += 0.6")
        inh = b2.Synapses(group[240:], group, on_pre="gi += 6.7")
        for synapses, count in ((exc, 240), (inh, 60)):
            pre, post = np.nonzero(rng.random((count, 300)) < 0.2)
            synapses.connect(i=pre, j=post)
        spikes = b2.SpikeMonitor(group)
        b2.Network(group, exc, inh, spikes).run(40 * ms)
        return [spikes.i, spikes.t_, group.v_, group.ge, group.gi]

    assert len(same_bits(shared, coba)[0]) > 100


def test_chance_is_the_same(shared):
    def noisy():
        group = b2.NeuronGroup(
            203, "dv/dt = (1.2 + 0.3 * rand() - v) / (10*ms) + 0.1 * xi / sqrt(10*ms) : 1", threshold="v > rand()",
            reset="v = 0.1 * randn()", method="euler",
        )  # fmt: skip
        poisson = b2.PoissonGroup(101, 300 * Hz)
        synapses = b2.Synapses(group, poisson, "w : 1", on_pre="w += rand()")
        synapses.connect(p=0.1)
        spikes, others = b2.SpikeMonitor(group), b2.SpikeMonitor(poisson)
        b2.Network(group, poisson, synapses, spikes, others).run(20 * ms)
        return [spikes.i, spikes.t_, group.v, others.i, others.t_, synapses.w]

    assert len(same_bits(shared, noisy)[0]) > 100


def test_synapses_that_are_updated_in_every_step(shared):
    def clocked():
        rng = np.random.default_rng(2)
        group = b2.NeuronGroup(90, "dv/dt = (1.5 - v) / (10*ms) : 1", threshold="v > 1", reset="v = 0", method="exact")
        group.v = rng.random(90)
        synapses = b2.Synapses(
            group, group, "dg/dt = -g / (5*ms) : 1 (clock-driven)\nw : 1", on_pre="g += w", method="exact"
        )
        synapses.connect(p=0.5)
        synapses.w = rng.random(len(synapses))
        synapses.run_regularly("w = clip(w + 0.01 * (v_post - g), 0, 1)", dt=1 * ms)
        b2.Network(group, synapses).run(30 * ms)
        return [synapses.g, synapses.w, group.v]

    same_bits(shared, clocked)
    assert who(shared, r"stateupdater .* stateupdate")[-1].startswith("threads, each of the synapses")


@pytest.mark.parametrize("name", ["digits_vdsp", "digits_desire"])
def test_learning_tasks_give_the_same_bits(name, shared):
    from benchmarks import tasks

    def learned():
        case = tasks._task(name, 6)
        net = case.network
        net.run(case.seconds * b2.second, namespace=case.namespace)
        return [obj.variables["w"].get_value() for obj in net.sorted_objects
                if isinstance(obj, b2.Synapses) and "w" in obj.variables]  # fmt: skip

    assert same_bits(shared, learned, (3,))


def test_float32_gives_the_same_bits(shared):
    b2.prefs.core.default_float_dtype = np.float32
    try:
        same_bits(shared, results_of_brunel, (3,))
    finally:
        b2.prefs.core.default_float_dtype = np.float64


# --- what is not shared -----------------------------------------------------------------------------------------------


def reason_of(device, synapses, pattern, *objects):
    device.threads = 2
    net = b2.Network(synapses, *objects)
    device.prepare(net, namespace={})
    return who(device, pattern)[0]


def test_reasons_are_told(shared):
    for code, reason in (
        ("v_pre += 1", "synapses of different cells write 'v_pre'"),
        ("v_post += rand()", "it draws random numbers"),
        ("v_post += v_pre", "'v_post' is reached in several ways"),
    ):
        group = b2.NeuronGroup(64, "v : 1\nx : 1 (shared)", threshold="v > 1", reset="v = 0", name="cells")
        group.run_regularly("x += 1", name="counter")
        group.run_regularly("v += 0.1", name="grower")
        synapses = b2.Synapses(group, group, on_pre=code, name="syn")
        synapses.connect()
        assert reason_of(shared, synapses, "syn_pre.* synapses  ", group) == f"threads not: {reason}"
    assert "'x', which all elements share" in who(shared, "counter")[0]
    assert who(shared, "grower")[0].startswith("threads, each of the cells")
    assert who(shared, "resetter") == ["threads not: it takes little time"]


def test_functions_with_a_state_are_not_shared(shared):
    @b2.implementation("cpp", "double counted(double x) { static int calls = 0; return x + ++calls; }")
    @b2.check_units(x=1, result=1)
    def counted(x):
        return x

    @b2.implementation("cpp", "static inline double plain(double x) { static const double one = 1; return x + one; }")
    @b2.check_units(x=1, result=1)
    def plain(x):
        return x

    group = b2.NeuronGroup(64, "v : 1", name="cells")
    group.run_regularly("v = counted(v)", name="first")
    group.run_regularly("v = plain(v)", name="second")
    shared.threads = 2
    shared.prepare(b2.Network(group), namespace={"counted": counted, "plain": plain})
    assert who(shared, "first") == ["threads not: the function 'counted' has a static variable"]
    assert who(shared, "second")[0].startswith("threads, each")


def test_synapses_out_of_order_are_not_shared(shared):
    group = b2.NeuronGroup(64, "v : 1", threshold="v > 1", name="cells")
    synapses = b2.Synapses(group, group, on_pre="v_post += 1", name="syn")
    synapses.connect(i=[1, 1, 2], j=[5, 3, 1])
    line = reason_of(shared, synapses, "syn_pre.* synapses  ", group)
    assert line == "threads not: the synapses of a spike are not in the order of the cells they reach"


def test_stages(shared):
    """Tasks on the same cells follow one another without waiting, unless one reads what others write."""
    net, *_ = brunel()
    shared.threads = 3
    shared.prepare(net, namespace={})
    assert who(shared, "thresholder")[0].endswith("along with what is before it")
    assert [line.endswith("along with what is before it") for line in who(shared, "poissoninput")] == [False, True]
    group = b2.NeuronGroup(64, "u : 1\nv : 1", threshold="v > 1", name="cells")
    first = b2.Synapses(group, group, on_pre="v_post += 1", name="first")
    second = b2.Synapses(group, group, on_pre="u_post += v_pre", name="second")
    for synapses in (first, second):
        synapses.connect()
    session = shared.prepare(b2.Network(group, first, second), namespace={})
    joins = {step.obj.name: task.joins for task, step in zip(session.struct.tasks, session.steps, strict=False)}
    assert joins["second_pre"] == 0


@pytest.mark.parametrize("given", [0, 65, "two", -1, 1.5])
def test_number_of_threads_is_checked(given, one_thread):
    with pytest.raises(ValueError, match="from 1 to 64"):
        threads.chosen(given)


def test_environment_wins(monkeypatch):
    monkeypatch.setenv("BRAINSIM_NATIVE_THREADS", "3")
    assert threads.chosen(2) == 3
    monkeypatch.delenv("BRAINSIM_NATIVE_THREADS")
    assert threads.chosen(2) == 2
    assert threads.chosen() == 1


def test_bounds(monkeypatch):
    monkeypatch.setattr(threads, "PIECE", 64)
    assert threads.bounds(1000, 3) == [0, 320, 640, 1000]
    assert threads.bounds(10, 4) == [0, 0, 0, 0, 10]
    assert threads.bounds(0, 2) == [0, 0, 0]


# --- everything else --------------------------------------------------------------------------------------------------


def test_set_device_takes_the_number(monkeypatch):
    monkeypatch.delenv("BRAINSIM_NATIVE_THREADS", raising=False)
    b2.set_device("native", threads=2)
    try:
        assert b2.get_device().threads == 2
    finally:
        b2.set_device("native")
        assert b2.get_device().threads == 1
        b2.set_device("runtime")


def test_step_store_restore_and_python_in_between(shared):
    expected = None
    for count in (1, 3):
        shared.threads = count
        b2.seed(3)
        net, group, exc, spikes = brunel(plasticity=True)
        seen = []

        def look(seen=seen, group=group):
            seen.append(float(np.sum(group.v_)))

        net.add(b2.NetworkOperation(lambda: look(), dt=2 * ms))
        net.store()
        net.run(10 * ms)
        shared.prepare(net, namespace={})
        for _ in range(50):
            shared.step(1)
            shared.array(group, "v")[0] += 1e-4
        shared.step(100)
        first = [np.array(x) for x in (spikes.i, spikes.t_, group.v_, exc.w_, seen)]
        net.restore(restore_random_state=True)
        seen.clear()
        net.run(25 * ms)
        second = [np.array(x) for x in (spikes.i, spikes.t_, group.v_, exc.w_, seen)]
        if expected is None:
            expected = first, second
        for one, other in zip((*expected[0], *expected[1]), (*first, *second), strict=True):
            assert one.tobytes() == other.tobytes()
        assert len(first[-1]) > 5


def test_several_sessions_in_threads_of_python(shared):
    def sessions():
        made = []
        for number in range(3):
            net, group, _, spikes = brunel()
            made.append((net, group, spikes, shared.prepare(net, namespace={}, seed=number)))
        return made

    shared.threads = 1
    for _, _, _, session in (alone := sessions()):
        session.step(300)
    shared.threads = 2
    together = sessions()
    workers = [threading.Thread(target=session.step, args=(300,)) for *_, session in together]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for (_, group, spikes, _), (_, other, others, _) in zip(alone, together, strict=True):
        assert np.array(group.v_).tobytes() == np.array(other.v_).tobytes()
        assert np.array(spikes.i).tobytes() == np.array(others.i).tobytes()


def test_an_exception_in_any_thread_ends_the_run(shared):
    @b2.implementation("cpp", "double explode(double x) { if (x > 95.5) throw 1; return x; }")
    @b2.check_units(x=1, result=1)
    def explode(x):
        return x

    group = b2.NeuronGroup(100, "y : 1", name="cells")
    group.run_regularly("y += 1", name="first")
    group.run_regularly("y = explode(y)", name="dangerous", order=1)
    group.y = "i - 10"
    shared.threads = 3
    net = b2.Network(group)
    with pytest.raises(b2.core.base.BrianObjectException, match="dangerous"):
        net.run(2 * ms, namespace={"explode": explode})
    group.y = 0
    net.run(0.5 * ms, namespace={"explode": explode})
    assert np.array_equal(group.y, np.full(100, 5))


def test_threads_end_with_their_session(shared):
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("there is no list of threads")

    def alive():
        return {task.name for task in tasks.iterdir()}

    net, *_ = brunel()
    shared.threads = 4
    shared.prepare(net, namespace={})
    before = alive()
    shared.step(1)
    ours = alive() - before
    assert len(ours) == 3
    shared.prepare(net, namespace={})
    # One that was joined may stand in the list for a moment longer.
    for _ in range(1000):
        if not ours & alive():
            break
        time.sleep(0.01)
    assert not ours & alive()


def test_a_process_that_was_forked_off(shared):
    net, group, *_ = brunel()
    shared.threads = 3
    shared.prepare(net, namespace={})
    shared.step(10)
    child = os.fork()
    if child == 0:
        shared.step(20)
        os._exit(int(not np.isfinite(group.v_).all()))
    shared.step(20)
    assert os.waitpid(child, 0)[1] == 0


INTERRUPTED = """
import os, signal, sys, threading, brian2
sys.path.insert(0, {tests!r})
import brainsim.native
from brainsim.native import threads
threads.PIECE = 8
brian2.prefs.codegen.target = "numpy"
brian2.set_device("native", threads=3)
from brunel import brunel
net, group, _, _ = brunel()
net.run(1 * brian2.ms, namespace={{}})
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    net.run(10000 * brian2.second, namespace={{}})
except KeyboardInterrupt:
    pass
at = net.t
assert 1 * brian2.ms < at < 10000 * brian2.second
print("interrupted")
net.run(1 * brian2.ms, namespace={{}})
assert abs(net.t - at - 1 * brian2.ms) < 0.01 * brian2.ms
"""


def test_ctrl_c():
    code = INTERRUPTED.format(tests=str(Path(__file__).parent))
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    assert "interrupted" in found.stdout
