"""mstdp, mstdpet and the reward they need: one pair and one reward against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["plasticity mstdp", "plasticity mstdpet", "synapse reward"]

#: The first pair has the presynaptic spike first, the second the postsynaptic one; 10 ms apart, the second at 110 ms.
TEXT = """
experiment: reward
region:
  region: pairs
  populations:
    pre: {{neuron: timed, size: 2, initial: {{t_spike: 100*ms + i*10*ms}}}}
    post: {{neuron: timed, size: 2, initial: {{t_spike: 110*ms - i*10*ms}}}}
    critic: {{neuron: timed, size: 1, initial: {{t_spike: {reward} ms}}}}
  projections:
    learned: {{from: pre, to: post, synapse: silent, plasticity: {rule}, connect: one_to_one, initial: {{w: 2.5}}}}
    reward: {{from: critic, to: post, synapse: reward, connect: all, initial: {{w: {sign}}}}}
run: {{duration: 200 ms, dt: 0.5 ms}}
"""


def change(results):
    weights = results.weights("learned")
    return (weights.after["w"] - 2.5)[np.argsort(weights.target)]


@pytest.mark.parametrize("sign", [1, -1])
def test_mstdp_is_the_pair_times_the_reward_at_its_second_spike(simulate, timed_cells, sign):
    """0.1 times exp(-10/20), up and down, times what is left of a reward at 104 ms, six ms and a life of 5 ms later.

    Brian2 lets the signal fall from the step of the reward on, so twelve steps of 0.5 ms lie between.
    """
    found = change(simulate(TEXT.format(rule="mstdp", reward=104, sign=sign) + timed_cells))
    pair = 0.1 * np.exp(-10 / 20) * np.exp(-6 / 5) * sign
    assert found == pytest.approx([pair, -pair], rel=1e-6)


@pytest.mark.parametrize("reward", [90.5, 112.5])
def test_mstdp_needs_the_reward_with_the_pair(simulate, timed_cells, reward):
    """A reward after the pair changes nothing; one long before it hardly does."""
    found = change(simulate(TEXT.format(rule="mstdp", reward=reward, sign=1) + timed_cells))
    left = np.exp(-19.5 / 5) if reward < 100 else 0
    assert found == pytest.approx(0.1 * np.exp(-0.5) * left * np.array([1, -1]), rel=1e-6)


@pytest.mark.parametrize(("reward", "sign"), [(110.5, 1), (130.5, -1)])
def test_mstdpet_is_the_trace_times_the_reward(simulate, timed_cells, reward, sign):
    """Every ms the weight gains 0.6 times 1 ms times the reward times the trace, which the pair made 1/25 ms larger."""
    found = change(
        simulate(TEXT.format(rule="mstdpet", reward=reward, sign=sign) + timed_cells, set={"run.dt": "0.1 ms"})
    )
    updates = np.arange(reward + 0.5, 200)
    # At the start of a step the signal has fallen in all steps of 0.1 ms since that of the reward.
    level = np.exp(-(updates - reward - 0.1) / 5) * sign
    total = 0.6 * np.sum(level * np.exp(-(updates - 110) / 25) / 25) * np.exp(-10 / 20)
    assert found == pytest.approx([total, -total], rel=1e-6)


@pytest.mark.parametrize(("rule", "reward"), [("mstdp", 104), ("mstdpet", 112.5)])
def test_weights_stay_between_zero_and_five(simulate, timed_cells, rule, reward):
    text = TEXT.format(rule=rule, reward=reward, sign=1) + timed_cells
    assert change(simulate(text, set={"learned.plasticity.eta": 1e4})) == pytest.approx([2.5, -2.5])


def test_traces_decay(simulate, timed_cells):
    """The same at twice the distance."""
    text = TEXT.format(rule="mstdp", reward=104, sign=1).replace("100*ms + i*10*ms", "90*ms + i*20*ms")
    found = change(simulate(text.replace("110*ms - i*10*ms", "110*ms - i*20*ms") + timed_cells))
    assert found == pytest.approx(0.1 * np.exp(-20 / 20) * np.exp(-6 / 5) * np.array([1, -1]), rel=1e-6)
