"""izhikevich: 23 spikes of the regular spiking cell at I = 10, and the kinds of the paper."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["neuron izhikevich"]

TEXT = """
experiment: rs
region:
  region: cell
  populations:
    cell: {{neuron: {{name: izhikevich, parameters: {{I_bias: 10 mV}}}}, size: 1}}
run: {{duration: 1 s, dt: {dt} ms}}
record: {{spikes: [cell]}}
"""


def reference(dt: float, a=0.02, b=0.2, c=-65.0, d=8.0, current=10.0, stop=1000.0) -> np.ndarray:
    """Spike times in ms, Euler from v = -65, u = b v, in the paper's plain numbers."""
    v, u, times = -65.0, b * -65.0, []
    for step in range(round(stop / dt)):
        v, u = v + dt * (0.04 * v * v + 5 * v + 140 - u + current), u + dt * a * (b * v - u)
        if v >= 30:
            times.append(step * dt)
            v, u = c, u + d
    return np.array(times)


@pytest.mark.parametrize("dt", [0.5, 0.25, 0.1])
def test_23_spikes_of_the_regular_spiking_cell(simulate, dt):
    times, _ = simulate(TEXT.format(dt=dt)).spikes("cell")
    assert len(times) == 23
    assert times * 1e3 == pytest.approx(reference(dt), abs=1.01 * dt)


@pytest.mark.parametrize("kind", [{"c": -50.0, "d": 2.0}, {"a": 0.1, "d": 2.0}, {"b": 0.25, "d": 2.0}])
def test_other_kinds_need_only_other_numbers(simulate, kind):
    """Chattering, fast spiking, low-threshold spiking."""
    units = {"a": "1/ms", "b": "", "c": "mV", "d": "mV"}
    values = {f"cell.neuron.{k}": f"{v} {units[k]}".strip() for k, v in kind.items()}
    times, _ = simulate(TEXT.format(dt=0.25), set={**values, "run.duration": "300 ms"}).spikes("cell")
    expected = reference(0.25, stop=300.0, **kind)
    assert len(times) == len(expected)
    assert times * 1e3 == pytest.approx(expected, abs=0.51)
