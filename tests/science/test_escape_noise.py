"""gif, srm0, srm0_escape: traces follow from the spikes by the kernels, and spikes come at the rate of the hazard."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["neuron gif", "neuron srm0", "neuron srm0_escape"]

DT, STOP, N = 0.1, 500.0, 150
STEPS = round(STOP / DT)

TEXT = f"""
experiment: noise
region:
  region: cells
  populations:
    gif: {{neuron: {{name: gif, parameters: {{I_bias: 250 pA}}}}, size: {N}}}
    srm0: {{neuron: {{name: srm0, parameters: {{I_bias: 250 pA}}}}, size: 1}}
    srm0_escape: {{neuron: {{name: srm0_escape, parameters: {{I_bias: 200 pA}}}}, size: {N}}}
run: {{duration: {STOP:g} ms, dt: {DT} ms, seed: 5}}
record:
  spikes: [gif, srm0, srm0_escape]
  state:
    gif: {{variables: [v], every: 1 ms}}
    srm0: {{variables: [v], every: 1 ms}}
    srm0_escape: {{variables: [v], every: 1 ms}}
"""


def raster(results, name: str, size: int) -> np.ndarray:
    """Which cell spiked in which step."""
    times, cells = results.spikes(name)
    fired = np.zeros((STEPS, size), bool)
    fired[np.rint(times / (DT * 1e-3)).astype(int), cells] = True
    return fired


def same_potentials(results, name: str, v: np.ndarray, tolerance: float) -> bool:
    """Whether the recorded potentials are those in ``v`` (at the end of each step, in mV)."""
    _, found = results.state(name, "v")
    return np.allclose(found[1:] * 1e3, v[9:-1:10], rtol=0, atol=tolerance)


def test_spikes_potentials_and_hazards_belong_together(simulate):
    results = simulate(TEXT)
    check_gif(results)
    check_srm0(results)
    check_srm0_escape(results)


def check_gif(results) -> None:
    fired = raster(results, "gif", N)
    v, free = np.full(N, -70.0), np.zeros(N, int)
    kernels = np.zeros((4, N))
    jumps, lives = np.array([[50.0], [10], [8], [2]]), np.array([[10.0], [100], [20], [200]])
    expected, trace = 0.0, np.empty((STEPS, N))
    for step in range(STEPS):
        moving = free <= step
        v_inf = -70 + (250 - kernels[0] - kernels[1]) / 5
        v = np.where(moving, v_inf + (v - v_inf) * np.exp(-DT / 20), v)
        kernels *= np.exp(-DT / lives)
        hazard = 1e-3 * np.exp((v + 48 - kernels[2] - kernels[3]) / 2)  # per ms
        expected += np.sum((1 - np.exp(-hazard * DT))[moving])
        assert not np.any(fired[step] & ~moving)
        v[fired[step]] = -60
        kernels[:, fired[step]] += jumps
        free[fired[step]] = step + round(4 / DT)
        trace[step] = v
    count = fired.sum()
    assert count > 1000
    # Spikes minus the integral of the hazard is a martingale whose variance is that integral.
    assert count == pytest.approx(expected, abs=3.5 * np.sqrt(expected))
    assert same_potentials(results, "gif", trace, 1e-6)
    # It adapts: fewer spikes in the second half than in the first.
    assert fired[STEPS // 2 :].sum() < 0.95 * fired[: STEPS // 2].sum()


def kernel_potential(fired: np.ndarray, drive: float) -> np.ndarray:
    """v of the spike response model in mV after each step: rest, filtered input, the kernel of the last spike."""
    last = np.full(fired.shape[1], -np.inf)
    trace = np.empty(fired.shape)
    for step in range(STEPS):
        last[fired[step]] = (step + 1) * DT
        now = (step + 1) * DT
        trace[step] = -70 + drive * (1 - np.exp(-now / 10)) - 30 * np.exp(-(now - last) / 20)
    return trace


def check_srm0(results) -> None:
    times = results.spikes("srm0")[0] * 1e3
    # 25 mV of drive, 20 mV to the threshold: 30 exp(-T/20) = 5.
    assert np.diff(times)[1:] == pytest.approx(20 * np.log(6), abs=2 * DT)
    assert times[0] == pytest.approx(10 * np.log(5), abs=DT)
    # In the engine the kernel stands still within a step.
    assert same_potentials(results, "srm0", kernel_potential(raster(results, "srm0", 1), 25), 0.1)


def test_srm0_refractory_period(simulate):
    """With 60 mV of drive the kernel alone would let it fire at once."""
    times = simulate(TEXT, set={"srm0.neuron.I_bias": "600 pA", "gif.size": 0, "srm0_escape.size": 0}).spikes("srm0")[0]
    assert np.diff(times)[3:] * 1e3 == pytest.approx(2, abs=1e-6)


def check_srm0_escape(results) -> None:
    fired = raster(results, "srm0_escape", N)
    trace = kernel_potential(fired, 20)
    assert same_potentials(results, "srm0_escape", trace, 0.1)
    expected, free = 0.0, np.zeros(N, int)
    for step in range(STEPS):
        moving = free <= step
        # The hazard is looked up before the spike: without the kernel that this very step has started.
        before = trace[step - 1] if step else np.full(N, -70.0)
        v = np.where(fired[step], before, trace[step])
        expected += np.sum((1 - np.exp(-0.1 * np.exp((v + 50) / 2) * DT))[moving])
        free[fired[step]] = step + round(2 / DT)
    count = fired.sum()
    assert count > 1000
    assert count == pytest.approx(expected, abs=3.5 * np.sqrt(expected))
