"""alpha, double_exponential: peak, time of the peak and shape of the current in closed form, and the PSP by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

#: What this is the test of.
PARTS = ["synapse alpha", "synapse double_exponential"]

TEXT = """
experiment: psc
region:
  region: pair
  populations:
    pre: {{neuron: timed, size: 2, initial: {{t_spike: 5*ms + i*60*ms}}}}
    cell: {{neuron: lif, size: 1, initial: {{v: -70 mV}}}}
  projections:
    push: {{from: pre, to: cell, synapse: {synapse}, connect: all, delay: 1 ms}}
run: {{duration: 120 ms, dt: 0.02 ms}}
record: {{state: {{cell: {{variables: [v, {current}]}}}}}}
"""


def alpha(t: np.ndarray, tau: float = 2.0) -> np.ndarray:
    """Peak 1 at tau; t in ms."""
    return np.where(t > 0, t / tau * np.exp(1 - t / tau), 0.0)


def double(t: np.ndarray, rise: float = 1.0, decay: float = 5.0) -> np.ndarray:
    """Difference of exponentials with a peak of 1."""
    peak = rise * decay / (decay - rise) * np.log(decay / rise)
    height = np.exp(-peak / decay) - np.exp(-peak / rise)
    return np.where(t > 0, (np.exp(-t / decay) - np.exp(-t / rise)) / height, 0.0)


@pytest.mark.parametrize(
    ("synapse", "current", "course", "peak"),
    [
        ("alpha", "I_alpha", alpha, 2.0),
        ("double_exponential", "I_dexp", double, 1 * 5 / (5 - 1) * np.log(5)),
    ],
)
def test_current_and_psp(simulate, timed_cells, synapse, current, course, peak):
    results = simulate(TEXT.format(synapse=synapse, current=current) + timed_cells)
    times, found = results.state("cell", current)
    since = times * 1e3 - 6.02  # the step after the arrival is the first that sees it
    found = found[:, 0] * 1e12
    np.testing.assert_allclose(found, 20 * (course(since) + course(since - 60)), atol=0.012 * 20)
    first = since < 55
    assert since[first][np.argmax(found[first])] == pytest.approx(peak, abs=0.06)
    assert found[first].max() == pytest.approx(20, rel=0.01)  # the weight is the peak

    def slope(t, y):
        return (10 * (-70 - y) + 20 * course(t)) / 200

    late = (since > 0) & first
    expected = solve_ivp(slope, (0, 55), [-70.0], t_eval=since[late], rtol=1e-8, atol=1e-8, max_step=1).y[0] + 70
    v = results.state("cell", "v")[1][late, 0] * 1e3 + 70
    assert np.max(np.abs(v - expected)) < 0.02 * expected.max()
