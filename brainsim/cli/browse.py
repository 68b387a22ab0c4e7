"""The verbs ``check``, ``list``, ``cite`` and ``schema``."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from brainsim.cli.console import say, table, tell, width
from brainsim.cli.run import overrides
from brainsim.errors import BrainsimError, FileError, Problem, Problems, nearest, suggest


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


def list_parts(words: Sequence[str], kind: str | None, library: Sequence[Path]) -> None:
    """One line a part: name, its parent, the first sentence; those in which every word occurs.

    The first word may be a kind, as ``--kind`` says it.
    """
    from brainsim.library import Library
    from brainsim.source import KINDS

    shelf, left = Library(tuple(library)), list(words)
    if kind is None and left and left[0] in (*KINDS, *(f"{one}s" for one in KINDS)):
        kind = left.pop(0)
    room = width() if sys.stdout.isatty() else None
    found = False
    for each in (kind_of(kind),) if kind else KINDS:
        rows = []
        for name, about, _ in shelf.names(each):
            parent = shelf.parent(each, name)
            text = f"{name} {parent} {about}".lower()
            if all(word.lower() in text for word in left):
                rows.append((f"{name} < {parent}" if parent else name, about))
        found |= bool(rows)
        if not rows and (left or not kind):
            continue
        if room is not None:  # a part is one line, also on a narrow terminal
            beside = max(20, room - 2 - max((len(first) for first, _ in rows), default=0))
            rows = [(first, textwrap.shorten(about, beside, placeholder=" ...")) for first, about in rows]
        say(table((each, "about"), rows) + ("" if kind else "\n"))
    if not found and left:
        if len(left) == 1 and kind is None and nearest(left[0], KINDS):
            kind_of(left[0])
        tell(f"No part has {' and '.join(left)} in its name or its first sentence.")


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
