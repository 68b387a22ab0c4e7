"""Checks a synapse or a rule by itself, before any cell is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brainsim.circuit.parameters import part_names
from brainsim.compose.parsing import Parser
from brainsim.compose.scope import SYNAPSE_BUILT_IN, TRIAL, Checker
from brainsim.equations import Equation
from brainsim.errors import FileError, Problems, suggest
from brainsim.functions import ARITY
from brainsim.source import Tree
from brainsim.units import Dims
from brainsim.units import parse as parse_quantity


def check_alone(tree: Tree) -> None:
    """Check code, names and dimensions of a merged synapse or rule as far as they do not depend on its cells.

    Raises :class:`FileError` with every problem.
    """
    problems = Problems()
    part_names(tree, problems)
    extra = {name: ARITY[name] for name in tree.get(("functions",), ()) if name in ARITY}
    for index, name in enumerate(tree.get(("functions",), ())):
        if name not in ARITY:
            mark = tree.mark(("functions", index))
            problems.add("name", f"there is no function {name}", mark, suggest(name, ARITY, "function"))
    parser = Parser(tree, problems, extra)
    dims: dict[str, Dims] = {}
    for name, value in (tree.get(("parameters",), {}) or {}).items():
        try:
            dims[name] = parse_quantity(value).dims
        except ValueError as error:
            hint = "Write a number and a unit, such as 20 ms."
            problems.add("unit", str(error), tree.mark(("parameters", name)), hint)
    own = parser.equations("equations")
    _check(parser, own, _pieces(tree), {**dims, **_declared(own)}, False)
    for side in ("pre", "post"):
        if isinstance(tree.get((side,), None), Mapping):
            added = parser.equations(side, "equations")
            names = {**dims, **_declared(added)}
            _check(parser, added, _pieces(tree, side), names, True)
            for event in tree.get((side, "events"), {}) or {}:
                condition = parser.expression(side, "events", event, "if")
                if condition is not None:
                    _Alone(names, True, problems).condition(condition)
    problems.raise_any(FileError)


def _declared(equations: tuple[Equation, ...]) -> dict[str, Dims]:
    return {equation.name: equation.dims for equation in equations}


def _pieces(tree: Tree, *side: str) -> list[tuple[Any, ...]]:
    """Paths of everything that is code under ``side``."""
    found: list[tuple[Any, ...]] = [
        (*side, "every", k, "code") for k in range(len(tree.get((*side, "every"), ()) or ()))
    ]
    if side:
        events = [(*side, "events", event, "code") for event in tree.get((*side, "events"), {}) or {}]
        return [*found, (*side, "on_spike"), *events]
    for key in ("on_pre", "on_post"):
        given = tree.get((key,), "")
        if not isinstance(given, Mapping):
            found.append((key,))
            continue
        found += [(key, event, "code") if isinstance(item, Mapping) else (key, event) for event, item in given.items()]
    return found


def _check(
    parser: Parser,
    equations: tuple[Equation, ...],
    code: list[tuple[Any, ...]],
    names: Mapping[str, Dims],
    on_cell: bool,
) -> None:
    checker = _Alone(names, on_cell, parser.problems)
    for equation in equations:
        checker.equation(equation)
    for path in code:
        checker.code(parser.code(*path))


class _Alone(Checker):
    """Leaves open what only a cell can tell: ``v_post``, and every further name of code that runs on a cell."""

    def __init__(self, names: Mapping[str, Dims], on_cell: bool, problems: Problems):
        built_in = SYNAPSE_BUILT_IN
        super().__init__(lambda name: names.get(name, built_in.get(name)), lambda: [*names, *built_in], problems)
        self.on_cell = on_cell

    def expected(self, name: str) -> bool:
        return self.on_cell or name.endswith(("_pre", "_post")) or name in TRIAL
