"""A resolved join as the connection of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from brainsim.circuit.wiring import distance_unit
from brainsim.compose.join import Entry, Join
from brainsim.compose.plan import Connection, Constant, Initial, Line, Pathway, Places, Regular, Slice, Wiring
from brainsim.compose.scope import TIME, declaration, rename_code, render_code
from brainsim.compose.values import initial_values
from brainsim.connect import circumference, positions
from brainsim.expressions import parse
from brainsim.units import Quantity


def finish(join: Join) -> Connection:
    """The connection that a resolved join becomes."""
    clash = join.clash()
    declared = {clash.get(n, n): d for n, d in join.declared.items()}
    lines = []
    constants = []
    for d in declared.values():
        if d.equation is not None:
            lines.append(Line(d.equation.rename(clash).text, d.mark))
    for name, d in declared.items():
        if d.value is not None and (d.name in join.used or d.name in join.starts):
            drawn = d.name in join.starts
            lines.append(Line(declaration(name, d.dims, drawn), d.mark))
            if not drawn:
                constants.append(Constant(name, d.value))
    starts = {
        clash.get(n, n): replace(s, values={clash.get(k, k): v for k, v in s.values.items()})
        for n, s in join.starts.items()
    }
    per_synapse = {n: replace(d, per_cell=d.name in join.starts) for n, d in declared.items()}
    unit = distance_unit((join.source.population.layout, join.target.population.layout))
    initial = initial_values(join.path, starts, per_synapse, join.problems, synapse=True, distance=unit)
    initial = _weighted(join, initial, clash)
    pathways = _pathways(join, clash)
    late = (pathway.delays for pathway in pathways if pathway.delays is not None)
    codes = [start.expression for start in (*initial, *late) if start.expression]
    far = "d" not in declared and any("d" in parse(text).names for text in codes)
    labels = {new: old for old, new in clash.items()}
    saved = tuple((labels.get(i.variable, i.variable), i.variable) for i in initial if not i.integer)
    mark = join.projection.tree.mark(())
    return Connection(
        name=join.name,
        path=join.path,
        source=Slice(join.source.name, join.projection.source.start, join.projection.source.stop),
        target=Slice(join.target.name, join.projection.target.start, join.projection.target.stop),
        wiring=_wiring(join),
        equations=tuple(lines),
        pathways=pathways,
        regular=_regular(join, clash),
        constants=tuple(constants),
        initial=tuple(replace(i, stream=f"{join.path}.{labels.get(i.variable, i.variable)}") for i in initial),
        method=(join.rule.spec.method if join.rule else None) or join.synapse.spec.method or "",
        plastic=join.rule is not None,
        saved=saved if join.rule is not None else (),
        parts=tuple(part.name for part in join.parts),
        about=" ".join(part.spec.about for part in join.parts if part.spec.about),
        places=Places(**_places(join), dims=unit) if far and unit is not None else None,
        mark=mark,
    )


def _weighted(join: Join, initial: tuple[Initial, ...], clash: Mapping[str, str]) -> tuple[Initial, ...]:
    """Let the weight column of a matrix file, in the unscaled unit of ``w``, be what ``w`` starts from."""
    connect, name = join.projection.connect, clash.get("w", "w")
    weight = connect.get("weight")
    if weight is None:
        return initial
    if "w" not in join.declared:
        mark = join.projection.tree.mark(("connect", "weight"))
        message = f"{join.path}: the file has weights, but {join.synapse.name} has no variable w"
        join.problems.add("fit", message, mark, "Leave weight: out, or use a synapse that has w.")
        return initial
    dims = join.declared["w"].dims
    start = Initial(name, "", dims, f"{join.path}.w", given=tuple(map(float, weight)))
    return (*(i for i in initial if i.variable != name), start)


def _regular(join: Join, clash: Mapping[str, str]) -> tuple[Regular, ...]:
    made = []
    for number, timed in enumerate(join.timed):
        code = render_code(rename_code(timed.statements, clash))
        name, item = f"{join.name}_every_{number}", timed.item
        if code:
            made.append(Regular(name, code, timed.period, item.when, item.order, timed.mark))
    return tuple(made)


def _wiring(join: Join) -> Wiring:
    options = {k: v for k, v in join.projection.connect.items() if k not in ("rule", "weight")}
    rule = join.projection.connect["rule"]
    if rule == "distance":
        limit = join.projection.connect["distance"]
        options |= {**_places(join), "distance": None if limit is None else float(limit.value)}
    return Wiring(rule, f"{join.projection.path}.connect", options, join.projection.autapses)


def _places(join: Join) -> dict[str, Any]:
    """Where the cells of both sides are, in metres; ``ring`` is the length after which a ring closes."""
    ends = (join.source, join.projection.source), (join.target, join.projection.target)
    found = []
    for cell, end in ends:
        layout = cell.population.layout
        assert layout is not None  # the circuit asks both populations for one
        found.append(positions(layout, cell.population.size)[end.start : end.stop])
    ring = circumference(join.source.population.layout or {})
    return {"source_positions": found[0], "target_positions": found[1], "ring": ring}


def _pathways(join: Join, clash: Mapping[str, str]) -> tuple[Pathway, ...]:
    """One pathway for each event, delay and slot: transmission first, learning after it."""
    merged: dict[tuple, list[Entry]] = {}
    for entry in join.entries:
        late = (entry.delay.value, entry.delay.dims) if isinstance(entry.delay, Quantity) else entry.delay
        merged.setdefault((entry.side, entry.event, late, entry.when, entry.order), []).append(entry)
    made: dict[str, Pathway] = {}
    for (side, event, _, when, order), entries in merged.items():
        base = side if event == "spike" else f"{side}_{event}"
        name = next(n for n in [base, *(f"{base}_{k}" for k in range(2, 99))] if n not in made)
        code = render_code(rename_code([s for e in entries for s in e.statements], clash))
        delay = entries[0].delay
        drawn = Initial("delay", delay, TIME, f"{join.projection.path}.delay") if isinstance(delay, str) else None
        seconds = float(delay.value) if isinstance(delay, Quantity) and delay.value else None
        made[name] = Pathway(name, side, event, code, when, order, seconds, drawn, entries[0].mark)
    return tuple(made.values())
