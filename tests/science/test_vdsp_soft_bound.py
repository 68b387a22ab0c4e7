"""vdsp_soft_bound: the update against the formula of the older public code; nothing else differs from vdsp."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["plasticity vdsp_soft_bound"]

TEXT = """
experiment: update
region:
  region: pairs
  populations:
    pre: {neuron: still, size: 21}
    post: {neuron: timed, size: 4, initial: {t_spike: 20 ms}}
  projections:
    learned:
      {from: pre, to: post, synapse: silent, plasticity: RULE, connect: all, initial: {w: 0.1 + 0.25*j}}
run: {duration: 50 ms, dt: 5 ms}
---
neuron: still
equations: |
  v : 1
initial: {v: -1 + 0.1*i}
"""


@pytest.mark.parametrize("a", [1, 0])
def test_the_update_follows_the_formula(simulate, timed_cells, a):
    """dw = eta (1-w) exp(-a w) (exp(-v)-1) below rest, -eta w exp(a (w-1)) (exp(v)-1) above; eta = 0.0005, a = 1."""
    rule = "vdsp_soft_bound" if a else "{name: vdsp_soft_bound, parameters: {a: 0}}"
    weights = simulate(TEXT.replace("RULE", rule) + timed_cells).weights("learned")
    v, w = -1 + 0.1 * weights.source, 0.1 + 0.25 * weights.target
    gain = np.where(v < -1e-9, (1 - w) * np.exp(-a * w) * (np.exp(-v) - 1), 0)
    loss = np.where(v > 1e-9, w * np.exp(a * (w - 1)) * (np.exp(v) - 1), 0)
    assert weights.after["w"] - w == pytest.approx(0.0005 * (gain - loss), rel=1e-6, abs=1e-12)
    if not a:
        parent = simulate(TEXT.replace("RULE", "{name: vdsp, parameters: {eta: 0.0005}}") + timed_cells)
        np.testing.assert_allclose(weights.after["w"], parent.weights("learned").after["w"], rtol=1e-14)


def test_weights_stay_between_zero_and_one(simulate, timed_cells):
    rule = "{name: vdsp_soft_bound, parameters: {eta: 10}}"
    after = simulate(TEXT.replace("RULE", rule) + timed_cells).weights("learned").after["w"]
    assert after.min() == 0
    assert after.max() == 1
