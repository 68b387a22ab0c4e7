"""xor, critic and mstdp_after: the numbers of Florian (2007), one pair and one reward in closed form, and learning."""

from __future__ import annotations

import numpy as np
import pytest

from brainsim import backends

#: What this is the test of.
PARTS = ["region xor", "neuron critic", "plasticity mstdp_after"]

compiled = pytest.mark.compiled
needs_compiler = pytest.mark.skipif(bool(backends.available()["native"]), reason="needs a C++ compiler")

PAIR = """
experiment: reward
region:
  region: pairs
  populations:
    pre: {{neuron: timed, size: 2, initial: {{t_spike: 100*ms + i*10*ms}}}}
    post: {{neuron: timed, size: 2, initial: {{t_spike: 110*ms - i*10*ms}}}}
    critic: {{neuron: timed, size: 1, initial: {{t_spike: {reward}*ms}}}}
  projections:
    learned: {{from: pre, to: post, synapse: silent, plasticity: mstdp_after, connect: one_to_one, initial: {{w: 2.5}}}}
    reward:
      from: critic
      to: post
      synapse: {{name: reward, parameters: {{tau_reward: 0.02 ms}}}}
      connect: all
      initial: {{w: {sign}}}
run: {{duration: 150 ms, dt: 1 ms}}
"""


@pytest.mark.parametrize(("reward", "sign", "share"), [(111, 1, 1), (111, -1, 1), (110, 1, 0), (112, 1, 0)])
def test_a_reward_meets_the_pairs_of_the_step_before(simulate, timed_cells, reward, sign, share):
    """0.1 times exp(-10/20), up where the presynaptic spike came first; one step early or late it does nothing."""
    weights = simulate(PAIR.format(reward=reward, sign=sign) + timed_cells).weights("learned")
    change = (weights.after["w"] - 2.5)[np.argsort(weights.target)]
    assert change == pytest.approx(share * sign * 0.1 * np.exp(-10 / 20) * np.array([1, -1]), rel=1e-6, abs=1e-9)


HEARD = """
experiment: heard
region:
  region: heard
  populations:
    output: {neuron: recorded, size: 1}
    critic: {neuron: critic, size: 2}
  projections: {heard: {from: output, to: critic, synapse: pulse, connect: all}}
stimuli:
  output: {to: output.spike, times: {0: [10 ms, 11 ms, 30 ms]}}
  goal: {to: critic.goal, times: {0: [12 ms, 30 ms], 1: [11 ms, 31 ms]}}
run: {duration: 40 ms, dt: 1 ms}
record: {spikes: [critic]}
"""


def test_the_critic_fires_one_step_later_where_it_has_a_goal(simulate):
    times, cells = simulate(HEARD).spikes("critic")
    assert times * 1e3 == pytest.approx([11, 12, 31])
    assert list(cells) == [1, 0, 1]


def test_network_is_that_of_the_paper(make_plan):
    """60, 60 and 1 cells of 20 ms, 16 mV to threshold; weights to 5 mV; gamma 0.1 and 0.625 mV; 500 ms a pattern."""
    plan = make_plan("florian_2007_xor")
    sizes = {group.path: group.size for group in plan.groups}
    assert (sizes["input"], sizes["hidden"], sizes["output"]) == (60, 60, 1)
    cell = {c.name: c.value.value for g in plan.groups if g.path == "hidden" for c in g.constants}
    assert cell["C_m"] / cell["g_L"] == pytest.approx(0.020)
    assert cell["V_th"] - cell["V_r"] == pytest.approx(0.016)
    for name, eta in (("florian_2007_xor", 0.1), ("florian_2007_xor_trace", 0.625)):
        plan = make_plan(name)
        values = {(c.path, k.name): k.value.value for c in plan.connections for k in c.constants}
        for path, sign in (("exc_to_hidden", 1), ("inh_to_hidden", -1), ("hidden_to_output", 1)):
            assert values[path, "eta"] == pytest.approx(sign * eta)
            assert values[path, "w_max"] == 5
            assert values[path, "J"] == pytest.approx(sign * 1e-3)
    assert plan.trial.steps == 500 and plan.dt == pytest.approx(1e-3)
    assert {phase.name: phase.passes for phase in plan.phases}["train"] == 200


def rates(results, phase: str) -> np.ndarray:
    """Output rate in Hz of each pattern 00, 01, 10, 11 in each pass [passes, 4]."""
    trials = results.trials
    mine = trials["phase"] == trials["phases"].index(phase)
    counts, pattern = results.counts("output", phase)[:, 0], trials["sample"][mine] % 4
    order = np.argsort(pattern, kind="stable").reshape(4, -1)
    return counts[order].T / 0.5


@compiled
@needs_compiler
def test_traces_learn_xor_in_sixty_epochs_and_not_from_rewards_too_late(simulate):
    """Measured with seeds 1 to 10 and 200 epochs: learned by all, from epoch 11 to 31 on."""
    short = {"phases.train.passes": 60, "phases.label.passes": 20, "phases.test.passes": 20}
    learned = simulate("florian_2007_xor_trace", set=short, backend="native")
    assert learned.summary["readout"]["accuracy_argmax"] > 0.95
    zeros, one, other, both = rates(learned, "test").mean(0)
    assert min(one, other) > 1.5 * max(zeros, both)
    late = simulate("florian_2007_xor_trace", set={**short, "delay": "200 ms"}, backend="native")
    assert late.summary["readout"]["accuracy_argmax"] < 0.95


@pytest.mark.slow
@compiled
@needs_compiler
@pytest.mark.parametrize("name", ["florian_2007_xor", "florian_2007_xor_trace"])
def test_two_hundred_epochs_learn_xor(simulate, name):
    """While it learns, as in the paper, the rates of the two patterns that differ end above those of the others.

    Measured with seeds 1 to 10: all, from epoch 27 to 132 on with MSTDP and 11 to 31 with MSTDPET. Frozen afterwards,
    MSTDP keeps this order in six of ten: its weights change much within one pattern.
    """
    for seed in range(1, 6):
        results = simulate(name, set={"run.seed": seed}, backend="native")
        zeros, one, other, both = rates(results, "train")[-25:].mean(0)
        assert min(one, other) > max(zeros, both), seed
