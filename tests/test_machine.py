"""``brainsim doctor`` and ``brainsim clean``: what this machine has, and an empty cache."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import brainsim
from brainsim import backends
from brainsim.backends import cache, native
from brainsim.cli import machine
from brainsim.errors import SetupError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A cache with one of each kind of file of ours, and files of others."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = tmp_path / "brainsim" / "native"
    place.mkdir(parents=True)
    for name in (f"{'a' * 32}-{'0' * 32}.so", f"equations-{'b' * 32}.txt", "equations-x1_y.tmp"):
        (place / name).write_bytes(b"x" * 1000)
    for name in ("build-dead_1", "build-now"):
        (place / name).mkdir()
        (place / name / "model.cpp").write_text("")
    old = time.time() - 7200
    os.utime(place / "build-dead_1", (old, old))
    return place


OTHERS = ("notes.txt", "mine.so", "buildings")


def test_clean_removes_what_we_made_and_nothing_else(folder: Path, capsys):
    for name in OTHERS:
        (folder / name).write_text("mine")
    (folder / f"{'c' * 32}-{'0' * 32}.so").symlink_to(folder / "mine.so")
    beside = folder.parent / "data"
    beside.mkdir()
    before = sorted(path.name for path in folder.iterdir())
    machine.clean(dry_run=True)
    assert sorted(path.name for path in folder.iterdir()) == before
    assert "Would remove 1 compiled network, 3.0 kB" in capsys.readouterr().out
    machine.clean(dry_run=False)
    assert "Removed 1 compiled network" in capsys.readouterr().out
    left = {path.name for path in folder.iterdir()}
    assert left == {*OTHERS, "build-now", f"{'c' * 32}-{'0' * 32}.so"} and beside.exists()
    machine.clean(dry_run=False)
    assert "Removed 0 compiled networks" in capsys.readouterr().out


def test_clean_without_a_cache(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    machine.clean(dry_run=False)
    assert "Removed 0" in capsys.readouterr().out and not (tmp_path / "none").exists()


def test_what_cannot_be_removed_is_said(folder: Path, monkeypatch):
    monkeypatch.setattr(cache, "remove", lambda found: found[:1])
    with pytest.raises(SetupError, match="could not be removed"):
        machine.clean(dry_run=False)


@pytest.mark.compiled
@pytest.mark.skipif(bool(backends.available()["native"]), reason="no C++ compiler")
def test_everything_the_device_leaves_is_known(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == native.load().cache_folder()
    with brainsim.Session("cuba", set={"n_exc": 40, "n_inh": 10, "p": 0.2}, backend="native") as session:
        session.step(3)
    made = list(cache.folder().iterdir())
    if made:  # a library that this process has loaded already is not written again
        assert {entry.path for entry in cache.entries()} == set(made)
        assert cache.remove(cache.entries()) == [] and list(cache.folder().iterdir()) == []


def test_doctor_shows_versions_pins_backends_and_cache(folder: Path, capsys):
    machine.doctor()
    shown = capsys.readouterr().out
    for word in ("brian2", ">=2.9,<2.11", "numpy", "native", "cpp_standalone", "compiler", "1 compiled network"):
        assert word in shown
    assert "wrong" not in shown


def test_doctor_says_what_is_wrong(monkeypatch, capsys):
    monkeypatch.setattr(machine, "pins", lambda: {"brian2": ">=99", "numpy": ">=1"})
    with pytest.raises(SetupError) as caught:
        machine.doctor()
    (problem,) = caught.value.problems
    assert "brainsim needs >=99" in problem.message and "pip install" in problem.hint
    assert "wrong" in capsys.readouterr().out


def test_doctor_without_a_compiler(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    machine.doctor()
    assert "no: no C++ compiler was found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("version", "need", "fine"),
    [
        ("2.9.0", ">=2.9,<2.11", True), ("2.11", ">=2.9,<2.11", False), ("2.10.1.dev3", ">=2.9,<2.11", True),
        ("2.8.4", ">=2.9", False), ("2.3", "<2.4", True), ("2.4.0rc1", "<2.4", False), ("3", "", True),
    ],
)  # fmt: skip
def test_versions(version: str, need: str, fine: bool):
    assert machine._within(version, need) is fine


def test_pins_are_those_of_the_package():
    assert machine.pins()["brian2"] == ">=2.9,<2.11" and "pytest" not in machine.pins()
