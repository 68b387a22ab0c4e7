"""Who is joined to whom: ends, rules of connection, layouts, delays."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from brainsim import expressions, source
from brainsim.circuit.model import Ends
from brainsim.circuit.tables import matrix, points
from brainsim.circuit.values import Scope, code, evaluate, literal, whole
from brainsim.errors import FileError, Mark, Problems, nearest, suggest
from brainsim.expressions import RANDOM
from brainsim.overrides import Given
from brainsim.units import NONE, Dims, Quantity, describe, parse_unit, unit_name

TIME: Dims = parse_unit("second")[1]
LENGTH: Dims = parse_unit("meter")[1]
#: Longest delay in time steps: spikes on their way wait in a ring with a place for each step.
MAX_DELAY = 1_000_000
_SLICE = re.compile(r"^(?P<path>[\w.]+)(?:\[\s*(?P<start>\d*)\s*:\s*(?P<stop>\d*)\s*\])?$", re.ASCII)

#: Gives the value that counts at a key of an entry (overrides applied), or None.
Settle = Callable[..., Given | None]


def split_slice(text: str) -> tuple[str, int | None, int | None]:
    """``cortex.exc[0:80]`` -> path, start, stop; None where there is none."""
    match = _SLICE.match(text.strip())
    if not match:
        return text, None, None
    number = [int(match[k]) if match[k] and len(match[k]) < 18 else None for k in ("start", "stop")]
    return match["path"], number[0], number[1]


def ends(text: str, size: int, path: str, mark: Mark | None, problems: Problems) -> Ends | None:
    """The population at ``path`` of ``size`` cells, or the slice of it that ``text`` names."""
    _, start, stop = split_slice(text)
    first, last = start or 0, size if stop is None else stop
    if not 0 <= first < last <= size:
        why = "is empty" if first >= last else f"leaves the {size} cells of {path}"
        problems.add("value", f"the slice {text} {why}", mark, f"Cells count from 0: {path}[0:{size}] is all of them.")
        return None
    return Ends(path, first, last)


def find_population(
    text: str, prefix: str, known: Mapping[str, Any], mark: Mark | None, problems: Problems
) -> str | None:
    """The full path of a population named from inside the region at ``prefix``; the nearest name if there is none."""
    path = split_slice(text)[0]
    full = f"{prefix}.{path}" if prefix else path
    if full in known:
        return full
    inside = [p[len(prefix) + 1 :] if prefix else p for p in known if not prefix or p.startswith(f"{prefix}.")]
    problems.add("name", f"there is no population {path} here", mark, suggest(path, inside, "population"))
    return None


def connect(
    tree: source.Tree,
    settle: Settle,
    scope: Scope,
    sides: tuple[Ends, Ends],
    layouts: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None],
    autapses: bool,
    root: Path,
    problems: Problems,
) -> tuple[dict[str, Any], Any] | None:
    """The rule of connection with its values evaluated, and the same as YAML. ``tree`` is the projection."""
    source_end, target_end = sides
    n, m = source_end.stop - source_end.start, target_end.stop - target_end.start
    mark = tree.mark(("connect",))
    rule = tree.get(("connect",))
    given = settle("connect")
    if given is not None:
        if given.value not in ("all", "one_to_one"):
            words = (
                "all",
                "one_to_one",
                "{p: 0.1}",
                "{in_degree: 80}",
                "{out_degree: 80}",
                "{number: 2000}",
                "{distance: 1 mm}",
                "{matrix: FILE}",
            )
            close = nearest(str(given.value), words[:2])
            hint = f"Did you mean {close}?" if close else f"Write one of {', '.join(words)}."
            if given.text.startswith("{"):  # from the command line, where a value is one word
                hint = "A rule with values stands in the file; its values are set one by one, as in connect.p=0.1."
            problems.add("value", f"connect does not know {given.text}", given.mark, hint)
            return None
        if given.value == "one_to_one" and n != m:
            problems.add(
                "value",
                f"one_to_one joins equally many cells, but {source_end.path} gives {n} and {target_end.path} {m}",
                given.mark,
                "Make the sizes equal or name slices of them.",
            )
            return None
        return {"rule": given.value}, given.value
    assert isinstance(rule, dict)
    multapses = settle("connect.multapses")
    several = bool(multapses.value) if multapses else False
    extra = {"multapses": True} if several else {}
    possible = n * m - (0 if autapses else _shared(*sides))
    rules = (
        ("in_degree", n, f"cells in {source_end.path}"),
        ("out_degree", m, f"cells in {target_end.path}"),
        ("number", possible, "pairs"),
    )
    for key, limit, what in rules:
        given = settle(f"connect.{key}") if key in rule else None
        if given is None:
            continue
        count = whole(given, scope, key, problems)
        if count is None:
            return None
        limit -= 1 if key != "number" and _shared(*sides) and not autapses else 0
        if count > limit and not (several and limit > 0):
            problems.add(
                "value",
                f"{key} is {count}, but there are only {max(limit, 0)} {what} to choose from",
                given.mark,
                "Write a smaller number, or multapses: true to draw a pair more than once.",
            )
            return None
        return {"rule": key, key: count, "multapses": several}, {key: count, **extra}
    if "matrix" in rule:
        given, column = settle("connect.matrix"), settle("connect.weight")
        assert given is not None
        name, place = (None, None) if column is None else (str(column.value), column.mark)
        read = matrix(str(given.value), name, (n, m), several, root, given.mark or mark, place, problems)
        if read is None:
            return None
        clash = _shared(*sides) and not autapses
        if clash and np.any(read["source"] + source_end.start == read["target"] + target_end.start):
            problems.add(
                "value",
                f"{given.text} joins a cell to itself",
                given.mark,
                "Remove those rows, or write autapses: true.",
            )
            return None
        yaml = {"matrix": given.value, **({"weight": name} if name else {}), **extra}
        return {"rule": "matrix", **read, "multapses": several}, yaml
    return _by_chance(settle, scope, sides, layouts, possible if several else None, mark, problems)


def _shared(a: Ends, b: Ends) -> int:
    """How many cells stand on both ends."""
    return max(0, min(a.stop, b.stop) - max(a.start, b.start)) if a.path == b.path else 0


def _by_chance(
    settle: Settle,
    scope: Scope,
    sides: tuple[Ends, Ends],
    layouts: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None],
    repeats: int | None,
    mark: Mark | None,
    problems: Problems,
) -> tuple[dict[str, Any], Any] | None:
    """``p`` and ``distance``: pairs that are drawn, or that are near each other.

    ``repeats`` is the number of possible pairs where a pair may be drawn more than once.
    """
    given, near = settle("connect.p"), settle("connect.distance")
    unit = _unit(layouts[0])
    p: Any = 1.0
    if given is not None:
        names = {"d": unit} if all(layouts) else {}
        p = code(given, scope, "p", problems, allowed=names, builtin=(), dims=NONE)
        if p is None:
            return None
        if isinstance(p, Quantity):
            if not 0 <= p.value <= 1:
                problems.add(
                    "value", f"p is a probability from 0 to 1, got {given.text}", given.mark, "Write for example 0.1."
                )
                return None
            p = float(p.value)
    if repeats is not None:
        return _repeated(p, near is not None, repeats, mark, problems)
    if near is None and not isinstance(p, str):
        return {"rule": "p", "p": p}, {"p": literal(Quantity(p))}
    without = list(dict.fromkeys(end.path for end, layout in zip(sides, layouts, strict=True) if layout is None))
    if without:
        message = f"connecting by distance needs a layout: there is none for {' and '.join(without)}"
        problems.add("needs", message, mark, "Add for example layout: {ring: 1 mm} to the population.")
        return None
    shapes = [_shape(layout) for layout in layouts]
    if shapes[0][1] != shapes[1][1]:
        problems.add(
            "value",
            f"{sides[0].path} has {shapes[0][0]} and {sides[1].path} {shapes[1][0]}, so there is no distance",
            mark,
            "Give both populations a layout of the same kind and unit.",
        )
        return None
    radius = None if near is None else evaluate(near, scope, "distance", problems, unit, positive=True)
    if near is not None and radius is None:
        return None
    yaml: dict[str, Any] = {} if given is None else {"p": p}
    if radius is not None:
        yaml["distance"] = literal(radius)
    return {"rule": "distance", "p": p, "distance": radius}, yaml


def _repeated(
    p: float | str, near: bool, possible: int, mark: Mark | None, problems: Problems
) -> tuple[dict[str, Any], Any] | None:
    """As many synapses, drawn with replacement, as connect each pair with probability ``p`` at least once.

    K = ln(1 - p)/ln(1 - 1/pairs), Potjans & Diesmann (2014) Cereb Cortex 24:785, eq. 1.
    """
    if near or isinstance(p, str) or p == 1:
        message = "multapses goes with a p below 1 that does not depend on the distance"
        problems.add("value", message, mark, "Write for example {p: 0.1, multapses: true}.")
        return None
    count = 0.0 if p == 0 or possible < 1 else p if possible == 1 else np.log1p(-p) / np.log1p(-1 / possible)
    return {"rule": "number", "number": round(count), "multapses": True}, {"p": p, "multapses": True}


def distance_unit(layouts: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]) -> Dims | None:
    """Dimensions of the distance between cells of two populations; None where there is no distance."""
    if layouts[0] is None or layouts[1] is None or _shape(layouts[0])[1] != _shape(layouts[1])[1]:
        return None
    return _unit(layouts[0])


def _unit(layout: Mapping[str, Any] | None) -> Dims:
    if not layout or "points" in layout:
        return LENGTH
    value = next(iter(layout.values()))
    return tuple((value[0] if isinstance(value, tuple) else value).dims)


def _shape(layout: Mapping[str, Any] | None) -> tuple[str, Any]:
    """What two layouts must share for a distance between them to mean anything."""
    assert layout
    kind, value = next(iter(layout.items()))
    if kind == "ring":
        return f"a ring of {value}", (kind, value)
    count = {"line": 1, "grid": 2}.get(kind) or np.shape(value)[1]
    return f"{count} coordinate{'s' if count > 1 else ''} in {unit_name(_unit(layout))}", (count, _unit(layout))


def layout(
    tree: source.Tree, settle: Settle, scope: Scope, size: int, root: Path, problems: Problems
) -> tuple[dict[str, Any], Any] | None:
    """Where cells are, and the same as YAML.

    One of ``{"line": Quantity}``, ``{"ring": Quantity}``, ``{"grid": (width, height)}``, ``{"points": array}`` with an
    array [size, dimensions] in metres.
    """
    kind = next(iter(tree.data))
    if kind == "points" and isinstance(tree.data[kind], list):
        return _computed(tree, settle, scope, size, problems)
    if kind == "points":
        given = settle("layout.points")
        assert given is not None
        rows = points(str(given.value), size, root, given.mark, problems)
        return None if rows is None else ({"points": rows}, {"points": given.value})
    if kind == "grid":
        sides = [settle(f"layout.grid.{k}") for k in range(len(tree.data["grid"]))]
        values = [evaluate(side, scope, "the side of a grid", problems, positive=True) for side in sides if side]
        if len(sides) != 2:
            problems.add(
                "value",
                f"a grid has a width and a height, got {len(sides)} values",
                tree.mark(("grid",)),
                "Write grid: [2 mm, 1 mm].",
            )
            return None
        if values[0] is None or values[1] is None:
            return None
        if values[0].dims != values[1].dims or values[0].dims not in (NONE, LENGTH):
            problems.add(
                "unit",
                f"the sides of a grid are two lengths, got {values[0]} and {values[1]}",
                tree.mark(("grid",)),
                "Write grid: [2 mm, 1 mm].",
            )
            return None
        return {"grid": tuple(values)}, {"grid": [literal(value) for value in values if value]}
    given = settle(f"layout.{kind}")
    assert given is not None
    value = evaluate(given, scope, f"layout.{kind}", problems, positive=True)
    if value is not None and tuple(value.dims) not in (NONE, LENGTH):
        problems.add(
            "unit",
            f"layout.{kind} expects a length, got {given.text}, {describe(value.dims)}",
            given.mark,
            "Write for example 1 mm.",
        )
        value = None
    return None if value is None else ({kind: value}, {kind: literal(value)})


def _computed(
    tree: source.Tree, settle: Settle, scope: Scope, size: int, problems: Problems
) -> tuple[dict[str, Any], Any] | None:
    """Coordinates given as code: ``[i*mm, (i % 3)*mm]``."""
    count = len(tree.data["points"])
    if not 1 <= count <= 3:
        message = f"a point has one to three coordinates, got {count}"
        problems.add("value", message, tree.mark(("points",)), "Write points: [x, y] or [x, y, z].")
        return None
    known = {"i": Quantity(np.arange(size)), "N": Quantity(size)}
    columns: list[np.ndarray] = []
    yaml: list[Any] = []
    for k in range(count):
        given = settle(f"layout.points.{k}")
        assert given is not None
        found = code(given, scope, "a coordinate", problems, allowed={}, builtin=tuple(known), dims=LENGTH)
        if found is None:
            return None
        yaml.append(literal(found) if isinstance(found, Quantity) else found)
        if isinstance(found, str):
            expression = expressions.parse(found, (given.mark,) if given.mark else ())
            if expression.calls & RANDOM:
                message = f"a coordinate is computed, not drawn, got {given.text}"
                problems.add("value", message, given.mark, "Use i and N only.")
                return None
            try:
                found = expression.evaluate(known)
            except FileError as error:
                problems.take(error)
                return None
        columns.append(np.broadcast_to(np.asarray(found.value, dtype=float), (size,)))
    return {"points": np.stack(columns, axis=1)}, {"points": yaml}


def on_grid(
    found: Quantity, dt: float | None, what: str, mark: Mark | None, problems: Problems, zero: bool = True
) -> bool:
    """Whether a time is a whole number of steps of ``dt`` seconds, 0 among them; a problem with the nearest if not.

    ``zero`` says whether 0 may be advised.
    """
    if dt is None:
        return True
    steps = float(found.value) / dt
    if abs(steps - round(steps)) <= 1e-6 * max(1.0, abs(steps)):
        return True
    low = int(steps // 1)
    below, above = (f"{k * dt * 1e3:.9g} ms" for k in (low, low + 1))
    small = "less than" if steps < 1 else "no multiple of"
    message = f"{what} = {found} is {small} the time step dt = {dt * 1e3:.9g} ms"
    nearest_two = f"The nearest are {below} and {above}." if low or zero else f"The least is {above}."
    problems.add("value", message, mark, nearest_two)
    return False
