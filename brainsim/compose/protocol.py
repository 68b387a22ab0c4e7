"""The experiment's side of a plan: stimuli, links, trials, phases, what is recorded and read out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from brainsim.circuit import Circuit
from brainsim.compose.cell import Cell
from brainsim.compose.join import Join
from brainsim.compose.plan import (
    Constant,
    Data,
    Group,
    Initial,
    Line,
    Link,
    Phase,
    Readout,
    Regular,
    Table,
    Trial,
    Watch,
)
from brainsim.compose.scope import TIME
from brainsim.compose.values import Clock
from brainsim.equations import parse_equations
from brainsim.errors import Mark, Problems, suggest
from brainsim.units import NONE, Quantity, describe, unit_name
from brainsim.units import parse as parse_quantity

#: Brian2 name of the one-cell group that counts trials.
TRIALS = "trials"
#: Function that gives the row of the sample table shown in a trial.
ORDER = "sample_order"


class Protocol:
    """What an experiment does to a circuit."""

    def __init__(
        self, circuit: Circuit, cells: Mapping[str, Cell], clock: Clock, names: Mapping[str, str], problems: Problems
    ):
        self.circuit, self.cells, self.clock, self.names, self.problems = circuit, cells, clock, names, problems
        self.experiment, self.tree = circuit.experiment, circuit.tree
        self.notes: list[str] = []
        self.tables: tuple[Table, ...] = ()
        self.inputs: list[tuple[str, str, str]] = []

    # -- what is fed in -----------------------------------------------------------------------------

    def fill_inputs(self) -> None:
        """Stimuli and trial inputs take the place of inputs and parameters of cells."""
        for name, stimulus in self.experiment.stimuli.items():
            self._stimulus(name, stimulus)
        trial = self.experiment.trial
        for source, target in (trial.inputs if trial else {}).items():
            found = self._variable(target, self.tree.mark(("trial", "inputs", source)))
            if found is None:
                continue
            cell, variable = found
            table = Table(source if source == "image" else f"{source}_is", source, one_hot=source == "label")
            if table not in self.tables:
                self.tables = (*self.tables, table)
            declared = cell.declared[variable]
            cell.fill(variable, parse_equations(f"{variable} : {unit_name(declared.dims)}")[0], {})
            if tuple(declared.dims) != NONE:
                self.problems.add(
                    "unit", f"{source} is a plain number, but {target} expects {describe(declared.dims)}",
                    self.tree.mark(("trial", "inputs", source)), "Scale it inside the neuron's equations.")  # fmt: skip
            cell.trial_inputs.append((variable, table.name))
            self.inputs.append((cell.name, variable, table.name))

    def _variable(self, path: str, mark: Mark | None) -> tuple[Cell, str] | None:
        """A path such as ``cortex.drive.rate`` as the cell and the name of an input or parameter."""
        population, _, name = path.rpartition(".")
        population = population.removesuffix(".neuron")
        cell = self.cells.get(population)
        if cell is None:
            self.problems.add(
                "path", f"there is no population {population}", mark, suggest(population, self.cells, "population")
            )
            return None
        settable = [n for n, d in cell.declared.items() if d.is_parameter]
        if name not in settable:
            self.problems.add("path", f"{population} has no input or parameter {name}", mark, suggest(name, settable))
            return None
        return cell, name

    def _stimulus(self, name: str, stimulus: Any) -> None:
        at = ("stimuli", name)
        found = self._variable(stimulus.to, self.tree.mark((*at, "to")))
        if found is None:
            return
        cell, variable = found
        declared = cell.declared[variable]
        base = declared.value
        if stimulus.constant is not None:
            base = self._value(stimulus.constant, declared.dims, (*at, "constant"))
        pulses = stimulus.pulse if isinstance(stimulus.pulse, list) else [stimulus.pulse] if stimulus.pulse else []
        if base is None and not pulses:
            self.problems.add(
                "value", f"stimulus {name} says neither constant nor pulse", self.tree.mark(at), "Add one."
            )
            return
        constants: dict[str, Quantity] = {}
        terms = []
        if base is not None:
            constants[f"{name}_base"] = base
            terms.append(f"{name}_base")
        for number, pulse in enumerate(pulses):
            where = (*at, "pulse", number) if isinstance(stimulus.pulse, list) else (*at, "pulse")
            stem = name if len(pulses) == 1 else f"{name}_{number + 1}"
            value = self._value(pulse.value, declared.dims, (*where, "value"))
            start = self._value(pulse.start, TIME, (*where, "start"))
            stop = self._value(pulse.stop, TIME, (*where, "stop")) if pulse.stop is not None else None
            if value is None or start is None:
                continue
            constants |= {f"{stem}_value": value, f"{stem}_start": start}
            # Whole steps are compared: times as floating-point numbers would start a step early or late.
            during = f"timestep(t, dt) >= timestep({stem}_start, dt)"
            if stop is not None:
                constants[f"{stem}_stop"] = stop
                during += f" and timestep(t, dt) < timestep({stem}_stop, dt)"
            terms.append(f"{stem}_value*int({during})")
        if terms:
            line = f"{variable} = {' + '.join(terms)} : {unit_name(declared.dims)}"
            cell.fill(variable, parse_equations(line)[0], constants)

    def _value(self, value: Any, dims: Any, path: tuple) -> Quantity | None:
        mark = self.tree.mark(path)
        try:
            quantity = parse_quantity(value)
        except ValueError as error:
            self.problems.add("value", str(error), mark, "Write a number and a unit, such as 20 ms.")
            return None
        if tuple(quantity.dims) != tuple(dims):
            self.problems.add(
                "unit", f"{path[-1]} expects {describe(dims)}, got {quantity}", mark, f"Write {describe(dims)}."
            )
            return None
        return quantity

    # -- links ----------------------------------------------------------------------------------------

    def link(self) -> None:
        """Brian2's linked variables."""
        for link in self.circuit.links:
            target, source = self.cells[link.target[0]], self.cells[link.source[0]]
            declared = target.declared.get(link.target[1])
            if declared is None or declared.equation is None or "linked" not in declared.equation.flags:
                linked = [n for n, d in target.declared.items() if d.equation and "linked" in d.equation.flags]
                self.problems.add(
                    "name",
                    f"{target.path} has no (linked) variable {link.target[1]}",
                    link.mark,
                    suggest(link.target[1], linked),
                )
                continue
            if source.find(link.source[1]) is None:
                self.problems.add(
                    "name",
                    f"{source.path} has no variable {link.source[1]}",
                    link.mark,
                    suggest(link.source[1], source.declared),
                )
                continue
            if source.population.size not in (1, target.population.size):
                self.problems.add(
                    "fit",
                    f"{source.path} has {source.population.size} cells, {target.path} has {target.population.size}:"
                    " a link needs one cell, or as many",
                    link.mark,
                )
            source.read([link.source[1]])
            target.links.append(Link(link.target[1], source.name, link.source[1]))
        for cell in self.cells.values():
            for name, declared in cell.declared.items():
                flags = declared.equation.flags if declared.equation else ()
                if "linked" in flags and name not in [link.variable for link in cell.links]:
                    self.problems.add(
                        "needs",
                        f"{cell.path}: {name} of {cell.part.name} is linked, but no link says to what",
                        cell.population.tree.mark(()),
                        f"Add to the region: links: {{{cell.path}.{name}: POPULATION.VARIABLE}}",
                    )

    # -- trials, phases -----------------------------------------------------------------------------

    def resolve(self, joins: Sequence[Join]) -> None:
        """Note which parameters phases change: they must land on an object."""
        for name, phase in self.experiment.phases.items():
            for path, value in phase.set.items():
                self._home(path, value, joins, self.tree.mark(("phases", name, "set", path)))

    def trial(self) -> Trial | None:
        if self.experiment.trial is None or self.clock.trial is None:
            return None
        steps = round(self.clock.trial / self.clock.dt)
        return Trial(self.clock.trial, steps, TRIALS, tuple(self.inputs))

    def trial_clock(self, trial: Trial) -> Group:
        """One cell that counts trials and knows which sample is shown: an ordinary group like any other."""
        return Group(
            name=trial.clock,
            path=trial.clock,
            size=1,
            equations=(Line("trial : integer"), Line("trial_step : integer"), Line("sample : integer")),
            regular=(
                Regular(f"{trial.clock}_step", "trial_step += 1", self.clock.dt, "start", -101),
                Regular(
                    f"{trial.clock}_next",
                    f"trial += 1\nsample = {ORDER}(trial)\ntrial_step = 0",
                    trial.duration,
                    "start",
                    -100,
                ),
            ),
            initial=(Initial("trial", "-1", NONE, f"{trial.clock}.trial", integer=True),),
            cell="trial clock",
            about="Counts trials and steps, and knows which sample is shown.",
        )

    def phases(self, joins: Sequence[Join]) -> tuple[Phase, ...]:
        if not self.experiment.phases:
            duration = (
                parse_quantity(self.experiment.run.duration) if self.experiment.run.duration is not None else None
            )
            return (Phase("run", float(duration.value) if duration else 0.0),)
        made = []
        for name, phase in self.experiment.phases.items():
            count = getattr(self.experiment.data, phase.data) if self.experiment.data else 0
            changes = []
            for path, value in phase.set.items():
                home = self._home(path, value, joins, self.tree.mark(("phases", name, "set", path)))
                if home is not None:
                    changes.append(home)
            fresh: list[str] = []
            for item in phase.fresh:
                fresh += [c.name for c in self.cells.values()] if item == "cells" else self._groups(item, name)
            made.append(
                Phase(
                    name,
                    0.0,
                    phase.data,
                    phase.passes,
                    phase.shuffle,
                    count,
                    tuple(changes),
                    tuple(dict.fromkeys(fresh)),
                )
            )
        return tuple(made)

    def _groups(self, path: str, phase: str) -> list[str]:
        found = [c.name for p, c in self.cells.items() if p == path or p.startswith(f"{path}.")]
        if not found:
            mark = self.tree.mark(("phases", phase, "fresh"))
            self.problems.add("path", f"there is no population {path}", mark, suggest(path, ["cells", *self.cells]))
        return found

    def _home(self, path: str, value: Any, joins: Sequence[Join], mark: Mark | None) -> tuple[str, Constant] | None:
        """The object and variable in which the parameter at ``path`` lives while the network runs."""
        owner, _, name = path.rpartition(".")
        settable: dict[str, tuple[str, str]] = {}
        for join in joins:
            for part in join.parts:
                for parameter in part.values:
                    held = join.naming.on_cell(part, parameter)
                    if held:
                        home = (join.naming.cells[held[0]].name, held[1])
                    elif join.naming.own[part.kind][parameter] in join.used:
                        home = (join.name, join.brian_name(part, parameter))
                    else:
                        continue
                    settable[f"{join.path}.{part.kind}.{parameter}"] = home
        for cell in self.cells.values():
            for parameter, declared in cell.declared.items():
                if declared.value is not None and parameter in cell.used and not declared.per_cell:
                    settable[f"{cell.path}.neuron.{parameter}"] = (cell.name, parameter)
        candidates = [path, f"{owner}.neuron.{name}", f"{owner}.synapse.{name}", f"{owner}.plasticity.{name}"]
        found = next((settable[c] for c in candidates if c in settable), None)
        if found is None:
            self.problems.add(
                "path",
                f"{path} is no parameter that can change between phases",
                mark,
                suggest(path, settable, "parameter"),
            )
            return None
        try:
            quantity = parse_quantity(value)
        except ValueError as error:
            self.problems.add("value", str(error), mark, "Write a number and a unit, such as 20 ms.")
            return None
        dims = self._dims(found, joins)
        if dims is not None and tuple(dims) != tuple(quantity.dims):
            self.problems.add(
                "unit", f"{name} expects {describe(dims)}, got {quantity}", mark, f"Write {describe(dims)}."
            )
        return found[0], Constant(found[1], quantity)

    def _dims(self, home: tuple[str, str], joins: Sequence[Join]) -> Any:
        for cell in self.cells.values():
            if cell.name == home[0]:
                return cell.find(home[1])
        for join in joins:
            if join.name == home[0]:
                return join.find(home[1].removesuffix("_syn")) or join.find(home[1])
        return None

    def data(self) -> Data | None:
        data = self.experiment.data
        if data is None:
            return None
        return Data(data.name, {split: getattr(data, split) for split in ("train", "label", "test")})

    # -- what is kept -------------------------------------------------------------------------------

    def readout(self) -> Readout | None:
        readout = self.experiment.readout
        return Readout(readout.name, readout.population, readout.assign_from, readout.ties) if readout else None

    def watches(self, joins: Sequence[Join]) -> tuple[Watch, ...]:
        made: dict[str, Watch] = {}
        wanted: list[tuple[str, tuple]] = [
            (p, ("record", "spikes", k)) for k, p in enumerate(self.experiment.record.spikes)
        ]
        if self.experiment.readout is not None:
            wanted.append((self.experiment.readout.population, ("readout", "population")))
        for text, at in wanted:
            watch = self._spikes(text, self.tree.mark(at))
            if watch is not None:
                there = made.get(watch.path)
                made[watch.path] = watch if there is None or watch.stop is None else there
        for text, state in self.experiment.record.state.items():
            for watch in self._state(text, state, joins):
                made[f"{watch.name}"] = watch
        return tuple(made.values())

    def _split(self, text: str, mark: Mark | None) -> tuple[str, int, int | None]:
        match = re.fullmatch(r"([\w.]+)(?:\[\s*(\d*)\s*:\s*(\d*)\s*\])?", text)
        assert match is not None  # the spec's pattern
        start, stop = int(match[2] or 0), int(match[3]) if match[3] else None
        cell = self.cells.get(match[1])
        if (
            cell is not None
            and not 0 <= start < (stop if stop is not None else cell.population.size) <= cell.population.size
        ):
            self.problems.add("value", f"{text} is outside the {cell.population.size} cells of {match[1]}", mark)
        return match[1], start, stop

    def _spikes(self, text: str, mark: Mark | None) -> Watch | None:
        path, start, stop = self._split(text, mark)
        cell = self.cells.get(path)
        if cell is None:
            return None  # a lesion; unknown paths were refused by the circuit
        if cell.threshold is None:
            self.problems.add(
                "fit", f"{path} cannot be recorded: {cell.part.name} sends no spikes (it has no threshold)", mark
            )
            return None
        return Watch(f"spikes_{cell.name}", "spikes", cell.name, path, start=start, stop=stop)

    def _state(self, text: str, state: Any, joins: Sequence[Join]) -> list[Watch]:
        at = ("record", "state", text)
        mark = self.tree.mark(at)
        every = self._value(state.every, TIME, (*at, "every")) if state.every is not None else None
        if every is not None and (not self.clock.whole(every.value) or every.value <= 0):
            self.problems.add(
                "value", f"every: {every} is no multiple of the time step {self.clock.dt * 1e3:g} ms",
                self.tree.mark((*at, "every")), self.clock.multiples(every.value))  # fmt: skip
        path, start, stop = self._split(text, mark)
        common = {"every": float(every.value) if every else None, "sample": state.sample, "start": start, "stop": stop}
        watches = []
        if path in self.cells:
            cell = self.cells[path]
            known = {n: n for n, d in cell.declared.items() if cell.landed(n)}
            dims = {n: cell.declared[n].dims for n in known}
            watch = Watch(f"state_{cell.name}", "state", cell.name, path, **common)
            watches.append(self._with_variables(watch, state.variables, known, dims, at))
        for join in (j for j in joins if j.path == path):
            known = {n: join.brian_name(None, n) for n in join.declared}
            for name in state.variables:
                if name in join.stale:
                    self.problems.add(
                        "value", join.stale_message(name), self.tree.mark((*at, "variables")), join.stale_hint(name)
                    )
            dims = {n: d.dims for n, d in join.declared.items()}
            watch = Watch(f"state_{join.name}", "state", join.name, path, **common)
            watches.append(self._with_variables(watch, state.variables, known, dims, at))
        return watches

    def _with_variables(
        self, watch: Watch, wanted: Sequence[str], known: Mapping[str, str], dims: Mapping[str, Any], at: tuple
    ) -> Watch:
        for index, name in enumerate(wanted):
            if name not in known:
                mark = self.tree.mark((*at, "variables", index))
                self.problems.add(
                    "name", f"{watch.path} has no variable {name}", mark, suggest(name, known, "variable")
                )
        names = [n for n in wanted if n in known]
        return replace(
            watch,
            variables=tuple(known[n] for n in names),
            labels=tuple(names),
            units=tuple(unit_name(dims[n]) for n in names),
        )
