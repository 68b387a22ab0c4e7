"""Turns a :class:`~brainsim.compose.plan.Plan` into Brian2 objects: the only place that makes quantities.

Objects are made in the order in which ``script`` prints them, with the same names and values. Nothing is
taken from the caller's frame: every object gets its namespace here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from brainsim import brian
from brainsim import functions as extra
from brainsim.builder import arrange
from brainsim.builder.faults import blame, explain
from brainsim.compose import draws
from brainsim.compose.plan import Connection, Constant, Group, Initial, Phase, Plan, Regular, Slice, Watch
from brainsim.units import Quantity

__all__ = ["Built", "build", "enter", "explain", "leave", "left", "quantity"]


@dataclass
class Built:
    """Brian2 objects by their names in the plan, and what was drawn for them."""

    plan: Plan
    network: Any
    groups: dict[str, Any] = field(default_factory=dict)
    connections: dict[str, Any] = field(default_factory=dict)
    monitors: dict[str, Any] = field(default_factory=dict)
    #: Ends of the synapses, and SI values of variables: of groups, and of connections that are recorded or saved.
    pairs: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    initial: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    recorded: dict[str, np.ndarray] = field(default_factory=dict)  # state monitor -> members recorded
    namespace: dict[str, Any] = field(default_factory=dict)
    saved: draws.Saved = field(default_factory=dict)
    unconnected: tuple[str, ...] = ()  # connections whose draw gave no pair


def build(
    plan: Plan,
    samples: Any = None,
    order: np.ndarray | None = None,
    saved: draws.Saved | None = None,
    by_arrival: bool = False,
) -> Built:
    """Make every object of the plan on Brian2's current device. Raises ``FitError`` or ``RunError``.

    ``saved`` holds the values in SI units of those ``Initial`` that come from an earlier run, by (name of the
    object, variable). With ``by_arrival``, synapses whose numbers nobody sees are numbered by source and delay, not
    by source and target: what one spike reaches at one time then lies together in memory.
    """
    b2 = brian.load()
    b2.defaultclock.dt = plan.dt * b2.second
    built = Built(plan, b2.Network(name="network"), saved=saved or {})
    built.namespace = {name: _function(item) for name, item in extra.needed(plan, samples, order).items()}
    clocks = _Clocks(b2, plan)
    for group in plan.groups:
        with blame(group):
            built.groups[group.name] = _group(b2, group, plan, built, clocks)
    for group in plan.groups:
        with blame(group):
            for link in group.links:
                source = built.groups[link.source]
                setattr(built.groups[group.name], link.variable, b2.linked_var(source, link.source_variable))
    unconnected = []
    watched = {watch.target for watch in plan.watches}
    for connection in plan.connections:
        with blame(connection):
            i, j = draws.pairs(connection, plan.seed)
            if not len(i):  # nothing to run, and Brian2's standalone mode has no empty arrays
                unconnected.append(connection.name)
                continue
            seen = bool(connection.saved) or connection.name in watched
            if seen:
                built.pairs[connection.name] = i, j
            made = _connection(b2, connection, i, j, built, clocks, by_arrival and not seen)
            built.connections[connection.name] = made
    built.unconnected = tuple(unconnected)
    for watch in plan.watches:
        if watch.target in built.unconnected:
            continue
        with blame(watch):
            built.monitors[watch.name] = _monitor(b2, watch, plan, built, clocks)
    built.network.add(*built.groups.values(), *built.connections.values(), *built.monitors.values())
    return built


class _Clocks:
    """One clock for each period that is not dt: Brian2 would make one for each object."""

    def __init__(self, b2: Any, plan: Plan):
        self.b2, self.dt = b2, plan.dt
        self.made: dict[int, Any] = {}

    def at(self, period: float | None) -> dict[str, Any]:
        steps = 1 if period is None else round(period / self.dt)
        if steps == 1:
            return {}
        if steps not in self.made:
            self.made[steps] = self.b2.Clock(dt=period * self.b2.second, name=f"every_{steps}_steps")
        return {"clock": self.made[steps]}


def quantity(value: Quantity) -> Any:
    """The same value as a Brian2 quantity."""
    b2 = brian.load()
    return b2.Quantity(value.value, dim=b2.get_or_create_dimension(value.dims))


def _function(item: extra.Function) -> Any:
    b2 = brian.load()
    function = b2.Function(
        item.numpy,
        arg_units=[1] * len(item.arguments),
        arg_types=list(item.types),
        return_unit=1,
        return_type=item.result,
    )
    function.implementations.add_implementation("numpy", item.numpy)
    arrays = dict(item.arrays)
    function.implementations.add_implementation("cython", item.cython, namespace=arrays, name=item.name)
    function.implementations.add_implementation("cpp", item.cpp, namespace=arrays, name=item.name)
    if item.native:
        function.implementations.add_implementation("native", item.cpp + item.native, namespace=arrays, name=item.name)
        function.eight = item.eight
    return function


# --- groups -------------------------------------------------------------------------------------------


def _group(b2: Any, group: Group, plan: Plan, built: Built, clocks: _Clocks) -> Any:
    options: dict[str, Any] = {}
    for key in ("threshold", "reset", "method"):
        if getattr(group, key) or (key == "reset" and group.threshold and group.reset == ""):
            options[key] = getattr(group, key)
    if group.refractory:
        options["refractory"] = group.refractory
    events = {event.name: event.condition for event in group.events if event.name != "spike"}
    made = b2.NeuronGroup(
        group.size,
        "\n".join(line.text for line in group.equations),
        events=events,
        name=group.name,
        namespace=dict(built.namespace),
        **options,
    )
    for event in group.events:
        made.set_event_schedule(event.name, when=event.when, order=event.order)
        if event.code:
            made.run_on_event(event.name, event.code, when=event.code_when, order=event.code_order)
    _regular(made, group.regular, clocks)
    _constants(made, group.constants)
    known: dict[str, Quantity] = {"i": Quantity(np.arange(group.size)), "N": Quantity(group.size)}
    _initial(made, group, group.size, known, built)
    return made


def _regular(made: Any, items: tuple[Regular, ...], clocks: _Clocks) -> None:
    for item in items:
        made.run_regularly(item.code, when=item.when, order=item.order, name=item.name, **clocks.at(item.period))


def _constants(made: Any, items: tuple[Constant, ...]) -> None:
    for item in items:
        setattr(made, item.name, quantity(item.value))


def _initial(made: Any, item: Group, size: int, known: dict[str, Quantity], built: Built) -> None:
    drawn = built.initial[item.name] = {}
    for initial, value in _drawn(item, size, known, built):
        _set(made, initial.variable, value)
        drawn[initial.variable] = value.value


def _drawn(
    item: Group | Connection, size: int, known: dict[str, Quantity], built: Built
) -> list[tuple[Initial, Quantity]]:
    """Initial values in order; each may use those before it."""
    values = {**{constant.name: constant.value for constant in item.constants}, **known}
    found = []
    for initial in item.initial:
        value = values[initial.variable] = draws.values(item.name, initial, size, values, built.plan.seed, built.saved)
        found.append((initial, value))
    return found


def _set(made: Any, variable: str, value: Quantity) -> None:
    if made.variables[variable].scalar:
        setattr(made, variable, quantity(Quantity(value.value[0], value.dims)))
    else:
        made.variables[variable].set_value(value.value)


# --- connections --------------------------------------------------------------------------------------


def _end(built: Built, piece: Slice) -> Any:
    group = built.groups[piece.group]
    return group if (piece.start, piece.stop) == (0, len(group)) else group[piece.start : piece.stop]


def _connection(
    b2: Any, connection: Connection, i: np.ndarray, j: np.ndarray, built: Built, clocks: _Clocks, by_arrival: bool
) -> Any:
    codes: dict[str, dict[str, str]] = {"pre": {}, "post": {}}
    for pathway in connection.pathways:
        codes[pathway.side][pathway.name] = pathway.code
    delays = {p.name: p.delay * b2.second for p in connection.pathways if p.delay is not None}
    made = b2.Synapses(
        _end(built, connection.source),
        _end(built, connection.target),
        "\n".join(line.text for line in connection.equations) or None,
        on_pre=codes["pre"] or None,
        on_post=codes["post"] or None,
        on_event={pathway.name: pathway.event for pathway in connection.pathways},
        delay=delays or None,
        name=connection.name,
        namespace=dict(built.namespace),
        **({"method": connection.method} if connection.method else {}),
    )
    for pathway in connection.pathways:
        path = getattr(made, pathway.name)
        path.when = pathway.when
        if pathway.order is not None:
            path.order = pathway.order
    known = {
        "i": Quantity(i),
        "j": Quantity(j),
        "N_pre": Quantity(connection.source.size),
        "N_post": Quantity(connection.target.size),
    }
    d = draws.separations(connection, i, j)
    known |= {} if d is None else {"d": d}
    initial = _drawn(connection, len(i), known, built)
    late = {
        pathway.name: draws.delays(connection, pathway.delays, len(i), known, built.plan)
        for pathway in connection.pathways
        if pathway.delays is not None
    }
    if by_arrival and len(late) == 1:
        (delay,) = late.values()
        columns = [value.value for item, value in initial if not made.variables[item.variable].scalar]
        arrange.by_arrival(i, delay.value, built.plan.dt, [j, *columns])
    made.connect(i=i, j=j, namespace={})
    _regular(made, connection.regular, clocks)
    _constants(made, connection.constants)
    for item, value in initial:
        _set(made, item.variable, value)
    for name, delay in late.items():
        getattr(made, name).variables["delay"].set_value(delay.value)
    if connection.name in built.pairs:
        built.initial[connection.name] = {item.variable: value.value for item, value in initial}
    return made


# --- monitors -----------------------------------------------------------------------------------------


def _monitor(b2: Any, watch: Watch, plan: Plan, built: Built, clocks: _Clocks) -> Any:
    target = built.groups.get(watch.target) or built.connections[watch.target]
    if watch.kind == "spikes":
        stop = len(target) if watch.stop is None else watch.stop
        source = target if (watch.start, stop) == (0, len(target)) else target[watch.start : stop]
        if watch.event == "spike":
            return b2.SpikeMonitor(source, name=watch.name)
        return b2.EventMonitor(source, watch.event, name=watch.name)
    size = len(target) if watch.target in built.groups else len(built.pairs[watch.target][0])
    members = draws.recorded(watch, size)
    built.recorded[watch.name] = members
    return b2.StateMonitor(target, list(watch.variables), record=members, name=watch.name, **clocks.at(watch.every))


# --- phases -------------------------------------------------------------------------------------------


def enter(built: Built, phase: Phase, number: int = 0) -> None:
    """Groups named under ``fresh`` go back to their first values; what the phase sets in that round is set."""
    by_name = {group.name: group for group in built.plan.groups}
    for name in phase.fresh:
        _refresh(built, by_name[name])
    for name, constant in phase.changes(number):
        if name not in built.unconnected:
            setattr(_object(built, name), constant.name, quantity(constant.value))


def leave(built: Built, phase: Phase) -> None:
    """What the phase set returns to the plan's value."""
    for name, constant in phase.set:
        if name not in built.unconnected:
            before = draws.constant(built.plan, name, constant.name)
            setattr(_object(built, name), before.name, quantity(before.value))


def left(built: Built, end: int) -> float:
    """Seconds of model time until sample number ``end`` of the stream may begin, if nothing more is shown again."""
    shown = built.plan.trial
    if shown is None or not shown.limit:
        return 0.0
    values = built.groups[shown.clock].variables
    trial, again = (int(values[name].get_value()[0]) for name in ("trial", "again"))
    return (end - 1 - trial + again) * shown.steps * built.plan.dt


def _object(built: Built, name: str) -> Any:
    return built.groups.get(name) or built.connections[name]


def _refresh(built: Built, group: Group) -> None:
    made = built.groups[group.name]
    drawn = built.initial[group.name]
    for name in draws.state_variables(group):
        variable = made.variables[name]
        # Where nothing was drawn: as Brian2 leaves it when the group is made.
        first = drawn.get(name, {"lastspike": -1e4, "not_refractory": True}.get(name, 0))
        if variable.scalar:
            variable.set_value(np.ravel(first)[0])
        else:
            variable.set_value(np.broadcast_to(first, (group.size,)).astype(variable.dtype))
