"""What a plan would cost, from its sizes and steps alone.

The numbers were measured on one core of an ordinary desktop. Those of numpy, by which a backend is chosen, need to be
right within a factor of two. What is compiled already does not count: the choice must be the same at the second start
as at the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from brainsim.compose.plan import Connection, Group, Plan


@dataclass(frozen=True)
class Speed:
    """Seconds of one core."""

    object: float  # for one code object in one step, whatever its size
    element: float  # for one statement on one cell or synapse
    event: float  # for one statement on one synapse that an event reaches
    dense: float  # the same where all cells are connected to all
    random: float  # for a random number


NUMPY = Speed(object=7e-6, element=6e-9, event=25e-9, dense=25e-9, random=1e-8)
STANDALONE = Speed(object=5e-8, element=1.5e-9, event=3e-9, dense=3e-9, random=1e-8)
NATIVE = Speed(object=5e-8, element=3e-10, event=1e-9, dense=1e-10, random=3e-9)
_RANDOM = re.compile(r"\b(?:rand|randn|poisson|binomial|xi\w*)\b")
RATE = 10.0  # assumed events of a cell per second
SPEEDUP = 10.0  # of compiled code over numpy, at least
BUILD = 9e-8  # for drawing and storing one synapse
PACKED = 200_000  # synapses of a connection from which on the native device keeps little of their ends and delays
SAMPLE = 24.0  # for a recorded value


def seconds(plan: Plan, speed: Speed) -> float:
    """Seconds of wall time, without building."""
    per_step = sum(_group(group, plan.dt, speed) for group in plan.groups)
    per_step += sum(_connection(connection, plan.dt, speed) for connection in plan.connections)
    per_step += sum(speed.object * (plan.dt / (watch.every or plan.dt)) for watch in plan.watches)
    return per_step * steps(plan)


def numpy_seconds(plan: Plan) -> float:
    """Seconds on numpy, without building."""
    return seconds(plan, NUMPY)


def run_seconds(plan: Plan, backend: str) -> float:
    """Seconds on any backend, without building."""
    return seconds(plan, {"native": NATIVE, "cpp_standalone": STANDALONE}.get(backend, NUMPY))


def first_time_seconds(plan: Plan, backend: str) -> float:
    """Seconds of compiling when a backend meets a plan for the first time."""
    if backend == "numpy":
        return 0.0
    return compile_seconds(plan) if backend == "native" else standalone_compile_seconds(plan)


def code_objects(plan: Plan) -> int:
    """Pieces of code that would be compiled."""
    count = len(plan.watches)
    for group in plan.groups:
        codes = (group.threshold, group.threshold, group.reset, *(event.code for event in group.events))
        count += any("/dt" in line.text.split("=")[0] for line in group.equations)
        count += sum(map(bool, codes)) + len(group.events) + len(group.regular)
    for connection in plan.connections:
        count += 2 * len(connection.pathways) + len(connection.regular) + _continuous(connection)
    return count


def compile_seconds(plan: Plan) -> float:
    """Seconds until a network runs on the native device for the first time: equal objects share what is compiled."""
    groups = {(tuple(line.text for line in g.equations), g.threshold, g.reset, g.method): g for g in plan.groups}
    connections = {
        (tuple(line.text for line in c.equations), tuple(way.code for way in c.pathways), tuple(c.regular)): c
        for c in plan.connections
    }
    distinct = replace(plan, groups=tuple(groups.values()), connections=tuple(connections.values()))
    return 1.0 + 0.05 * code_objects(distinct)


def standalone_compile_seconds(plan: Plan) -> float:
    """The same for a program of C++ standalone."""
    return 10.0 + 1.0 * code_objects(plan)


def steps(plan: Plan) -> float:
    """Time steps of the whole run."""
    total = 0.0
    for phase in plan.phases:
        if plan.trial is not None and phase.data:
            total += phase.passes * phase.count * plan.trial.steps
        else:
            total += phase.duration / plan.dt
    return plan.rounds * total


def synapses(connection: Connection) -> float:
    """Expected number of synapses."""
    options, rule = connection.wiring.options, connection.wiring.rule
    source, target = connection.source.size, connection.target.size
    if rule == "one_to_one":
        return source
    if rule == "p":
        return source * target * float(options["p"])
    if rule == "in_degree":
        return target * options["in_degree"]
    if rule == "out_degree":
        return source * options["out_degree"]
    if rule == "number":
        return options["number"]
    if rule == "matrix":
        return len(options["source"])
    return source * target  # an upper bound for distance


@dataclass(frozen=True)
class Need:
    """What one part of a plan holds: numbers for a message, and bytes."""

    words: str
    memory: float
    disk: float = 0.0


def build_seconds(plan: Plan) -> float:
    """Seconds of drawing and storing all synapses."""
    return BUILD * sum(synapses(connection) for connection in plan.connections)


def synapse_bytes(connection: Connection, plan: Plan) -> tuple[float, float]:
    """Bytes of memory for one synapse: during the run, and at most while its connection is built.

    Values take 8 each (4 in float32). On the native device the target of each synapse of a large connection takes 2
    (4 where there are more than 65,536 cells), its source nothing, and its delay, drawn by code, 2 on average where
    synapses can be numbered by source and delay; else 8, and 4 for the order, and the values are there twice. Brian2
    itself keeps source and target (8), the delay (8), and a list for the queue (4). Ends and first values of what is
    learned or recorded are kept for the results.
    """
    size = 4.0 if plan.dtype == "float32" else 8.0
    declared = [line.text for line in connection.equations if "(shared" not in line.text and "=" not in line.text]
    differential = sum("/dt" in line.text.split("=")[0] for line in connection.equations)
    values = size * (len(declared) + differential)
    drawn = sum(pathway.delays is not None for pathway in connection.pathways)
    seen = bool(connection.saved) or any(watch.target == connection.name for watch in plan.watches)
    kept = 8.0 + 8.0 * len(connection.initial) if seen else 0.0
    build = 16.0 + 8.0 * (len(connection.initial) + drawn)
    if plan.backend not in ("native", "auto"):
        return 12.0 + values + size * drawn + kept, build + 12.0 + values + size * drawn
    ends = 10.0 if synapses(connection) < PACKED else 2.0 if connection.target.size <= 2**16 else 4.0
    if drawn == 1 and not seen:
        return ends + values + 2.0, build + ends + values
    return ends + values + kept + drawn * (size + 4.0 + values), build + ends + values


def needs(plan: Plan) -> list[Need]:
    """Memory and disk a run takes at the very least, the largest first; by sizes and steps alone."""
    found = [Need(f"{g.path}: {g.size:,} cells", 8.0 * g.size * len(g.equations)) for g in plan.groups]
    sizes: dict[str, float] = {group.name: group.size for group in plan.groups}
    held = most = 0.0
    for connection in plan.connections:
        count = sizes[connection.name] = synapses(connection)
        if connection.wiring.rule == "distance":
            continue  # nobody knows before it is drawn
        each, building = synapse_bytes(connection, plan)
        found.append(Need(f"{connection.path}: about {count:,.0f} synapses", each * count))
        most, held = max(most, held + building * count), held + each * count
    if most > held:
        found.append(Need("building the largest connection", most - held))
    for watch in plan.watches:
        if watch.kind != "state":
            continue
        stop = sizes[watch.target] if watch.stop is None else watch.stop
        members = min(stop - watch.start, watch.sample or float("inf"))
        samples = 1 + steps(plan) * plan.dt / (watch.every or plan.dt)
        count = members * samples * len(watch.variables)
        words = f"{watch.path}: {count:,.0f} values of {', '.join(watch.labels or watch.variables)} are recorded"
        found.append(Need(words, SAMPLE * count, 8.0 * count))
    return sorted(found, key=lambda need: -need.memory)


def _statements(code: str) -> int:
    return max(1, len([line for line in code.replace(";", "\n").splitlines() if line.strip()]))


def _numbers(code: str) -> int:
    """Random numbers that one cell or synapse draws in a step."""
    return len(_RANDOM.findall(code))


def _group(group: Group, dt: float, speed: Speed) -> float:
    equations = [line.text for line in group.equations]
    differential = sum("/dt" in text.split("=")[0] for text in equations)
    seconds = 0.0
    if differential:
        seconds += speed.object * (1 + 0.3 * differential) + speed.element * group.size * 4 * differential
    for condition in (group.threshold, group.reset, *(event.condition for event in group.events)):
        seconds += (speed.object + speed.element * group.size) if condition else 0.0
    seconds += speed.random * group.size * _numbers(" ".join([*equations, group.threshold or ""]))
    return seconds + _regular(group.regular, group.size, dt, speed)


def _connection(connection: Connection, dt: float, speed: Speed) -> float:
    count = synapses(connection)
    seconds = _regular(connection.regular, count, dt, speed)
    event = speed.dense if connection.wiring.rule == "all" else speed.event
    seconds += _continuous(connection) * (speed.object + 4 * speed.element * count)
    seconds += speed.random * count * _numbers(" ".join(line.text for line in connection.equations))
    for pathway in connection.pathways:
        seconds += 1.5 * speed.object + event * count * RATE * dt * _statements(pathway.code)
    return seconds


def _continuous(connection: Connection) -> int:
    """Equations of the synapses that are worked out in every step."""
    texts = [line.text for line in connection.equations]
    clocked = sum("/dt" in text.split("=")[0] and "event-driven" not in text for text in texts)
    return clocked + sum("(summed)" in text for text in texts)


def _regular(items, size: float, dt: float, speed: Speed) -> float:
    return sum((speed.object + 3 * speed.element * size * _statements(item.code)) * dt / item.period for item in items)


def in_words(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h``."""
    if seconds < 1:
        return "a second"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
