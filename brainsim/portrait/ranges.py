"""Which inputs of a cell are worth drawing, from what it does at many that were tried."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainsim.portrait.bench import Array

#: The search: decades on either side of no input, and steps in each.
DECADES, PER_DECADE = 5, 6
MOST = 1000.0  # Hz
MORE = 50.0  # Hz that count as much more


def grid(smallest: float) -> Array:
    """Inputs on both sides of none, each some times larger than the one before."""
    steps = smallest * np.logspace(0, DECADES, DECADES * PER_DECADE + 1)
    return np.concatenate([-steps[::-1], [0.0], steps])


def of_spikes(tried: Array, trains: list[Array], half: float, half_length: float) -> tuple[float, float, float] | None:
    """From the spikes at every input that was tried; None if nothing makes the cell fire, or fire otherwise."""
    middle = len(tried) // 2
    counts = np.array([len(train) for train in trains])
    lasting = np.array([len(train) > 1 and train[-1] > half for train in trains])
    sane = counts < 2 * half_length * MOST  # no cell fires faster: there the equations have run away
    if counts[middle] == 0:
        # Firing that lasts is what the rate is about; a unit in discrete time may fire in every step.
        for fires in (lasting & sane, (counts > 0) & sane, counts > 0):
            onsets = [float(tried[k]) for k in np.flatnonzero(fires)]
            if onsets:  # on the side where less is needed
                onset = min(onsets, key=lambda x: (abs(x), -x))
                return min(0.0, 3.0 * onset), max(0.0, 3.0 * onset), onset
        return None
    # Outwards from no input to where it is silent, and to where it fires much faster, or half way to its fastest: far
    # outside the equations may run away. By chance a cell may be either at one input, so the next two must be too.
    alone, up = counts[middle], counts[middle:][sane[middle:]]
    much = min(4.0 * alone, 1.5 * alone + MORE * 2 * half_length, 0.5 * (alone + up.max(initial=0)))
    silent = _first_of_three(counts[middle::-1] <= 0.02 * alone)
    faster = _first_of_three((counts[middle:] >= max(much, alone + 2)) & sane[middle:])
    high = float(tried[middle + faster]) if faster else 0.0
    low = float(tried[middle - silent]) if silent else -high
    if not high and not low:
        return None
    return min(1.3 * low, -0.5 * high), 2.0 * max(high, -0.5 * low), 0.0


def _first_of_three(true: NDArray[np.bool_]) -> int:
    """Index of the first that is true, as the next two are; 0 if there is none."""
    all_three = np.flatnonzero(true[:-2] & true[1:-1] & true[2:])
    return int(all_three[0]) if len(all_three) else 0


def of_ends(tried: Array, ends: Array) -> tuple[float, float, float]:
    """From where a variable ends at every input that was tried: on each side to where nearly all has happened."""
    middle = len(tried) // 2
    with np.errstate(all="ignore"):
        change = np.abs(ends - ends[middle])
    change[~np.isfinite(change)] = 0.0
    default = float(tried[middle + 1 + 2 * PER_DECADE])
    most = change.max()
    if most <= 0:
        return -default, default, 0.0
    size = np.abs(tried[middle:])
    low, high = (_reach(size, side, most, 5 * default) for side in (change[middle::-1], change[middle:]))
    if low and high:
        return -low, high, 0.0
    # Of a unit that answers to one sign alone, little is shown of the other, and traces where it answers.
    span = high or low
    side = change[middle:] if high else change[middle::-1]
    half = float(np.interp(span, size, side)) / 2
    first = int(np.argmax(side >= half))
    middling = float(np.interp(half, side[first - 1 : first + 1], size[first - 1 : first + 1]))
    return (-0.25 * span, span, middling) if high else (-span, 0.25 * span, -middling)


def _reach(size: Array, change: Array, most: float, usual: float) -> float:
    """How far to go on one side; 0 where next to nothing happens."""
    largest = change.max()
    if largest < 0.02 * most:
        return 0.0
    if change[-1] - change[-1 - PER_DECADE // 2] > 0.1 * largest:  # it grows without end
        return max(usual, 3.0 * float(size[np.argmax(change > 0)]))
    return 1.3 * float(size[np.argmax(change >= 0.95 * largest)])


def three(swept: Array, low: float, high: float, onset: float) -> list[int]:
    """Three inputs: one that is not enough or not much, one that is, one that is plenty."""
    if onset > 0:
        wanted = [0.75 * onset, 1.35 * onset, high]
    elif onset < 0:
        wanted = [0.75 * onset, 1.35 * onset, low]
    elif low < 0:
        wanted = [0.5 * low, 0.0, 0.5 * high]
    else:
        wanted = [0.25 * high, 0.5 * high, high]
    rows = [int(np.abs(swept - value).argmin()) for value in wanted]
    swept[rows] = [two_figures(value) for value in wanted]  # numbers that can be read
    return rows


def two_figures(value: float) -> float:
    """Two figures."""
    return float(f"{value:.1e}") + 0.0  # no minus before a zero
