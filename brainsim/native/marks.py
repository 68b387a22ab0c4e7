"""Numbers that are kept out of the text of a function: it reads them from a table (see codeobject.py)."""

from __future__ import annotations

import re

#: What stands in a text for an entry of the table.
MARKED = re.compile(r"@real\(([^()]*)\)@")


def real(value: float) -> str:
    """The mark for a number."""
    return f"@real({float(value)!r})@"
