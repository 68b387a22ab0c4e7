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
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.perf_counter()
    try:
        if kindly:
            net.run(1e6 * b2.second)
        else:
            with pytest.raises(KeyboardInterrupt):
                net.run(1e6 * b2.second)
    finally:
        b2.prefs.core.stop_on_keyboard_interrupt = True
        timer.join()
    assert time.perf_counter() - start < 20
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


def test_seed(native):
    def draw(seed):
        b2.seed(seed)
        group = b2.NeuronGroup(5, "dv/dt = xi * ms**-0.5 : 1", method="euler")
        group.v = "rand()"
        b2.Network(group).run(2 * ms)
        return np.array(group.v)

    np.testing.assert_array_equal(draw(3), draw(3))
    assert not np.array_equal(draw(3), draw(4))
    assert not np.array_equal(draw(None), draw(None))


def test_random_numbers_have_the_right_distribution(native):
    b2.seed(1)
    group = b2.NeuronGroup(20000, "a : 1\nb : 1\nc : 1")
    group.run_regularly("a = rand(); b = randn(); c = poisson(3)")
    b2.Network(group).run(0.1 * ms)
    assert abs(np.mean(group.a) - 0.5) < 0.01 and abs(np.var(group.a) - 1 / 12) < 0.003
    assert abs(np.mean(group.b)) < 0.03 and abs(np.var(group.b) - 1) < 0.04
    assert abs(np.mean(group.c) - 3) < 0.06 and abs(np.var(group.c) - 3) < 0.15


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


@pytest.mark.parametrize(("n", "p"), [(3, 0.02), (10, 0.7), (1, 1.0), (5, 0.0), (40, 0.5), (2000, 0.01)])
@pytest.mark.parametrize("approximate", [True, False])
def test_binomial_numbers(native, n, p, approximate):
    b2.seed(2)
    draw = b2.BinomialFunction(n, p, approximate=approximate)
    group = b2.NeuronGroup(20000, "x : 1", namespace={"draw": draw})
    group.run_regularly("x = draw()")
    b2.Network(group).run(0.1 * ms)
    deviation = np.sqrt(n * p * (1 - p))
    assert abs(np.mean(group.x) - n * p) <= 5 * deviation / np.sqrt(20000)
    assert np.std(group.x) == pytest.approx(deviation, rel=0.1, abs=1e-12)


def test_timed_arrays_are_those_of_numpy(native, on_numpy):
    def run():
        flat = b2.TimedArray(np.arange(7.0), dt=0.3 * ms)
        wide = b2.TimedArray(np.arange(21.0).reshape(7, 3), dt=0.17 * ms)
        group = b2.NeuronGroup(3, "x = flat(t) : 1\ny = wide(t, i) : 1", namespace={"flat": flat, "wide": wide})
        monitor = b2.StateMonitor(group, ["x", "y"], record=True)
        b2.Network(group, monitor).run(3 * ms)
        return np.array(monitor.x), np.array(monitor.y)

    for found, expected in zip(run(), on_numpy(run), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_two_half_runs_are_one_whole_run(native):
    def run(parts):
        b2.seed(5)
        group = b2.NeuronGroup(
            20, "dv/dt = -v / (10*ms) + 0.4 * xi * ms**-0.5 : 1", threshold="v > 1", reset="v = 0", method="euler"
        )
        synapses = b2.Synapses(group, group, on_pre="v += 0.1 * rand()", delay=1.5 * ms)
        synapses.connect(condition="i != j")
        net = b2.Network(group, synapses)
        for part in parts:
            net.run(part * ms)
        return np.array(group.v)

    np.testing.assert_array_equal(run([20]), run([7, 0, 13]))


def test_the_documented_closed_loop(native, capsys):
    text = (Path(__file__).parents[2] / "docs" / "native.md").read_text()
    example = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "step(100)" in block)
    exec(compile(example.replace('set_device("native")', ""), "native.md", "exec"), {})
    rate = float(capsys.readouterr().out.split()[0])
    assert abs(rate - 15) < 4


def test_float32(native, on_numpy):
    def run():
        b2.prefs.core.default_float_dtype = np.float32
        try:
            group = b2.NeuronGroup(
                10, "dv/dt = (1.5 - v) / (10*ms) : 1 (unless refractory)", threshold="v > 1", reset="v = 0",
                refractory=2 * ms, method="exact",
            )  # fmt: skip
            monitor = b2.StateMonitor(group, "v", record=[3])
            spikes = b2.SpikeMonitor(group)
            group.v = "0.1 * i"
            synapses = b2.Synapses(group, group, "w : 1", on_pre="v += w")
            synapses.connect(condition="i != j")
            synapses.w = 0.01
            synapses.delay = "1*ms + 0.1*ms*j"
            b2.Network(group, monitor, spikes, synapses).run(50 * ms)
            assert group.v.dtype == np.float32
            return np.array(monitor.v), np.array(spikes.i)
        finally:
            b2.prefs.core.default_float_dtype = np.float64

    for found, expected in zip(run(), on_numpy(run), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_gap_junctions_and_shared_variables(native, on_numpy):
    def run():
        group = b2.NeuronGroup(
            12, "dv/dt = (1.2 + 0.1 * i / N - v + gap) / (10*ms) : 1\ngap : 1\ntotal : 1 (shared)", threshold="v > 1",
            reset="v = 0", method="euler",
        )  # fmt: skip
        gaps = b2.Synapses(group, group, "w : 1\ngap_post = w * (v_pre - v_post) : 1 (summed)")
        gaps.connect(condition="abs(i - j) == 1")
        gaps.w = 0.2
        group.run_regularly("total = total + 1", dt=1 * ms)
        counts = b2.Synapses(group, group, "n : 1 (shared)", on_pre="v_post -= 0.001")
        counts.connect(j="i")
        spikes = b2.SpikeMonitor(group)
        b2.Network(group, gaps, counts, spikes).run(60 * ms)
        return (
            np.array(spikes.i),
            np.array(spikes.t_),
            np.array(group.v),
            np.array(group.variables["total"].get_value()),
        )

    for found, expected in zip(run(), on_numpy(run), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_functions_without_cpp_are_run_by_numpy(native, on_numpy):
    @b2.check_units(x=1, result=1)
    def bend(x):
        return np.minimum(x, 0.4)

    def run():
        group = b2.NeuronGroup(
            9, "dv/dt = (1.3 - v + bend(v)) / (10*ms) : 1", threshold="v > 1", reset="v = 0.1 * bend(v)",
            method="euler", namespace={"bend": bend},
        )  # fmt: skip
        group.v = "0.1 * i"
        synapses = b2.Synapses(group, group, "w : 1", on_pre="v_post += w * bend(i / 10.0)", namespace={"bend": bend})
        synapses.connect(condition="i != j")
        synapses.w = 0.02
        synapses.delay = "0.1*ms * (i + j)"
        spikes = b2.SpikeMonitor(group)
        net = b2.Network(group, synapses, spikes)
        net.run(30 * ms)
        net.run(10 * ms)
        return np.array(spikes.i), np.array(group.v)

    for found, expected in zip(run(), on_numpy(run), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert "Python" in native.explain()


def test_code_object_class_chosen_by_the_user(native, on_numpy):
    def run():
        group = b2.NeuronGroup(6, "dv/dt = 1.1 / (10*ms) : 1", threshold="v > 1", reset="v = 0", method="euler")
        group.v = "0.15 * i"
        synapses = b2.Synapses(group, group, on_pre="v_post += 0.01", codeobj_class=b2.NumpyCodeObject)
        synapses.connect()
        synapses.delay = "0.2*ms * j"
        monitor = b2.StateMonitor(group, "v", record=True, codeobj_class=b2.NumpyCodeObject)
        b2.Network(group, synapses, monitor).run(30 * ms)
        return (np.array(monitor.v),)

    for found, expected in zip(run(), on_numpy(run), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_half_a_run_a_file_and_the_other_half_are_one_run(native, tmp_path):
    def network():
        group = b2.NeuronGroup(
            30, "dv/dt = -v / (10*ms) + 0.4 * xi * ms**-0.5 : 1", threshold="v > 1", reset="v = 0", method="euler",
            name="cells",
        )  # fmt: skip
        synapses = b2.Synapses(
            group, group, "w : 1\nda/dt = -a / (5*ms) : 1 (event-driven)",
            on_pre="v_post += w * rand(); a += 1; w += 0.001 * a",
            name="synapses",
        )  # fmt: skip
        synapses.connect(condition="i != j")
        synapses.delay = "0.1*ms * (1 + (i + 3*j) % 40)"
        synapses.w = 0.05
        spikes = b2.SpikeMonitor(group, name="spikes")
        return b2.Network(group, synapses, spikes, name="net")

    def results(net):
        return [np.array(a) for a in (net["spikes"].t_, net["spikes"].i, net["cells"].v, net["synapses"].w)]

    b2.seed(7)
    net = network()
    net.run(40 * ms)
    whole = results(net)
    del net
    gc.collect()

    b2.seed(7)
    net = network()
    net.run(20 * ms)
    net.store(filename=str(tmp_path / "state"))
    del net
    gc.collect()

    b2.seed(8)
    net = network()
    net.restore(filename=str(tmp_path / "state"), restore_random_state=True)
    net.run(20 * ms)
    assert len(whole[0]) > 50
    for found, expected in zip(results(net), whole, strict=True):
        np.testing.assert_array_equal(found, expected)
