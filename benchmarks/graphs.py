"""Who is connected to whom, and the first values of cells: drawn once by numpy, the same for every simulator.

Times are in ms, potentials in mV and currents in pA, as plain numbers: other simulators read them as well.
Needs numpy alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Edges(NamedTuple):
    """Synapses, sorted by source: arrays [synapses], or one number for all of them."""

    pre: np.ndarray
    post: np.ndarray
    weight: float | np.ndarray
    delay: float | np.ndarray = 0.0


def bernoulli(rng: np.random.Generator, sources: int, targets: int, p: float) -> tuple[np.ndarray, np.ndarray]:
    """Each pair with probability ``p``, as (pre, post), sorted."""
    counts = rng.binomial(targets, p, sources)
    post = np.concatenate([np.sort(rng.choice(targets, count, replace=False)) for count in counts])
    return np.repeat(np.arange(sources), counts), post


# --- random balanced networks of Vogels and Abbott (2005), as in Brette et al. (2007) ---------------------------------


class Balanced(NamedTuple):
    """The first four fifths of the cells are excitatory; sources of ``inh`` count from 0."""

    border: int
    v: np.ndarray
    ge: np.ndarray
    gi: np.ndarray
    exc: Edges
    inh: Edges


def balanced(cells: int, conductances: bool) -> Balanced:
    """80 synapses for each cell on average. Conductances start with some: nothing else drives that network."""
    rng = np.random.default_rng(1)
    v, ge, gi = -60 + 10 * rng.random(cells), np.zeros(cells), np.zeros(cells)
    if conductances:
        ge = np.maximum(0, 4 + 1.5 * rng.standard_normal(cells))
        gi = np.maximum(0, 20 + 12 * rng.standard_normal(cells))
    border = int(0.8 * cells)
    exc = Edges(*bernoulli(rng, border, cells, 80 / cells), weight=0.6 if conductances else 1.62)
    inh = Edges(*bernoulli(rng, cells - border, cells, 80 / cells), weight=6.7 if conductances else -9.0)
    return Balanced(border, v, ge, gi, exc, inh)


# --- Brunel (2000), model A: 12,500 cells, 15.6 million synapses ------------------------------------------------------

EXCITATORY, CELLS, P, J, G = 10000, 12500, 0.1, 0.1, 5.0
DELAY = 1.5
#: Each cell hears so many sources of so many Hz from outside, each with the weight J.
OUTSIDE, OUTSIDE_RATE = 1000, 20.0


def brunel_v() -> np.ndarray:
    return 20 * np.random.default_rng(2).random(CELLS)


def brunel(delays: bool) -> tuple[Edges, Edges]:
    """From excitatory cells to all, and from inhibitory cells (sources count from 0) to all.

    With ``delays`` each synapse has its own, 0.5 to 3 ms.
    """
    rng = np.random.default_rng(3)
    edges = []
    for count, weight in ((EXCITATORY, J), (CELLS - EXCITATORY, -G * J)):
        pre, post = bernoulli(rng, count, CELLS, P)
        edges.append(Edges(pre, post, weight, rng.integers(5, 31, len(pre)) * 0.1 if delays else DELAY))
    return edges[0], edges[1]


#: Additive pair STDP: what a trace gains at a spike, how fast it goes, and where weights end.
A_PLUS, A_MINUS, TAU, W_MAX = 0.001, 0.00105, 20.0, 0.3


def brunel_stdp() -> tuple[Edges, Edges, Edges]:
    """Plastic ones between excitatory cells, to inhibitory cells, from inhibitory cells to all."""
    rng = np.random.default_rng(4)
    inhibitory = CELLS - EXCITATORY
    sizes = ((EXCITATORY, EXCITATORY, J), (EXCITATORY, inhibitory, J), (inhibitory, CELLS, -G * J))
    plastic, to_inh, inh = (Edges(*bernoulli(rng, s, t, P), weight=w, delay=DELAY) for s, t, w in sizes)
    return plastic, to_inh, inh


# --- the column of Potjans and Diesmann (2014) with a part of cells and of synapses per cell --------------------------

SIZES = np.array([20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948])
PROBABILITIES = np.array(  # to (row) from (column): 23E 23I 4E 4I 5E 5I 6E 6I
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0],
        [0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
        [0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443],
    ]
)
EXTERNAL = np.array([1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100])
RATES = np.array([0.971, 2.868, 4.746, 5.396, 8.142, 9.078, 0.991, 7.523])  # of the full model, in Hz
WEIGHT, TAU_SYN, OUTSIDE_HZ = 87.81, 0.5, 8.0


class Column(NamedTuple):
    """Cells of the eight populations follow one another; ``edges`` says where each begins and ends."""

    edges: np.ndarray
    v: np.ndarray
    synapses: Edges
    constant: np.ndarray  # pA for each cell, in place of the synapses that are left out
    sources: np.ndarray  # of the drive of each population, at OUTSIDE_HZ each
    weight: float  # of the drive


def column(scale: float) -> Column:
    rng = np.random.default_rng(5)
    sizes = np.round(scale * SIZES).astype(int)
    edges = np.concatenate([[0], np.cumsum(sizes)])
    v = rng.normal(-58, 10, edges[-1])
    tau = TAU_SYN * 1e-3
    pairs, weights, delays, missing = [], [], [], np.zeros(8)
    for target in range(8):
        for source in range(8):
            p, inhibitory = PROBABILITIES[target, source], source % 2
            full = np.log(1 - p) / np.log(1 - 1 / (SIZES[source] * SIZES[target])) if p else 0.0
            count = round(full * scale**2)
            mean = WEIGHT * (2 if (target, source) == (0, 2) else -4 if inhibitory else 1)
            missing[target] += (1 - np.sqrt(scale)) * mean * tau * RATES[source] * full / SIZES[target]
            pre = rng.integers(edges[source], edges[source + 1], count)
            pairs.append((pre, rng.integers(*edges[target : target + 2], count)))
            sign = np.sign(mean)
            weights.append(sign * np.maximum(0, rng.normal(abs(mean), 0.1 * abs(mean), count)) / np.sqrt(scale))
            middle = 0.75 if inhibitory else 1.5
            delays.append(np.maximum(0.1, rng.normal(middle, middle / 2, count)))
    pre, post = (np.concatenate(ends) for ends in zip(*pairs, strict=True))
    order = np.lexsort((post, pre))
    synapses = Edges(
        pre[order], post[order], np.concatenate(weights)[order], np.round(np.concatenate(delays)[order], 1)
    )
    missing += (1 - np.sqrt(scale)) * WEIGHT * tau * OUTSIDE_HZ * EXTERNAL
    sources = (scale * EXTERNAL).astype(int)
    return Column(edges, v, synapses, np.repeat(missing, sizes), sources, WEIGHT / np.sqrt(scale))
