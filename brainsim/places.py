"""Text of a model file on one line, with the place in the file of every character."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from brainsim.errors import Mark

#: Pieces of a text: (offset in the text, its place in the file), sorted by offset.
Places = tuple[tuple[int, Mark], ...]


def place(places: Places, offset: int) -> Mark:
    """The place in the file of an offset in a text."""
    index = max(bisect_right([start for start, _ in places], offset) - 1, 0)
    start, mark = places[index]
    return Mark(mark.file, mark.line, mark.column + max(offset - start, 0))


def line_marks(text: str, lines: Sequence[Mark] = ()) -> list[Mark]:
    """The place of each line of a text, given those that are known.

    Places run out where one line of the file holds several: line breaks written as an escape, two characters each.
    """
    marks = list(lines)
    for number, line in enumerate(text.split("\n")[:-1]):
        if not lines:
            marks.append(Mark("<expression>", number + 2, 1))
        elif number + 1 >= len(marks):
            last = marks[number]
            marks.append(Mark(last.file, last.line, last.column + len(line) + 2))
    return marks if lines else [Mark("<expression>", 1, 1), *marks]


def lay_out(text: str, lines: Sequence[Mark] = ()) -> tuple[str, Places]:
    """Text without comments on one line, every character kept in its place by a table.

    ``lines`` holds the place of the first character of each line of ``text``. Runs of white space become one blank.
    """
    flat, places, marks = "", [], line_marks(text, lines)
    for line, mark in zip(text.split("\n"), marks, strict=False):
        for match in re.finditer(r"\S+", line.split("#", 1)[0]):
            if flat:
                flat += " "
            places.append((len(flat), Mark(mark.file, mark.line, mark.column + match.start())))
            flat += match[0]
    if not places:
        places.append((0, marks[0]))
    return flat, tuple(places)


def shift(places: Places, start: int, stop: int, by: int) -> list[tuple[int, Mark]]:
    """The places of ``text[start:stop]``, moved."""
    if start >= stop:
        return []
    inside = [(offset + by, mark) for offset, mark in places if start < offset < stop]
    return [(start + by, place(places, start)), *inside]


def split(text: str, lines: Sequence[Mark], opening: re.Pattern[str]) -> list[tuple[str, list[Mark]]]:
    """Pieces of code between line ends and semicolons outside brackets, each with the places of its lines.

    A line that matches ``opening`` starts a piece even if a bracket is still open, so that the error about the
    bracket is on the right line.
    """
    pieces: list[tuple[str, list[Mark]]] = []
    depth = 0
    for line, mark in zip(text.split("\n"), line_marks(text, lines), strict=False):
        column = 0
        if opening.match(line):
            depth = 0
        for part in line.split("#", 1)[0].split(";"):
            here = Mark(mark.file, mark.line, mark.column + column)
            column += len(part) + 1
            if depth:
                pieces[-1] = (pieces[-1][0] + "\n" + part, [*pieces[-1][1], here])
            elif part.strip():
                pieces.append((part, [here]))
            depth = max(depth + part.count("(") - part.count(")"), 0)
    return pieces
