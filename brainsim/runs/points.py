"""The points of a sweep: which values are tried together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from brainsim import source
from brainsim.errors import COMMAND_LINE, FitError, Mark, Problem
from brainsim.library import Library
from brainsim.overrides import Given, given
from brainsim.source import Tree

#: More would be a mistake: a grid grows with the product of its lists.
MOST = 100_000

Point = dict[str, Given]  # dotted path -> value


def declared(tree: Tree, shelf: Library) -> Tree | None:
    """The ``sweep`` of an experiment, its parents' included; None if it has none."""
    if source.identify(tree)[0] != "experiment":
        return None
    whole = shelf.resolve(tree)
    return whole.at(("sweep",)) if whole.get(("sweep",)) else None


def points(sweep: Tree | None, over: Mapping[str, Sequence[Any]]) -> list[Point]:
    """All points, the last path varying fastest.

    Parameters
    ----------
    sweep
        ``sweep:`` of the experiment: a mapping of lists (grid) or a list of mappings (points).
    over
        Path -> values from the command line or from Python. They replace those of the file for the same path, and
        multiply with the rest.

    Raises ``FitError`` if there is nothing to try, an empty list, or more than 100,000 points.
    """
    grid: dict[str, list[Given]] = {}
    listed: list[Point] = [{}]
    if sweep is not None and isinstance(sweep.data, list):
        listed = [{path: _given(sweep, k, path) for path in point} for k, point in enumerate(sweep.data)]
        for path in over:
            listed = [{other: value for other, value in point.items() if other != path} for point in listed]
    elif sweep is not None:
        grid = {path: [_given(sweep, path, k) for k in range(len(values))] for path, values in sweep.data.items()}
    grid |= {path: [_typed(value) for value in values] for path, values in over.items()}
    if not grid and listed == [{}]:
        hint = "Add sweep: {run.seed: [1, 2, 3]} to the file, or say --over run.seed=1,2,3."
        raise FitError(Problem("value", "there is nothing to sweep over", None, hint))
    empty = [path for path, values in grid.items() if not values]
    if empty:
        hint = f"Write for example {empty[0]}: [1, 2, 3]."
        raise FitError(Problem("value", f"the sweep has no values for {empty[0]}", None, hint))
    count = len(listed)
    for values in grid.values():
        count *= len(values)
    if count > MOST:
        message = f"the sweep has {count:,} points; at most {MOST:,} are allowed"
        raise FitError(Problem("limit", message, None, "A grid is the product of its lists: shorten one of them."))
    found = [dict(point, **dict(zip(grid, values, strict=True)))
             for point in listed for values in itertools.product(*grid.values())]  # fmt: skip
    unique = {tuple((path, repr(value.value)) for path, value in sorted(point.items())): point for point in found}
    return list(unique.values())


def _given(sweep: Tree, *path: str | int) -> Given:
    found = given(sweep, *path)
    assert found is not None
    return found


def _typed(value: Any) -> Given:
    mark = Mark(COMMAND_LINE, 1, 1)
    return Given(source.scalar(value) if isinstance(value, str) else value, mark, (mark,))
