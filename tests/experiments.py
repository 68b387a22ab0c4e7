"""Experiments small enough to be followed by hand."""

PAIR = """\
experiment: pair
grammar: 1
about: Does a driven cell make another fire?
region:
  region: pair
  about: Two populations.
  cite: [own]
  populations:
    a: {neuron: cell, size: 3}
    b: {neuron: {name: cell, parameters: {drive: 0.9}}, size: 2}
    silent: {neuron: {name: cell, parameters: {drive: 0}}, size: 4}
  projections:
    a_to_b: {from: a, to: b, synapse: kick, connect: all, delay: 1 ms, initial: {w: 0.2 + 0.1*rand()}}
run: {duration: 100 ms, dt: 0.1 ms, seed: 3}
record:
  spikes: [a, b, silent]
  state: {b: {variables: [v], every: 1 ms}}
---
neuron: cell
about: A leaky cell without units.
cite: [own]
parameters:
  tau: 10 ms
  drive: 1.5
equations: |
  dv/dt = (drive - v)/tau : 1
threshold: v > 1
reset: v = 0
method: exact
initial: {v: 0.9*rand()}
---
synapse: kick
about: Adds w.
cite: [own]
equations: |
  w : 1
on_pre: v_post += w
"""

#: Ten cells, each of which fires in every step of the trials of its class: everything can be counted by hand.
ECHO = """\
experiment: echo
grammar: 1
about: Do trials, phases and readout count right?
region:
  region: echo
  about: Cells that are told the class.
  cite: [own]
  populations:
    out: {neuron: told, size: 10}
data: {name: mnist, train: 60, label: 40, test: 30}
trial: {duration: 3 ms, inputs: {label: out.goal}}
phases:
  train: {data: train, passes: 2, shuffle: true}
  label: {data: label}
  test: {data: test}
readout: {name: class_sum, population: out, assign_from: label}
run: {dt: 0.1 ms, seed: 5, backend: numpy}
---
neuron: told
about: Fires while it is told to.
cite: [own]
inputs: {goal: 1}
threshold: goal > 0.5
"""
