"""Reads code out of a part, reporting what is wrong instead of raising."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brainsim.equations import Equation, parse_equations
from brainsim.errors import FileError, Problems
from brainsim.expressions import Expression, Statement, parse, parse_code
from brainsim.source import Tree


class Parser:
    """Equations, code and conditions at paths of one tree; a wrong one is reported and comes back empty."""

    def __init__(self, tree: Tree, problems: Problems, extra: Mapping[str, int] | None = None):
        self.tree, self.problems, self.extra = tree, problems, extra or {}

    def equations(self, *path: Any) -> tuple[Equation, ...]:
        return self._read(parse_equations, path, ())

    def code(self, *path: Any) -> tuple[Statement, ...]:
        return self._read(parse_code, path, ())

    def expression(self, *path: Any) -> Expression | None:
        return self._read(parse, path, None)

    def _read(self, reader: Any, path: tuple, empty: Any) -> Any:
        text = self.tree.get(path, "")
        if text is None or text == "":
            return empty
        try:
            return reader(str(text), self.tree.lines.get(path, ()), self.extra)
        except FileError as error:
            self.problems.take(error)
            return empty
