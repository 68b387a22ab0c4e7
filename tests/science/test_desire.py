"""Desire backpropagation: layers against a program that shares no code with brainsim, a graph with a branch, and XOR.

The program follows the authors' public code step by step in float64: input in the same step, one step of delay between
layers, traces with the spike that arrives in this step, one update at the end of the sample with the weights before it.
"""

from __future__ import annotations

import numpy as np
import pytest

from brainsim import backends

#: What this is the test of.
PARTS = [
    "plasticity desire_backprop",
    "neuron pixel_if",
    "neuron discrete_lif",
    "neuron goal",
    "synapse dropout_delta",
    "synapse teacher",
    "region desire_layers",
]


@pytest.fixture
def show(tmp_path, monkeypatch):
    """``show(images, labels)`` writes the file of samples that the experiments of this test read."""

    def call(images, labels):
        monkeypatch.chdir(tmp_path)  # where paths of an experiment given as text start
        np.savez("samples.npz", images=np.asarray(images, np.uint8)[:, None], labels=labels)

    return call


def present(image, weights, senders, keep, p_drop):
    """Spikes of all layers in one sample: list of [20, cells], layer 0 the input.

    ``senders[l]`` lists the layers that send to layer l; ``weights[k, l]`` is [cells of k, cells of l].
    """
    spikes = [np.zeros((20, len(mask))) for mask in keep]
    v = [np.zeros(len(mask)) for mask in keep]
    for t in range(20):
        v[0] = v[0] + image / 255
        spikes[0][t] = (v[0] >= 1) & keep[0]
        v[0] -= spikes[0][t]
        for layer in range(1, len(keep)):
            v[layer] = 0.75 * v[layer]
            for k in senders[layer]:
                seen = t if k == 0 else t - 1
                if seen >= 0:
                    v[layer] = v[layer] + spikes[k][seen] @ weights[k, layer] / (1 - p_drop[k])
            spikes[layer][t] = (v[layer] >= 1) & keep[layer]
            v[layer] -= spikes[layer][t]
    return spikes


def learn(spikes, label, weights, senders, keep, etas):
    """The weights after the sample; ``etas`` has the learning rate of each projection."""
    top = len(spikes) - 1
    r = [s.sum(axis=0) / 16 for s in spikes]
    wish = [np.zeros(len(mask)) for mask in keep]
    delta = [np.zeros(len(mask)) for mask in keep]
    for layer in range(top, 0, -1):
        if layer == top:
            wish[top] = np.where(r[top] > 0.3, -1.0, 0.0)
            wish[top][label] = 1.0 if 1 - r[top][label] > 0.3 else 0.0
        else:
            asked = sum(weights[layer, m] @ delta[m] for m in range(layer + 1, top + 1) if layer in senders[m])
            wish[layer] = np.where(np.abs(asked) >= 0.05, np.sign(asked), 0.0)
        delta[layer] = wish[layer] * np.abs((wish[layer] > 0) - r[layer]) * keep[layer]
    after = {}
    for (k, layer), w in weights.items():
        trace, credit = np.zeros(len(keep[k])), np.zeros_like(w)
        for t in range(20):
            seen = t if k == 0 else t - 1
            trace = 0.75 * trace + (spikes[k][seen] if seen >= 0 else 0)
            credit += np.outer(trace, spikes[layer][t])
        after[k, layer] = w + etas[k, layer] * wish[layer] * keep[layer] * credit
    return after


def matrix(weights, rows, columns, when):
    found = np.zeros((rows, columns))
    found[weights.source, weights.target] = getattr(weights, when)["w"]
    return found


def counted(results, population, trials, size):
    """Spikes [trials, cells], for trials of 25 steps of 1 ms."""
    times, cells = results.spikes(population)
    counts = np.zeros((trials, size), int)
    np.add.at(counts, (np.rint(times * 1e3).astype(int) // 25, cells.astype(int)), 1)
    return counts


def compare(results, images, labels, projections, populations, p_drop, etas):
    """Run the program on what brainsim drew, and compare spike counts of input and output, and all weights."""
    sizes = [results.summary["populations"][name]["size"] for name in populations]
    senders = {layer: [k for k, m in projections.values() if m == layer] for layer in range(1, len(sizes))}
    weights = {
        ends: matrix(results.weights(name), sizes[ends[0]], sizes[ends[1]], "before")
        for name, ends in projections.items()
    }
    keeps = [results.state(name, "keep")[1] > 0 for name in populations]
    counts = [counted(results, populations[k], len(labels), sizes[k]) for k in (0, -1)]
    start = weights
    for trial, (image, label, rates) in enumerate(zip(images, labels, etas, strict=True)):
        keep = [mask[trial] for mask in keeps]
        spikes = present(image.astype(float), weights, senders, keep, p_drop[trial])
        for k in (0, -1):
            np.testing.assert_array_equal(spikes[k].sum(axis=0), counts[k][trial])
        weights = learn(spikes, label, weights, senders, keep, rates)
    for name, ends in projections.items():
        end = matrix(results.weights(name), sizes[ends[0]], sizes[ends[1]], "after")
        np.testing.assert_allclose(end, weights[ends], rtol=0, atol=1e-11)
        assert np.count_nonzero(end != start[ends]) > 0.2 * end.size
    return keeps


LAYERS = """
experiment: layers
region: {name: desire_layers, parameters: {n_pixels: 20, n_hidden1: 15, n_hidden2: 12, n_classes: 5}}
set: {n_epoch: 6}
data: {file: samples.npz, train: 6, test: 2}
trial: {duration: 25 ms, inputs: {image: pixels.pixel, label: goal.goal}}
phases:
  train: {data: train, passes: 2}
  test:
    data: test
    set: {hidden1.neuron.p_drop: 0, hidden2.neuron.p_drop: 0, w1.plasticity.eta: 0, w2.plasticity.eta: 0,
          w3.plasticity.eta: 0}
run: {dt: 1 ms, seed: 3}
record:
  spikes: [pixels, output]
  state:
    pixels: {variables: [keep], every: 25 ms}
    hidden1: {variables: [keep], every: 25 ms}
    hidden2: {variables: [keep], every: 25 ms}
    output: {variables: [keep], every: 25 ms}
"""
NAMES = ["pixels", "hidden1", "hidden2", "output"]
CHAIN = {"w1": (0, 1), "w2": (1, 2), "w3": (2, 3)}


def test_layers_equal_an_independent_program(simulate, show):
    """As published: 1e-5 falling by exp(-0.04) from epoch to epoch, dropout 0.3 in the hidden layers, none in tests."""
    rng = np.random.default_rng(5)
    images, labels = rng.integers(0, 256, (8, 20)), np.array([3, 0, 4, 1, 2, 4, 0, 1])
    show(images, labels)
    results = simulate(LAYERS)
    order = [*range(6)] * 2 + [6, 7]
    falling = [1e-5 * np.exp(-0.04 * epoch) for epoch in range(2) for _ in range(6)] + [0.0] * 2
    etas = [dict.fromkeys(CHAIN.values(), eta) for eta in falling]
    p_drop = [[0, 0.3, 0.3, 0]] * 12 + [[0, 0, 0, 0]] * 2
    keeps = compare(results, images[order], labels[order], CHAIN, NAMES, p_drop, etas)
    assert 0.6 < np.mean(np.hstack(keeps[1:3])[:12]) < 0.8
    assert np.all(np.hstack(keeps)[12:])


def test_the_network_is_the_published_one(make_plan):
    """784-1600-800-10, and an epoch is the whole training set."""
    small = ", parameters: {n_pixels: 20, n_hidden1: 15, n_hidden2: 12, n_classes: 5}"
    groups = {g.name: g for g in make_plan(LAYERS.replace(small, "").replace("set: {n_epoch: 6}\n", "")).groups}
    assert [groups[name].size for name in NAMES] == [784, 1600, 800, 10]
    alone = {g.name: g for g in make_plan(BRANCH).groups}
    for cell in (groups["hidden1"], alone["left"]):
        assert next(c.value.value for c in cell.constants if c.name == "n_epoch") == 60000


BRANCH = """
experiment: branch
region:
  region: branch
  populations:
    pixels: {neuron: {name: pixel_if, parameters: {p_drop: 0.2}}, size: 12}
    left: {neuron: {name: discrete_lif, parameters: {p_drop: 0.4}}, size: 10}
    right: {neuron: {name: discrete_lif, parameters: {p_drop: 0.1}}, size: 9}
    output: {neuron: discrete_lif, size: 4, initial: {th: 0.3}}
    goal: {neuron: goal, size: 4}
  projections:
    to_left:
      from: pixels
      to: left
      synapse: dropout_delta
      plasticity: &rule {name: desire_backprop, parameters: {eta: 0.01}}
      connect: all
      initial: {w: 0.6*rand() - 0.1}
    to_right:
      {from: pixels, to: right, synapse: dropout_delta, plasticity: *rule, connect: all, initial: {w: 0.6*rand() - 0.1}}
    across:
      {from: left, to: right, synapse: dropout_delta, plasticity: *rule, connect: all, initial: {w: 0.3*randn()}}
    left_out:
      {from: left, to: output, synapse: dropout_delta, plasticity: *rule, connect: all, initial: {w: 0.5*randn()}}
    right_out:
      {from: right, to: output, synapse: dropout_delta, plasticity: *rule, connect: all, initial: {w: 0.5*randn()}}
    past:
      from: pixels
      to: output
      synapse: dropout_delta
      plasticity: desire_backprop
      connect: all
      initial: {w: 0.2*randn()}
    teaching: {from: goal, to: output, synapse: teacher, connect: one_to_one}
data: {file: samples.npz, train: 6}
trial: {duration: 25 ms, inputs: {image: pixels.pixel, label: goal.goal}}
phases: {train: {data: train}}
run: {dt: 1 ms}
record:
  spikes: [pixels, output]
  state:
    pixels: {variables: [keep], every: 25 ms}
    left: {variables: [keep], every: 25 ms}
    right: {variables: [keep], every: 25 ms}
    output: {variables: [keep], every: 25 ms}
"""


def test_a_graph_with_branches_equals_the_program(simulate, show):
    """Two ways to the output, one across, one past the hidden cells; a cell hears the wishes of all it sends to."""
    rng = np.random.default_rng(8)
    images, labels = rng.integers(0, 256, (6, 12)), np.array([3, 1, 0, 2, 2, 1])
    show(images, labels)
    results = simulate(BRANCH)
    graph = {"to_left": (0, 1), "to_right": (0, 2), "across": (1, 2), "left_out": (1, 3), "right_out": (2, 3)}
    graph |= {"past": (0, 3)}
    names = ["pixels", "left", "right", "output"]
    etas = {**dict.fromkeys(graph.values(), 0.01), (0, 3): 1e-5}  # one as it comes
    compare(results, images, labels, graph, names, [[0.2, 0.4, 0.1, 0]] * 6, [etas] * 6)


XOR = """
experiment: xor
region:
  region: xor
  populations:
    pixels: {neuron: pixel_if, size: 4}
    hidden: {neuron: discrete_lif, size: 60}
    output: {neuron: discrete_lif, size: 2, initial: {th: 0.3}}
    goal: {neuron: goal, size: 2}
  projections:
    w1:
      from: pixels
      to: hidden
      synapse: dropout_delta
      plasticity: {name: desire_backprop, parameters: {eta: 0.001}}
      connect: all
      initial: {w: 0.2 + 0.2*j/N_post}
    w2:
      from: hidden
      to: output
      synapse: dropout_delta
      plasticity: {name: desire_backprop, parameters: {eta: 0.001}}
      connect: all
      initial: {w: randn()*sqrt(2/N_pre)}
    teaching: {from: goal, to: output, synapse: teacher, connect: one_to_one}
data: {file: samples.npz, train: 4, test: 4}
trial: {duration: 25 ms, inputs: {image: pixels.pixel, label: goal.goal}}
phases:
  train: {data: train, passes: 160, shuffle: true}
  test: {data: test, set: {w1.plasticity.eta: 0, w2.plasticity.eta: 0}}
run: {dt: 1 ms}
record: {spikes: [output]}
"""


@pytest.mark.compiled
@pytest.mark.skipif(bool(backends.available()["native"]), reason="needs a C++ compiler")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_exclusive_or_needs_the_hidden_layer_to_learn(simulate, show, seed):
    """Two bits, each with its complement, since cells have no bias.

    At first the weights of a hidden cell are all the same, so its response to the four patterns is the same as well:
    frozen, the layer tells the output nothing, and two of four is the best there is.
    """
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    show(np.tile(255 * np.hstack([bits, 1 - bits]), (2, 1)), np.tile(bits[:, 0] ^ bits[:, 1], 2))
    right = {}
    for name, eta in (("learns", 0.001), ("frozen", 0)):
        results = simulate(XOR, set={"w1.plasticity.eta": eta}, backend="native", seed=seed)
        n = counted(results, "output", 644, 2)[-4:]
        label = bits[:, 0] ^ bits[:, 1]
        right[name] = np.sum(n[range(4), label] > n[range(4), 1 - label])
        moved = results.weights("w1").after["w"] != results.weights("w1").before["w"]
        assert np.any(moved) == (name == "learns")
    assert right["learns"] == 4
    assert right["frozen"] <= 2
