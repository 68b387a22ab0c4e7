"""Errors that say where, what came, what is allowed and what to do next.

A stage of the engine collects every :class:`Problem` it finds and raises them together, so that one
run of ``brainsim check`` shows all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: The file of a :class:`Mark` for values that came from no file.
COMMAND_LINE = "command line"


@dataclass(frozen=True, order=True)
class Mark:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """``file:line:column``; of a value from the command line only that, as it has no lines."""
        return self.file if self.file == COMMAND_LINE else f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    ``kind`` is a short stable word (``unit``, ``key``, ``name``, ``part``, ``needs``, ``value``,
    ``syntax``, ``limit``, ``path``, ``cycle``, ``dimension``, ...) that tests and editors may rely on.
    ``hint`` is the next step: the nearest valid name, or what to write instead.
    """

    kind: str
    message: str
    mark: Mark | None = None
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.mark}: " if self.mark else ""
        hint = "".join(f"\n    {line}" for line in self.hint.splitlines())
        return f"{place}error[{self.kind}]: {self.message}{hint}"


class BrainsimError(Exception):
    """Base of every error a user may see; holds one or more problems."""

    exit_code = 1

    def __init__(self, problems: Problem | Iterable[Problem]):
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class FileError(BrainsimError):
    """A model file is wrong in itself."""

    exit_code = 2


class FitError(BrainsimError):
    """Files that are right in themselves do not fit together."""

    exit_code = 2


class RunError(BrainsimError):
    """A model that was accepted failed while it was built or run."""

    exit_code = 1


class SetupError(BrainsimError):
    """The machine lacks something: a compiler, a data set, space on disk."""

    exit_code = 3


class Problems:
    """Collects what is wrong in one stage, to raise it together."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, kind: str, message: str, mark: Mark | None = None, hint: str = "") -> None:
        problem = Problem(kind, message, mark, hint)
        if problem not in self.found:
            self.found.append(problem)

    def take(self, error: BrainsimError) -> None:
        """Add the problems of an error that was caught."""
        for problem in error.problems:
            if problem not in self.found:
                self.found.append(problem)

    def raise_any(self, error: type[BrainsimError] = FileError) -> None:
        """Raise ``error`` if anything was found, in the order of the files."""
        if self.found:
            # Stable: problems without a mark keep their place at the end.
            ordered = sorted(self.found, key=lambda p: (p.mark is None, p.mark or Mark("", 0, 0)))
            raise error(ordered)


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The candidate most like ``name``, or an empty string."""
    found = difflib.get_close_matches(str(name), [str(c) for c in candidates], n=1, cutoff=0.5)
    return found[0] if found else ""


def suggest(name: str, candidates: Sequence[str] | Iterable[str], what: str = "name") -> str:
    """A hint for an unknown name: the nearest one, and all of them if they are few."""
    known = sorted({str(c) for c in candidates})
    close = nearest(name, known)
    if close:
        return f"Did you mean {close}?"
    if known and len(known) <= 12:
        return f"Known: {', '.join(known)}."
    return f"No {what} like it is known here."
