"""Solved equations, kept from one process to the next.

Solving linear equations symbolically takes Brian2 a second or more for a system of three, which is most of what a
second start would take. The solution is text that depends on the equations alone (names and kinds of what they mention,
no values), so it is kept next to the compiled libraries.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brian2
import sympy  # type: ignore[import-untyped]
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.stateupdaters.exact import LinearStateUpdater
from brian2.utils.stringtools import get_identifiers

from brainsim.native import build


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Within this context, Brian2's exact integration looks for a known solution first."""
    original = LinearStateUpdater.__call__

    def solve(self: Any, equations: Any, variables: Any = None, method_options: Any = None) -> str:
        path = _path(equations, variables or {}, method_options or {})
        code = None if path is None else _read(path)
        if code is None:
            code = original(self, equations, variables, method_options)
            if path is not None:
                _write(path, code)
        return code

    LinearStateUpdater.__call__ = solve
    try:
        yield
    finally:
        LinearStateUpdater.__call__ = original


def _path(equations: Any, variables: dict[str, Any], options: dict[str, Any]) -> Path | None:
    """Where the solution of these equations is kept; None if it can depend on more than text."""
    if equations.is_stochastic:
        return None
    system = [(name, expression.code) for name, expression in equations.get_substituted_expressions(variables)]
    parts: list[Any] = [brian2.__version__, sympy.__version__, sorted(options.items()), system]
    for name in sorted(set().union(*(get_identifiers(code) for _, code in system))):
        variable = variables.get(name)
        if isinstance(variable, Function):
            if variable is not DEFAULT_FUNCTIONS.get(name):
                return None
            kind: Any = "function"
        else:
            flags = ("dtype", "scalar", "constant", "read_only", "dynamic")
            kind = (type(variable).__name__, [str(getattr(variable, flag, None)) for flag in flags])
        parts.append((name, kind))
    return build.cache_folder() / f"equations-{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}.txt"


def _read(path: Path) -> str | None:
    try:
        check, _, code = path.read_text().partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return code if check == hashlib.sha256(code.encode()).hexdigest() else None


def _write(path: Path, code: str) -> None:
    with contextlib.suppress(OSError):  # it is only a saving of time
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="equations-", suffix=".tmp", dir=path.parent)
        with open(handle, "w") as file:
            file.write(f"{hashlib.sha256(code.encode()).hexdigest()}\n{code}")
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
