"""The cache of compiled libraries, and what can go wrong with it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

import pytest

from brainsim.native import build

pytestmark = pytest.mark.compiled

SOURCE = 'extern "C" __attribute__((visibility("default"))) int answer() { return %d; }'


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "statistics", build.Statistics())
    return tmp_path / "brainsim" / "native"


def answer(path):
    return ctypes.CDLL(str(path)).answer()


def test_compiled_once(cache):
    path = build.library(SOURCE % 1)
    assert answer(path) == 1
    assert build.library(SOURCE % 1) == path
    assert build.library(SOURCE % 2) != path
    assert (build.statistics.compiled, build.statistics.found) == (2, 1)
    assert sorted(p.suffix for p in cache.iterdir()) == [".so", ".so"]
    assert build.clear_cache() == 2
    assert not list(cache.iterdir())


def test_flags_and_compiler_are_part_of_the_key(monkeypatch):
    first = build.library(SOURCE % 1)
    monkeypatch.setenv("BRAINSIM_NATIVE_FLAGS", "-O0")
    second = build.library(SOURCE % 1)
    monkeypatch.setattr(build, "processor", lambda: "another one")
    assert len({first, second, build.library(SOURCE % 1)}) == 3


@pytest.mark.parametrize("damage", [lambda data: data[:1000], lambda data: b"", lambda data: data[:-1] + b"x"])
def test_a_damaged_file_is_made_again(damage, cache):
    path = build.library(SOURCE % 1)
    data = path.read_bytes()
    path.write_bytes(damage(data))
    again = build.library(SOURCE % 1)
    assert answer(again) == 1
    assert build.statistics.compiled == 2 and build.statistics.damaged == [path.name]
    assert len(list(cache.glob("*.so"))) == 1


def test_many_processes_at_once(cache):
    code = f"import sys; from brainsim.native import build; print(build.library({SOURCE % 3!r}))"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    paths = [process.communicate()[0].strip() for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert all(answer(path) == 3 for path in paths if os.path.exists(path))
    assert answer(build.library(SOURCE % 3)) == 3
    assert not list(cache.glob("build-*"))


def test_a_killed_compilation_does_no_harm(cache, tmp_path):
    slow = tmp_path / "slow"
    slow.write_text('#!/bin/sh\n[ "$1" = --version ] && echo slow && exit\necho half > model.so\nexec sleep 60\n')
    slow.chmod(0o755)
    code = f"from brainsim.native import build; build.library({SOURCE % 4!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "CXX": str(slow)}, start_new_session=True
    )
    for _ in range(300):
        if list(cache.glob("build-*/model.so")):
            break
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(cache.glob("build-*")) and not list(cache.glob("*.so"))
    assert answer(build.library(SOURCE % 4)) == 4
    build.clear_cache()
    assert not list(cache.iterdir())


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert answer(build.library(SOURCE % 5)) == 5


def test_a_full_disk_at_the_end(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build.os, "replace", full)
    assert answer(build.library(SOURCE % 6)) == 6


def test_without_a_compiler(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(build.BuildError, match="needs a C\\+\\+ compiler"):
        build.library(SOURCE % 1)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(build.BuildError, match="no-such-compiler"):
        build.library(SOURCE % 1)


def test_a_compiler_with_arguments(monkeypatch):
    monkeypatch.setenv("CXX", "env g++ -DNOTHING")
    assert answer(build.library(SOURCE % 7)) == 7


def test_what_does_not_compile():
    with pytest.raises(build.BuildError, match=r"error.*nonsense"):
        build.library("nonsense;")
