"""Groups, connections and monitors of a plan as Brian2 source."""

from __future__ import annotations

import builtins
import inspect
import keyword
import re
from collections.abc import Iterable, Mapping
from textwrap import indent
from typing import Any

import numpy as np

from brainsim import connect, functions
from brainsim.compose import draws
from brainsim.compose.plan import Connection, Constant, Group, Initial, Places, Plan, Regular, Slice, Watch
from brainsim.script.formula import numpy_code
from brainsim.script.words import attribute, block, comment, listed, literal, mapping, options, seconds
from brainsim.units import UNITS, Quantity

#: Arrays of more numbers than this go into a file beside the script.
INLINE = 24
#: Names the script uses itself.
_OWN = {
    *("Clock", "EventMonitor", "Network", "NeuronGroup", "Path", "SEED", "SpikeMonitor", "StateMonitor", "Synapses"),
    *("arrays", "check_units", "d", "defaultclock", "hashlib", "i", "images", "j", "labels", "len", "linked_var"),
    *(
        "monitor",
        "network",
        "next_spike",
        "np",
        "order",
        "prefs",
        "print",
        "range",
        "rng",
        "sample_order",
        "samples",
        "seed",
    ),
    *("separations", "stream"),
}
#: Names it makes up: clocks, and what cells start from.
_MADE = re.compile(r"every_\d+_steps|first_\w+|\w+_array")


class Objects:
    """Prints objects in the order in which ``builder`` makes them, and notes what they need at the top."""

    def __init__(self, plan: Plan, saved: draws.Saved | None):
        self.plan, self.saved = plan, saved or {}
        self.body: list[str] = []
        self.brian: set[str] = {"Network", "defaultclock", "prefs", "seed"}
        self.sources: dict[str, str] = {}  # functions printed at the top
        self.arrays: dict[str, np.ndarray] = {}
        self.clocks: dict[int, float] = {}  # steps -> period in seconds
        self.streams = False
        self.groups = {group.name: group for group in plan.groups}
        self.connections = [c for c in plan.connections if not draws.is_empty(c, plan.seed)]
        kept = {c.name for c in self.connections}
        self.left_out = [c for c in plan.connections if c.name not in kept]
        made: list[Group | Connection | Watch] = [*plan.groups, *self.connections, *plan.watches]
        # Python's own functions are called by those the script prints.
        taken = set(keyword.kwlist) | set(dir(builtins)) | set(UNITS) | _OWN | set(functions.names_needed(plan))
        taken |= {function.__name__ for function in connect.RULES.values()}
        taken |= {name for item in made if _MADE.fullmatch(name := item.name)}
        self.names = {item.name: item.name + "_" if item.name in taken else item.name for item in made}
        for name in self.names:
            if not name.isidentifier() or not name.isascii():
                raise ValueError(f"{name!r} is no name for an object")

    def add(self, *rows: str) -> None:
        self.body += rows

    def unit(self, code: str) -> str:
        """Code of a value; notes the units it needs."""
        self.brian |= set(re.findall(r"[A-Za-z_]\w*", re.sub(r"\d[\d.]*(?:[eE][-+]?\d+)?", " ", code))) & set(UNITS)
        return code

    def use(self, *names: str) -> None:
        self.brian |= set(names)

    def _call(self, target: str, function: str, arguments: Iterable[str]) -> None:
        self.use(function)
        self.add(f"{target} = {function}(")
        for argument in arguments:
            self.add(*indent(f"{argument},", "    ").splitlines())
        self.add(")")

    def group(self, group: Group) -> None:
        kind = f" ({group.cell})" if group.cell else ""
        self.add("", comment(f"{group.path}{kind}: {group.about}" if group.about else f"{group.path}{kind}"))
        name = self.names[group.name]
        arguments = [str(int(group.size)), block(line.text for line in group.equations)]
        for key in ("threshold", "reset", "refractory", "method"):
            if getattr(group, key) or (key == "reset" and group.threshold and group.reset == ""):
                arguments.append(f"{key}={literal(getattr(group, key))}")
        events = {event.name: event.condition for event in group.events if event.name != "spike"}
        if events:
            items = ", ".join(f"{literal(event)}: {literal(condition)}" for event, condition in events.items())
            arguments.append(f"events={{{items}}}")
        self._call(name, "NeuronGroup", [*arguments, f'name="{group.name}"'])
        for event in group.events:
            if (event.when, event.order) != ("thresholds", 0):
                self.add(f"{name}.set_event_schedule({options(event.name, when=event.when, order=event.order)})")
            if event.code:
                slot = [f"when={literal(event.code_when)}", f"order={int(event.code_order)}"]
                self._code(f"{name}.run_on_event({literal(event.name)}, ", event.code, slot)
        self._regular(name, group.regular)
        self._constants(name, group.constants)
        self._initial(group, name, str(group.size), {"i": f"np.arange({group.size})", "N": str(group.size)})

    def _code(self, call: str, code: str, slot: list[str], *rest: str) -> None:
        self.add(*f"{call}{', '.join([literal(code), *slot, *rest])})".splitlines())

    def _regular(self, name: str, items: Iterable[Regular]) -> None:
        for item in items:
            slot = [f"when={literal(item.when)}"] if item.when != "start" else []
            slot += [f"order={int(item.order)}"] if item.order else []
            self._code(f"{name}.run_regularly(", item.code, slot, *self._clock(item.period), f'name="{item.name}"')

    def _clock(self, period: float | None) -> list[str]:
        steps = 1 if period is None else round(period / self.plan.dt)
        if period is None or steps == 1:
            return []
        self.use("Clock")
        self.unit(seconds(self.clocks.setdefault(steps, period)))
        return [f"clock=every_{steps}_steps"]

    def _constants(self, name: str, items: Iterable[Constant]) -> None:
        for item in items:
            self.add(f"{name}.{attribute(item.name)} = {self.unit(item.value.code)}")

    def _initial(self, owner: Group | Connection, name: str, size: str, known: Mapping[str, str]) -> None:
        for item in owner.initial:
            self.add(f"{name}.{attribute(item.variable)} = {self._drawn(owner, name, item, size, known)}")

    def _drawn(self, owner: Group | Connection, name: str, item: Initial, size: str, known: Mapping[str, str]) -> str:
        if item.saved or item.given:
            kept = item.given or self.saved.get((owner.name, item.variable), np.zeros(0))
            values = np.asarray(kept)
            unit = Quantity(1.0, tuple(item.dims)).code
            return self.array(f"{owner.name}.{item.variable}", values) + (
                "" if unit == "1" else f" * {self.unit(unit)}"
            )
        earlier = {other.variable: f"{name}.{attribute(other.variable)}[:]" for other in owner.initial}
        constants = {constant.name: f"({constant.value.code})" for constant in owner.constants}
        whole = {other.variable for other in owner.initial if other.integer}
        earlier |= {variable: f"(1.0*{earlier[variable]})" for variable in whole}
        code, random = numpy_code(item.expression, {**constants, **earlier, **known}, size)
        self.unit(code)
        if random:
            self.streams = True
            self.add(f"rng = stream({literal(item.stream)})")
        return code

    def array(self, key: str, values: np.ndarray) -> str:
        if values.size <= INLINE:
            return f"np.array({values.tolist()!r})"
        self.arrays[key] = values
        return f"arrays[{literal(key)}]"

    def links(self, group: Group) -> None:
        for link in group.links:
            self.use("linked_var")
            source = f"linked_var({self.names[link.source]}, {literal(link.source_variable)})"
            self.add(f"{self.names[group.name]}.{attribute(link.variable)} = {source}")

    def _end(self, piece: Slice) -> str:
        name = self.names[piece.group]
        whole = (piece.start, piece.stop) == (0, self.groups[piece.group].size)
        return name if whole else f"{name}[{int(piece.start)}:{int(piece.stop)}]"

    def connection(self, connection: Connection) -> None:
        name = self.names[connection.name]
        kind = f" ({' with '.join(connection.parts)})" if connection.parts else ""
        ends = f"{self.groups[connection.source.group].path} to {self.groups[connection.target.group].path}"
        title = f"{connection.path}{kind}, {ends}"
        self.add("", comment(f"{title}: {connection.about}" if connection.about else title))
        arguments = [self._end(connection.source), self._end(connection.target)]
        if connection.equations:
            arguments.append(block(line.text for line in connection.equations))
        for side in ("pre", "post"):
            items = [(pathway.name, pathway.code) for pathway in connection.pathways if pathway.side == side]
            if items:
                arguments.append(f"on_{side}={mapping((key, literal(code)) for key, code in items)}")
        if connection.pathways:
            events = mapping((pathway.name, literal(pathway.event)) for pathway in connection.pathways)
            if any(pathway.event != "spike" for pathway in connection.pathways):
                arguments.append(f"on_event={events}")
        delays = [(p.name, self.unit(seconds(p.delay))) for p in connection.pathways if p.delay is not None]
        if delays:
            arguments.append(f"delay={mapping(delays)}")
        if connection.method:
            arguments.append(f"method={literal(connection.method)}")
        self._call(name, "Synapses", [*arguments, f'name="{connection.name}"'])
        for pathway in connection.pathways:
            if pathway.when != "synapses":
                self.add(f"{name}.{attribute(pathway.name)}.when = {literal(pathway.when)}")
            if pathway.order is not None:
                self.add(f"{name}.{attribute(pathway.name)}.order = {int(pathway.order)}")
        self._pairs(connection)
        self.add(f"{name}.connect(i=i, j=j)")
        self._regular(name, connection.regular)
        self._constants(name, connection.constants)
        known = {
            "i": "(1.0*i)",
            "j": "(1.0*j)",
            "N_pre": str(connection.source.size),
            "N_post": str(connection.target.size),
        }
        if connection.places is not None:
            known["d"] = self._separations(connection, connection.places)
        self._initial(connection, name, "len(i)", known)
        for pathway in connection.pathways:
            if pathway.delays is not None:
                drawn = self._drawn(connection, name, pathway.delays, "len(i)", known)
                self.add(f"{name}.{attribute(pathway.name)}.delay = {drawn}")

    def _separations(self, connection: Connection, places: Places) -> str:
        """Prints the distance of each pair; it as code."""
        function = connect.separations
        self.sources.setdefault(function.__name__, inspect.getsource(function))
        both = [getattr(places, key) for key in ("source_positions", "target_positions")]
        arrays = [self.array(f"{connection.name}.{end}", found) for end, found in zip("ij", both, strict=True)]
        self.add(f"d = {function.__name__}(i, j, {', '.join(arrays)}, {places.ring!r})")
        return f"(d*{self.unit('meter')})" if any(places.dims) else "d"

    def _pairs(self, connection: Connection) -> None:
        function, options = draws.rule(connection)
        self.sources.setdefault(function.__name__, inspect.getsource(function))
        drawn = "rng" in inspect.getsource(function).split(":", 1)[1]
        self.streams |= drawn
        stream = f"stream({literal(connection.wiring.stream)})" if drawn else "None"
        arguments = [str(int(connection.source.size)), str(int(connection.target.size))]
        arguments += [stream] if drawn or options else []
        for key, value in options.items():
            arguments.append(f"{key}={self._option(connection, key, value)}")
        self.add(f"i, j = {function.__name__}({', '.join(arguments)})")

    def _option(self, connection: Connection, key: str, value: Any) -> str:
        if isinstance(value, str):  # p as a function of the distance, in metres
            return f"lambda d: {numpy_code(value, {'d': 'd'}, 'd.shape', plain=True)[0]}"
        if np.ndim(value):
            return self.array(f"{connection.name}.{key}", np.asarray(value))
        return repr(value.item() if isinstance(value, np.generic) else getattr(value, "value", value))

    def watches(self) -> list[Watch]:
        gone = {connection.name for connection in self.left_out}
        return [watch for watch in self.plan.watches if watch.target not in gone]

    def monitors(self) -> None:
        if self.watches():
            self.add("", "# What is recorded.")
        for watch in self.watches():
            name, target = self.names[watch.name], self.names[watch.target]
            if watch.kind == "spikes":
                size = self.groups[watch.target].size
                source = self._end(Slice(watch.target, watch.start, size if watch.stop is None else watch.stop))
                kind = "SpikeMonitor" if watch.event == "spike" else "EventMonitor"
                event = "" if watch.event == "spike" else f", {literal(watch.event)}"
                self.use(kind)
                self.add(f'{name} = {kind}({source}{event}, name="{watch.name}")')
                continue
            members = "True"
            if watch.sample is not None:
                members = self.array(f"{watch.name}.members", draws.recorded(watch, self._size(watch.target)))
            elif watch.start or watch.stop is not None:
                members = f"range({watch.start}, {self._size(watch.target) if watch.stop is None else watch.stop})"
            clock = self._clock(watch.every)
            arguments = [target, listed(watch.variables), f"record={members}", *clock, f'name="{watch.name}"']
            self._call(name, "StateMonitor", arguments)

    def _size(self, name: str) -> int:
        if name in self.groups:
            return self.groups[name].size
        connection = next(c for c in self.connections if c.name == name)
        return len(draws.pairs(connection, self.plan.seed)[0])
