"""lif_poisson: mean and spread of the free membrane under its private Poisson input (Campbell's theorem)."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["neuron lif_poisson"]

TEXT = """
experiment: shot_noise
region:
  region: cells
  populations:
    cell: {neuron: lif_poisson, size: 200}
run: {duration: 600 ms, dt: 0.1 ms, seed: 3}
record: {spikes: [cell], state: {cell: {variables: [v], every: 5 ms}}}
"""


def test_free_membrane_has_campbells_mean_and_variance(simulate):
    """Far below threshold: mean J K r tau, variance J^2 K r tau / 2."""
    results = simulate(TEXT, set={"cell.neuron.rate_ext": "5 Hz"})
    times, v = results.state("cell", "v")
    v = v[times > 0.15] * 1e3
    assert v.mean() == pytest.approx(0.1 * 1000 * 5 * 0.02, rel=0.02)
    assert v.var() == pytest.approx(0.1**2 * 1000 * 5 * 0.02 / 2, rel=0.1)
    assert len(results.spikes("cell")[0]) == 0


def test_rate_matches_mean_field(simulate):
    """Brunel (2000), eq. 21, for eta = 2 without recurrent input: mean 40 mV, sigma 2 mV."""
    results = simulate(TEXT)
    times, _ = results.spikes("cell")
    rate = np.sum(times > 0.1) / 200 / 0.5
    # test_brunel.py has the formula: cell_rate(40, 2). Steps of 0.1 ms and jumps of finite size cost 1 to 2 %.
    assert rate == pytest.approx(98.9, rel=0.025)
