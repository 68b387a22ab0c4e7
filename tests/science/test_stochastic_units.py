"""bernoulli, mcculloch_pitts, pulse, lif_escape: probabilities of firing in closed form, and logic by thresholds."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["neuron bernoulli", "neuron mcculloch_pitts", "synapse pulse", "neuron lif_escape"]

LOGIC = """
experiment: logic
region:
  region: net
  populations:
    many: {neuron: bernoulli, size: 500, initial: {I_bias: -3 + 6*i/(N - 1)}}
    input: {neuron: bernoulli, size: 2}
    either: {neuron: mcculloch_pitts, size: 1}
    both: {neuron: {name: mcculloch_pitts, parameters: {theta: 2}}, size: 1}
    one: {neuron: mcculloch_pitts, size: 1}
  projections:
    in_either: {from: input, to: either, synapse: pulse, connect: all}
    in_both: {from: input, to: both, synapse: pulse, connect: all}
    excite: {from: either, to: one, synapse: pulse, connect: all}
    inhibit: {from: both, to: one, synapse: pulse, connect: all, initial: {w: -1}}
run: {duration: 1 s, dt: 1 ms, seed: 1}
record: {spikes: [many, input, either, both, one]}
"""


def test_probabilities_and_exclusive_or(simulate):
    """Two coins, and one unit that says two steps later whether exactly one of them showed heads."""
    results = simulate(LOGIC)
    _, cells = results.spikes("many")
    counts = np.bincount(cells.astype(int), minlength=500).reshape(10, 50).sum(axis=1)
    drive = -3 + 6 * np.arange(500) / 499
    expected = (1000 / (1 + np.exp(-drive))).reshape(10, 50).sum(axis=1)
    np.testing.assert_allclose(counts, expected, atol=4.5 * np.sqrt(50000 * 0.25))

    def train(name: str, cell: int = 0) -> np.ndarray:
        times, cells = results.spikes(name)
        fired = np.zeros(1000, int)
        fired[np.rint(times[cells == cell] * 1e3).astype(int)] = 1
        return fired

    first, second = train("input", 0), train("input", 1)
    assert abs(first.mean() - 0.5) < 0.07
    np.testing.assert_array_equal(train("either")[1:], (first | second)[:-1])
    np.testing.assert_array_equal(train("both")[1:], (first & second)[:-1])
    np.testing.assert_array_equal(train("one")[2:], (first ^ second)[:-2])


ESCAPE = """
experiment: escape
region:
  region: cells
  parameters: {E: -70 mV}
  populations:
    cell: {neuron: {name: lif_escape, parameters: {E_L: E, V_r: E}}, size: 500, initial: {v: E_L}}
run: {duration: 1 s, dt: 0.5 ms, seed: 1}
record: {spikes: [cell]}
"""


@pytest.mark.parametrize("potential", [-66, -54])
def test_escape_at_a_fixed_potential(simulate, potential):
    """Mean interval: the refractory 2 ms, and a wait whose rate is 1/ms times exp((v - V_th)/4 mV)."""
    times, _ = simulate(ESCAPE, set={"E": f"{potential} mV"}).spikes("cell")
    p = 1 - np.exp(-np.exp((potential + 50) / 4) * 0.5)
    rate = 1e3 / (2 + 0.5 * (1 - p) / p)
    assert len(times) / 500 == pytest.approx(rate, abs=4 * np.sqrt(rate / 500) + 0.005 * rate)
