"""Numbers from spikes and weights: arrays in, arrays out.

Times are in seconds, rates in hertz, weights in whatever unit they have. Nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def nice(value: float, steps: Sequence[float] = (1, 2, 5, 10)) -> float:
    """The smallest of ``steps`` (the last is 10) times a power of ten that is at least ``value``, which is above 0."""
    if not np.isfinite(value) or value <= 0:
        raise ValueError(f"a step must be above 0, got {value}")
    power = 10.0 ** np.floor(np.log10(value))
    for step in steps:
        if step * power >= value * (1 - 1e-9):
            return float(step * power)
    return float(10 * power)


def mean_rate(n_spikes: int, size: int, duration: float) -> float:
    """Spikes per cell and second [Hz]; NaN without cells or time."""
    return n_spikes / (size * duration) if size > 0 and duration > 0 else float("nan")


def cell_rates(ids: ArrayLike, size: int, duration: float) -> Floats:
    """Rate of each cell [Hz], shape ``(size,)``."""
    counts = np.bincount(_cells(ids, size), minlength=size)
    return counts / duration if duration > 0 else np.full(size, np.nan)


def binned_rates(times: ArrayLike, size: int, start: float, stop: float, width: float) -> tuple[Floats, Floats]:
    """Population rate in bins.

    Returns the left edges with the end of the last bin, shape ``(bins + 1,)`` [s], and the mean rate of a cell
    in each bin, shape ``(bins,)`` [Hz]. The last bin ends at ``stop`` and may be narrower; its rate is that of
    its own width. A spike at ``stop`` itself is outside.
    """
    if stop <= start or width <= 0:
        raise ValueError(f"no bins of {width} s between {start} and {stop} s")
    count = max(1, int(np.ceil((stop - start) / width - 1e-9)))
    edges = np.append(start + width * np.arange(count), stop)
    t = np.asarray(times, dtype=float)
    # Spikes lie on the grid of dt, often within one rounding error of an edge: a spike there belongs to the bin
    # that starts, so the tiny shift must be far below any dt.
    t = t[(t >= start - 1e-9) & (t < stop - 1e-9)]
    where = np.clip(np.searchsorted(edges, t + 1e-9, side="right") - 1, 0, count - 1)
    counts = np.bincount(where, minlength=count)
    return edges, counts / np.diff(edges) / max(size, 1)


def isi_cv(times: ArrayLike, ids: ArrayLike, size: int, least: int = 3) -> Floats:
    """Coefficient of variation of the intervals of each cell, shape ``(size,)``.

    The standard deviation over the mean of a cell's intervals between spikes: 0 for a clock, 1 for a Poisson
    process without refractoriness. NaN for cells with fewer than ``least`` intervals.
    """
    t, cells = np.asarray(times, dtype=float), _cells(ids, size)
    order = np.lexsort((t, cells))
    t, cells = t[order], cells[order]
    same = cells[1:] == cells[:-1]
    interval, owner = np.diff(t)[same], cells[1:][same]
    n = np.bincount(owner, minlength=size)
    known = n >= max(least, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(owner, weights=interval, minlength=size) / n
        # Two passes: the one-pass formula cancels when intervals are nearly equal.
        square = np.bincount(owner, weights=(interval - mean[owner]) ** 2, minlength=size) / n
        return np.where(known & (mean > 0), np.sqrt(square) / mean, np.nan)


def mean_correlation(times: ArrayLike, ids: ArrayLike, size: int, duration: float, width: float) -> float:
    """Mean correlation coefficient of the spike counts of all pairs of cells, in bins of ``width`` seconds.

    Cells whose counts never differ are left out; NaN for fewer than two others or fewer than two whole bins. Times
    count from 0.
    """
    bins = int(np.floor(duration / width + 1e-9))
    t, cells = np.asarray(times, dtype=float), _cells(ids, size)
    where = np.floor(t / width + 1e-6).astype(np.int64)
    inside = where < bins
    pairs, counts = np.unique(np.stack([cells[inside], where[inside]]), axis=1, return_counts=True)
    if bins < 2 or not pairs.size:
        return float("nan")
    owner, place = pairs
    mean = np.bincount(owner, weights=counts, minlength=size) / bins
    spread = np.sqrt(np.maximum(np.bincount(owner, weights=counts**2, minlength=size) / bins - mean**2, 0))
    known = spread > 0
    n = int(known.sum())
    if n < 2:
        return float("nan")
    # The variance of the sum of standardised counts is n + n (n - 1) times the mean correlation.
    weight = np.where(known, 1 / np.where(known, spread, 1), 0)
    summed = np.bincount(place, weights=counts * weight[owner], minlength=bins)
    return float((summed.var() - n) / (n * (n - 1)))


@dataclass(frozen=True)
class Histogram:
    """Two histograms over the same bins."""

    edges: Floats
    before: Ints | None
    after: Ints


def weight_histogram(after: ArrayLike, before: ArrayLike | None = None, bins: int = 40) -> Histogram:
    """Histogram of weights after a run and, over the same bins, before it. NaNs are left out."""
    new = _finite(after)
    old = None if before is None else _finite(before)
    both = new if old is None else np.concatenate([new, old])
    low, high = (float(both.min()), float(both.max())) if both.size else (0.0, 1.0)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        pad = abs(low) / 2 or 0.5
        low, high = low - pad, high + pad
    edges = np.linspace(low, high, bins + 1)
    return Histogram(edges, None if old is None else np.histogram(old, edges)[0], np.histogram(new, edges)[0])


def receptive_fields(
    source: ArrayLike, target: ArrayLike, weights: ArrayLike, n_target: int, shape: tuple[int, int]
) -> Floats:
    """Weights onto each target cell as an image over the sources, shape ``(n_target, rows, columns)``.

    Pairs without a synapse are NaN; several synapses of one pair add up.
    """
    pixels = shape[0] * shape[1]
    i, j = np.asarray(source, dtype=np.int64), np.asarray(target, dtype=np.int64)
    w = np.asarray(weights, dtype=float)
    if i.size and (i.min() < 0 or i.max() >= pixels or j.min() < 0 or j.max() >= n_target):
        raise ValueError(f"synapses lie outside {n_target} cells of {shape[0]} x {shape[1]} pixels")
    flat = j * pixels + i
    total = np.bincount(flat, weights=w, minlength=n_target * pixels).astype(float)  # of no synapses it is integer
    total[np.bincount(flat, minlength=n_target * pixels) == 0] = np.nan
    return total.reshape(n_target, *shape)


def tile(fields: Floats, columns: int, gap: int = 1) -> Floats:
    """Images side by side, row by row, with ``gap`` empty (NaN) pixels between them.

    ``(n, rows, cols)`` -> ``(R*(rows + gap) - gap, columns*(cols + gap) - gap)`` with R rows of images.
    """
    n, rows, cols = fields.shape
    down = -(-n // columns)
    sheet = np.full((down * (rows + gap) - gap, columns * (cols + gap) - gap), np.nan)
    for k in range(n):
        y, x = (k // columns) * (rows + gap), (k % columns) * (cols + gap)
        sheet[y : y + rows, x : x + cols] = fields[k]
    return sheet


def class_accuracy(confusion: ArrayLike) -> Floats:
    """Share of each true class (rows) that was decided right, NaN for classes that did not occur.

    ``confusion[true, decided]``; further columns than rows are answers that name no class.
    """
    matrix = np.asarray(confusion, dtype=float)
    total = matrix.sum(axis=1)
    right = np.array([matrix[k, k] if k < matrix.shape[1] else 0.0 for k in range(matrix.shape[0])])
    return np.where(total > 0, right / np.where(total > 0, total, 1), np.nan)


def wilson(right: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion (Wilson 1927)."""
    if n <= 0:
        return float("nan"), float("nan")
    p = right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def evenly(size: int, count: int) -> Ints:
    """At most ``count`` of ``size`` members, evenly spaced, always the same ones."""
    return (
        np.unique(np.linspace(0, size - 1, min(size, count)).round().astype(np.int64)) if size > 0 else np.zeros(0, int)
    )


@dataclass(frozen=True)
class Rows:
    """Spikes of some cells in a time window; ``row`` counts the cells shown, from 0."""

    times: Floats
    row: Ints
    cells: Ints
    size: int


def raster_rows(
    times: ArrayLike, ids: ArrayLike, size: int, start: float, stop: float, cells: int = 100, points: int = 4000
) -> Rows:
    """What a raster shows: evenly spaced cells, as many as keep the window under ``points`` spikes.

    Cells are left out, never single spikes of a cell that is shown: thinned spikes would fake another rate
    and another regularity.
    """
    t, owner = np.asarray(times, dtype=float), _cells(ids, size)
    inside = (t >= start) & (t <= stop)
    t, owner = t[inside], owner[inside]
    counts = np.bincount(owner, minlength=size)
    shown = evenly(size, cells)
    while counts[shown].sum() > points and len(shown) > 1:
        shown = evenly(size, max(1, min(len(shown) - 1, int(len(shown) * points / counts[shown].sum()))))
    rank = np.full(size, -1, dtype=np.int64)
    rank[shown] = np.arange(len(shown))
    row = rank[owner]
    keep = row >= 0
    return Rows(t[keep], row[keep], shown, size)


def window(duration: float, densities: ArrayLike, trial: float = 0.0, points: int = 2500) -> tuple[float, float]:
    """A stretch at the end of the run that a raster can show: ``(start, stop)`` [s].

    ``densities`` are the spikes per second of each population's shown cells. Short runs are shown whole; of
    longer ones a round time of at least a second, longer when little happens, of at most ``points`` spikes in
    the busiest population. With trials it holds whole trials.
    """
    busiest = float(np.max(np.asarray(densities, dtype=float), initial=0.0))
    longest = points / busiest if busiest > 0 else duration
    if duration <= max(1.0, trial) or duration <= min(longest, 10.0):
        return 0.0, duration
    length = min(max(nice(max(longest / 2.5, 1e-3)), 0.1), 10.0, duration)
    if trial > 0:
        length = min(max(1, round(length / trial)) * trial, duration)
    return duration - length, duration


def envelope(times: ArrayLike, values: ArrayLike, limit: int = 800) -> tuple[Floats, Floats]:
    """A curve with at most about ``limit`` points that keeps every peak.

    Long curves are cut into buckets of which the smallest and the largest value stay, in their order: a spike
    of the membrane survives, which taking every n-th point would lose.
    """
    t, v = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
    if len(t) <= limit:
        return t, v
    buckets = max(1, limit // 2)
    edges = np.linspace(0, len(t), buckets + 1).astype(int)
    keep = []
    for a, b in pairwise(edges):
        piece = np.nan_to_num(v[a:b], nan=0.0)
        keep.extend(sorted({a + int(piece.argmin()), a + int(piece.argmax())}))
    return t[keep], v[keep]


def _cells(ids: ArrayLike, size: int) -> Ints:
    cells = np.asarray(ids).astype(np.int64)
    if cells.size and (cells.min() < 0 or cells.max() >= size):
        raise ValueError(f"spikes of cell {int(cells.max())} in a population of {size}")
    return cells


def _finite(values: ArrayLike) -> Floats:
    flat = np.asarray(values, dtype=float).ravel()
    return flat[np.isfinite(flat)]
