"""stdp: the window on both sides, at two time steps and with delays; limits of the weight; sums over pairs."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["plasticity stdp"]

# A pair of cells for every distance: the presynaptic cells fire at 100 ms, the others from 50 ms before to 50 ms after.
PAIRS = """
experiment: window
region:
  region: pairs
  populations:
    pre: {{neuron: timed, size: 101, initial: {{t_spike: 100 ms}}}}
    post: {{neuron: timed, size: 101, initial: {{t_spike: 100*ms + (i - 50)*ms}}}}
  projections:
    learning:
      from: pre
      to: post
      synapse: silent
      plasticity: stdp
      connect: one_to_one
      delay: {delay} ms
      initial: {{w: 0.5}}
run: {{duration: 160 ms, dt: {dt} ms}}
"""


@pytest.mark.parametrize("dt", [0.1, 1])
@pytest.mark.parametrize("delay", [0, 1, 5])
def test_window_is_exponential_on_both_sides(simulate, timed_cells, dt, delay):
    text = PAIRS.format(dt=dt, delay=delay).replace("      delay: 0 ms\n", "")
    weights = simulate(text + timed_cells).weights("learning")
    change = weights.after["w"] - weights.before["w"]
    # What counts is when the presynaptic spike arrives.
    distance = (np.arange(101) - 50.0 - delay)[weights.target]
    later, sooner = distance > 0.5, distance < -0.5
    assert change[later] == pytest.approx(0.005 * np.exp(-distance[later] / 20), rel=0.01)
    assert change[sooner] == pytest.approx(-0.00525 * np.exp(distance[sooner] / 20), rel=0.01)


@pytest.mark.parametrize(("first", "last", "limit"), [("pre", "post", 1.0), ("post", "pre", 0.0)])
def test_weights_stay_between_zero_and_w_max(simulate, timed_cells, first, last, limit):
    text = PAIRS.format(dt=0.1, delay=0).replace("      delay: 0 ms\n", "").replace("size: 101", "size: 1")
    text = text.replace("t_spike: 100*ms + (i - 50)*ms", "t_spike: 100 ms")
    override = {"learning.plasticity.A_plus": 0.8, "learning.plasticity.A_minus": 0.8}
    text = text.replace(
        f"{last}: {{neuron: timed, size: 1, initial: {{t_spike: 100 ms",
        f"{last}: {{neuron: timed, size: 1, initial: {{t_spike: 102 ms",
    )
    weights = simulate(text + timed_cells, set=override).weights("learning")
    assert weights.after["w"] == pytest.approx([limit])


def test_all_pairs_count(simulate, timed_cells):
    """Two presynaptic spikes 10 ms apart before one postsynaptic spike: both leave their share."""
    text = """
experiment: triplet
region:
  region: triplet
  populations:
    pre: {neuron: {name: twice}, size: 1}
    post: {neuron: timed, size: 1, initial: {t_spike: 65 ms}}
  projections:
    learning: {from: pre, to: post, synapse: silent, plasticity: stdp, connect: all, initial: {w: 0.5}}
run: {duration: 80 ms, dt: 0.1 ms}
---
neuron: twice
threshold: abs(t - 50*ms) < 0.5*dt or abs(t - 60*ms) < 0.5*dt
"""
    weights = simulate(text + timed_cells).weights("learning")
    expected = 0.005 * (np.exp(-15 / 20) + np.exp(-5 / 20))
    assert weights.after["w"] - 0.5 == pytest.approx([expected], rel=1e-6)
