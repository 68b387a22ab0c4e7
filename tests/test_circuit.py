"""Nested regions become one circuit: values, paths, problems with their places."""

from __future__ import annotations

import itertools
import textwrap
from pathlib import Path

import numpy as np
import pytest
import yaml

from brainsim import overrides, source
from brainsim.circuit import Circuit, build, wrap
from brainsim.errors import BrainsimError, FileError, Problem
from brainsim.library import Library
from brainsim.units import Quantity

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


# -- values -----------------------------------------------------------------------------------------


def test_nested_regions_are_flattened_with_their_values():
    circuit = make()
    assert {p: q.size for p, q in circuit.populations.items()} == {"area.exc": 40, "area.inh": 10, "top": 1}
    exc, inh = circuit.populations["area.exc"], circuit.populations["area.inh"]
    assert exc.neuron.values["E_L"] == Quantity(-0.069, exc.neuron.values["E_L"].dims)
    assert inh.neuron.values["E_L"].value == -0.065
    assert inh.neuron.name == "child"
    assert exc.neuron.spec.parameters["E_L"] == "-69 mV"
    assert inh.initial == {"v": "(-70*mV) + rand()*5*mV"}
    assert exc.initial == {}
    back = circuit.projections["area.back"]
    assert (back.source.path, back.source.start, back.source.stop) == ("area.exc", 0, 10)
    assert (back.target.path, back.target.start, back.target.stop) == ("area.inh", 0, 10)
    assert back.connect == {"rule": "p", "p": 0.1}
    assert back.delay.value == 1.5 * 0.001
    down = circuit.projections["down"]
    assert down.delay == "(1*ms) + rand()*(1*ms)"
    assert down.plasticity.values["tau"].value == pytest.approx(0.003)
    assert down.initial == {"w": "2 + rand()"}
    assert down.connect == {"rule": "all"}
    assert circuit.experiment.run.seed == 1
    [link] = circuit.links
    assert (link.target, link.source) == (("area.exc", "top"), ("top", "v"))


def test_the_graph_has_populations_and_projections():
    graph = make().graph
    assert dict(graph.nodes(data=True)) == {
        "area.exc": {"size": 40, "cell": "cell"},
        "area.inh": {"size": 10, "cell": "child"},
        "top": {"size": 1, "cell": "cell"},
    }
    assert set(graph.edges(keys=True)) == {("area.exc", "area.inh", "area.back"), ("top", "area.exc", "down")}


def test_citations_in_order_and_once():
    assert make().cite == ("Demo (2020)", "Inner (2010)", "Cell (1999)", "Syn (2000)")


def test_an_empty_region_runs_too():
    circuit = make("experiment: e\nregion: {region: none}\nrun: {duration: 1 ms}\n")
    assert not circuit.populations


def test_a_product_with_a_parameter_named_like_a_unit():
    text = "experiment: e\nregion:\n  region: r\n  parameters: {J: 30, g: 4}\n"
    text += (
        "  populations: {p: {neuron: cell, size: 0.5*J}, q: {neuron: cell, size: 2*g}}\nrun: {duration: 1 s}\n" + PARTS
    )
    assert [p.size for p in make(text).populations.values()] == [15, 8]


# -- overrides --------------------------------------------------------------------------------------

SET = TEXT.replace("run: {", "set: {area.inh.neuron.E_L: -62 mV, area.n: 7}\nrun: {")


def test_priority_parent_file_use_set_command_line():
    assert make().populations["area.inh"].neuron.values["E_L"].value == -0.065
    circuit = make(SET)
    assert circuit.populations["area.inh"].neuron.values["E_L"].value == -0.062
    assert circuit.populations["area.exc"].size == 28  # set wins over the parameters at the place of use
    circuit = make(SET, area__n="3", area__inh__neuron__E_L="-61 mV")
    assert circuit.populations["area.exc"].size == 12
    assert [text for text, _ in circuit.history["area.inh.neuron.E_L"]] == ["-70 mV", "-65 mV", "-62 mV", "-61 mV"]
    origins = [origin for _, origin in circuit.history["area.inh.neuron.E_L"]]
    lines = SET.splitlines()
    numbers = [
        next(k for k, line in enumerate(lines, 1) if part in line) for part in ("E_L: -70", "E_L: -65", "-62 mV")
    ]
    assert origins == [*(f"demo.yaml:{number}" for number in numbers), "command line"]
    assert [text for text, _ in circuit.history["area.n"]] == ["20", "2*m", "7", "3"]


@pytest.mark.parametrize(
    ("path", "value", "look"),
    [
        ("m", "6", lambda c: c.populations["area.inh"].size == 12),
        ("area.exc.size", "n + 1", lambda c: c.populations["area.exc"].size == 11),
        ("area.n_exc", "3*n", lambda c: c.populations["area.exc"].size == 30),
        ("down.plasticity.eta", "m/2", lambda c: c.projections["down"].plasticity.values["eta"].value == 2.5),
        ("down.synapse.g", "2 mV", lambda c: c.projections["down"].synapses[0].values["g"].value == 0.002),
        ("down.delay", "2*d0", lambda c: c.projections["down"].delay.value == 0.002),
        ("down.initial.w", "3", lambda c: c.projections["down"].initial["w"].value == 3),
        ("top.initial.th", "-40 mV", lambda c: c.populations["top"].initial["th"].value == -0.04),
        ("area.back.connect.p", "0.5", lambda c: c.projections["area.back"].connect["p"] == 0.5),
        ("area.back.connect", "all", lambda c: c.projections["area.back"].connect == {"rule": "all"}),
        ("area.back.from", "inh", lambda c: c.projections["area.back"].source.path == "area.inh"),
        ("area.back.autapses", "true", lambda c: c.projections["area.back"].autapses is True),
        ("top.neuron", "child", lambda c: c.populations["top"].neuron.values["E_L"].value == -0.065),
        ("area.back.plasticity", "rule", lambda c: c.projections["area.back"].plasticity.name == "rule"),
        ("run.seed", "9", lambda c: c.experiment.run.seed == 9),
        ("run.dt", "0.5 ms", lambda c: c.experiment.run.dt == "0.5 ms"),
        ("run.duration", "20*d0", lambda c: c.experiment.run.duration == "20 ms"),
    ],
)
def test_what_can_be_set(path, value, look):
    assert look(make(TEXT, **{path.replace(".", "__"): value}))


def test_weights_of_an_earlier_run_can_be_set(tmp_path: Path, monkeypatch):
    text = SET.replace("area.n: 7", "down.initial.w.from: runs/a")
    assert make(text).projections["down"].initial == {"w": {"from": "runs/a"}}
    assert make(text).resolved["region"]["projections"]["down"]["initial"] == {"w": {"from": "runs/a"}}
    # A shipped experiment lies elsewhere: from the command line a folder is seen from where one stands.
    monkeypatch.chdir(tmp_path)
    circuit = make(text, down__initial__w__from="../b")
    assert circuit.projections["down"].initial == {"w": {"from": str(tmp_path / "../b")}}
    assert [value for value, _ in circuit.history["down.initial.w.from"]] == ["runs/a", "../b"]
    [problem] = problems(TEXT, down__initial__wx__from="b")
    assert problem.kind == "path"


def test_what_a_broken_projection_would_bring_is_not_called_unknown():
    text = TEXT.replace("run: {", "record: {state: {area.exc: {variables: [level]}}}\nrun: {", 1)
    assert make(text).experiment.record.state
    [problem] = problems(text, down__plasticity__eta="3 mV")
    assert problem.kind in ("unit", "dimension") and "eta" in problem.message


def test_a_rule_of_connection_does_not_come_from_the_command_line():
    [problem] = problems(TEXT, area__back__connect="{p: 0.2}")
    assert "stands in the file" in problem.hint


def test_another_part_drops_what_was_filled_in_for_the_old_one():
    circuit = make(TEXT, area__exc__neuron="child")
    assert circuit.populations["area.exc"].neuron.values["E_L"].value == -0.065


def test_every_listed_path_can_be_set_to_its_own_value():
    circuit = make()
    listed = overrides.paths(circuit)
    assert {"area.n", "area.exc.neuron.tau_m", "down.plasticity.eta", "down.delay", "run.dt", "m"} <= set(listed)
    own = {path: chain[-1][0] for path, chain in circuit.history.items() if chain and path not in ("m", "d0")}
    trees = source.parse(TEXT, "demo.yaml")
    # An initial value of the part would become one of the population, and 2*m is for the place of use.
    own = {path: value for path, value in own.items() if not path.endswith("initial.v") and path != "area.n"}
    again = build(trees[0], Library(documents=trees), own)
    assert again.resolved == circuit.resolved


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("area.exc.neuron.E_l", "area.exc.neuron.E_L"),
        ("area.exc.neuron.parameters.E_L", "area.exc.neuron.E_L"),
        ("down.plasticity.etta", "down.plasticity.eta"),
        ("area.excc.size", "area.exc.size"),
        ("run.sed", "run.seed"),
    ],
)
def test_paths_that_lead_nowhere(path, near):
    [problem] = problems(TEXT, **{path.replace(".", "__"): "1"})
    assert problem.kind == "path"
    assert path in problem.message
    assert near in problem.hint
    assert problem.mark.file == "command line"


def test_a_path_in_set_that_leads_nowhere_has_its_place():
    found, there = one("area.n: 7", "area.nn: 7", text=SET)
    assert found.kind == "path"
    assert there.startswith("area.nn")
    assert found.hint == "Did you mean area.n?"


def test_a_parameter_that_only_another_parameter_reads_may_be_set():
    text = TEXT.replace("  n_exc: 4*n", "  factor: 2\n  n_exc: factor*n")
    assert make(text, area__factor="3").populations["area.exc"].size == 30


def test_an_input_may_be_filled_in_like_a_parameter():
    text = TEXT.replace("top: {neuron: cell,", "top: {neuron: {name: cell, parameters: {rate: m*Hz}},")
    circuit = make(text)
    assert circuit.populations["top"].neuron.values["rate"].value == 5
    assert rebuilt(circuit).populations["top"].neuron.values == circuit.populations["top"].neuron.values
    assert make(TEXT, top__neuron__rate="3 Hz").populations["top"].neuron.values["rate"].value == 3
    assert [p.kind for p in problems(text.replace("rate: m*Hz", "rate: 3 ms"))] == ["unit"]


def test_setting_a_parameter_that_nothing_reads_is_no_silence():
    found, _ = one("  d0: 1 ms\n", "  d0: 1 ms\n  idle: 3\n", idle="4")
    assert (found.kind, "idle" in found.message) == ("path", True)
    assert make(TEXT.replace("  d0: 1 ms\n", "  d0: 1 ms\n  idle: 3\n"))


@pytest.mark.parametrize(
    ("path", "value", "kind"),
    [
        ("area.exc.neuron.E_L", "3 ms", "unit"),
        ("area.exc.neuron.E_L", "E + m", "name"),
        ("area.n", "3 mV", "unit"),
        ("run.seed", "abc", "value"),
        ("run.dt", "nan", "unit"),
        ("run.backend", "quantum", "value"),
        ("top.neuron", "cel", "part"),
        ("area.exc.size", "2 +", "syntax"),
    ],
)
def test_wrong_values_of_the_command_line(path, value, kind):
    found = problems(TEXT, **{path.replace(".", "__"): value})
    assert [p.kind for p in found] == [kind]
    assert found[0].mark.file == "command line"
    assert found[0].hint


# -- what is wrong in files -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "kind", "there", "message", "hint"),
    [
        # values and units
        ("E_L: E + 1*mV", "E_L: 3 ms", "unit", "3 ms", "E_L expects a voltage, got 3 ms", "-70 mV"),
        ("E_L: E + 1*mV", "E_L: 3", "unit", "3", "a voltage, got 3 without a unit", "mV"),
        ("E_L: E + 1*mV", "E_L: n", "unit", "n", "got n, a plain number", "mV"),
        ("E_L: E + 1*mV", "E_L: 3 mVolt", "unit", "3 mVolt", "'mVolt' is not a unit", "Did you mean mvolt?"),
        ("E_L: E + 1*mV", "E_L: EE", "name", "EE", "EE is no parameter of region inner", "Did you mean E?"),
        ("E_L: E + 1*mV", "E_L: E + n", "dimension", "E + n", "cannot add", ""),
        ("E_L: E + 1*mV", "E_L: E/0", "value", "E/0", "", "division by zero"),
        ("E_L: E + 1*mV", "E_L: 9**9**9", "", "9**9", "", ""),
        ("E_L: E + 1*mV", "E_L: E*rand()", "value", "E*rand()", "one value", "initial"),
        ("E_L: E + 1*mV", "E_l: 3 mV", "name", "E_l", "no parameter E_l", "Did you mean E_L?"),
        ("  E_L: -65 mV", "  E_L: m*mV", "name", "m*mV", "m is not known here", "literals"),
        ("n: 2*m", "n: 2*mz", "name", "2*mz", "mz is no parameter of region outer", "m"),
        ("n: 2*m", "n: 2*d0", "unit", "2*d0", "expects a plain number", ""),
        ("n: 2*m", "nn: 2*m", "name", "nn", "no parameter nn", "Did you mean n?"),
        ("  n: 20\n  n_exc: 4*n", "  n: n_exc/4\n  n_exc: 4*n", "cycle", "n_exc/4", "n -> n_exc -> n", "value"),
        ("  m: 5", "  mV: 5\n  m: 5", "name", "mV", "is a unit", "mV_0"),
        # populations
        ("size: n_exc", "size: n - 30", "value", "n - 30", "must be 0 or more, got n - 30 = -20", ""),
        ("size: n_exc", "size: -3", "value", "-3", "must be 0 or more, got -3", ""),
        ("size: n_exc", "size: n/3", "value", "n/3", "whole number", "Nearest: 3 or 4"),
        ("size: n_exc", "size: 1e9", "value", "1e9", "at most 100,000,000", "zeros"),
        ("size: n_exc", "size: 3 mV", "unit", "3 mV", "a plain number", ""),
        ("neuron: child", "neuron: chil", "part", "chil", "no neuron called chil", "Did you mean child?"),
        ("initial: {v: E +", "initial: {u: E +", "name", "u: E", "no variable u", ""),
        ("initial: {v: E +", "initial: {half: E +", "name", "half: E", "half is computed", ""),
        ("rand()*5*mV", "rand()*5*ms", "dimension", "E + rand()", "cannot add", ""),
        ("v: E + rand()*5*mV", "v: rand()", "unit", "rand()", "expects a voltage, got a plain number", ""),
        ("v: E + rand()*5*mV", "v: EE*rand()", "name", "EE*rand()", "EE is not known here", "E"),
        ("v: E + rand()*5*mV", "v: rnad()*mV", "name", "rnad()", "rnad is not a function", "rand"),
        # projections
        ("from: 'exc[0:10]'", "from: ex", "name", "ex,", "no population ex", "Did you mean exc?"),
        ("to: area.exc", "to: exc", "name", "exc", "no population exc", "area.exc"),
        ("exc[0:10]", "exc[0:41]", "value", "'exc[0:41]'", "leaves the 40 cells", "exc[0:40]"),
        ("exc[0:10]", "exc[5:5]", "value", "'exc[5:5]'", "is empty", "exc[0:40]"),
        ("connect: all", "connect: al", "value", "al", "connect does not know al", "Did you mean all?"),
        ("connect: all", "connect: one_to_one", "value", "one_to_one", "gives 1 and area.exc 40", "sizes"),
        ("{p: 0.1}", "{p: 1.5}", "value", "1.5", "from 0 to 1, got 1.5", "0.1"),
        ("{p: 0.1}", "{p: -0.1}", "value", "-0.1", "from 0 to 1", ""),
        ("{p: 0.1}", "{in_degree: 11}", "value", "11", "only 10 cells in area.exc", "multapses"),
        ("{p: 0.1}", "{number: 1e4}", "value", "1e4", "pairs to choose from", "multapses"),
        ("{p: 0.1}", "{in_degree: 1.5}", "value", "1.5", "whole number", "1 or 2"),
        ("{p: 0.1}", "{distance: 1 mm}", "needs", "{distance", "layout", "layout: {ring"),
        ("delay: 1.5 ms", "delay: 0.25 ms", "value", "0.25 ms", "no multiple of the time step dt = 0.1 ms", "0.2 ms"),
        ("delay: 1.5 ms", "delay: 0.05 ms", "value", "0.05 ms", "less than the time step", "0 ms and 0.1 ms"),
        ("delay: 1.5 ms", "delay: -1 ms", "value", "-1 ms", "must not be negative", ""),
        ("delay: 1.5 ms", "delay: 3 mV", "unit", "3 mV", "delay expects a time, got 3 mV", ""),
        ("delay: 1.5 ms", "delay: 1*ms + rand()", "dimension", "1*ms + rand()", "cannot add", ""),
        ("delay: 1.5 ms", "learn_delay: 0.25 ms", "value", "0.25 ms", "learn_delay", ""),
        ("delay: 1.5 ms", "port: I_som", "name", "I_som", "no port I_som", "Did you mean I_soma?"),
        ("{w: 2 + rand()}", "{wt: 2 + rand()}", "name", "wt: 2", "no variable wt", "w"),
        ("{w: 2 + rand()}", "{w: {from: ../x}}", "path", "{from", "leads out", ""),
        ("plasticity: {name: rule", "plasticity: {name: rul", "part", "rul", "no plasticity called rul", "rule"),
        ("synapse: syn\n    plas", "synapse: [syn, syn]\n    plas", "name", "syn]", "twice", ""),
        ("  down:\n", "  top:\n", "name", "top:", "top stands under populations and under projections", "Rename"),
        # links
        ("area.exc.top: top.v", "area.exc.tip: top.v", "name", "area.exc.tip", "no variable tip", "top"),
        ("area.exc.top: top.v", "area.exc.th: top.v", "name", "area.exc.th", "no (linked) variable th", "top"),
        ("area.exc.top: top.v", "area.exc.top: top.vv", "name", "top.vv", "no variable vv", ""),
        ("area.exc.top: top.v", "area.ex.top: top.v", "name", "area.ex.top", "no population area.ex", "area.exc"),
        ("area.exc.top: top.v", "area.exc.top: area.inh.v", "value", "area.exc.top", "10 cells and area.exc has", ""),
        # experiment
        ("dt: 0.1 ms", "dt: nan", "unit", "nan", "dt expects a time, got nan", "ms"),
        ("dt: 0.1 ms", "dt: .nan", "value", ".nan", "not a finite number", ""),
        ("dt: 0.1 ms", "dt: 0 ms", "value", "0 ms", "dt must be positive, got 0 ms", ""),
        ("dt: 0.1 ms", "dt: -1 ms", "value", "-1 ms", "dt must be positive", ""),
        ("dt: 0.1 ms", "dt: 1 mV", "unit", "1 mV", "dt expects a time, got 1 mV", ""),
        ("dt: 0.1 ms", "dt: 1", "unit", "1", "without a unit", ""),
        ("duration: 1 s", "duration: 0 s", "value", "0 s", "duration must be positive", ""),
        ("duration: 1 s, ", "", "key", "run", "does not say how long it runs", "duration"),
        ("region: outer\nr", "region: {name: outer, parameters: {m: k}}\nr", "name", "k", "k is not", "no parameters"),
        ("run:", "data: {name: mnist, train: 5}\nrun:", "needs", "data", "no use without phases", "phases"),
        ("run:", "readout: {name: class_sum, population: top}\nrun:", "needs", "readout", "needs phases", ""),
        ("run:", "record: {spikes: [top, area.ex]}\nrun:", "name", "area.ex", "no population area.ex", "area.exc"),
        ("run:", "record: {spikes: ['top[0:2]']}\nrun:", "value", "'top[0:2]'", "leaves", ""),
        ("run:", "record: {state: {dwn: {variables: [w]}}}\nrun:", "name", "dwn", "no population or proj", "down"),
        ("run:", "record: {state: {down: {variables: [w, y]}}}\nrun:", "name", "y]", "down has no variable y", ""),
        ("run:", "record: {state: {top: {variables: [vv]}}}\nrun:", "name", "vv]", "top has no variable vv", ""),
        ("run:", "record: {state: {top: {variables: [v], every: 0.25 ms}}}\nrun:", "value", "0.25", "every", "0.2"),
        ("run:", "stimuli: {a: {to: top.rat, constant: 3 Hz}}\nrun:", "name", "top.rat", "rat", "Did you mean rate?"),
        ("run:", "stimuli: {a: {to: tp.rate, constant: 3 Hz}}\nrun:", "name", "tp.rate", "no population tp", "top"),
        ("run:", "stimuli: {a: {to: top.rate, constant: 3 mV}}\nrun:", "unit", "3 mV", "expects a rate", "Hz"),
        ("run:", "stimuli: {a: {to: top.rate}}\nrun:", "key", "a", "no constant, pulse, times or file", ""),
        ("run", "stimuli: {a: {to: top.E_L, pulse: {value: 1 mV, start: 2 s,stop: 1 s}}}\nrun", "value", "1 s", "", ""),
    ],
)  # fmt: skip
def test_one_thing_wrong(old, new, kind, there, message, hint):
    problem, standing = one(old, new)
    assert problem.kind == kind or not kind
    assert standing.startswith(there)
    assert message in problem.message
    assert hint in problem.hint


def test_all_problems_at_once_in_the_order_of_the_file():
    text = (
        TEXT.replace("dt: 0.1 ms", "dt: 0 ms").replace("size: n_exc", "size: -1").replace("delay: 1.5", "delay: -1.5")
    )
    text = text.replace("area.exc.top: top.v", "area.exc.top: top.vv")
    found = problems(text, area__nope="3")
    assert sorted(p.kind for p in found) == ["name", "path", "value", "value", "value"]
    marks = [p.mark for p in found]
    assert marks == sorted(marks)


def test_regions_that_contain_each_other():
    text = EXPERIMENT + "---\nregion: outer\nregions: {a: middle}\n---\nregion: middle\nregions: {b: outer}\n"
    [problem] = problems(text)
    assert problem.kind == "cycle"
    assert "outer -> middle -> outer" in problem.message
    assert standing_at(text, problem).startswith("outer")


def test_a_region_file_on_its_own_that_contains_itself():
    tree = source.parse("region: a\nregions: {b: a}\n", "a.yaml")[0]
    with pytest.raises(BrainsimError) as caught:
        build(wrap(tree), Library(documents=[tree]))
    assert [p.kind for p in caught.value.problems] == ["cycle"]


def test_regions_that_multiply_are_stopped():
    names = [f"r{k}" for k in range(8)]
    text = "experiment: e\nregion: r0\nrun: {duration: 1 s}\n"
    for name, below in itertools.pairwise(names):
        text += f"---\nregion: {name}\nregions: {{{', '.join(f'x{k}: {below}' for k in range(9))}}}\n"
    found = problems(text + "---\nregion: r7\npopulations: {p: {neuron: cell, size: 1}}\n" + PARTS)
    assert [p.kind for p in found] == ["limit"]


def test_a_part_that_cannot_be_read_hides_no_other_problem_and_makes_no_more():
    text = TEXT.replace("neuron: child,", "neuron: nobody,").replace("size: n_exc", "size: 1.5")
    found = problems(text, area__inh__neuron__E_L="-60 mV", area__inh__size="3")
    assert [p.kind for p in found] == ["value", "part"]


# -- connections ------------------------------------------------------------------------------------


def connected(rule: str, layouts: str = "", root: Path | None = None, more: str = "", dt: str = "0.1 ms"):
    text = f"""\
experiment: e
region:
  region: r
  parameters: {{k: 3, s: 0.2 mm}}
  populations:
    a: {{neuron: cell, size: 6{layouts}}}
    b: {{neuron: cell, size: 4{layouts}}}
  projections:
    ab: {{from: a, to: b, synapse: syn, connect: {rule}{more}}}
run: {{duration: 1 s, dt: {dt}}}
"""
    return make(text + PARTS, root).projections["ab"].connect


RING = ", layout: {ring: 1 mm}"


def test_rules_of_connection():
    assert connected("all") == {"rule": "all"}
    assert connected("{p: 1/k}") == {"rule": "p", "p": 1 / 3}
    assert connected("{in_degree: 2*k}") == {"rule": "in_degree", "in_degree": 6, "multapses": False}
    assert connected("{number: 4*k}") == {"rule": "number", "number": 12, "multapses": False}
    # 24 pairs: 24*ln(1/(1 - 0.5)) = 16.6, a little less because a pair may be drawn twice.
    several = {"rule": "number", "number": round(np.log(0.5) / np.log(23 / 24)), "multapses": True}
    assert connected("{p: 0.5, multapses: true}") == several
    assert connected("{p: 0, multapses: true}") == {**several, "number": 0}
    with pytest.raises(BrainsimError, match="there are only 24 pairs"):
        connected("{number: 25}")
    for rule, layouts in (("{p: 1", ""), ("{p: exp(-d/s)", RING), ("{p: 0.1, distance: s", RING)):
        with pytest.raises(BrainsimError, match="multapses goes with a p below 1"):
            connected(rule + ", multapses: true}", layouts)
    assert connected("{out_degree: 9, multapses: true}") == {"rule": "out_degree", "out_degree": 9, "multapses": True}


def test_connection_by_distance():
    found = connected("{p: exp(-d/s), distance: 5*s}", ", layout: {ring: 1 mm}")
    assert found["rule"] == "distance"
    assert found["p"] == "exp(-d/(0.2*mmeter))" or found["p"].startswith("exp(-d/(")
    assert found["distance"].value == pytest.approx(1e-3)
    assert connected("{distance: 1 mm}", ", layout: {grid: [1 mm, 2*s]}")["p"] == 1.0
    with pytest.raises(BrainsimError, match="expects a length, got 3 ms"):
        connected("{distance: 3 ms}", ", layout: {ring: 1 mm}")
    with pytest.raises(BrainsimError, match=r"d is no parameter|d is not known"):
        connected("{p: exp(-d/s)}")


def test_what_depends_on_the_distance_of_a_broken_population_is_no_second_problem():
    text = TEXT.replace("size: n_exc}", "size: 1.5, layout: {ring: 1 mm}}")
    text = text.replace("delay: 1.5 ms", "delay: d/(1*mm/ms)")
    assert [problem.message for problem in problems(text)] == ["size must be a whole number, got 1.5"]


def test_layouts_must_match():
    text = TEXT.replace("size: n_exc}", "size: n_exc, layout: {ring: 1 mm}}").replace(
        "neuron: child, size: n,", "neuron: child, size: n, layout: {ring: 2 mm},"
    )
    assert make(text).populations["area.exc"].layout["ring"].value == 1e-3
    [problem] = problems(text.replace("{p: 0.1}", "{distance: 0.5 mm}"))
    assert "a ring of 1 mm" in problem.message
    assert "a ring of 2 mm" in problem.message
    [problem] = problems(text.replace("ring: 1 mm", "ring: 1 mV"))
    assert problem.kind == "unit"


def test_matrix(tmp_path: Path):
    (tmp_path / "m.csv").write_text("target,source,w_mV\n3,5,0.5\n0,1,2e-1\n\n2,0,1\n")
    found = connected("{matrix: m.csv, weight: w_mV}", root=tmp_path)
    assert found["rule"] == "matrix"
    assert found["source"].dtype == found["target"].dtype == np.int32
    assert found["source"].tolist() == [0, 1, 5]
    assert found["target"].tolist() == [2, 0, 3]
    assert found["weight"].tolist() == [1, 0.2, 0.5]
    assert connected("{matrix: m.csv}", root=tmp_path)["weight"] is None


@pytest.mark.parametrize(
    ("content", "rule", "kind", "message", "line"),
    [
        ("source,target\n6,0\n", "{matrix: m.csv}", "value", "from 0 to 5, got '6'", 2),
        ("source,target\n0,0\n1,-1\n", "{matrix: m.csv}", "value", "from 0 to 3", 3),
        ("source,target\n0,1.5\n", "{matrix: m.csv}", "value", "whole number", 2),
        ("source,target\n0\n", "{matrix: m.csv}", "value", "target is missing", 2),
        ("source,target,w\n0,1,nan\n", "{matrix: m.csv, weight: w}", "value", "not finite", 2),
        ("source,target,w\n0,1,x\n", "{matrix: m.csv, weight: w}", "value", "w must be a number, got 'x'", 2),
        ("source,targt\n0,1\n", "{matrix: m.csv}", "key", "no column target", None),
        ("source,target,weight\n0,1,1\n", "{matrix: m.csv, weight: wight}", "key", "no column wight", None),
        ("source,target\n0,1\n0,1\n", "{matrix: m.csv}", "value", "more than once", None),
        ("", "{matrix: n.csv}", "path", "no file n.csv", None),
        ("", "{matrix: ../m.csv}", "path", "leads out", None),
        ("", "{matrix: /etc/passwd}", "path", "absolute", None),
    ],
)
def test_wrong_matrices(tmp_path: Path, content, rule, kind, message, line):
    (tmp_path / "m.csv").write_text(content)
    with pytest.raises(BrainsimError) as caught:
        connected(rule, root=tmp_path)
    [problem] = caught.value.problems
    assert problem.kind == kind
    assert message in problem.message
    assert problem.hint
    assert line is None or (problem.mark.file, problem.mark.line) == ("m.csv", line)


def test_matrix_with_a_cell_joined_to_itself(tmp_path: Path):
    (tmp_path / "m.csv").write_text("source,target\n1,1\n")
    text = TEXT.replace("from: 'exc[0:10]', to: inh", "from: inh, to: inh").replace("{p: 0.1}", "{matrix: m.csv}")
    [problem] = problems(text, tmp_path)
    assert "itself" in problem.message
    assert make(text.replace("delay: 1.5 ms", "autapses: true"), tmp_path)


def test_points(tmp_path: Path):
    (tmp_path / "p.csv").write_text("x,y\n" + "0,1e-3\n" * 10)
    text = TEXT.replace("neuron: child, size: n,", "neuron: child, size: n, layout: {points: p.csv},")
    assert make(text, tmp_path).populations["area.inh"].layout["points"].shape == (10, 2)
    (tmp_path / "p.csv").write_text("0,1e-3\n" * 9)
    [problem] = problems(text, tmp_path)
    assert "10 cells, it has 9 rows" in problem.message


def test_points_from_code():
    text = TEXT.replace("neuron: child, size: n,", "neuron: child, size: n, layout: {points: [POINTS]},")
    found = make(text.replace("POINTS", '"(i % 3)*mm", 2 um, "i*um/N"')).populations["area.inh"].layout["points"]
    k = np.arange(10)
    np.testing.assert_allclose(found, np.stack([k % 3 * 1e-3, np.full(10, 2e-6), k * 1e-7], axis=1))
    for wrong, message in (
        ('"rand()*mm"', "computed, not drawn"),
        ('"i*ms"', "expects a length"),
        ('"mm/i"', "gives inf"),
        ("", "one to three coordinates"),
        ("1 um, 1 um, 1 um, 1 um", "one to three coordinates"),
        ('"k*mm"', "k is not known"),
    ):
        [problem] = problems(text.replace("POINTS", wrong))
        assert message in problem.message
        assert problem.hint and problem.mark


@pytest.mark.parametrize(("delay", "fine"), [("0 ms", True), ("5 ms", True), ("2*k*ms", True), ("7 ms", False)])
def test_delays_are_whole_steps(delay, fine):
    if fine:
        connected("all", more=f", delay: {delay}", dt="0.5 ms" if "k" in delay else "5 ms")
    else:
        with pytest.raises(BrainsimError, match="nearest are 5 ms and 10 ms"):
            connected("all", more=f", delay: {delay}", dt="5 ms")


def test_several_synapses_on_the_same_pairs():
    text = TEXT.replace("synapse: syn\n    plas", "synapse: [syn, {name: other, parameters: {h: m*mV}}]\n    plas")
    circuit = make(text, down__synapse__syn__g="3 mV")
    first, second = circuit.projections["down"].synapses
    assert first.values["g"].value == 0.003
    assert second.values["h"].value == 0.005
    assert [s["synapse"] for s in circuit.resolved["region"]["projections"]["down"]["synapse"]] == ["syn", "other"]


# -- lesions ----------------------------------------------------------------------------------------


def test_a_population_of_size_0_vanishes_with_what_touches_it():
    text = TEXT.replace(
        "run:",
        "record: {spikes: [top, area.inh], state: {down: {variables: [w]}, top: {variables: [v]}}}\n"
        "stimuli: {a: {to: top.rate, constant: 3 Hz}}\nrun:",
    )
    circuit = make(text, top__size="0", down__delay="2 ms")
    assert set(circuit.populations) == {"area.exc", "area.inh"}
    assert set(circuit.projections) == {"area.back"}
    assert not circuit.links
    assert set(circuit.graph.nodes) == {"area.exc", "area.inh"}
    assert circuit.experiment.record.spikes == ["area.inh"]
    assert circuit.experiment.record.state == {}
    assert circuit.experiment.stimuli == {}
    notes = "\n".join(circuit.notes)
    for word in (
        "top has size 0",
        "down is left out",
        "link",
        "record.spikes: top",
        "record.state: down",
        "stimuli: a",
    ):
        assert word in notes
    again = rebuilt(circuit)
    assert set(again.projections) == {"area.back"}


def test_a_lesion_does_not_complain_about_parameters_without_reader():
    assert make(TEXT, top__size="0", d0="2 ms").populations


# -- phases -----------------------------------------------------------------------------------------

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


def test_phases():
    circuit = make(LEARN, phases__train__passes="1", data__train="60000")
    experiment = circuit.experiment
    assert experiment.phases["train"].passes == 1
    assert experiment.data.train == 60000
    assert experiment.phases["test"].set == {"down.plasticity.eta": 0.1}
    changed = make(LEARN, phases__test__set__down__plasticity__eta="0.3")
    assert changed.experiment.phases["test"].set == {"down.plasticity.eta": 0.3}
    assert circuit.projections["down"].plasticity.values["eta"].value == 0.1


@pytest.mark.parametrize(
    ("old", "new", "kind", "there", "message", "hint"),
    [
        ("run: {dt", "run: {duration: 1 s, dt", "value", "1 s", "not both", "Remove"),
        ("350 ms", "351 ms", "value", "351 ms", "no multiple of the time step", "350 ms and 355 ms"),
        ("350 ms", "350 mV", "unit", "350 mV", "duration expects a time", ""),
        ("data: {name: mnist, train: 100, test: 10}\n", "", "needs", "phases", "phases need data", "mnist"),
        ("test: 10", "label: 10", "value", "test", "the split test, which has no samples", ""),
        ("area.inh.rate", "area.inh.rat", "name", "area.inh.rat", "no input rat", "rate"),
        ("area.inh.rate", "area.in.rate", "name", "area.in.rate", "no population area.in", "area.inh"),
        ("population: area.exc", "population: exc", "name", "exc", "no population exc", "area.exc"),
        ("assign_from: train", "assign_from: trian", "name", "trian", "no phase trian", "Did you mean train?"),
        ("fresh: [cells, top]", "fresh: [cels]", "name", "cels", "cels", "cells"),
        ("plasticity.eta: m/50", "plasticity.etta: 0", "path", "down.plasticity.etta", "leads to nothing", "eta?"),
        ("down.plasticity.eta: m/50", "down.delay: 1 ms", "path", "down.delay", "a phase cannot change", ""),
        ("eta: m/50", "eta: 1 ms", "unit", "1 ms", "eta expects a plain number, got 1 ms", ""),
    ],
)  # fmt: skip
def test_wrong_phases(old, new, kind, there, message, hint):
    problem, standing = one(old, new, text=LEARN)
    assert problem.kind == kind
    assert standing.startswith(there)
    assert message in problem.message
    assert hint in problem.hint


# -- resolved ---------------------------------------------------------------------------------------


def rebuilt(circuit: Circuit, root: Path | None = None) -> Circuit:
    text = yaml.safe_dump(circuit.resolved, sort_keys=False)
    return build(source.parse(text, "model.yaml")[0], Library(), {}, root)


@pytest.mark.parametrize("text", [TEXT, LEARN, SET], ids=["plain", "phases", "set"])
def test_resolved_is_the_same_experiment_without_a_library(text):
    circuit = make(text, run__seed="7", down__synapse__g="d0/(3*ms)*mV")
    again = rebuilt(circuit)
    assert again.resolved == circuit.resolved
    assert again.experiment.model_dump(exclude={"region", "set"}) == circuit.experiment.model_dump(
        exclude={"region", "set"}
    )
    assert list(again.populations) == list(circuit.populations)
    for path, population in circuit.populations.items():
        other = again.populations[path]
        assert (other.size, other.initial, other.layout) == (population.size, population.initial, population.layout)
        assert other.neuron.values == population.neuron.values  # to the last bit
        assert other.neuron.spec.equations == population.neuron.spec.equations
    for path, projection in circuit.projections.items():
        other = again.projections[path]
        for name in ("source", "target", "connect", "delay", "learn_delay", "port", "initial", "autapses"):
            assert getattr(other, name) == getattr(projection, name), name
        assert [s.values for s in other.synapses] == [s.values for s in projection.synapses]
        assert (other.plasticity and other.plasticity.values) == (
            projection.plasticity and projection.plasticity.values
        )
    assert [(link.target, link.source) for link in again.links] == [
        (link.target, link.source) for link in circuit.links
    ]
    assert again.cite == circuit.cite


def test_evaluated_values_are_written_like_literals():
    text = TEXT.replace("{v: E + rand()*5*mV}", "{v: E0 + rand()*mV}").replace(
        "  E: -70 mV", "  E: -70 mV\n  E0: E + 1*mV"
    )
    assert make(text).populations["area.inh"].initial == {"v": "(-69*mV) + rand()*mV"}


def test_resolved_holds_parts_in_place_and_no_expressions():
    resolved = make().resolved
    inner = resolved["region"]["regions"]["area"]
    assert next(iter(inner)) == "region"
    neuron = inner["populations"]["inh"]["neuron"]
    assert next(iter(neuron.items())) == ("neuron", "child")
    assert neuron["about"] == "A cell with another rest."
    assert "extends" not in neuron
    assert neuron["parameters"] == {"E_L": "-65 mV", "tau_m": "10 ms"}
    assert inner["parameters"] == {"n": 10, "n_exc": 40, "E": "-70 mV"}
    assert inner["populations"]["exc"]["size"] == 40
    assert "set" not in resolved


def test_setting_a_vestige_of_a_resolved_experiment_is_refused():
    text = yaml.safe_dump(make().resolved, sort_keys=False)
    with pytest.raises(BrainsimError, match="no effect"):
        build(source.parse(text, "model.yaml")[0], Library(), {"area.n": "3"})


# -- a part on its own ------------------------------------------------------------------------------


def test_a_region_is_wrapped_and_keeps_its_places():
    text = REGION.replace("size: n_exc", "size: -1")[4:]
    trees = source.parse(text, "inner.yaml")
    assert wrap(source.parse(EXPERIMENT)[0]).data["experiment"] == "demo"
    with pytest.raises(BrainsimError) as caught:
        build(wrap(trees[0]), Library(documents=[*trees, *source.parse(PARTS)]))
    [problem] = caught.value.problems
    assert text.splitlines()[problem.mark.line - 1][problem.mark.column - 1 :].startswith("-1")
    trees = source.parse(REGION[4:], "inner.yaml")
    library = Library(documents=[*trees, *source.parse(PARTS)])
    circuit = build(wrap(trees[0], library), library, {"n": "3"})
    assert circuit.populations["exc"].size == 12
    assert circuit.experiment.run.duration == "100 ms"
    assert circuit.experiment.record.spikes == ["exc", "inh"]
    outer = build(wrap(trees[1], library), library)
    assert outer.experiment.record.spikes == ["area.exc", "area.inh", "top"]
    silent = source.parse("region: r\npopulations: {a: {neuron: {neuron: q, equations: 'v : 1'}, size: 1}}")[0]
    assert build(wrap(silent, library), library).experiment.record.spikes == []


def test_a_neuron_is_wrapped_and_a_synapse_is_not():
    trees = source.parse(PARTS, "parts.yaml")
    circuit = build(wrap(trees[0]), Library(documents=trees), {"cell.neuron.E_L": "-60 mV"})
    assert circuit.populations["cell"].neuron.values["E_L"].value == -0.06
    with pytest.raises(FileError) as caught:
        wrap(next(t for t in trees if "synapse" in t.data))
    assert "alone" in caught.value.problems[0].message
