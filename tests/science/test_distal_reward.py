"""izhikevich_2007_distal_reward: numbers of the published program, pairs and late rewards, and the hour it takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainsim import backends

#: What this is the test of: an experiment, and the cell and the synapses that stand in its file.
PARTS: list[str] = []

FILE = Path(__file__).resolve().parents[2] / "configs" / "papers" / "izhikevich_2007_distal_reward.yaml"
NAME = "izhikevich_2007_distal_reward"
compiled = pytest.mark.compiled
needs_compiler = pytest.mark.skipif(bool(backends.available()["native"]), reason="needs a C++ compiler")


def documents() -> str:
    """The parts that stand in the experiment's file."""
    return "\n---\n" + FILE.read_text(encoding="utf-8").partition("\n---\n")[2]


#: First spikes at 10 ms; second ones after 1, 19 and 20 ms, at the same time, and before.
PAIRS = """
experiment: pairs
region:
  region: pairs
  populations:
    first: {neuron: recorded, size: 1}
    second: {neuron: recorded, size: 1}
    rewards: {neuron: late_reward, size: 3}
  projections:
    a: {from: first, to: rewards, synapse: first_of_pair, connect: all}
    b: {from: second, to: rewards, synapse: second_of_pair, connect: all}
stimuli:
  a: {to: first.spike, times: {0: [100 ms, 200 ms, 300 ms, 400 ms, 500 ms, 600 ms]}}
  b: {to: second.spike, times: {0: [SECOND]}}
run: {duration: 3.7 s, dt: 1 ms, seed: SEED}
record: {spikes: [rewards]}
"""


def rewards(simulate, second: str, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    return simulate(PAIRS.replace("SECOND", second).replace("SEED", str(seed)) + documents()).spikes("rewards")


def test_a_pair_is_a_second_spike_one_to_nineteen_steps_later(simulate):
    """As in the program: later than the first, and by less than 20 ms; each is rewarded once, by the next in turn."""
    assert len(rewards(simulate, "99 ms, 200 ms, 320 ms, 425 ms")[0]) == 0
    times, cells = rewards(simulate, "101 ms, 219 ms, 605 ms")
    assert sorted(cells) == [0, 1, 2]
    waits = times[np.argsort((cells - 1) % 3)] - [0.101, 0.219, 0.605]
    assert np.all((waits >= 0.999) & (waits <= 3.001))


def test_waits_are_spread_evenly_from_one_to_three_seconds(simulate):
    """Fifteen of them: mean 2 s, standard deviation 2/sqrt(12) s; bounds at three standard errors."""
    waits = []
    for seed in range(5):
        times, cells = rewards(simulate, "101 ms, 219 ms, 605 ms", seed)
        waits += list(times[np.argsort((cells - 1) % 3)] - [0.101, 0.219, 0.605])
    assert np.mean(waits) == pytest.approx(2, abs=3 * 0.577 / np.sqrt(15))
    assert np.std(waits) == pytest.approx(0.577, abs=0.3)
    assert min(waits) > 0.999 and max(waits) < 3.001


def step(v: float, u: float, current: float) -> tuple[float, float]:
    """The published step of 1 ms, without a spike."""
    for _ in range(2):
        v += 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
    return v, u + 0.02 * (0.2 * v - u)


def test_cell_takes_the_steps_of_the_program(simulate):
    """40 steps with a constant input of 10: potentials before the first spike, and its reset."""
    text = """
experiment: steps
region:
  region: one
  populations: {cell: {neuron: {name: izhikevich_steps, parameters: {I_noise: 0, I_bias: 10 mV}}, size: 1}}
run: {duration: 40 ms, dt: 1 ms}
record: {spikes: [cell], state: {cell: {variables: [v, u]}}}
"""
    results = simulate(text + documents())
    (times, found), (_, recovery) = results.state("cell", "v"), results.state("cell", "u")
    v, u, spikes = -65.0, -13.0, []
    for k in range(len(times)):
        assert found[k, 0] * 1e3 == pytest.approx(v, rel=1e-9), k
        assert recovery[k, 0] * 1e3 == pytest.approx(u, rel=1e-9), k
        v, u = step(v, u, 10)
        if v >= 30:
            v, u = -65.0, u + 8
            spikes.append(times[k])
    assert len(spikes) >= 1
    assert results.spikes("cell")[0] == pytest.approx(spikes)


def test_network_is_that_of_the_program(make_plan):
    """800 + 200 cells, 100 synapses each, weights 1 and -1 and a chosen one of 0, noise of 13, a reward of 0.5."""
    plan = make_plan(NAME)
    assert {g.path: g.size for g in plan.groups}["cells"] == 1000
    wires = {c.path: c for c in plan.connections}
    assert [wires[path].wiring.options["out_degree"] for path in ("learned", "inhibition")] == [100, 100]
    values = {(c.path, k.name): k.value.value for c in plan.connections for k in c.constants}
    assert values["dopamine", "dose"] == 0.5
    cells = {k.name: k.value.value for g in plan.groups if g.path == "cells" for k in g.constants}
    assert cells["I_noise"] == 13
    assert plan.dt == pytest.approx(1e-3)


def program(seconds: int, seed: int) -> tuple[float, float, np.ndarray]:
    """The published network without rewards, written anew: rates of both kinds of cells in Hz, and weights."""
    rng = np.random.default_rng(seed)
    exc = np.arange(1000) < 800
    target = np.vstack([rng.integers(0, 1000, (800, 100)), rng.integers(0, 800, (200, 100))])
    order = np.argsort(target[:800].ravel(), kind="stable")
    bounds = np.searchsorted(target[:800].ravel()[order], np.arange(1001))
    weight, mark = np.ones(80_000), np.zeros(80_000)
    a, d = np.where(exc, 0.02, 0.1), np.where(exc, 8.0, 2.0)
    v, trace, before, spikes = np.full(1000, -65.0), np.zeros(1000), np.zeros(1000), np.zeros(1000)
    u = 0.2 * v
    for t in range(1, 1000 * seconds + 1):
        current = 13 * (rng.random(1000) - 0.5)
        fired = np.flatnonzero(v >= 30)
        v[fired], trace[fired] = -65, 0.1
        u[fired] += d[fired]
        spikes[fired] += 1
        for cell in fired:  # potentiation sees the presynaptic spikes of the step before
            synapses = order[bounds[cell] : bounds[cell + 1]]
            mark[synapses] += before[synapses // 100]
        for cell in fired:
            if exc[cell]:
                synapses = slice(100 * cell, 100 * cell + 100)
                np.add.at(current, target[cell], weight[synapses])
                mark[synapses] -= 1.5 * trace[target[cell]]
            else:
                np.add.at(current, target[cell], -1)
        for _ in range(2):
            v += 0.5 * ((0.04 * v + 5) * v + 140 - u + current)
        u += a * (0.2 * v - u)
        before, trace = trace.copy(), 0.95 * trace
        if t % 10 == 0:
            weight = np.clip(weight + 0.002 * mark, 0, 4)
            mark *= 0.99
    return spikes[exc].mean() / seconds, spikes[~exc].mean() / seconds, weight


@compiled
@needs_compiler
def test_network_does_what_the_program_does(simulate):
    """Rates, and how far weights drift and spread in 20 s without rewards.

    Measured over 100 s, three seeds of the program and two here: 1.37 and 1.37 Hz, 0.89 and 0.89 Hz; weights 0.9718
    and 0.9710. The drift is 2.5 % larger here, because 0.95 a step are 19.5 ms and not 20.
    """
    text = FILE.read_text(encoding="utf-8").replace("spikes: [rewards]", "spikes: [cells, rewards]")
    results = simulate(text, set={"run.duration": "20 s", "dose": 0}, backend="native")
    _, cells = results.spikes("cells")
    weight = results.weights("learned").after["w"]
    exc, inh, expected = program(20, 1)
    assert np.sum(cells < 800) / 800 / 20 == pytest.approx(exc, rel=0.05)
    assert np.sum(cells >= 800) / 200 / 20 == pytest.approx(inh, rel=0.1)
    assert 1 - weight.mean() == pytest.approx(1 - expected.mean(), rel=0.06)
    assert weight.std() == pytest.approx(expected.std(), rel=0.1)


@pytest.mark.slow
@compiled
@needs_compiler
@pytest.mark.parametrize("seed", [1, 2])
def test_within_an_hour_it_saturates_and_the_others_stay_low(simulate, seed):
    """Measured with seeds 1 to 10: at 4 after 640 to 2440 s and near it from then on, the others at 0.67 to 0.85."""
    results = simulate(NAME, set={"run.seed": seed}, backend="native")
    _, weight = results.state("chosen", "w")
    others = results.weights("learned").after["w"]
    assert weight.max() > 3.99
    assert weight[-60:].mean() > 3
    assert others.mean() < 0.95
    assert np.mean(others > 3.99) < 0.05
