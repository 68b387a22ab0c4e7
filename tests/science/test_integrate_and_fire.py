"""Integrate-and-fire cells with a constant drive: closed forms of their periods, and rheobases."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = [
    "neuron integrate_and_fire",
    "neuron lif_adaptive_threshold",
    "neuron lif_ahp",
    "neuron quadratic_if",
    "neuron exponential_if",
]

DT = 0.1
#: Part -> drive in pA of its three cells.
DRIVES = {
    "integrate_and_fire": (60, 150, 600),
    "lif_adaptive_threshold": (250, 400, 800),
    "lif_ahp": (250, 400, 800),
    "quadratic_if": (37, 40, 100),  # the rheobase is 10 nS times 15 mV over 4: 37.5 pA
    "exponential_if": (15.9, 20, 50),  # 10 nS times (5.1 - 3.48) mV: 16.2 pA
}

TEXT = """
experiment: driven
region:
  region: cells
  populations:
{cells}
run: {{duration: 700 ms, dt: {dt} ms}}
record: {{spikes: [{names}]}}
"""


@pytest.fixture
def trains(simulate) -> dict[str, list[np.ndarray]]:
    """Spike times in ms of the three cells of each part, from rest."""
    cells = "".join(
        f"    {name}: {{neuron: {name}, size: 3, initial: {{v: {'-70*mV' if 'lif' in name else '-65*mV'}, "
        f"I_bias: {a}*pA*(i == 0) + {b}*pA*(i == 1) + {c}*pA*(i == 2)}}}}\n"
        for name, (a, b, c) in DRIVES.items()
    )
    results = simulate(TEXT.format(cells=cells, dt=DT, names=", ".join(DRIVES)))
    found = {}
    for name in DRIVES:
        times, ids = results.spikes(name)
        found[name] = [times[ids == cell] * 1e3 for cell in range(3)]
    return found


def lif_step(v: float, g: float, current: float) -> float:
    """One exact step of a leaky membrane, 200 pF and 10 nS, with a constant potassium conductance g on top."""
    total = 10 + g
    v_inf = (10 * -70 + g * -80 + current) / total
    return v_inf + (v - v_inf) * np.exp(-DT * total / 200)


def adapting(current: float, jump_theta: float, jump_g: float) -> np.ndarray:
    """Spike times of a leaky cell with a threshold that decays in 200 ms and a conductance that decays in 100 ms."""
    v, theta, g, times = -70.0, 0.0, 0.0, []
    for step in range(round(700 / DT)):
        free = not times or step * DT - times[-1] > 2 - DT / 2  # held in the 2 ms after a spike
        v = lif_step(v, g, current) if free else v
        theta, g = theta * np.exp(-DT / 200), g * np.exp(-DT / 100)
        if free and v > -50 + theta:
            times.append(step * DT)
            v, theta, g = -65.0, theta + jump_theta, g + jump_g
    return np.array(times)


def test_periods(trains):
    for name, (_, *above) in trains.items():
        assert min(len(times) for times in above) > 2, name
    for current, times in zip(DRIVES["integrate_and_fire"], trains["integrate_and_fire"], strict=True):
        # Proportional to the current: 200 pF times 15 mV, plus 2 ms; the crossing is seen at the next step.
        assert np.diff(times) == pytest.approx(200 * 15 / current + 2, abs=DT + 1e-6)

    for current, times in zip(DRIVES["lif_adaptive_threshold"], trains["lif_adaptive_threshold"], strict=True):
        assert times == pytest.approx(adapting(current, 2, 0), abs=0.001)
        period = times[-1] - times[-2]
        # In the steady state a spike finds what all those before have left of the threshold.
        left = 2 / (np.exp(period / 200) - 1)
        v_inf = -70 + current / 10
        reached = v_inf + (-65 - v_inf) * np.exp(-(period - 2) / 20)
        step = (v_inf + 65) * np.exp(-(period - 2) / 20) * DT / 20
        assert reached == pytest.approx(-50 + left, abs=2 * step)

    for current, times in zip(DRIVES["lif_ahp"], trains["lif_ahp"], strict=True):
        assert times == pytest.approx(adapting(current, 0, 2), abs=0.001)
        assert times[-1] - times[-2] > 1.5 * (times[1] - times[0])

    assert len(trains["integrate_and_fire"][0]) > 2
    below, *above = trains["quadratic_if"]
    assert len(below) == 0
    for current, times in zip(DRIVES["quadratic_if"][1:], above, strict=True):
        # dv/dt = s ((v - m)^2 + r^2): from -80 to 20 mV in the time of two arctangents; with no limits pi/(s r).
        s, m, r = 10 / (100 * 15), -57.5, np.sqrt(current * 15 / 10 - 7.5**2)
        period = (np.arctan((20 - m) / r) - np.arctan((-80 - m) / r)) / (s * r)
        assert period < np.pi / (s * r)
        assert np.diff(times) == pytest.approx(period, abs=DT + 1e-6)

    below, *above = trains["exponential_if"]
    assert len(below) == 0
    for current, times in zip(DRIVES["exponential_if"][1:], above, strict=True):
        v = -68 + (np.arange(40_000) + 0.5) * 38 / 40_000
        speed = (10 * (-65 - v) + 34.8 * np.exp((v + 59.9) / 3.48) + current) / 100
        period = 1.7 + np.mean(1 / speed) * 38
        assert np.diff(times) == pytest.approx(period, abs=5 * DT)  # Euler steps come late to the upswing


def test_of_the_upswing_of_the_exponential_cell(simulate):
    """Step by step it is Euler's method, so the places where a spike is counted and ends are those of the paper."""
    cells = "    cell: {neuron: {name: exponential_if, parameters: {I_bias: 50 pA}}, size: 1}"
    results = simulate(TEXT.format(cells=cells, dt=0.02, names="cell"), set={"run.duration": "200 ms"})
    v, held, times = -68.0, 0, []
    for step in range(10_000):
        if step < held:
            continue
        v += 0.02 * (10 * (-65 - v) + 34.8 * np.exp((v + 59.9) / 3.48) + 50) / 100
        if v > -30:
            times.append(step * 0.02)
            v, held = -68.0, step + 85
    assert results.spikes("cell")[0] * 1e3 == pytest.approx(times, abs=0.001)
