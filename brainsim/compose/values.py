"""Values on their way into a plan: periods, initial values, literals in code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from brainsim.compose.plan import Initial
from brainsim.compose.scope import SYNAPSE_BUILT_IN, TIME, Checker, Declared
from brainsim.errors import FileError, Mark, Problems, suggest
from brainsim.expressions import Expression, parse
from brainsim.source import Tree
from brainsim.units import NONE, Dims, Quantity, describe
from brainsim.units import parse as parse_quantity


@dataclass(frozen=True)
class Clock:
    """The time steps of the run that code may ask for."""

    dt: float
    trial: float | None = None  # duration of a trial

    def whole(self, seconds: float) -> bool:
        """Whether a time is a whole number of steps."""
        steps = seconds / self.dt
        return abs(steps - round(steps)) < 1e-6 * max(1.0, abs(steps)) and round(steps) >= 0

    def period(self, each: str, values: Mapping[str, Quantity], mark: Mark | None, problems: Problems) -> float:
        """Seconds between two runs of a piece of code; dt (and a problem) if it cannot be told."""
        if each == "dt":
            return self.dt
        if each == "trial_start":
            if self.trial is None:
                problems.add(
                    "needs", "each: trial_start needs an experiment with trials", mark, "Add trial: and phases:."
                )
            return self.trial or self.dt
        value = values.get(each)
        if value is None:
            problems.add(
                "name",
                f"each: {each} is no parameter of this file",
                mark,
                suggest(each, [*values, "dt", "trial_start"]),
            )
            return self.dt
        if tuple(value.dims) != TIME or not value.value > 0:
            problems.add(
                "unit", f"each: {each} must be a positive time, got {value}", mark, "Write a time such as 10 ms."
            )
            return self.dt
        if not self.whole(value.value) or value.value < self.dt * (1 - 1e-6):
            problems.add("value", f"{each} = {value} is no multiple of the time step {self.dt * 1e3:g} ms", mark,
                         self.multiples(value.value))  # fmt: skip
            return self.dt
        return float(value.value)

    def multiples(self, seconds: float) -> str:
        """The two nearest times that are whole steps."""
        below = max(1, int(seconds / self.dt))
        return f"Nearest multiples: {below * self.dt * 1e3:g} ms and {(below + 1) * self.dt * 1e3:g} ms."


@dataclass(frozen=True)
class Start:
    """Where an initial value comes from, before it is resolved."""

    value: Any  # Quantity, number, text of a value or code
    values: Mapping[str, Quantity]  # parameters it may name
    tree: Tree
    path: tuple


def initial_values(
    path: str,
    starts: Mapping[str, Start],
    declared: Mapping[str, Declared],
    problems: Problems,
    *,
    synapse: bool = False,
    distance: Dims | None = None,
) -> tuple[Initial, ...]:
    """Initial values in an order in which each finds the variables it reads; parameters become literals.

    ``distance`` has the dimensions of ``d``, where there is a distance between the cells a synapse joins.
    """
    made: dict[str, Initial] = {}
    reads: dict[str, set[str]] = {}
    extra = {name: dims for name, dims in SYNAPSE_BUILT_IN.items() if name in ("i", "j", "N_pre", "N_post")}
    extra |= {"d": distance} if distance is not None and "d" not in declared else {}
    builtin = extra if synapse else {"i": NONE, "N": NONE}
    for name, start in starts.items():
        mark = start.tree.mark(start.path)
        there = declared.get(name)
        if there is None or (there.equation is not None and there.equation.kind == "sub"):
            problems.add(
                "name",
                f"initial: {path} has no variable {name}"
                if there is None
                else f"{name} is computed, it has no initial value",
                start.tree.key_mark(start.path),
                suggest(name, [n for n, d in declared.items() if d.equation is None or d.equation.kind != "sub"]),
            )
            continue
        if isinstance(start.value, Mapping):  # {from: RUN}
            made[name] = Initial(name, "", there.dims, f"{path}.{name}", saved=str(start.value["from"]), mark=mark)
            reads[name] = set()
            continue
        expression = _expression(start, mark, problems)
        if expression is None:
            continue
        literal = {
            n: q.code for n, q in start.values.items() if not (n in declared and declared[n].per_cell and n != name)
        }
        expression = expression.substitute({n: code for n, code in literal.items() if n in expression.names})

        def find(n: str) -> Any:
            return builtin.get(n) or (declared[n].dims if n in declared else None)

        dims = Checker(find, lambda: [*builtin, *declared, *start.values], problems).dims(expression)  # noqa: B023
        if dims is not None and tuple(dims) != tuple(there.dims):
            problems.add(
                "dimension", f"{name} starts as {describe(dims)}, but it is {describe(there.dims)}", mark,
                f"Write a value of {describe(there.dims)}.")  # fmt: skip
        integer = there.equation is not None and there.equation.type != "float"
        made[name] = Initial(name, expression.text, there.dims, f"{path}.{name}", integer=integer, mark=mark)
        reads[name] = set(expression.names) & set(starts)
    return tuple(made[name] for name in _ordered(made, reads, problems))


def _expression(start: Start, mark: Mark | None, problems: Problems) -> Expression | None:
    """The initial value as an expression: ``20 mV`` becomes ``20*mV``, code stays code."""
    lines = start.tree.lines.get(start.path, ())
    try:
        if isinstance(start.value, Quantity):
            return parse(f"({start.value.code})")
        try:
            return parse(f"({parse_quantity(start.value).code})", lines)
        except ValueError:
            return parse(str(start.value), lines)
    except FileError as error:
        problems.take(error)
        return None


def _ordered(made: Mapping[str, Initial], reads: Mapping[str, set[str]], problems: Problems) -> list[str]:
    """Names such that each comes after those it reads."""
    done: list[str] = []
    waiting = list(made)
    while waiting:
        ready = [n for n in waiting if not (reads[n] - {n}) & set(waiting)]
        if not ready:
            problems.add("cycle", f"initial values of {', '.join(waiting)} need each other", made[waiting[0]].mark)
            return done + waiting
        done += ready
        waiting = [n for n in waiting if n not in ready]
    return done
