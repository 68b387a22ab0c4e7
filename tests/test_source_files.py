"""Files that are read: their names, what is no file, and paths that leave the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from brainsim.errors import FileError, Mark, Problem
from brainsim.source import identify, read, within


def path_problem(path: Path) -> Problem:
    with pytest.raises(FileError) as caught:
        read(path)
    (problem,) = caught.value.problems
    return problem


def test_read_names_file_and_nearest_file(tmp_path: Path):
    (tmp_path / "lif.yaml").write_text("neuron: lif\n")
    assert read(tmp_path / "lif.yaml", "shown.yaml")[0].file == "shown.yaml"
    problem = path_problem(tmp_path / "lfi.yaml")
    assert problem.kind == "path"
    assert problem.mark.file == str(tmp_path / "lfi.yaml")
    assert f"Did you mean {tmp_path / 'lif.yaml'}?" in problem.hint
    assert "Check the path" in path_problem(tmp_path / "no" / "such.yaml").hint


def test_what_is_no_file_is_refused(tmp_path: Path):
    assert "is a folder" in path_problem(tmp_path).message
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "not an ordinary file" in path_problem(tmp_path / "pipe.yaml").message
    assert "not an ordinary file" in path_problem(Path("/dev/zero")).message
    assert path_problem(tmp_path / "a\0b.yaml").kind == "path"
    assert path_problem(tmp_path / ("x" * 5000)).kind == "path"
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    assert path_problem(tmp_path / "loop.yaml").kind == "path"


def test_a_large_file_is_not_read_whole(tmp_path: Path):
    with open(tmp_path / "a.yaml", "wb") as file:
        file.truncate(50_000_000_000)
    assert path_problem(tmp_path / "a.yaml").kind == "limit"


def test_a_file_with_one_document_is_named_after_it(tmp_path: Path):
    path = tmp_path / "lif.yaml"
    path.write_text("neuron: lfi\n")
    problem = path_problem(path)
    assert problem.kind == "name"
    assert (problem.mark.line, problem.mark.column) == (1, 9)
    assert "Rename the file to lfi.yaml" in problem.hint
    assert "neuron: lif" in problem.hint
    assert read(path, any_name=True)
    path.write_text("neuron: lfi\n---\nneuron: b\n")
    assert len(read(path)) == 2
    path.write_text("{}\n")
    assert problem_kinds(path) == ["syntax"]


def problem_kinds(path: Path) -> list[str]:
    try:
        identify(read(path)[0])
    except FileError as error:
        return [problem.kind for problem in error.problems]
    return []


@pytest.mark.parametrize(
    "text",
    [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "~/x",
        "C:\\x",
        "a\\b",
        "http://x/y",
        "",
        "  ",
        "a\0b",
        "x" * 2000,
        "link/x",
        "out",
    ],
)
def test_within_refuses_what_leaves_the_folder(tmp_path: Path, text: str):
    root = tmp_path / "project"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    (root / "out").symlink_to("/etc/passwd")
    mark = Mark("f", 3, 4)
    with pytest.raises(FileError) as caught:
        within(root, text, mark)
    (problem,) = caught.value.problems
    assert problem.kind == "path"
    assert problem.mark == mark
    assert "below the folder" in problem.hint


def test_within_resolves_what_stays(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "w.csv").write_text("")
    (tmp_path / "in").symlink_to(tmp_path / "a")
    assert within(tmp_path, "a/w.csv") == (tmp_path / "a" / "w.csv").resolve()
    assert within(tmp_path, "in/w.csv") == (tmp_path / "a" / "w.csv").resolve()
    assert within(tmp_path, "new..name.csv") == tmp_path.resolve() / "new..name.csv"
