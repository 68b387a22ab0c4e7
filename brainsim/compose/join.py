"""One kind of synapse on one projection, with its rule, on its way to a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from brainsim.circuit import Part, Projection
from brainsim.compose.cell import Cell, Current, Timed
from brainsim.compose.naming import Naming
from brainsim.compose.parsing import Parser
from brainsim.compose.ports import land
from brainsim.compose.scope import (
    SYNAPSE_BUILT_IN,
    TIME,
    Checker,
    Declared,
    bounded,
    names_in,
    rename_code,
)
from brainsim.compose.values import Clock, Start
from brainsim.equations import Equation
from brainsim.errors import Mark, Problems, suggest
from brainsim.expressions import Statement
from brainsim.spec.fields import OnEvent
from brainsim.units import Dims, Quantity, describe
from brainsim.units import parse as parse_quantity

#: Which synapses of the library bring a variable to the cell they land on.
Suppliers = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class Entry:
    """What one event does on the synapses."""

    side: str
    event: str
    statements: tuple[Statement, ...]
    delay: Quantity | str | None
    when: str
    order: int | None
    mark: Mark | None


class Join:
    """Collects one Synapses object: first :meth:`reach` its cells, then :meth:`resolve`; then see ``connection``."""

    def __init__(
        self,
        projection: Projection,
        synapse: Part,
        rule: Part | None,
        name: str,
        cells: tuple[Cell, Cell],
        clock: Clock,
        problems: Problems,
        extra: Mapping[str, int],
        suppliers: Suppliers,
    ):
        self.projection, self.synapse, self.rule, self.name = projection, synapse, rule, name
        (self.source, self.target), self.clock, self.problems, self.extra = cells, clock, problems, extra
        self.suppliers = suppliers
        # Several synapses on the same pairs are told apart in results as they are in overrides.
        several = len(projection.synapses) > 1
        self.path = f"{projection.path}.synapse.{synapse.name}" if several else projection.path
        self.declared: dict[str, Declared] = {}
        self.used: set[str] = set()
        self.entries: list[Entry] = []
        self.timed: list[Timed] = []
        self.starts: dict[str, Start] = {}
        self.naming = Naming(self.path, self.source, self.target, projection.tree.mark(()), problems)

    @property
    def parts(self) -> tuple[Part, ...]:
        return (self.synapse,) if self.rule is None else (self.synapse, self.rule)

    # -- first: what the cells get ----------------------------------------------------------------

    def reach(self) -> None:
        """Add to both cells what synapse and rule bring them."""
        port = self.projection.port or "I_syn"
        names = self.target.add(self.synapse, "post", None, self._sums(self.synapse, "post"), port)
        self.naming.bring(self.synapse, "post", names)
        current = self.synapse.spec.post.current
        if current:
            name = names.get(current, current)
            mark = self.synapse.tree.mark(("post", "current"))
            there = self.target.declared.get(name)
            if there is None or current not in names:
                self.problems.add(
                    "name",
                    f"current: {current} is none of the post equations",
                    mark,
                    suggest(current, names, "variable"),
                )
            else:
                place = self.projection.tree.mark(("port",) if self.projection.port else ("synapse",))
                land(
                    self.target,
                    port,
                    Current(name, there.dims, self.synapse.name, self.path, place),
                )
        if self.rule is not None:
            for side, cell in (("pre", self.source), ("post", self.target)):
                names = cell.add(self.rule, side, self.extra, self._sums(self.rule, side))
                self.naming.bring(self.rule, side, names)

    def _sums(self, part: Part, side: str) -> set[str]:
        """Variables of the cell on ``side`` into which the equations of ``part`` sum its synapses."""
        unheard = Problems()  # what is wrong with the equations is said when they are read for good
        found = Parser(part.tree, unheard, self.extra).equations("equations")
        return {e.name[: -len(side) - 1] for e in found if "summed" in e.flags and e.name.endswith(f"_{side}")}

    # -- second: its own code, with names resolved --------------------------------------------------

    def resolve(self) -> None:
        """Read equations and code, and find what each name means."""
        for part in self.parts:
            self._equations(part)
        for part in self.parts:
            self._code(part)
        for name, value in self.projection.initial.items():
            values = {**self.synapse.values, **(self.rule.values if self.rule else {})}
            self.starts[name] = Start(value, values, self.projection.tree, ("initial", name))
        if self.rule is not None:
            self._needs(self.rule)
            self._start_at_zero(self.rule)
        self._event_driven()
        self._no_delay()
        self._check()

    def _equations(self, part: Part) -> None:
        parser = Parser(part.tree, self.problems, self.extra)
        equations = parser.equations("equations")
        taken = {d.name: d for d in self.declared.values()}
        names: dict[str, str] = {}
        for name, value in part.values.items():
            there = taken.get(name)
            names[name] = name if there is None or there.value == value else f"{name}_2"
        self.naming.own[part.kind] = names
        for name, value in part.values.items():
            if self.naming.on_cell(part, name) is None:
                mark = part.tree.key_mark(("parameters", name))
                self.declared.setdefault(
                    names[name], Declared(names[name], value.dims, part.name, value=value, mark=mark)
                )
        for equation in equations:
            there = self.declared.get(equation.name)
            equation = self._meant(part, equation)
            if there is not None and (there.equation is None or there.equation.text != equation.text):
                self.problems.add(
                    "name",
                    f"{self.path}: {part.name} and {there.owner} both declare {equation.name}, differently",
                    equation.mark,
                    "Rename it in one of the two files.",
                )
                continue
            if "summed" in equation.flags:
                self._sum(part, equation)
            self.declared[equation.name] = Declared(
                equation.name, equation.dims, part.name, equation=equation, mark=equation.mark
            )
        for name, start in part.spec.initial.items():
            self.starts[names.get(name, name)] = Start(start, part.values, part.tree, ("initial", name))

    def _sum(self, part: Part, equation: Equation) -> None:
        """Check the variable of a cell that is the sum over these synapses."""
        name, _, side = equation.name.rpartition("_")
        cell = self.target if side == "post" else self.source
        there = cell.declared.get(name)
        if there is None:
            message = f"{self.path}: {part.name} sums into {name} of {cell.path}, but {cell.part.name} has no {name}"
            self.problems.add("name", message, equation.mark, suggest(name, cell.declared, "variable"))
        elif there.equation is None or there.equation.kind != "param" or there.equation.flags:
            message = f"{self.path}: {part.name} sums into {name} of {cell.path}, but {there.owner} says what it is"
            hint = f"Declare {name} : {equation.unit} without a right side and without flags."
            self.problems.add("fit", message, equation.mark, hint)
        elif tuple(there.dims) != tuple(equation.dims):
            message = (
                f"{self.path}: {name} of {cell.path} is {describe(there.dims)}, but {part.name} sums"
                f" {describe(equation.dims)} into it"
            )
            self.problems.add("dimension", message, equation.mark, "Give both the same unit.")
        elif name in cell.summed:
            message = f"{self.path} and {cell.summed[name]} both sum into {name} of {cell.path}"
            self.problems.add("fit", message, equation.mark, f"Let each synapse bring a variable under {side}:.")
        cell.summed[name] = self.path

    def _meant(self, part: Part, equation: Equation) -> Equation:
        names = set(equation.expression.names) if equation.expression is not None else set()
        names |= {equation.name} if "summed" in equation.flags else set()
        equation = equation.rename(self.naming.renames(part, names))
        if equation.expression is not None:
            self.used |= equation.expression.names
        return equation

    def _statements(self, part: Part, *path: Any) -> tuple[Statement, ...]:
        statements = Parser(part.tree, self.problems, self.extra).code(*path)
        statements = rename_code(statements, self.naming.renames(part, names_in(statements)))
        self.used |= names_in(statements)
        return statements

    def _code(self, part: Part) -> None:
        spec, tree = part.spec, part.tree
        for side, given in (("pre", spec.on_pre), ("post", spec.on_post)):
            key = f"on_{side}"
            events = {"spike": given} if isinstance(given, str) else given
            for event, item in events.items():
                path: tuple = (key,) if isinstance(given, str) else (key, event)
                options = item if isinstance(item, OnEvent) else OnEvent(code=item)
                path = (*path, "code") if isinstance(item, OnEvent) else path
                mark = tree.mark(path)
                if not options.code.strip() or not self._wanted(options.if_has, mark):
                    continue
                cell = self.source if side == "pre" else self.target
                if not cell.has_event(event):
                    what = "no spikes (it has no threshold)" if event == "spike" else f"no event {event}"
                    self.problems.add(
                        "fit",
                        f"{self.path}: {part.name} waits for {event} of {cell.path}, but {cell.part.name} has {what}",
                        self.projection.tree.mark(("from",) if side == "pre" else ("to",)),
                        f"Its events: {', '.join(['spike'] * cell.has_event('spike') + list(cell.events)) or 'none'}.",
                    )
                delay = self._delay(part, side, options, (*path[:-1], "delay"))
                statements = self._statements(part, *path)
                self.entries.append(Entry(side, event, statements, delay, options.when, options.order, mark))
        for index, item in enumerate(spec.every):
            mark = tree.mark(("every", index, "each"))
            statements = self._statements(part, "every", index, "code")
            self.timed.append(
                Timed(statements, item, self.clock.period(item.each, part.values, mark, self.problems), mark)
            )

    def _wanted(self, if_has: str | None, mark: Mark | None) -> bool:
        if not if_has:
            return True
        side, _, name = if_has.partition(".")
        if side not in ("pre", "post") or not name:
            self.problems.add("value", f"if_has: {if_has} is not understood", mark, "Write pre.NAME or post.NAME.")
            return True
        return (self.source if side == "pre" else self.target).has(name)

    def _delay(self, part: Part, side: str, options: OnEvent, path: tuple) -> Quantity | str | None:
        if options.delay is None:
            if side == "post":
                return None
            learns = part is self.rule and self.projection.learn_delay is not None
            return self.projection.learn_delay if learns else self.projection.delay
        mark = part.tree.mark(path)
        value = part.values.get(str(options.delay))
        if value is None:
            try:
                value = parse_quantity(options.delay)
            except ValueError:
                self.problems.add(
                    "value", f"delay: {options.delay} is neither a time nor a parameter of {part.name}", mark,
                    suggest(str(options.delay), part.values, "parameter"))  # fmt: skip
                return None
        if tuple(value.dims) != TIME or value.value < 0:
            self.problems.add("unit", f"delay: expected a time, got {value}", mark, "Write a time such as 1 ms.")
        elif not self.clock.whole(value.value):
            message = f"delay {value} is no multiple of the time step {self.clock.dt * 1e3:g} ms"
            self.problems.add("value", message, mark, self.clock.multiples(value.value))
        return value

    def _start_at_zero(self, rule: Part) -> None:
        """What learning changes is saved before and after, so it starts somewhere: at 0 as Brian2 has it, if unsaid."""
        code = [s for entry in self.entries for s in entry.statements] + [s for t in self.timed for s in t.statements]
        for name in sorted({statement.target for statement in code}):
            there = self.declared.get(name)
            plain = there is not None and there.equation is not None and there.equation.kind == "param"
            if plain and there is not None and name not in self.starts:
                self.starts[name] = Start(Quantity(0.0, there.dims), {}, rule.tree, ())

    # -- checks -----------------------------------------------------------------------------------

    def _needs(self, rule: Part) -> None:
        for side, cell, names in (
            ("pre", self.source, rule.spec.needs.pre),
            ("post", self.target, rule.spec.needs.post),
        ):
            for name in names:
                if cell.has(name):
                    continue
                suppliers = self.suppliers(name) if side == "post" else []
                with_synapse = (
                    f" with synapse: {' or '.join(suppliers)}" if suppliers else f" whose synapse brings {name}"
                )
                by_cell = f"Use a neuron that has {name} for {cell.path}"
                what = f"{self.path} uses {rule.name}, which needs {name} in {cell.path}"
                self.problems.add(
                    "needs",
                    f"{what}, but no projection brings it there",
                    self.projection.tree.mark(("plasticity",)),
                    f"{by_cell}." if side == "pre" else f"Add a projection to {cell.path}{with_synapse}.",
                )

    def _event_driven(self) -> None:
        """An event-driven variable is only right at a spike: code at other times must not read it bare."""
        driven = {name for name, d in self.declared.items() if d.event_driven}
        stale = set(driven)
        for name, declared in self.declared.items():  # a subexpression is right if it brings the value up to date
            equation = declared.equation
            if equation is not None and equation.kind == "sub" and equation.expression is not None:
                reads = equation.expression.names
                if reads & driven and "lastupdate" not in reads:
                    stale.add(name)
        for timed in self.timed:
            for statement in timed.statements:
                for name in sorted((statement.expression.names | {statement.target}) & stale):
                    read = name in statement.expression.names
                    mark = statement.expression.mark_of(name) if read else statement.mark
                    self.problems.add("value", self.stale_message(name), mark, self.stale_hint(name))
        for declared in self.declared.values():
            equation = declared.equation
            if equation is None or equation.expression is None or declared.event_driven:
                continue
            if equation.kind == "diff" or "summed" in equation.flags:
                for name in sorted(equation.expression.names & stale):
                    mark = equation.expression.mark_of(name)
                    self.problems.add("value", self.stale_message(name), mark, f"Let {name} be clock-driven here.")
        self.stale = stale

    def _no_delay(self) -> None:
        """A coupling that acts in every step knows no delay; one that says otherwise would be wrong in silence."""
        sums = any(d.equation is not None and "summed" in d.equation.flags for d in self.declared.values())
        delay = self.projection.delay
        given = delay is not None and not (isinstance(delay, Quantity) and delay.value == 0)
        if sums and given and not any(entry.side == "pre" for entry in self.entries):
            message = f"{self.path} has a delay, but {self.synapse.name} couples its cells in every step, without one"
            self.problems.add("fit", message, self.projection.tree.mark(("delay",)), "Leave delay out.")

    def stale_message(self, name: str) -> str:
        return f"{name} is event-driven: it is only right at a spike, and this code runs at other times"

    def stale_hint(self, name: str) -> str:
        return f"Read it through an equation that brings it up to date: now = {name}*exp(-(t - lastupdate)/tau) : 1"

    def find(self, name: str) -> Dims | None:
        """Dimensions of a name in the synapse's code."""
        if name in self.declared:
            return self.declared[name].dims
        if name in SYNAPSE_BUILT_IN:
            return SYNAPSE_BUILT_IN[name]
        for side, cell in (("_post", self.target), ("_pre", self.source)):
            if name.endswith(side) and cell.has(name[: -len(side)]):
                return cell.find(name[: -len(side)])
        return (0, 0, -0.5, 0, 0, 0, 0) if name == "xi" else None

    def _check(self) -> None:
        checker = _SynapseChecker(self)
        equations = [d.equation for d in self.declared.values() if d.equation is not None]
        for equation in equations:
            checker.equation(equation)
        bounded(equations, self.problems)
        for entry in self.entries:
            checker.code(entry.statements)
        for timed in self.timed:
            checker.code(timed.statements)

    # -- last: the finished connection ----------------------------------------------------------------

    def clash(self) -> dict[str, str]:
        """Own names that a cell has too: Brian2 refuses one name on both sides of a synapse."""
        taken = self.source.variables() | self.target.variables()
        return {name: f"{name}_syn" for name in self.declared if name in taken}

    def brian_name(self, part: Part | None, name: str) -> str:
        """The Brian2 name of a variable or of a parameter of ``part``."""
        own = self.naming.own[part.kind][name] if part is not None else name
        return self.clash().get(own, own)


class _SynapseChecker(Checker):
    """Knows what names in synapse code may be confused with."""

    def __init__(self, join: Join):
        super().__init__(join.find, lambda: self._all(join), join.problems)
        self.join = join

    @staticmethod
    def _all(join: Join) -> list[str]:
        names = [*join.declared, *SYNAPSE_BUILT_IN]
        names += [f"{n}_post" for n in join.target.declared] + [f"{n}_pre" for n in join.source.declared]
        return names

    def origin(self, name: str) -> str:
        declared = self.join.declared.get(name)
        return declared.told() if declared else ""

    def expected(self, name: str) -> bool:
        rule = self.join.rule
        if rule is None:
            return False
        needs = {f"{n}_pre" for n in rule.spec.needs.pre} | {f"{n}_post" for n in rule.spec.needs.post}
        return name in needs

    def advice(self, name: str) -> str:
        if self.join.target.has(name):
            return f"In synapse code the receiving cell's variable is {name}_post."
        return super().advice(name)
