"""What the device adds to Brian2: everything in this process, at any time."""

from __future__ import annotations

import gc
import os
import re
import signal
import threading
import time
from pathlib import Path

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms

from brainsim.native import build, simulate

pytestmark = pytest.mark.compiled


def counter(**kwds):
    """A group whose x counts time steps."""
    return b2.NeuronGroup(3, "x : 1\ny : 1", threshold="x > 1e9", **kwds), "x += 1"


def steps(net):
    """The time of a network, in steps."""
    return int(np.round(float(net.t_) / 1e-4))


def counting_network():
    group, code = counter()
    group.run_regularly(code, name=group.name + "_count")
    return b2.Network(group), group


def test_arrays_are_live_before_between_and_after_runs(native):
    net, group = counting_network()
    x = native.array(group, "x")
    x[1] = 10
    assert list(group.x) == [0, 10, 0]
    net.run(1 * ms)
    assert list(x) == [10, 20, 10]
    group.x["i == 2"] = "x + 100"
    net.run(1 * ms)
    assert list(x) == [20, 30, 120]
    assert native.array(group, "x") is x
    del net, group
    gc.collect()
    assert list(x) == [20, 30, 120]  # the memory is ours for as long as we hold it


def test_steps_and_time(native):
    net, group = counting_network()
    session = native.prepare(net)
    assert group.x[0] == 0
    native.step(3)
    native.step()
    assert group.x[0] == 4
    assert steps(net) == 4
    net.run(0.6 * ms)
    assert group.x[0] == 10
    native.step(2)
    assert group.x[0] == 12
    assert session is not native._session


def test_overhead_of_a_step(native):
    group = b2.NeuronGroup(1, "x : 1")
    group.run_regularly("x += 1")
    native.prepare(b2.Network(group))
    step = native.step
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(500):
            step()
        best = min(best, (time.perf_counter() - start) / 500)
    assert best < 10e-6  # about 1 us on a quiet machine


def test_monitors_can_be_read_while_running(native):
    net, group = counting_network()
    monitor = b2.StateMonitor(group, "x", record=[0, 2])
    net.add(monitor)
    seen = []

    @b2.network_operation(dt=1 * ms)
    def look():
        seen.append((len(monitor.t), monitor.x.shape))

    net.add(look)
    net.run(3 * ms)
    assert seen == [(1, (2, 1)), (11, (2, 11)), (21, (2, 21))] or seen == [(0, (2, 0)), (10, (2, 10)), (20, (2, 20))]
    early = monitor.x
    net.run(300 * ms)
    assert monitor.x.shape == (2, 3030)
    np.testing.assert_array_equal(early, monitor.x[:, :30])


def test_two_networks_side_by_side(native):
    (net_a, a), (net_b, b) = counting_network(), counting_network()
    times = [b2.StateMonitor(group, "x", record=0, name=name) for group, name in ((a, "watch_a"), (b, "watch_b"))]
    net_a.add(times[0])
    net_b.add(times[1])
    first, second = native.prepare(net_a), native.prepare(net_b)
    first.step(5)
    second.step(7)
    first.step(1)
    assert (a.x[0], b.x[0]) == (6, 7)
    assert (steps(net_a), steps(net_b)) == (6, 7)  # though both use the default clock
    np.testing.assert_allclose(times[0].t_, np.arange(6) * 1e-4)
    np.testing.assert_allclose(times[1].t_, np.arange(7) * 1e-4)
    assert first.library is second.library  # the same model: compiled once


def test_networks_in_threads(native):
    sessions = []
    for number in range(2):
        group = b2.NeuronGroup(50, "dv/dt = -v / (10*ms) + 0.1 * xi * ms**-0.5 : 1", method="euler")
        net = b2.Network(group)
        sessions.append((native.prepare(net, seed=number), net, group))
    threads = [threading.Thread(target=session.step, args=(2000,)) for session, _, _ in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not np.array_equal(sessions[0][2].v, sessions[1][2].v)
    for _, net, group in sessions:
        assert steps(net) == 2000
        assert np.isfinite(group.v).all() and np.std(group.v) > 0


def test_stop(native):
    net, group = counting_network()

    @b2.network_operation(dt=1 * ms)
    def stop():
        if group.x[0] >= 20:
            net.stop()

    net.add(stop)
    net.run(10 * ms)
    assert 20 <= group.x[0] <= 22
    assert net.t < 3 * ms
    x = group.x[0]
    net.run(0.5 * ms)
    assert group.x[0] > x


@pytest.mark.parametrize("kindly", [True, False])
def test_control_c_leaves_a_usable_state(native, kindly):
    net, group = counting_network()
    b2.prefs.core.stop_on_keyboard_interrupt = kindly
    native.prepare(net)  # it is compiled by now: the signal is to come while the network runs
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        if kindly:
            net.run(1e6 * b2.second)
        else:
            with pytest.raises(KeyboardInterrupt):
                net.run(1e6 * b2.second)
    finally:
        b2.prefs.core.stop_on_keyboard_interrupt = True
        timer.join()
    done = group.x[0]
    assert 0 < done < 1e9
    assert steps(net) == done
    net.run(1 * ms)
    assert group.x[0] == done + 10


def test_exception_of_generated_code_names_the_object(native):
    @b2.implementation("cpp", "double explode(double x) { if (x > 3) throw 1; return x; }")
    @b2.check_units(x=1, result=1)
    def explode(x):
        return x

    net, group = counting_network()
    group.run_regularly("y = explode(x)", name="dangerous", order=1)
    with pytest.raises(b2.core.base.BrianObjectException, match="dangerous") as info:
        net.run(2 * ms)
    assert isinstance(info.value.__cause__, RuntimeError)
    assert steps(net) == 3
    group.x = 0
    net.run(0.2 * ms)
    assert group.x[0] == 2


def test_exception_of_a_network_operation(native):
    net, group = counting_network()

    @b2.network_operation(dt=1 * ms)
    def fail():
        if group.x[0] > 5:
            raise ZeroDivisionError("mine")

    net.add(fail)
    with pytest.raises(ZeroDivisionError, match="mine"):
        net.run(3 * ms)
    assert steps(net) == 10
    assert group.x[0] == 10


def test_connections_out_of_range(native):
    group = b2.NeuronGroup(3, "v : 1", threshold="v > 1")
    synapses = b2.Synapses(group, group, on_pre="v += 1")
    with pytest.raises(IndexError):
        synapses.connect(i=[0, 3], j=[0, 1])
    with pytest.raises((IndexError, b2.core.base.BrianObjectException), match=r"range|synapses"):
        synapses.connect(j="i + 1")
    synapses.connect(j="i + 1", skip_if_invalid=True)
    assert len(synapses) == 2


def test_store_and_restore_with_spikes_in_flight(native):
    source = b2.SpikeGeneratorGroup(1, [0, 0], [0.1, 1.5] * ms)
    target = b2.NeuronGroup(4, "v : 1\ndn/dt = 0.1 * xi * ms**-0.5 : 1", threshold="v > 100", method="euler")
    synapses = b2.Synapses(source, target, on_pre="v += 1")
    synapses.connect()
    synapses.delay = "1*ms + i*0*ms + j*0.4*ms"
    spikes = b2.StateMonitor(target, ["v", "n"], record=True)
    net = b2.Network(source, target, synapses, spikes)
    net.run(1.6 * ms)
    net.store()
    net.run(3 * ms)
    expected = np.array(spikes.v), np.array(spikes.n), np.array(target.v)
    net.restore(restore_random_state=True)
    assert steps(net) == 16 and spikes.v.shape[1] == 16
    net.run(3 * ms)
    for found, wanted in zip((spikes.v, spikes.n, target.v), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert list(target.v) == [2, 2, 2, 2]


def test_delays_changed_between_runs(native):
    source = b2.SpikeGeneratorGroup(1, [0], [0] * ms)
    target = b2.NeuronGroup(1, "v : 1", threshold="v > 100")
    synapses = b2.Synapses(source, target, on_pre="v += 1", delay=1 * ms)
    synapses.connect()
    net = b2.Network(source, target, synapses)
    net.run(0.5 * ms)
    synapses.pre.delay = 3 * ms  # for spikes to come: the one in flight keeps its time
    net.run(0.5 * ms)
    assert target.v[0] == 0
    net.run(0.1 * ms)
    assert target.v[0] == 1


def test_timed_array_is_live(native):
    drive = b2.TimedArray(np.zeros(50), dt=0.1 * ms)
    group = b2.NeuronGroup(1, "v = drive(t) : 1\nx : 1", namespace={"drive": drive})
    group.run_regularly("x += v")
    native.prepare(b2.Network(group))
    native.step(10)
    drive.values[10:] = 2
    native.step(5)
    assert group.x[0] == 10


@pytest.mark.usefixtures("as_asked", "one_thread")
def test_explain_lists_the_schedule(native):
    net, group = counting_network()
    native.prepare(net)
    text = native.explain()
    assert group.name in text and "fused" in text


def test_compartments_are_refused(native):
    morphology = b2.Soma(10 * b2.um)
    neuron = b2.SpatialNeuron(morphology, "Im = 0 * amp / metre**2 : amp / metre**2")
    with pytest.raises(NotImplementedError, match="compartments"):
        b2.Network(neuron).run(1 * ms)


def test_gsl_is_refused(native):
    group = b2.NeuronGroup(1, "dv/dt = -v / (10*ms) : 1", method="gsl")
    with pytest.raises((NotImplementedError, b2.core.base.BrianObjectException)) as info:
        b2.Network(group).run(1 * ms)
    assert "GSL" in str(info.value) + str(info.value.__cause__)


def test_objects_of_another_device_are_refused(native):
    b2.set_device("runtime")
    group = b2.NeuronGroup(1, "dv/dt = -v / (10*ms) : 1", method="exact")
    b2.set_device("native")
    with pytest.raises((RuntimeError, b2.core.base.BrianObjectException)) as info:
        b2.Network(group).run(1 * ms)
    assert "set_device" in str(info.value) + str(info.value.__cause__)


def test_report_and_profile(native):
    net, _group = counting_network()
    told = []
    net.run(1 * ms, report=lambda *args: told.append(args), report_period=1 * ms, profile=True)
    assert [args[1] for args in (told[0], told[-1])] == [0.0, 1.0]
    assert any("count" in name for name, _ in net.profiling_info)


def test_simulate_watches_and_stops(native):
    net, group = counting_network()
    monitor = b2.StateMonitor(group, "x", record=0)
    net.add(monitor)
    seen = []

    def watch(progress):
        seen.append((round(progress.time, 9), len(monitor.t), group.x[0]))
        return progress.time > 2

    outcome = simulate(net, 1e5, watch, every=0.001)
    assert not outcome.finished and 2 < outcome.time < 1e4
    assert outcome.time == pytest.approx(group.x[0] * 1e-4)
    assert all(round(time * 1e4) == count == x for time, count, x in seen[1:-1])
    assert simulate(net, 0.1).finished


def test_nothing_is_compiled_twice(native):
    def run(value, cells):
        group = b2.NeuronGroup(
            cells, "dv/dt = (a - v) / tau : 1", method="exact", namespace={"a": value, "tau": 5 * ms}
        )
        b2.Network(group).run(1 * ms)
        return group.v[0]

    first = run(1.0, 3)
    before = build.statistics.compiled
    assert run(2.0, 3) == pytest.approx(2 * first)
    assert run(2.0, 700) == pytest.approx(2 * first)
    assert build.statistics.compiled == before


def test_values_of_inputs_are_not_compiled_in(native):
    def run(rate, weight, refractory, values, dt):
        group = b2.NeuronGroup(
            500, "dv/dt = drive(t) / ms - v / (20*ms) : 1 (unless refractory)", threshold="v > 1000", method="exact",
            namespace={"drive": b2.TimedArray(values, dt=dt)}, refractory=refractory,
        )  # fmt: skip
        few = b2.PoissonInput(group, "v", 3, rate, weight=weight)
        many = b2.PoissonInput(group, "v", 1000, rate, weight=weight / 10)
        b2.Network(group, few, many).run(10 * ms)
        return np.mean(group.v)

    b2.seed(1)
    low = run(100 * b2.Hz, 0.1, 2 * ms, np.zeros(5), 1 * ms)
    before = build.statistics.compiled
    high = run(200 * b2.Hz, 0.2, 4 * ms, np.zeros(9), 2 * ms)
    assert build.statistics.compiled == before
    # 30 and 1000 units a second for 10 ms, with a decay of 20 ms
    assert low == pytest.approx(1030 * 0.02 * (1 - np.exp(-0.5)), rel=0.05)
    assert high / low == pytest.approx(4, rel=0.1)


def test_the_documented_closed_loop(native, capsys):
    text = (Path(__file__).parents[2] / "docs" / "native.md").read_text()
    example = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "step(100)" in block)
    exec(compile(example.replace('set_device("native")', ""), "native.md", "exec"), {})
    rate = float(capsys.readouterr().out.split()[0])
    assert abs(rate - 15) < 4
