"""Which names a piece of code may use, and whether its dimensions agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from brainsim.equations import Equation, check_size
from brainsim.errors import FileError, Mark, Problems, suggest
from brainsim.expressions import Expression, Statement, dims_of
from brainsim.names import BUILT_IN
from brainsim.units import NONE, UNITS, Dims, Quantity, describe, unit_name

TIME = UNITS["second"][1]
#: Names Brian2 gives cells, and those it gives synapses.
CELL_BUILT_IN = {n: BUILT_IN[n] for n in ("t", "dt", "t_in_timesteps", "i", "N", "lastspike", "not_refractory")}
SYNAPSE_BUILT_IN = {
    n: BUILT_IN[n] for n in ("t", "dt", "t_in_timesteps", "i", "j", "N", "N_pre", "N_post", "lastupdate")
}
#: What cells may show of the trial clock: number of the trial, step within it, earlier showings of the sample.
TRIAL_SHOWN = ("trial", "trial_step", "repeats")
#: Names a trial gives: those, and how many steps it has.
TRIAL = (*TRIAL_SHOWN, "trial_steps")


@dataclass(frozen=True)
class Declared:
    """A name that an object has: a variable with its equation, or a parameter with its value."""

    name: str
    dims: Dims
    owner: str  # the part it comes from
    equation: Equation | None = None
    value: Quantity | None = None
    per_cell: bool = False
    mark: Mark | None = None

    @property
    def is_parameter(self) -> bool:
        return self.equation is None

    def told(self) -> str:
        """What the parameter is and where it is set."""
        place = f" ({self.mark})" if self.mark else ""
        return f"{self.name} is {self.value}{place}" if self.value is not None else ""

    @property
    def event_driven(self) -> bool:
        return self.equation is not None and "event-driven" in self.equation.flags


def declaration(name: str, dims: Dims, per_cell: bool) -> str:
    """The line that puts a parameter on an object: its value is set at run time, so it never recompiles."""
    return f"{name} : {unit_name(dims)} ({'constant' if per_cell else 'shared, constant'})"


def render_code(statements: Iterable[Statement]) -> str:
    """Statements as text, one a line."""
    return "\n".join(s.text for s in statements)


def rename_code(statements: Iterable[Statement], names: Mapping[str, str]) -> tuple[Statement, ...]:
    """Statements with names replaced on both sides."""
    return tuple(s.rename(names) for s in statements)


def names_in(statements: Iterable[Statement]) -> set[str]:
    """Every name that statements read or set."""
    found: set[str] = set()
    for statement in statements:
        found |= {statement.target, *statement.expression.names}
    return found


def bounded(equations: Iterable[Equation], problems: Problems) -> None:
    """Refuse equations that, merged from several files, run in a circle or would keep SymPy busy for ever."""
    try:
        check_size(equations)
    except FileError as error:
        problems.take(error)


class Checker:
    """Checks equations, conditions and code of one object against the names it has.

    ``find(name)`` gives the dimensions of a name, or ``None``; ``known()`` lists names for suggestions.
    """

    def __init__(self, find: Callable[[str], Dims | None], known: Callable[[], Iterable[str]], problems: Problems):
        self.find, self.known, self.problems = find, known, problems

    def names(self, expression: Expression, local: Mapping[str, Dims] | None = None) -> dict[str, Dims] | None:
        """Dimensions of every name in an expression; ``None`` (and problems) if one is unknown."""
        found: dict[str, Dims] = {}
        complete = True
        for name in sorted(expression.names):
            dims = (local or {}).get(name)
            dims = self.find(name) if dims is None else dims
            if dims is None:
                complete = False
                if self.expected(name):
                    continue
                self.problems.add("name", f"nothing is called {name} here", expression.mark_of(name), self.advice(name))
            else:
                found[name] = dims
        return found if complete else None

    def expected(self, name: str) -> bool:
        """Whether a missing name has been reported elsewhere already."""
        return False

    def advice(self, name: str) -> str:
        return suggest(name, self.known())

    def origin(self, name: str) -> str:
        """Where a name got its dimension, for hints; empty if there is nothing to say."""
        return ""

    def _explained(self, error: FileError, expression: Expression) -> FileError:
        """The error with the place of each parameter that takes part in it."""
        origins = [text for text in (self.origin(name) for name in sorted(expression.names)) if text]
        add = "\n".join(origins)
        return FileError([replace(p, hint=f"{p.hint}\n{add}".strip()) for p in error.problems])

    def dims(self, expression: Expression, local: Mapping[str, Dims] | None = None) -> Dims | None:
        """Dimensions of an expression; ``None`` if it is wrong, which is then reported."""
        found = self.names(expression, local)
        if found is None:
            return None
        try:
            return dims_of(expression, found)
        except FileError as error:
            self.problems.take(self._explained(error, expression))
            return None

    def equation(self, equation: Equation) -> None:
        if equation.expression is None:
            return
        dims = self.dims(equation.expression)
        if dims is None:
            return
        wanted = equation.dims
        if equation.kind == "diff":
            wanted = tuple(a - b for a, b in zip(equation.dims, TIME, strict=True))
        if tuple(dims) != tuple(wanted):
            left = f"d{equation.name}/dt" if equation.kind == "diff" else equation.name
            per = f"{describe(equation.dims)} per second" if equation.kind == "diff" else describe(wanted)
            self.problems.add(
                "dimension",
                f"{left} must be {per}, but its right side is {describe(dims)}",
                equation.mark,
                f"Check the units of: {equation.expression.text}",
            )

    def code(self, statements: Iterable[Statement]) -> None:
        """Statements: every name known, both sides of the same dimension; new names are locals if they are read."""
        statements = tuple(statements)
        local: dict[str, Dims] = {}
        for index, statement in enumerate(statements):
            dims = self.dims(statement.expression, local)
            target = self.find(statement.target)
            if target is None and statement.target in local:
                target = local[statement.target]
            if target is None:
                read = any(statement.target in later.expression.names for later in statements[index + 1 :])
                if statement.op == "=" and read:
                    local[statement.target] = dims if dims is not None else NONE
                elif not self.expected(statement.target):
                    self.problems.add(
                        "name",
                        f"{statement.target} is set, but nothing here is called that",
                        statement.mark,
                        self.advice(statement.target),
                    )
                continue
            if dims is None:
                continue
            wanted = NONE if statement.op in ("*=", "/=") else target
            if tuple(dims) != tuple(wanted):
                self.problems.add(
                    "dimension",
                    f"{statement.target} is {describe(target)}, but the right side of {statement.op} is"
                    f" {describe(dims)}",
                    statement.mark,
                    f"Check the units of: {statement.expression.text}",
                )

    def condition(self, expression: Expression) -> None:
        dims = self.dims(expression)
        if dims is not None and tuple(dims) != NONE:
            self.problems.add(
                "dimension",
                f"a condition is true or false, not {describe(dims)}",
                expression.mark,
                "Compare it with a value.",
            )
