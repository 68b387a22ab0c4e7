"""graupner_brunel: one pair in closed form, drift at rest, spread by noise, and the curve of 60 pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["plasticity graupner_brunel"]

# Presynaptic spikes at 42 ms, postsynaptic ones from 40 ms before to 40 ms after; each pair from both stable states.
# The idle synapses only feel their own bistability.
PAIRS = """
experiment: pairs
region:
  region: pairs
  populations:
    pre: {neuron: timed, size: 34, initial: {t_spike: 42 ms}}
    post: {neuron: timed, size: 34, initial: {t_spike: 2*ms + 5*ms*(i//2)}}
    idle: {neuron: timed, size: 3}
  projections:
    paired:
      from: pre
      to: post
      synapse: silent
      plasticity: {name: graupner_brunel, parameters: {sigma: 0}}
      connect: one_to_one
      delay: 5 ms
      initial: {rho: i%2}
    resting:
      from: idle
      to: idle
      synapse: silent
      plasticity: graupner_brunel
      connect: one_to_one
      autapses: true
      initial: {rho: 0.3 + 0.3*i}
run: {duration: 110 ms, dt: 0.02 ms}
"""


def times_above(threshold: float, lag: float) -> list[float]:
    """How long calcium is above, after the first and after the second of its two steps; ms.

    Calcium by the presynaptic spike comes 13.7 ms after it.
    """
    steps = sorted([(13.7, 1.0), (lag, 2.0)])
    between = steps[1][0] - steps[0][0]
    first = 20 * math.log(max(steps[0][1] / threshold, 1))
    peak = steps[1][1] + steps[0][1] * math.exp(-between / 20)
    return [min(first, between), 20 * math.log(max(peak / threshold, 1))]


def after_pair(rho: float, lag: float) -> float:
    """Efficacy after one pair, without the bistability (which moves it 1e-5 in this time) and without noise."""
    for above_d, above_p in zip(times_above(1.0, lag), times_above(1.3, lag), strict=True):
        goal = 321.808 / 521.808
        rho = goal + (rho - goal) * math.exp(-521.808 * above_p / 150e3)
        rho *= math.exp(-200 * (above_d - above_p) / 150e3)
    return rho


def up_and_down(from_0: float, from_1: float, variance: float) -> tuple[float, float]:
    """Probabilities to change state by 60 pairs at 1 Hz, from what one pair does."""
    shrink = from_1 - from_0
    mean = from_0 / (1 - shrink)
    spread = math.sqrt(variance * (1 - shrink**120) / (1 - shrink**2))
    ends = mean * (1 - shrink**60), mean + (1 - mean) * shrink**60
    up, stay = (0.5 * math.erfc((0.5 - end) / (spread * math.sqrt(2))) for end in ends)
    return up, 1 - stay


def test_one_pair_in_closed_form_and_the_curve_of_sixty(simulate, timed_cells):
    results = simulate(PAIRS + timed_cells)
    weights = results.weights("paired")
    assert weights.after["w"] == pytest.approx(0.2 + 0.8 * weights.after["rho"], rel=1e-9)
    rho = weights.after["rho"][np.argsort(weights.target)]
    lags = -40.0 + 5 * np.arange(17)
    # A step of 0.02 ms above the threshold for potentiation is worth 321.808*0.02/150000 = 4e-5.
    assert rho[::2] == pytest.approx([after_pair(0, lag) for lag in lags], abs=8e-5)
    assert rho[1::2] == pytest.approx([after_pair(1, lag) for lag in lags], abs=8e-5)

    start = np.array([0.3, 0.6, 0.9])
    drift = -start * (1 - start) * (0.5 - start) * 0.11 / 150
    assert results.weights("resting").after["rho"] - start == pytest.approx(drift, rel=1e-3)

    # The DP curve: 60 pairs at 1 Hz, and strength w_1 = 5 w_0, half of the synapses in each state before.
    change, up = {}, {}
    for lag, from_0, from_1 in zip(lags, rho[::2], rho[1::2], strict=True):
        variance = 8 * (sum(times_above(1.0, lag)) + sum(times_above(1.3, lag))) / 150e3
        up[lag], down = up_and_down(from_0, from_1, variance)
        change[lag] = 0.5 * (1 - up[lag] + down + 5 * (up[lag] + 1 - down)) / 3
    assert all(value < 0.99 for lag, value in change.items() if lag < 0)
    assert all(value > 1.05 for lag, value in change.items() if lag > 0)
    assert change[0] == pytest.approx(1, abs=0.02)  # D was chosen for that
    # Largest and smallest change near the middle, and back towards none outside.
    assert max(change, key=change.get) in (5, 10)
    assert min(change, key=change.get) in (-25, -20)
    # From the parameters of the paper by a program that agrees with that of its authors.
    assert up[10] == pytest.approx(0.638, abs=0.01)
    assert up[-20] == pytest.approx(0.2385, abs=0.01)


def test_noise_spreads_while_calcium_is_high(simulate, timed_cells):
    """Its variance grows by sigma^2/tau in the time above each threshold."""
    text = """
experiment: noise
region:
  region: noise
  populations:
    pre: {neuron: timed, size: 1, initial: {t_spike: 22 ms}}
    post: {neuron: timed, size: 4000, initial: {t_spike: 2*ms + 30*ms*(i//2000)}}
  projections:
    paired: {from: pre, to: post, synapse: silent, plasticity: graupner_brunel, connect: all}
run: {duration: 75 ms, dt: 0.1 ms}
"""
    weights = simulate(text + timed_cells).weights("paired")
    for part, lag in enumerate((-20.0, 10.0)):
        rho = weights.after["rho"][weights.target // 2000 == part]
        assert rho.mean() == pytest.approx(after_pair(0, lag), abs=0.004)
        variance = 8 * (sum(times_above(1.0, lag)) + sum(times_above(1.3, lag))) / 150e3
        assert rho.var() == pytest.approx(variance, rel=0.1)
