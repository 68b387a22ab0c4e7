"""lif: the period of a driven cell against the closed form, and what the refractory period does."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["neuron lif"]

# Values of the file's own defaults, in ms, mV, pA, nS, pF.
C_M, G_L, E_L, V_TH, V_R, T_REF = 200.0, 10.0, -70.0, -50.0, -65.0, 2.0
TAU = C_M / G_L

ONE_CELL = """
experiment: driven
region:
  region: cell
  populations:
    cell: {{neuron: {{name: lif, parameters: {{I_bias: {current} pA}}}}, size: 1, initial: {{v: -70 mV}}}}
run: {{duration: 1 s, dt: {dt} ms, seed: 1}}
record: {{spikes: [cell], state: {{cell: {{variables: [v]}}}}}}
"""


@pytest.mark.parametrize("current", [220, 300, 600])
@pytest.mark.parametrize("dt", [0.1, 0.5])
def test_period_matches_the_closed_form(simulate, current, dt):
    times, _ = simulate(ONE_CELL.format(current=current, dt=dt)).spikes("cell")
    v_inf = E_L + current / G_L
    rise = TAU * np.log((v_inf - V_R) / (v_inf - V_TH))
    # Integration is exact, the crossing is seen at the next step, and Brian2 holds the cell for t_ref minus one step.
    expected = np.ceil(rise / dt) * dt + T_REF - dt
    assert np.diff(times) * 1e3 == pytest.approx(expected, abs=1e-6)
    first = np.ceil(TAU * np.log((v_inf - E_L) / (v_inf - V_TH)) / dt) * dt - dt
    assert times[0] * 1e3 == pytest.approx(first, abs=1e-6)


def test_below_threshold_it_charges_exponentially_and_never_fires(simulate):
    results = simulate(ONE_CELL.format(current=190, dt=0.1))
    assert len(results.spikes("cell")[0]) == 0
    times, v = results.state("cell", "v")
    assert v[:, 0] * 1e3 == pytest.approx(E_L + 19 * (1 - np.exp(-times * 1e3 / TAU)), abs=1e-6)


def test_input_in_the_refractory_period_is_lost(simulate, timed_cells):
    text = """
experiment: refractory
region:
  region: cell
  populations:
    early: {neuron: timed, size: 1, initial: {t_spike: 10 ms}}
    late: {neuron: timed, size: 2, initial: {t_spike: 11 ms + i*(1.5*ms)}}
    cell: {neuron: lif, size: 2, initial: {v: -70 mV}}
  projections:
    fire: {from: early, to: cell, synapse: {name: delta, parameters: {J: 30 mV}}, connect: all}
    push: {from: late, to: cell, synapse: {name: delta, parameters: {J: 5 mV}}, connect: one_to_one}
run: {duration: 20 ms, dt: 0.1 ms}
record: {spikes: [cell], state: {cell: {variables: [v]}}}
"""
    results = simulate(text.replace("11 ms +", "11*ms +") + timed_cells)
    fired, _ = results.spikes("cell")
    assert fired * 1e3 == pytest.approx([10.1, 10.1])
    times, v = results.state("cell", "v")
    after = np.argmin(np.abs(times - 12.7e-3))
    # Cell 0 was pushed 0.9 ms after its spike: lost. Cell 1 was pushed after 2.4 ms: it counts.
    assert v[after, 1] - v[after, 0] == pytest.approx(5e-3, rel=0.02)
