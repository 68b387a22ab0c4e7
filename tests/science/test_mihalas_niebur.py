"""mihalas_niebur and its children: panels of the paper's figure 1, and the closed form of the tonic cell."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = [
    "neuron mihalas_niebur",
    "neuron mihalas_niebur_adapting",
    "neuron mihalas_niebur_bursting",
    "neuron mihalas_niebur_mixed_mode",
    "neuron mihalas_niebur_inhibition_spiking",
    "neuron mihalas_niebur_inhibition_bursting",
    "neuron mihalas_niebur_bistable",
    "neuron mihalas_niebur_resonator",
    "neuron mihalas_niebur_latency",
]

STOP, DT = 700.0, 0.2
#: Table 1: a per second, A_1/C and A_2/C in V/s; "" is the parent.
KINDS = {
    "": (0, 0, 0),
    "_adapting": (5, 0, 0),
    "_bursting": (5, 10, -0.6),
    "_mixed_mode": (5, 5, -0.3),
    "_inhibition_spiking": (30, 0, 0),
    "_inhibition_bursting": (30, 10, -0.6),
    "_bistable": (0, 8, -0.1),
    "_resonator": (5, -3, 0.5),
    "_latency": (-80, 0, 0),
}
#: Panel -> kind, I/C in V/s (from, to, value); some pauses are shorter than in the paper's figure.
PANELS: dict[str, tuple[str, list[tuple[float, float, float]]]] = {
    "tonic_spiking": ("", [(0, STOP, 1.5)]),
    "class_1": ("", [(0, 200, 0.99), (200, STOP, 1.01)]),
    "frequency_adaptation": ("_adapting", [(0, STOP, 2)]),
    "accommodation": ("_adapting", [(0, 100, 1.5), (300, 400, 0.5), (400, 500, 1), (500, STOP, 1.5)]),
    "threshold_variability": ("_adapting", [(0, 20, 1.5), (200, 225, -1.5), (250, 275, 1.5)]),
    "rebound_spike": ("_adapting", [(0, 640, -3.5)]),
    "tonic_bursting": ("_bursting", [(0, STOP, 2)]),
    "phasic_bursting": ("_bursting", [(0, STOP, 1.5)]),
    "rebound_burst": ("_bursting", [(20, 500, -3.5)]),
    "mixed_mode": ("_mixed_mode", [(0, STOP, 2)]),
    "inhibition_spiking": ("_inhibition_spiking", [(0, STOP, -1)]),
    "inhibition_bursting": ("_inhibition_bursting", [(0, STOP, -1)]),
    "bistability": ("_bistable", [(0, 10, 5), (100, 110, 5)]),
    "preferred_frequency": ("_resonator", [(0, 5, 5), (10, 15, 4), (400, 405, 5), (450, 455, 4)]),
    "resonator_driven": ("_resonator", [(0, STOP, 2)]),  # not in the paper: shows the currents after its spikes
    "latency": ("_latency", [(0, 2, 8)]),
}


def reference(panel: str, dt: float) -> np.ndarray:
    """Spike times in ms; in each step every variable relaxes as if the others stood still."""
    kind, pulses = PANELS[panel]
    a, a_1, a_2 = KINDS[kind]
    drive = np.zeros(round(STOP / dt))
    for start, stop, value in pulses:
        drive[round(start / dt) : round(stop / dt)] += value
    m, th, k_1, k_2 = (np.exp(-rate * dt / 1000) for rate in (50, 10, 200, 20))
    v, theta, i_1, i_2, times = -70.0, -50.0, 0.0, 0.0, []
    for step, current in enumerate(drive):
        v_inf, theta_inf = -70 + (current + i_1 + i_2) * 20, -50 + a / 10 * (v + 70)
        v, theta = v_inf + (v - v_inf) * m, theta_inf + (theta - theta_inf) * th
        i_1, i_2 = i_1 * k_1, i_2 * k_2
        if v > theta:
            times.append(step * dt)
            v, theta, i_1, i_2 = -70.0, max(theta, -60.0), a_1, i_2 + a_2
    return np.array(times)


def test_panels_of_the_paper(simulate):
    cells = "".join(f"    {panel}: {{neuron: mihalas_niebur{kind}, size: 1}}\n" for panel, (kind, _) in PANELS.items())
    stimuli = "".join(
        f"  into_{panel}: {{to: {panel}.I_bias, pulse: ["
        + ", ".join(
            f"{{value: {100 * value:g} pA, start: {start} ms, stop: {stop} ms}}" for start, stop, value in pulses
        )
        + "]}\n"
        for panel, (_, pulses) in PANELS.items()
    )
    results = simulate(f"""
experiment: panels
region:
  region: cells
  populations:
{cells}
stimuli:
{stimuli}
run: {{duration: {STOP:g} ms, dt: {DT} ms}}
record: {{spikes: [{", ".join(PANELS)}]}}
""")
    found = {panel: results.spikes(panel)[0] * 1e3 for panel in PANELS}
    for panel, times in found.items():
        assert times == pytest.approx(reference(panel, DT), abs=0.001), panel
    behave(found)
    behave({panel: reference(panel, 0.02) for panel in PANELS})


def behave(times: dict[str, np.ndarray]) -> None:
    """What the panels show, as numbers."""
    gaps = {panel: np.diff(found) for panel, found in times.items()}
    assert gaps["tonic_spiking"] == pytest.approx(20 * np.log(3), abs=DT)
    assert gaps["class_1"] == pytest.approx(20 * np.log(101), abs=DT)
    assert times["class_1"][0] > 200  # 1 V/s is the rheobase
    assert np.all(gaps["frequency_adaptation"][:8] > 15)
    assert gaps["frequency_adaptation"][-1] > 1.5 * gaps["frequency_adaptation"][0]
    assert len(times["accommodation"]) == 3
    assert times["accommodation"][-1] < 100  # the step fires it, the stairs do not
    assert len(times["threshold_variability"]) == 1
    assert 250 < times["threshold_variability"][0] < 275  # only the pulse that follows inhibition
    assert len(times["rebound_spike"]) == 1
    assert times["rebound_spike"][0] > 640
    assert np.sum(gaps["tonic_bursting"] > 90) >= 4
    assert np.sum(gaps["tonic_bursting"] < 10) == len(gaps["tonic_bursting"]) - np.sum(gaps["tonic_bursting"] > 90)
    assert 6 <= len(times["phasic_bursting"]) <= 8
    assert times["phasic_bursting"][-1] < 55
    assert 6 <= len(times["rebound_burst"]) <= 9
    assert times["rebound_burst"][0] > 500
    assert np.all(gaps["mixed_mode"][:5] < 12)
    assert gaps["mixed_mode"][-1] > 38
    assert gaps["inhibition_spiking"] == pytest.approx(117.5, abs=0.5)
    assert np.sum(gaps["inhibition_bursting"] > 80) >= 4
    assert np.sum(gaps["inhibition_bursting"] < 4) >= 12
    between = times["bistability"][(times["bistability"] > 12) & (times["bistability"] < 100)]
    assert len(between) > 13
    assert times["bistability"][-1] < 115  # on with the first pulse, off with the second
    # Four pulses of 5 ms; the second of a pair, a weaker one, fires it after 50 ms and not after 10 ms.
    assert list(times["preferred_frequency"] // 5 * 5) == [0, 400, 450]
    assert len(times["latency"]) == 1
    assert 14 < times["latency"][0] < 18  # the pulse was over at 2 ms
