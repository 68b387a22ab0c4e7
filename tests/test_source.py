"""The YAML reader: places, scalars, and hostile files that end in a clear error at once."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from brainsim import source
from brainsim.errors import FileError, Mark, Problem
from brainsim.source import Tree, identify, parse, reader, scalar
from brainsim.spec import KINDS

M = 10_000_000


def problems(text: str | bytes, file: str = "f.yaml") -> tuple[Problem, ...]:
    with pytest.raises(FileError) as caught:
        parse(text, file)
    return caught.value.problems


def at(text: str, mark: Mark) -> str:
    """The rest of the line at a place."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[mark.line - 1][mark.column - 1 :]


# ---------------------------------------------------------------------------------------------- places


def test_kinds_are_those_of_the_specs():
    assert tuple(KINDS) == source.KINDS


def test_places_of_keys_and_values():
    text = "neuron: lif\nparameters:\n  C_m: 200 pF   # capacitance\n  list: [1, {a: b}]\n"
    (tree,) = parse(text, "lif.yaml")
    assert tree.data == {"neuron": "lif", "parameters": {"C_m": "200 pF", "list": [1, {"a": "b"}]}}
    assert tree.mark(("parameters", "C_m")) == Mark("lif.yaml", 3, 8)
    assert tree.key_mark(("parameters", "C_m")) == Mark("lif.yaml", 3, 3)
    assert at(text, tree.mark(("parameters", "list", 1, "a"))) == "b}]"
    assert at(text, tree.key_mark(("parameters", "list", 1, "a"))) == "a: b}]"
    assert tree.mark(("parameters", "nothing", "here")) == tree.mark(("parameters",)) == Mark("lif.yaml", 3, 3)
    assert tree.key_mark(("parameters", "nothing")) == tree.mark(("parameters",))
    assert Tree({}, "x.yaml").mark(("a",)) == Mark("x.yaml", 1, 1)


def test_at_roots_a_subtree_anew():
    (tree,) = parse("a: 1\nb:\n  c: [x, 'y']\n", "f")
    below = tree.at(("b",)).at(("c",))
    assert below.data == ["x", "y"]
    assert below.mark() == tree.mark(("b", "c"))
    assert below.key_mark() == tree.key_mark(("b", "c"))
    assert below.mark((1,)) == tree.mark(("b", "c", 1))
    assert below.lines[1,] == tree.lines["b", "c", 1]
    assert dict(below.marks) == {(): Mark("f", 3, 6), (0,): Mark("f", 3, 7), (1,): Mark("f", 3, 10)}
    assert len(below.keys) == 1
    for wrong in (("z",), ("b", "c", "d"), ("a", "b")):
        with pytest.raises((KeyError, IndexError, TypeError)):
            tree.at(wrong)
    assert tree.get(("b", "c", 1)) == "y"
    assert tree.get(("b", "c", 9), "none") == "none"
    assert tree.get(("a", "x"), "none") == "none"


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("a: one", ["one"]),
        ("a: 'one'", ["one'"]),
        ('a: "w = 0\\nn = 0\\n\\nd = 1"', ['w = 0\\nn = 0\\n\\nd = 1"', 'n = 0\\n\\nd = 1"', '\\nd = 1"', 'd = 1"']),
        ('a: "c\\\\name = 0"', ['c\\\\name = 0"']),  # an escaped backslash is no line break
        ("a: |\n  one\n  two\n", ["one", "two"]),
        ("a: |  # comment\n\n  one\n    deeper\n\n  two", ["", "one", "  deeper", "", "two"]),
        ("a: |2-\n    one\n   two\n", ["  one", " two"]),
        ("a: |\r\n  one\r\n  two\r\n", ["one", "two"]),
        ("a: >\n  one\n  more\n\n  two\n", ["one", "two"]),
        ("a: one\n\n  two\n  more", ["one", "two"]),
        ("a: 'one\n\n\n  two'", ["one", "", "two'"]),
        ("a: &x one", ["one"]),
        ("a: &x 'one'", ["one'"]),
        ("a: &x\n  one", ["one"]),
        ("a: &x |\n  one\n  two", ["one", "two"]),
        ("a: ''", ["'"]),
        ("a: 3", ["3"]),
        ("a:\n  - {b: |-\n", None),
    ],
)
def test_each_line_of_a_text_has_its_place(text: str, starts: list[str] | None):
    if starts is None:
        assert problems(text)
        return
    (tree,) = parse(text)
    assert [at(text, mark) for mark in tree.lines["a",]] == starts


def test_block_text_keeps_line_and_column_of_every_character():
    text = "neuron: a\nequations: |\n  dv/dt = -v/tau : volt\n  # why\n\n  w : 1\n"
    (tree,) = parse(text)
    lines = tree.data["equations"].split("\n")[:-1]
    assert len(lines) == len(tree.lines["equations",]) == 4
    for line, mark in zip(lines, tree.lines["equations",], strict=True):
        assert at(text, mark) == line


def test_several_documents_and_their_lines():
    trees = parse("region: a\n---\n---\nneuron: b\n--- # end\n", "f")
    assert [identify(tree) for tree in trees] == [("region", "a"), ("neuron", "b")]
    assert trees[1].mark(("neuron",)) == Mark("f", 4, 9)


def test_columns_count_characters_not_bytes():
    (tree,) = parse("{µé: 1, \U0001f600: 2}", "f")
    assert tree.mark(("\U0001f600",)).column == 12


def test_byte_order_mark_moves_nothing():
    (tree,) = parse(b"\xef\xbb\xbfneuron: a\n", "f")
    assert tree.key_mark(("neuron",)) == Mark("f", 1, 1)


# ---------------------------------------------------------------------------------------------- scalars


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("y", "y"), ("010", 10), ("-010", -10),
        ("0o17", 15), ("0x1F", 31), ("1e-3", 1e-3), ("1E5", 1e5), ("1.", 1.0), (".5", 0.5), ("+3", 3), ("-2.5", -2.5),
        ("1_000", "1_000"), ("12:30:45", "12:30:45"), ("2020-01-01", "2020-01-01"), ("20 ms", "20 ms"),
        ("true", True), ("False", False), ("tRue", "tRue"), ("null", None), ("~", None), ("", None),
        (".inf", float("inf")), ("-.Inf", float("-inf")), ("1e999", float("inf")), ("=", "="),
        ("1" * 5000, float("inf")),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object):
    got = parse(f"a: {text}")[0].data["a"]
    assert got == value
    assert type(got) is type(value)
    assert scalar(text) == value


def test_nan_and_quotes():
    assert str(scalar(".nan")) == "nan"
    assert parse("a: '3'\nb: \"true\"")[0].data == {"a": "3", "b": "true"}


def test_keys_are_text():
    assert list(parse("1: a\nno: b\n'x y': c\nnull: d\n1.5: e")[0].data) == ["1", "no", "x y", "null", "1.5"]


# ---------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("text", "kind", "line", "column", "said", "hint"),
    [
        ("", "syntax", 1, 1, "empty", "neuron: my_cell"),
        ("# only a comment\n", "syntax", 1, 1, "empty", "neuron: my_cell"),
        ("---\n---\n", "syntax", 1, 1, "empty", "neuron: my_cell"),
        ("- a\n- b\n", "syntax", 1, 1, "a list", "neuron: my_cell"),
        ("\nhello\n", "syntax", 2, 1, "the text 'hello'", "neuron: my_cell"),
        ("a: !!python/object/apply:os.system [ls]", "syntax", 1, 4, "tag !!python/object", "quotes"),
        ("a: !foo b", "syntax", 1, 4, "tag !foo", "quotes"),
        ("!!str a: b", "syntax", 1, 1, "tag !!str", "quotes"),
        ("a: 1\nb: 2\na: 3\n", "key", 3, 1, "a is given twice; it stands in line 1", "Keep one"),
        ("p: {x: 1, y: 2, x: 3}", "key", 1, 17, "x is given twice", "Keep one"),
        ("a: &m {x: 1}\nb:\n  <<: *m\n", "key", 3, 3, "merge keys", "extends"),
        ("a: *b\n", "name", 1, 4, "*b refers to an anchor", "quotes"),
        ("first: &tau 1\na: *tua\n", "name", 2, 4, "&tua", "Did you mean tau?"),
        ("a: &a [1, *a]", "cycle", 1, 11, "inside the value", "Write the value out"),
        ("a: &a {b: {c: *a}}", "cycle", 1, 15, "inside the value", "Write the value out"),
        ("a: {{x}}", "syntax", 1, 5, "key must be a word", "quotes"),
        ("a:\n  ? [1]\n  : 2\n", "syntax", 2, 5, "key must be a word", "quotes"),
        ("a: {: 2}\n", "syntax", 1, 5, "value is missing before this :", "Write it"),
        ("'': 2\n", "syntax", 1, 1, "no key before", "quotes"),
        ("a:\n\tb: 1\n", "syntax", 2, 1, "a tab", "spaces"),
        ("a: 1\n\t\n  b: 1\n", "syntax", 2, 1, "a tab", "spaces"),
        ("a: b: c\n", "syntax", 1, 5, "second colon", "quotes"),
        ("a: 1\n  b: 2\n", "syntax", 2, 4, "line up", "indentation"),
        ("a:\n    b: 1\n  c: 2\n", "syntax", 3, 3, "line up", "indentation"),
        ("a: 'x\nb: 1\n", "syntax", 1, 4, "no closing '", "Close it"),
        ('a: "x\n', "syntax", 1, 4, 'no closing "', "Close it"),
        ('a: "\\q"\n', "syntax", 1, 5, "\\q has no meaning", "single quotes"),
        ("a: [1, 2\nb: 3\n", "syntax", 2, 2, "the list that begins in line 1", "]"),
        ("a: {x: 1\n", "syntax", 2, 1, "the group that begins in line 1", "}"),
        ("a: [x]]\n", "syntax", 1, 7, "one ] too many", "quotes"),
        ('a: "b" "c"\n', "syntax", 1, 8, "value ends before", "quotes"),
        ("a: @b\n", "syntax", 1, 4, "cannot begin with @", "quotes"),
        ("a: `b`\n", "syntax", 1, 4, "cannot begin with `", "quotes"),
        ("a: - b\n", "syntax", 1, 4, "list cannot begin here", "own line"),
        ("a: 1\nb\nc: 2\n", "syntax", 2, 1, "no colon", "key: value"),
        ("a:\u00a020 ms\nb: 1\n", "syntax", 1, 3, "non-breaking space", "copied"),
        ("%YAML 1.1\n---\na: 1\n", "syntax", 1, 1, "directive", "Delete"),
        ("a: 1\nb: \x00\n", "syntax", 2, 4, "U+0000", "Delete"),
        ("a: \x1b[31m\n", "syntax", 1, 4, "U+001B", "Delete"),
        ("a: 1\r\nb: x\u2028\n", "syntax", 2, 5, "U+2028", "Delete"),
        ("a: \u202e\n", "syntax", 1, 4, "U+202E", "Delete"),
        (b"a: 1\nb: 20 \xb5m\n", "syntax", 2, 7, "0xb5 is not UTF-8", "UTF-8"),
        ("a: 1\n".encode("utf-16"), "syntax", 1, 1, "UTF-16", "UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "syntax", 1, 1, "0x89", "UTF-8"),
        (b"\x7fELF\x02\x01", "syntax", 1, 1, "U+007F", "not a text file"),
    ],
)  # fmt: skip
def test_a_fault_has_kind_place_and_next_step(text, kind, line, column, said, hint):
    (problem, *others) = problems(text)
    assert problem.kind == kind
    assert problem.mark is not None
    assert problem.mark.file == "f.yaml"
    assert problem.mark.line == line
    assert problem.mark.column == column
    assert said in problem.message
    assert hint in problem.hint
    assert not others


def test_all_faults_that_leave_the_structure_are_reported_at_once():
    found = problems("a: 1\na: 2\nb: !x 1\nc: *d\n<<: {}\ne: [1\n")
    assert [(p.kind, p.mark.line) for p in found] == [
        ("key", 2), ("syntax", 3), ("name", 4), ("key", 5), ("syntax", 7)
    ]  # fmt: skip


def test_an_alias_stands_for_its_value_at_its_own_place():
    (tree,) = parse("a: &x {k: [1, 2]}\nb: *x\nc: &y text\nd: *y\n", "f")
    assert tree.data["b"] == {"k": [1, 2]}
    assert tree.data["b"] is not tree.data["a"]
    assert tree.mark(("b",)) == Mark("f", 2, 4)
    assert tree.mark(("b", "k", 1)) == tree.mark(("a", "k", 1))
    assert tree.data["d"] == "text"
    assert tree.lines["d",] == (Mark("f", 3, 7),)


def test_an_anchor_may_be_reused_inside_itself_once_closed():
    (tree,) = parse("a: &x\n  b: &x [1]\n  c: *x\n")
    assert tree.data == {"a": {"b": [1], "c": [1]}}


# ---------------------------------------------------------------------------------------------- limits

BOMBS = {
    "brackets": "[" * 50_000,
    "10 MB of brackets": "[" * M,
    "braces": "{" * M,
    "brackets in lines": "{\n" * (M // 2),
    "dashes": "- " * (M // 2),
    "questions": "? " * (M // 2),
    "indentation": "\n".join(" " * k + "a:" for k in range(4000)),
    "many values": "a: [" + "[]," * (M // 3 - 3) + "]",
    "many groups": "a: [" + '{"a":1},' * (M // 8 - 5) + "]",
    "many documents": "---\n" * (M // 4),
    "documents with content": "a: 1\n---\n" * (M // 10),
    "long block": "a: |\n" + " b\n" * (M // 3 - 5),
    "long folded block": "a: >\n" + " b\n\n" * (M // 4 - 5),
    "escaped lines": 'a: "' + "\\n" * (M // 2 - 5) + '"',
    "laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "\n".join(f"{chr(98 + k)}: &{chr(98 + k)} [{','.join(['*' + chr(97 + k)] * 9)}]" for k in range(9)),
    "chain of aliases": "a0: &a0 [x]\n" + "\n".join(f"a{k + 1}: &a{k + 1} [*a{k}]" for k in range(900)),
    "many aliases": "a: &a x\nb: [" + "*a, " * 1001 + "]",
    "too large": " " * (M + 1),
    "too large bytes": b" " * (M + 1),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_at_once(name: str):
    before = time.process_time()
    (problem,) = problems(BOMBS[name])
    assert time.process_time() - before < 60  # no hang
    assert problem.kind == "limit"
    assert problem.mark is not None
    assert problem.hint


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tags", "%TAG !a! x\n" * (M // 11)),
        ("text", "a\n" * (M // 2)),
        ("comments", "#\n" * (M // 2)),
        ("tabs", "\t" * M),
        ("quote", 'a: "' + "\n" * (M - 10)),
        ("duplicates", "a: 1\n" * (M // 5)),
        ("zeros", "\0" * M),
        ("bytes", b"\xff" * M),
        ("alias", "a: *" + "x" * (M - 10)),
        ("tag", "a: !" + "x" * (M - 10)),
        ("commas", "a: [" + "," * (M - 10)),
        ("long key", "x" * (M - 10) + ": 1"),
        ("anchors", "\n".join(f"a{k}: &a{k} x" for k in range(100_000)) + "\nb: *zz"),
    ],
)
def test_a_large_broken_file_ends_fast(name: str, text: str | bytes):
    before = time.process_time()
    found = problems(text)
    assert time.process_time() - before < 60  # no hang
    assert len(found) <= reader.MAX_PROBLEMS
    assert all(len(str(problem)) < 600 for problem in found)


def test_limits_are_where_they_are_said_to_be():
    assert parse("a: " + "[" * 62 + "1" + "]" * 62)
    assert problems("a: " + "[" * 63 + "1" + "]" * 63)[0].mark == Mark("f.yaml", 1, 67)
    assert parse("a: &a x\nb: [" + "*a, " * 1000 + "]")
    assert parse("a: [" + "x," * 199_000 + "]")
    assert problems("a: [" + "x," * 200_000 + "]")[0].kind == "limit"


def test_aliases_do_not_hide_depth():
    chain = "a0: &a0 [x]\n" + "\n".join(f"a{k + 1}: &a{k + 1} [*a{k}]" for k in range(100))
    (problem,) = problems(chain)
    assert problem.kind == "limit"
    assert "64 deep" in problem.message
    assert problem.mark.line == 63  # the file itself, the list and its item count too


def test_the_scanner_in_python_gives_the_same(monkeypatch: pytest.MonkeyPatch):
    text = "a: &x 'b\n\n  c'\nd: |  # why\n  e\n\n  f\ng: [1, {h: *x}]\n"
    fast = parse(text)[0]
    monkeypatch.setattr(reader, "LOADER", yaml.SafeLoader)
    slow = parse(text)[0]
    assert (fast.data, fast.marks, fast.keys, fast.lines) == (slow.data, slow.marks, slow.keys, slow.lines)
    for wrong in ("a: [" * 200, "a:\n\tb: 1", "a: 'x", "a: b: c", "a: 1\na: 2"):
        assert problems(wrong)[0].hint


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("ab:-[]{},&*!|>'\"#%@`?<\\ \n\t\r0.~")), max_size=60))
def test_any_text_gives_trees_or_our_error(text: str):
    try:
        trees = parse(text)
    except FileError as error:
        for problem in error.problems:
            assert problem.mark is not None
            assert problem.mark.line >= 1
            assert problem.hint
    else:
        for tree in trees:
            for path, marks in tree.lines.items():
                value = tree.get(path)
                lines = value.removesuffix("\n").count("\n") + 1 if isinstance(value, str) else 1
                assert len(marks) == max(1, lines), (text, path)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_trees_or_our_error(content: bytes):
    try:
        parse(content)
    except FileError as error:
        assert error.problems


_TEXTS = st.text(alphabet="abc =+-*/()#:\n", min_size=1, max_size=40)


@settings(max_examples=200, deadline=None)
@given(_TEXTS, st.integers(1, 6))
def test_block_lines_point_at_their_text(text: str, indent: int):
    text = "x" + text.replace("\r", "") + "\n"
    file = f"a: |{indent}\n" + "".join(" " * indent + line + "\n" if line else "\n" for line in text.split("\n")[:-1])
    (tree,) = parse(file)
    value = tree.data["a"]
    for line, mark in zip(value.split("\n"), tree.lines["a",], strict=False):
        assert at(file, mark) == line


# ---------------------------------------------------------------------------------------------- identify


@pytest.mark.parametrize(
    ("text", "kind", "line", "column", "said", "hint"),
    [
        ("neurone: lif", "key", 1, 1, "the first key is neurone", "Did you mean neuron?"),
        ("xyz: lif", "key", 1, 1, "neuron, synapse, plasticity, region, experiment", "neuron: my_cell"),
        ("about: x\nneuron: lif", "key", 1, 1, "here it is about", "Move the line neuron: lif"),
        ("neuron:", "name", 1, 8, "got nothing", "neuron: my_neuron"),
        ("neuron: 3", "name", 1, 9, "got 3", "neuron: my_neuron"),
        ("neuron: [a]", "name", 1, 9, "got a block", "neuron: my_neuron"),
        ("neuron: two words", "name", 1, 9, "'two words'", "neuron: my_neuron"),
        ("neuron: ../../etc", "name", 1, 9, "one word", "neuron: my_neuron"),
        ("{}", "syntax", 1, 1, "nothing here", "neuron: my_cell"),
    ],
)
def test_identify_wants_kind_and_name_first(text, kind, line, column, said, hint):
    with pytest.raises(FileError) as caught:
        identify(parse(text, "f")[0])
    (problem,) = caught.value.problems
    assert problem.kind == kind
    assert (problem.mark.line, problem.mark.column) == (line, column)
    assert said in problem.message
    assert hint in problem.hint
