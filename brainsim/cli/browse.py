"""The verbs ``check``, ``list``, ``cite`` and ``schema``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from brainsim.cli.console import say, table, tell
from brainsim.cli.run import overrides
from brainsim.errors import BrainsimError, FileError, Problem, Problems, suggest


def check(files: Sequence[str], sets: Sequence[str], library: Sequence[Path]) -> None:
    """Check every file and show the problems of all of them together."""
    import brainsim

    values, problems = overrides(sets), Problems()
    for file in files:
        try:
            notes = brainsim.check(file, set=values, library=tuple(library))
        except BrainsimError as error:
            problems.take(error)
            continue
        for note in notes:
            tell(f"{file}: note: {note}", style="yellow")
        say(f"{file}: fine")
    problems.raise_any()


def kind_of(kind: str) -> str:
    """The kind as written, also in plural; raises FileError with the nearest one."""
    from brainsim.source import KINDS

    for known in KINDS:
        if kind in (known, f"{known}s"):
            return known
    hint = suggest(kind, KINDS, "kind")
    raise FileError(Problem("name", f"there is no kind of file called {kind}", None, hint))


def list_parts(kind: str | None, library: Sequence[Path]) -> None:
    """Names and first sentences of the library."""
    from brainsim.library import Library
    from brainsim.source import KINDS

    shelf = Library(tuple(library))
    for each in (kind_of(kind),) if kind else KINDS:
        rows = [(name, about) for name, about, _ in shelf.names(each)]
        if rows or kind:
            say(table((each, "about"), rows) + ("" if kind else "\n"))


def cite(experiment: str, library: Sequence[Path]) -> None:
    """One entry a line: of the experiment, then of each part it uses."""
    from brainsim.runs.prepare import circuit

    entries = [entry for entry in circuit(experiment, library=tuple(library)).cite if entry != "own"]
    for entry in entries:
        say(entry)
    if not entries:
        tell(f"{experiment} and its parts cite nothing.")


def print_schema(kind: str) -> None:
    """JSON Schema of one kind."""
    from brainsim.spec.schema import schema

    say(json.dumps(schema(kind_of(kind)), indent=2))
