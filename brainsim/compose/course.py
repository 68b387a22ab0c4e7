"""The course of a run: the trial clock, and the phases with what they change."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from brainsim import guard
from brainsim.circuit import Circuit
from brainsim.compose.cell import Cell
from brainsim.compose.join import Join
from brainsim.compose.plan import Constant, Group, Initial, Line, Link, Phase, Regular, Table, Trial, Watch
from brainsim.compose.scope import TRIAL, Checker, declaration
from brainsim.compose.values import Clock
from brainsim.errors import FileError, Problem, Problems, suggest
from brainsim.expressions import parse
from brainsim.units import NONE, Quantity, unit_name
from brainsim.units import parse as parse_quantity

#: Brian2 name of the one-cell group that counts trials.
TRIALS = "trials"
#: Function that gives the row of the sample table shown in a trial.
ORDER = "sample_order"


#: A path within code.
_PATH = re.compile(r"(?<![\w.])[A-Za-z]\w*(?:\.[A-Za-z]\w*)+")


@dataclass(frozen=True)
class Repeat:
    """When a sample is shown again: a condition over what the trial clock shows of other cells."""

    condition: str
    limit: int
    lines: tuple[Line, ...]
    links: tuple[Link, ...]


def trial(clock: Clock, inputs: Mapping[tuple[str, str], Table], repeat: Repeat | None) -> Trial | None:
    """How samples are shown, if they are."""
    if clock.trial is None:
        return None
    filled = tuple((group, variable, table.name) for (group, variable), table in inputs.items())
    steps = round(clock.trial / clock.dt)
    return Trial(clock.trial, steps, TRIALS, filled, repeat.limit if repeat is not None else 0)


def repeat(circuit: Circuit, cells: Mapping[str, Cell], problems: Problems) -> Repeat | None:
    """``trial.repeat_while``, its paths replaced by names of linked variables."""
    shown, at = circuit.experiment.trial, ("trial", "repeat_while")
    if shown is None or shown.repeat_while is None:
        return None
    mark = circuit.tree.mark(at)
    names: dict[str, str] = {}
    lines, links, found, truths = [], [], {"repeats": NONE}, set()
    single = [path for path, cell in cells.items() if cell.population.size == 1]
    for path in dict.fromkeys(_PATH.findall(shown.repeat_while)):
        population, _, variable = path.rpartition(".")
        cell = cells.get(population)
        if cell is None or variable not in cell.declared:
            known = [f"{p}.{name}" for p in (single if cell is None else [population]) for name in cells[p].declared]
            what = (
                f"there is no population {population}" if cell is None else f"{population} has no variable {variable}"
            )
            problems.add("name", f"trial.repeat_while: {what}", mark, suggest(path, known, "variable"))
            return None
        if cell.population.size != 1:
            message = f"trial.repeat_while reads {path}, but {population} has {cell.population.size} cells"
            hint = "Let one cell gather what it needs: a projection to a population of size 1."
            problems.add("fit", message, mark, hint)
            return None
        declared = cell.declared[variable]
        if declared.equation is not None and "linked" in declared.equation.flags:
            origin = next(link for link in cell.links if link.variable == variable)
            message = f"trial.repeat_while reads {path}, which is only shown there"
            problems.add("fit", message, mark, f"Read {origin.source_variable} of {origin.source}.")
            return None
        name = "_".join((*population.split("."), variable))
        while name in (*TRIAL, *found, "sample", "again", "limit"):
            name += "_"
        cell.read([variable])
        names[path], found[name] = name, declared.dims
        kind = declared.equation.unit if declared.equation is not None else unit_name(declared.dims)
        if kind == "boolean":
            truths.add(name)
        lines.append(Line(f"{name} : {kind} (linked)", mark))
        links.append(Link(name, cell.name, variable))
    try:
        condition = parse(_PATH.sub(lambda match: names[match[0]], shown.repeat_while), (mark,))
    except FileError as error:
        problems.take(error)
        return None
    Checker(found.get, lambda: found, problems).condition(condition)
    if guard.is_boolean(guard.tree(condition.text)) is not True and condition.text not in truths:
        message = f"trial.repeat_while is a condition, but {shown.repeat_while} is a number"
        problems.add("value", message, mark, "Compare it with a value: counter.n < 5.")
    return Repeat(condition.text, shown.limit, tuple(lines), tuple(links))


def trial_clock(shown: Trial, dt: float, again: Repeat | None = None, cells: Iterable[Group] = ()) -> Group:
    """One cell that counts trials and knows which sample is shown: an ordinary group like any other.

    Where samples may be shown again, ``trial`` counts samples and ``repeats`` the earlier showings of this one. What
    comes next is settled in the last step of a showing, so the run loop knows at its end whether there is more to do.
    """
    lines = [Line("trial : integer"), Line("trial_step : integer"), Line("sample : integer")]
    begin = f"trial += 1\nsample = {ORDER}(trial)\ntrial_step = 0"
    regular = [Regular(f"{shown.clock}_step", "trial_step += 1", dt, "start", -101)]
    if again is not None or any(link.variable == "repeats" for group in cells for link in group.links):
        lines.append(Line("repeats : integer"))
    constants: tuple[Constant, ...] = ()
    if again is not None:
        lines += [Line("again : integer"), Line(declaration("limit", NONE, False)), *again.lines]
        constants = (Constant("limit", Quantity(float(again.limit))),)
        settle = f"again = int(({again.condition}) and repeats < limit)"
        regular.append(Regular(f"{shown.clock}_again", settle, dt, "end", 100))
        begin = begin.replace("trial += 1", "repeats = (repeats + 1)*again\ntrial += 1 - again")
    return Group(
        name=shown.clock,
        path=shown.clock,
        size=1,
        equations=tuple(lines),
        regular=(*regular, Regular(f"{shown.clock}_next", begin, shown.duration, "start", -100)),
        constants=constants,
        initial=(Initial("trial", "-1", NONE, f"{shown.clock}.trial", integer=True),),
        links=again.links if again is not None else (),
        cell="trial clock",
        about="Counts trials and steps, and knows which sample is shown.",
    )


def showings(shown: Trial | None) -> tuple[Watch, ...]:
    """What is recorded so that the results know which sample was shown when: the number of each trial's sample."""
    if shown is None or not shown.limit:
        return ()
    return (
        Watch(f"state_{shown.clock}", "state", shown.clock, shown.clock, ("trial",), ("trial",), ("1",),
              every=shown.duration),
    )  # fmt: skip


class Homes:
    """Where parameters live while the network runs: (object, variable) by their paths."""

    def __init__(self, cells: Mapping[str, Cell], joins: Sequence[Join]):
        self.found: dict[str, tuple[str, str]] = {}
        for cell in cells.values():
            for name, declared in cell.declared.items():
                if declared.value is not None and name in cell.used and not declared.per_cell:
                    self.found[f"{cell.path}.neuron.{name}"] = (cell.name, name)
        for join in joins:
            for part in join.parts:
                # One of several synapses already says which in its path.
                stem = join.path if join.path != join.projection.path else f"{join.path}.{part.kind}"
                for name in part.values:
                    held = join.naming.on_cell(part, name)
                    if held is not None:
                        self.found[f"{stem}.{name}"] = (join.naming.cells[held[0]].name, held[1])
                    elif join.naming.own[part.kind][name] in join.used:
                        self.found[f"{stem}.{name}"] = (join.name, join.brian_name(part, name))

    def of(self, path: str) -> tuple[str, str] | None:
        """The object and variable of a parameter; None if no code reads it while the network runs."""
        owner, _, name = path.rpartition(".")
        candidates = (path, *(f"{owner}.{kind}.{name}" for kind in ("neuron", "synapse", "plasticity")))
        return next((self.found[c] for c in candidates if c in self.found), None)


def phases(circuit: Circuit, cells: Mapping[str, Cell], homes: Homes, problems: Problems) -> tuple[Phase, ...]:
    """The stretches of the run; one of ``run.duration`` where there are no samples."""
    experiment = circuit.experiment
    if not experiment.phases:
        duration = experiment.run.duration
        return (Phase("run", float(parse_quantity(duration).value) if duration is not None else 0.0),)
    made = []
    for name, phase in experiment.phases.items():
        changes: list[tuple[str, str, Any]] = []
        for path, value in phase.set.items():
            home = homes.of(path)
            if home is None:
                mark = circuit.tree.key_mark(("phases", name, "set", path))
                message = f"{path} cannot change between phases: no code reads it while the network runs"
                problems.add("path", message, mark, suggest(path, homes.found, "parameter"))
            else:
                changes.append((*home, value))
        fresh = [c.name for item in phase.fresh for p, c in cells.items() if _within(p, item)]
        count = getattr(experiment.data, phase.data)
        course: tuple[tuple[tuple[str, Constant], ...], ...] = ()
        try:
            if any(_varies(value) for _, _, value in changes):
                course = tuple(_changes(changes, number) for number in range(experiment.run.rounds))
            fixed = course[0] if course else _changes(changes, 0)
        except FileError as error:
            problems.take(error)
            continue
        made.append(
            Phase(name, 0.0, phase.data, phase.passes, phase.shuffle, count, fixed, course, tuple(dict.fromkeys(fresh)))
        )
    return tuple(made)


def _varies(value: Any) -> bool:
    return isinstance(value, str) and re.search(r"\bround\b", value) is not None


def _changes(changes: Sequence[tuple[str, str, Any]], number: int) -> tuple[tuple[str, Constant], ...]:
    """What a phase sets in one round. Raises ``FileError`` for an expression that has no finite value there."""
    made = []
    for owner, name, value in changes:
        if _varies(value):
            found = parse(value).evaluate({"round": Quantity(float(number))})
            if not math.isfinite(float(found.value)):
                message = f"{value} is {float(found.value)} in round {number}"
                raise FileError(Problem("value", message, None, "Check the expression."))
            found = Quantity(float(found.value), tuple(found.dims))
        else:
            found = parse_quantity(value)
        made.append((owner, Constant(name, found)))
    return tuple(made)


def _within(path: str, item: str) -> bool:
    """Whether a population belongs to an entry of ``fresh``: all cells, itself, or a region around it."""
    return item in ("cells", path) or path.startswith(f"{item}.")
