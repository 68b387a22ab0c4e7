"""The text of a file: decoded, free of what no model file holds, and cut into rows."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from brainsim.errors import FileError, Mark, Problem

MAX_BYTES = 10_000_000

# Line breaks other than \n and \r count as lines in YAML 1.1 but in no editor, so they go with the control characters;
# so do the marks that turn the direction of writing, which make a file look different from what it says.
_UNSEEN = re.compile(
    r"[^\t\n\r\x20-\x7e\xa0-\u200d\u2010-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
# libyaml compares every %TAG line with all others: minutes for 10 MB of them.
_DIRECTIVE = re.compile(r"^%", re.M)


class Text:
    """A decoded text that passed the checks which must come before the YAML scanner. Raises :class:`FileError`."""

    def __init__(self, content: str | bytes, file: str):
        self.file = file
        if len(content) > MAX_BYTES:
            hint = "Model files are small; put tables into a CSV file and name it (connect: {matrix: FILE})."
            raise self.refuse("limit", f"the file is larger than {MAX_BYTES // 1_000_000} MB", 0, hint)
        self.content = (content if isinstance(content, str) else self.decode(content)).removeprefix("\ufeff")
        found = _UNSEEN.search(self.content)
        if found:
            message = f"an invisible character (U+{ord(found[0]):04X}) stands here"
            hint = "Delete it; if the whole file looks like this it is not a text file."
            raise self.refuse("syntax", message, found.start(), hint)
        found = _DIRECTIVE.search(self.content)
        if found:
            message = "a line that begins with % is a YAML directive, which model files do not use"
            raise self.refuse("syntax", message, found.start(), "Delete the line.")

    content: str = ""

    def decode(self, content: bytes) -> str:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise self.refuse("syntax", "the file is saved as UTF-16", 0, "Save it as UTF-8 in your editor.")
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            self.content = content[: error.start].decode("utf-8").removeprefix("\ufeff")
            message = f"the byte 0x{content[error.start]:02x} is not UTF-8 text"
            hint = "Save the file as UTF-8 in your editor (a Latin-1 µ or an accent looks like this)."
            raise self.refuse("syntax", message, len(self.content), hint) from None

    def refuse(self, kind: str, message: str, index: int, hint: str) -> FileError:
        before = self.content[:index].replace("\r\n", "\n").replace("\r", "\n")
        return FileError(
            Problem(kind, message, Mark(self.file, before.count("\n") + 1, index_in_row(before) + 1), hint)
        )

    @cached_property
    def rows(self) -> list[str]:
        return self.content.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    def mark(self, place: Any) -> Mark:
        """A place as PyYAML gives it, or (row, column) counted from 0."""
        row, column = place if isinstance(place, tuple) else (place.line, place.column)
        return Mark(self.file, row + 1, column + 1)


def index_in_row(before: str) -> int:
    """The column, counted from 0, of what follows a text."""
    return len(before) - before.rfind("\n") - 1
