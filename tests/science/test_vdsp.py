"""vdsp: the update against the formula, and a layer on digits against a program that shares no code with brainsim.

The program follows the published code of Garg et al. (2022): time steps of 5 ms, 350 ms an image, dead time of the
input cells kept inside the step, one winner in a step, everyone silent for 10 ms.
"""

from __future__ import annotations

import numpy as np
import pytest

from brainsim import datasets

#: What this is the test of.
PARTS = ["plasticity vdsp"]

LAYER = """
experiment: small_layer
region: {name: vdsp_layer, parameters: {n_cells: 20}}
data: {name: mnist, train: 8, label: 4}
trial: {duration: 350 ms, inputs: {image: retina.pixel}}
phases:
  train: {data: train}
  label: {data: label, set: {learned.plasticity.eta: 0}}
run: {dt: 5 ms, seed: 1}
record:
  spikes: [output.competitors, retina]
  state: {retina: {variables: [v], every: 350 ms}}
"""


def layer(
    images: np.ndarray, v: np.ndarray, w: np.ndarray, etas: list[float]
) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Winners as (step, cell), and the final weights [pixels, cells]; ``etas`` is the learning rate of each image."""
    pixels, cells = w.shape
    v, w = v.copy(), w.copy()
    dead, u, g, n = np.zeros(pixels), np.zeros(cells), np.zeros(cells), np.zeros(cells)
    winners, previous, step, free_at = [], None, 0, 0
    for image, eta in zip(images, etas, strict=True):
        drive = 4 * (image / 255) + 0.5
        for _ in range(70):
            active = np.clip(5 - dead, 0, 5)
            dead[:] = 0
            v += (drive - v) * (1 - np.exp(-active / 30))
            fires = v > 1
            dead[fires] = 5 + 30 * np.log(1 - (v[fires] - 1) / (drive[fires] - 1))
            v[fires] = -1
            u = np.maximum(u + (5 * g - n - u) * (1 - np.exp(-5 / 30)), -1) if step >= free_at else np.zeros(cells)
            n -= n * 5 / 1000
            winner = int(np.argmax(u)) if u.max() > 1 else None
            if winner is not None:
                winners.append((step, winner))
                n[winner] += 0.02
                free_at = step + 2
            if previous is not None:
                column = w[:, previous]
                gain = np.where(v < 0, (1 - column) * (np.exp(-v) - 1), 0)
                loss = np.where(v > 0, column * (np.exp(v) - 1), 0)
                w[:, previous] = np.clip(column + eta * (gain - loss), 0, 1)
            previous = winner
            g = np.exp(-1) * g + (1 - np.exp(-1)) * 0.05 * w[fires].sum(axis=0)
            step += 1
    return winners, w


def test_layer_equals_an_independent_program(simulate):
    results = simulate(LAYER)
    samples = datasets.load("mnist", {"train": 8})
    weights = results.weights("learned")
    start = np.zeros((784, 20))
    start[weights.source, weights.target] = weights.before["w"]
    _, v = results.state("retina", "v")
    shown = np.concatenate([samples.images[:8], samples.images[:4]]).astype(float)
    winners, end = layer(shown, v[0], start, [0.003] * 8 + [0.0] * 4)
    times, cells = results.spikes("output.competitors")
    assert len(winners) > 60
    assert [(round(t / 5e-3), int(c)) for t, c in zip(times, cells, strict=True)] == winners
    assert np.max(np.abs(weights.after["w"] - end[weights.source, weights.target])) < 1e-10
    assert np.max(np.abs(weights.after["w"] - weights.before["w"])) > 0.01


@pytest.mark.parametrize("read_at", [5, 10])
def test_the_update_follows_the_formula(simulate, timed_cells, read_at):
    """Presynaptic potentials from reset to threshold, read a while after the postsynaptic spike."""
    text = """
experiment: update
region:
  region: pairs
  populations:
    pre: {neuron: still, size: 21}
    post: {neuron: timed, size: 1, initial: {t_spike: 20 ms}}
  projections:
    learned:
      from: pre
      to: post
      synapse: silent
      plasticity: {name: vdsp, parameters: {t_read: READ ms}}
      connect: all
      initial: {w: 0.4}
run: {duration: 50 ms, dt: 5 ms}
record: {state: {learned: {variables: [w]}}}
---
neuron: still
equations: |
  v : 1
initial: {v: -1 + 0.1*i}
"""
    results = simulate(text.replace("READ", str(read_at)) + timed_cells)
    weights = results.weights("learned")
    v = -1 + 0.1 * weights.source
    gain = np.where(v < -1e-9, 0.6 * (np.exp(-v) - 1), 0)
    loss = np.where(v > 1e-9, 0.4 * (np.exp(v) - 1), 0)
    assert weights.after["w"] - 0.4 == pytest.approx(0.003 * (gain - loss), rel=1e-6, abs=1e-12)
    times, w = results.state("learned", "w")
    changed = times[np.any(w != w[0], axis=1)]
    assert changed.min() * 1e3 == pytest.approx(20 + read_at + 5)  # seen at the start of the next step


def test_weights_stay_between_zero_and_one(simulate):
    results = simulate(LAYER, set={"learned.plasticity.eta": 2, "data.train": 2, "data.label": 1})
    after = results.weights("learned").after["w"]
    assert after.min() >= 0
    assert after.max() <= 1
