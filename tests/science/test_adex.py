"""adex: nine spikes at 800 pA in 500 ms, at the times an independent integration gives."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["neuron adex"]

TEXT = """
experiment: step
region:
  region: cell
  populations:
    cell: {{neuron: {{name: adex, parameters: {{I_bias: 800 pA}}}}, size: 1}}
run: {{duration: 500 ms, dt: {dt} ms}}
record: {{spikes: [cell], state: {{cell: {{variables: [w]}}}}}}
"""


def reference(dt: float = 0.002, current: float = 800.0, stop: float = 500.0) -> np.ndarray:
    """Spike times in ms of Brette & Gerstner's regular spiking cell, fine Euler steps; mV, ms, pA, nS, pF."""
    c, g, rest, v_t, slope, tau_w, a, b = 281.0, 30.0, -70.6, -50.4, 2.0, 144.0, 4.0, 80.5
    v, w, times = rest, 0.0, []
    for step in range(round(stop / dt)):
        dv = (g * (rest - v) + g * slope * np.exp((v - v_t) / slope) - w + current) / c
        v, w = v + dt * dv, w + dt * (a * (v - rest) - w) / tau_w
        if v > 0:
            times.append(step * dt)
            v, w = rest, w + b
    return np.array(times)


def test_nine_spikes_at_800_pA(simulate):
    coarse, fine = (simulate(TEXT.format(dt=dt)).spikes("cell")[0] * 1e3 for dt in (0.1, 0.05))
    assert len(coarse) == len(fine) == 9
    # Euler's error is of the first order: it halves with the step, so twice the one minus the other has none.
    assert 2 * fine - coarse == pytest.approx(reference(), abs=0.3)


def test_each_spike_adds_b(simulate):
    results = simulate(TEXT.format(dt=0.1))
    _, w = results.state("cell", "w")
    assert np.max(np.diff(w[:, 0])) * 1e12 == pytest.approx(80.5, rel=0.01)
