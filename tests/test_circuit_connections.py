"""Rules of connection, their matrices and points, and delays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from circuits import PARTS, TEXT, make, problems

from brainsim.errors import BrainsimError


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
