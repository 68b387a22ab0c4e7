"""refractory: whether a cell is refractory is one comparison of times, without a division.

Legal where the number of steps is the same for all cells: ``timestep(t - lastspike, dt) >= steps``. The number of steps
never falls as the time grows, so there is one least time at which it is reached; it is found to the last bit once for
each time step, with the very function that the comparison would have used for each cell.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from brian2.core.functions import DEFAULT_FUNCTIONS

if TYPE_CHECKING:
    from brainsim.native.rewrites.expressions import Renderer, Value

NAME = "refractory"


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
