"""Stochastic and binary units: probabilities of firing in closed form, and logic by thresholds."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = [
    "neuron bernoulli",
    "neuron mcculloch_pitts",
    "synapse pulse",
    "neuron lif_escape",
    "neuron linear_nonlinear_poisson",
]

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


FILTERED = """
experiment: filtered
region:
  region: units
  populations:
    unit: {neuron: linear_nonlinear_poisson, size: 501, initial: {I_bias: 300*pA*i/(N - 1)}}
run: {duration: 1 s, dt: 0.5 ms, seed: 1}
record: {spikes: [unit], state: {unit: {variables: [v, rate], every: 0.5 ms, sample: 6}}}
"""


def test_a_rate_that_follows_the_filtered_input(simulate):
    """20 ms, 100 Mohm, and a sigmoid of 100 Hz about 15 mV; spikes are those of a Poisson process with that rate."""
    results = simulate(FILTERED)
    times, v = results.state("unit", "v")
    _, rate = results.state("unit", "rate")
    drive = 30 * np.linspace(0, 1, 6)  # mV
    course = drive * (1 - np.exp(-times[:, None] / 0.02))
    np.testing.assert_allclose(v * 1e3, course, atol=1e-6)
    np.testing.assert_allclose(rate, 100 / (1 + np.exp(-(course - 15) / 3)), rtol=1e-6)
    _, cells = results.spikes("unit")
    counts = np.bincount(cells.astype(int), minlength=501)[:500].reshape(10, 50).sum(axis=1)
    steps = np.arange(2000)[:, None] * 0.5e-3
    rates = 100 / (1 + np.exp(-(30 * np.arange(500) / 500 * (1 - np.exp(-steps / 0.02)) - 15) / 3))
    expected = (1 - np.exp(-rates * 0.5e-3)).sum(axis=0).reshape(10, 50).sum(axis=1)
    assert np.all(np.abs(counts - expected) < 4.5 * np.sqrt(expected))
    assert len(np.unique(np.diff(np.sort(results.spikes("unit")[0][cells == 500])))) > 10  # at random, not in step
