"""Brian2's equations: read, checked, and taken apart one variable at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from brainsim import guard
from brainsim.errors import FileError, Mark, Problem, Problems, nearest, suggest
from brainsim.expressions import Expression, checked
from brainsim.guard import Refused
from brainsim.names import refused_name
from brainsim.places import Places, lay_out, line_marks, place, shift
from brainsim.units import NONE, UNITS, Dims, parse_unit, unit_name

#: Flag -> kinds of equation Brian2 takes it on.
FLAGS: dict[str, tuple[str, ...]] = {
    "unless refractory": ("diff",),
    "event-driven": ("diff",),
    "clock-driven": ("diff",),
    "summed": ("sub",),
    "constant over dt": ("sub",),
    "shared": ("sub", "param"),
    "constant": ("param",),
    "linked": ("param",),
}
_KINDS = {"diff": "a differential equation", "sub": "an equation", "param": "a variable without equation"}
_TYPES = {"integer": "integer", "boolean": "boolean"}


@dataclass(frozen=True)
class Equation:
    """One variable. ``kind`` is ``diff`` (dx/dt = ...), ``sub`` (x = ...) or ``param`` (x : unit)."""

    kind: str
    name: str
    expression: Expression | None
    unit: str
    dims: Dims
    type: str = "float"
    flags: tuple[str, ...] = ()
    mark: Mark | None = field(default=None, compare=False)

    @property
    def text(self) -> str:
        """The equation on one line, as Brian2 takes it."""
        left = f"d{self.name}/dt = " if self.kind == "diff" else f"{self.name} = " if self.kind == "sub" else self.name
        flags = f" ({', '.join(self.flags)})" if self.flags else ""
        return f"{left}{self.expression.text if self.expression else ''} : {self.unit}{flags}"

    def rename(self, names: Mapping[str, str]) -> Equation:
        """Variables renamed, its own name too."""
        expression = self.expression.rename(names) if self.expression else None
        return replace(self, name=names.get(self.name, self.name), expression=expression)

    def substitute(self, code: Mapping[str, str]) -> Equation:
        """Variables of the right side replaced by code in parentheses."""
        return replace(self, expression=self.expression.substitute(code)) if self.expression else self


_HEAD = re.compile(
    r"\s*(?:d(?P<diff>[A-Za-z_][A-Za-z0-9_]*)\s*/\s*dt\s*=(?!=)|(?P<sub>[A-Za-z_][A-Za-z0-9_]*)\s*=(?!=)"
    r"|(?P<param>[A-Za-z_][A-Za-z0-9_]*)\s*(?=:))",
    re.ASCII,
)
_TAIL = re.compile(r":\s*(?P<unit>[^():]*?)\s*(?P<flags>\((?P<inside>[^()]*)\))?\s*$")


def parse_equations(
    text: str, lines: Sequence[Mark] = (), extra: Mapping[str, int] | None = None
) -> tuple[Equation, ...]:
    """Check equations, one variable each; a right side may go on over several lines. Raises ``FileError``."""
    problems, equations = Problems(), []
    if len(text) > 10 * guard.MAX_TEXT:
        message = f"equations are at most {10 * guard.MAX_TEXT:,} characters long"
        problems.add("limit", message, lines[0] if lines else None)
        problems.raise_any()
    for piece, marks in _pieces(text, lines):
        try:
            equations.append(_equation(*lay_out(piece, marks), extra or {}))
        except FileError as error:
            problems.take(error)
    seen: dict[str, Equation] = {}
    for equation in equations:
        if equation.name in seen:
            hint = f"The first is at {seen[equation.name].mark}."
            problems.add("name", f"{equation.name} has two equations", equation.mark, hint)
        seen[equation.name] = equation
    problems.raise_any()
    check_size(equations)
    return tuple(equations)


def _pieces(text: str, lines: Sequence[Mark]) -> list[tuple[str, list[Mark]]]:
    """The text of each equation with the places of its lines: a line that opens one ends the one before."""
    pieces: list[tuple[list[str], list[Mark]]] = []
    for line, mark in zip(text.split("\n"), line_marks(text, lines), strict=False):
        code = line.split("#", 1)[0]
        if not code.strip():
            continue
        complete = bool(pieces) and ":" in " ".join(pieces[-1][0])
        if pieces and not complete and not _HEAD.match(code):
            pieces[-1][0].append(code)
            pieces[-1][1].append(mark)
        else:
            pieces.append(([code], [mark]))
    return [("\n".join(codes), marks) for codes, marks in pieces]


def _refuse(kind: str, message: str, places: Places, offset: int, hint: str = "") -> FileError:
    return FileError(Problem(kind, message, place(places, offset), hint))


def _equation(flat: str, places: Places, extra: Mapping[str, int]) -> Equation:
    head = _HEAD.match(flat)
    if not head:
        hint = "Write dv/dt = ... : volt, or I = ... : amp, or w : 1."
        if re.search(r"d\w+\s*/\s*dt", flat):
            hint = "The left side is dv/dt alone; divide the right side by the factor."
        shown = flat if len(flat) <= 40 else flat[:37] + "..."
        raise _refuse("syntax", f"{shown} is not an equation", places, 0, hint)
    kind, name = next((k, n) for k, n in head.groupdict().items() if n)
    at = head.start(kind)
    colon = flat.find(":", head.end())
    if colon < 0:
        hint = "End it with a colon and a unit: : volt, or : 1 for a plain number."
        raise _refuse("syntax", f"the equation of {name} has no unit", places, len(flat), hint)
    tail = _TAIL.match(flat, colon)
    if not tail:
        hint = "After the colon come a unit and perhaps flags: : volt (unless refractory)."
        raise _refuse("syntax", f"{flat[colon:][:40]} is not a unit", places, colon, hint)
    unit, dims, type_ = _unit(tail["unit"], places, tail.start("unit"))
    flags = _flags(tail["inside"], kind, name, places, tail.start("inside")) if tail["flags"] else ()
    side = re.sub(r"_(pre|post)$", "", name) if "summed" in flags else name
    if reason := refused_name(side, kind):
        raise _refuse("name", f"{name} cannot be declared: {reason}", places, at, "Choose another name.")
    if "summed" in flags and side == name:
        hint = f"Write {name}_post for a sum in the receiving cell."
        raise _refuse("name", f"{name} is summed, but it is not a variable of a cell", places, at, hint)
    if kind == "diff" and type_ != "float":
        message = f"{name} changes continuously, so it is no {type_}"
        raise _refuse("value", message, places, tail.start("unit"), "Write : 1.")
    expression = None
    if kind != "param":
        start = head.end() + flat[head.end() :].startswith(" ")
        right = flat[start:colon].rstrip()
        rest = tuple(shift(places, start, start + len(right), -start)) or ((0, place(places, start)),)
        expression = checked(right, rest, extra)
    return Equation(kind, name, expression, unit, dims, type_, flags, place(places, at - (kind == "diff")))


def _unit(text: str, places: Places, offset: int) -> tuple[str, Dims, str]:
    """Unit text as Brian2 takes it, dimensions, type."""
    if text in _TYPES:
        return text, NONE, _TYPES[text]
    if text in ("bool", "int", "float", ""):
        hint = {"bool": "Write boolean.", "int": "Write integer."}.get(text, "Write 1 for a plain number.")
        raise _refuse("unit", f"{text or 'nothing'} is not a unit", places, offset, hint)
    try:
        scale, dims = parse_unit(text)
    except ValueError as error:
        words = re.findall(r"[A-Za-z]\w*", text)
        unknown = next((w for w in words if w not in UNITS), "")
        close = nearest(unknown, UNITS) if unknown else ""
        hint = f"Did you mean {close}?" if close else "Write volt, amp, siemens, second, ..., or 1 for a plain number."
        raise _refuse("unit", str(error), places, offset, hint) from None
    words = re.findall(r"[A-Za-z]\w*", text)
    if scale != 1.0 or "(" in text or "^" in text or any(w not in UNITS or UNITS[w][0] != 1.0 for w in words):
        message = f"equations take units without prefix, not {text}"
        raise _refuse("unit", message, places, offset, f"Write {_plain(dims)}.")
    if dims == NONE and text != "1":
        raise _refuse("unit", f"{text} is a plain number", places, offset, "Write 1.")
    return text, dims, "float"


def _plain(dims: Dims) -> str:
    """The unscaled unit in the form equations take: no brackets."""
    name = unit_name(dims)
    if "(" not in name:
        return name
    factors = re.findall(r"(\w+)(?:\*\*\(?(-?[\d.]+)\)?)?", name)
    top = [n if p in ("", "1") else f"{n}**{p}" for n, p in factors if not p.startswith("-")]
    bottom = [n if p == "-1" else f"{n}**{p[1:]}" for n, p in factors if p.startswith("-")]
    return "/".join(["*".join(top) or "1", *bottom])


def _flags(text: str, kind: str, name: str, places: Places, offset: int) -> tuple[str, ...]:
    flags = []
    for part in text.split(","):
        flag = " ".join(part.split())
        at = offset + len(part) - len(part.lstrip())
        offset += len(part) + 1
        if flag not in FLAGS:
            raise _refuse("key", f"{flag or 'nothing'} is not a flag", places, at, suggest(flag, FLAGS, "flag"))
        if kind not in FLAGS[flag]:
            fitting = ", ".join(f for f, kinds in FLAGS.items() if kind in kinds)
            raise _refuse(
                "key", f"({flag}) does not go with {_KINDS[kind]} such as {name}", places, at, f"Possible: {fitting}."
            )
        flags.append(flag)
    return tuple(flags)


def check_size(equations: Iterable[Equation]) -> None:
    """Refuse what would keep SymPy busy for ever once Brian2 has put the equations into each other.

    Raises ``FileError``: equations that need each other in a circle, and products with too many terms.
    """
    by_name = {e.name: e for e in equations}
    known: dict[str, int] = {}
    problems = Problems()

    def count(equation: Equation, above: tuple[str, ...]) -> None:
        if equation.expression is None or equation.name in known:
            return
        known[equation.name] = 1
        for name in sorted(equation.expression.names):
            part = by_name.get(name)
            if part is None or part.kind != "sub":
                continue
            if name in (*above, equation.name):
                inside = above[above.index(name) :] if name in above else ()
                circle = " -> ".join([*inside, equation.name, name])
                problems.add("cycle", f"equations need each other: {circle}", equation.mark, "Give one a dx/dt.")
            else:
                count(part, (*above, equation.name))
        text = equation.expression.text
        try:
            terms = guard.count_terms(text, guard.tree(text), {n: known[n] for n in known if by_name[n].kind == "sub"})
        except Refused as refused:
            mark = place(equation.expression.places, refused.offset)
            problems.add(refused.kind, refused.message, mark, refused.hint)
            terms = 1
        known[equation.name] = terms

    for equation in by_name.values():
        count(equation, ())
    problems.raise_any()
