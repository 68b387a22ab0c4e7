"""Rules of connection: who gets connected, how often, and the same however it is asked."""

from __future__ import annotations

import inspect
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from brainsim import connect
from brainsim.connect import pairs, positions
from brainsim.errors import FitError
from brainsim.seeds import stream
from brainsim.units import parse as quantity


def rng(seed: int = 1) -> np.random.Generator:
    return stream(seed, "test")


LINE = positions({"line": 1.0}, 30)
OPTIONS = {
    "all": {},
    "one_to_one": {},
    "p": {"p": 0.3},
    "in_degree": {"in_degree": 7},
    "out_degree": {"out_degree": 7},
    "number": {"number": 200},
    "distance": {"source_positions": LINE, "target_positions": LINE, "p": 0.7, "distance": 0.4},
    "matrix": {"source": [5, 0, 0, 2], "target": [1, 9, 3, 2]},
}


@pytest.mark.parametrize("rule", connect.RULES)
def test_pairs_are_sorted_int32_and_in_range(rule):
    i, j = pairs(rule, 30, 30, rng(), **OPTIONS[rule])
    assert i.dtype == j.dtype == np.int32
    assert len(i) == len(j) > 0
    np.testing.assert_array_equal(np.lexsort((j, i)), np.arange(len(i)))
    assert i.min() >= 0 and j.min() >= 0 and i.max() < 30 and j.max() < 30
    assert len(set(zip(i.tolist(), j.tolist(), strict=True))) == len(i), "no pair twice"


@pytest.mark.parametrize("rule", connect.RULES)
def test_called_directly_the_result_is_the_same(rule):
    for offset in (None, 0):
        function, arguments = connect.call(rule, autapses=False, offset=offset, **OPTIONS[rule])
        direct = function(30, 30, rng(), **arguments)
        through = pairs(rule, 30, 30, rng(), autapses=False, offset=offset, **OPTIONS[rule])
        np.testing.assert_array_equal(direct, through)


@pytest.mark.parametrize("rule", connect.RULES)
def test_the_functions_stand_alone(rule):
    """Scripts print the source of one function: numpy must be all it needs."""
    function, arguments = connect.call(rule, autapses=False, offset=0, **OPTIONS[rule])
    shown = {k: f"np.array({v.tolist()!r})" if isinstance(v, np.ndarray) else repr(v) for k, v in arguments.items()}
    code = "import numpy as np\n" + inspect.getsource(function)
    given = ", ".join(f"{k}={v}" for k, v in shown.items())
    code += f"i, j = {function.__name__}(30, 30, np.random.default_rng(3), {given})\n"
    code += "print(i.tolist(), j.tolist(), sep='\\n')"
    out = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    i, j = function(30, 30, np.random.default_rng(3), **arguments)
    assert out.split("\n")[:2] == [str(i.tolist()), str(j.tolist())]


@pytest.mark.parametrize("rule", connect.RULES)
@pytest.mark.parametrize("offset", [0, 10, -12, 40])
def test_a_cell_is_not_connected_to_itself(rule, offset):
    """Slices [a:a+30] and [b:b+30] of one population: source i is target i + a - b."""
    i, j = pairs(rule, 30, 30, rng(), offset=offset, **OPTIONS[rule])
    assert not np.any(j == i + offset)
    if rule in ("all", "p", "distance", "matrix"):
        full_i, full_j = pairs(rule, 30, 30, rng(), autapses=True, offset=offset, **OPTIONS[rule])
        keep = full_j != full_i + offset
        np.testing.assert_array_equal(
            np.stack([i, j]), np.stack([full_i[keep], full_j[keep]]), "nothing else is dropped"
        )
    if rule == "in_degree":
        assert np.all(np.bincount(j, minlength=30) == 7), "the number of sources stays what was asked for"
    if rule == "out_degree":
        assert np.all(np.bincount(i, minlength=30) == 7)
    if rule == "number":
        assert len(i) == 200


def test_cells_of_two_populations_may_have_the_same_number():
    i, j = pairs("all", 4, 4, rng(), autapses=False, offset=None)
    assert np.sum(i == j) == 4
    assert len(pairs("one_to_one", 4, 4, rng())[0]) == 4
    assert len(pairs("one_to_one", 4, 4, rng(), offset=0)[0]) == 0


def test_all_and_one_to_one():
    i, j = pairs("all", 2, 3, rng())
    assert (i.tolist(), j.tolist()) == ([0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2])
    i, j = pairs("one_to_one", 3, 3, rng())
    assert i.tolist() == j.tolist() == [0, 1, 2]
    with pytest.raises(FitError, match="3 and 4"):
        pairs("one_to_one", 3, 4, rng())


# --- p --------------------------------------------------------------------------------------------------


def test_each_pair_with_probability_p_and_independently():
    n, m, p, repeats = 6, 5, 0.3, 4000
    generator, drawn = rng(), np.zeros((repeats, n, m), dtype=bool)
    for k in range(repeats):
        i, j = connect.random_pairs(n, m, generator, p)
        drawn[k, i, j] = True
    flat = drawn.reshape(repeats, -1)
    error = np.sqrt(p * (1 - p) / repeats)
    assert np.all(np.abs(flat.mean(axis=0) - p) < 5 * error), "every pair, first and last too"
    together = np.cov(flat.T.astype(float)) / (p * (1 - p))
    np.fill_diagonal(together, 0)
    assert np.abs(together).max() < 5 / np.sqrt(repeats), "no pair knows of another"
    assert abs(flat.sum(axis=1).var() / (n * m * p * (1 - p)) - 1) < 0.15, "their number is binomial"


@pytest.mark.parametrize(("p", "count"), [(0, 0), (1, 12), (0.0, 0), (1e-18, 0)])
def test_p_at_its_ends(p, count):
    assert len(pairs("p", 3, 4, rng(), p=p)[0]) == count


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_p_is_a_probability(p):
    with pytest.raises(FitError, match="probability"):
        pairs("p", 3, 4, rng(), p=p)


def test_p_scales_to_brunels_network():
    """12,500 x 12,500 at 0.1: seconds, and never an array of all pairs (156 MB as bytes)."""
    code = (
        "import resource, sys, time\nsys.path.insert(0, sys.argv[1])\n"
        "from brainsim import connect\nfrom brainsim.seeds import stream\n"
        "rng = stream(1, 'x')\nconnect.random_pairs(10, 10, rng, 0.5)\n"
        "before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()\n"
        "i, j = connect.random_pairs(12_500, 12_500, rng, 0.1)\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(len(i), time.process_time() - start, (after - before)/1024)\n"
    )
    root = str(Path(connect.__file__).parent.parent)
    out = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=True).stdout
    count, seconds, megabytes = map(float, out.split())
    expected = 12_500**2 * 0.1
    assert abs(count - expected) < 5 * np.sqrt(expected * 0.9)
    assert seconds < 120, "no hang"
    assert megabytes < 2.5 * count * 8 / 2**20 + 60, "the result, once more while it is joined, and little else"


def test_what_does_not_fit_into_memory_is_refused():
    with pytest.raises(FitError, match="synapses"):
        pairs("all", 100_000, 100_000, rng())
    with pytest.raises(FitError, match="synapses"):
        pairs("p", 1_000_000, 1_000_000, rng(), p=0.1)


# --- degrees --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["in_degree", "out_degree"])
def test_degrees(rule):
    """Exact on one side, binomial on the other, every choice as likely as the others."""
    sizes = (50, 40) if rule == "in_degree" else (40, 50)
    totals = np.zeros(50)
    for seed in range(200):
        ends = pairs(rule, *sizes, rng(seed), **{rule: 6})
        free, fixed = ends if rule == "in_degree" else ends[::-1]
        assert np.all(np.bincount(fixed, minlength=40) == 6)
        assert len(set(zip(free.tolist(), fixed.tolist(), strict=True))) == len(free)
        totals += np.bincount(free, minlength=50)
    mean = 200 * 40 * 6 / 50
    assert np.all(np.abs(totals - mean) < 5 * np.sqrt(mean)), "first and last cell too"


@pytest.mark.parametrize("rule", ["in_degree", "out_degree"])
def test_degrees_leave_out_the_cell_itself_evenly(rule):
    counts = np.zeros((5, 5))
    for seed in range(2000):
        i, j = pairs(rule, 5, 5, rng(seed), offset=0, **{rule: 2})
        np.add.at(counts, (i, j), 1)
    assert np.all(np.diag(counts) == 0)
    others = counts[~np.eye(5, dtype=bool)] / 2000
    assert np.all(np.abs(others - 0.5) < 5 * np.sqrt(0.25 / 2000))


@pytest.mark.parametrize("rule", ["in_degree", "out_degree"])
def test_multapses(rule):
    i, j = pairs(rule, 3, 3, rng(), multapses=True, offset=0, **{rule: 50})
    assert len(i) == 150
    assert not np.any(i == j)
    assert np.all(np.bincount(j if rule == "in_degree" else i) == 50)
    assert len(set(zip(i.tolist(), j.tolist(), strict=True))) == 6
    np.testing.assert_array_equal(np.lexsort((j, i)), np.arange(150))


@pytest.mark.parametrize("rule", ["in_degree", "out_degree"])
def test_degrees_that_cannot_be(rule):
    assert len(pairs(rule, 5, 5, rng(), **{rule: 5})[0]) == 25
    with pytest.raises(FitError, match="only 5"):
        pairs(rule, 5, 5, rng(), **{rule: 6})
    with pytest.raises(FitError, match="only 4"):
        pairs(rule, 5, 5, rng(), offset=0, **{rule: 5})
    with pytest.raises(FitError, match="only 0"):
        pairs(rule, 1, 1, rng(), offset=0, multapses=True, **{rule: 1})
    assert len(pairs(rule, 5, 5, rng(), **{rule: 0})[0]) == 0
    assert len(pairs(rule, 1, 1, rng(), offset=0, **{rule: 0})[0]) == 0


def test_a_large_in_degree_is_fast():
    start = time.process_time()
    i, j = pairs("in_degree", 10_000, 10_000, rng(), in_degree=1000, offset=0)
    assert time.process_time() - start < 120  # no hang
    assert np.all(np.bincount(j) == 1000)
    assert not np.any(i == j)


# --- distance and places --------------------------------------------------------------------------------


def test_positions():
    np.testing.assert_allclose(positions({"line": 1.0}, 4)[:, 0], [0.125, 0.375, 0.625, 0.875])
    np.testing.assert_allclose(positions({"ring": quantity("4 mm")}, 4)[:, 0], [0, 1e-3, 2e-3, 3e-3])
    grid = positions({"grid": (quantity("2 mm"), quantity("1 mm"))}, 8)
    np.testing.assert_allclose(grid[:5] * 1e3, [[0.25, 0.25], [0.75, 0.25], [1.25, 0.25], [1.75, 0.25], [0.25, 0.75]])
    assert positions({"grid": (1.0, 1.0)}, 7).shape == (7, 2)
    points = np.array([[0.0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(positions({"points": points}, 2), points)
    with pytest.raises(FitError, match="3 cells need 3 points, there are 2"):
        positions({"points": points}, 3)
    assert connect.circumference({"ring": quantity("4 mm")}) == 4e-3
    assert connect.circumference({"line": 1.0}) is None
    assert [len(positions({kind: 1.0}, 0)) for kind in ("line", "ring")] == [0, 0]


@pytest.mark.parametrize("n", [1, 2, 7, 10, 99, 100])
def test_a_grid_holds_its_cells_inside(n):
    where = positions({"grid": (3.0, 2.0)}, n)
    assert len(np.unique(where, axis=0)) == n
    assert np.all((where > 0) & (where < [3, 2]))


def test_distances_go_the_short_way_round_a_ring():
    ring = positions({"ring": 10.0}, 10)
    found = connect.distances(ring, ring, 10.0)
    assert found[0].tolist() == [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]
    assert connect.distances(ring, ring)[0, 9] == 9
    square = np.array([[0.0, 0], [3, 4]])
    assert connect.distances(square, square)[0, 1] == 5


def test_pairs_closer_than_a_distance():
    ring = positions({"ring": 10.0}, 10)
    i, j = pairs(
        "distance", 10, 10, rng(), source_positions=ring, target_positions=ring, ring=10.0, distance=1.0, offset=0
    )
    assert sorted(j[i == 0].tolist()) == [1, 9]
    assert len(i) == 20


def test_p_as_a_function_of_distance():
    source, target = positions({"line": 1.0}, 300), positions({"line": 1.0}, 200)
    options = {"source_positions": source, "target_positions": target}
    i, j = pairs("distance", 300, 200, rng(), p=lambda d: np.exp(-d / 0.2), **options)
    expected = np.exp(-connect.distances(source, target) / 0.2)
    assert abs(len(i) - expected.sum()) < 5 * np.sqrt((expected * (1 - expected)).sum())
    near = np.abs(source[i, 0] - target[j, 0])
    assert abs(near.mean() - (expected * connect.distances(source, target)).sum() / expected.sum()) < 0.01
    as_code = pairs("distance", 300, 200, rng(), p="exp(-d/(200*mm))", **options)
    np.testing.assert_array_equal(as_code, (i, j))
    with pytest.raises(FitError, match="probability"):
        pairs("distance", 300, 200, rng(), p="2*exp(-d/(200*mm))", **options)


def test_distance_does_not_depend_on_the_size_of_the_chunks():
    """Many targets make several chunks of sources; the first sources see the same numbers as alone."""
    source, target = positions({"line": 1.0}, 40), positions({"line": 1.0}, 60_000)
    i, j = connect.pairs_by_distance(40, 60_000, rng(), source, target, p=0.01)
    few_i, few_j = connect.pairs_by_distance(3, 60_000, rng(), source[:3], target, p=0.01)
    np.testing.assert_array_equal(i[i < 3], few_i)
    np.testing.assert_array_equal(j[i < 3], few_j)
    assert i.max() == 39


@pytest.mark.parametrize("offset", [None, 0, 2, -3, 7, -9])
@pytest.mark.parametrize("multapses", [False, True])
def test_a_number_of_pairs_is_drawn_evenly_from_all_that_are_possible(offset, multapses):
    n, m, number, repeats = 6, 5, 12, 3000
    generator, counts = rng(), np.zeros((n, m))
    for _ in range(repeats):
        i, j = connect.fixed_number(n, m, generator, number, multapses, offset)
        assert len(i) == number
        np.add.at(counts, (i, j), 1)
    possible = np.ones((n, m), dtype=bool)
    if offset is not None:
        possible &= np.arange(n)[:, None] + offset != np.arange(m)
    p = number / possible.sum()
    assert np.all(counts[~possible] == 0)
    assert np.all(np.abs(counts[possible] / repeats - p) < 5 * np.sqrt(p / repeats))


def test_every_pair_once_at_most_and_all_of_them_if_asked_for():
    i, j = pairs("number", 5, 5, rng(), number=20, offset=0)
    assert len({*zip(i.tolist(), j.tolist(), strict=True)}) == 20
    assert len(pairs("number", 5, 5, rng(), number=60, offset=0, multapses=True)[0]) == 60
    assert len(pairs("number", 1, 1, rng(), number=0, offset=0)[0]) == 0
    with pytest.raises(FitError, match="only 20 pairs"):
        pairs("number", 5, 5, rng(), number=21, offset=0)
    with pytest.raises(FitError, match="only 0 pairs"):
        pairs("number", 1, 1, rng(), number=1, offset=0, multapses=True)


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_many_of_many_pairs_without_repeats(share):
    """Too many pairs for a list of all of them: each at most once, and all rows and columns alike."""
    n, m, offset = 3300, 3200, -50
    free = n * m - 3200
    number = int(share * free)
    i, j = connect.fixed_number(n, m, rng(), number, offset=offset)
    assert i.dtype == j.dtype == np.int32 and len(i) == number
    assert np.all(np.diff(i.astype(np.int64) * m + j) > 0), "sorted, and none twice"
    assert not np.any(j == i + offset) and j.min() >= 0 and j.max() < m and i.max() < n
    for ends, size, other in ((i, n, m), (j, m, n)):
        degrees = np.bincount(ends, minlength=size)
        expected = other * share * (1 - share)  # hypergeometric: one row of a large draw
        assert degrees.var() == pytest.approx(expected, rel=6 * np.sqrt(2 / size))


# --- lists ----------------------------------------------------------------------------------------------


def test_listed_pairs_are_sorted_with_their_values():
    source, target = np.array([5, 0, 0, 2]), np.array([1, 9, 3, 2])
    i, j = pairs("matrix", 6, 10, rng(), source=source, target=target, weight=np.arange(4.0), multapses=False)
    assert (i.tolist(), j.tolist()) == ([0, 0, 2, 5], [3, 9, 2, 1])
    order = np.lexsort((target, source))
    assert (source[order].tolist(), target[order].tolist()) == (i.tolist(), j.tolist())


@pytest.mark.parametrize(("source", "target"), [([6], [0]), ([0], [10]), ([-1], [0]), ([0, 1], [0])])
def test_listed_pairs_out_of_range(source, target):
    with pytest.raises(FitError):
        pairs("matrix", 6, 10, rng(), source=source, target=target)


def test_unknown_rule():
    with pytest.raises(FitError) as caught:
        pairs("in_degre", 3, 3, rng())
    assert "in_degree" in caught.value.problems[0].hint
