"""vogels_abbott: the two cells of the benchmarks, driven and at rest."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["neuron vogels_abbott"]

TEXT = """
experiment: free
region:
  region: cell
  populations:
    cell: {neuron: vogels_abbott, size: 200}
run: {duration: 1 s, dt: 0.1 ms, seed: 1}
record: {spikes: [cell], state: {cell: {variables: [v], every: 10 ms}}}
"""


def test_with_the_rest_above_threshold_it_paces_itself(simulate):
    """CUBA: E_L = -49 mV, 1 mV above threshold: period t_ref + tau ln(11/1)."""
    times, cells = simulate(TEXT, set={"cell.neuron.E_L": "-49 mV"}).spikes("cell")
    period = np.diff(times[cells == 0]) * 1e3
    assert period == pytest.approx(5 + 20 * np.log(11), abs=0.11)


def test_alone_it_rests_at_minus_60_and_starts_anywhere_below_threshold(simulate):
    results = simulate(TEXT)
    _, v = results.state("cell", "v")
    assert len(results.spikes("cell")[0]) == 0
    assert v[-1] * 1e3 == pytest.approx(-60, abs=1e-3)
    assert v[0].min() * 1e3 == pytest.approx(-60, abs=0.5)
    assert v[0].max() * 1e3 == pytest.approx(-50, abs=0.5)


def test_from_the_start_the_period_of_a_driven_cell_is_that_of_the_paper(simulate):
    """COBA: 200 pA lift the steady potential to -40 mV; period t_ref + tau ln 2."""
    times, cells = simulate(TEXT, set={"cell.neuron.I_bias": "200 pA"}).spikes("cell")
    assert np.diff(times[cells == 0]) * 1e3 == pytest.approx(5 + 20 * np.log(2), abs=0.11)
