"""What every backend gives back, and how it hands results on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from brainsim import builder
from brainsim.compose import draws
from brainsim.compose.plan import Group, Plan, Watch

#: (model time in seconds, total in seconds, path -> mean rate in Hz since the last call)
Progress = Callable[[float, float, Mapping[str, float]], None]


@dataclass(frozen=True)
class Outcome:
    """How a run went. Times are wall-clock seconds."""

    backend: str
    build_seconds: float = 0.0  # making Brian2 objects and generating code
    compile_seconds: float = 0.0
    run_seconds: float = 0.0
    completed: bool = True
    stopped_at: float = 0.0  # seconds of model time reached
    notes: tuple[str, ...] = ()


class Course(Protocol):
    """What is done between the rounds of a run."""

    begun: int
    """Rounds that an earlier attempt has finished."""
    left: dict[str, Any]
    """The state in which it left the network."""

    def ended(self, number: int, state: Callable[[], dict[str, Any]]) -> None:
        """Round ``number``, from 0, is over and was handed to the recorder; ``state`` gets what a checkpoint holds."""


def silent(model_time: float, total: float, rates: Mapping[str, float]) -> None:
    """Progress for those who do not watch."""


class Delivery:
    """Passes what Brian2's monitors hold to a recorder, each piece once."""

    def __init__(self, built: builder.Built, recorder: Any):
        self.built, self.recorder = built, recorder
        self.groups: dict[str, Group] = {group.name: group for group in built.plan.groups}
        self.done: dict[str, int] = {}

    def everything(self) -> None:
        """Hand on what is new in every monitor."""
        for watch in self.built.plan.watches:
            monitor = self.built.monitors.get(watch.name)
            if monitor is not None:
                (self._spikes if watch.kind == "spikes" else self._state)(watch, monitor)

    def _new(self, watch: Watch, monitor: Any) -> tuple[slice, np.ndarray]:
        times = monitor.variables["t"].get_value()
        first = self.done.get(watch.name, 0)
        self.done[watch.name] = len(times)
        return slice(first, len(times)), np.array(times[first:])

    def _spikes(self, watch: Watch, monitor: Any) -> None:
        first = watch.name not in self.done
        new, times = self._new(watch, monitor)
        if len(times) or first:  # an empty call says that the population is recorded
            # Brian2 counts from the start of the recorded slice, results from the start of the population.
            self.recorder.spikes(watch.path, times, np.array(monitor.variables["i"].get_value()[new]) + watch.start)

    def _state(self, watch: Watch, monitor: Any) -> None:
        new, times = self._new(watch, monitor)
        if not len(times):
            return
        members = self.built.recorded[watch.name]
        ids: Any = members
        if watch.target not in self.groups:
            source, target = self.ends(watch.target)
            ids = source[members], target[members]
        labels = watch.labels or watch.variables
        for variable, label, unit in zip(watch.variables, labels, watch.units, strict=True):
            values = np.array(monitor.variables[variable].get_value()[new])
            self.recorder.state(watch.path, label, unit, times, values, ids)

    def ends(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Indices within the whole populations of both ends of each synapse."""
        connection = next(c for c in self.built.plan.connections if c.name == name)
        i, j = self.built.pairs[name]
        return i + connection.source.start, j + connection.target.start

    def clear(self) -> None:
        """Let monitors forget what was handed on: memory holds one round."""
        for name, monitor in self.built.monitors.items():
            monitor.resize(0)
            monitor.variables["N"].set_value(0)
            if name in self.done:
                self.done[name] = 0

    def weights(self) -> None:
        """Hand on the weights of plastic connections, before the first phase and now."""
        for connection in self.built.plan.connections:
            made = self.built.connections.get(connection.name)
            if made is None or not connection.saved:
                continue
            source, target = self.ends(connection.name)
            drawn = self.built.initial[connection.name]
            pairs = {}
            for label, variable in connection.saved:
                after = np.array(made.variables[variable].get_value())
                pairs[label] = (drawn.get(variable, np.zeros(len(source))), after)
            ends = self.groups[connection.source.group].path, self.groups[connection.target.group].path
            self.recorder.weights(connection.path, *ends, source, target, pairs)


def total_time(plan: Plan) -> float:
    """Seconds of model time of all phases, in all rounds."""
    return plan.rounds * sum(draws.duration(plan, phase) for phase in plan.phases)
