"""The pair rules: window at several weights, and whole random trains against sums over pairs written out here.

The sums know nothing of traces: they run over the spike times the network reports, pair by pair, for the four ways of
pairing and the dependence on the weight that each paper gives. Spikes that meet in one step count as presynaptic
first, as everywhere in brainsim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

#: What this is the test of.
PARTS = [
    "plasticity stdp",
    "plasticity stdp_multiplicative",
    "plasticity stdp_power_law",
    "plasticity stdp_soft_bounds",
    "plasticity stdp_power_law_morrison",
    "plasticity stdp_nearest",
    "plasticity stdp_nearest_pre_centred",
    "plasticity stdp_nearest_restricted",
]


@dataclass(frozen=True)
class Rule:
    """What a paper says: largest changes, what they are multiplied with, upper bound, who pairs with whom."""

    gain: float
    loss: float
    up: Callable[[float], float]
    down: Callable[[float], float]
    w_max: float = 1.0
    pairing: str = "all"


def one(w: float) -> float:
    """No dependence on the weight."""
    return 1.0


def itself(w: float) -> float:
    """In proportion to the weight."""
    return w


RULES = {
    "stdp": Rule(0.005, 0.00525, one, one),
    "stdp_multiplicative": Rule(0.003, 0.003, one, itself, w_max=5),
    "stdp_power_law": Rule(0.005, 0.00525, lambda w: (1 - w) ** 0.1, lambda w: w**0.1),
    "stdp_soft_bounds": Rule(0.005, 0.00525, lambda w: 1 - w, itself),
    "stdp_power_law_morrison": Rule(0.1, 0.011, lambda w: w**0.4, itself, w_max=np.inf),
    "stdp_nearest": Rule(0.005, 0.00525, one, one, pairing="nearest"),
    "stdp_nearest_pre_centred": Rule(0.005, 0.00525, one, one, pairing="pre_centred"),
    "stdp_nearest_restricted": Rule(0.005, 0.00525, one, one, pairing="restricted"),
}
BOUNDED = sorted(name for name, rule in RULES.items() if rule.w_max < np.inf)

# Presynaptic cells fire at 100 ms, the others from 40 ms before to 40 ms after; each pair of cells at three weights.
PAIRS = """
experiment: window
region:
  region: pairs
  populations:
    pre: {{neuron: timed, size: 27, initial: {{t_spike: 100 ms}}}}
    post: {{neuron: timed, size: 27, initial: {{t_spike: 100*ms + 10*ms*(i//3 - 4)}}}}
  projections:
    learning:
      from: pre
      to: post
      synapse: silent
      plasticity: {rule}
      connect: one_to_one
      delay: 2 ms
      initial: {{w: 0.2 + 0.3*(i%3)}}
run: {{duration: 160 ms, dt: 1 ms}}
"""


@pytest.mark.parametrize("name", sorted(RULES))
def test_window_at_three_weights(simulate, timed_cells, name):
    weights = simulate(PAIRS.format(rule=name) + timed_cells).weights("learning")
    rule, before = RULES[name], weights.before["w"]
    assert set(np.round(before, 9)) == {0.2, 0.5, 0.8}
    distance = 10.0 * (weights.target // 3 - 4) - 2  # from the arrival to the postsynaptic spike, ms
    size = np.exp(-np.abs(distance) / 20)
    expected = np.where(distance > 0, rule.gain * rule.up(before) * size, -rule.loss * rule.down(before) * size)
    assert weights.after["w"] - before == pytest.approx(expected, rel=1e-6)


TRAINS = """
experiment: trains
region:
  region: trains
  populations:
    pre: {{neuron: {{name: poisson, parameters: {{rate: 60 Hz}}}}, size: 4}}
    post: {{neuron: {{name: poisson, parameters: {{rate: 60 Hz}}}}, size: 4}}
  projections:
    learning:
      from: pre
      to: post
      synapse: {{synapse: silent, equations: "w : 1"}}
      plasticity: {rule}
      connect: all
      delay: 3 ms
      initial: {{w: 0.1 + 0.8*rand()}}
run: {{duration: 800 ms, dt: 1 ms}}
record: {{spikes: [pre, post]}}
"""


def partners(pairing: str, theirs: np.ndarray, own_last: float) -> np.ndarray:
    """Those of the other cell's earlier spikes that pair with a spike now; the own spike before was ``own_last``."""
    if pairing == "all":
        return theirs
    if pairing == "nearest":
        return theirs[-1:]
    since = theirs[theirs > own_last]
    return since if pairing == "pre_centred" else since[-1:]


def summed(rule: Rule, arrivals: np.ndarray, spikes: np.ndarray, w: float, gain: float, loss: float) -> float:
    """The weight after both trains, in steps of 1 ms; presynaptic first where they meet."""
    events = sorted([(t, 0) for t in arrivals] + [(t, 1) for t in spikes])
    last = [-np.inf, -np.inf]
    for now, kind in events:
        if kind == 0:
            # The last postsynaptic spike pairs with every arrival, except where a pair may have nothing in between.
            pairing = {"pre_centred": "nearest", "restricted": "restricted"}.get(rule.pairing, rule.pairing)
            # A spike in the step of the last arrival came after it.
            found = partners(pairing, spikes[spikes < now], last[0] - 0.5)
            w -= loss * rule.down(w) * np.sum(np.exp(-(now - found) / 20))
        else:
            found = partners(rule.pairing, arrivals[arrivals <= now], last[1])
            w += gain * rule.up(w) * np.sum(np.exp(-(now - found) / 20))
        w = float(np.clip(w, 0, rule.w_max))
        last[kind] = now
    return w


def check_trains(simulate, name: str, **amplitudes: float) -> np.ndarray:
    """Compare all synapses of a random network with the sums; the final weights."""
    rule = RULES[name]
    changes = {f"learning.plasticity.{key}": value for key, value in amplitudes.items()}
    results = simulate(TRAINS.format(rule=name), set=changes)
    trains = {}
    for side, late in (("pre", 3), ("post", 0)):
        times, cells = results.spikes(side)
        steps = np.round(times * 1e3).astype(int) + late
        trains[side] = [np.sort(steps[(cells == k) & (steps < 800)]) for k in range(4)]
    weights = results.weights("learning")
    gain, loss = amplitudes.get("A_plus", rule.gain), amplitudes.get("A_minus", rule.loss)
    expected = [
        summed(rule, trains["pre"][i], trains["post"][j], w, gain, loss)
        for i, j, w in zip(weights.source, weights.target, weights.before["w"], strict=True)
    ]
    assert weights.after["w"] == pytest.approx(expected, rel=1e-9)
    assert np.max(np.abs(weights.after["w"] - weights.before["w"])) > 0.01
    return weights.after["w"]


@pytest.mark.parametrize("name", sorted(RULES))
def test_random_trains_with_a_delay_equal_sums_over_pairs(simulate, name):
    check_trains(simulate, name)


@pytest.mark.parametrize("name", BOUNDED)
def test_gains_and_losses_stop_at_the_bounds(simulate, name):
    """Pairs a hundred times stronger: what is cut is cut at every spike, at 0 and at w_max."""
    top = check_trains(simulate, name, A_plus=0.8, A_minus=0.05)
    assert 0.9 * RULES[name].w_max < top.max() <= RULES[name].w_max
    bottom = check_trains(simulate, name, A_plus=0.05, A_minus=0.8)
    assert 0 <= bottom.min() < 0.1
