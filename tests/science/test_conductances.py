"""ampa, gaba_a: conductance and PSP against an independent integration with scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

#: What this is the test of.
PARTS = ["synapse ampa", "synapse gaba_a"]

TEXT = """
experiment: psp
region:
  region: pair
  populations:
    pre: {{neuron: timed, size: 1, initial: {{t_spike: 10 ms}}}}
    cell: {{neuron: lif, size: 1, initial: {{v: -70 mV}}}}
  projections:
    push: {{from: pre, to: cell, synapse: {synapse}, connect: all, delay: 1 ms}}
run: {{duration: 80 ms, dt: 0.05 ms}}
record: {{state: {{cell: {{variables: [v, {g}]}}}}}}
"""


def membrane(times: np.ndarray, g0: float, tau: float, reversal: float) -> np.ndarray:
    """Potential in mV of the passive cell (200 pF, 10 nS, -70 mV) after a conductance step of g0 nS at time 0."""

    def slope(t, v):
        return (10 * (-70 - v) + g0 * np.exp(-t / tau) * (reversal - v)) / 200

    solution = solve_ivp(slope, (0, times[-1]), [-70.0], t_eval=times, rtol=1e-9, atol=1e-9)
    return solution.y[0]


@pytest.mark.parametrize(
    ("synapse", "g", "g0", "tau", "reversal"),
    [("ampa", "g_ampa", 2.0, 5.0, 0.0), ("gaba_a", "g_gaba", 4.0, 10.0, -80.0)],
)
def test_psp_matches_an_independent_integration(simulate, timed_cells, synapse, g, g0, tau, reversal):
    results = simulate(TEXT.format(synapse=synapse, g=g) + timed_cells)
    times, v = results.state("cell", "v")
    _, conductance = results.state("cell", g)
    late = times * 1e3 > 11.04
    since = times[late] * 1e3 - 11.05  # the step after the arrival is the first that sees it
    assert np.all(conductance[~late] == 0)
    assert conductance[late, 0] * 1e9 == pytest.approx(g0 * np.exp(-since / tau), rel=1e-6)
    expected = membrane(since, g0, tau, reversal) + 70
    assert np.max(np.abs(v[late, 0] * 1e3 + 70 - expected)) < 0.02 * np.max(np.abs(expected))
    assert np.sign(expected[100]) == np.sign(reversal + 70)


def test_two_spikes_add_up(simulate, timed_cells):
    text = TEXT.format(synapse="ampa", g="g_ampa").replace(
        "pre: {neuron: timed, size: 1", "pre: {neuron: timed, size: 2"
    )
    _, conductance = simulate(text + timed_cells).state("cell", "g_ampa")
    assert np.max(conductance) * 1e9 == pytest.approx(4.0, rel=1e-6)
