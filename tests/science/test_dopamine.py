"""Neuromodulators: spikes add to a level that decays in the receiving cell, and no current flows."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["synapse dopamine", "synapse acetylcholine", "synapse noradrenaline", "synapse serotonin"]

TEXT = """
experiment: level
region:
  region: pair
  populations:
    source: {neuron: timed, size: 2, initial: {t_spike: 20*ms + i*50*ms}}
    cell: {neuron: lif, size: 3, initial: {v: -70 mV}}
  projections:
    broadcast: {from: source, to: cell, synapse: SYNAPSE, connect: all}
run: {duration: 500 ms, dt: 0.5 ms}
record: {state: {cell: {variables: [LEVEL, v]}}}
"""


@pytest.mark.parametrize(
    ("synapse", "name", "dose", "life"),
    [
        ("dopamine", "DA", 0.5, 200),
        ("acetylcholine", "ACh", 1, 1000),
        ("noradrenaline", "NA", 1, 1000),
        ("serotonin", "HT", 1, 3000),
    ],
)
def test_spikes_add_and_decay(simulate, timed_cells, synapse, name, dose, life):
    results = simulate(TEXT.replace("SYNAPSE", synapse).replace("LEVEL", name) + timed_cells)
    times, level = results.state("cell", name)
    times = times * 1e3
    expected = sum(dose * np.exp(-(times - t) / life) * (times >= t) for t in (20.5, 70.5))
    for cell in range(3):
        assert level[:, cell] == pytest.approx(expected, rel=1e-6, abs=1e-12)
    _, v = results.state("cell", "v")
    assert v * 1e3 == pytest.approx(-70)
