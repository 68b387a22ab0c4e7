"""Values of regions and experiments: literals, and expressions over the parameters of one region."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from brainsim import units
from brainsim.errors import FileError, Problems, nearest, suggest
from brainsim.expressions import RANDOM, Expression, dims_of, parse
from brainsim.overrides import Given
from brainsim.units import NONE, VALUE_UNITS, DimensionError, Dims, Quantity, describe, unit_name

MAX_SIZE = 10**8
_WORD = re.compile(r"[A-Za-z_]\w*")
_NUMBER_UNIT = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*(?P<unit>[^\W\d][^()+,<>=]*)$")
_SPACED = re.compile(r"\s*[-+]?[\d.]+(?:[eE][-+]?\d+)?\s*[A-Za-z][^()+,<>=]*$")


@dataclass(frozen=True)
class Scope:
    """The parameters that a value may name, and which of them were."""

    owner: str  # in words, for messages
    values: Mapping[str, Quantity] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()  # wrong themselves, and reported: what names them is not reported again
    read: set[str] = field(default_factory=set)
    literal: str = ""  # why there are no names here, if there are none


def expression(given: Given, names: Iterable[str], what: str, problems: Problems) -> Expression | Quantity | None:
    """A value as a quantity if it is a literal, else as an expression; None if it is neither (and a problem)."""
    value, known = given.value, set(names)
    if not isinstance(value, str):
        try:
            return units.parse(value)
        except ValueError as error:
            problems.add("value", f"{what}: {error}", given.mark, "Write a finite number, with its unit after a space.")
            return None
    # 0.1*J is a product where J is a parameter; 0.1 J are joules.
    if _SPACED.match(value) or not known & set(_WORD.findall(value)):
        try:
            return units.parse(value)
        except ValueError as error:
            found = _NUMBER_UNIT.match(value)
            if found and not _simple(value):
                wrong = found["unit"].strip()
                problems.add("unit", f"{what}: {error}", given.mark, _unit_hint(value, wrong))
                return None
    try:
        return parse(value, given.lines or ((given.mark,) if given.mark else ()))
    except FileError as error:
        _take(error, given, problems)
        return None


def _take(error: FileError, given: Given, problems: Problems) -> None:
    """Add what is wrong with an expression; each problem says what to do next."""
    for problem in error.problems:
        problems.add(problem.kind, problem.message, problem.mark, problem.hint or f"Check {given.text[:80]}.")


def _simple(text: str) -> bool:
    """Whether text that begins with a number goes on as a product (``4*n``) or a power, not as a unit."""
    return bool(re.match(r"\s*[-+]?[\d.]+(?:[eE][-+]?\d+)?\s*[-+*/%<>=]", text))


def _unit_hint(text: str, unit: str) -> str:
    if re.search(r"[-+*/]\s*\d", unit):
        return "In an expression units are multiplied: 2*ms + 3*ms."
    head = (_WORD.search(unit) or [unit])[0]
    close = nearest(head, VALUE_UNITS)
    return f"Did you mean {close}?" if close else "Write number, space, unit: 20 ms, 0.5 nS, 3."


def evaluate(
    given: Given, scope: Scope, what: str, problems: Problems, dims: Dims | None = None, positive: bool | None = None
) -> Quantity | None:
    """The value of a literal or expression, finite and with the dimensions ``dims``.

    ``positive``: True for > 0, False for >= 0. None comes back for a value that is wrong, and a problem is added.
    """
    found = expression(given, [*scope.values, *scope.broken], what, problems)
    if isinstance(found, Expression):
        found = _compute(found, given, scope, what, problems, dims)
    if found is None or not fits(found, given, what, problems, dims):
        return None
    if not _finite(found):
        problems.add(
            "value", f"{what} is {found.value}, which is not a finite number", given.mark, f"Check {given.text}."
        )
        return None
    if positive is not None and (found.value < 0 or (positive and found.value == 0)):
        wanted = "must be positive" if positive else "must not be negative"
        problems.add("value", f"{what} {wanted}, got {given.text}", given.mark, _example(found.dims))
        return None
    return found


def fits(found: Quantity, given: Given, what: str, problems: Problems, dims: Dims | None) -> bool:
    """Whether the dimensions are right; a problem of kind ``unit`` if not."""
    if dims is None or tuple(found.dims) == tuple(dims):
        return True
    came = given.text if isinstance(given.value, str) or found.dims == NONE else str(found)
    if re.fullmatch(_WORD, given.text) or not re.match(r"\s*[-+]?[\d.]", given.text):
        came = f"{came}, {describe(found.dims)}"
    elif found.dims == NONE:
        came = f"{came} without a unit"
    problems.add("unit", f"{what} expects {describe(dims)}, got {came}", given.mark, _example(dims))
    return False


_EXAMPLES = {
    "a time": "20 ms",
    "a voltage": "-70 mV",
    "a current": "100 pA",
    "a conductance": "10 nS",
    "a capacitance": "200 pF",
    "a rate": "5 Hz",
    "a length": "1 mm",
    "a resistance": "50 Mohm",
    "a plain number": "0.5",
}


def _example(dims: Dims) -> str:
    return f"Write for example {_EXAMPLES.get(describe(tuple(dims)), f'1 {unit_name(tuple(dims))}')}."


def _finite(found: Quantity) -> bool:
    try:
        return bool(np.all(np.isfinite(found.value)))
    except TypeError:
        return False


def _compute(
    found: Expression, given: Given, scope: Scope, what: str, problems: Problems, dims: Dims | None
) -> Quantity | None:
    names = set(found.names)
    scope.read.update(names & set(scope.values))
    if names & set(scope.broken):
        return None
    random = found.calls & RANDOM
    if random:
        problems.add(
            "value",
            f"{what} must be one value, so {min(random)}() has no meaning here",
            given.mark,
            "Random values stand under initial or delay.",
        )
        return None
    unknown = sorted(names - set(scope.values))
    for name in unknown:
        _unknown(name, given, scope, what, problems, dims)
    if unknown:
        return None
    try:
        with np.errstate(all="ignore"):
            result = found.evaluate(dict(scope.values))
        value = np.asarray(result.value, dtype=float)
        plain = Quantity(float(value), tuple(result.dims))
        # Written as a literal would be, so that code made from it is the same when the model is read back.
        return replace(plain, text=str(literal(plain))) if _finite(plain) else plain
    except FileError as error:
        _take(error, given, problems)
    except DimensionError as error:
        problems.add("dimension", f"{what}: {error}", given.mark, f"Check the units in {given.text}.")
    except (ArithmeticError, ValueError, TypeError) as error:
        problems.add(
            "value", f"{what} cannot be computed from {given.text}: {error}", given.mark, "Check the numbers in it."
        )
    return None


def _unknown(name: str, given: Given, scope: Scope, what: str, problems: Problems, dims: Dims | None) -> None:
    if given.text.strip() == name and dims is not None and not scope.literal and not nearest(name, scope.values):
        kind = "unit" if name in ("nan", "inf", "NaN") else "name"
        problems.add(kind, f"{what} expects {describe(dims)}, got {name}", given.mark, _example(dims))
    elif scope.literal:
        problems.add("name", f"{what}: {name} is not known here", given.mark, scope.literal)
    else:
        hint = suggest(name, scope.values, "parameter")
        problems.add("name", f"{what}: {name} is no parameter of {scope.owner}", given.mark, hint)


def code(
    given: Given,
    scope: Scope,
    what: str,
    problems: Problems,
    *,
    allowed: Mapping[str, Dims | None],
    builtin: Iterable[str],
    dims: Dims | None = None,
) -> Quantity | str | None:
    """A literal quantity, or code in which the parameters of the region are literals such as ``(-70*mV)``.

    ``allowed`` are further names with their dimensions (None where not known), ``builtin`` those of Brian2 (``i``,
    ``N``). An expression that draws nothing and names nothing but parameters of the region is evaluated.
    """
    known = {**dict.fromkeys(builtin, NONE), **allowed}
    found = expression(given, [*scope.values, *scope.broken, *known], what, problems)
    if not isinstance(found, Expression):
        return found if found is not None and fits(found, given, what, problems, dims) else None
    names = set(found.names)
    both = sorted(names & set(builtin) & set(scope.values))
    for name in both:
        problems.add(
            "name",
            f"{what}: {name} is a parameter of {scope.owner} and has a meaning of its own in code",
            given.mark,
            "Rename the parameter.",
        )
    if both or names & set(scope.broken):
        return None
    if not found.calls & RANDOM and names <= set(scope.values):
        return evaluate(given, scope, what, problems, dims)
    unknown = sorted(names - set(scope.values) - set(known))
    for name in unknown:
        problems.add("name", f"{what}: {name} is not known here", given.mark, suggest(name, [*known, *scope.values]))
    if unknown:
        return None
    inside = names & set(scope.values)
    scope.read.update(inside)
    had_by_name = {n: scope.values[n].dims if n in inside else known[n] for n in names}
    certain = {n: had for n, had in had_by_name.items() if had is not None}
    if dims is not None and len(certain) == len(names):
        try:
            had = dims_of(found, certain)
        except FileError as error:
            _take(error, given, problems)
            return None
        if tuple(had) != tuple(dims):
            problems.add(
                "unit",
                f"{what} expects {describe(dims)}, got {describe(tuple(had))}",
                given.mark,
                f"Check the units of {given.text}.",
            )
            return None
    return found.substitute({n: scope.values[n].code for n in inside}).text if inside else found.text


def whole(given: Given, scope: Scope, what: str, problems: Problems, least: int = 0) -> int | None:
    """A whole number from ``least`` to a hundred million."""
    found = evaluate(given, scope, what, problems, NONE)
    if found is None:
        return None
    number = round(float(found.value), 9)  # 0.1*30 is 3
    got = (
        given.text
        if given.text == f"{number:g}"
        else f"{given.text} = {number:g}"
        if _WORD.search(given.text)
        else given.text
    )
    if number != int(number):
        near = f"Nearest: {int(number // 1)} or {int(number // 1) + 1}."
        problems.add(
            "value",
            f"{what} must be a whole number, got {got}",
            given.mark,
            f"{near} Or write floor(...) or ceil(...).",
        )
    elif number < least:
        problems.add(
            "value", f"{what} must be {least} or more, got {got}", given.mark, "0 leaves it out." if least == 0 else ""
        )
    elif number > MAX_SIZE:
        problems.add(
            "value", f"{what} must be at most {MAX_SIZE:,}, got {got}", given.mark, "Check the number of zeros."
        )
    else:
        return int(number)
    return None


def literal(found: Quantity) -> bool | int | float | str:
    """A quantity as YAML that reads back as the same value, to the last bit."""
    if found.text in ("true", "false"):
        return found.text == "true"
    value = float(found.value)
    if tuple(found.dims) == NONE:
        return int(value) if value.is_integer() and abs(value) < 1e15 else value
    # 0.1 mV is not 100 uV to the last bit: the next prefix may be the one that is exact.
    for text in (found.text, *(units.in_words(found, shift) for shift in (0, 1, -1))):
        try:
            back = units.parse(text)
        except ValueError:
            continue
        if back.value == value and tuple(back.dims) == tuple(found.dims):
            return text
    return f"{value!r} {unit_name(tuple(found.dims))}"
