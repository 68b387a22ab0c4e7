"""Scalars of YAML 1.2: what their text means, and where each line of it stands in the file."""

from __future__ import annotations

import re
from typing import Any

from brainsim.errors import Mark
from brainsim.source.text import Text


def scalar(text: str) -> str | int | float | bool | None:
    """The value of a plain YAML 1.2 scalar: ``"3"`` -> 3, ``"2 ms"`` -> the text itself, ``"no"`` -> the text."""
    stripped = text.strip()
    if _INT.fullmatch(stripped):
        digits = stripped.lstrip("+-")
        base = {"0o": 8, "0x": 16}.get(digits[:2], 10)
        if len(digits) > 400:  # Python refuses longer ones too; as a float it is what units refuse as not finite
            return float("inf")
        return int(stripped.replace("0o", "").replace("0x", ""), base)
    if _FLOAT.fullmatch(stripped):
        return float(stripped)
    return _WORDS.get(stripped, text)


_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= {word: word[0] in "tT" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_WORDS |= {sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")}
_WORDS |= {word: float("nan") for word in (".nan", ".NaN", ".NAN")}


def lines_of(text: Text, event: Any) -> tuple[Mark, ...]:
    """Where each line of the text of a scalar event begins."""
    row, column = event.start_mark.line, event.start_mark.column
    value, style = event.value, event.style
    if event.anchor:  # the event begins at the anchor
        row, column = _after_anchor(text.rows, row, column)
    if "\n" not in value and style not in ("|", ">"):
        return (text.mark((row, column + bool(style))),)
    count = max(1, value.count("\n") + (not value.endswith("\n")))
    if style in ("|", ">"):
        found = _block_lines(text.rows, value.split("\n")[:count], row + 1, style == ">")
    else:
        end = (event.end_mark.line, event.end_mark.column)
        found = _flow_lines(text.rows, row, column + bool(style), end, style == '"')
    found = found[:count]
    found += [found[-1]] * (count - len(found))
    return tuple(text.mark(place) for place in found)


def _after_anchor(rows: list[str], row: int, column: int) -> tuple[int, int]:
    rest = re.compile(r"&\S+[ \t]*").match(rows[row], column)
    column = rest.end() if rest else column
    while column >= len(rows[row]) or rows[row][column] == "#":
        if row + 1 >= len(rows):
            break
        row += 1
        column = len(rows[row]) - len(rows[row].lstrip(" \t"))
    return row, column


def _block_lines(rows: list[str], lines: list[str], row: int, folded: bool) -> list[tuple[int, int]]:
    found = []
    for line in lines:
        if folded and line:
            while row < len(rows) - 1 and not rows[row].strip(" "):
                row += 1
        raw = rows[row] if row < len(rows) else ""
        found.append((row, len(raw) - len(raw.lstrip(" ")) if folded else max(0, len(raw) - len(line))))
        row += 1
        if folded and line:  # a folded line may take several rows of the file
            rest = line.lstrip(" ")[len(raw.lstrip(" ")) :]
            while rest and row < len(rows):
                rest, row = rest[1 + len(rows[row].lstrip(" ")) :], row + 1
    return found


def _flow_lines(rows: list[str], row: int, column: int, end: tuple[int, int], double: bool) -> list[tuple[int, int]]:
    found, blanks = [(row, column)], 0
    for k in range(row, min(end[0], len(rows) - 1) + 1):
        raw = rows[k] if k < end[0] else rows[k][: end[1]]
        begin = column if k == row else len(raw) - len(raw.lstrip(" \t"))
        if k > row and begin == len(raw):  # a blank row inside a flow scalar is a line break
            blanks += 1
            found += [(k, begin)] if blanks > 1 else []
            continue
        if blanks:
            found.append((k, begin))
            blanks = 0
        if double:
            found += [(k, begin + m.end()) for m in re.finditer(r"\\(.)", raw[begin:]) if m[1] == "n"]
    return found
