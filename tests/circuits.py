"""An experiment of nested regions, what is made of it, and the problems with a changed one."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
import yaml

from brainsim import source
from brainsim.circuit import Circuit, build
from brainsim.errors import BrainsimError, Problem
from brainsim.library import Library

PARTS = """\
---
neuron: cell
about: A leaky cell.
cite: [Cell (1999)]
parameters:
  E_L: -70 mV
  tau_m: 10 ms
inputs: {rate: Hz}
ports: [I_soma]
equations: |
  dv/dt = (E_L - v)/tau_m + I_syn/second : volt
  th : volt
  top : 1 (linked)
  half = v/2 : volt
threshold: v > -50*mV
initial: {v: E_L}
---
neuron: child
extends: cell
about: A cell with another rest.
parameters:
  E_L: -65 mV
---
synapse: syn
about: A jump.
cite: [Syn (2000), Cell (1999)]
parameters:
  g: 1 mV
equations: |
  w : 1
on_pre: v_post += w*g
post:
  equations: |
    level : 1
---
synapse: other
about: Another jump.
parameters: {h: 1 mV}
on_pre: v_post += h
---
plasticity: rule
about: A rule.
parameters:
  eta: 0.1
  tau: 20 ms
equations: |
  x : 1
"""

EXPERIMENT = """\
experiment: demo
grammar: 1
cite: [Demo (2020), own]
region: outer
run: {duration: 1 s, dt: 0.1 ms}
"""

REGION = """\
---
region: inner
about: Two populations.
cite: [Inner (2010)]
parameters:
  n: 20
  n_exc: 4*n
  E: -70 mV
populations:
  exc: {neuron: {name: cell, parameters: {E_L: E + 1*mV}}, size: n_exc}
  inh: {neuron: child, size: n, initial: {v: E + rand()*5*mV}}
projections:
  back: {from: 'exc[0:10]', to: inh, synapse: syn, connect: {p: 0.1}, delay: 1.5 ms}
---
region: outer
about: Inner and a teacher.
parameters:
  m: 5
  d0: 1 ms
regions:
  area: {name: inner, parameters: {n: 2*m}}
populations:
  top: {neuron: cell, size: 1}
projections:
  down:
    from: top
    to: area.exc
    synapse: syn
    plasticity: {name: rule, parameters: {tau: 3*d0}}
    connect: all
    delay: d0 + rand()*d0
    initial: {w: 2 + rand()}
links:
  area.exc.top: top.v
"""

TEXT = EXPERIMENT + REGION + PARTS


def make(text: str = TEXT, root: Path | None = None, /, **command_line: str) -> Circuit:
    trees = source.parse(textwrap.dedent(text), "demo.yaml")
    path_of = {key.replace("__", "."): value for key, value in command_line.items()}
    return build(trees[0], Library(documents=trees), path_of, root)


def problems(text: str, root: Path | None = None, /, **command_line: str) -> tuple[Problem, ...]:
    with pytest.raises(BrainsimError) as caught:
        make(text, root, **command_line)
    assert caught.value.exit_code == 2
    return caught.value.problems


def one(old: str, new: str, /, text: str = TEXT, **command_line: str) -> tuple[Problem, str]:
    """The only problem after a change of the text, and what stands at its place."""
    assert text.count(old) >= 1, old
    changed = text.replace(old, new, 1)
    found = problems(changed, **command_line)
    assert len(found) == 1, [str(p) for p in found]
    assert found[0].hint, "every problem says what to do next"
    assert found[0].mark is not None
    return found[0], standing_at(changed, found[0])


def standing_at(text: str, problem: Problem) -> str:
    mark = problem.mark
    return text.splitlines()[mark.line - 1][mark.column - 1 :] if mark.file == "demo.yaml" else mark.file


SET = TEXT.replace("run: {", "set: {area.inh.neuron.E_L: -62 mV, area.n: 7}\nrun: {")

LEARN = (
    TEXT.replace("run: {duration: 1 s, dt: 0.1 ms}", "run: {dt: 5 ms}").replace("delay: 1.5 ms", "delay: 5 ms")
).replace(
    "run:",
    """\
data: {name: mnist, train: 100, test: 10}
trial: {duration: 350 ms, inputs: {image: area.inh.rate}}
phases:
  train: {data: train, passes: 3}
  test: {data: test, fresh: [cells, top], set: {down.plasticity.eta: m/50}}
readout: {name: class_sum, population: area.exc, assign_from: train}
run:""",
    1,
)


def rebuilt(circuit: Circuit, root: Path | None = None) -> Circuit:
    text = yaml.safe_dump(circuit.resolved, sort_keys=False)
    return build(source.parse(text, "model.yaml")[0], Library(), {}, root)
