"""What the YAML scanner found, in plain words."""

from __future__ import annotations

import re

import yaml

from brainsim.errors import Mark, Problem
from brainsim.source.text import Text


def hard_space(text: Text, row: int) -> Problem:
    """The non-breaking space in a row."""
    message = "this line holds a non-breaking space, which looks like a space and is none"
    hint = "Replace it by a space; it often comes with text copied from a paper."
    return Problem("syntax", message, text.mark((row, text.rows[row].index("\u00a0"))), hint)


def explain(text: Text, error: yaml.YAMLError) -> Problem:
    """What libyaml found, in plain words."""
    problem = str(getattr(error, "problem", None) or error)
    context = str(getattr(error, "context", None) or "")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    row, column = (mark.line, mark.column) if mark else (0, 0)
    row = min(row, len(text.rows) - 1)
    line = text.rows[row]
    place = Mark(text.file, row + 1, column + 1)
    begun = getattr(error, "context_mark", None)
    since = f" that begins in line {begun.line + 1}" if begun else ""
    char = line[column : column + 1]
    if ("\t" in line[: column + 1] and not line[:column].strip()) or "tab character" in problem:
        return Problem("syntax", "a tab stands where spaces must stand", place, "Indent with spaces (two a level).")
    for near in (row, row - 1):
        if "\u00a0" in text.rows[near]:
            return hard_space(text, near)
    if "mapping values are not allowed" in problem:
        if re.search(r":\s", line[:column]):
            return Problem(
                "syntax",
                "there is a second colon in this line",
                place,
                "Put the value in quotes, or start a new line.",
            )
        message = "this key does not line up with the keys around it, or the line before it has no colon"
        return Problem(
            "syntax", message, place, "Give keys of one level the same indentation, and each a colon and a space."
        )
    if "cannot start any token" in problem:
        message = f"a value cannot begin with {char}"
        return Problem("syntax", message, place, "Put the value in quotes.")
    if "quoted scalar" in context and "end of stream" in problem:
        quote = text.rows[begun.line][begun.column : begun.column + 1] if begun else "quote"
        message = f"the text{since} has no closing {quote}"
        return Problem("syntax", message, text.mark(begun) if begun else place, f"Close it with {quote}.")
    if "escape" in problem:
        message = f"\\{line[column + 1 : column + 2]} has no meaning inside double quotes"
        return Problem("syntax", message, place, "Use single quotes, or write \\\\ for a backslash.")
    if "node content" in problem:
        what = f"before this {char}" if char else "at the end"
        return Problem("syntax", f"a value is missing {what}", place, "Write it, or take a comma or bracket out.")
    if "flow sequence" in context or "flow mapping" in context:
        bracket, what = ("]", "list") if "sequence" in context else ("}", "group")
        message = f"the {what}{since} needs a comma or {bracket} before this"
        hint = f"Close it with {bracket}, or put a value that holds : or , in quotes."
        return Problem("syntax", message, place, hint)
    if "could not find expected ':'" in problem:
        place = text.mark(begun) if begun else place
        return Problem("syntax", "this line has no colon after its key", place, "Write key: value.")
    if "block" in context and ("expected key" in problem or "'-' indicator" in problem):
        if line[:column].strip() and char in "]}":
            return Problem("syntax", f"there is one {char} too many", place, "Take it out, or put the text in quotes.")
        if line[:column].strip():
            return Problem("syntax", "the value ends before this", place, "Put the whole value in one pair of quotes.")
        message = f"this does not line up with the block{since}"
        return Problem("syntax", message, place, "Give keys of one level the same indentation.")
    if "entries are not allowed" in problem:
        return Problem(
            "syntax", "a list cannot begin here", place, "Put each - on its own line below the key, or use [a, b]."
        )
    message = f"this is not YAML: {problem}{f' ({context})' if context else ''}"
    return Problem("syntax", message, place, "Look at the indentation and the quotes of this line.")
