"""Nested regions become one circuit: values, paths, problems with their places."""

from __future__ import annotations

import pytest
import yaml
from circuits import EXPERIMENT, LEARN, PARTS, REGION, SET, TEXT, make, one, rebuilt

from brainsim import source
from brainsim.circuit import build, wrap
from brainsim.errors import BrainsimError, FileError
from brainsim.library import Library
from brainsim.units import Quantity

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
