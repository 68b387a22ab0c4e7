"""adex children: the eight firing patterns of Naud et al. (2008), each at the paper's step of current."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = [
    "neuron adex_tonic",
    "neuron adex_adapting",
    "neuron adex_initial_burst",
    "neuron adex_regular_bursting",
    "neuron adex_delayed_accelerating",
    "neuron adex_delayed_bursting",
    "neuron adex_transient",
    "neuron adex_irregular",
]

#: Table 1: C pF, g_L nS, E_L mV, a nS, tau_w ms, b pA, V_r mV, step pA; V_T is -50 and Delta_T 2 mV in all.
TABLE = {
    "adex_tonic": (200, 10, -70, 2, 30, 0, -58, 500),
    "adex_adapting": (200, 12, -70, 2, 300, 60, -58, 500),
    "adex_initial_burst": (130, 18, -58, 4, 150, 120, -50, 400),
    "adex_regular_bursting": (200, 10, -58, 2, 120, 100, -46, 210),
    "adex_delayed_accelerating": (200, 12, -70, -10, 300, 0, -58, 300),
    "adex_delayed_bursting": (100, 10, -65, -10, 90, 30, -47, 110),
    "adex_transient": (100, 10, -65, 10, 90, 100, -47, 180),
    "adex_irregular": (100, 12, -60, -11, 130, 30, -48, 160),
}
STOP = 400.0


def reference(dt: float) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Spike times in ms by Euler's method, and v of the eight cells after each step; mV, ms, pA, nS, pF."""
    c, g, rest, a, tau_w, b, v_r, current = np.array(list(TABLE.values()), float).T
    v, w = rest.copy(), np.zeros(len(TABLE))
    times: list[list[float]] = [[] for _ in TABLE]
    trace = np.empty((round(STOP / dt), len(TABLE)))
    for step in range(round(STOP / dt)):
        dv = (g * (rest - v) + g * 2 * np.exp((v + 50) / 2) - w + current) / c
        v, w = v + dt * dv, w + dt * (a * (v - rest) - w) / tau_w
        for cell in np.flatnonzero(v > -30):
            times[cell].append(step * dt)
            v[cell], w[cell] = v_r[cell], w[cell] + b[cell]
        trace[step] = v
    return {name: np.array(found) for name, found in zip(TABLE, times, strict=True)}, trace


@pytest.fixture(scope="module")
def fine() -> dict[str, np.ndarray]:
    return reference(0.01)[0]


def test_the_eight_patterns_of_the_paper(simulate, fine):
    cells = "".join(
        f"    {name}: {{neuron: {{name: {name}, parameters: {{I_bias: {row[-1]} pA}}}}, size: 1}}\n"
        for name, row in TABLE.items()
    )
    results = simulate(f"""
experiment: patterns
region:
  region: cells
  populations:
{cells}
run: {{duration: {STOP:g} ms, dt: 0.1 ms}}
record: {{spikes: [{", ".join(TABLE)}], state: {{adex_transient: {{variables: [v], every: 1 ms}}}}}}
""")
    found = {name: results.spikes(name)[0] * 1e3 for name in TABLE}
    expected, trace = reference(0.1)
    for name, times in found.items():
        assert times == pytest.approx(expected[name], abs=0.001), name
    _, v = results.state("adex_transient", "v")  # its only spike shows in v what a spike does
    assert v[1:, 0] * 1e3 == pytest.approx(trace[9:-1:10, list(TABLE).index("adex_transient")], abs=1e-6)
    for times in (found, fine):  # neither the engine nor its time step makes the pattern
        patterns(times)


def patterns(times: dict[str, np.ndarray]) -> None:
    """What the paper's figure shows of each cell."""
    gaps = {name: np.diff(found) for name, found in times.items()}
    tonic = gaps["adex_tonic"]
    assert len(tonic) > 35
    assert tonic.max() < 1.1 * tonic.min()
    adapting = gaps["adex_adapting"]
    assert np.all(np.diff(adapting) > 0)
    assert adapting[-1] > 6 * adapting[0]
    initial = gaps["adex_initial_burst"]
    assert np.all(initial[:2] < 10)
    assert initial[3:] == pytest.approx(64.1, rel=0.02)  # regular after the burst
    bursting = gaps["adex_regular_bursting"]
    assert list(bursting > 20) == [False, False, True, False, True, False]  # a triplet, then doublets
    accelerating = gaps["adex_delayed_accelerating"]
    assert times["adex_delayed_accelerating"][0] > 30
    assert np.all(np.diff(accelerating) < 0.11)
    assert accelerating[-1] < 0.6 * accelerating[0]
    delayed = gaps["adex_delayed_bursting"]
    assert times["adex_delayed_bursting"][0] > 50
    assert list(delayed > 20) == [False, False, False, True] * 4 + [False] * 3  # bursts of four
    assert len(times["adex_transient"]) == 1
    irregular = gaps["adex_irregular"]
    assert np.std(irregular) > 0.4 * np.mean(irregular)
    assert np.corrcoef(irregular[3:-1], irregular[4:])[0, 1] < 0  # a long interval after a short one, no bursts
