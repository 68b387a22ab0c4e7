"""Provenance tells runs apart, runs nothing from the model's folder and names no private path."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import brainsim
from brainsim import provenance
from brainsim.compose.plan import Connection, Group, Initial, Phase, Plan, Slice, Wiring
from brainsim.provenance import checkout

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]


def plan(seed: int = 7) -> Plan:
    group = Group("a", "a", 3, (), initial=(Initial("v", "rand()", (0,) * 7, "a.v"),))
    end = Slice("a", 0, 3)
    connection = Connection("p", "p", end, end, Wiring("all", "p.connect"))
    stages = (Phase("train", data="train", passes=2, shuffle=True, count=3), Phase("test", data="test", count=1))
    return Plan("demo", "", seed, 1e-4, (group,), (connection,), (), stages)


def collected(experiment: Path | None = None, **changes) -> dict:
    given = {
        "experiment": experiment,
        "files": [],
        "data": None,
        "overrides": {},
        "backend": {"name": "numpy", "reason": "small"},
        "times": {"start": "then"},
    }
    return provenance.collect(plan(), {"experiment": "demo"}, **{**given, **changes})


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    (root / "model.yaml").write_text("one")
    for command in (["init", "-q"], ["add", "model.yaml"], ["commit", "-qm", "first"]):
        subprocess.run([*GIT, *command], cwd=root, check=True)
    return root


def head(root: Path) -> str:
    return subprocess.run(
        [*GIT, "rev-parse", "HEAD"], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_hash_sees_values_and_not_the_order_of_keys():
    one = provenance.config_hash({"a": 1, "b": {"c": [1, 2], "d": "x"}})
    assert one == provenance.config_hash({"b": {"d": "x", "c": [1, 2]}, "a": 1}) and len(one) == 64
    for other in ({"a": 1, "b": {"c": [2, 1], "d": "x"}}, {"a": "1", "b": {"c": [1, 2], "d": "x"}}):
        assert provenance.config_hash(other) != one


def test_the_seed_tree_names_every_stream():
    tree = provenance.seed_tree(plan())
    assert list(tree["streams"]) == ["a.v", "p.connect", "phases.train.0", "phases.train.1"]
    assert tree["seed"] == 7 and all(words[0] == 7 and len(words) == 9 for words in tree["streams"].values())
    assert provenance.seed_tree(plan(8))["noise"] != tree["noise"]


def test_versions_come_without_imports():
    code = "import sys; from brainsim.provenance import versions; print('brian2' in sys.modules, versions()['brian2'])"
    environment = {**os.environ, "PYTHONPATH": str(Path(brainsim.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    loaded, version = done.stdout.split()
    assert loaded == "False" and version[0].isdigit()
    assert provenance.versions()["brainsim"] == brainsim.__version__


def test_the_machine():
    found = provenance.machine()
    assert found["cpu"] and found["cores"] >= 1 and found["platform"]
    assert found["compiler"] is None or "\n" not in found["compiler"]


def test_a_clean_checkout_and_a_changed_one(repository):
    assert provenance.git(repository) == {"commit": head(repository), "dirty": False}
    (repository / "sub").mkdir()
    assert provenance.git(repository / "sub")["commit"] == head(repository)
    (repository / "model.yaml").write_text("two")
    assert provenance.git(repository) == {"commit": head(repository), "dirty": True}


def test_staged_changes_count(repository):
    (repository / "model.yaml").write_text("two")
    subprocess.run([*GIT, "add", "model.yaml"], cwd=repository, check=True)
    assert provenance.git(repository)["dirty"] is True


def test_packed_branches_and_worktrees(repository):
    subprocess.run([*GIT, "pack-refs", "--all"], cwd=repository, check=True)
    subprocess.run([*GIT, "gc", "-q"], cwd=repository, check=True)
    assert provenance.git(repository) == {"commit": head(repository), "dirty": False}
    other = repository.parent / "other"
    subprocess.run([*GIT, "worktree", "add", "-q", str(other)], cwd=repository, check=True)
    assert provenance.git(other) == {"commit": head(repository), "dirty": False}
    (other / "model.yaml").write_text("changed")
    assert provenance.git(other)["dirty"] is True and provenance.git(repository)["dirty"] is False


def test_no_checkout_at_all(tmp_path):
    assert provenance.git(tmp_path) is None
    (tmp_path / ".git").mkdir()
    assert provenance.git(tmp_path) is None


@pytest.mark.parametrize(
    "content", ["ref: ../../secret", "ref: refs/heads/../../x", "", "nonsense", "ref: refs/heads/none"]
)
def test_a_strange_head_is_no_commit(repository, content):
    (repository / ".git" / "HEAD").write_text(content)
    assert provenance.git(repository) is None


def test_nothing_of_the_repository_is_run(repository):
    trap = repository.parent / "trapped"
    script = repository / "trap.sh"
    script.write_text(f"#!/bin/sh\ntouch {trap}\ncat\n")
    script.chmod(0o755)
    (repository / ".gitattributes").write_text("* filter=trap diff=trap\n")
    subprocess.run([*GIT, "add", ".gitattributes"], cwd=repository, check=True)
    with (repository / ".git" / "config").open("a") as config:
        config.write(
            f'[core]\n\tfsmonitor = {script}\n\thooksPath = {repository}\n[filter "trap"]\n\tclean = {script}\n'
        )
        config.write(f'\tprocess = {script}\n[diff "trap"]\n\tcommand = {script}\n\ttextconv = {script}\n')
    (repository / "model.yaml").write_text("ten")  # as long as before, so that git must look into it
    assert provenance.git(repository)["dirty"] is True
    assert not trap.exists()
    # The trap works: plain git steps into it.
    subprocess.run(["git", "status"], cwd=repository, capture_output=True, check=False)
    assert trap.exists()


def test_git_is_not_needed(repository, monkeypatch):
    monkeypatch.setattr(checkout.shutil, "which", lambda name: None)
    assert provenance.git(repository) == {"commit": head(repository), "dirty": None}


def test_no_private_path_is_told(tmp_path, monkeypatch):
    home = tmp_path / "home" / "ada"
    (home / "lab").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "lab")
    arguments = [f"{home}/bin/brainsim", "run", f"{home}/lab/x.yaml", "--out", f"{home}/secret/o",
                 f"--library={home}/parts", "--set", "a.b=2 ms", "~/y.yaml"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", arguments)
    found = collected(
        home / "lab" / "x.yaml",
        files=[(home / "parts" / "stdp.yaml", "ab" * 32), (home / "lab" / "own.yaml", "cd" * 32)],
        overrides={"note": f"see {home}/notes"},
    )
    text = json.dumps(found)
    assert str(tmp_path) not in text and "ada" not in text
    assert found["command"] == [
        "brainsim",
        "run",
        "x.yaml",
        "--out",
        "o",
        "--library=parts",
        "--set",
        "a.b=2 ms",
        "y.yaml",
    ]
    assert found["file"] == "x.yaml" and found["library"] == {"stdp.yaml": "ab" * 32, "own.yaml": "cd" * 32}


def test_shipped_parts_are_named_by_their_place_in_the_library():
    root = Path(brainsim.__file__).parents[1]
    assert provenance.shown_part(root / "plasticity" / "stdp.yaml") == "plasticity/stdp.yaml"


def test_everything_is_there():
    found = collected()
    assert {"experiment", "file", "command", "set", "versions", "machine", "git", "config_sha256", "seeds", "backend",
            "data", "library", "times"} == set(found)  # fmt: skip
    json.dumps(found, allow_nan=False)
