"""perceptron: every weight against an independent program, and a separable problem is learned without an error left."""

from __future__ import annotations

import numpy as np

#: What this is the test of.
PARTS = ["plasticity perceptron"]

TEXT = """
experiment: readout
region:
  region: readout
  populations:
    pixels: {neuron: pixel_if, size: 6}
    output: {neuron: discrete_lif, size: 3}
    goal: {neuron: goal, size: 3}
  projections:
    learned: {from: pixels, to: output, synapse: dropout_delta, plasticity: perceptron, connect: all, initial: {w: 0.1}}
    teaching: {from: goal, to: output, synapse: teacher, connect: one_to_one}
data: {file: samples.npz, train: 9, test: 9}
trial: {duration: 24 ms, inputs: {image: pixels.pixel, label: goal.goal}}
phases:
  train: {data: train, passes: 8}
  test: {data: test, set: {learned.plasticity.eta: 0}}
run: {dt: 1 ms}
record: {spikes: [output]}
"""


def respond(image, w):
    """Spikes of inputs and outputs in 20 steps: leaky units with 0.75 left after a step, threshold 1, reset by it."""
    v, u = np.zeros(len(image)), np.zeros(w.shape[1])
    n_in, n_out = np.zeros(len(image)), np.zeros(w.shape[1])
    for _ in range(20):
        v = v + image / 255
        fires = v >= 1
        v = v - fires
        u = 0.75 * u + fires @ w
        answers = u >= 1
        u = u - answers
        n_in, n_out = n_in + fires, n_out + answers
    return n_in, n_out


def test_a_separable_problem_is_learned_as_the_program_does(simulate, tmp_path, monkeypatch):
    """Three classes of images with two bright pixels each; rates are spikes over 20, the rate of learning is 0.05."""
    rng = np.random.default_rng(2)
    labels = np.arange(9) % 3
    images = rng.integers(0, 90, (9, 6))
    for row, label in enumerate(labels):
        images[row, 2 * label : 2 * label + 2] += 150
    monkeypatch.chdir(tmp_path)  # where paths of an experiment given as text start
    np.savez("samples.npz", images=np.tile(images, (2, 1)).astype(np.uint8)[:, None], labels=np.tile(labels, 2))
    results = simulate(TEXT)

    w = np.full((6, 3), 0.1)
    moved = 0
    for _ in range(8):
        for image, label in zip(images, labels, strict=True):
            n_in, n_out = respond(image, w)
            error = (np.arange(3) == label) - n_out / 20
            moved += np.count_nonzero(error)
            w = w + 0.05 * np.outer(n_in / 20, error)
    weights = results.weights("learned")
    found = np.zeros((6, 3))
    found[weights.source, weights.target] = weights.after["w"]
    np.testing.assert_allclose(found, w, rtol=0, atol=1e-9)
    assert moved > 9

    times, cells = results.spikes("output")
    trial = np.rint(times * 1e3).astype(int) // 24 - 72
    counts = np.zeros((9, 3), int)
    np.add.at(counts, (trial[trial >= 0], cells[trial >= 0].astype(int)), 1)
    assert np.all(np.argmax(counts, axis=1) == labels)
    top = np.sort(counts, axis=1)
    assert np.all(top[:, 2] > top[:, 1])
