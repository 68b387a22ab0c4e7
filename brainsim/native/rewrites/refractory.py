"""refractory: whether a cell is refractory is one comparison of times, without a division.

Legal where the number of steps is the same for all cells: ``timestep(t - lastspike, dt) >= steps``. The number of steps
never falls as the time grows, so there is one least time at which it is reached; it is found to the last bit once for
each time step, with the very function that the comparison would have used for each cell.

``release``: in loops that are joined (see fuse.py), refractory cells stand in a queue in the order of their spikes, and
leave it when their time is over. So the times of spikes are read for those that leave, not for all cells. Legal where
moreover no other compiled code writes `lastspike` or `not_refractory`. Python may have written them: the first step of
each call of compiled code looks at all cells.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from brian2.core.functions import DEFAULT_FUNCTIONS

if TYPE_CHECKING:
    from brainsim.native.rewrites.expressions import Renderer, Value

NAME, RELEASE = "refractory", "release"


def rewrite(renderer: Renderer, node: ast.Compare) -> Value | None:
    """The comparison of times; None if this is none that could be rewritten."""
    from brainsim.native.rewrites.expressions import NotLegal, Value

    call, steps = node.left, node.comparators[0]
    if not (isinstance(call, ast.Call) and call.func.id == "timestep"):  # type: ignore[attr-defined]
        return None
    if renderer.generator.variables.get("timestep") is not DEFAULT_FUNCTIONS["timestep"]:
        raise NotLegal("it has a function 'timestep' of its own")
    if NAME not in renderer.rewrites:
        raise NotLegal("refractoriness divides, and the rewrite 'refractory' is off")
    time, dt, limit = (renderer._value(part) for part in (*call.args, steps))
    if not isinstance(node.ops[0], ast.GtE) or dt.vector or limit.vector:
        raise NotLegal("cells have refractory periods of their own")
    number = len(renderer.before)
    renderer.before.append(
        f"const double _least_{number} = native::least_time([&](double x) {{ return _timestep(x, {dt.text}); }}, "
        f"{limit.text}, {dt.text});"
    )
    renderer.used.add(NAME)
    return Value(f"({renderer.convert(time, 'double')} >= _least_{number})", "mask64", True)


def release(renderer: Renderer, expression: str) -> str:
    """The line that stands for ``not_refractory = timestep(t - lastspike, dt) >= steps``; NotLegal if it is another."""
    from brainsim.native.rewrites.expressions import NotLegal

    node = ast.parse(expression.strip(), mode="eval").body
    generator = renderer.generator
    known = generator.variables.get("timestep") is DEFAULT_FUNCTIONS["timestep"] and NAME in renderer.rewrites
    if not (known and isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.GtE)):
        raise NotLegal("cells are refractory for another reason than the time")
    if ast.unparse(node.left) != "timestep(t - lastspike, dt)" or len(node.ops) > 1:
        raise NotLegal("cells are refractory for another reason than the time")
    steps = node.comparators[0]
    if renderer._holds_vector(steps) or any(
        not generator.variables[inner.id].scalar
        for inner in ast.walk(steps)
        if isinstance(inner, ast.Name) and inner.id in generator.variables
    ):
        raise NotLegal("cells have refractory periods of their own")
    lastspike, free = (generator.get_array_name(generator.variables[name]) for name in ("lastspike", "not_refractory"))
    return (
        f"native::release(*_recent, {lastspike}, {free}, _size, t, dt, {renderer._scalar(steps).text}, "
        "[&](double x) { return _timestep(x, dt); }, network.entries);"
    )
