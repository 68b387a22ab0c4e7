"""r_stdp_izhikevich: spikes set traces, and there is dopamine to learn from at rest; against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["plasticity r_stdp_izhikevich"]

#: Three volleys of one side, 2 ms apart, then one spike of the other: once pre before post, once post before pre.
TEXT = """
experiment: bursts
region:
  region: pairs
  populations:
    pre: {neuron: burst, size: 2, initial: {t_first: 100*ms + i*20*ms, t_last: 104*ms + i*16*ms}}
    post: {neuron: burst, size: 2, initial: {t_first: 120*ms - i*20*ms, t_last: 120*ms - i*16*ms}}
    dopamine: {neuron: burst, size: 1, initial: {t_first: REWARD ms, t_last: REWARD ms}}
  projections:
    learned: {from: pre, to: post, synapse: silent, plasticity: RULE, connect: one_to_one, initial: {w: 2}}
    reward: {from: dopamine, to: post, synapse: {name: dopamine, parameters: {dose: 0.5}}, connect: all}
run: {duration: 1.2 s, dt: 0.5 ms}
---
neuron: burst
parameters: {t_first: 0 ms, t_last: 0 ms, gap: 2 ms}
equations: |
  due : second
threshold: t >= due - 0.1*dt and due <= t_last + 0.1*dt
reset: due += gap
initial: {t_first: -1 s, t_last: -2 s, due: t_first}
"""


def change(results):
    weights = results.weights("learned")
    return (weights.after["w"] - 2)[np.argsort(weights.target)]


@pytest.mark.parametrize("reward", [3000, 300])
def test_only_the_last_spike_counts_and_rest_has_some_dopamine(simulate, timed_cells, reward):
    """Every 10 ms the weight gains (0.002 + DA) times the mark: 0.1 and -0.15 times exp(-16/20) after three spikes.

    The update at 120 ms comes before the spikes of that step.
    """
    results = simulate(TEXT.replace("REWARD", str(reward)).replace("RULE", "r_stdp_izhikevich") + timed_cells)
    updates = np.arange(130, 1200, 10.0)
    level = 0.002 + np.where(updates > reward, 0.5 * np.exp(-(updates - reward - 0.5) / 200), 0)
    kept = np.sum(level * np.exp(-(updates - 120) / 1000))
    gain = kept * 0.1 * np.exp(-16 / 20)
    loss = kept * 0.15 * np.exp(-16 / 20)
    assert change(results) == pytest.approx([gain, -loss], rel=2e-3)


def test_in_the_parent_all_three_spikes_count(simulate, timed_cells):
    set_, added = (
        change(simulate(TEXT.replace("REWARD", "300").replace("RULE", rule) + timed_cells))
        for rule in ("r_stdp_izhikevich", "{name: r_stdp, parameters: {DA_0: -0.002}}")
    )
    more = 1 + np.exp(-2 / 20) + np.exp(-4 / 20)
    assert added / set_ == pytest.approx([more, more], rel=1e-3)
