"""hebb, oja, bcm: weights against the formula applied to the recorded spikes, and the fixed points of the papers."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["plasticity hebb", "plasticity oja", "plasticity bcm"]

#: Five inputs of different rates; the target fires at random, at the rate of its weighted input if there is a gain.
PAIR = """
experiment: rates
region:
  region: rates
  populations:
    source: {neuron: beat, size: 5, initial: {rate: 20*Hz + 15*Hz*i}}
    target: {neuron: beat, size: 1, initial: {rate: 60 Hz}}
  projections:
    learned: {from: source, to: target, synapse: silent, plasticity: RULE, connect: all, initial: {w: 0.2 + 0.1*i}}
run: {duration: 1 s, dt: 1 ms}
record: {spikes: [source, target]}
---
neuron: beat
parameters: {rate: 0 Hz}
threshold: rand() < rate*dt
initial: {rate: 0 Hz}
"""


def program(results, size, rule, dt=1e-3, seconds=1.0):
    """Weights at the end: rates fall by exp(-dt/100 ms) a step and gain 1/(100 ms) at a spike; weights every 10 ms."""
    weights = results.weights("learned")
    w = weights.before["w"][np.argsort(weights.source)].copy()
    steps = round(seconds / dt)
    fired = np.zeros((steps, size + 1))
    for column, name in ((slice(0, size), "source"), (slice(size, None), "target")):
        times, cells = results.spikes(name)
        fired[:, column][np.rint(times / dt).astype(int), cells.astype(int)] = 1
    r, theta = np.zeros(size + 1), 0.0
    for step in range(steps):
        if step * dt * 1e3 % 10 < 1e-6:
            w, theta = rule(w, r[:size], r[size], theta)
        r = r * np.exp(-dt / 0.1) + fired[step] / 0.1
    return w, weights.after["w"][np.argsort(weights.source)]


def hebb(w, x, y, theta):
    return np.clip(w + 1e-5 * 0.01 * x * y, 0, 1), theta


def oja(w, x, y, theta):
    return np.clip(w + 1e-4 * 0.01 * y * (x - y * w), -10, 10), theta


def bcm(w, x, y, theta):
    theta += (y**2 / 10 - theta) * (1 - np.exp(-0.01 / 10))
    return np.clip(w + 1e-6 * 0.01 * x * y * (y - theta), 0, 10), theta


@pytest.mark.parametrize("rule", [hebb, oja, bcm])
def test_weights_equal_an_independent_program(simulate, timed_cells, rule):
    results = simulate(PAIR.replace("RULE", rule.__name__) + timed_cells)
    expected, found = program(results, 5, rule)
    assert np.max(np.abs(found - results.weights("learned").before["w"])) > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("rule", "eta", "bounds"), [("hebb", "1 s", (0, 1)), ("oja", "-1 s", (-10, 10)), ("bcm", "1 s2", (0, 10))]
)
def test_weights_stay_between_their_bounds(simulate, timed_cells, rule, eta, bounds):
    results = simulate(
        PAIR.replace("RULE", rule) + timed_cells, set={"learned.plasticity.eta": eta, "run.duration": "0.5 s"}
    )
    after = results.weights("learned").after["w"]
    assert np.all((after >= bounds[0]) & (after <= bounds[1]))
    assert bounds[1] in np.abs(after)


#: A cell that fires regularly at the rate of its drive, which is the weighted sum of the rates of its inputs.
LINEAR = """
---
neuron: linear
parameters: {tau_u: 20 ms}
equations: |
  du/dt = -u/tau_u : Hz
  phase : 1
every:
  - {each: dt, when: groups, order: 1, code: "phase += clip(u*dt, 0, 1)"}
threshold: phase > 1
reset: phase -= 1
method: exact
---
synapse: adds
parameters: {tau_s: 20 ms}
equations: |
  w : 1
on_pre: u_post += w/tau_s
"""
COMPONENT = """
experiment: component
region:
  region: component
  populations:
    source: {neuron: mixed, size: 3}
    target: {neuron: linear, size: 1}
  projections:
    learned:
      {from: source, to: target, synapse: adds, plasticity: {name: oja, parameters: {eta: 0.05 ms}}, connect: all,
       initial: {w: 0.2 + 0.3*i}}
run: {duration: 8 s, dt: 2 ms}
record: {spikes: [source, target]}
---
neuron: mixed
parameters: {T_switch: 50 ms}
equations: |
  phase : 1
  rate : Hz
every:
  - each: T_switch
    code: |
      turn = 0.381966*floor(t/T_switch + 0.5)
      rate = (140 - 40*i)*Hz*(1 + 0.4*cos(2*pi*(i/3 + turn)))
  - {each: dt, when: groups, order: 1, code: phase += rate*dt}
threshold: phase > 1
reset: phase -= 1
initial: {phase: i/3}
"""


def test_oja_finds_the_first_principal_component_with_length_one(simulate):
    """The component of the rates as they are, mean included: computed here from the recorded spikes."""
    results = simulate(COMPONENT + LINEAR)
    weights = results.weights("learned")
    w = weights.after["w"][np.argsort(weights.source)]
    times, cells = results.spikes("source")
    fired = np.zeros((4000, 3))
    fired[np.rint(times / 2e-3).astype(int), cells.astype(int)] = 1
    rates, r = [], np.zeros(3)
    for row in fired:
        r = r * np.exp(-0.02) + row / 0.1
        rates.append(r)
    correlation = np.array(rates).T @ np.array(rates)
    first = np.linalg.eigh(correlation)[1][:, -1]
    first *= np.sign(first.sum())
    assert w / np.linalg.norm(w) == pytest.approx(first, abs=0.02)
    assert np.linalg.norm(w) == pytest.approx(1, abs=0.03)


PATTERNS = """
experiment: patterns
region:
  region: patterns
  populations:
    source: {neuron: takes_turns, size: 4}
    target: {neuron: linear, size: 1}
  projections:
    learned:
      {from: source, to: target, synapse: adds, connect: all, initial: {w: START}, plasticity: {name: bcm,
       parameters: {eta: 10 ms2, tau_theta: 1 s, tau_r: 40 ms, r_0: 20 Hz}}}
run: {duration: 20 s, dt: 2 ms}
record: {spikes: [source, target]}
---
neuron: takes_turns
parameters: {T_switch: 200 ms}
equations: |
  phase : 1
  turn : 1
every:
  - {each: T_switch, when: start, code: turn = int(floor(t/T_switch + 0.5)) % 2}
  - {each: dt, when: groups, order: 1, code: phase += 50*Hz*dt*int(turn == i % 2)}
threshold: phase > 1
reset: phase -= 1
initial: {phase: i/4}
"""


@pytest.mark.parametrize(("start", "winner"), [("0.2 + 0.3*(i % 2)", 1), ("0.5 - 0.3*(i % 2)", 0)])
def test_bcm_ends_with_one_pattern(simulate, start, winner):
    """Two patterns in turn: only one goes on to drive the cell, the other's weights vanish, at twice r_0."""
    results = simulate((PATTERNS + LINEAR).replace("START", start))
    weights = results.weights("learned")
    w = weights.after["w"][np.argsort(weights.source)]
    assert np.all(w[1 - winner :: 2] < 0.02)
    times, _ = results.spikes("target")
    late = times[times > 16]
    shown = np.rint(late / 2e-3).astype(int) // 100 % 2
    assert np.mean(shown == winner) > 0.85
    assert len(late) / 4 == pytest.approx(20, rel=0.15)
