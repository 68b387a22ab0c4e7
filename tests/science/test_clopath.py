"""clopath: prescribed potentials and its own cell against independent integrations; bounds; frequency of pairing."""

from __future__ import annotations

import math

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["plasticity clopath", "plasticity clopath_delayed", "neuron adex_clopath"]

# Potentials that swing without spikes: the first never high enough for potentiation, the others ever more so.
PRESCRIBED = """
experiment: prescribed
region:
  region: prescribed
  populations:
    pre: {neuron: {name: poisson, parameters: {rate: 40 Hz}}, size: 3}
    post: {neuron: swing, size: 3, initial: {middle: -65*mV + 16*mV*i}}
  projections:
    learned: {from: pre, to: post, synapse: silent, plasticity: RULE, connect: all, delay: 2 ms}
run: {duration: 500 ms, dt: 0.1 ms}
record: {spikes: [pre]}
---
neuron: swing
parameters:
  middle: -60 mV      # of the swing
equations: |
  v = middle + 15*mV*sin(2*pi*12*Hz*t) : volt
initial: {middle: -60 mV}
"""


def integrated(arrivals: np.ndarray, middle: float, delay: float, dt: float = 0.02, stop: float = 500) -> float:
    """Change of weight, by fine Euler steps in ms and mV; low-passed potentials are read ``delay`` late."""
    v_minus, v_plus = [-70.6] * (round(delay / dt) + 1), [-70.6] * (round(delay / dt) + 1)
    x, w = 0.0, 0.0
    due = set(np.round(arrivals / dt).astype(int).tolist())
    for step in range(round(stop / dt)):
        v = middle + 15 * math.sin(2 * math.pi * 0.012 * step * dt)
        if step in due:
            w -= 14e-5 * max(v_minus[0] + 70.6, 0)
            x += 1 / 15  # the trace is a low-pass of the arrivals
        w += dt * 8e-5 * x * max(v + 45.3, 0) * max(v_plus[0] + 70.6, 0)
        x -= dt * x / 15
        v_minus = [*v_minus[1:], v_minus[-1] + dt * (v - v_minus[-1]) / 10]
        v_plus = [*v_plus[1:], v_plus[-1] + dt * (v - v_plus[-1]) / 7]
    return w


@pytest.mark.parametrize(("rule", "delay"), [("clopath", 0), ("clopath_delayed", 3.5)])
def test_prescribed_potentials_equal_an_independent_integration(simulate, timed_cells, rule, delay):
    results = simulate(PRESCRIBED.replace("RULE", rule) + timed_cells)
    times, cells = results.spikes("pre")
    weights = results.weights("learned")
    change = np.empty((3, 3))
    change[weights.source, weights.target] = weights.after["w"] - 1
    for j in range(3):
        expected = integrated(times[cells == j] * 1e3 + 2, -65 + 16 * j, delay)
        assert change[j, j] == pytest.approx(expected, rel=0.01 if delay == 0 else 0.04)


def test_weights_stay_between_zero_and_three(simulate, timed_cells):
    strong = {"learned.plasticity.A_LTP": "1e-3 mV**-2", "learned.plasticity.A_LTD": "0.1 mV**-1"}
    weights = simulate(PRESCRIBED.replace("RULE", "clopath") + timed_cells, set=strong).weights("learned")
    assert np.all(weights.after["w"][weights.target == 0] == 0)
    highest = simulate(
        PRESCRIBED.replace("RULE", "clopath") + timed_cells,
        set={"learned.plasticity.A_LTP": "1e-3 mV**-2", "learned.plasticity.A_LTD": "0 mV**-1"},
    ).weights("learned")
    assert np.all(highest.after["w"][highest.target == 2] == 3)


# Five pairs 10 ms apart at 10 to 50 Hz (and one alone); a kick makes the cell fire.
PAIRING = """
experiment: pairing
region:
  region: pairing
  populations:
    pre: {neuron: regular, size: 10, initial: {first: 20*ms + 10*ms*(i//5)}}
    kick: {neuron: regular, size: 10, initial: {first: 30*ms - 10*ms*(i//5)}}
    post: {neuron: adex_clopath, size: 10}
  projections:
    learned: {from: pre, to: post, synapse: silent, plasticity: clopath_delayed, connect: one_to_one, initial: {w: 1}}
    kicks: {from: kick, to: post, synapse: {name: delta, parameters: {J: 90 mV}}, connect: one_to_one}
run: {duration: 500 ms, dt: 0.1 ms}
record: {spikes: [post], state: {post: {variables: [v]}}}
---
neuron: regular
parameters:
  first: 20 ms        # first spike
  period: 1 s         # between spikes
equations: |
  step = timestep(t, dt) - timestep(first, dt) : integer
threshold: step >= 0 and step < 4.5*period/dt and step % timestep(period, dt) == 0
initial:
  first: 20 ms
  period: ms*(1000*int(i%5 == 0) + 100*int(i%5 == 1) + 50*int(i%5 == 2) + 25*int(i%5 == 3) + 20*int(i%5 == 4))
"""


def test_frequent_pairs_potentiate_in_either_order(simulate, timed_cells):
    """The frequency dependence of Sjostrom et al. (2001), figure 2 of the paper.

    The numbers are those of the authors' program (ModelDB 144566) with its 15 bursts of five pairs, 50 pairs at 0.1 Hz,
    weights of 0.5 and next to no adaptation by spikes; its time step is 1 ms.
    """
    results = simulate(PAIRING + timed_cells, set={"post.neuron.b": "0.0805 pA"})
    assert np.bincount(results.spikes("post")[1]).tolist() == [1, 5, 5, 5, 5] * 2
    weights = results.weights("learned")
    change = (weights.after["w"] - 1)[np.argsort(weights.target)].reshape(2, 5)
    first, last = 1 + change / 0.5 * [50, 15, 15, 15, 15]
    assert first == pytest.approx([1.000, 1.029, 1.157, 1.463, 1.650], abs=0.04)
    assert last == pytest.approx([0.733, 0.591, 0.590, 1.038, 1.471], abs=0.04)


STEP = """
experiment: step
region:
  region: cells
  populations:
    cell: {neuron: adex_clopath, size: 2, initial: {I_bias: 900*pA + 600*pA*i}}
run: {duration: 120 ms, dt: 0.05 ms}
record: {spikes: [cell], state: {cell: {variables: [v, w, z, V_T]}}}
"""


def integrated_cell(current: float, dt: float = 0.05) -> tuple[list[float], np.ndarray]:
    """Spike times, and v, w, z and V_T in each Euler step; ms, mV, pA, nS, pF."""
    v, w, z, v_t, held = -70.6, 0.0, 0.0, -50.4, 0
    times, trace = [], []
    for step in range(round(120 / dt)):
        trace.append((v, w, z, v_t))
        if not held:
            dv = (30 * (-70.6 - v) + 30 * 2 * math.exp((v - v_t) / 2) - w + z + current) / 281
        w, z, v_t = w + dt * (4 * (v + 70.6) - w) / 144, z - dt * z / 40, v_t + dt * (-50.4 - v_t) / 50
        if held:
            held -= 1
            if not held:
                v, w, z, v_t = -49.5, w + 80.5, 400.0, -30.4
            continue
        v += dt * dv
        if v > 20:
            times.append(step * dt)
            v, held = 33.0, round(2 / dt)
    return times, np.array(trace)


def test_the_cell_equals_an_independent_integration(simulate):
    results = simulate(STEP)
    times, cells = results.spikes("cell")
    for k, current in enumerate((900, 1500)):
        expected, trace = integrated_cell(current)
        assert len(expected) > 2
        assert times[cells == k] * 1e3 == pytest.approx(expected)
        for column, (name, scale) in enumerate((("v", 1e3), ("w", 1e12), ("z", 1e12), ("V_T", 1e3))):
            found = results.state("cell", name)[1][:, k] * scale
            assert found == pytest.approx(trace[:, column], rel=1e-6, abs=1e-9)
