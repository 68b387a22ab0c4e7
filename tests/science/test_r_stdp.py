"""r_stdp: the mark of a pair times dopamine, against the closed form, with all three decays."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["plasticity r_stdp"]

TEXT = """
experiment: reward
region:
  region: pairs
  populations:
    pre: {{neuron: timed, size: 2, initial: {{t_spike: 100 ms}}}}
    post: {{neuron: timed, size: 2, initial: {{t_spike: 110*ms - i*20*ms}}}}
    dopamine: {{neuron: timed, size: 1, initial: {{t_spike: {reward} ms}}}}
  projections:
    learning: {{from: pre, to: post, synapse: silent, plasticity: r_stdp, connect: one_to_one, initial: {{w: 2}}}}
    reward: {{from: dopamine, to: post, synapse: {{name: dopamine, parameters: {{dose: 0.5}}}}, connect: all}}
run: {{duration: 2 s, dt: 0.5 ms}}
record: {{state: {{learning: {{variables: [w, mark], every: 10 ms}}}}}}
"""


@pytest.mark.parametrize("reward", [113, 600, 1103])
def test_change_is_mark_times_dopamine(simulate, timed_cells, reward):
    """His program: every 10 ms the weight gains mark times level; pairs leave 0.1 and -0.15 times exp(-10/20)."""
    weights = simulate(TEXT.format(reward=reward) + timed_cells).weights("learning")
    updates = np.arange(0, 2000, 10.0)
    updates = updates[updates > reward]
    shape = np.sum(np.exp(-(updates - 110) / 1000) * 0.5 * np.exp(-(updates - reward - 0.5) / 200))
    # Pre first: marked at the postsynaptic spike, 110 ms. Post first: at the arrival, 100 ms.
    gain = 0.1 * np.exp(-0.5) * shape
    loss = 0.15 * np.exp(-0.5) * shape * np.exp(-10 / 1000)
    change = (weights.after["w"] - 2)[np.argsort(weights.target)]
    assert change == pytest.approx([gain, -loss], rel=0.003)


def test_without_dopamine_nothing_changes(simulate, timed_cells):
    weights = simulate(TEXT.format(reward=5000) + timed_cells).weights("learning")
    assert np.all(weights.after["w"] == 2)


def test_the_mark_reads_right_between_spikes(simulate, timed_cells):
    times, mark = simulate(TEXT.format(reward=5000) + timed_cells).state("learning", "mark")
    late = times * 1e3 > 111
    assert mark[late, 0] == pytest.approx(0.1 * np.exp(-0.5) * np.exp(-(times[late] * 1e3 - 110) / 1000), rel=1e-6)
    assert mark[late, 1] == pytest.approx(-0.15 * np.exp(-0.5) * np.exp(-(times[late] * 1e3 - 100) / 1000), rel=1e-6)


def test_below_the_tonic_level_the_mark_is_unlearned(simulate, timed_cells):
    weights = simulate(TEXT.format(reward=5000) + timed_cells, set={"learning.plasticity.DA_0": 0.1}).weights(
        "learning"
    )
    change = (weights.after["w"] - 2)[np.argsort(weights.target)]
    assert change[0] < -0.05
    assert change[1] > 0.05


def test_weights_stay_between_zero_and_w_max(simulate, timed_cells):
    weights = simulate(TEXT.format(reward=120) + timed_cells, set={"learning.plasticity.eta": "10 kHz"}).weights(
        "learning"
    )
    assert weights.after["w"][np.argsort(weights.target)] == pytest.approx([4, 0])
