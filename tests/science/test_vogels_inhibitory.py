"""vogels_inhibitory: the window and its bounds in closed form, and cells that are brought to the target rate."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["plasticity vogels_inhibitory"]

# A postsynaptic spike from 40 ms before to 40 ms after the presynaptic one, at three weights.
PAIRS = """
experiment: window
region:
  region: pairs
  populations:
    pre: {neuron: timed, size: 27, initial: {t_spike: 100 ms}}
    post: {neuron: timed, size: 27, initial: {t_spike: 100*ms + 10*ms*(i//3 - 4)}}
  projections:
    learning:
      from: pre
      to: post
      synapse: silent
      plasticity: vogels_inhibitory
      connect: one_to_one
      delay: 2 ms
      initial: {w: 0.0005 + 49.9995*(i%3)}
run: {duration: 160 ms, dt: 1 ms}
"""


def test_window_is_symmetric_and_lowered_by_the_target_rate(simulate, timed_cells):
    weights = simulate(PAIRS + timed_cells).weights("learning")
    alpha = 2 * 3 * 0.020  # 3 Hz, 20 ms
    for post, before, after in zip(weights.target, weights.before["w"], weights.after["w"], strict=True):
        distance = 10 * (post // 3 - 4) - 2
        near = 0.01 * np.exp(-abs(distance) / 20)
        if distance > 0:  # the arrival first, and each step is cut at 0 and 100
            expected = min(max(before - 0.01 * alpha, 0) + near, 100)
        else:
            expected = min(max(before + near - 0.01 * alpha, 0), 100)
        assert after - before == pytest.approx(expected - before, rel=1e-6, abs=1e-12)


NETWORK = """
experiment: balance
region:
  region: balance
  populations:
    inhibition: {neuron: {name: poisson, parameters: {rate: 20 Hz}}, size: 100}
    cells: {neuron: lif, size: 100, initial: {I_bias: 250*pA + 100*pA*(i//50)}}
    noise: {neuron: {name: poisson, parameters: {rate: 500 Hz}}, size: 100}
  projections:
    learned:
      from: inhibition
      to: cells
      synapse: {name: gaba_a, parameters: {g_max: 1 nS}}
      plasticity: {name: vogels_inhibitory, parameters: {eta: 0.3}}
      connect: {p: 0.5}
      initial: {w: 0}
    drive: {from: noise, to: cells, synapse: {name: ampa, parameters: {g_max: 0.3 nS}}, connect: one_to_one}
run: {duration: 6 s, dt: 1 ms}
record: {spikes: [cells]}
"""


def test_cells_are_brought_to_the_target_rate(simulate):
    """Two groups with different drive, which fire much faster as long as nothing is learned."""
    free = simulate(NETWORK, set={"learned.plasticity.eta": 0, "run.duration": "1 s"})
    _, cells = free.spikes("cells")
    fast = np.bincount(cells // 50, minlength=2) / 50
    assert fast.min() > 20
    assert fast[1] > 1.3 * fast[0]
    times, cells = simulate(NETWORK).spikes("cells")
    rates = np.bincount(cells[times > 3] // 50, minlength=2) / 50 / 3
    assert rates == pytest.approx([3, 3], rel=0.2)
