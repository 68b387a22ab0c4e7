"""wang_buzsaki, traub_miles, connor_stevens, pinsky_rinzel: spike times against scipy, and what each is known for.

The equations are written here a second time, in mV, ms and uA/cm2, as the papers have them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy import exp
from scipy.integrate import solve_ivp

#: What this is the test of.
PARTS = ["neuron wang_buzsaki", "neuron traub_miles", "neuron connor_stevens", "neuron pinsky_rinzel"]

TEXT = """
experiment: step
region:
  region: cells
  populations:
    cell: {neuron: NEURON, size: 3, initial: {START, I_bias: DRIVE}}
run: {duration: 125 ms, dt: 0.05 ms}
record: {spikes: [cell]}
"""


def ratio(x: float, step: float) -> float:
    """x/(1 - exp(-x/step)), also where x is 0."""
    return step if abs(x) < 1e-9 else x / (1 - exp(-x / step))


def wang_buzsaki(t: float, y: Sequence[float], current: float) -> tuple[float, ...]:
    v, h, n = y
    a_m, b_m = 0.1 * ratio(v + 35, 10), 4 * exp(-(v + 60) / 18)
    a_h, b_h = 0.07 * exp(-(v + 58) / 20), 1 / (exp(-0.1 * (v + 28)) + 1)
    a_n, b_n = 0.01 * ratio(v + 34, 10), 0.125 * exp(-(v + 44) / 80)
    m = a_m / (a_m + b_m)
    dv = current - 35 * m**3 * h * (v - 55) - 9 * n**4 * (v + 90) - 0.1 * (v + 65)
    return dv, 5 * (a_h * (1 - h) - b_h * h), 5 * (a_n * (1 - n) - b_n * n)


def traub_miles(t: float, y: Sequence[float], current: float) -> tuple[float, ...]:
    v, m, h, n = y
    u = v + 63
    a_m, b_m = 0.32 * ratio(u - 13, 4), 0.28 * ratio(40 - u, 5)
    a_h, b_h = 0.128 * exp((17 - u) / 18), 4 / (1 + exp((40 - u) / 5))
    a_n, b_n = 0.032 * ratio(u - 15, 5), 0.5 * exp((10 - u) / 40)
    dv = current - 100 * m**3 * h * (v - 50) - 30 * n**4 * (v + 90) - 0.05 * (v + 60)
    return dv, a_m * (1 - m) - b_m * m, a_h * (1 - h) - b_h * h, a_n * (1 - n) - b_n * n


def connor_stevens(t: float, y: Sequence[float], current: float) -> tuple[float, ...]:
    v, m, h, n, a, b = y
    a_m, b_m = 0.38 * ratio(v + 29.7, 10), 15.2 * exp(-0.0556 * (v + 54.7))
    a_h, b_h = 0.266 * exp(-0.05 * (v + 48)), 3.8 / (1 + exp(-0.1 * (v + 18)))
    a_n, b_n = 0.02 * ratio(v + 45.7, 10), 0.25 * exp(-0.0125 * (v + 55.7))
    a_inf = (0.0761 * exp(0.0314 * (v + 94.22)) / (1 + exp(0.0346 * (v + 1.17)))) ** (1 / 3)
    b_inf = 1 / (1 + exp(0.0688 * (v + 53.3))) ** 4
    tau_a = 0.3632 + 1.158 / (1 + exp(0.0497 * (v + 55.96)))
    tau_b = 1.24 + 2.678 / (1 + exp(0.0624 * (v + 50)))
    dv = current - 120 * m**3 * h * (v - 55) - 20 * n**4 * (v + 72) - 47.7 * a**3 * b * (v + 75) - 0.3 * (v + 17)
    gates = (a_m * (1 - m) - b_m * m, a_h * (1 - h) - b_h * h, a_n * (1 - n) - b_n * n)
    return dv, *gates, (a_inf - a) / tau_a, (b_inf - b) / tau_b


def pinsky_rinzel(t: float, y: Sequence[float], soma: float, dendrite: float = 0) -> tuple[float, ...]:
    """In the paper's potentials, 0 at rest; 3 uF/cm2, half of the area soma."""
    v, w, h, n, s, c, q, ca = y
    a_m, b_m = 0.32 * ratio(v - 13.1, 4), 0.28 * ratio(40.1 - v, 5)
    a_n, b_n = 0.016 * ratio(v - 35.1, 5), 0.25 * exp(0.5 - 0.025 * v)
    a_h, b_h = 0.128 * exp((17 - v) / 18), 4 / (1 + exp((40 - v) / 5))
    a_s, b_s = 1.6 / (1 + exp(-0.072 * (w - 65))), 0.02 * ratio(51.1 - w, 5)
    a_c = exp((w - 10) / 11 - (w - 6.5) / 27) / 18.975 if w <= 50 else 2 * exp((6.5 - w) / 27)
    b_c = 2 * exp((6.5 - w) / 27) - a_c if w <= 50 else 0.0
    a_q = min(0.00002 * ca, 0.01)
    m = a_m / (a_m + b_m)
    i_ca = 10 * s**2 * (w - 140)
    dv = -0.1 * v - 30 * m**2 * h * (v - 120) - 15 * n * (v + 15) + 2.1 / 0.5 * (w - v) + soma / 0.5
    dw = -0.1 * w - i_ca - 0.8 * q * (w + 15) - 15 * c * min(ca / 250, 1) * (w + 15) + 2.1 / 0.5 * (v - w)
    gates = (a_h * (1 - h) - b_h * h, a_n * (1 - n) - b_n * n, a_s * (1 - s) - b_s * s, a_c * (1 - c) - b_c * c)
    return dv / 3, (dw + dendrite / 0.5) / 3, *gates, a_q * (1 - q) - 0.001 * q, -0.13 * i_ca - 0.075 * ca


def crossings(slope: Callable, start: Sequence[float], stop: float, level: float, *inputs: float) -> np.ndarray:
    """Times in ms at which the potential rises through ``level``."""

    def cross(t, y, *inputs):
        return y[0] - level

    cross.direction = 1
    options = {"method": "LSODA", "rtol": 1e-8, "atol": 1e-9, "max_step": 0.5}
    return solve_ivp(slope, (0, stop), start, args=inputs, events=cross, **options).t_events[0]


#: Cell -> its equations, where it starts, the potential its spikes are counted at, and currents in uA/cm2: one that
#: keeps it silent, one at which it fires slowly, and a strong one. 0.16 uA/cm2 is the published threshold of
#: wang_buzsaki; the leak of traub_miles alone makes it fire; the A-current of connor_stevens delays its first spike.
CELLS = {
    "wang_buzsaki": (wang_buzsaki, {"v": -64, "h": 0.78, "n": 0.09}, 0.0, (0.15, 0.2, 5)),
    "traub_miles": (traub_miles, {"v": -66, "m": 0.01, "h": 0.99, "n": 0.02}, -20.0, (-0.5, 0, 3)),
    "connor_stevens": (
        connor_stevens,
        {"v": -68, "m": 0.01, "h": 0.97, "n": 0.16, "a": 0.54, "b": 0.29},
        0.0,
        (8, 8.5, 12),
    ),
}


@pytest.mark.parametrize("name", CELLS)
def test_spike_times_match_an_independent_integration(simulate, name):
    slope, start, level, currents = CELLS[name]
    drive = " + ".join(f"{current * 200}*pA*int(i == {k})" for k, current in enumerate(currents))
    initial = ", ".join(f"{variable}: {value}{' mV' * (variable == 'v')}" for variable, value in start.items())
    text = TEXT.replace("NEURON", name).replace("START", initial).replace("DRIVE", drive)
    times, cells = simulate(text).spikes("cell")
    for k, current in enumerate(currents):
        expected = crossings(slope, list(start.values()), 124.9, level, current)
        found = times[cells == k] * 1e3
        assert len(found) == len(expected)
        assert len(found) == 0 or np.max(np.abs(found - expected)) < 0.12
        assert (len(found) > 0) == (k > 0)


BURST = """
experiment: burst
region:
  region: cells
  populations:
    pre: {neuron: timed, size: 1, initial: {t_spike: 0 ms}}
    cell:
      neuron: pinsky_rinzel
      size: 4
      initial:
        {v: -64.6 mV, v_d: -64.5 mV, h: 0.999, n: 0.001, s: 0.009, c: 0.007, q: 0.01, Ca: 0.2, I_bias: DRIVE}
  projections:
    inject: {from: pre, to: "cell[3:4]", synapse: steady, connect: all, port: I_dend}
run: {duration: 94 ms, dt: 0.05 ms}
record: {spikes: [cell], state: {cell: {variables: [v_d, q, Ca], every: 1 ms}}}
---
synapse: steady
on_pre: I_in_post = 150*pA
post:
  equations: |
    I_in : amp
  current: I_in
"""


def test_bursts_match_an_independent_integration(simulate, timed_cells):
    """Somatic -0.5, which keeps it silent, 0.75 and 2.5 uA/cm2, and 1.5 uA/cm2 into the dendrite."""
    inputs = [(-0.5, 0.0), (0.75, 0.0), (2.5, 0.0), (0.0, 1.5)]
    drive = " + ".join(f"{soma * 100}*pA*int(i == {k})" for k, (soma, _) in enumerate(inputs))
    start = (-4.6, -4.5, 0.999, 0.001, 0.009, 0.007, 0.01, 0.2)
    results = simulate(BURST.replace("DRIVE", drive) + timed_cells)
    times, cells = results.spikes("cell")
    late = {name: results.state("cell", name)[1][80] for name in ("v_d", "q", "Ca")}
    for k, currents in enumerate(inputs):
        expected = crossings(pinsky_rinzel, start, 93.9, 50, *currents)
        found = times[cells == k] * 1e3
        assert len(found) == len(expected) == (0, 1, 5, 4)[k]
        assert len(found) == 0 or np.max(np.abs(found - expected)) < 0.12
        if k in (0, 3):  # quiet at that moment, so that a step of difference does not matter
            end = solve_ivp(pinsky_rinzel, (0, 80), start, args=currents, method="LSODA", rtol=1e-8, atol=1e-9).y[:, -1]
            assert late["v_d"][k] * 1e3 == pytest.approx(end[1] - 60, abs=0.1)
            assert late["q"][k] == pytest.approx(end[6], rel=0.01)
            assert late["Ca"][k] == pytest.approx(end[7], rel=0.02)
    assert np.diff(times[cells == 3])[-1] < 5e-3  # a burst
