"""What is wrong with a document, said once, in plain words, at its place, with the next step."""

# The table of faults reads best with one fault a line.
# ruff: noqa: E501

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainsim.errors import FileError, Mark, Problem, Problems
from brainsim.source import parse, read
from brainsim.spec import KINDS
from brainsim.spec.check import EXAMPLES, MAX_PROBLEMS, check, uses
from brainsim.spec.fields import Spec
from brainsim.spec.schema import schema

ROOT = Path(__file__).resolve().parent.parent

NEURON = "neuron: a\n"
RULE = "plasticity: a\n"
REGION = "region: a\n"
EXPERIMENT = "experiment: a\nregion: r\n"
#: Words of pydantic and of programmers that no scientist should have to read.
JARGON = re.compile(
    r"pydantic|union|constrained|valid (string|integer|dictionary)|Input should|model_type|NoneType|\bdict\b|\bstr\b|Value error"
)


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(FileError) as caught:
        check(parse(text, "f.yaml")[0])
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "kind", "line", "column", "said", "hint"),
    [
        # unknown keys: the nearest of that very place, a right key in the wrong place, or all of them
        (NEURON + "thresold: v > 1", "key", 2, 1, "thresold is not a key of a neuron", "Did you mean threshold?"),
        (EXPERIMENT + "run: {durration: 1 s}", "key", 3, 7, "durration is not a key of run", "Did you mean duration?"),
        (EXPERIMENT + "seed: 1", "key", 3, 1, "seed is not a key of an experiment", "seed belongs under run"),
        (NEURON + "zzz: 1", "key", 2, 1, "zzz is not a key of a neuron", "Allowed here: neuron, extends, about"),
        (NEURON + "events: {b: {if: v > 1, codee: x}}", "key", 2, 25, "codee is not a key of events.b", "Did you mean code?"),
        (RULE + "on_post: {blame: {code: x, dellay: 1 ms}}", "key", 2, 28, "dellay", "Did you mean delay?"),
        (RULE + "every:\n  - {each: dt, code: x, wehn: end}", "key", 3, 25, "every[1]", "Did you mean when?"),
        (REGION + "projections: {p: {source: a, to: b, synapse: s, connect: all, from: c}}", "key", 2, 19, "source is not", "Allowed here: from"),
        (EXPERIMENT + "trial: {duration: 1 s, inputs: {imag: a.b}}", "key", 3, 33, "imag", "Did you mean image?"),
        # missing keys
        (REGION + "populations:\n  e: {neuron: lif}", "key", 3, 3, "populations.e lacks the key size", "size: 100"),
        ("experiment: a", "key", 1, 1, "an experiment lacks the key region", "region: reward_loop"),
        (RULE + "on_pre: {teach: {delay: 1 ms}}", "key", 2, 10, "on_pre.teach lacks the key code", "code: w += 1"),
        (EXPERIMENT + "stimuli: {c: {to: a.b, pulse: [{start: 1 s}]}}", "key", 3, 32, "stimuli.c.pulse[1] lacks the key value", "value: 40 Hz"),
        # a misspelt required key is one fault
        (REGION + "populations: {e: {neuron: lif, siez: 3}}", "key", 2, 32, "siez", "Did you mean size?"),
        # wrong shapes, one sentence a union
        (NEURON + "equations: [a]", "value", 2, 12, "equations expects text, got a list", "Brian2 equations"),
        (NEURON + "threshold:", "value", 2, 11, "threshold expects text, got nothing", "after the colon"),
        (NEURON + "parameters:", "value", 2, 12, "parameters expects keys with values, got nothing", "delete the line"),
        (NEURON + "parameters: {C_m: [1]}", "value", 2, 19, "C_m expects a value such as 20 ms, got a list", "unit"),
        (NEURON + "parameters: {C_m: }", "value", 2, 19, "C_m expects a value such as 20 ms, got nothing", "after the colon"),
        (NEURON + "cite: Izhikevich", "value", 2, 7, "cite expects a list, got Izhikevich", "Write cite: [Izhikevich]."),
        (NEURON + "every: {each: dt}", "value", 2, 8, "every expects a list, got keys with values", "fixed times"),
        (RULE + "on_pre: [x]", "value", 2, 9, "on_pre expects text or keys with values, got a list", "presynaptic"),
        (RULE + "on_pre: {spike: [x]}", "value", 2, 17, "spike expects text or keys with values, got a list", "presynaptic"),
        (RULE + "on_pre: {spike: {code: x, order: a}}", "value", 2, 34, "order expects a whole number, got a", "Order"),
        (RULE + "needs: [a]", "value", 2, 8, "needs expects keys with values, got a list", "work"),
        (EXPERIMENT + "stimuli: {c: {to: a, pulse: 3}}", "value", 3, 29, "pulse expects keys with values or a list, got 3", "One pulse"),
        (REGION + "populations: {e: {neuron: [x], size: 1}}", "value", 2, 27, "neuron expects text or keys with values", "cell"),
        (REGION + "populations: [a]", "value", 2, 14, "populations expects keys with values, got a list", "cells"),
        (REGION + "projections: {p: {from: a, to: b, synapse: s, connect: [x]}}", "value", 2, 56, "got a list", "one_to_one"),
        # values
        (EXPERIMENT + "run: {backend: numpi}", "value", 3, 16, "auto, numpy, cython, cpp_standalone or native, got numpi", "numpy?"),
        (EXPERIMENT + "run: {seed: -1}", "value", 3, 13, "seed must be at least 0, got -1", "random"),
        (EXPERIMENT + "grammar: 2", "value", 3, 10, "grammar must be 1, got 2", "Write grammar: 1."),
        (EXPERIMENT + "phases: {t: {data: train, passes: 1.5}}", "value", 3, 35, "passes must be a whole number, got 1.5", "often"),
        (EXPERIMENT + "phases: {t: {data: train, shuffle: maybe}}", "value", 3, 36, "true or false, got maybe", "order"),
        (RULE + "every: [{each: dt, code: x, when: starts}]", "value", 2, 35, "slot of the time step, got starts", "Did you mean start?"),
        (REGION + "populations: {e: {neuron: a, size: 1, layout: {line: 1, ring: 2}}}", "value", 2, 47, "exactly one of line, ring", "distance"),
        (REGION + "projections: {p: {from: a, to: b, synapse: s, connect: {p: 1, in_degree: 2}}}", "value", 2, 56, "exactly one of p", "one_to_one"),
        (REGION + "projections: {p: {from: a b, to: b, synapse: s, connect: all}}", "value", 2, 25, "from must be a path, got a b", "cortex.exc[0:80]"),
        # names
        (NEURON + "parameters: {2x: 1}", "name", 2, 14, "2x cannot be a name", "beginning with a letter"),
        (NEURON + "extends: two words", "name", 2, 10, "extends must be a name, got two words", "letters"),
        (REGION + "links: {a b: c.d}", "name", 2, 9, "a b cannot be a name", "joined by dots"),
        (NEURON + f"parameters: {{{'x' * 61}: 1}}", "name", 2, 14, "cannot be a name", "at most 60"),
        (NEURON + "equations: " + "x" * 100_001, "limit", 2, 12, "equations is longer than 100,000", "Shorten"),
        # parts at the place of use
        (REGION + "regions: {c: {nme: x, parameters: {}}}", "key", 2, 15, "nme is not a key of regions.c", "Did you mean name?"),
        (REGION + "regions: {c: {parameters: {a: 1}}}", "key", 2, 11, "regions.c does not say which region", "{name: cortex_ei"),
        (REGION + "populations: {e: {size: 1, neuron: {synapse: ampa}}}", "value", 2, 37, "expects a neuron, but a synapse stands here", "neuron: NAME"),
        (REGION + "populations: {e: {size: 1, neuron: {neuron: own, resett: x}}}", "key", 2, 50, "resett is not a key of a neuron", "Did you mean reset?"),
        (REGION + "regions: {c: {name: x, parameters: {a: }}}", "value", 2, 40, "a expects a value, got nothing", "20 ms"),
        ("experiment: a\nregion: {name: x, parameters: [1]}", "value", 2, 31, "parameters expects keys", "tau_m: 20 ms"),
    ],
)  # fmt: skip
def test_each_fault_is_one_sentence_at_its_place(text, kind, line, column, said, hint):
    (problem, *others) = problems(text)
    assert problem.kind == kind
    assert problem.mark == Mark("f.yaml", line, column)
    assert said in problem.message
    assert hint in problem.hint
    assert not JARGON.search(str(problem))
    assert "\n" not in problem.message
    assert not others


def test_all_faults_of_a_document_come_at_once_in_their_order():
    text = EXPERIMENT + "run: {seed: -1, dt: [1]}\nregoin: x\nset: 3\nphases: {t: {data: trian}}\n"
    found = problems(text)
    assert [(p.mark.line, p.kind) for p in found] == [
        (3, "value"),
        (3, "value"),
        (4, "key"),
        (5, "value"),
        (6, "value"),
    ]


def test_only_the_names_of_the_grammar_are_keys():
    found = problems(REGION + "projections: {p: {source: a, target: b, synapse: s, connect: all}}")
    assert [p.message.split()[0] for p in found if "is not a key" in p.message] == ["source", "target"]
    assert {p.message.split()[-1] for p in found if "lacks" in p.message} == {"from", "to"}


def test_problems_can_be_collected():
    collected = Problems()
    assert check(parse(NEURON + "zzz: 1")[0], collected) is None
    assert check(parse(NEURON)[0], collected).neuron == "a"
    assert len(collected.found) == 1


def test_a_file_of_faults_is_cut_short():
    found = problems(NEURON + "".join(f"k{n}: 1\n" for n in range(5000)))
    assert len(found) == MAX_PROBLEMS + 1
    assert "4900 more" in found[-1].message


def test_numbers_are_text_where_text_is_expected_and_values_stay_what_they_are():
    spec = check(
        parse("neuron: a\ninputs: {rate: Hz, pixel: 1}\nreset: 0\nparameters: {a: 1, b: 1.5, c: 2 ms, d: true}")[0]
    )
    assert spec.inputs == {"rate": "Hz", "pixel": "1"}
    assert spec.reset == "0"
    assert spec.parameters == {"a": 1, "b": 1.5, "c": "2 ms", "d": True}
    assert [type(v) for v in spec.parameters.values()] == [int, float, str, bool]


def test_uses_finds_every_part_a_document_uses():
    (tree,) = parse(
        REGION + "regions: {c: x}\npopulations: {e: {neuron: lif, size: 1}, f: 3}\n"
        "projections: {p: {synapse: [a, {name: b}], plasticity: stdp}, q: {synapse: c}}"
    )
    assert list(uses(tree)) == [
        ("region", ("regions", "c")),
        ("neuron", ("populations", "e", "neuron")),
        ("synapse", ("projections", "p", "synapse", 0)),
        ("synapse", ("projections", "p", "synapse", 1)),
        ("plasticity", ("projections", "p", "plasticity")),
        ("synapse", ("projections", "q", "synapse")),
    ]
    assert list(uses(parse(EXPERIMENT)[0])) == [("region", ("region",))]
    assert not list(uses(parse(NEURON)[0]))


def _below(model: type) -> set[type]:
    return {model, *(s for child in model.__subclasses__() for s in _below(child))} - {Spec}


def test_every_required_key_has_an_example_and_every_key_a_description():
    for model in _below(Spec):
        for name, info in model.model_fields.items():
            key = info.alias or name
            assert info.description, f"{model.__name__}.{name}"
            assert not info.is_required() or key in EXAMPLES or key in KINDS, f"{model.__name__}.{key}"


@pytest.mark.parametrize("kind", KINDS)
def test_schema_describes_every_key(kind: str):
    made = schema(kind)
    json.dumps(made)
    assert made["$schema"].startswith("https://json-schema.org/")
    assert made["title"] == f"brainsim {kind}"
    assert made["additionalProperties"] is False
    assert kind in made["required"]
    for part in (made, *made["$defs"].values()) if "$defs" in made else (made,):
        for key, entry in part.get("properties", {}).items():
            assert entry.get("title") or "$ref" in entry, key
            assert entry.get("description"), key
            assert "``" not in entry["description"]
    assert "from" in json.dumps(schema("region"))


def test_every_file_of_the_library_is_right():
    files = [p for top in ("models", "plasticity", "regions", "configs") for p in sorted((ROOT / top).rglob("*.yaml"))]
    assert files
    for path in files:
        for tree in read(path):
            if "extends" not in tree.data:
                assert check(tree)


_WORDS = st.sampled_from(
    [
        "neuron",
        "region",
        "populations",
        "projections",
        "synapse",
        "connect",
        "p",
        "from",
        "to",
        "size",
        "every",
        "code",
        "on_pre",
        "spike",
        "if",
        "run",
        "seed",
        "layout",
        "parameters",
        "name",
        "regions",
        "initial",
        "w",
        "all",
        "dt",
        "[key]",
        "OnEvent",
        "0",
        "phases",
        "pulse",
    ]
)
_DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats() | st.sampled_from(["a", "2 ms", "", "a b", "[", "3"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_WORDS, below, max_size=5),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(KINDS)), st.dictionaries(_WORDS, _DATA, max_size=6))
def test_any_content_is_right_or_a_clear_error(kind: str, content: dict):
    text = json.dumps({kind: "a", **{k: v for k, v in content.items() if k != kind}})
    text = text.replace("NaN", ".nan").replace("-Infinity", "-.inf").replace("Infinity", ".inf")
    try:
        check(parse(text)[0])
    except FileError as error:
        for problem in error.problems:
            assert problem.mark is not None
            assert problem.message
            assert not JARGON.search(problem.message), problem


def test_the_reference_page_is_current():
    from brainsim.spec.reference import reference

    page = Path(__file__).resolve().parents[1] / "docs" / "reference.md"
    assert page.read_text() == reference(), "python -m brainsim.spec.reference > docs/reference.md"
