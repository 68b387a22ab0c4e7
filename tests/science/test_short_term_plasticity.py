"""tm_depressing, tsodyks_markram, tm_facilitating: first, second and steady response in closed form."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["synapse tm_depressing", "synapse tsodyks_markram", "synapse tm_facilitating"]

TEXT = """
experiment: train
region:
  region: pair
  populations:
    pre: {neuron: regular_train, size: 1}
    cell: {neuron: lif, size: 1, initial: {v: -70 mV}}
  projections:
    push: {from: pre, to: cell, synapse: SYNAPSE, connect: all}
run: {duration: 6 s, dt: 1 ms}
record: {spikes: [pre], state: {cell: {variables: [I_tm]}}}
---
neuron: regular_train
equations: |
  t_next : second
threshold: t > t_next - 0.5*dt
reset: t_next += 50*ms
initial: {t_next: 50 ms}
"""


@pytest.mark.parametrize(
    ("synapse", "A", "U", "rec", "facil", "decay"),
    [
        ("tm_depressing", 250, 0.5, 800, None, 3.0),
        ("tsodyks_markram", 1540, 0.03, 130, 530, 1.5),
        ("tm_facilitating", 1540, 0.04, 100, 1000, 3.0),
    ],
)
def test_responses_of_a_regular_train(simulate, synapse, A, U, rec, facil, decay):
    results = simulate(TEXT.replace("SYNAPSE", synapse))
    spikes = np.rint(results.spikes("pre")[0] * 1e3).astype(int)
    current = results.state("cell", "I_tm")[1][:, 0] * 1e12
    steps = current[spikes + 1]  # what is left of the spike before, 50 ms ago, is nothing
    back, forget = np.exp(-50 / rec), 0.0 if facil is None else np.exp(-50 / facil)
    assert steps[0] == pytest.approx(A * U, rel=1e-6)
    u_2 = U + U * (1 - U) * forget
    assert steps[1] / steps[0] == pytest.approx(u_2 * (1 - U * back) / U, rel=1e-6)  # paired-pulse ratio
    u = U / (1 - (1 - U) * forget)
    r = (1 - back) / (1 - (1 - u) * back)
    assert steps[-1] == pytest.approx(A * u * r, rel=1e-3)
    assert (steps[-1] > steps[0]) == (facil is not None)  # which way it goes
    assert current[spikes[5] + 4] / steps[5] == pytest.approx(np.exp(-3 / decay), rel=1e-6)
