"""Expressions and statements of model files: Brian2's syntax, checked, with the place of every part.

The text goes to Brian2 as it was written. Here it is checked (see ``guard``), names are replaced, dimensions
are inferred by Brian2's rules, and values are computed with numpy where a model needs them before it runs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from brainsim import arithmetic, guard
from brainsim.errors import FileError, Mark, Problem, Problems, suggest
from brainsim.guard import Refused
from brainsim.names import BUILT_IN, CONSTANTS, FUNCTIONS, RANDOM, XI, is_constant, is_xi, refused_name
from brainsim.places import Places, lay_out, place, shift, split
from brainsim.units import Dims, Quantity

__all__ = [
    "BUILT_IN",
    "CONSTANTS",
    "FUNCTIONS",
    "RANDOM",
    "XI",
    "Expression",
    "Statement",
    "dims_of",
    "is_xi",
    "parse",
    "parse_code",
    "refused_name",
    "undeclared",
]


@dataclass(frozen=True)
class Expression:
    """A checked expression on one line.

    ``names`` are its variables, without functions, constants and units; ``calls`` the functions it calls.
    """

    text: str
    names: frozenset[str] = field(compare=False)
    calls: frozenset[str] = field(compare=False)
    places: Places = field(compare=False, repr=False)

    @property
    def mark(self) -> Mark:
        """Where it starts in the file."""
        return place(self.places, 0)

    def _words(self) -> list[ast.Name]:
        return [node for node in ast.walk(guard.tree(self.text)) if isinstance(node, ast.Name)]

    def mark_of(self, name: str) -> Mark:
        """Where a variable or function is first used; the start if it is not."""
        return place(self.places, min((guard.offset(n) for n in self._words() if n.id == name), default=0))

    def count(self, name: str) -> int:
        """How often a name occurs."""
        return sum(node.id == name for node in self._words())

    def rename(self, names: Mapping[str, str]) -> Expression:
        """The same text with variables renamed, all at once; functions and units are not touched."""
        return self._replace({old: new for old, new in names.items() if old in self.names and old != new})

    def substitute(self, code: Mapping[str, str]) -> Expression:
        """Variables replaced by code in parentheses, all at once."""
        return self._replace({name: f"({text})" for name, text in code.items() if name in self.names})

    def _replace(self, parts: Mapping[str, str]) -> Expression:
        if not parts:
            return self
        text, places, position = "", [], 0
        for node in sorted((n for n in self._words() if n.id in parts), key=guard.offset):
            start = guard.offset(node)
            places += shift(self.places, position, start, len(text) - position)
            text += self.text[position:start]
            places.append((len(text), place(self.places, start)))
            text += parts[node.id]
            position = start + len(node.id)
        places += shift(self.places, position, len(self.text), len(text) - position)
        return _expression(text + self.text[position:], tuple(places))

    def evaluate(
        self, values: Mapping[str, Quantity], calls: Mapping[str, Callable[..., Any]] | None = None
    ) -> Quantity:
        """Its value in SI base units; arrays are combined by numpy's rules, always in float64 (conditions: bool).

        ``calls`` has the functions whose values are not fixed: ``rand`` and ``randn`` (without arguments, they return
        as many numbers as are needed), ``poisson``, and those of the caller; they take and return bare numbers.
        Raises ``FileError`` with the place: unknown name, wrong dimensions, a result that is not finite.
        """
        root = guard.tree(self.text)
        try:
            dims = arithmetic.infer(self.text, root, {name: q.dims for name, q in values.items()}, values)
            with np.errstate(all="ignore"):
                value = arithmetic.compute(self.text, root, values, calls or {})
            finite = np.isfinite(value)
            meant = "inf" in {node.id for node in self._words()}
            if not np.all(finite) and not meant and all(np.all(np.isfinite(values[n].value)) for n in self.names):
                wrong = value if np.ndim(value) == 0 else value[~finite][0]
                hint = "Look for a division by zero, or a logarithm or root of a negative number."
                raise Refused("value", f"{guard.source(self.text, root)} gives {wrong}", 0, hint)
        except Refused as refused:
            raise _file_error(refused, self.places) from None
        return Quantity(value.item() if np.ndim(value) == 0 else value, dims)

    def function(self, *names: str) -> Callable[..., Any]:
        """It as a function of bare numbers or arrays in SI base units, in the order of ``names``; without checks."""

        def value(*arguments: Any) -> Any:
            quantities = {name: Quantity(a) for name, a in zip(names, arguments, strict=True)}
            with np.errstate(all="ignore"):
                return arithmetic.compute(self.text, guard.tree(self.text), quantities, {})

        return value


def _expression(text: str, places: Places) -> Expression:
    try:
        nodes = list(ast.walk(guard.tree(text)))
    except Refused as refused:
        raise _file_error(refused, places) from None
    functions = [node.func for node in nodes if isinstance(node, ast.Call)]
    called = {id(function) for function in functions}
    words = {n.id for n in nodes if isinstance(n, ast.Name) and id(n) not in called}
    calls = frozenset(function.id for function in functions if isinstance(function, ast.Name))
    return Expression(text, frozenset(word for word in words if not is_constant(word)), calls, places)


def _file_error(refused: Refused, places: Places) -> FileError:
    return FileError(Problem(refused.kind, refused.message, place(places, refused.offset), refused.hint))


def checked(flat: str, places: Places, extra: Mapping[str, int]) -> Expression:
    """An expression out of text that is already on one line. Raises ``FileError``."""
    try:
        guard.check(flat, extra)
    except Refused as refused:
        raise _file_error(refused, places) from None
    return _expression(flat, places)


def parse(text: str, lines: Sequence[Mark] = (), extra: Mapping[str, int] | None = None) -> Expression:
    """Check an expression.

    ``lines`` has the place of each line of ``text`` in the file (``Tree.lines``); ``extra`` maps the functions allowed
    beyond Brian2's to their number of arguments. Raises ``FileError`` with the place.
    """
    flat, places = lay_out(text[: 10 * guard.MAX_TEXT], lines)
    return checked(flat, places, extra or {})


def undeclared(expression: Expression, known: Iterable[str]) -> list[Problem]:
    """One problem for each name that is not in ``known``, with the nearest one."""
    known = set(known)
    unknown = sorted(expression.names - known)
    return [Problem("name", f"{n} is not declared", expression.mark_of(n), suggest(n, known)) for n in unknown]


def dims_of(expression: Expression, dims: Mapping[str, Dims]) -> Dims:
    """Dimensions of an expression by Brian2's rules; conditions are plain numbers. Raises ``FileError``."""
    try:
        return arithmetic.infer(expression.text, guard.tree(expression.text), dims, {})
    except Refused as refused:
        raise _file_error(refused, expression.places) from None


@dataclass(frozen=True)
class Statement:
    """``target op expression``; ``text`` is the same on one line, as Brian2 takes it."""

    target: str
    op: str
    expression: Expression
    mark: Mark = field(compare=False)

    @property
    def text(self) -> str:
        value = self.expression.text
        # Brian2 checks the dimensions of `w *= a + b` as those of w*a + b.
        loose = self.op in ("*=", "/=") and not isinstance(guard.tree(value), ast.Name | ast.Constant | ast.Call)
        return f"{self.target} {self.op} {f'({value})' if loose else value}"

    def rename(self, names: Mapping[str, str]) -> Statement:
        """Variables renamed, the target too."""
        return replace(self, target=names.get(self.target, self.target), expression=self.expression.rename(names))

    def substitute(self, code: Mapping[str, str]) -> Statement:
        """Variables of the right side replaced by code in parentheses."""
        return replace(self, expression=self.expression.substitute(code))


def parse_code(text: str, lines: Sequence[Mark] = (), extra: Mapping[str, int] | None = None) -> tuple[Statement, ...]:
    """Check code: statements on lines or separated by ``;``, continued inside brackets. Raises ``FileError``."""
    problems, statements = Problems(), []
    if len(text) > 10 * guard.MAX_TEXT:
        problems.add("limit", f"code is at most {10 * guard.MAX_TEXT:,} characters long", lines[0] if lines else None)
        problems.raise_any()
    for piece, marks in split(text, lines, _ASSIGNMENT):
        try:
            statements.append(_statement(*lay_out(piece, marks), extra or {}))
        except FileError as error:
            problems.take(error)
    problems.raise_any()
    return tuple(statements)


_ASSIGNMENT = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(\*\*=|//=|<<=|>>=|[-+*/%&|^@:]?=)(?!=)", re.ASCII)
_BLOCKS = frozenset(
    ("if", "elif", "else", "for", "while", "def", "class", "import", "from", "return", "with", "del", "global", "try")
)


def _statement(flat: str, places: Places, extra: Mapping[str, int]) -> Statement:
    match = _ASSIGNMENT.match(flat)
    word = re.match(r"\w*", flat)
    if word and word[0] in _BLOCKS:
        hint = "Brian2 code has no blocks: write v = int(c)*a + int(not c)*b." if "if" in word[0] else ""
        raise _file_error(Refused("syntax", f"{word[0]} is not part of Brian2's language", 0, hint), places)
    if not match:
        hint = "Write = to assign, == compares." if "==" in flat else "Write v = ..., or +=, -=, *=, /=."
        shown = flat if len(flat) <= 40 else flat[:37] + "..."
        raise _file_error(Refused("syntax", f"{shown} is not an assignment", 0, hint), places)
    target, op = match[1], match[2]
    if op not in ("=", "+=", "-=", "*=", "/="):
        hint = f"Write {target} = {target}{op[:-1]}(...)." if op in ("**=", "//=", "%=") else "Write = to assign."
        raise _file_error(Refused("syntax", f"Brian2 code has no {op}", match.start(2), hint), places)
    if reason := refused_name(re.sub(r"_(pre|post)$", "", target)):
        raise _file_error(Refused("name", f"{target} cannot be assigned: {reason}", 0), places)
    start = match.end() + flat[match.end() :].startswith(" ")
    rest = tuple(shift(places, start, len(flat), -start)) or ((0, place(places, len(flat))),)
    expression = checked(flat[start:], rest, extra)
    for name in sorted(expression.calls & RANDOM):
        if expression.count(name) > 1:
            message, hint = (
                f"Brian2 draws {name} only once in a statement",
                "Draw one into a variable of its own first.",
            )
            raise FileError(Problem("value", message, expression.mark_of(name), hint))
    return Statement(target, op, expression, place(places, match.start(1)))
