"""Python source out of names, strings and numbers: nothing a model file says can become code here."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from typing import Any

from brainsim.units import Quantity, parse_unit

_PLAIN = re.compile(r"[^\"\\\x00-\x1f\x7f-\U0010ffff]*")
_SECOND = parse_unit("second")[1]


def literal(value: str) -> str:
    """A string as Python source: quoted on one line if it is short, else triple-quoted with indented lines."""
    if "\n" not in value and len(value) <= 90:
        return f'"{value}"' if _PLAIN.fullmatch(value) else repr(value)
    rows = [row.strip() for row in value.split("\n")]
    if all(_PLAIN.fullmatch(row) for row in rows):
        return block(rows)
    return repr(value)


def block(rows: Iterable[str]) -> str:
    """Lines of Brian2 code, triple-quoted; Brian2 takes off what they are indented by."""
    rows = [row.strip() for row in rows]
    if not all(_PLAIN.fullmatch(row) for row in rows):
        return repr("\n".join(rows))
    return '"""\n' + "\n".join(f"    {row}" if row else "" for row in rows) + '\n"""'


def comment(value: str) -> str:
    """Text as a comment: on one line, printable characters only."""
    kept = "".join(c if c.isprintable() else " " for c in value)
    return "# " + " ".join(kept.split())


def seconds(value: float) -> str:
    """A time as code that gives exactly this number: ``0.1*ms``, ``5*second``."""
    if value < 1:
        for unit, scale in (("ms", 10.0**-3), ("us", 10.0**-6)):
            short = f"{value / scale:.12g}"
            if float(short) * scale == value and float(short) >= 0.01:
                return f"{short}*{unit}"
    return Quantity(value, _SECOND).code


def attribute(name: str) -> str:
    """The name of a variable, checked."""
    if not name.isidentifier() or keyword.iskeyword(name) or not name.isascii():
        raise ValueError(f"{name!r} is no name for a variable")
    return name


def mapping(items: Iterable[tuple[str, str]]) -> str:
    """A dict of names to source; on several lines where the source has several."""
    pairs = [f"{literal(key)}: {value}" for key, value in items]
    if any("\n" in pair for pair in pairs):
        rows = [f"    {row}" for pair in pairs for row in f"{pair},".split("\n")]
        return "{\n" + "\n".join(rows) + "\n}"
    return "{" + ", ".join(pairs) + "}"


def options(*values: str, **named: Any) -> str:
    """Arguments of a call."""
    parts = [literal(value) for value in values]
    return ", ".join(parts + [f"{k}={literal(v) if isinstance(v, str) else repr(v)}" for k, v in named.items()])


def filled(names: Iterable[str]) -> list[str]:
    """Names, separated by commas, on indented lines of at most 100 characters."""
    rows, row = [], ""
    for name in names:
        if row and len(row) + len(name) > 95:
            rows.append("    " + row.rstrip())
            row = ""
        row += f"{name}, "
    return [*rows, "    " + row.rstrip()] if row else rows


def listed(names: Iterable[str]) -> str:
    """Names as a list of strings."""
    return "[" + ", ".join(literal(name) for name in names) + "]"
