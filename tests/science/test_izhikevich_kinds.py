"""izhikevich children: the kinds of 2003 and the behaviours of 2004, each under the paper's own current.

Left out are three panels that say the same as another (tonic bursting is izhikevich_ch, mixed mode izhikevich_ib, the
integrator class 1, latency tonic, threshold variability rebound_spike) and the depolarising after-potential, which
belongs to the published update, u after v in steps of 0.1 ms: with smaller steps that cell goes on firing.
"""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = [
    "neuron izhikevich_ib",
    "neuron izhikevich_ch",
    "neuron izhikevich_fs",
    "neuron izhikevich_lts",
    "neuron izhikevich_tc",
    "neuron izhikevich_rz",
    "neuron izhikevich_tonic",
    "neuron izhikevich_phasic",
    "neuron izhikevich_phasic_bursting",
    "neuron izhikevich_adapting",
    "neuron izhikevich_class_1",
    "neuron izhikevich_class_2",
    "neuron izhikevich_oscillating",
    "neuron izhikevich_resonator",
    "neuron izhikevich_rebound_spike",
    "neuron izhikevich_rebound_burst",
    "neuron izhikevich_bistable",
    "neuron izhikevich_accommodating",
    "neuron izhikevich_inhibition_spiking",
    "neuron izhikevich_inhibition_bursting",
]

STOP = 350.0
ON = STOP  # a step that lasts
#: Stairs to 8 in 200 ms, and to 4 in 12.5 ms.
RAMPS = [(5 * k, 200, 0.2) for k in range(1, 40)] + [(300 + 1.25 * k, 312.5, 0.4) for k in range(10)]
#: Population -> part, (a, b, c, d, v at the start), drive at rest, pulses on top of it (from, to, value).
CELLS: dict[str, tuple] = {
    "ib": ("ib", (0.02, 0.2, -55, 4, -70), 0, [(16, ON, 10)]),
    "ch": ("ch", (0.02, 0.2, -50, 2, -70), 0, [(22, ON, 15)]),
    "fs": ("fs", (0.1, 0.2, -65, 2, -65), 0, [(10, 120, 10)]),
    "lts": ("lts", (0.02, 0.25, -65, 2, -65), 0, [(10, ON, 10)]),
    "tc": ("tc", (0.02, 0.25, -65, 0.05, -63), 0, [(50, 200, 1.5), (200, 300, -20)]),
    "rz": ("rz", (0.1, 0.26, -65, 2, -62), 0, [(20, ON, 0.3)]),
    "tonic": ("tonic", (0.02, 0.2, -65, 6, -70), 0, [(10, ON, 14)]),
    "latency": ("tonic", (0.02, 0.2, -65, 6, -70), 0, [(10, 13, 7.04)]),
    "phasic": ("phasic", (0.02, 0.25, -65, 6, -64), 0, [(20, ON, 0.5)]),
    "phasic_bursting": ("phasic_bursting", (0.02, 0.25, -55, 0.05, -64), 0, [(20, ON, 0.6)]),
    "adapting": ("adapting", (0.01, 0.2, -65, 8, -70), 0, [(8.5, 85, 30)]),
    "class_1": ("class_1", (0.02, -0.1, -55, 6, -60), 0, [(30, ON, 2.4)]),
    "class_1_strong": ("class_1", (0.02, -0.1, -55, 6, -60), 0, [(30, ON, 20)]),
    "integrator": ("class_1", (0.02, -0.1, -55, 6, -60), 0, [(9, 11, 9), (14, 16, 9), (70, 72, 9), (80, 82, 9)]),
    "class_2": ("class_2", (0.2, 0.26, -65, 0, -64), -0.5, [(30, 190, 0.5), (190, ON, 0.9)]),
    "oscillating": ("oscillating", (0.05, 0.26, -60, 0, -62), 0, [(20, 25, 2)]),
    "resonator": ("resonator", (0.1, 0.26, -60, -1, -62), 0, [(t, t + 4, 0.65) for t in (40, 60, 270, 310)]),
    "rebound_spike": ("rebound_spike", (0.03, 0.25, -60, 4, -64), 0, [(20, 25, -15)]),
    "variability": ("rebound_spike", (0.03, 0.25, -60, 4, -64), 0, [(10, 15, 1), (70, 75, -6), (80, 85, 1)]),
    "rebound_burst": ("rebound_burst", (0.03, 0.25, -52, 0, -64), 0, [(20, 25, -15)]),
    "bistable": ("bistable", (0.1, 0.26, -60, 0, -61), 0.24, [(37.5, 42.5, 1), (207, 212, 1)]),
    "accommodating": ("accommodating", (0.02, 1, -55, 4, -65), 0, RAMPS),
    "inhibition_spiking": ("inhibition_spiking", (-0.02, -1, -60, 8, -63.8), 80, [(50, 250, -5)]),
    "inhibition_bursting": ("inhibition_bursting", (-0.026, -1, -45, 0, -63.8), 80, [(50, 250, -5)]),
}
#: Those that spike once show in v what the spike did.
TRACED = ["latency", "phasic", "oscillating", "resonator", "rebound_spike", "accommodating"]


def reference(name: str, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Spike times in ms and v after each step by Euler's method, in the paper's plain numbers."""
    part, (a, b, c, d, v), rest, pulses = CELLS[name]
    slope, floor = (4.1, 108) if part == "class_1" else (5, 140)
    drive = np.full(round(STOP / dt), float(rest))
    for start, stop, value in pulses:
        drive[round(start / dt) : round(stop / dt)] += value
    u, times, trace = -16.0 if part == "accommodating" else b * v, [], []
    for step, current in enumerate(drive):
        du = a * b * (v + 65) if part == "accommodating" else a * (b * v - u)
        v, u = v + dt * (0.04 * v * v + slope * v + floor - u + current), u + dt * du
        if v >= 30:
            times.append(step * dt)
            v, u = c, u + d
        trace.append(v)
    return np.array(times), np.array(trace)


@pytest.fixture(scope="module")
def fine() -> dict[str, np.ndarray]:
    return {name: reference(name, 0.02)[0] for name in CELLS}


def test_kinds_of_2003_and_behaviours_of_2004(simulate, fine):
    cells = "".join(f"    {name}: {{neuron: izhikevich_{row[0]}, size: 1}}\n" for name, row in CELLS.items())
    stimuli = "".join(
        f"  into_{name}: {{to: {name}.I_bias, constant: {rest} mV, pulse: ["
        + ", ".join(f"{{value: {value} mV, start: {start} ms, stop: {stop} ms}}" for start, stop, value in pulses)
        + "]}\n"
        for name, (_, _, rest, pulses) in CELLS.items()
    )
    results = simulate(f"""
experiment: kinds
region:
  region: cells
  populations:
{cells}
stimuli:
{stimuli}
run: {{duration: {STOP:g} ms, dt: 0.25 ms}}
record:
  spikes: [{", ".join(CELLS)}]
  state: {{{", ".join(f"{name}: {{variables: [v], every: 1 ms}}" for name in TRACED)}}}
""")
    found = {}
    for name in CELLS:
        times, trace = reference(name, 0.25)
        found[name] = results.spikes(name)[0] * 1e3
        assert found[name] == pytest.approx(times, abs=0.001), name
        if name in TRACED:
            _, v = results.state(name, "v")
            assert v[1:, 0] * 1e3 == pytest.approx(trace[3:-1:4], abs=1e-6), name
    behave(found)
    behave(fine)  # neither the engine nor its time step makes the behaviour


def behave(times: dict[str, np.ndarray]) -> None:
    """What the figures of the two papers show, as numbers."""

    def within(name: str, start: float, stop: float) -> np.ndarray:
        return times[name][(times[name] >= start) & (times[name] < stop)]

    gaps = {name: np.diff(found) for name, found in times.items()}
    assert np.all(gaps["ib"][:2] < 5)
    assert gaps["ib"][3:] == pytest.approx(gaps["ib"][-1], rel=0.01)
    assert gaps["ib"][-1] > 25
    pauses = np.flatnonzero(gaps["ch"] > 15)
    assert len(pauses) > 3
    assert np.all((np.diff(pauses) > 1) & (np.diff(pauses) < 9))  # bursts of a few spikes, again and again
    assert gaps["fs"][3:] == pytest.approx(gaps["fs"][-1], rel=0.05)
    assert 1000 / gaps["fs"][-1] > 120
    assert gaps["lts"][-1] > 3.5 * gaps["lts"][0]
    assert within("tc", 50, 200)[0] > 55
    assert np.diff(within("tc", 50, 200)).min() > 10.5  # tonic from rest
    assert len(within("tc", 200, 300)) == 0
    assert np.diff(within("tc", 300, STOP))[:3].max() < 10  # a burst after hyperpolarisation
    assert gaps["rz"] == pytest.approx(36, rel=0.03)
    assert gaps["tonic"][3:] == pytest.approx(27, rel=0.02)
    assert len(times["latency"]) == 1
    assert times["latency"][0] > 16  # the pulse was over at 13 ms
    assert len(times["phasic"]) == 1
    assert 5 <= len(times["phasic_bursting"]) <= 9
    assert times["phasic_bursting"][-1] < 75
    assert gaps["adapting"][-1] > 10 * gaps["adapting"][0]
    assert times["class_1"][0] > 200  # 2.25 mV is the threshold: slow just above it
    assert gaps["class_1_strong"][-1] < 25
    assert len(times["integrator"]) == 1
    assert 14 < times["integrator"][0] < 20  # two pulses 5 ms apart, but not 10 ms
    assert len(within("class_2", 0, 190)) == 0
    assert np.diff(times["class_2"])[-1] < 30  # no low rate
    assert len(times["oscillating"]) == 1
    assert len(times["resonator"]) == 1
    assert times["resonator"][0] > 310  # pulses 40 ms apart, not those 20 ms apart
    assert len(times["rebound_spike"]) == 1
    assert times["rebound_spike"][0] > 50
    assert len(times["variability"]) == 1
    assert times["variability"][0] > 85
    assert 8 <= len(times["rebound_burst"]) <= 16
    assert gaps["rebound_burst"].max() < 9
    assert len(within("bistable", 0, 37)) == 0
    assert np.diff(within("bistable", 40, 205)) == pytest.approx(38.7, abs=0.3)
    assert len(within("bistable", 212, STOP)) == 0
    assert len(within("accommodating", 0, 300)) == 0  # 8 in 200 ms: no
    assert len(within("accommodating", 300, STOP)) == 1  # 4 in 12.5 ms: yes
    assert len(within("inhibition_spiking", 0, 50)) == 0
    assert len(within("inhibition_spiking", 50, 250)) == 3
    assert len(within("inhibition_bursting", 0, 50)) == 0
    bursting = np.diff(within("inhibition_bursting", 50, 250))
    assert np.sum(bursting > 50) == 1
    assert np.sum(bursting < 8) >= len(bursting) - 1  # two bursts
