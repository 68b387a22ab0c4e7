"""Random numbers: Philox with published answers, the right distributions, and the same whoever asks."""

from __future__ import annotations

import gc

import brian2 as b2
import numpy as np
import pytest
from brian2 import Hz, ms
from scipy import stats

from brainsim.native.rewrites import binomial

pytestmark = pytest.mark.compiled


def philox(counter, key):
    """Philox 4x32-10 in numpy, from the paper; counter: four arrays of 32-bit words, key: two words."""
    a, b, c, d = (np.asarray(word, np.uint64) for word in counter)
    k, m = (np.uint64(word) for word in key)
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p, q = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b, c, d = (q >> np.uint64(32)) ^ b ^ k, q & low, (p >> np.uint64(32)) ^ d ^ m, p & low
        k, m = (k + np.uint64(0x9E3779B9)) & low, (m + np.uint64(0xBB67AE85)) & low
    return a, b, c, d


def test_philox_of_this_test_gives_the_published_answers():
    # kat_vectors of Random123
    assert [hex(int(w)) for w in philox([0] * 4, [0] * 2)] == [
        "0x6627e8d5",
        "0xe169c58d",
        "0xbc57ac4c",
        "0x9b00dbd8",
    ]
    ones = 0xFFFFFFFF
    found = [hex(int(w)) for w in philox([ones] * 4, [ones] * 2)]
    assert found == ["0x408f276d", "0x41c83b0e", "0xa20bc7c6", "0x6d5451fd"]


def drawing(cells, code, **kwds):
    group = b2.NeuronGroup(cells, "x : 1\ny : 1\nz : 1", name="cells", **kwds)
    group.run_regularly(code, name="draw")
    return b2.Network(group), group


def key_of(session):
    """The key of the first task: seed and stream, mixed by splitmix64."""
    mixed = (session.random.key ^ session.struct.tasks[0].stream) + 0x9E3779B97F4A7C15 & 2**64 - 1
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) % 2**64
    return mixed ^ (mixed >> 31)


def test_uniform_numbers_are_philox_of_element_draw_and_step(native):
    net, group = drawing(37, "x = rand()\ny = rand()")
    b2.seed(5)
    session = native.prepare(net)
    native.step(3)
    key = key_of(session)
    element = np.arange(37)
    for draw, found in ((0, group.x[:]), (1, group.y[:])):
        counter = [8 * (element // 16) + element % 8, np.full(37, 2 * draw), np.full(37, 2), np.zeros(37, int)]
        words = philox(counter, [key & 0xFFFFFFFF, key >> 32])
        low = np.where(element % 16 < 8, words[0], words[2])
        high = np.where(element % 16 < 8, words[1], words[3])
        expected = ((low | (high << np.uint64(32))) >> np.uint64(12)) * 2.0**-52
        np.testing.assert_array_equal(found, expected)


def test_the_same_numbers_without_vectors(native):
    found = []
    for rewrites in ("all", "none"):
        b2.set_device("native", rewrites=rewrites)
        net, group = drawing(37, "x = rand() + 3*int(randn() > 0)\ny = randn()\nz = rand()")
        b2.seed(5)
        net.run(0.3 * ms)
        found.append(np.array([group.x[:], group.y[:], group.z[:]]))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("name, distribution", [("rand", stats.uniform), ("randn", stats.norm)])
def test_distributions(name, distribution, native):
    net, group = drawing(20000, f"x = {name}()\ny = {name}()")
    b2.seed(7)
    native.prepare(net)
    columns = []
    for _ in range(5):
        native.step()
        columns += [np.array(group.x[:]), np.array(group.y[:])]
    values = np.concatenate(columns)
    assert stats.kstest(values, distribution.cdf).pvalue > 1e-3
    correlation = np.corrcoef(columns) - np.eye(10)
    assert np.abs(correlation).max() < 5 / np.sqrt(20000)
    neighbours = np.corrcoef(columns[0][:-1], columns[0][1:])[0, 1]
    assert abs(neighbours) < 5 / np.sqrt(20000)


@pytest.mark.parametrize("n, rate", [(1000, 20 * Hz), (7, 6000 * Hz), (160, 8 * Hz), (3, 200 * Hz), (1, 5000 * Hz)])
@pytest.mark.parametrize("rewrites", ["all", "none", "-binomial"])
def test_poisson_input_is_binomial(n, rate, rewrites, native):
    b2.set_device("native", rewrites=rewrites)
    group = b2.NeuronGroup(5000, "x : 1")
    drive = b2.PoissonInput(group, "x", n, rate, weight=1)
    b2.seed(3)
    native.prepare(b2.Network(group, drive))
    values = []
    for _ in range(8):
        group.x = 0
        native.step()
        values.append(np.array(group.x[:]))
    counts = np.bincount(np.concatenate(values).astype(int), minlength=n + 1)
    expected = 40000 * stats.binom.pmf(np.arange(n + 1), n, float(rate) * 1e-4)
    wanted = expected > 5
    pooled = np.append(counts[wanted], counts[~wanted].sum()), np.append(expected[wanted], expected[~wanted].sum())
    if pooled[1][-1] < 1e-6:
        pooled = pooled[0][:-1], pooled[1][:-1]
    assert np.sum((pooled[0] - pooled[1]) ** 2 / pooled[1]) < stats.chi2.ppf(0.9995, len(pooled[0]) - 1)


@pytest.mark.usefixtures("as_asked")
def test_numbers_from_a_table_are_those_of_whole_words(native):
    """Half words decide, but for those whose upper eleven bits are a share's: some fifty here."""
    cells = 100003
    group = b2.NeuronGroup(cells, "x : 1")
    drive = b2.PoissonInput(group, "x", 1000, 20 * Hz, weight=1)
    b2.seed(9)
    session = native.prepare(b2.Network(group, drive))
    native.step()
    key, element = key_of(session), np.arange(cells)
    lane = [8 * (element // 64) + element % 32 // 4, *np.zeros((3, cells), int)]
    halves = []
    for draw in (0, 1):
        lane[1] = np.full(cells, draw)
        words = np.array(philox(lane, [key & 0xFFFFFFFF, key >> 32]))
        word = words[2 * (element % 64 // 32) + element % 4 // 2, element].astype(np.int64)
        halves.append(np.where(element % 2 == 1, word >> 16, word & 0xFFFF))
    column, share = halves[0] & 31, (halves[0] >> 5) << 16 | halves[1]
    shares, others = np.array(binomial.table(1000, 0.002)).T
    np.testing.assert_array_equal(group.x[:], np.where(share < shares[column], column, others[column]))
    assert 10 < np.sum(halves[0] >> 5 == shares[column] >> 16) < 200


def test_tables_hold_the_distribution():
    for n, p in ((1000, 0.002), (5, 0.4), (50000, 1e-4), (1, 0.5), (3, 0.0), (20, 1e-7)):
        found = np.zeros(32)
        for column, (share, other) in enumerate(binomial.table(n, p)):
            assert 0 <= share <= 2**27
            found[column] += share / 2.0**32
            found[other] += (2**27 - share) / 2.0**32
        np.testing.assert_allclose(found, stats.binom.pmf(np.arange(32), n, p), atol=4e-10)
        assert found.sum() == 1
        assert binomial.legal(n, p) is None
    assert binomial.legal(100000, 1e-4) is not None
    assert binomial.legal(100000, 0.5) is not None
    assert binomial.legal(100, 0.2) is not None


def test_poisson_numbers_of_a_common_mean(native):
    """From a table for means below 10, made anew when the mean changes, and by rejection above."""
    b2.seed(5)
    group = b2.NeuronGroup(20_000, "x : 1\ny : 1\nz : 1\nmean : 1 (shared)", name="cells")
    group.run_regularly("x = poisson(mean)\ny = poisson(3*mean)\nz = poisson(mean + i*0)", name="draw")
    net = b2.Network(group)
    for mean in (0.2, 1.6, 3.2, 9.9, 0.0):
        group.mean = mean
        net.run(b2.defaultclock.dt)
        for values, expected in ((group.x_, mean), (group.y_, 3 * mean), (group.z_, mean)):
            values = np.array(values)
            if not mean:
                assert not values.any()
                continue
            top = int(stats.poisson.isf(1e-3, expected)) + 1
            seen = np.bincount(np.minimum(values, top).astype(int), minlength=top + 1)
            chances = np.append(stats.poisson.pmf(np.arange(top), expected), stats.poisson.sf(top - 1, expected))
            assert stats.chisquare(seen, chances * len(values)).pvalue > 1e-4, (mean, expected)
        if mean:
            assert abs(np.corrcoef(group.x_, group.y_)[0, 1]) < 0.04 and not np.array_equal(group.x_, group.z_)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_poisson_numbers_in_vectors_are_those_one_by_one(dtype, native):
    """Rare numbers too, large means, and groups that share the code and have means of their own."""

    def run(rewrites):
        b2.set_device("native", rewrites=rewrites)
        means = [0.0, 0.01, 1.6, 2.3, 9.9, 10.0, 25.0, *np.linspace(0.1, 9, 14)]
        groups = []
        for number, mean in enumerate(means):
            group = b2.NeuronGroup(75, "x : 1\nk : integer\nmean : 1 (shared)", name=f"cells_of_{number}")
            group.mean = mean / 2
            group.run_regularly("x = x/2 + 0.3*poisson(2*mean)\nk = int(x)", name=f"code_of_{number}")
            groups.append(group)
        b2.seed(2)
        b2.Network(groups).run(6 * ms)
        assert ("\n       vectors\n" in native.explain()) == (rewrites == "all")
        return np.array([[group.x[:], group.k[:]] for group in groups])

    b2.prefs.core.default_float_dtype = dtype
    try:
        found = run("all")
        np.testing.assert_array_equal(found, run("-vectors"))
        np.testing.assert_allclose(found[:, 0].mean(axis=1) / 0.6, [*[0, 0.01, 1.6, 2.3, 9.9, 10, 25],
                                   *np.linspace(0.1, 9, 14)], atol=0.8)  # fmt: skip
    finally:
        b2.prefs.core.default_float_dtype = np.float64


def test_numbers_of_resets_belong_to_cells(native):
    def run(rewrites):
        b2.set_device("native", rewrites=rewrites)
        group = b2.NeuronGroup(100, "x : 1\ny : 1", threshold="x > 0.5", reset="y += exp(-x) + rand()", name="cells")
        group.x = np.random.default_rng(0).random(100)
        b2.seed(3)
        b2.Network(group).run(0.3 * ms)
        return np.array(group.y[:])

    np.testing.assert_allclose(run("all"), run("none"), rtol=1e-15)


def test_poisson_numbers_are_drawn_one_by_one_where_there_are_several(native):
    group = b2.NeuronGroup(20, "x : 1\nmean : 1 (shared)", name="cells")
    group.run_regularly("x = poisson(3*mean)\nx -= poisson(2*mean)", name="code")
    b2.Network(group).run(0.1 * ms)
    assert "vectors not: it draws Poisson numbers twice" in native.explain()


def test_streams_belong_to_names_and_seeds(native):
    b2.seed(1)
    values = {}
    for case, name, seed in (("a", "one", 1), ("b", "one", 1), ("c", "two", 1), ("d", "one", 2)):
        group = b2.NeuronGroup(50, "x : 1", name=name)
        group.run_regularly("x = rand()", name=f"{name}_draw")
        b2.seed(seed)
        b2.Network(group).run(0.1 * ms)
        values[case] = np.array(group.x[:])
        del group
    np.testing.assert_array_equal(values["a"], values["b"])
    assert not np.intersect1d(values["a"], values["c"]).size
    assert not np.intersect1d(values["a"], values["d"]).size


def test_what_else_is_alive_does_not_change_what_is_drawn(native):
    """Brian2 numbers objects without a name by what is free: here the second has the lower number."""
    found, names = [], []
    for another in (False, True):
        spare = b2.NeuronGroup(1, "x : 1") if another else None
        groups = [b2.NeuronGroup(50, "x : 1")]
        del spare
        gc.collect()
        groups.append(b2.NeuronGroup(50, "x : 1"))
        for group in groups:
            group.run_regularly("x = rand()")
        b2.seed(1)
        b2.Network(groups).run(0.1 * ms)
        names.append([group.name for group in groups])
        found.append([np.array(group.x[:]) for group in groups])
        del groups, group
        gc.collect()
    assert names[1] > names[1][::-1], "numbers are given otherwise than this test thinks"
    np.testing.assert_array_equal(*found)
    assert not np.intersect1d(*found[0]).size


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
