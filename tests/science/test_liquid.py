"""liquid: connections and synapses of the column, and an echo from which a linear readout tells present and past."""

from __future__ import annotations

import numpy as np
import pytest

from brainsim import backends
from brainsim.compose import draws
from brainsim.units import Quantity

#: What this is the test of.
PARTS = ["region liquid", "neuron liquid"]

#: Sender and receiver -> C, mean strength in nA, U, recovery and facilitation in s, decay and delay in ms.
SYNAPSES = {
    "exc_to_exc": (0.3, 30, 0.5, 1.1, 0.05, 3, 1.5),
    "exc_to_inh": (0.2, 60, 0.05, 0.125, 1.2, 3, 0.8),
    "inh_to_exc": (0.4, -19, 0.25, 0.7, 0.02, 6, 0.8),
    "inh_to_inh": (0.1, -19, 0.32, 0.144, 0.06, 6, 0.8),
}

CELLS = """
experiment: cells
region:
  region: cells
  populations:
    usual: {neuron: liquid, size: 200}
    free: {neuron: {name: liquid, parameters: {V_th: 1 V}}, size: 1, initial: {v: 0 mV}}
    driven: {neuron: {name: liquid, parameters: {I_bias: 20 nA}}, size: 1}
run: {duration: 200 ms, dt: 0.1 ms, seed: 1}
record:
  spikes: [driven]
  state: {free: {variables: [v], every: 1 ms}, usual: {variables: [v], every: 1 ms}}
"""


def test_the_cell(simulate):
    """30 ms, rest 0, threshold 15 mV, reset 13.5 mV, 3 ms refractory, 13.5 nA through 1 MOhm."""
    results = simulate(CELLS)
    times, v = results.state("free", "v")
    assert v[:, 0] == pytest.approx(13.5e-3 * (1 - np.exp(-times / 0.03)), abs=0.1e-3)
    _, v = results.state("usual", "v")
    assert 13.5e-3 <= v[0].min() < 13.6e-3 and 14.9e-3 < v[0].max() <= 15e-3
    interval = 3 + 30 * np.log((20 - 13.5) / (20 - 15))
    assert np.diff(results.spikes("driven")[0]).mean() * 1e3 == pytest.approx(interval, abs=0.11)


def constants(item) -> dict[str, float]:
    return {constant.name: constant.value.value for constant in item.constants}


def test_connections_fade_with_distance_and_synapses_are_those_of_the_paper(make_plan):
    """3 by 3 by 15 places; probability C*exp(-(D/2)**2); four kinds of dynamic synapses, with a spread of half."""
    plan = make_plan("liquid")
    assert {group.path: group.size for group in plan.groups} == {"input": 1, "exc": 108, "inh": 27}
    place = np.array([(x, y, z) for z in range(15) for y in range(3) for x in range(3)], dtype=float)
    inhibits = np.arange(135) % 5 == 2
    places = {"exc": place[~inhibits], "inh": place[inhibits]}
    by_path = {connection.path: connection for connection in plan.connections}
    for path, (C, strength, U, recovery, facilitation, decay, delay) in SYNAPSES.items():
        connection = by_path[path]
        source, target = path.split("_to_")
        away = np.linalg.norm(places[source][:, None] - places[target][None], axis=2)
        chance = C * np.exp(-((away / 2) ** 2))
        if source == target:
            np.fill_diagonal(chance, 0)
        drawn = [draws.pairs(connection, seed) for seed in range(60)]
        counts = [len(i) for i, _ in drawn]
        assert np.mean(counts) == pytest.approx(chance.sum(), rel=0.06)
        far = np.mean([np.sum(away[i, j] > 2.5) for i, j in drawn])
        assert far == pytest.approx(chance[away > 2.5].sum(), rel=0.3)
        assert constants(connection)["J"] == pytest.approx(strength * 1e-9)
        assert connection.pathways[0].delay == pytest.approx(delay * 1e-3)
        found = {}
        n = 20_000  # as if there were so many synapses
        for initial in connection.initial:
            found[initial.variable] = draws.values("x", initial, n, {"i": Quantity(np.zeros(n))}, 1).value
        assert (found["w"].mean(), found["w"].std()) == pytest.approx((1, 1), rel=0.03)
        for name, mean in (("U", U), ("tau_rec", recovery), ("tau_facil", facilitation)):
            assert np.quantile(found[name], [0.5, 0.8]) == pytest.approx([mean, 1.4208 * mean], rel=0.03)
            assert found[name].min() > 0
        group = next(group for group in plan.groups if group.path == target)
        taus = [value for name, value in constants(group).items() if name.startswith("tau_in")]
        assert decay * 1e-3 in [pytest.approx(tau) for tau in taus]
    for path, strength, decay in (("input_to_exc", 18, 3), ("input_to_inh", 9, 3)):
        assert constants(by_path[path])["J"] == pytest.approx(strength * 1e-9)
        group = next(group for group in plan.groups if group.name == by_path[path].target.group)
        assert constants(group)["tau_s"] == pytest.approx(decay * 1e-3)
        assert len(draws.pairs(by_path[path], 1)[0]) == by_path[path].target.size
    [train] = (group for group in plan.groups if group.path == "input")
    assert constants(train)["rate"] == pytest.approx(20)
    refractory = {group.path: constants(group)["t_ref"] for group in plan.groups if group.path != "input"}
    assert refractory == {"exc": pytest.approx(3e-3), "inh": pytest.approx(2e-3)}


ECHOES = """
experiment: echoes
region:
  region: echoes
  extends: liquid
  populations: {input: {neuron: recorded, size: 1}}
stimuli: {train: {to: input.spike, times: {0: [TIMES]}}}
run: {duration: STOP ms, dt: 0.1 ms, seed: 1}
record: {spikes: [exc, inh]}
"""
#: Segments of 250 ms, each one of two templates of five spikes that are moved by 4 ms; so many to learn from.
SEGMENTS, LEARNT = 320, 200


def share_right(states: np.ndarray, labels: np.ndarray) -> float:
    """A linear readout learns on the first segments; how many of the others it gets right."""
    states = np.c_[states, np.ones(len(states))]
    known = states[:LEARNT]
    weights = np.linalg.solve(known.T @ known + 0.1 * np.eye(136), known.T @ (2.0 * labels[:LEARNT] - 1))
    return float(np.mean((states[LEARNT:] @ weights > 0) == labels[LEARNT:]))


@pytest.mark.compiled
@pytest.mark.skipif(bool(backends.available()["native"]), reason="needs a C++ compiler")
def test_different_inputs_leave_different_states_and_the_past_is_in_the_present(simulate):
    """Measured: 98 to 100 % for the segment just over, 67 to 87 % for the one before; the one to come is chance."""
    rng = np.random.default_rng(1)
    templates = np.sort(rng.uniform(0, 250, (2, 5)))
    labels = rng.integers(0, 2, SEGMENTS)
    moved = np.clip(templates[labels] + rng.normal(0, 4, (SEGMENTS, 5)), 0, 249) + 250 * np.arange(SEGMENTS)[:, None]
    times = np.unique(np.round(moved, 1))
    text = ECHOES.replace("TIMES", ", ".join(f"{t:.1f} ms" for t in times)).replace("STOP", str(250 * SEGMENTS))
    results = simulate(text, backend="native")
    states = np.zeros((SEGMENTS, 135))  # each train through a filter of 30 ms, at the end of each segment
    for path, first in (("exc", 0), ("inh", 108)):
        spikes, cells = results.spikes(path)
        assert 4 < len(spikes) / results.summary["populations"][path]["size"] / (0.25 * SEGMENTS) < 40
        segment = (spikes / 0.25).astype(int).clip(0, SEGMENTS - 1)
        np.add.at(states, (segment, cells + first), np.exp((spikes - 0.25 * (segment + 1)) / 0.03))
    apart = np.linalg.norm(states[:100, None] - states[None, :100], axis=2)
    same = labels[:100, None] == labels[None, :100]
    np.fill_diagonal(same, False)
    assert apart[labels[:100, None] != labels[None, :100]].mean() > 1.5 * apart[same].mean()
    assert share_right(states, labels) > 0.95
    assert share_right(states, np.roll(labels, 1)) > 0.65, "the segment before"
    assert share_right(states, np.roll(labels, -1)) < 0.62, "the segment to come"
