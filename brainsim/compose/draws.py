"""What follows from a plan before any backend sees it: the pairs and values it draws, what its phases mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from brainsim import connect, expressions, seeds
from brainsim.circuit.wiring import MAX_DELAY
from brainsim.compose.plan import Connection, Constant, Group, Initial, Phase, Plan, Watch
from brainsim.errors import FileError, FitError, Problem, RunError
from brainsim.names import RANDOM
from brainsim.units import Quantity, describe

#: Values of ``Initial`` that come from an earlier run: (name of the object, variable) -> SI values.
Saved = Mapping[tuple[str, str], np.ndarray]

#: Elements that are worked out at a time.
PIECE = 100_000

_DECLARED = re.compile(r"\s*(?:d(?P<diff>\w+)/dt\s*=|(?P<parameter>\w+)\s*:(?P<rest>.*))")


def offset(connection: Connection) -> int | None:
    """Cell i of the source slice is cell i + offset of the target slice; None for two populations."""
    same = connection.source.group == connection.target.group
    return connection.source.start - connection.target.start if same else None


def rule(connection: Connection) -> tuple[Callable[..., connect.Pairs], dict[str, Any]]:
    """The function that draws the pairs, and its arguments after the sizes and the stream."""
    wiring = connection.wiring
    return connect.call(wiring.rule, autapses=wiring.autapses, offset=offset(connection), **wiring.options)


def pairs(connection: Connection, seed: int) -> connect.Pairs:
    """Indices (i, j) of the pairs, int32 [synapses], within the slices that are joined."""
    wiring = connection.wiring
    sizes = connection.source.size, connection.target.size
    try:
        return connect.pairs(
            wiring.rule,
            *sizes,
            seeds.stream(seed, wiring.stream),
            autapses=wiring.autapses,
            offset=offset(connection),
            **wiring.options,
        )
    except FitError as error:
        raise FitError(
            replace(problem, message=f"{connection.path}: {problem.message}", mark=problem.mark or connection.mark)
            for problem in error.problems
        ) from None


def separations(connection: Connection, i: np.ndarray, j: np.ndarray) -> Quantity | None:
    """Distance of the cells of each pair, [synapses]; None where nothing asks for it."""
    places = connection.places
    if places is None:
        return None
    d = connect.separations(i, j, places.source_positions, places.target_positions, places.ring)
    return Quantity(d, places.dims)


def is_empty(connection: Connection, seed: int) -> bool:
    """Whether the draw gives no pair. Brian2 cannot make such a connection, so it is left out."""
    wiring, possible = connection.wiring, connection.source.size * connection.target.size
    if wiring.rule == "p" and possible * float(wiring.options["p"]) > 1000:
        return False
    if wiring.rule == "one_to_one" or (wiring.rule == "all" and possible > 1):
        return False
    if wiring.rule == "number":
        return wiring.options["number"] == 0
    return len(pairs(connection, seed)[0]) == 0


def values(
    owner: str, initial: Initial, size: int, known: Mapping[str, Quantity], seed: int, saved: Saved | None = None
) -> Quantity:
    """Initial values as an array [size] in SI units. Raises ``FitError`` where size or dimensions are wrong."""
    name = initial.variable
    if initial.saved or initial.given:
        kept = np.array(initial.given) if initial.given else (saved or {}).get((owner, name))
        if kept is None:
            raise RunError(Problem("data", f"{owner}: no {name} was saved in {initial.saved}", initial.mark))
        if np.shape(kept) != (size,):
            message = f"{owner}: {name} takes {size} values, {initial.saved or 'the file'} has {np.size(kept)}"
            raise FitError(Problem("value", message, initial.mark))
        drawn = Quantity(np.asarray(kept), tuple(initial.dims))
    else:
        try:
            drawn = _evaluate(initial, size, known, seeds.stream(seed, initial.stream))
        except FileError as error:  # its place is one in the plan's text
            raise FitError(
                replace(problem, message=f"{owner}: initial {name}: {problem.message}", mark=initial.mark)
                for problem in error.problems
            ) from error
        if tuple(drawn.dims) != tuple(initial.dims):
            message = f"{owner}: {name} is {describe(initial.dims)}, its initial value is {describe(drawn.dims)}"
            raise FitError(Problem("dimension", message, initial.mark))
    kind = np.int32 if initial.integer else float
    value = np.asarray(drawn.value)
    if size > PIECE and value.shape == (size,) and value.dtype == kind and not (initial.saved or initial.given):
        return drawn  # made here, in pieces
    return Quantity(np.array(np.broadcast_to(value, (size,)), dtype=kind), tuple(initial.dims))


def _evaluate(initial: Initial, size: int, known: Mapping[str, Quantity], rng: np.random.Generator) -> Quantity:
    """The value of an expression for ``size`` elements, of which some are done at a time: the rest stays in the cache.

    Numbers drawn at one place are the same in any pieces; at several they are drawn place by place.
    """
    expression = expressions.parse(initial.expression)
    piece = size if sum(map(expression.count, RANDOM)) > 1 else PIECE
    found = np.zeros(0)
    for start in range(0, max(size, 1), max(piece, 1)):
        count = min(piece, size - start)
        calls: dict[str, Callable[..., Any]] = {
            "rand": partial(rng.random, count),
            "randn": partial(rng.standard_normal, count),
            "poisson": partial(rng.poisson, size=count),
        }
        if count == size:
            return expression.evaluate(known, calls)
        these = slice(start, start + count)
        some = {name: Quantity(q.value[these], q.dims) if np.ndim(q.value) else q for name, q in known.items()}
        drawn = expression.evaluate(some, calls)
        if start == 0:
            found = np.empty(size, np.int32 if initial.integer else float)
        found[these] = drawn.value
    return Quantity(found, drawn.dims)


def delays(connection: Connection, drawn: Initial, size: int, known: Mapping[str, Quantity], plan: Plan) -> Quantity:
    """The delay of each synapse where code draws it. Raises ``FitError`` if one is negative or does not fit a queue."""
    found = values(connection.name, drawn, size, known, plan.seed)
    least, most = (float(limit(found.value)) for limit in (np.min, np.max))
    mark = drawn.mark or connection.mark
    told = f"{connection.path}: a delay of {{}} was drawn by {drawn.expression}"
    if least < 0:
        hint = "Cut it off at zero: clip(..., 0*ms, 10*ms)."
        raise FitError(Problem("value", told.format(f"{least * 1e3:.4g} ms"), mark, hint))
    if most > MAX_DELAY * plan.dt:
        message = f"{told.format(f'{most:.4g} s')}, longer than {MAX_DELAY:,} steps of {plan.dt * 1e3:.9g} ms"
        raise FitError(Problem("limit", message, mark, "Make it shorter, or dt longer."))
    return found


def state_variables(group: Group) -> list[str]:
    """What ``fresh`` resets: everything that runs, not what is fixed, linked or computed."""
    fixed = {constant.name for constant in group.constants} | {link.variable for link in group.links}
    found = [match for line in group.equations if (match := _DECLARED.match(line.text))]
    names = [match["diff"] or match["parameter"] for match in found if "(linked" not in (match["rest"] or "")]
    names = [name for name in names if name not in fixed]
    return names + (["lastspike", "not_refractory"] if group.refractory else [])


def recorded(watch: Watch, size: int) -> np.ndarray:
    """Indices a state watch records: the slice, or ``sample`` of it, evenly spaced."""
    members = np.arange(watch.start, size if watch.stop is None else watch.stop)
    if watch.sample is None or watch.sample >= len(members):
        return members
    return members[np.linspace(0, len(members) - 1, watch.sample).round().astype(int)]


def duration(plan: Plan, phase: Phase) -> float:
    """Seconds of model time of one phase, if no sample is shown again."""
    if plan.trial is None or not phase.data:
        return phase.duration
    return phase.passes * phase.count * plan.trial.steps * plan.dt


def constant(plan: Plan, owner: str, name: str) -> Constant:
    """The constant ``name`` of a group or connection, as the plan has it."""
    items: list[Group | Connection] = [*plan.groups, *plan.connections]
    item = next(item for item in items if item.name == owner)
    return next(item for item in item.constants if item.name == name)
