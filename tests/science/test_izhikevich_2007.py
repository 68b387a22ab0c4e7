"""izhikevich_2007 and its children: the cells of chapter 8 of the book: plain Euler steps, and the patterns."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = [
    "neuron izhikevich_2007",
    "neuron izhikevich_2007_ib",
    "neuron izhikevich_2007_ch",
    "neuron izhikevich_2007_lts",
    "neuron izhikevich_2007_fs",
    "neuron izhikevich_2007_tc",
    "neuron izhikevich_2007_rtn",
]

STOP = 600.0
#: Kind -> C pF, k nS/mV, v_r mV, v_t mV, v_peak mV, a per ms, b nS, c mV, d pA.
NUMBERS = {
    "rs": (100, 0.7, -60, -40, 35, 0.03, -2, -50, 100),
    "ib": (150, 1.2, -75, -45, 50, 0.01, 5, -56, 130),
    "ch": (50, 1.5, -60, -40, 25, 0.03, 1, -40, 150),
    "lts": (100, 1, -56, -42, 40, 0.03, 8, -53, 20),
    "fs": (20, 1, -55, -40, 25, 0.2, 0.025, -45, 0),  # b in pA per cubic mV
    "tc": (200, 1.6, -60, -50, 35, 0.01, 15, -60, 10),
    "rtn": (40, 0.25, -65, -45, 0, 0.015, 2, -55, 50),
}
#: Population -> kind, pulses in pA (from, to, value).
CELLS = {
    "rs": ("rs", [(50, STOP, 100)]),
    "ib": ("ib", [(50, STOP, 500)]),
    "ch": ("ch", [(50, STOP, 300)]),
    "lts": ("lts", [(50, 250, 300)]),
    "fs": ("fs", [(50, 200, 70), (200, 500, 400)]),
    "tc": ("tc", [(20, 200, 100)]),
    "tc_burst": ("tc", [(250, 450, -1200)]),
    "rtn": ("rtn", [(20, 250, 100), (250, 450, -350)]),
}


def reference(name: str, dt: float) -> np.ndarray:
    """Spike times in ms by Euler's method."""
    kind, pulses = CELLS[name]
    c_m, k, v_r, v_t, v_peak, a, b, c, d = NUMBERS[kind]
    drive = np.zeros(round(STOP / dt))
    for start, stop, value in pulses:
        drive[round(start / dt) : round(stop / dt)] += value
    follow = {
        "fs": lambda v: b * max(v + 55, 0) ** 3,
        "tc": lambda v: b * min(v + 65, 0),
        "rtn": lambda v: b * max(v + 65, 0) + 10 * min(v + 65, 0),
    }.get(kind, lambda v: b * (v - v_r))
    peak_u, reset_u = {"lts": (-0.1, 0.04), "tc": (0.1, -0.1)}.get(kind, (0, 0))
    v, u, times = float(v_r), 0.0, []
    for step, current in enumerate(drive):
        v, u = v + dt * (k * (v - v_r) * (v - v_t) - u + current) / c_m, u + dt * a * (follow(v) - u)
        if v >= v_peak + peak_u * u:
            times.append(step * dt)
            v, u = c + reset_u * u, min(u + d, 670 if kind == "lts" else 1e9)
    return np.array(times)


def part(kind: str) -> str:
    return "izhikevich_2007" if kind == "rs" else f"izhikevich_2007_{kind}"


def test_cells_of_the_book(simulate):
    cells = "".join(f"    {name}: {{neuron: {part(kind)}, size: 1}}\n" for name, (kind, _) in CELLS.items())
    stimuli = "".join(
        f"  into_{name}: {{to: {name}.I_bias, pulse: ["
        + ", ".join(f"{{value: {value} pA, start: {start} ms, stop: {stop} ms}}" for start, stop, value in pulses)
        + "]}\n"
        for name, (_, pulses) in CELLS.items()
    )
    results = simulate(f"""
experiment: book
region:
  region: cells
  populations:
{cells}
stimuli:
{stimuli}
run: {{duration: {STOP:g} ms, dt: 0.1 ms}}
record: {{spikes: [{", ".join(CELLS)}]}}
""")
    found = {name: results.spikes(name)[0] * 1e3 for name in CELLS}
    for name, times in found.items():
        exact = 8 if name == "fs" else None  # its u hangs on the overshoot of each spike, so rounding grows
        assert times[:exact] == pytest.approx(reference(name, 0.1)[:exact], abs=0.001), name
    behave(found)
    behave({name: reference(name, 0.02) for name in CELLS})


def behave(times: dict[str, np.ndarray]) -> None:
    """What the figures of the book show, as numbers."""
    gaps = {name: np.diff(found) for name, found in times.items()}
    assert gaps["rs"][1:] == pytest.approx(76, abs=0.5)
    assert gaps["ib"][0] < 18
    assert gaps["ib"][1:] == pytest.approx(94, rel=0.15)
    assert list(gaps["ch"][2:12] > 20) == [True, False] * 5  # doublets, about 50 ms apart
    tonic = np.diff(times["lts"][times["lts"] < 250])
    assert np.all(np.diff(tonic) > -0.11)
    assert tonic[-1] > 1.2 * tonic[0]
    assert times["fs"].min() > 200  # the rheobase is 73.2 pA
    assert 1000 / gaps["fs"].mean() == pytest.approx(150, rel=0.2)
    assert gaps["tc"].min() > 45
    assert 3 <= len(times["tc_burst"]) <= 5  # after hyperpolarisation
    assert times["tc_burst"].min() > 450
    assert gaps["tc_burst"][0] < 10
    relay = times["rtn"]
    assert np.diff(relay[relay < 250])[1:] == pytest.approx(70.6, abs=0.4)
    assert np.diff(relay[relay > 450])[0] < 15
