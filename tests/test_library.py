"""Finding parts, merging them with their parents, and the place of every merged value."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from brainsim import library as shelf
from brainsim.errors import FileError, Mark, Problem
from brainsim.inherit import merge
from brainsim.library import Library, first_line, shipped_folder
from brainsim.source import KINDS, Tree, parse, read

PARENT = """\
plasticity: stdp
about: Pairs.
cite: [Song 2000]
parameters:
  tau_x: 20 ms        # life of x
  A_plus: 1
equations: |
  w : 1
  # the trace
  dx/dt = -x/tau_x : 1 (event-driven)
  z = w +
      x : 1
on_pre: x += A_plus
post:
  equations: |
    a : 1
    b : 1
  initial: {a: 1}
"""
CHILD = """\
plasticity: r_stdp
extends: stdp
cite: [Izhikevich 2007, Song 2000]
parameters:
  A_plus: 2
  tau_c: 1 s
equations: |
  x : 1
  dc/dt = -c/tau_c : 1
on_pre: {spike: c += 1}
post:
  equations: |
    b : second
    d : 1
"""


def one(text: str, file: str) -> Tree:
    return parse(text, file)[0]


def failure(call, *arguments) -> Problem:
    with pytest.raises(FileError) as caught:
        call(*arguments)
    (problem,) = caught.value.problems
    return problem


def write(folder: Path, **files: str) -> Library:
    for name, text in files.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Library([folder])


# ---------------------------------------------------------------------------------------------- merge


def test_merge_goes_key_by_key_and_variable_by_variable():
    made = merge(one(PARENT, "p"), one(CHILD, "c"))
    assert made.data == {
        "plasticity": "r_stdp",
        "about": "Pairs.",
        "cite": ["Izhikevich 2007", "Song 2000"],
        "parameters": {"tau_x": "20 ms", "A_plus": 2, "tau_c": "1 s"},
        "equations": "w : 1\nx : 1\nz = w +\n    x : 1\ndc/dt = -c/tau_c : 1\n",
        "on_pre": {"spike": "c += 1"},
        "post": {"equations": "a : 1\nb : second\nd : 1\n", "initial": {"a": 1}},
        "extends": "stdp",
    }
    assert next(iter(made.data)) == "plasticity"
    assert made.file == "c"


def test_every_merged_value_keeps_its_place():
    made = merge(one(PARENT, "p"), one(CHILD, "c"))
    assert made.mark(("parameters", "tau_x")) == Mark("p", 5, 10)
    assert made.key_mark(("parameters", "tau_x")) == Mark("p", 5, 3)
    assert made.mark(("parameters", "A_plus")) == Mark("c", 5, 11)
    assert made.mark(("cite", 1)) == Mark("c", 3, 25)
    assert made.mark(("post", "initial", "a")) == Mark("p", 18, 16)
    assert made.key_mark(("parameters",)) == Mark("c", 4, 1)
    assert made.lines["equations",] == (
        Mark("p", 8, 3), Mark("c", 8, 3), Mark("p", 11, 3), Mark("p", 12, 3), Mark("c", 9, 3)
    )  # fmt: skip
    assert made.lines["post", "equations"] == (Mark("p", 16, 5), Mark("c", 13, 5), Mark("c", 14, 5))
    assert made.lines["on_pre", "spike"] == (Mark("c", 10, 17),)
    below = {path for path in made.marks if path[:1] == ("on_pre",)}
    assert below == {("on_pre",), ("on_pre", "spike")}  # nothing of what was replaced


def equations(parent: str, child: str) -> str:
    return merge(one(f"neuron: a\n{parent}", "p"), one(f"neuron: b\n{child}", "c")).data["equations"]


@pytest.mark.parametrize(
    ("parent", "child", "merged"),
    [
        ("v : 1", "'dv/dt = 1/ms : 1'", "dv/dt = 1/ms : 1\n"),
        ("'dv/dt = 1/ms : 1'", "v : 1", "v : 1\n"),
        ("|\n  dvv/dt = 1/ms : 1\n  v : 1", "v : volt", "dvv/dt = 1/ms : 1\nv : volt\n"),
        ("'d v /dt = 1 : 1'", "w : 1", "d v /dt = 1 : 1\nw : 1\n"),
        ("|\n  x = a == b : boolean", "y : 1", "x = a == b : boolean\ny : 1\n"),
        ("|\n  x = a +\n  b : 1\n  c : 1", "b : volt", "x = a +\n  b : 1\nc : 1\nb : volt\n".replace("  b", "b")),
        ("|\n  x = a # no: unit\n    + b : 1", "x : 1", "x : 1\n"),
        ("|\n  # of x\n  x : 1\n  # of y\n  y : 1", "x : volt", "x : volt\n# of y\ny : 1\n"),
        ("|\n  x : 1\n  x : volt", "y : 1", "x : 1\nx : volt\ny : 1\n"),  # a fault for the reader of equations
        ("x : 1", "|\n  x : 1\n  x : volt", "x : 1\nx : volt\n"),
        ("x : 1", "''", "x : 1\n\n"),
        ("|\n  ) nonsense\n  x : 1", "x : volt", ") nonsense\nx : volt\n"),
    ],
)
def test_equations_are_split_by_variable(parent: str, child: str, merged: str):
    parent, child = (
        f"equations: '{part}'" if ":" in part and part[0] not in "|'" else f"equations: {part}"
        for part in (parent, child)
    )
    assert equations(parent, child) == merged


REGION = """\
region: base
populations:
  e: {neuron: {name: lif, parameters: {E_L: -70 mV, V_th: -50 mV}}, size: 10, layout: {line: 1 mm}}
  i: {neuron: lif, size: 5}
projections:
  p: {from: e, to: i, synapse: ampa, connect: {p: 0.1}, initial: {w: 1}}
"""


@pytest.mark.parametrize(
    ("child", "path", "value"),
    [
        ("projections: {p: {connect: {in_degree: 5}}}", ("projections", "p", "connect"), {"in_degree": 5}),
        ("populations: {e: {layout: {ring: 1 mm}}}", ("populations", "e", "layout"), {"ring": "1 mm"}),
        ("populations: {e: {size: 3}}", ("populations", "e", "size"), 3),
        ("projections: {p: {initial: {g: 2}}}", ("projections", "p", "initial"), {"w": 1, "g": 2}),
        ("populations: {e: {neuron: adex}}", ("populations", "e", "neuron"), "adex"),
        ("populations: {e: {neuron: {name: adex}}}", ("populations", "e", "neuron"), {"name": "adex"}),
        (
            "populations: {e: {neuron: {name: lif, parameters: {E_L: -80 mV}}}}",
            ("populations", "e", "neuron"),
            {"name": "lif", "parameters": {"E_L": "-80 mV", "V_th": "-50 mV"}},
        ),
        (
            "populations: {i: {neuron: {parameters: {E_L: -80 mV}}}}",
            ("populations", "i", "neuron"),
            {"name": "lif", "parameters": {"E_L": "-80 mV"}},
        ),
        (
            "populations: {e: {neuron: {neuron: own, reset: v = 0}}}",
            ("populations", "e", "neuron"),
            {"neuron": "own", "reset": "v = 0"},
        ),
    ],
)
def test_merging_regions(child: str, path: tuple, value: object):
    assert merge(one(REGION, "p"), one(f"region: child\n{child}", "c")).get(path) == value


# ---------------------------------------------------------------------------------------------- extends


def test_an_error_in_an_inherited_equation_points_at_the_parents_file(tmp_path: Path):
    library = write(tmp_path, stdp=PARENT, r_stdp=CHILD)
    made = library.part("plasticity", "r_stdp")
    assert made.lines["equations",][0] == Mark(str(tmp_path / "stdp.yaml"), 8, 3)
    assert library.part("plasticity", "r_stdp") is made
    assert [tree.data["plasticity"] for tree in library.lineage("plasticity", made)] == ["stdp", "r_stdp"]
    assert library.citations(made) == ("Izhikevich 2007", "Song 2000")
    assert {file.path.name for file in library.files} == {"stdp.yaml", "r_stdp.yaml"}
    for file in library.files:
        assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()
        assert file.text == file.path.read_text()


def test_a_wrong_value_of_the_parent_is_reported_there(tmp_path: Path):
    library = write(tmp_path, a="neuron: a\nzzz: 1\n", b="neuron: b\nextends: a\n")
    problem = failure(library.part, "neuron", "b")
    assert problem.mark == Mark(str(tmp_path / "a.yaml"), 2, 1)


def test_parents_in_a_circle(tmp_path: Path):
    library = write(tmp_path, a="neuron: a\nextends: b\n", b="neuron: b\nextends: c\n", c="neuron: c\nextends: a\n")
    problem = failure(library.part, "neuron", "a")
    assert problem.kind == "cycle"
    assert problem.mark == Mark(str(tmp_path / "c.yaml"), 2, 10)
    assert "a -> b -> c -> a" in problem.message
    assert "Take extends out" in problem.hint
    assert failure(library.part, "neuron", "b").kind == "cycle"  # and again: nothing is left half done
    problem = failure(write(tmp_path, s="neuron: s\nextends: s\n").part, "neuron", "s")
    assert problem.kind == "cycle"
    assert "another name" in problem.hint


def test_a_row_of_parents_has_an_end(tmp_path: Path):
    files = {f"n{k}": f"neuron: n{k}\n" + (f"extends: n{k - 1}\n" if k else "") for k in range(60)}
    library = write(tmp_path, **files)
    assert library.part("neuron", "n31")
    assert failure(Library([tmp_path]).part, "neuron", "n59").kind == "limit"


def test_an_unknown_parent_is_reported_where_it_is_named(tmp_path: Path):
    problem = failure(write(tmp_path, a="neuron: a\nextends: liff\n").part, "neuron", "a")
    assert problem.kind == "part"
    assert problem.mark == Mark(str(tmp_path / "a.yaml"), 2, 10)
    assert "Did you mean lif?" in problem.hint


# ---------------------------------------------------------------------------------------------- finding


def test_an_unknown_part_names_the_nearest_and_the_list():
    library = Library()
    problem = failure(library.part, "neuron", "lfi", Mark("f", 3, 4))
    assert problem.kind == "part"
    assert problem.mark == Mark("f", 3, 4)
    assert "no neuron called lfi" in problem.message
    assert "Did you mean lif?" in problem.hint
    assert "brainsim list neuron" in problem.hint
    assert "ampa is the name of a synapse" in failure(library.part, "plasticity", "ampa").hint
    assert len(str(failure(library.part, "neuron", "x" * 10_000))) < 400


def test_documents_come_before_folders_and_folders_before_the_shipped_library(tmp_path: Path):
    text = "neuron: lif\nabout: mine\n"
    library = write(tmp_path, lif=text)
    assert library.part("neuron", "lif").data["about"] == "mine"
    (note,) = library.notes
    assert "takes the place of the neuron lif that ships" in note
    library.part("neuron", "lif")
    assert len(library.notes) == 1
    document = one("neuron: lif\nabout: beside\n", "run.yaml")
    library = Library([tmp_path], [document])
    assert library.part("neuron", "lif").data["about"] == "beside"
    assert library.path("neuron", "lif") is None
    assert Library([tmp_path]).path("neuron", "lif") == tmp_path / "lif.yaml"
    first, second = tmp_path / "first", tmp_path / "second"
    write(first, lif="neuron: lif\nabout: first\n"), write(second, lif="neuron: lif\nabout: second\n")
    assert Library([second, first]).part("neuron", "lif").data["about"] == "second"


def test_the_shipped_library_as_a_folder_shadows_nothing():
    library = Library([shipped_folder() / "models"])
    library.part("neuron", "lif")
    assert not library.notes


def test_a_broken_file_disturbs_nobody_who_does_not_use_it(tmp_path: Path):
    library = write(
        tmp_path, good="neuron: good\n", broken="neuron: broken\nequations: [\n", other="just text\n", empty="",
        tabs="\tneuron: tabs\n", bomb="[" * 50_000,
    )  # fmt: skip
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\0neuron: x")
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere.yaml")
    assert library.part("neuron", "good")
    assert Library([tmp_path]).part("neuron", "good")
    problem = failure(library.part, "neuron", "broken")
    assert problem.kind == "syntax"
    assert problem.mark.file == str(tmp_path / "broken.yaml")
    names = {name: about for name, about, _ in library.names("neuron")}
    assert names["good"] == ""
    assert "broken:" in names["broken"]
    assert "lif" in names


def test_names_are_sorted_and_say_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    library = write(tmp_path / "mine", mine="neuron: mine\nabout: My cell.\n")
    rows = library.names("neuron")
    assert rows == sorted(rows)
    assert ("mine", "My cell.", "mine/mine.yaml") in rows
    assert next(row for row in rows if row[0] == "lif")[2] == "models/neurons/lif.yaml"


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"neuron: lif\n", ("neuron", "lif")),
        (b"\xef\xbb\xbf# why\n\n---\nregion: r # c\n", ("region", "r")),
        (b"synapse : 'x'\r\n", ("synapse", "x")),
        (b"neurons: lif\n", None),
        (b"about: x\nneuron: lif\n", None),
        (b"", None),
        (b"\0\0\0", None),
    ],
)
def test_first_line(tmp_path: Path, content: bytes, key: tuple | None):
    (tmp_path / "a.yaml").write_bytes(content)
    assert first_line(tmp_path / "a.yaml") == key


def test_a_file_named_otherwise_says_so(tmp_path: Path):
    (tmp_path / "other.yaml").write_text("neuron: mine\n")
    problem = failure(Library([tmp_path]).part, "neuron", "mine")
    assert problem.kind == "name"
    assert "Rename the file to mine.yaml" in problem.hint


def test_a_file_may_bring_its_own_parts(tmp_path: Path):
    (tmp_path / "r.yaml").write_text("region: r\npopulations: {e: {neuron: cell, size: 1}}\n---\nneuron: cell\n")
    library = Library([tmp_path])
    library.part("region", "r")
    assert library.part("neuron", "cell").file.endswith("r.yaml")
    documents = parse("neuron: a\n---\nneuron: a\n", "f")
    problem = failure(Library, (), documents)
    assert (problem.kind, problem.mark) == ("name", Mark("f", 3, 9))


def test_run_folders_and_hidden_folders_are_not_searched(tmp_path: Path):
    write(tmp_path / "runs" / "a-1", model="experiment: digits_vdsp\n", script="")
    (tmp_path / "runs" / "a-1" / "provenance.json").write_text("{}")
    write(tmp_path / ".hidden", lif="neuron: lif\n")
    library = Library([tmp_path])
    assert library.path("experiment", "digits_vdsp").is_relative_to(shipped_folder())
    assert library.path("neuron", "lif").is_relative_to(shipped_folder())


def test_the_search_of_a_folder_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shelf, "MAX_FOLDERS", 3)
    for k in range(6):
        (tmp_path / f"f{k}").mkdir()
    assert "too many files" in Library([tmp_path]).notes[0]


def test_a_folder_that_is_not_there(tmp_path: Path):
    assert failure(Library, [tmp_path / "no"]).kind == "path"


# ---------------------------------------------------------------------------------------------- use


def use(kind: str, text: str) -> Tree:
    return Library().use(kind, one(f"region: r\npart: {text}\n", "f").at(("part",)))


def test_a_part_is_used_by_name_with_parameters_or_in_place():
    assert use("neuron", "lif").data == Library().part("neuron", "lif").data
    made = use("neuron", "{name: lif, parameters: {E_L: -82 mV}}")
    assert made.data["parameters"]["E_L"] == "-82 mV"
    assert made.mark(("parameters", "E_L")) == Mark("f", 2, 37)
    assert made.file == "models/neurons/lif.yaml"
    assert made.mark(("parameters", "C_m")).file == "models/neurons/lif.yaml"
    made = use("neuron", "{neuron: own, extends: lif, parameters: {E_L: -60 mV}}")
    assert made.data["neuron"] == "own"
    assert made.data["threshold"] == Library().part("neuron", "lif").data["threshold"]


@pytest.mark.parametrize(
    ("text", "kind", "column", "hint"),
    [
        ("{name: lif, parameters: {E_l: -82 mV}}", "name", 32, "Did you mean E_L?"),
        ("{name: lfi}", "part", 14, "Did you mean lif?"),
        ("lfi", "part", 7, "Did you mean lif?"),
        ("[lif]", "value", 7, "brainsim list neuron"),
        ("{parameters: {}}", "value", 7, "brainsim list neuron"),
        ("{neuron: own, resett: x}", "key", 21, "Did you mean reset?"),
    ],
)
def test_a_wrong_use(text: str, kind: str, column: int, hint: str):
    problem = failure(use, "neuron", text)
    assert problem.kind == kind
    assert problem.mark == Mark("f", 2, column)
    assert hint in problem.hint


# ---------------------------------------------------------------------------------------------- shipped


def shipped() -> list[tuple[str, str]]:
    library = Library()
    return [(kind, name) for kind in KINDS for name, _, _ in library.names(kind)]


@pytest.mark.parametrize(("kind", "name"), shipped())
def test_every_shipped_part_loads(kind: str, name: str):
    library = Library()
    made = library.part(kind, name)
    assert made.data[kind] == name
    assert not library.notes
    assert (shipped_folder() / read(library.path(kind, name), "x")[0].file).name == "x"


def test_the_shipped_folder_is_inside_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shelf, "HERE", tmp_path / "brainsim")
    (tmp_path / "brainsim").mkdir()
    assert shipped_folder() == tmp_path
    (tmp_path / "brainsim" / "data").mkdir()
    assert shipped_folder() == tmp_path / "brainsim" / "data"
