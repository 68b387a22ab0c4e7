"""Each part of the library has a science test that notices a wrong number, and each test still belongs to a part.

``tests/science/mutate.py --update`` tries wrong numbers and keeps in a ledger what was noticed; here the ledger is
compared with the files, and a sample of it is tried for real.
"""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCIENCE = ROOT / "tests" / "science"
sys.path.insert(0, str(SCIENCE))

import mutate  # noqa: E402

REGISTER = mutate.register()
PARTS = mutate.parts()
#: Parameters that are tried again by the slow test, others each day.
SAMPLE = 6


@pytest.fixture(scope="module")
def ledger() -> dict:
    return mutate.read_ledger()


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.key)
def test_part_has_a_science_test(part):
    assert part.tests, f'{part.key}: write tests/science/test_{part.name}.py with PARTS = ["{part.key}"]'
    assert all(part.name in test.read_text(encoding="utf-8") for test in part.tests)


def test_tests_name_parts_that_exist():
    assert {part for tested in REGISTER.values() for part in tested} <= {part.key for part in PARTS}


def test_every_number_of_a_part_was_tried_and_noticed(ledger):
    found = [f"{part.key} {why}" for part in PARTS if (why := mutate.trouble(part, ledger))]
    assert not found, "\n".join([*found, "python tests/science/mutate.py --update tries them"])


def test_the_ledger_holds_no_part_that_is_gone(ledger):
    assert set(ledger) <= {part.key for part in PARTS}


def test_what_is_indifferent_exists_and_says_why():
    numbers = {(part.name, parameter) for part in PARTS for parameter in part.numbers()}
    assert set(mutate.INDIFFERENT) <= numbers
    assert all(len(why) > 10 for why in mutate.INDIFFERENT.values())


def test_the_ledger_is_read_as_it_should_be():
    """An entry that is missing, old, or holds something unnoticed is trouble, and no other."""
    part = next(part for part in PARTS if part.key == "neuron lif")
    good = {"hash": part.hash(), "parameters": dict.fromkeys(part.numbers(), "noticed")}
    assert len(good["parameters"]) == 6  # all but I_bias, which is 0
    assert mutate.trouble(part, {part.key: good}) == ""
    assert "not been tried" in mutate.trouble(part, {})
    assert "has changed" in mutate.trouble(part, {part.key: {**good, "hash": "0"}})
    for outcome in ("unnoticed", "no other number makes a valid model", "any reason that is not in the list"):
        wrong = {**good, "parameters": {**good["parameters"], "C_m": outcome}}
        assert "C_m" in mutate.trouble(part, {part.key: wrong})


def test_a_mutant_differs_in_one_number_by_a_fifth():
    part = next(part for part in PARTS if part.key == "neuron lif")
    first, second, *_ = mutate.mutants(part, "C_m")
    assert (first[0]["parameters"]["C_m"], second[0]["parameters"]["C_m"]) == ("240 pF", "160 pF")
    before = part.documents()[0]
    assert {**first[0], "parameters": {**first[0]["parameters"], "C_m": "200 pF"}} == before
    sizes = next(part for part in PARTS if part.key == "region winner_take_all")
    assert [m[0]["parameters"]["n_cells"] for m in mutate.mutants(sizes, "n_cells")][:2] == [120, 80]


TESTED = """
import pytest
import brainsim
PARTS = ["neuron tried"]

def test_it(make_plan):
    region = "{region: r, populations: {c: {neuron: tried, size: 1}}}"
    plan = make_plan(f"experiment: e\\nregion: {region}\\nrun: {{duration: 1 ms}}\\n")
    assert {c.name: c.value.value for c in plan.groups[0].constants}["a"] == 1
"""


def test_what_a_test_does_not_notice_is_found(tmp_path):
    """A part with a parameter that is tested and one that is not."""
    file = tmp_path / "tried.yaml"
    file.write_text("neuron: tried\nparameters: {a: 1.0, b: 2.0}\nequations: |\n  v = a + b : 1\n")
    (tmp_path / "test_tried.py").write_text(TESTED)
    (tmp_path / "conftest.py").write_text((SCIENCE / "conftest.py").read_text(encoding="utf-8"))
    part = mutate.Part("neuron", "tried", file, (tmp_path / "test_tried.py",))
    # Where it is no mutant, the part is not found at all: the shadow is the only library that has it.
    passed = {part.tests: True}
    ((_, found),) = mutate.results([part], passed=passed)
    assert found == {"a": "noticed", "b": "unnoticed"}
    ((_, found),) = mutate.results([part])
    assert found == {"": "its tests do not pass as it is"}


def test_a_refused_model_is_not_noticed(tmp_path):
    file = tmp_path / "tried.yaml"
    file.write_text("neuron: tried\nparameters: {n: 2.0}\nequations: |\n  v = n : 1\n")
    (tmp_path / "test_tried.py").write_text(
        "from brainsim.errors import FitError, Problem\nPARTS = ['neuron tried']\n\n"
        "def test_it():\n    raise FitError(Problem('fit', 'no such network'))\n"
    )
    part = mutate.Part("neuron", "tried", file, (tmp_path / "test_tried.py",))
    ((_, found),) = mutate.results([part], passed={part.tests: True})
    assert found == {"n": "no other number makes a valid model"}


@pytest.mark.slow
def test_a_sample_is_noticed_again(ledger):
    """Other parameters each day: the ledger is what really happens."""
    entries = [(part, ledger[part.key]["parameters"]) for part in PARTS if part.key in ledger]
    tried = [(part, name) for part, said in entries for name in said if said[name] == mutate.NOTICED]
    first = datetime.date.today().toordinal() * SAMPLE
    for number in range(first, first + SAMPLE):
        part, name = tried[number * 7919 % len(tried)]
        ((_, found),) = mutate.results([part], only=(name,))
        assert found == {name: mutate.NOTICED}, part.key
