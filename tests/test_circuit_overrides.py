"""Values that are set from outside: by use, by `set`, by the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from circuits import SET, TEXT, make, one, problems, rebuilt

from brainsim import overrides, source
from brainsim.circuit import build
from brainsim.library import Library


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
