"""Which pairs of cells are connected, drawn in numpy once and the same for every backend.

One function a rule. Each is plain numpy and complete in itself, because its source is printed into stand-alone
scripts. All take the numbers of sources and targets, a generator and ``offset``: cell ``i`` of the sources is cell
``i + offset`` of the targets and is not connected to itself; None where the two are different cells, or where a cell
may connect to itself. All return ``(i, j)``, int32 arrays [pairs] of sources and targets, sorted by ``(i, j)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from brainsim import expressions
from brainsim.errors import FitError, Problem, suggest

MAX_PAIRS = 500_000_000

Pairs = tuple[np.ndarray, np.ndarray]


def all_to_all(n_source, n_target, rng=None, offset=None):
    """Every source to every target."""
    i = np.repeat(np.arange(n_source, dtype=np.int32), n_target)
    j = np.tile(np.arange(n_target, dtype=np.int32), n_source)
    if offset is not None:
        keep = j != i + offset
        i, j = i[keep], j[keep]
    return i, j


def one_to_one(n_source, n_target, rng=None, offset=None):
    """Source k to target k."""
    if n_source != n_target:
        raise ValueError(f"one_to_one joins equally many cells, not {n_source} and {n_target}")
    i = np.arange(n_source, dtype=np.int32)
    if offset is not None:
        i = i[i != i + offset]
    return i, i.copy()


def random_pairs(n_source, n_target, rng, p, offset=None):
    """Each pair with probability p, independently of all others."""
    if not 0 <= p <= 1:
        raise ValueError(f"p is a probability from 0 to 1, not {p}")
    total, position, sources, targets = n_source * n_target, -1, [], []
    while p > 0 and position < total:
        # All pairs are numbered row by row; the gap from one drawn pair to the next is geometric.
        size = int(min(1_000_000, 1.05 * p * (total - position) + 100))
        drawn = position + np.cumsum(np.minimum(rng.geometric(p, size), total + 1))
        position = int(drawn[-1])
        drawn = drawn[drawn < total]
        sources.append((drawn // n_target).astype(np.int32))
        targets.append((drawn % n_target).astype(np.int32))
    i = np.concatenate([np.zeros(0, dtype=np.int32), *sources])
    j = np.concatenate([np.zeros(0, dtype=np.int32), *targets])
    if offset is not None:
        keep = j != i + offset
        i, j = i[keep], j[keep]
    return i, j


def fixed_in_degree(n_source, n_target, rng, in_degree, multapses=False, offset=None):
    """The same number of sources for every target, drawn without repeats unless multapses."""
    drawn = np.empty((n_target, in_degree), dtype=np.int64)
    for target in range(n_target):
        own = -1 if offset is None else target - offset
        free = n_source - (0 <= own < n_source)
        if in_degree > 0 and free < (1 if multapses else in_degree):
            raise ValueError(f"in_degree is {in_degree}, but there are only {free} sources to choose from")
        if multapses:
            row = rng.integers(0, max(free, 1), in_degree)
        else:
            row = rng.choice(free, in_degree, replace=False, shuffle=False)
        # The cell itself is left out: those after it move up by one.
        drawn[target] = row + (row >= own) if free < n_source else row
    drawn *= n_target
    drawn += np.arange(n_target)[:, None]
    pair = drawn.ravel()
    pair.sort()
    i, j = np.empty(len(pair), dtype=np.int32), np.empty(len(pair), dtype=np.int32)
    for start in range(0, len(pair), 100_000):  # a piece at a time, which stays in the cache
        row = pair[start : start + 100_000] // n_target
        i[start : start + 100_000] = row
        j[start : start + 100_000] = pair[start : start + 100_000] - row * n_target
    return i, j


def fixed_out_degree(n_source, n_target, rng, out_degree, multapses=False, offset=None):
    """The same number of targets for every source, drawn without repeats unless multapses."""
    drawn = np.empty((n_source, out_degree), dtype=np.int32)
    for source in range(n_source):
        own = -1 if offset is None else source + offset
        free = n_target - (0 <= own < n_target)
        if out_degree > 0 and free < (1 if multapses else out_degree):
            raise ValueError(f"out_degree is {out_degree}, but there are only {free} targets to choose from")
        if multapses:
            row = rng.integers(0, max(free, 1), out_degree)
        else:
            row = rng.choice(free, out_degree, replace=False, shuffle=False)
        # The cell itself is left out: those after it move up by one.
        drawn[source] = row + (row >= own) if free < n_target else row
    drawn.sort(axis=1)
    return np.repeat(np.arange(n_source, dtype=np.int32), out_degree), drawn.ravel()


def fixed_number(n_source, n_target, rng, number, multapses=False, offset=None):
    """As many pairs as asked for among all possible ones, drawn without repeats unless multapses."""
    low, high = (0, 0) if offset is None else (max(0, -offset), max(0, -offset, min(n_source, n_target - offset)))
    free = n_source * n_target - (high - low)
    if number > 0 and free < (1 if multapses else number):
        raise ValueError(f"number is {number}, but there are only {free} pairs to choose from")
    if multapses:
        pair = rng.integers(0, max(free, 1), number)
        pair.sort()
    elif free <= 10_000_000 or number <= free // 20:
        pair = rng.choice(free, number, False, shuffle=False)
        pair.sort()
    else:  # numpy would make a list of all pairs; here those that are drawn again are drawn anew
        fewer = min(number, free - number)
        pair = np.zeros(0, dtype=np.int64)
        while len(pair) < fewer:
            pair = np.concatenate([pair, rng.integers(0, free, fewer - len(pair))])
            pair.sort()
            pair = pair[np.append(True, pair[1:] != pair[:-1])]
        if fewer < number:  # what was drawn is what is left out
            taken = np.ones(free, dtype=bool)
            taken[pair] = False
            pair = np.flatnonzero(taken)
    i, j = np.empty(number, dtype=np.int32), np.empty(number, dtype=np.int32)
    for start in range(0, number, 100_000):  # a piece at a time, which stays in the cache
        piece = pair[start : start + 100_000]
        if high > low:
            # Pairs are numbered row by row; a cell with itself is left out, so those after it move up by one.
            piece = piece + np.clip((piece - (low * n_target + low + offset)) // n_target + 1, 0, high - low)
        row = piece // n_target
        i[start : start + 100_000] = row
        j[start : start + 100_000] = piece - row * n_target
    return i, j


def pairs_by_distance(
    n_source, n_target, rng, source_positions, target_positions, p=1.0, distance=None, ring=None, offset=None
):
    """Each pair with probability p, a number or a function of the distance, if not farther apart than distance.

    Positions are arrays [cells, dimensions] in metres; ring is the circumference if they run along a ring.
    """
    sources, targets = [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=np.int32)]
    rows = max(1, 1_000_000 // max(n_target, 1))
    for start in range(0, n_source, rows):
        d = np.abs(source_positions[start : start + rows, None, :] - target_positions[None, :, :])
        if ring is not None:
            d = np.minimum(d % ring, ring - d % ring)
        d = np.sqrt((d**2).sum(axis=2))
        chance = np.broadcast_to(p(d) if callable(p) else p, d.shape)
        if not ((chance >= 0) & (chance <= 1)).all():
            raise ValueError("p is a probability from 0 to 1, but it leaves that range at some distance")
        connected = rng.random(d.shape) < chance
        if distance is not None:
            connected &= d <= distance
        i, j = np.nonzero(connected)
        i += start
        if offset is not None:
            keep = j != i + offset
            i, j = i[keep], j[keep]
        sources.append(i.astype(np.int32))
        targets.append(j.astype(np.int32))
    return np.concatenate(sources), np.concatenate(targets)


def listed_pairs(n_source, n_target, rng=None, source=(), target=(), offset=None):
    """The pairs of two lists; a list with other values for each pair is sorted by numpy.lexsort((target, source))."""
    i, j = np.asarray(source, dtype=np.int64), np.asarray(target, dtype=np.int64)
    if i.shape != j.shape or i.ndim != 1:
        raise ValueError("sources and targets are two lists of the same length")
    if len(i) and not (i.min() >= 0 and i.max() < n_source and j.min() >= 0 and j.max() < n_target):
        raise ValueError(f"pairs count from 0 to {n_source - 1} and from 0 to {n_target - 1}")
    order = np.lexsort((j, i))
    i, j = i[order].astype(np.int32), j[order].astype(np.int32)
    if offset is not None:
        keep = j != i + offset
        i, j = i[keep], j[keep]
    return i, j


#: Rule -> its function. The options of a rule are the further arguments of the function.
RULES: dict[str, Callable[..., Pairs]] = {
    "all": all_to_all,
    "one_to_one": one_to_one,
    "p": random_pairs,
    "in_degree": fixed_in_degree,
    "out_degree": fixed_out_degree,
    "number": fixed_number,
    "distance": pairs_by_distance,
    "matrix": listed_pairs,
}


def call(
    rule: str, *, autapses: bool = False, offset: int | None = None, **options: Any
) -> tuple[Callable[..., Pairs], dict[str, Any]]:
    """The function of a rule and its arguments after ``n_source, n_target, rng``: what a script prints."""
    if rule not in RULES:
        raise FitError(Problem("value", f"{rule} is not a rule of connection", None, suggest(rule, RULES, "rule")))
    if rule == "matrix":
        options = {name: options[name] for name in ("source", "target")}
    options = {name: value for name, value in options.items() if value is not None and value is not False}
    if not autapses and offset is not None:
        options["offset"] = int(offset)
    return RULES[rule], options


def pairs(
    rule: str,
    n_source: int,
    n_target: int,
    rng: np.random.Generator,
    *,
    autapses: bool = False,
    offset: int | None = None,
    **options: Any,
) -> Pairs:
    """Sources and targets ``(i, j)`` of the synapses of a projection, int32 [synapses], sorted by ``(i, j)``.

    ``offset`` is the start of the source slice minus that of the target slice where both are of one population, else
    None; then a cell is not connected to itself unless ``autapses``. ``p`` of the rule ``distance`` may be Brian2 code
    with the distance ``d`` in metres. Raises ``FitError``.
    """
    function, arguments = call(rule, autapses=autapses, offset=offset, **options)
    count = {
        "all": n_source * n_target,
        "p": n_source * n_target * float(options.get("p", 0)) if rule == "p" else 0,
        "in_degree": n_target * options.get("in_degree", 0),
        "out_degree": n_source * options.get("out_degree", 0),
        "number": options.get("number", 0),
    }.get(rule, 0)
    if count > MAX_PAIRS:
        message = f"{rule} makes about {count:.3g} synapses, more than {MAX_PAIRS:.3g}"
        raise FitError(Problem("limit", message, None, "Connect fewer cells, or split the projection."))
    if isinstance(arguments.get("p"), str):
        arguments["p"] = expressions.parse(arguments["p"]).function("d")
    try:
        return function(n_source, n_target, rng, **arguments)
    except ValueError as error:
        raise FitError(Problem("value", f"{rule}: {error}")) from None


def positions(layout: Mapping[str, Any], n: int) -> np.ndarray:
    """Coordinates [n, dimensions] of cells on a line, ring, grid or at given points, in metres.

    A line is cut into n equal pieces with a cell in the middle of each, so populations of different sizes cover the
    same length. On a ring the coordinate runs along the circumference. A grid has cells in the middle of equal
    rectangles, row by row, as nearly square as the number allows; the last row may be incomplete.
    """
    ((kind, value),) = layout.items()
    if kind == "points":
        points = np.asarray(getattr(value, "value", value), dtype=float)
        points = points[:, None] if points.ndim == 1 else points
        if points.ndim != 2 or len(points) != n:
            raise FitError(Problem("value", f"{n} cells need {n} points, there are {len(points)}"))
        return points
    if kind == "grid":
        width, height = (float(getattr(side, "value", side)) for side in value)
        columns = min(max(int(np.ceil(np.sqrt(n * width / height) - 1e-9)), 1), max(n, 1))
        rows = max(-(-n // columns), 1)
        k = np.arange(n)
        return np.stack([(k % columns + 0.5) * width / columns, (k // columns + 0.5) * height / rows], axis=1)
    length = float(getattr(value, "value", value))
    if kind == "line":
        return ((np.arange(n) + 0.5) * length / max(n, 1))[:, None]
    if kind == "ring":
        return (np.arange(n) * length / max(n, 1))[:, None]
    raise FitError(Problem("value", f"{kind} is not a layout", None, suggest(kind, ("line", "ring", "grid", "points"))))


def circumference(layout: Mapping[str, Any]) -> float | None:
    """The length after which a ring closes; None for other layouts."""
    value = layout.get("ring")
    return None if value is None else float(getattr(value, "value", value))


def separations(i, j, source_positions, target_positions, ring=None):
    """Distance [pairs] in metres of the cells of each pair (i, j), the short way round on a ring."""
    d = np.abs(source_positions[i] - target_positions[j])
    if ring is not None:
        d = np.minimum(d % ring, ring - d % ring)
    return np.sqrt((d**2).sum(axis=1))


def distances(source_positions: np.ndarray, target_positions: np.ndarray, ring: float | None = None) -> np.ndarray:
    """Distances [sources, targets] in metres, the short way round on a ring."""
    d = np.abs(source_positions[:, None, :] - target_positions[None, :, :])
    if ring is not None:
        d = np.minimum(d % ring, ring - d % ring)
    return np.sqrt((d**2).sum(axis=2))
