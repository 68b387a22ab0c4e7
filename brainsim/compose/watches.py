"""What is recorded: spikes and variables over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from brainsim.circuit import Circuit
from brainsim.circuit.wiring import split_slice
from brainsim.compose.cell import Cell
from brainsim.compose.join import Join
from brainsim.compose.plan import Watch
from brainsim.errors import Problems, suggest
from brainsim.units import Dims, unit_name
from brainsim.units import parse as parse_quantity


class Watches:
    """Collects the monitors an experiment asks for; the readout's population is always among them."""

    def __init__(self, circuit: Circuit, cells: Mapping[str, Cell], joins: Sequence[Join], problems: Problems):
        self.tree, self.cells, self.joins, self.problems = circuit.tree, cells, joins, problems
        self.spikes: dict[str, Watch] = {}
        self.states: list[Watch] = []
        self.recorded: set[str] = set()
        experiment = circuit.experiment
        for number, text in enumerate(experiment.record.spikes):
            self._spikes(text, ("record", "spikes", number))
        if experiment.readout is not None:
            self._spikes(experiment.readout.population, ("readout", "population"))
        for text, state in experiment.record.state.items():
            self._state(text, state)

    def made(self) -> tuple[Watch, ...]:
        """All of them, spikes first."""
        return (*self.spikes.values(), *self.states)

    def _spikes(self, text: str, at: tuple) -> None:
        path, start, stop = self._slice(text)
        cell = self.cells[path]
        if cell.threshold is None:
            message = f"{path} cannot be recorded: {cell.part.name} sends no spikes (it has no threshold)"
            senders = [p for p, c in self.cells.items() if c.threshold is not None]
            self.problems.add("fit", message, self.tree.mark(at), f"These send spikes: {', '.join(senders) or 'none'}.")
            return
        there = self.spikes.get(path)
        if there is not None:  # one monitor for a population: the stretch that covers all that is asked for
            start = min(start, there.start)
            stop = max(stop, cell.population.size if there.stop is None else there.stop)
        whole = (start, stop) == (0, cell.population.size)
        self.spikes[path] = Watch(
            f"spikes_{cell.name}", "spikes", cell.name, path, start=start, stop=None if whole else stop
        )

    def _slice(self, text: str) -> tuple[str, int, int]:
        path, start, stop = split_slice(text)
        size = self.cells[path].population.size if path in self.cells else 0
        return path, start or 0, size if stop is None else stop

    def _state(self, text: str, state: Any) -> None:
        path, start, stop = self._slice(text)
        mark = self.tree.key_mark(("record", "state", text))
        if path in self.recorded:
            self.problems.add("value", f"{path} is recorded twice", mark, "Put all variables into one entry.")
        self.recorded.add(path)
        every = None if state.every is None else float(parse_quantity(state.every).value)
        common = {"every": every, "sample": state.sample}
        found: dict[str, Dims] = {}
        if path in self.cells:
            cell = self.cells[path]
            sliced = (start, stop) != (0, cell.population.size)
            common |= {"start": start, "stop": stop if sliced else None}
            known = {n: (n, cell.declared[n].dims) for n in cell.declared if cell.landed(n)}
            self._watch(Watch(f"state_{cell.name}", "state", cell.name, path, **common), state.variables, known, found)
        for join in (j for j in self.joins if j.projection.path == path):
            self._refuse_stale(join, text, state.variables)
            known = {n: (join.brian_name(None, n), d.dims) for n, d in join.declared.items()}
            watch = Watch(f"state_{join.name}", "state", join.name, join.path, **common)
            self._watch(watch, state.variables, known, found)
        for index, name in enumerate(state.variables):
            if name not in found:
                mark = self.tree.mark(("record", "state", text, "variables", index))
                known_names = [n for j in self.joins if j.projection.path == path for n in j.declared]
                known_names += [n for p, c in self.cells.items() if p == path for n in c.declared if c.landed(n)]
                message = f"{path} has no variable {name} while it runs"
                self.problems.add("name", message, mark, suggest(name, known_names, "variable"))

    def _watch(
        self, watch: Watch, wanted: Sequence[str], known: Mapping[str, tuple[str, Dims]], found: dict[str, Dims]
    ) -> None:
        """Add a monitor of those variables that its object has, and note them in ``found``."""
        names = [n for n in wanted if n in known]
        found |= {n: known[n][1] for n in names}
        if names:
            variables, units = tuple(known[n][0] for n in names), tuple(unit_name(known[n][1]) for n in names)
            self.states.append(replace(watch, variables=variables, labels=tuple(names), units=units))

    def _refuse_stale(self, join: Join, text: str, wanted: Sequence[str]) -> None:
        for name in wanted:
            if name in join.stale:
                mark = self.tree.mark(("record", "state", text, "variables"))
                self.problems.add("value", join.stale_message(name), mark, join.stale_hint(name))
