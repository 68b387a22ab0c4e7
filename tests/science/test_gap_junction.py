"""gap_junction: coupling coefficient and time constants of two passive cells in closed form."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["synapse gap_junction"]

TEXT = """
experiment: coupled
region:
  region: pair
  populations:
    cell: {neuron: lif, size: 2, initial: {v: -70 mV, I_bias: 50*pA*int(i == 0)}}
  projections:
    junction: {from: cell, to: cell, synapse: gap_junction, connect: all, initial: {w: 2}}
run: {duration: 200 ms, dt: 0.05 ms}
record: {state: {cell: {variables: [v, I_gap]}}}
"""


def test_two_passive_cells(simulate):
    """Sum and difference of the potentials relax on their own: with the leak, and with the leak and two junctions."""
    results = simulate(TEXT)
    times, v = results.state("cell", "v")
    v, times = v * 1e3 + 70, times * 1e3
    g_leak, g_gap, c_m, current = 10.0, 2 * 0.5, 200.0, 50.0  # nS, nS, pF, pA
    total = current / g_leak * (1 - np.exp(-times * g_leak / c_m))
    apart = current / (g_leak + 2 * g_gap) * (1 - np.exp(-times * (g_leak + 2 * g_gap) / c_m))
    np.testing.assert_allclose(v.sum(axis=1), total, atol=2e-3 * total[-1])
    np.testing.assert_allclose(v[:, 0] - v[:, 1], apart, atol=2e-3 * apart[-1])
    assert v[-1, 1] / v[-1, 0] == pytest.approx(g_gap / (g_gap + g_leak), rel=1e-3)  # coupling coefficient
    _, gap = results.state("cell", "I_gap")
    np.testing.assert_allclose(gap.sum(axis=1), 0, atol=1e-20)  # what one loses the other gains
