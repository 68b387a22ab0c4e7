"""The parameters of a region, which may be expressions over each other."""

from __future__ import annotations

import graphlib
from collections.abc import Mapping

from brainsim.circuit.values import Scope, evaluate, expression
from brainsim.errors import Mark, Problems
from brainsim.expressions import BUILT_IN, CONSTANTS, FUNCTIONS, Expression, refused_name
from brainsim.overrides import Given
from brainsim.source import Tree
from brainsim.units import UNITS, Dims, Quantity


def parameters(
    owner: str,
    givens: Mapping[str, tuple[Given, Scope | None]],
    problems: Problems,
    dims: Mapping[str, Dims] | None = None,
) -> Scope:
    """Evaluate the parameters of a region, in the order in which they name each other.

    Each comes with the scope it is evaluated in; None means the parameters of the region itself.
    """
    found: dict[str, Expression | Quantity | None] = {}
    for name, (given, outer) in givens.items():
        found[name] = expression(
            given, [*outer.values, *outer.broken] if outer else givens, f"{owner}.{name}", problems
        )
    inside = {
        name: set(value.names) & set(givens) if isinstance(value, Expression) and givens[name][1] is None else set()
        for name, value in found.items()
    }
    broken = {name for name, value in found.items() if value is None}
    order = _order(owner, inside, givens, broken, problems)
    values: dict[str, Quantity] = {}
    read: set[str] = set()
    for name in order:
        given, outer = givens[name]
        if name in broken or inside[name] & broken:
            broken.add(name)
            continue
        scope = outer or Scope(f"region {owner}", values, frozenset(broken), read)
        value = evaluate(given, scope, f"{owner}.{name}", problems, (dims or {}).get(name))
        if value is None:
            broken.add(name)
        else:
            values[name] = value
    return Scope(f"region {owner}", {name: values[name] for name in givens if name in values}, frozenset(broken), read)


def _order(
    owner: str,
    reads: dict[str, set[str]],
    givens: Mapping[str, tuple[Given, Scope | None]],
    broken: set[str],
    problems: Problems,
) -> list[str]:
    """Names, those that are read first; the members of a cycle are reported and become broken."""
    reads = dict(reads)
    while True:
        try:
            return list(graphlib.TopologicalSorter(reads).static_order())
        except graphlib.CycleError as error:
            cycle = error.args[1][:0:-1]  # each of them reads the next
            first = min(cycle, key=list(givens).index)
            at = cycle.index(first)
            chain = [*cycle[at:], *cycle[:at], first]
            problems.add(
                "cycle",
                f"parameters of {owner} need each other: {' -> '.join(chain)}",
                givens[first][0].mark,
                "Give one of them a value.",
            )
            broken.update(cycle)
            for name in cycle:
                reads[name] = set()


def name_problem(name: str, mark: Mark | None, problems: Problems) -> None:
    """Report a parameter of a region whose name means something else in expressions."""
    meaning = (
        "a unit" if name in UNITS else "a function" if name in FUNCTIONS else "a constant" if name in CONSTANTS else ""
    )
    if not meaning and name in ("t", "dt") and name in BUILT_IN:
        meaning = "a word of Brian2"
    if meaning:
        problems.add("name", f"{name} is {meaning}, so no parameter can be called that", mark, f"Try {name}_0.")


def part_names(tree: Tree, problems: Problems) -> None:
    """Report parameters and inputs of a neuron, synapse or rule whose names no variable of Brian2 may have."""
    for key in ("parameters", "inputs"):
        for name in tree.get((key,), {}) or {}:
            reason = refused_name(name)
            if reason:
                problems.add("name", f"no parameter can be called {name}: {reason}", tree.key_mark((key, name)),
                             f"Try {name.strip('_')}_0.")  # fmt: skip
