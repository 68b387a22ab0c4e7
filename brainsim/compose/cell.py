"""One population on its way to a plan: the neuron, and what synapses and rules add to it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from brainsim.circuit import Part, Population
from brainsim.compose.parsing import Parser
from brainsim.compose.plan import Constant, Event, Group, Line, Link, Regular
from brainsim.compose.plan import Trial as PlannedTrial
from brainsim.compose.scope import (
    CELL_BUILT_IN,
    TRIAL,
    Checker,
    Declared,
    bounded,
    declaration,
    names_in,
    rename_code,
    render_code,
)
from brainsim.compose.values import Clock, Start, initial_values
from brainsim.equations import Equation
from brainsim.errors import Mark, Problems, suggest
from brainsim.expressions import Expression, Statement
from brainsim.spec.fields import Every
from brainsim.units import NONE, Dims, Quantity, parse_unit


@dataclass(frozen=True)
class Current:
    """A current that a projection lands on a port."""

    variable: str
    dims: Dims
    part: str
    projection: str
    mark: Mark | None


@dataclass(frozen=True)
class Timed:
    """Code that runs at fixed times."""

    statements: tuple[Statement, ...]
    item: Every
    period: float
    mark: Mark | None


class Cell:
    """Collects everything one population needs; :meth:`finish` makes the :class:`Group`."""

    def __init__(self, population: Population, name: str, clock: Clock, problems: Problems):
        self.population, self.name, self.clock, self.problems = population, name, clock, problems
        self.path, self.part = population.path, population.neuron
        self.declared: dict[str, Declared] = {}
        self.variants: dict[str, list[str]] = {}  # name as written -> names it got, one for each supplier
        self.used: set[str] = set()  # names that code reads: a parameter lands only where it is read
        self.threshold: Expression | None = None
        self.refractory: Expression | None = None
        self.resets: list[tuple[Statement, ...]] = []
        self.events: dict[str, Event] = {}
        self.event_code: list[tuple[Statement, ...]] = []
        self.conditions: list[Expression] = []
        self.timed: list[Timed] = []
        self.starts: dict[str, Start] = {}
        self.ports: dict[str, list[Current]] = {}
        self.potentials: dict[str, str] = {}  # port -> what its synapses mean by v
        self.links: list[Link] = []
        self.summed: dict[str, str] = {}  # variable -> projection whose synapses are summed into it in every step
        self.trial_inputs: list[tuple[str, str]] = []  # (variable, table)
        self.plays_samples = False  # spike trains of the sample that is shown
        self._neuron()

    # -- the neuron itself ------------------------------------------------------------------------

    def _neuron(self) -> None:
        spec, tree, values = self.part.spec, self.part.tree, self.part.values
        parser = Parser(tree, self.problems)
        starts = {**spec.initial, **self.population.initial}
        for name, text in spec.inputs.items():
            mark = tree.mark(("inputs", name))
            try:
                dims = parse_unit(text)[1]
            except ValueError as error:
                self.problems.add("unit", str(error), mark, "Write a unit such as Hz, amp or 1.")
                continue
            self._declare(Declared(name, dims, self.part.name, value=values.get(name), mark=mark))
        for name, value in values.items():
            if name not in spec.inputs:
                mark = tree.key_mark(("parameters", name))
                self._declare(
                    Declared(name, value.dims, self.part.name, value=value, per_cell=name in starts, mark=mark)
                )
        for equation in parser.equations("equations"):
            if equation.name in self.declared:
                self.problems.add(
                    "name", f"{equation.name} is a parameter and a variable", equation.mark, "Rename one of them."
                )
                continue
            self.declare_equation(equation, self.part.name)
        for port in ("I_syn", *spec.ports):
            self.ports[port] = []
        for port, potential in spec.ports.items() if isinstance(spec.ports, Mapping) else ():
            if potential in self.declared:
                self.potentials[port] = potential
            else:
                message = f"port {port}: {self.part.name} has no variable {potential}"
                mark = tree.mark(("ports", port))
                self.problems.add("name", message, mark, suggest(potential, self.declared, "variable"))
        self.threshold = self._condition(parser, ("threshold",))
        if spec.refractory:
            self.refractory = parser.expression("refractory")
            self.read(self.refractory.names if self.refractory else ())
        self._add_reset(parser.code("reset"))
        self._add_events(parser, ("events",), spec.events, {})
        self._add_every(parser, ("every",), spec.every, {}, values)
        for name, start in spec.initial.items():
            self.starts[name] = Start(start, values, tree, ("initial", name))
        for name, start in self.population.initial.items():
            self.starts[name] = Start(start, values, self.population.tree, ("initial", name))

    def _declare(self, declared: Declared) -> None:
        self.declared[declared.name] = declared

    def declare_equation(self, equation: Equation, owner: str) -> None:
        """Give the cell a variable."""
        if "summed" in equation.flags:
            message = f"{equation.name} is summed over synapses, but these are equations of a cell"
            self.problems.add("key", message, equation.mark, "Write it among the equations of a synapse.")
            return
        self._declare(Declared(equation.name, equation.dims, owner, equation=equation, mark=equation.mark))
        if equation.expression is not None:
            self.read(equation.expression.names)

    def _condition(self, parser: Parser, path: tuple, rename: Mapping[str, str] | None = None) -> Expression | None:
        expression = parser.expression(*path)
        if expression is not None:
            expression = expression.rename(rename or {})
            self.read(expression.names)
            self.conditions.append(expression)
        return expression

    def _add_reset(self, statements: tuple[Statement, ...]) -> None:
        if statements:
            self.read(names_in(statements))
            self.resets.append(statements)

    def _add_events(self, parser: Parser, path: tuple, events: Mapping[str, Any], rename: Mapping[str, str]) -> None:
        for name, event in events.items():
            condition = self._condition(parser, (*path, name, "if"), rename)
            statements = rename_code(parser.code(*path, name, "code"), rename)
            mark = parser.tree.mark((*path, name))
            text = condition.text if condition else ""
            made = Event(name, text, event.when, event.order, render_code(statements), mark=mark)
            if name in self.events and self.events[name] != made:
                self.problems.add("name", f"{self.path} gets two different events {name}", mark, "Rename one of them.")
            self.read(names_in(statements))
            self.event_code.append(statements)
            self.events[name] = made

    def _add_every(
        self,
        parser: Parser,
        path: tuple,
        every: Sequence[Every],
        rename: Mapping[str, str],
        values: Mapping[str, Quantity],
    ) -> None:
        for index, item in enumerate(every):
            statements = rename_code(parser.code(*path, index, "code"), rename)
            mark = parser.tree.mark((*path, index, "each"))
            period = self.clock.period(item.each, values, mark, self.problems)
            self.read(names_in(statements))
            timed = Timed(statements, item, period, mark)
            if not any(render_code(t.statements) == render_code(statements) and t.item == item for t in self.timed):
                self.timed.append(timed)

    # -- names ------------------------------------------------------------------------------------

    def read(self, names: Iterable[str]) -> None:
        """Note that code reads these names."""
        self.used.update(names)

    def has(self, name: str) -> bool:
        return name in self.declared or name in CELL_BUILT_IN or name in TRIAL

    def has_event(self, event: str) -> bool:
        return self.threshold is not None if event == "spike" else event in self.events

    def find(self, name: str) -> Dims | None:
        """Dimensions of a name in the cell's own code."""
        if name in self.declared:
            return self.declared[name].dims
        if name in TRIAL:
            return NONE
        if name == "xi" or name.startswith("xi_"):
            return (0, 0, -0.5, 0, 0, 0, 0)
        return CELL_BUILT_IN.get(name)

    def fill(self, name: str, equation: Equation, constants: Mapping[str, Quantity]) -> None:
        """Let a stimulus or a trial compute an input or a parameter."""
        for constant, value in constants.items():
            self._declare(Declared(constant, value.dims, self.part.name, value=value))
        self.declared.pop(name, None)
        self.declare_equation(equation, self.part.name)
        if name in self.starts:
            self.problems.add(
                "fit",
                f"{self.path}.{name} has a value per cell, it cannot also be a stimulus",
                self.starts[name].tree.mark(()),
            )

    # -- what projections add ---------------------------------------------------------------------

    def add(
        self,
        part: Part,
        side: str,
        extra: Mapping[str, int] | None = None,
        alone: Collection[str] = (),
        port: str = "I_syn",
    ) -> dict[str, str]:
        """Add what ``part`` brings under ``side`` (post or pre); returns the names it got.

        Equal additions merge; one whose names are taken by something else is numbered as a whole. Names in
        ``alone`` are never shared: the synapses of one projection are summed into each. A current belongs to one
        port, and what lands there sees the potential of that place as ``v``.
        """
        spec = getattr(part.spec, side)
        parser = Parser(part.tree, self.problems, extra)
        equations = parser.equations(side, "equations")
        on_spike = parser.code(side, "on_spike")
        every = [parser.code(side, "every", k, "code") for k in range(len(getattr(spec, "every", ())))]
        events = getattr(spec, "events", {})
        read = names_in(itertools.chain(on_spike, *every))
        read |= {item.each for item in getattr(spec, "every", ())}  # with another period it is another addition
        for equation in equations:
            read |= equation.expression.names if equation.expression is not None else set()
        for event in events:
            read |= names_in(parser.code(side, "events", event, "code"))
            condition = parser.expression(side, "events", event, "if")
            read |= condition.names if condition is not None else set()
        own = [e.name for e in equations]
        own += [name for name in part.values if name in read and name not in own]
        potential = self.potentials.get(port, "v")
        place = {} if potential == "v" or "v" in own else {"v": potential}
        elsewhere = {c.variable for other, landed in self.ports.items() if other != port for c in landed}
        for number in itertools.count(1):
            rename = place | {name: name if number == 1 else f"{name}_{number}" for name in own}
            renamed = [e.rename(rename) for e in equations]
            free = all(self._free(e, part) for e in renamed)
            free = free and not any(rename[name] in self.declared for name in own if name in alone)
            free = free and elsewhere.isdisjoint(rename[name] for name in own)
            if free and all(self._free_value(rename[n], part.values[n], part) for n in own if n in part.values):
                break
        for name in own:
            if rename[name] not in self.declared and rename[name] not in self.variants.get(name, ()):
                self.variants.setdefault(name, []).append(rename[name])
            if name in part.values and rename[name] not in self.declared:
                value, mark = part.values[name], part.tree.key_mark(("parameters", name))
                per_cell = name in spec.initial
                self._declare(Declared(rename[name], value.dims, part.name, value=value, per_cell=per_cell, mark=mark))
        for equation in renamed:
            if equation.name not in self.declared:
                self.declare_equation(equation, part.name)
        on_spike = rename_code(on_spike, rename)
        if render_code(on_spike) not in [render_code(r) for r in self.resets]:
            self._add_reset(on_spike)
        self._add_events(parser, (side, "events"), events, rename)
        self._add_every(parser, (side, "every"), getattr(spec, "every", ()), rename, part.values)
        values = {rename.get(n, n): v for n, v in part.values.items()}
        for name, start in spec.initial.items():
            self.starts.setdefault(rename.get(name, name), Start(start, values, part.tree, (side, "initial", name)))
        return rename

    def _free(self, equation: Equation, part: Part) -> bool:
        there = self.declared.get(equation.name)
        if there is None:
            return True
        if there.equation is None or there.equation.text != equation.text:
            return False
        # A synapse shares only with the same synapse; what rules add merges wherever it is equal.
        return there.owner == part.name or part.kind == "plasticity"

    def _free_value(self, name: str, value: Quantity, part: Part) -> bool:
        there = self.declared.get(name)
        if there is None:
            return True
        return there.value == value and (there.owner == part.name or part.kind == "plasticity")

    # -- checks and the result --------------------------------------------------------------------

    def equations(self) -> list[Equation]:
        """All equations, those of ports and additions included."""
        return [d.equation for d in self.declared.values() if d.equation is not None]

    def _reset_code(self) -> str | None:
        given = self.part.spec.reset is not None or bool(self.resets)
        return "\n".join(render_code(statements) for statements in self.resets) if given else None

    def check(self) -> None:
        """Names and dimensions of everything the cell runs."""
        checker = _CellChecker(self.find, lambda: [*self.declared, *CELL_BUILT_IN], self.problems)
        checker.cell = self
        for equation in self.equations():
            checker.equation(equation)
        bounded(self.equations(), self.problems)
        for condition in self.conditions:
            checker.condition(condition)
        for statements in (*self.resets, *self.event_code, *(timed.statements for timed in self.timed)):
            checker.code(statements)
        for name, declared in self.declared.items():
            if declared.value is None and declared.equation is None and name in self.used:
                self.problems.add(
                    "needs",
                    f"{self.path}: nothing fills in {name} of {self.part.name}",
                    self.population.tree.mark(("neuron",)),
                    f"Give it a value (neuron: {{name: {self.part.name}, parameters: {{{name}: ...}}}}), a stimulus,"
                    " or an input of the trial.",
                )

    def landed(self, name: str) -> bool:
        """Whether a declared name becomes a variable of the group."""
        declared = self.declared[name]
        return declared.equation is not None or (
            declared.value is not None and (name in self.used or declared.per_cell)
        )

    def variables(self) -> set[str]:
        """Names of all variables the group will have."""
        return {name for name in self.declared if self.landed(name)} | (self.used & set(TRIAL))

    def finish(self, trial: PlannedTrial | None) -> Group:
        """The finished group."""
        lines: list[Line] = []
        constants: list[Constant] = []
        for declared in self.declared.values():
            if declared.equation is not None:
                lines.append(Line(declared.equation.text, declared.mark))
        for name, declared in self.declared.items():
            if declared.value is not None and self.landed(name):
                lines.append(Line(declaration(name, declared.dims, declared.per_cell), declared.mark))
                if not declared.per_cell:
                    constants.append(Constant(name, declared.value))
        links = list(self.links)
        regular = [
            Regular(f"{self.name}_every_{k}", render_code(t.statements), t.period, t.item.when, t.item.order, t.mark)
            for k, t in enumerate(self.timed)
            if t.statements
        ]
        if trial is not None:
            shown = bool(self.trial_inputs) or self.plays_samples
            linked = sorted(self.used & {"trial", "trial_step"}) + (["sample"] if shown else [])
            lines += [Line(f"{name} : integer (linked)") for name in linked]
            links += [Link(name, trial.clock, name) for name in linked]
            if "trial_steps" in self.used:
                lines.append(Line(declaration("trial_steps", NONE, False)))
                constants.append(Constant("trial_steps", Quantity(float(trial.steps))))
            code = "\n".join(f"{variable} = {table}(sample, i)" for variable, table in self.trial_inputs)
            if code:  # before any code of the cell that runs at the start of a trial
                regular.insert(0, Regular(f"{self.name}_inputs", code, trial.duration, "start", -99))
        return Group(
            name=self.name,
            path=self.path,
            size=self.population.size,
            equations=tuple(lines),
            threshold=self.threshold.text if self.threshold else "",
            reset=self._reset_code(),
            refractory=self.refractory.text if self.refractory else "",
            method=self.part.spec.method or "",
            events=tuple(self.events.values()),
            regular=tuple(regular),
            constants=tuple(constants),
            initial=initial_values(self.path, self.starts, self.declared, self.problems),
            links=tuple(links),
            cell=self.part.name,
            about=self.part.spec.about,
            mark=self.population.tree.mark(()),
        )


class _CellChecker(Checker):
    """Knows where the cell's parameters are set."""

    cell: Cell

    def origin(self, name: str) -> str:
        declared = self.cell.declared.get(name)
        return declared.told() if declared else ""
