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


def lay_out(text: str, lines: Sequence[Mark] = ()) -> tuple[str, Places]:
    """Text without comments on one line, every character kept in its place by a table.

    ``lines`` holds the place of the first character of each line of ``text``. Runs of white space become one blank.
    """
    flat, places = "", []
    for number, line in enumerate(text.split("\n")):
        mark = lines[min(number, len(lines) - 1)] if lines else Mark("<expression>", number + 1, 1)
        # Marks run out where one line of the file holds several (an escape in quotes): then its start has to do.
        exact = number < len(lines) or not lines
        for match in re.finditer(r"\S+", line.split("#", 1)[0].replace("\r", " ")):
            if flat:
                flat += " "
            places.append((len(flat), Mark(mark.file, mark.line, mark.column + (match.start() if exact else 0))))
            flat += match[0]
    if not places:
        places.append((0, lines[0] if lines else Mark("<expression>", 1, 1)))
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
    for number, line in enumerate(text.split("\n")):
        mark = lines[min(number, len(lines) - 1)] if lines else Mark("<expression>", number + 1, 1)
        column, exact = 0, number < len(lines) or not lines
        if opening.match(line):
            depth = 0
        for part in line.split("#", 1)[0].split(";"):
            here = Mark(mark.file, mark.line, mark.column + (column if exact else 0))
            column += len(part) + 1
            if depth:
                pieces[-1] = (pieces[-1][0] + "\n" + part, [*pieces[-1][1], here])
            elif part.strip():
                pieces.append((part, [here]))
            depth = max(depth + part.count("(") - part.count(")"), 0)
    return pieces
