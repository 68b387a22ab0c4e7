"""Triplet STDP: random trains against sums over triplets, frequency of pairing in closed form, and the data fitted.

Data of Sjostrom, Turrigiano & Nelson (2001) and Wang et al. (2005) as Pfister & Gerstner (2006) give them (from memory,
the paper was not re-read); their numbers of repetitions likewise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

#: What this is the test of.
PARTS = [
    "plasticity stdp_triplet",
    "plasticity stdp_triplet_minimal",
    "plasticity stdp_triplet_hippocampus",
    "plasticity stdp_triplet_minimal_hippocampus",
]


@dataclass(frozen=True)
class Fit:
    """One row of the paper's tables of all-to-all fits; times in ms."""

    a2_plus: float
    a3_plus: float
    a2_minus: float
    a3_minus: float
    tau_x: float
    tau_y: float
    tau_plus: float = 16.8
    tau_minus: float = 33.7


FITS = {
    "stdp_triplet": Fit(5e-10, 6.2e-3, 7e-3, 2.3e-4, 101, 125),
    "stdp_triplet_minimal": Fit(0, 6.5e-3, 7.1e-3, 0, 1, 114),
    "stdp_triplet_hippocampus": Fit(6.1e-3, 6.7e-3, 1.6e-3, 1.4e-3, 946, 27),
    "stdp_triplet_minimal_hippocampus": Fit(5.3e-3, 8e-3, 3.5e-3, 0, 1, 40),
}


def summed(fit: Fit, arrivals: np.ndarray, spikes: np.ndarray) -> float:
    """Change of weight by two trains in ms: sums over earlier spikes of the other cell and of the own."""

    def trace(times, tau):
        return np.sum(np.exp(-times / tau))

    loss = sum(
        trace(t - spikes[spikes < t], fit.tau_minus)
        * (fit.a2_minus + fit.a3_minus * trace(t - arrivals[arrivals < t], fit.tau_x))
        for t in arrivals
    )
    gain = sum(
        trace(t - arrivals[arrivals <= t], fit.tau_plus)
        * (fit.a2_plus + fit.a3_plus * trace(t - spikes[spikes < t], fit.tau_y))
        for t in spikes
    )
    return float(gain - loss)


TRAINS = """
experiment: trains
region:
  region: trains
  populations:
    pre: {{neuron: {{name: poisson, parameters: {{rate: 30 Hz}}}}, size: 4}}
    post: {{neuron: {{name: poisson, parameters: {{rate: 30 Hz}}}}, size: 4}}
  projections:
    learning: {{from: pre, to: post, synapse: silent, plasticity: {rule}, connect: all, delay: 3 ms}}
run: {{duration: 800 ms, dt: 1 ms}}
record: {{spikes: [pre, post]}}
"""


@pytest.mark.parametrize("name", sorted(FITS))
def test_random_trains_with_a_delay_equal_sums_over_triplets(simulate, timed_cells, name):
    results = simulate(TRAINS.format(rule=name) + timed_cells)
    trains = {}
    for side, late in (("pre", 3), ("post", 0)):
        times, cells = results.spikes(side)
        steps = np.round(times * 1e3).astype(int) + late
        trains[side] = [np.sort(steps[(cells == k) & (steps < 800)]) for k in range(4)]
    weights = results.weights("learning")
    expected = [
        summed(FITS[name], trains["pre"][i], trains["post"][j])
        for i, j in zip(weights.source, weights.target, strict=True)
    ]
    assert np.max(np.abs(expected)) > 0.1
    assert weights.after["w"] - 1 == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["stdp_triplet", "stdp_triplet_minimal"])
@pytest.mark.parametrize(("a3_plus", "a2_minus", "limit"), [(2, 0, 3), (0, 2, 0)])
def test_weights_stay_between_zero_and_three(simulate, timed_cells, name, a3_plus, a2_minus, limit):
    strong = {"learning.plasticity.A3_plus": a3_plus, "learning.plasticity.A2_minus": a2_minus}
    after = simulate(TRAINS.format(rule=name) + timed_cells, set=strong).weights("learning").after["w"]
    assert np.sum(after == limit) > 4
    assert np.all((after >= 0) & (after <= 3))


# Cells that repeat a spike, or two at `gap`, every `period`; one pair of cells for each protocol.
PROTOCOLS = """
experiment: protocols
region:
  region: protocols
  populations:
    pre: {{neuron: regular, size: {n}, initial: {{period: {period}, first: {pre}, gap: {pre_gap}}}}}
    post: {{neuron: regular, size: {n}, initial: {{period: {period}, first: {post}, gap: {post_gap}}}}}
  projections:
    learning: {{from: pre, to: post, synapse: silent, plasticity: {rule}, connect: one_to_one, initial: {{w: 1}}}}
run: {{duration: {duration} ms, dt: 5 ms}}
---
neuron: regular
parameters:
  period: 1 s         # of the protocol
  first: 0 ms         # first spike
  gap: 0 ms           # from it to the second of the period
equations: |
  step = timestep(t, dt) - timestep(first, dt) : integer
  place = step % timestep(period, dt) : integer
threshold: step >= 0 and step < 59.5*period/dt and (place == 0 or place == timestep(gap, dt))
initial: {{period: 1 s, first: 0 ms, gap: 0 ms}}
"""


def simulated(simulate, cells: str, rule: str, protocols: list[tuple[float, list, list]]) -> np.ndarray:
    """Changes of weight by 60 repetitions; a protocol is its period, presynaptic and postsynaptic times, ms."""

    def column(values):
        return " + ".join(f"{value}*ms*int(i == {k})" for k, value in enumerate(values))

    periods, pre, post = zip(*protocols, strict=True)
    text = PROTOCOLS.format(
        rule=rule,
        n=len(protocols),
        period=column(periods),
        pre=column(50 + times[0] for times in pre),
        pre_gap=column(times[-1] - times[0] for times in pre),
        post=column(50 + times[0] for times in post),
        post_gap=column(times[-1] - times[0] for times in post),
        duration=60 * max(periods) + 50,
    )
    weights = simulate(text + cells).weights("learning")
    return (weights.after["w"] - 1)[np.argsort(weights.target)]


def repeated(fit: Fit, period: float, pre: list, post: list) -> float:
    """The same from the sums."""
    starts = period * np.arange(60)[:, None]
    return summed(fit, (starts + pre).ravel(), (starts + post).ravel())


# Pairing frequency in Hz -> change and its error; presynaptic first by 10 ms, and last.
VISUAL_CORTEX = {
    10: {10: (0.14, 0.10), 20: (0.29, 0.14), 40: (0.53, 0.11), 50: (0.56, 0.26)},
    -10: {10: (-0.41, 0.11), 20: (-0.34, 0.10), 40: (0.56, 0.32), 50: (0.75, 0.19)},
}


@pytest.mark.parametrize("name", ["stdp_triplet", "stdp_triplet_minimal"])
def test_potentiation_takes_over_when_pairs_are_frequent(simulate, timed_cells, name):
    points = [(lag, rate, *VISUAL_CORTEX[lag][rate]) for lag in (10, -10) for rate in (10, 20, 40, 50)]
    protocols = [(1000 / rate, [0], [lag]) for lag, rate, _, _ in points]
    change = simulated(simulate, timed_cells, name, protocols)
    assert change == pytest.approx([repeated(FITS[name], *protocol) for protocol in protocols], rel=1e-6)
    data, error = np.array(points)[:, 2:].T
    assert np.all(np.sign(change) == np.sign(data))
    assert np.mean(((change - data) / error) ** 2) < 0.5  # the fit is well inside the errors of the data


# Times in ms around the spike in the middle -> change of weight, 60 triplets at 1 Hz.
HIPPOCAMPUS = [
    ([-5, 5], [0], -0.01),
    ([-10, 10], [0], 0.03),
    ([-15, 5], [0], 0.01),
    ([-5, 15], [0], 0.24),
    ([0], [-5, 5], 0.33),
    ([0], [-10, 10], 0.34),
    ([0], [-5, 15], 0.22),
    ([0], [-15, 5], 0.29),
]


@pytest.mark.parametrize("name", ["stdp_triplet_hippocampus", "stdp_triplet_minimal_hippocampus"])
def test_triplets_of_either_order_differ(simulate, timed_cells, name):
    protocols = [(1000, pre, post) for pre, post, _ in HIPPOCAMPUS]
    change = simulated(simulate, timed_cells, name, protocols)
    assert change == pytest.approx([repeated(FITS[name], *protocol) for protocol in protocols], rel=1e-6)
    assert np.all(change[4:6] > change[:2] + 0.15)  # same distances, other order
    assert np.mean(np.abs(change - [point[2] for point in HIPPOCAMPUS])) < 0.1
