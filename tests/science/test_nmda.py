"""nmda: time course, magnesium block of Jahr & Stevens (1990), and the PSP against an integration with scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

#: What this is the test of.
PARTS = ["synapse nmda"]

TEXT = """
experiment: psp
region:
  region: pair
  populations:
    pre: {neuron: timed, size: 1, initial: {t_spike: 10 ms}}
    cell: {neuron: {name: lif, parameters: {V_th: 100 mV}}, size: 1, initial: {v: E_L}}
  projections:
    push: {from: pre, to: cell, synapse: nmda, connect: all}
run: {duration: 60 ms, dt: 0.1 ms}
record: {state: {cell: {variables: [v, g_nmda, unblocked, I_nmda]}}}
"""


def block(v: float, mg: float = 1.0) -> float:
    """Fraction of channels free of magnesium at v mV and mg mM."""
    return 1 / (1 + mg / 3.57 * np.exp(-0.062 * v))


def course(t: np.ndarray, rise: float = 2.0, decay: float = 100.0) -> np.ndarray:
    """Difference of exponentials with a peak of 1; t in ms."""
    peak = rise * decay / (decay - rise) * np.log(decay / rise)
    return (np.exp(-t / decay) - np.exp(-t / rise)) / (np.exp(-peak / decay) - np.exp(-peak / rise))


@pytest.mark.parametrize("potential", [-90, -70, -40, 0, 30])
def test_magnesium_blocks_by_the_formula(simulate, timed_cells, potential):
    results = simulate(
        TEXT + timed_cells,
        set={"cell.neuron.E_L": f"{potential} mV", "push.synapse.g_max": "1 pS", "run.duration": "20 ms"},
    )
    _, unblocked = results.state("cell", "unblocked")
    assert unblocked[-1, 0] == pytest.approx(block(potential), rel=1e-3)
    _, current = results.state("cell", "I_nmda")
    _, conductance = results.state("cell", "g_nmda")
    assert current[-1, 0] * 1e15 == pytest.approx(
        conductance[-1, 0] * 1e12 * block(potential) * -potential, rel=2e-3, abs=1e-3
    )


def test_without_magnesium_nothing_is_blocked(simulate, timed_cells):
    results = simulate(TEXT + timed_cells, set={"push.synapse.Mg": "0 mM", "run.duration": "20 ms"})
    assert results.state("cell", "unblocked")[1] == pytest.approx(1)


def test_time_course_and_peak(simulate, timed_cells):
    results = simulate(TEXT + timed_cells, set={"run.duration": "300 ms"})
    times, conductance = results.state("cell", "g_nmda")
    since = times * 1e3 - 10.1
    late = since >= 0
    assert conductance[late, 0] * 1e9 == pytest.approx(0.5 * course(since[late]), rel=1e-6, abs=1e-9)
    assert since[np.argmax(conductance)] == pytest.approx(2 * 100 / 98 * np.log(50), abs=0.11)


def test_psp_matches_an_independent_integration(simulate, timed_cells):
    """From -60 mV, where the block lifts as the cell depolarises."""
    results = simulate(TEXT + timed_cells, set={"cell.neuron.E_L": "-60 mV", "push.synapse.g_max": "3 nS"})
    times, v = results.state("cell", "v")
    late = times * 1e3 > 10.05
    since = times[late] * 1e3 - 10.1

    def slope(t, y):
        return (10 * (-60 - y) + 3.0 * course(t) * block(y) * (0 - y)) / 200

    expected = solve_ivp(slope, (0, since[-1]), [-60.0], t_eval=since, rtol=1e-8, atol=1e-8).y[0] + 60
    assert np.max(np.abs(v[late, 0] * 1e3 + 60 - expected)) < 0.02 * expected.max()
