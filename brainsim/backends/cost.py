"""What a plan would cost on numpy, from its sizes and steps alone.

The numbers were measured on one core of an ordinary desktop. They need to be right within a factor of two:
below half a minute compiling does not pay, above two minutes it always does.
"""

from __future__ import annotations

from brainsim.compose.plan import Connection, Group, Plan

OBJECT = 7e-6  # seconds for one code object in one step, whatever its size
ELEMENT = 6e-9  # for one statement on one cell or synapse
EVENT = 25e-9  # for one statement on one synapse that an event reaches
RATE = 10.0  # assumed events of a cell per second


def numpy_seconds(plan: Plan) -> float:
    """Seconds of wall time, without building."""
    per_step = sum(_group(group, plan.dt) for group in plan.groups)
    per_step += sum(_connection(connection, plan.dt) for connection in plan.connections)
    per_step += sum(OBJECT * (plan.dt / (watch.every or plan.dt)) for watch in plan.watches)
    return per_step * steps(plan)


def steps(plan: Plan) -> float:
    """Time steps of the whole run."""
    total = 0.0
    for phase in plan.phases:
        if plan.trial is not None and phase.data:
            total += phase.passes * phase.count * plan.trial.steps
        else:
            total += phase.duration / plan.dt
    return total


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
    if rule == "matrix":
        return len(options["source"])
    return source * target  # an upper bound for distance


def _statements(code: str) -> int:
    return max(1, len([line for line in code.replace(";", "\n").splitlines() if line.strip()]))


def _group(group: Group, dt: float) -> float:
    equations = [line.text for line in group.equations]
    differential = sum("/dt" in text.split("=")[0] for text in equations)
    seconds = 0.0
    if differential:
        seconds += OBJECT * (1 + 0.3 * differential) + ELEMENT * group.size * 4 * differential
    for condition in (group.threshold, group.reset, *(event.condition for event in group.events)):
        seconds += (OBJECT + ELEMENT * group.size) if condition else 0.0
    return seconds + _regular(group.regular, group.size, dt)


def _connection(connection: Connection, dt: float) -> float:
    count = synapses(connection)
    seconds = _regular(connection.regular, count, dt)
    for pathway in connection.pathways:
        seconds += 1.5 * OBJECT + EVENT * count * RATE * dt * _statements(pathway.code)
    return seconds


def _regular(items, size: float, dt: float) -> float:
    return sum((OBJECT + 3 * ELEMENT * size * _statements(item.code)) * dt / item.period for item in items)


def in_words(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h``."""
    if seconds < 1:
        return "a second"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
