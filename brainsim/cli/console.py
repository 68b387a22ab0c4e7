"""Where text goes: results to stdout, everything about the work itself to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

from brainsim.errors import BrainsimError, FileError, FitError, Problem

#: Width when the output is no terminal: a file or a pipe gets one line a row.
_FILE_WIDTH = 10_000


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """``| head`` is handled in one place, by ``main``."""
        raise BrokenPipeError


def _console(stderr: bool) -> _Console:
    stream = sys.stderr if stderr else sys.stdout
    wide = None if stream.isatty() or "COLUMNS" in os.environ else _FILE_WIDTH
    return _Console(stderr=stderr, width=wide, highlight=False, markup=False, emoji=False)


def width() -> int:
    """Columns of the terminal; 80 where there is none and ``COLUMNS`` does not say."""
    return _console(False).width if sys.stdout.isatty() or "COLUMNS" in os.environ else 80


def say(text: str = "", style: str = "") -> None:
    """A result, to stdout."""
    if style:
        _console(False).print(text, style=style, soft_wrap=True)
    else:  # text that is coloured already, or not at all
        print(text)


def tell(text: str | Text, style: str = "") -> None:
    """A message about the work, to stderr."""
    _console(True).print(text, style=style or None, soft_wrap=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Rows of text under headings, folded to the terminal; the columns in ``right`` are aligned right."""
    made = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*[Text(cell) for cell in row])
    console = _console(False)
    with console.capture() as shown:
        console.print(made)
    # Columns are padded with blanks, also the last one: no use to a file or a narrow terminal.
    return "\n".join(line.rstrip() for line in shown.get().splitlines())


def _problem(problem: Problem) -> Text:
    text = Text()
    if problem.mark:
        text.append(f"{problem.mark}: ", style="bold")
    text.append(f"error[{problem.kind}]", style="bold red")
    text.append(f": {problem.message}")
    for line in problem.hint.splitlines():
        text.append(f"\n    {line}", style="cyan")
    return text


def show_error(error: BrainsimError) -> None:
    """All problems of an error, and what became of the work."""
    for problem in error.problems:
        tell(_problem(problem))
    if isinstance(error, FileError | FitError):
        count = len(error.problems)
        tell(f"{count} problem{'' if count == 1 else 's'}; nothing was built.")
