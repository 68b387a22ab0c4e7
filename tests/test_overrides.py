"""Values by dotted path: who wins, where it came from, what leads nowhere."""

from __future__ import annotations

from brainsim import source
from brainsim.errors import Mark, Problems
from brainsim.overrides import COMMAND_LINE, Given, Overrides, given, paths, put

EXPERIMENT = """\
experiment: e
set:
  a.b: 2 ms
  a.neuron.E_L: -60 mV
"""


def overrides(**command_line) -> tuple[Overrides, Problems]:
    problems = Problems()
    tree = source.parse(EXPERIMENT, "e.yaml")[0]
    return Overrides(tree, {key.replace("__", "."): value for key, value in command_line.items()}, problems), problems


def test_the_command_line_wins_over_set_and_set_over_files():
    found, _ = overrides(a__b="3 ms")
    file = Given("1 ms", Mark("r.yaml", 4, 1))
    assert found.settle("a.b", None, file).value == "3 ms"
    assert [(g.text, g.origin) for g in found.history["a.b"]] == [
        ("1 ms", "r.yaml:4"),
        ("2 ms", "e.yaml:3"),
        ("3 ms", COMMAND_LINE),
    ]
    assert found.settle("a.neuron.E_L", file).value == "-60 mV"
    assert found.settle("a.other", file) is file
    assert found.settle("a.none") is None
    assert found.changed == {"a.b", "a.neuron.E_L"}


def test_command_line_values_are_yaml_scalars():
    found, problems = overrides(n="010", x="1e-3", flag="true", text="no", number=7, listed="[1, 2]")
    values = [found.settle(name).value for name in ("n", "x", "flag", "text", "number")]
    assert values == [10, 1e-3, True, "no", 7]
    assert type(values[2]) is bool
    assert not problems.found


def test_empty_and_nested_command_line_values_are_refused():
    _, problems = overrides(n="", m=[1, 2])
    assert [p.kind for p in problems.found] == ["value", "value"]
    assert all(p.mark == Mark(COMMAND_LINE, 1, 1) and "--set" in p.hint for p in problems.found)


def test_unused_paths_name_the_nearest():
    found, problems = overrides(c__plasticty__eta="1")
    for path in ("a.b", "a.neuron.E_L", "c.plasticity.eta"):
        found.settle(path)
    found.check_all_used(problems)
    [problem] = problems.found
    assert problem.kind == "path"
    assert "c.plasticty.eta" in problem.message
    assert "c.plasticity.eta" in problem.hint
    assert problem.mark.file == COMMAND_LINE


def test_unused_paths_of_set_point_at_the_key():
    found, problems = overrides()
    found.settle("a.neuron.E_K")
    found.settle("a.b")
    found.check_all_used(problems)
    [problem] = problems.found
    assert str(problem.mark) == "e.yaml:4:3"
    assert problem.hint == "Did you mean a.neuron.E_K?"


def test_the_word_parameters_is_taken_out():
    found, problems = overrides(a__neuron__parameters__E_L="1")
    for path in ("a.b", "a.neuron.E_L"):
        found.settle(path)
    found.check_all_used(problems)
    assert "Write a.neuron.E_L" in problems.found[0].hint


def test_nothing_is_reported_below_a_part_that_could_not_be_read():
    found, problems = overrides()
    found.settle("a.b")
    found.block("a.neuron")
    found.check_all_used(problems)
    assert not problems.found


def test_names_below_a_path():
    found, _ = overrides(p__initial__w="1", p__initial__w__x="1", p__initials="2")
    assert found.names("p.initial") == ["w"]


def test_put_keeps_places():
    tree = source.parse("a: {b: 1, c: [1, 2]}\nd: 3\n", "t.yaml")[0]
    mark = Mark("other.yaml", 9, 9)
    new = put(tree, {("a", "b"): Given(5, mark), ("a", "c", 1): Given(6, mark), ("x", "y"): Given(7)})
    assert new.data == {"a": {"b": 5, "c": [1, 6]}, "d": 3, "x": {"y": 7}}
    assert tree.data == {"a": {"b": 1, "c": [1, 2]}, "d": 3}
    assert new.mark(("a", "b")) == mark
    assert new.mark(("a", "c", 0)) == tree.mark(("a", "c", 0))
    assert given(new, "d") == given(tree, "d")
    assert given(new, "nothing") is None


def test_paths_are_those_that_were_settled():
    class Anything:
        history = {"b": (), "a": ()}

    assert paths(Anything()) == ["b", "a"]
