"""What is wrong in an experiment is told, all at once, each with its place."""

from __future__ import annotations

import itertools

import pytest
from circuits import EXPERIMENT, PARTS, TEXT, one, problems, standing_at

from brainsim import source
from brainsim.circuit import build, wrap
from brainsim.errors import BrainsimError
from brainsim.library import Library


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
