"""mat: the threshold after each spike, the period of a driven cell, and the four kinds of the paper."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["neuron mat", "neuron mat_ib", "neuron mat_fs", "neuron mat_ch"]

DT, STOP = 0.1, 600.0
#: Part -> omega, alpha_1, alpha_2 in mV.
KINDS = {"mat": (19, 37, 2), "mat_ib": (26, 1.7, 2), "mat_fs": (11, 10, 0.002), "mat_ch": (26, -0.5, 0.4)}


def reference(omega: float, alpha_1: float, alpha_2: float, current: float = 0.6) -> np.ndarray:
    """Spike times in ms of a membrane of 5 ms and 50 Mohm under a step in nA, from its exact solution."""
    past: list[float] = []
    for step in range(round(STOP / DT)):
        now = (step + 1) * DT  # the state at the end of the step
        v = 50 * current * (1 - np.exp(-now / 5))
        since = now - DT - np.array(past)
        theta = omega + np.sum(alpha_1 * np.exp(-since / 10) + alpha_2 * np.exp(-since / 200))
        if v > theta and (not past or step * DT - past[-1] > 2 - DT / 2):
            past.append(step * DT)
    return np.array(past)


def test_kinds_of_the_paper(simulate):
    cells = "".join(
        f"    {name}: {{neuron: {{name: {name}, parameters: {{I_bias: 0.6 nA}}}}, size: 1}}\n" for name in KINDS
    )
    results = simulate(f"""
experiment: driven
region:
  region: cells
  populations:
{cells}
run: {{duration: {STOP:g} ms, dt: {DT} ms}}
record: {{spikes: [{", ".join(KINDS)}]}}
""")
    trains = {name: results.spikes(name)[0] * 1e3 for name in KINDS}
    for name, times in trains.items():
        assert times == pytest.approx(reference(*KINDS[name]), abs=0.001), name
    # With the potential at 30 mV the last interval T of a long train solves omega + sum alpha/(exp(T/tau) - 1) = 30.
    last = np.diff(trains["mat_fs"])[-1]
    assert 11 + 10 / np.expm1(last / 10) + 0.002 / np.expm1(last / 200) == pytest.approx(30, rel=0.02)
    assert np.diff(trains["mat"])[-1] > 1.5 * np.diff(trains["mat"])[0]  # regular spiking adapts
    settled = np.diff(trains["mat_fs"])[5:]
    assert settled.max() < 1.05 * settled.min()  # fast spiking does not, after a few spikes
    chattering = np.diff(trains["mat_ch"])
    assert chattering.min() == pytest.approx(2, abs=DT)  # bursts as fast as the refractory period allows
    assert chattering.max() > 20
