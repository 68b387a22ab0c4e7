"""gaba_b: conductance after one spike and after bursts, against scipy with square pulses of transmitter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

#: What this is the test of.
PARTS = ["synapse gaba_b"]

TEXT = """
experiment: burst
region:
  region: pair
  populations:
    pre: {neuron: timed, size: 10, initial: {t_spike: 10*ms + i*5*ms}}
    cell: {neuron: {name: lif, parameters: {g_L: 0.1 uS}}, size: 1, initial: {v: -70 mV}}
  projections:
    push: {from: "pre[0:1]", to: cell, synapse: gaba_b, connect: all}
run: {duration: 800 ms, dt: 0.2 ms}
record: {state: {cell: {variables: [v, g_gabab, I_gabab], every: 1 ms}}}
"""


def reference(times: np.ndarray, spikes: int) -> np.ndarray:
    """Conductance in nS: 0.5 mM of transmitter for 0.3 ms after each of ``spikes`` spikes, 5 ms apart; ms and mM."""

    def slope(t, y, transmitter):
        bound, protein = y
        return 0.52 * transmitter * (1 - bound) - 0.0013 * bound, 0.098 * bound - 0.033 * protein

    y, now, found = np.zeros(2), 0.0, np.zeros_like(times)
    edges = [(10 + 5 * k + extra, on) for k in range(spikes) for extra, on in ((0, 0.5), (0.3, 0.0))]
    for (until, _), on in zip([*edges, (times[-1] + 1, 0)], [0.0, *(on for _, on in edges)], strict=True):
        inside = (times >= now) & (times < until)
        solved = solve_ivp(
            slope,
            (now, until),
            y,
            args=(on,),
            dense_output=True,
            rtol=1e-9,
            atol=1e-12,
            max_step=max(until - now, 1) / 4,
        )
        if inside.any():
            protein = solved.sol(times[inside])[1]
            found[inside] = 10 * protein**4 / (protein**4 + 100)
        y, now = solved.y[:, -1], until
    return found


@pytest.mark.parametrize("spikes", [1, 10])
def test_conductance_matches_an_independent_integration(simulate, timed_cells, spikes):
    text = TEXT.replace("pre[0:1]", f"pre[0:{spikes}]")
    results = simulate(text + timed_cells)
    times, conductance = results.state("cell", "g_gabab")
    conductance = conductance[:, 0] * 1e9
    expected = reference(times * 1e3, spikes)
    assert np.max(np.abs(conductance - expected)) < 0.03 * expected.max()
    _, current = results.state("cell", "I_gabab")
    _, v = results.state("cell", "v")
    np.testing.assert_allclose(current[:, 0] * 1e12, conductance * (-95 - v[:, 0] * 1e3), rtol=1e-6, atol=1e-9)
    if spikes == 10:  # fourth power: ten spikes are worth far more than ten times one
        assert conductance.max() > 100 * reference(times * 1e3, 1).max()
        # slow, as the published response: its peak comes a good 100 ms after the burst
        assert 60 < times[np.argmax(conductance)] * 1e3 - 55 < 250
