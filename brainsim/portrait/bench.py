"""A small network on numpy, stepped and set from Python: where a part is tried."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsim import brian, builder, seeds
from brainsim.backends import stepping
from brainsim.backends.runtime import settings
from brainsim.circuit import build
from brainsim.compose import compose
from brainsim.compose.plan import Connection, Group, Initial, Line, Phase, Plan, Watch
from brainsim.equations import Equation, parse_equations
from brainsim.library import Library
from brainsim.source import Tree
from brainsim.units import Dims, unit_name

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Varied:
    """A parameter, or the current that enters a cell, with a value for each cell of a population."""

    path: str
    variable: str
    values: Array  # SI units


def make_plan(
    populations: Mapping[str, Any],
    projections: Mapping[str, Any] | None = None,
    *,
    dt: float,
    states: Mapping[str, Sequence[str]] | None = None,
    every: float | None = None,
    library: Library,
    root: Path,
) -> Plan:
    """The plan of a few populations. ``states`` says what is recorded, each ``every`` seconds.

    Raises ``FileError`` or ``FitError``.
    """
    record: dict[str, Any] = {}
    if states:
        spacing = {} if every is None else {"every": f"{every * 1e3:.9g} ms"}
        record["state"] = {path: {"variables": list(names), **spacing} for path, names in states.items()}
    region: dict[str, Any] = {"region": "portrait", "populations": dict(populations)}
    if projections:
        region["projections"] = dict(projections)
    data = {
        "experiment": "portrait",
        "region": region,
        "run": {"duration": "1 s", "dt": f"{dt * 1e3:.9g} ms", "backend": "numpy"},
        "record": record,
    }
    circuit = build(Tree(data, "portrait"), library, {}, root)
    return compose(circuit, library)


def group_of(plan: Plan, path: str) -> Group:
    return next(group for group in plan.groups if group.path == path)


def variables(plan: Plan, path: str) -> dict[str, Equation]:
    """Everything a population declares, in order."""
    text = "\n".join(line.text for line in group_of(plan, path).equations)
    return {equation.name: equation for equation in parse_equations(text)}


def vary(plan: Plan, varied: Sequence[Varied]) -> Plan:
    """The plan with these variables as values of each cell: they can be set while it runs."""
    groups = []
    for group in plan.groups:
        for one in (v for v in varied if v.path == group.path):
            group = _vary(group, one)
        groups.append(group)
    return replace(plan, groups=tuple(groups))


def _vary(group: Group, one: Varied) -> Group:
    declared = {e.name: e for e in parse_equations("\n".join(line.text for line in group.equations))}
    dims: Dims = declared[one.variable].dims
    own = re.compile(rf"\s*{one.variable}\s*[=:]")
    kept = tuple(line for line in group.equations if not own.match(line.text))
    line = Line(f"{one.variable} : {unit_name(dims)}")
    first = Initial(one.variable, "0", dims, "portrait", given=tuple(map(float, one.values)))
    return replace(
        group,
        equations=(*kept, line),
        constants=tuple(c for c in group.constants if c.name != one.variable),
        initial=(first, *(i for i in group.initial if i.variable != one.variable)),
    )


def spike_watches(plan: Plan) -> tuple[Watch, ...]:
    """What the plan records, and the spikes of every population that sends some."""
    spikes = (Watch(f"spikes_{g.name}", "spikes", g.name, g.path) for g in plan.groups if g.threshold)
    return (*spikes, *(watch for watch in plan.watches if watch.kind == "state"))


class Bench:
    """A plan that is built and stepped; every spike and every recorded variable is kept."""

    def __init__(self, plan: Plan):
        self.plan = plan = replace(plan, watches=spike_watches(plan))
        items: list[Group | Connection] = [*plan.groups, *plan.connections]
        self._names = {item.path: item.name for item in items}
        with contextlib.ExitStack() as stack:
            stack.enter_context(brian.quiet())
            stack.enter_context(brian.preferences(**settings("numpy")))
            stack.enter_context(brian.device("runtime"))
            stack.enter_context(brian.own_clock())
            stack.callback(np.random.set_state, np.random.get_state())
            stack.enter_context(np.errstate(all="ignore"))
            self._built = builder.build(plan)
            try:
                network, space = self._built.network, dict(self._built.namespace)
                self._stepper = stepping.prepare("numpy", network, space, seeds.noise_seed(plan.seed))
            except Exception as error:
                raise builder.explain(error, plan) from error

    @property
    def t(self) -> float:
        return self._stepper.time()

    def step(self, seconds: float) -> None:
        """Go on by so much model time. Raises ``RunError``."""
        try:
            with np.errstate(all="ignore"):
                self._stepper.step(round(seconds / self.plan.dt))
        except Exception as error:
            raise builder.explain(error, self.plan) from error

    def reset(self, *paths: str) -> None:
        """Populations go back to their first values."""
        names = tuple(self._names[path] for path in paths)
        with np.errstate(all="ignore"):
            builder.enter(self._built, Phase("again", fresh=names))

    def set(self, path: str, variable: str, values: Any) -> None:
        """Give a variable that varies (or any that is stored) its values, in SI units."""
        owner = self._owner(path)
        found = owner.variables[variable]
        if found.scalar:
            found.set_value(values)
        else:
            found.set_value(np.array(np.broadcast_to(values, (len(owner),)), dtype=found.dtype))

    def get(self, path: str, variable: str) -> Array:
        """Values of a stored variable now."""
        return np.array(self._owner(path).variables[variable].get_value(), dtype=float)

    def _owner(self, path: str) -> Any:
        name = self._names[path]
        return self._built.groups.get(name) or self._built.connections[name]

    def spikes(self, path: str, since: float = 0.0) -> tuple[Array, NDArray[np.int64]]:
        """Times and cells since a time; none if the cell sends no spikes."""
        monitor = self._built.monitors.get(f"spikes_{self._names[path]}")
        if monitor is None:
            return np.zeros(0), np.zeros(0, np.int64)
        times = np.array(monitor.variables["t"].get_value(), dtype=float)
        cells = np.array(monitor.variables["i"].get_value(), dtype=np.int64)
        late = times >= since - 0.5 * self.plan.dt
        return times[late], cells[late]

    def trains(self, path: str, size: int, since: float = 0.0) -> list[Array]:
        """The spike times of each cell since a time."""
        times, cells = self.spikes(path, since)
        return [times[cells == k] for k in range(size)]

    def state(self, path: str, variable: str) -> tuple[Array, Array]:
        """Times [T] and values [T, members] of a recorded variable, in SI units."""
        monitor = self._built.monitors[f"state_{self._names[path]}"]
        times = np.array(monitor.variables["t"].get_value(), dtype=float)
        return times, np.array(monitor.variables[variable].get_value(), dtype=float).reshape(len(times), -1)
