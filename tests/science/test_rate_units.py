"""rate_unit, wilson_cowan, rate: fixed points and courses in closed form, and the limit cycle by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

#: What this is the test of.
PARTS = [
    "neuron rate_unit",
    "neuron wilson_cowan",
    "neuron wilson_cowan_inhibitory",
    "synapse rate",
]

LINEAR = """
experiment: linear
region:
  region: units
  populations:
    alone: {neuron: {name: rate_unit, parameters: {I_bias: 5, theta: 2}}, size: 1}
    rival: {neuron: rate_unit, size: 2, initial: {I_bias: 5 - i}}
  projections:
    itself: {from: alone, to: alone, synapse: rate, connect: all, autapses: true, initial: {w: 0.5}}
    rivalry: {from: rival, to: rival, synapse: rate, connect: all, initial: {w: -2}}
run: {duration: 150 ms, dt: 0.05 ms}
record: {state: {alone: {variables: [r]}, rival: {variables: [r]}}}
"""


def test_self_excitation_amplifies_and_slows_and_the_stronger_rival_wins(simulate):
    results = simulate(LINEAR)
    times, r = results.state("alone", "r")
    expected = (5 - 2) / (1 - 0.5) * (1 - np.exp(-times * 1e3 * (1 - 0.5) / 10))
    np.testing.assert_allclose(r[:, 0], expected, atol=0.005 * 6)
    _, r = results.state("rival", "r")
    np.testing.assert_allclose(r[-1], [5, 0], atol=1e-3)


CYCLE = """
experiment: cycle
region:
  region: units
  populations:
    E: {neuron: {name: wilson_cowan, parameters: {I_bias: 1.25}}, size: 1}
    I: {neuron: wilson_cowan_inhibitory, size: 1}
  projections:
    EE: {from: E, to: E, synapse: rate, connect: all, autapses: true, initial: {w: 16}}
    IE: {from: I, to: E, synapse: rate, connect: all, initial: {w: -12}}
    EI: {from: E, to: I, synapse: rate, connect: all, initial: {w: 15}}
    II: {from: I, to: I, synapse: rate, connect: all, autapses: true, initial: {w: -3}}
run: {duration: 250 ms, dt: 0.05 ms}
record: {state: {E: {variables: [r]}, I: {variables: [r]}}}
"""


def reference(times: np.ndarray, drive: float) -> np.ndarray:
    """The two populations of Wilson and Cowan (1972) with the numbers of their limit cycle; ms."""

    def squash(x, a, theta):
        return 1 / (1 + np.exp(-a * (x - theta))) - 1 / (1 + np.exp(a * theta))

    def top(a, theta):
        return 1 - 1 / (1 + np.exp(a * theta))

    def slope(t, y):
        e, i = y
        up = (top(1.3, 4) - e) * squash(16 * e - 12 * i + drive, 1.3, 4)
        down = (top(2, 3.7) - i) * squash(15 * e - 3 * i, 2, 3.7)
        return (-e + up) / 10, (-i + down) / 10

    return solve_ivp(slope, (0, times[-1]), [0, 0], t_eval=times, rtol=1e-9, atol=1e-10).y


def period(times: np.ndarray, course: np.ndarray) -> float:
    """Mean time between upward crossings of the middle, in the second half."""
    late = times > times[-1] / 3
    middle = (course[late].max() + course[late].min()) / 2
    up = np.flatnonzero((course[late][1:] > middle) & (course[late][:-1] <= middle))
    return float(np.diff(times[late][up]).mean())


def test_the_published_limit_cycle(simulate):
    results = simulate(CYCLE)
    times, e = results.state("E", "r")
    _, i = results.state("I", "r")
    times = times * 1e3
    expected = reference(times, 1.25)
    late = times > 100
    for found, wanted in ((e[:, 0], expected[0]), (i[:, 0], expected[1])):
        # what couples the units is held over a step: 1.4 ms of the period at this dt, half of it at half the dt
        assert period(times, found) == pytest.approx(period(times, wanted), rel=0.04)
        assert found[late].max() == pytest.approx(wanted[late].max(), rel=0.02)
        assert found[late].min() == pytest.approx(wanted[late].min(), rel=0.08)
    assert np.ptp(e[late]) > 0.15  # it does swing


def test_without_drive_it_stays_at_rest(simulate):
    results = simulate(CYCLE, set={"E.neuron.I_bias": 0, "run.duration": "100 ms"})
    assert np.abs(results.state("E", "r")[1]).max() < 1e-9
