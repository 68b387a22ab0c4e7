"""exponential: height, time and shape of the PSP against the closed form."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["synapse exponential"]

TEXT = """
experiment: psp
region:
  region: pair
  populations:
    pre: {neuron: timed, size: 1, initial: {t_spike: 10 ms}}
    cell: {neuron: lif, size: 1, initial: {v: -70 mV}}
  projections:
    push: {from: pre, to: cell, synapse: exponential, connect: all, delay: 2 ms}
run: {duration: 80 ms, dt: 0.02 ms}
record: {state: {cell: {variables: [v, I_exp]}}}
"""


@pytest.mark.parametrize(
    ("override", "j", "tau_s"),
    [({}, 16.2, 5.0), ({"push.synapse.J": "-90 pA", "push.synapse.tau_s": "10 ms"}, -90.0, 10.0)],
)
def test_psp_matches_the_closed_form(simulate, timed_cells, override, j, tau_s):
    results = simulate(TEXT + timed_cells, set=override)
    times, v = results.state("cell", "v")
    psp, since = v[:, 0] * 1e3 + 70, times * 1e3 - 12.02  # the step after the arrival is the first that sees it
    tau_m, c_m = 20.0, 200.0
    late = since > -0.01
    expected = np.zeros_like(since)
    expected[late] = (
        j / c_m * tau_m * tau_s / (tau_m - tau_s) * (np.exp(-since[late] / tau_m) - np.exp(-since[late] / tau_s))
    )
    assert np.max(np.abs(psp - expected)) < 0.015 * np.max(np.abs(expected))
    peak = tau_m * tau_s / (tau_m - tau_s) * np.log(tau_m / tau_s)
    assert since[np.argmax(np.abs(psp))] == pytest.approx(peak, abs=0.15)
    _, current = results.state("cell", "I_exp")
    assert np.max(np.abs(current)) * 1e12 == pytest.approx(abs(j), rel=0.015)
