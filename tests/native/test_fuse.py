"""State update and threshold in one loop, and refractory cells in a queue: the same results, where it is legal."""

from __future__ import annotations

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms

pytestmark = [pytest.mark.compiled, pytest.mark.usefixtures("as_asked", "one_thread")]
EQUATIONS = """dv/dt = (drive - v + 0.3 * g) / (10*ms) : 1 (unless refractory)
dg/dt = -g / (4*ms) : 1
drive : 1
own : second
ref : second (shared)"""
#: name: (what the group is made with, what else happens, whether loops are joined, whether cells stand in a queue)
CASES = {
    "fixed": ({"refractory": 2 * ms}, "", True, True),
    "longer than the run": ({"refractory": 90 * ms}, "", True, True),
    "none": ({"refractory": False}, "", True, False),
    "shared": ({"refractory": "ref"}, "ref changes", True, True),
    "own": ({"refractory": "own"}, "", False, False),
    "condition": ({"refractory": "v > 0.8"}, "", True, False),
    "lastspike written": ({"refractory": 2 * ms}, "lastspike", True, False),
    "not_refractory written": ({"refractory": 2 * ms}, "not_refractory", True, False),
    "python": ({"refractory": 2 * ms}, "operation", True, True),
    "between": ({"refractory": 2 * ms}, "between", False, False),
    "between others": ({"refractory": 2 * ms}, "between others", True, True),
    "linked": ({"refractory": 2 * ms, "threshold": "v > 1 + x"}, "linked", False, False),
    "events": ({"refractory": 2 * ms, "events": {"high": "v > 0.9"}}, "event", True, True),
}


def network(case, cells=75):
    keywords, more, _, _ = CASES[case]
    b2.defaultclock.dt = 0.1 * ms
    keywords = {"threshold": "v > 1", **{name: dict(v) if isinstance(v, dict) else v for name, v in keywords.items()}}
    equations = EQUATIONS + ("\nx : 1 (linked)" if more == "linked" else "")
    group = b2.NeuronGroup(cells, equations, reset="v = 0; g += 0.1", method="euler", name="cells", **keywords)
    rng = np.random.default_rng(1)
    group.v, group.drive = rng.random(cells), 0.9 + rng.random(cells)
    group.own, group.ref = rng.random(cells) * 4 * ms, 1.5 * ms
    synapses = b2.Synapses(group, group, on_pre="g_post += 0.4; v_post += 0.01", name="synapses")
    synapses.connect(i=rng.integers(0, cells, 300), j=rng.integers(0, cells, 300))
    spikes = b2.SpikeMonitor(group, name="spikes")
    objects = [group, synapses, spikes]
    if more == "ref changes":
        group.run_regularly("ref = 1*ms + 2*ms * int(t > 5*ms)", dt=1 * ms)
    elif more == "lastspike":
        group.run_regularly("lastspike = lastspike - 0.3*ms * int(i == 3)", dt=1 * ms)
    elif more == "not_refractory":
        group.run_regularly("not_refractory = not_refractory or i < 10", when="resets", order=1)
    elif more == "between":
        group.run_regularly("v = clip(v, 0, 1.5)", when="thresholds", order=-1, dt=0.2 * ms)
    elif more == "between others":
        other = b2.NeuronGroup(9, "dx/dt = (2 - x) / (3*ms) : 1", threshold="x > 1", reset="x = 0", method="euler",
                               name="other")  # fmt: skip
        objects += [other, b2.SpikeMonitor(other)]
    elif more == "linked":
        later = b2.NeuronGroup(1, "dx/dt = (0.1 - x) / (3*ms) : 1", method="euler", name="later")
        group.x = b2.linked_var(later, "x")
        objects.append(later)
    elif more == "event":
        group.run_on_event("high", "g *= 0.9")
    if more == "operation":

        @b2.network_operation(dt=1.7 * ms)
        def change():
            group.lastspike[2:5] = b2.defaultclock.t - 1 * ms
            group.lastspike[7] = -1 * b2.second

        objects.append(change)
    return b2.Network(*objects), group, spikes


def results(case):
    net, group, spikes = network(case)
    net.run(7.3 * ms)
    if "lastspike" in group.variables:
        group.lastspike[5:9] = net.t - 0.5 * ms
    group.v[5] = 3
    net.run(6 * ms)
    found = {name: np.array(group.state(name)) for name in ("v", "g", "lastspike", "not_refractory")
             if name in group.variables}  # fmt: skip
    assert spikes.num_spikes > 50
    return {**found, "i": np.array(spikes.i), "t": np.array(spikes.t_)}


@pytest.mark.parametrize("case", CASES)
def test_results_are_those_of_numpy(case, native, on_numpy):
    expected = on_numpy(results, case)
    _, _, fused, released = CASES[case]
    for rewrites in ("all", "-fuse" if fused else "none", *(["-release"] if released else [])):
        b2.set_device("native", rewrites=rewrites)
        for name, values in results(case).items():
            np.testing.assert_array_equal(values, expected[name], err_msg=f"{name}, {rewrites}")
        text = native.explain()
        assert ("\n       fuse\n" in text) == (fused and rewrites != "-fuse")
        assert ("\n       release\n" in text) == (released and rewrites == "all")
        if case == "linked" and rewrites == "all":
            assert "fuse not: 'later_stateupdater' comes between state update and threshold" in text


@pytest.mark.parametrize("case", ["fixed", "shared"])
def test_float32_and_steps_of_any_number(case, native):
    """Sixteen cells at a time or eight; refractory cells after calls of one step and of many."""
    b2.prefs.core.default_float_dtype = np.float32
    try:
        found = []
        for rewrites, counts in (("-fuse", [133]), ("all", [133]), ("all", [1, 1, 60, 1, 2, 3, 1, 64])):
            b2.set_device("native", rewrites=rewrites)
            net, group, spikes = network(case)
            native.prepare(net)
            for count in counts:
                native.step(count)
            found.append([np.array(values) for values in (spikes.i, spikes.t_, group.v, group.not_refractory)])
        for one, *others in zip(*found, strict=True):
            for other in others:
                np.testing.assert_array_equal(one, other)
    finally:
        b2.prefs.core.default_float_dtype = np.float64


def test_a_profile_has_the_time_of_each_object(native):
    net, *_ = network("fixed")
    net.run(1 * ms, profile=True)
    names = [name for name, _ in net.profiling_info]
    for part in ("stateupdater", "spike_thresholder", "spike_resetter"):
        assert any(name.endswith(part) for name in names), names
    assert "fuse not: the time of each object is measured" in native.explain()
    net.run(1 * ms)
    assert "\n       fuse\n" in native.explain()


def test_store_and_restore(native):
    net, group, spikes = network("fixed")
    net.run(3 * ms)
    net.store()
    seen = []
    for _ in range(2):
        net.run(5 * ms)
        seen.append((np.array(spikes.i), np.array(group.v), np.array(group.not_refractory)))
        net.restore()
    for one, other in zip(*seen, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_threshold_may_draw_and_noise_stays_the_same(native):
    found = []
    for rewrites in ("all", "-fuse"):
        b2.set_device("native", rewrites=rewrites)
        noisy = b2.NeuronGroup(50, "dv/dt = xi * ms**-0.5 : 1", threshold="v > 1", reset="v = 0", method="euler",
                               name="noisy")  # fmt: skip
        poisson = b2.PoissonGroup(50, 500 * b2.Hz, name="poisson")
        drawn = b2.NeuronGroup(50, "dv/dt = 1 / ms : 1", threshold="v > rand()", reset="v = 0", method="euler",
                               name="drawn")  # fmt: skip
        monitors = [b2.SpikeMonitor(group) for group in (noisy, poisson, drawn)]
        b2.seed(2)
        b2.Network(noisy, poisson, drawn, *monitors).run(5 * ms)
        found.append([np.array(monitor.i) for monitor in monitors])
        if rewrites == "all":
            assert native.explain().count("\n       fuse\n") == 1
            assert "fuse not: the threshold draws random numbers" in native.explain()
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
        assert len(one) > 10


def test_replicas_have_queues_of_their_own(native):
    drives = 1.1 + np.random.default_rng(1).random(70)
    group = b2.NeuronGroup(
        70, "dv/dt = (drive - v) / (5*ms) : 1 (unless refractory)\ndrive : 1", threshold="v > 1", reset="v = 0",
        refractory=2 * ms, method="exact", name="cells",
    )  # fmt: skip
    group.drive = drives
    net = b2.Network(group)
    replicas = native.replicas(net, [1, 2])
    assert "\n       release\n" in native.explain()
    replicas[1].array(group, "drive")[:] += 0.5
    for count in (1, 40, 3, 60):
        replicas.step(count)
    found = [np.array(replica.array(group, "v")) for replica in replicas]
    for more, values in zip((0, 0.5), found, strict=True):
        group.v, group.drive, group.lastspike, group.not_refractory = 0, drives + more, -1e4 * b2.second, True
        native.prepare(net)
        native.step(104)
        np.testing.assert_array_equal(values, group.v[:])
