"""Solutions of equations that are kept for the next process."""

from __future__ import annotations

import brian2 as b2
import pytest
from brian2 import ms
from brian2.stateupdaters.exact import LinearStateUpdater

from brainsim.native import build, integrators


@pytest.fixture
def solved(monkeypatch, tmp_path):
    """The equations that were really solved."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []
    original = LinearStateUpdater.__call__

    def count(self, equations, *rest):
        calls.append(str(equations))
        return original(self, equations, *rest)

    monkeypatch.setattr(LinearStateUpdater, "__call__", count)
    return calls


def code(equations, **constants):
    group = b2.NeuronGroup(1, equations, method="exact", namespace=constants)
    variables = group.resolve_all(group.equations.names | group.equations.identifiers | {"dt"}, constants)
    with integrators.kept():
        return b2.linear(group.equations, variables)


def test_solved_once_whatever_the_values(solved, native):
    first = code("dv/dt = (a - v) / tau : 1", a=1, tau=5 * ms)
    assert code("dv/dt = (a - v) / tau : 1", a=2, tau=7 * ms) == first
    assert len(solved) == 1


def test_other_equations_are_others(solved, native):
    code("dv/dt = (a - v) / tau : 1", a=1, tau=5 * ms)
    code("dv/dt = (a - 2 * v) / tau : 1", a=1, tau=5 * ms)
    code("dv/dt = (a - v) / tau : 1\ntau : second (constant)", a=1)
    assert len(solved) == 3


def test_damaged_solutions_are_not_believed(solved, native):
    first = code("dv/dt = -v / tau : 1", tau=5 * ms)
    (path,) = build.cache_folder().glob("equations-*")
    path.write_text(path.read_text()[:-3])
    assert code("dv/dt = -v / tau : 1", tau=5 * ms) == first
    path.write_bytes(b"\xff\xfe")
    assert code("dv/dt = -v / tau : 1", tau=5 * ms) == first
    assert len(solved) == 3


def test_what_cannot_be_solved_still_cannot(solved, native):
    for _ in range(2):
        with pytest.raises(Exception, match=r"linear|separated"):
            code("dv/dt = -v**2 / tau : 1", tau=5 * ms)


def test_timed_arrays_are_not_kept(solved, native):
    drive = b2.TimedArray([1, 2], dt=1 * ms)
    for _ in range(2):
        code("dv/dt = (drive(t) - v) / tau : 1", tau=5 * ms, drive=drive)
    assert not list(build.cache_folder().glob("equations-*"))
