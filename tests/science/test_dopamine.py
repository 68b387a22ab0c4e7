"""dopamine: spikes add to a level that decays in the receiving cell, and no current flows."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["synapse dopamine"]

TEXT = """
experiment: level
region:
  region: pair
  populations:
    dopamine: {neuron: timed, size: 2, initial: {t_spike: 20*ms + i*50*ms}}
    cell: {neuron: lif, size: 3, initial: {v: -70 mV}}
  projections:
    reward: {from: dopamine, to: cell, synapse: dopamine, connect: all}
run: {duration: 500 ms, dt: 0.5 ms}
record: {state: {cell: {variables: [DA, v]}}}
"""


def test_spikes_add_and_decay(simulate, timed_cells):
    results = simulate(TEXT + timed_cells)
    times, level = results.state("cell", "DA")
    times = times * 1e3
    expected = sum(0.5 * np.exp(-(times - t) / 200) * (times >= t) for t in (20.5, 70.5))
    for cell in range(3):
        assert level[:, cell] == pytest.approx(expected, rel=1e-6, abs=1e-12)
    _, v = results.state("cell", "v")
    assert v * 1e3 == pytest.approx(-70)
