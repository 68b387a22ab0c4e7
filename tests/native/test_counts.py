"""Spikes that all bring the same are counted: the same results with it and without, and as numpy has them."""

from __future__ import annotations

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms

from brainsim.native import threads

pytestmark = [pytest.mark.compiled, pytest.mark.usefixtures("as_asked")]

CELLS = 700  # one whole piece of 512, and a rest that is no multiple of 8
CASES = {
    "dense": {},
    "sparse": {"density": 0.02, "every": 2},
    "delays": {"delays": True},
    "many at once": {"delays": True, "sources": 600, "every": 3, "code": "v_post += 0.02"},
    "all at once": {"sources": 600, "every": 1, "code": "v_post += 0.01"},  # more than a byte can count
    "subgroup": {"low": 65},
    "backwards": {"on_post": True},
    "two variables": {"code": "v_post -= 0.75\nu_post += 0.1 * c"},
    "equal weights": {"code": "v_post += w * 0.3 - c"},
    "equal weights, delays": {"code": "v_post += w * 0.3 - c", "delays": True},
    "shared": {"code": "v_post += c * 0.3 - 1"},
}


def run(density=0.2, delays=False, sources=150, every=20, low=0, on_post=False, code="v_post += 0.3", dtype=np.float64):
    """Counts depend on spikes, spikes on nothing, refractoriness on who has spiked."""
    rng = np.random.default_rng(1)
    b2.prefs.core.default_float_dtype = dtype
    try:
        times = np.sort(rng.permutation(np.resize(np.arange(40), sources * 40 // every)))
        cells = np.concatenate([rng.permutation(sources)[: np.sum(times == t)] for t in range(40)])
        source = b2.SpikeGeneratorGroup(sources, cells, (times + 1) * 0.1 * ms)
        target = b2.NeuronGroup(
            CELLS + low, "dv/dt = -v / (20*ms) : 1 (unless refractory)\nu : 1",
            threshold="v > 3 or v < -3", reset="v = 0", refractory=0.5 * ms, method="exact",
        )  # fmt: skip
        pre, post = np.nonzero(rng.random((sources, CELLS)) < density)
        if on_post:  # the same, seen from the other side
            synapses = b2.Synapses(target[low:], source, "c : 1 (shared)\nw : 1", on_post=code.replace("_post", "_pre"))
            synapses.connect(i=post, j=pre)
            pathway = synapses.post
        else:
            synapses = b2.Synapses(source, target[low:], "c : 1 (shared)\nw : 1", on_pre=code)
            synapses.connect(i=pre, j=post)
            pathway = synapses.pre
        synapses.c, synapses.w = 0.25, 1.75
        pathway.delay = rng.integers(0, 9, len(pre)) * 0.1 * ms if delays else 0.2 * ms
        spikes = b2.SpikeMonitor(target)
        b2.Network(source, target, synapses, spikes).run(5 * ms)
        return np.array(target.v), np.array(target.u), np.array(spikes.i), np.array(spikes.t)
    finally:
        b2.prefs.core.default_float_dtype = np.float64


def noted(device, name):
    """What explain() says about a rewrite of the synapses: a reason not to take it, or ''."""
    return [line.strip().partition(" not: ")[2] for line in device.explain().split("\n") if line.split()[:1] == [name]]


@pytest.mark.parametrize("name", CASES)
def test_counts_change_nothing_but_last_bits(name, native, on_numpy):
    expected = on_numpy(run, **CASES[name])
    assert len(expected[2]) > 300
    found = {}
    for chosen in ("all", "-bitmaps", "-carried", "-counts", "exact"):
        b2.set_device("native", rewrites=chosen)
        found[chosen] = run(**CASES[name])
        wanted = "switched off" if chosen in ("-counts", "exact") else ""
        assert noted(native, "counts") == [wanted]
    for values in zip(expected, *found.values(), strict=True):
        for its in values[1:]:
            np.testing.assert_allclose(its, values[0], rtol=1e-13, atol=1e-13)
    for chosen, other in (("all", "-bitmaps"), ("all", "-carried"), ("-counts", "exact")):
        for values in zip(found[chosen], found[other], strict=True):
            np.testing.assert_array_equal(*values)
    for values in zip(found["exact"], expected, strict=True):
        np.testing.assert_array_equal(*values)


@pytest.mark.parametrize("name", ["dense", "sparse", "delays", "subgroup"])
def test_each_thread_counts_for_its_own_cells(name, native, monkeypatch):
    monkeypatch.setattr(threads, "PIECE", 8)
    found = []
    for number in (1, 3):
        b2.set_device("native", threads=number)
        found.append(run(**CASES[name]))
    assert native.explain().count("\n       threads, each") == 3
    assert noted(native, "counts") == [""]
    for values in zip(*found, strict=True):
        np.testing.assert_array_equal(*values)


@pytest.mark.parametrize("name", ["dense", "sparse", "two variables"])
def test_counts_in_float32(name, native):
    found = []
    for chosen in ("all", "-counts"):
        b2.set_device("native", rewrites=chosen)
        found.append(run(**CASES[name], dtype=np.float32))
    assert found[0][0].dtype == np.float32
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found[0][2], found[1][2])
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("one_thread")
def test_what_is_taken_where(native):
    few, parts = "a spike reaches few of the cells at a time", "spikes reach them in few parts"
    for case, bitmaps, carried in (("dense", "", parts), ("sparse", few, parts), ("delays", few, "")):
        run(**CASES[case])
        assert (noted(native, "bitmaps"), noted(native, "carried")) == ([bitmaps], [carried])


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("chosen", ["all", "-carried"])
def test_spikes_on_their_way_are_stored_restored_and_run_on(chosen, native):
    """What spikes carry is not stored: after restore, and after other delays, cells are read from lists."""
    b2.set_device("native", rewrites=chosen)
    rng = np.random.default_rng(2)
    source = b2.SpikeGeneratorGroup(200, np.tile(np.arange(200), 6), np.repeat(np.arange(6), 200) * 0.5 * ms)
    target = b2.NeuronGroup(CELLS, "v : 1")
    synapses = b2.Synapses(source, target, on_pre="v_post += 0.25")
    pre, post = np.nonzero(rng.random((200, CELLS)) < 0.2)
    synapses.connect(i=pre, j=post)
    steps = rng.integers(0, 12, len(pre))
    synapses.delay = steps * 0.1 * ms
    net = b2.Network(source, target, synapses)

    def expected(now):  # spikes of every fifth step that have arrived before this one
        arrived = np.sum(steps[:, np.newaxis] + 5 * np.arange(6) < now, axis=1)
        return 0.25 * np.bincount(post, weights=arrived, minlength=CELLS)

    net.run(1.3 * ms)
    np.testing.assert_array_equal(target.v[:], expected(13))
    net.store()
    for _ in range(2):
        net.run(0.4 * ms)
        net.run(0.6 * ms)
        np.testing.assert_array_equal(target.v[:], expected(23))
        net.restore()
    assert noted(native, "carried") == ["" if chosen == "all" else "switched off"]
    net.run(0.8 * ms)
    before = target.v[:].copy()
    np.testing.assert_array_equal(before, expected(21))
    synapses.delay = 0.2 * ms  # spikes on their way keep the delay that they were sent with
    net.run(3 * ms)
    np.testing.assert_array_equal(target.v[:], expected(100))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("v_post += w", "what it adds to 'v_post' is not the same for all synapses"),
        ("v_post += rand()", "what it adds to 'v_post' is not the same for all synapses"),
        ("v_post += 1; v_post *= 2", "it does more than to add"),
        ("v_post = 2", "it does more than to add"),
        ("v_post += 1; w += 1", "it does more than to add"),
        ("n_post += 1", "'n_post' is a whole number"),
        ("v_pre += 1", "it does more than to add"),
    ],
)
def test_where_counting_is_not_legal(code, reason, native):
    rng = np.random.default_rng(1)
    source = b2.NeuronGroup(CELLS, "v : 1", threshold="v > 9")
    target = b2.NeuronGroup(CELLS, "v : 1\nn : integer")
    synapses = b2.Synapses(source, target, "w : 1", on_pre=code)
    pre, post = np.nonzero(rng.random((CELLS, CELLS)) < 0.05)
    synapses.connect(i=pre, j=post)
    synapses.w = rng.random(len(pre))
    native.prepare(b2.Network(source, target, synapses))
    (noted_reason,) = noted(native, "counts")
    assert reason in noted_reason


@pytest.mark.parametrize(("twice", "cells"), [(True, CELLS), (False, 300)])
def test_where_counting_is_not_taken(twice, cells, native):
    source = b2.SpikeGeneratorGroup(4, [0, 1, 0], [0, 1, 2] * ms)
    target = b2.NeuronGroup(cells, "v : 1")
    synapses = b2.Synapses(source, target, on_pre="v_post += 1")
    post = np.sort(np.append(np.arange(0, cells, 2), [10] * twice)).astype(int)
    synapses.connect(i=np.repeat(np.arange(4), len(post)), j=np.tile(post, 4))
    net = b2.Network(source, target, synapses)
    net.run(3 * ms)
    (reason,) = noted(native, "counts")
    assert reason == ("a spike may reach the same cell twice at a time" if twice else "there are few cells")
    expected = np.zeros(cells)
    np.add.at(expected, post, 3)
    np.testing.assert_array_equal(target.v[:], expected)


def test_synapses_that_are_added_while_spikes_are_on_their_way(native):
    """Those on their way are then listed one by one, and are counted from lists."""
    source = b2.SpikeGeneratorGroup(4, [0, 1, 2], [0, 0, 1] * ms)
    target = b2.NeuronGroup(CELLS, "v : 1")
    synapses = b2.Synapses(source, target, on_pre="v_post += 0.25")
    synapses.connect(i=np.repeat([0, 1, 2], CELLS // 2), j=np.tile(np.arange(CELLS // 2), 3))
    synapses.pre.delay = 0.5 * ms
    net = b2.Network(source, target, synapses)
    net.run(0.3 * ms)
    synapses.connect(i=np.repeat([0, 1, 2], 99), j=np.tile(np.arange(CELLS - 99, CELLS), 3))
    synapses.pre.delay = 0.5 * ms
    net.run(1.5 * ms)
    assert noted(native, "bitmaps") == [""]
    expected = np.zeros(CELLS)
    expected[: CELLS // 2] = 0.75
    expected[-99:] = 0.25
    np.testing.assert_array_equal(target.v[:], expected)


def test_a_shared_value_may_be_changed_at_any_time(native):
    source = b2.SpikeGeneratorGroup(1, [0, 0, 0], [0, 1, 2] * ms)
    target = b2.NeuronGroup(CELLS, "v : 1")
    synapses = b2.Synapses(source, target, "c : 1 (shared)\nw : 1", on_pre="v_post += c")
    synapses.connect(i=np.zeros(CELLS // 2, int), j=np.arange(0, CELLS, 2))
    net = b2.Network(source, target, synapses)
    native.prepare(net)
    assert noted(native, "counts") == [""]
    for value in (1.5, -0.25, 8):
        synapses.c = value
        native.step(10)
    np.testing.assert_array_equal(target.v[::2], 9.25)
    np.testing.assert_array_equal(target.v[1::2], 0)


@pytest.mark.parametrize("delays", [False, True])
def test_weights_that_are_equal_and_then_differ(delays, native):
    """As long as they are equal, spikes are counted; each way gives what was written, at once."""
    source = b2.SpikeGeneratorGroup(2, [0, 1] * 5, np.repeat(np.arange(5), 2) * ms)
    target = b2.NeuronGroup(CELLS, "v : 1")
    synapses = b2.Synapses(source, target, "w : 1", on_pre="v_post += w")
    pre, post = np.divmod(np.arange(2 * CELLS), CELLS)
    used = np.random.default_rng(3).random(2 * CELLS) < 0.5
    synapses.connect(i=pre[used], j=post[used])
    synapses.delay = (np.arange(len(synapses)) % 4 if delays else 2) * 0.1 * ms
    synapses.w = 2
    net = b2.Network(source, target, synapses)
    native.prepare(net)
    assert noted(native, "counts") == [""]
    queue, expected = synapses.pre.queue, np.zeros(CELLS)
    for number, weights in enumerate([2, np.arange(len(synapses)) % 7, 3, 3, 0.5]):
        synapses.w = weights
        if number == 3:  # somebody may write at any time now
            native.array(synapses, "w")[:] = np.arange(len(synapses)) % 5
        native.step(10)
        assert queue.struct.uneven == int(number == 1 or number >= 3)
        expected += np.bincount(synapses.j[:], weights=synapses.w[:], minlength=CELLS)
        np.testing.assert_array_equal(target.v[:], expected)


@pytest.mark.parametrize("user", ["summed", "regularly", "on_post"])
def test_weights_that_other_code_writes_are_not_equal_for_sure(user, native):
    equations = "w : 1\ntotal_post = w : 1 (summed)" if user == "summed" else "w : 1"
    source = b2.NeuronGroup(CELLS, "v : 1", threshold="v > 9")
    target = b2.NeuronGroup(CELLS, "v : 1\ntotal : 1", threshold="v > 9")
    learning = {"on_post": "w += 1"} if user == "on_post" else {}
    synapses = b2.Synapses(source, target, equations, on_pre="v_post += w", **learning)
    pre, post = np.nonzero(np.random.default_rng(1).random((CELLS, CELLS)) < 0.05)
    synapses.connect(i=pre, j=post)
    if user == "regularly":
        synapses.run_regularly("w *= 0.5")
    native.prepare(b2.Network(source, target, synapses))
    read_only = user == "summed"
    assert noted(native, "counts")[0] == (
        "" if read_only else "what it adds to 'v_post' is not the same for all synapses"
    )
