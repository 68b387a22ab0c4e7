"""delta: the potential jumps by J, at the spike plus the delay, and then leaks away."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["synapse delta"]

TEXT = """
experiment: jump
region:
  region: pair
  populations:
    pre: {neuron: timed, size: 1, initial: {t_spike: 10 ms}}
    cell: {neuron: lif, size: 1, initial: {v: -70 mV}}
  projections:
    kick: {from: pre, to: cell, synapse: delta, connect: all, delay: 1.5 ms}
run: {duration: 40 ms, dt: 0.1 ms}
record: {state: {cell: {variables: [v]}}}
"""


@pytest.mark.parametrize(("override", "height"), [({}, 0.1), ({"kick.synapse.J": "-0.5 mV"}, -0.5)])
def test_jump_and_leak(simulate, timed_cells, override, height):
    times, v = simulate(TEXT + timed_cells, set=override).state("cell", "v")
    times, psp = times * 1e3, v[:, 0] * 1e3 + 70
    # The spike of step 10 ms arrives at 11.5 ms, after that step's membrane update: seen at 11.6 ms.
    assert psp[times < 11.55] == pytest.approx(0, abs=1e-9)
    late = times > 11.55
    assert psp[late] == pytest.approx(height * np.exp(-(times[late] - 11.6) / 20), rel=1e-6)


def test_the_weight_scales_the_jump(simulate, timed_cells):
    text = TEXT.replace("connect: all,", "connect: all, initial: {w: 3},")
    _, v = simulate(text + timed_cells).state("cell", "v")
    assert np.max(v) * 1e3 + 70 == pytest.approx(0.3, rel=1e-6)
