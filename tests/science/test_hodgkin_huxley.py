"""hodgkin_huxley: 69 spikes at 10 uA/cm2 in 1 s, at the times an independent integration gives."""

from __future__ import annotations

from math import exp

import pytest

#: What this is the test of.
PARTS = ["neuron hodgkin_huxley"]

TEXT = """
experiment: step
region:
  region: cell
  populations:
    cell: {neuron: {name: hodgkin_huxley, parameters: {I_bias: 2 nA}}, size: 1}
run: {duration: 1 s, dt: 0.05 ms}
record: {spikes: [cell]}
"""


def slope(y: tuple[float, ...], current: float) -> tuple[float, ...]:
    """Right side of the equations of 1952 in the modern sign convention; mV, ms, uA/cm2."""
    v, m, h, n = y
    a_m = 0.1 * (v + 40) / (1 - exp(-(v + 40) / 10)) if abs(v + 40) > 1e-9 else 1.0
    a_n = 0.01 * (v + 55) / (1 - exp(-(v + 55) / 10)) if abs(v + 55) > 1e-9 else 0.1
    a_h, b_h = 0.07 * exp(-(v + 65) / 20), 1 / (1 + exp(-(v + 35) / 10))
    b_m, b_n = 4 * exp(-(v + 65) / 18), 0.125 * exp(-(v + 65) / 80)
    ions = 120 * m**3 * h * (50 - v) + 36 * n**4 * (-77 - v) + 0.3 * (-54.4 - v)
    return ions + current, a_m * (1 - m) - b_m * m, a_h * (1 - h) - b_h * h, a_n * (1 - n) - b_n * n


def step(y: tuple[float, ...], current: float, dt: float) -> tuple[float, ...]:
    """One step of the classical Runge-Kutta method."""

    def ahead(k: tuple[float, ...], by: float) -> tuple[float, ...]:
        return tuple(a + by * b for a, b in zip(y, k, strict=True))

    k1 = slope(y, current)
    k2 = slope(ahead(k1, dt / 2), current)
    k3 = slope(ahead(k2, dt / 2), current)
    k4 = slope(ahead(k3, dt), current)
    return tuple(a + dt / 6 * (p + 2 * q + 2 * r + s) for a, p, q, r, s in zip(y, k1, k2, k3, k4, strict=True))


def reference(dt: float = 0.05, current: float = 10.0, stop: float = 1000.0) -> list[float]:
    """Times in ms at which v has risen through 0 mV."""
    y, times = (-65.0, 0.0529, 0.5961, 0.3177), []
    for number in range(round(stop / dt)):
        new = step(y, current, dt)
        if new[0] > 0 >= y[0]:
            times.append(number * dt)
        y = new
    return times


def test_69_spikes_at_10_uA_per_cm2(simulate):
    times, _ = simulate(TEXT).spikes("cell")
    assert len(times) == 69
    assert times * 1e3 == pytest.approx(reference(), abs=0.06)


def test_it_is_silent_below_the_rheobase(simulate):
    """2 uA/cm2 evoke no train."""
    times, _ = simulate(TEXT, set={"cell.neuron.I_bias": "0.4 nA", "run.duration": "200 ms"}).spikes("cell")
    assert len(times) <= 1
