"""What the documents show is what happens: their YAML, their commands and their Python are run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import brainsim

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
#: Commands that are checked without being run here: installing, and jobs of more than a few seconds.
ELSEWHERE = ("make", "pip", "git", "cd")
LONG = "digits_vdsp"


def blocks(text: str, language: str) -> list[str]:
    """Contents of the fenced blocks of one language."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


def commands(text: str) -> list[tuple[str, str]]:
    """(command, the output shown below it) of every console block, in order."""
    found: list[tuple[str, str]] = []
    for block in blocks(text, "console"):
        for piece in re.split(r"(?m)^\$ ", block)[1:]:
            command, _, output = piece.partition("\n")
            found.append((command.split("  #")[0].strip(), output.strip("\n")))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the experiment of the README."""
    (tmp_path / "gamma.yaml").write_text(blocks(README, "yaml")[0])
    return tmp_path


def test_the_first_example_has_twelve_lines_and_runs(folder: Path):
    assert len(blocks(README, "yaml")[0].splitlines()) == 12
    results = brainsim.run(folder / "gamma.yaml", backend="numpy", out=folder / "out")
    rates = {path: one["rate_hz"] for path, one in results.summary["populations"].items()}
    assert 1 < rates["exc"] < 60 and 1 < rates["inh"] < 100, rates


def test_the_error_that_is_shown_is_the_error(folder: Path, brainsim_command):
    """The README says which word it changed; the message has to be the same to the letter."""
    change = re.search(r"`([^`]+)` instead of `([^`]+)`", README)
    assert change, "the README does not say what is wrong in its broken example"
    text = blocks(README, "yaml")[0]
    assert text.count(change[2]) == 1
    (folder / "gamma.yaml").write_text(text.replace(change[2], change[1]))
    done = brainsim_command("check", "gamma.yaml")
    assert done.returncode == 2
    shown = next(output for command, output in commands(README) if "error[" in output)
    assert done.stderr.strip() == shown


def test_commands_of_the_readme_run(folder: Path, brainsim_command):
    ran = 0
    for command, output in commands(README):
        words = shlex.split(command)
        if words[0] in ELSEWHERE or LONG in words or "error[" in output:
            continue
        assert words[0] == "brainsim", command
        done = brainsim_command(*words[1:])
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        missing = [line for line in output.splitlines() if line.strip() not in ("", "...") and line not in done.stdout]
        assert not missing, f"{command} no longer prints {missing}"
        ran += 1
    assert ran >= 3


@pytest.mark.parametrize("text", [README, ARCHITECTURE], ids=["README", "architecture"])
def test_make_targets_exist(text: str):
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    named = set(re.findall(r"(?:`|^\$ )make ([a-z-]+)", text, re.M))
    assert named <= targets
    assert {"demo", "test"} <= targets


def test_the_two_commands_are_in_the_first_screen():
    first = README.split("\n## ")[0]
    assert "make demo" in first and "make test" in first and "error[" in first and "docs/images/" in first


@pytest.mark.parametrize(
    "document",
    sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]),
    ids=lambda p: p.name,
)
def test_links_lead_somewhere(document: Path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        if not re.match(r"https?://|mailto:", target):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_python_of_the_readme_runs(folder: Path):
    code = "\n".join(blocks(README, "python"))
    assert code
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["neuron", "plasticity", "region"])
def test_a_part_added_as_described_works(kind: str, tmp_path: Path):
    """One YAML file and one test, as docs/architecture.md shows: the file is accepted and the test passes."""
    section = next(
        part
        for part in re.split(r"(?m)^### ", ARCHITECTURE)
        if part.lower().startswith(f"a {'rule' if kind == 'plasticity' else kind}")
    )
    (part,), (test,) = blocks(section, "yaml"), blocks(section, "python")
    name = re.match(rf"{kind}: (\w+)", part)[1]
    (tmp_path / f"{name}.yaml").write_text(part)
    brainsim.check(tmp_path / f"{name}.yaml")
    (tmp_path / "test_it.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_modules_in_the_architecture_are_those_of_the_engine():
    shown = re.findall(r"(?m)^\| `(\w+)", ARCHITECTURE.split("## Modules")[1].split("\n## ")[0])
    from test_imports import LAST, ORDER, files, module_of

    assert set(shown) == {module_of(path) for path in files()} - LAST
    assert shown == [name for name in ORDER if name in shown], "the table is not in the order of imports"


def test_no_line_names_a_place_of_one_machine():
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "Makefile", ROOT / "setup.cfg"):
        assert not re.search(r"(?<![\w.])/(work|root|home)/\w", path.read_text(encoding="utf-8")), path
