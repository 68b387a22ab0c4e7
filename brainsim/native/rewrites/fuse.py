"""fuse: state update and threshold of a group are one loop, so that the values of a cell are read and written once.

The threshold moves forward to the state update. Legal where both have the same clock and the same cells, both can be
done in vectors, the threshold draws no random numbers, and nothing is done between them in a time step that reaches
an array which the threshold reads or writes (Python's own tasks may reach all of them). Arithmetic stays what it is.
With several threads each loop is shared among them on its own, and with a profile each is timed on its own. See also
release in refractory.py.
"""

from __future__ import annotations

import copy
from typing import Any

from brian2.core.functions import Function
from brian2.core.variables import Constant

from brainsim.native.rewrites import vectors
from brainsim.native.rewrites.expressions import NotLegal
from brainsim.native.rewrites.traces import statements_of

NAME, TEMPLATE = "fuse", "fused"


def fused(device: Any, steps: list[Any], profile: bool = False) -> list[Any]:
    """The steps, with loops joined where that is legal; notes the reasons where it is not."""
    steps = list(steps)
    for threshold in [step for step in steps if _template(step) == "threshold"]:
        place = steps.index(threshold)
        updates = [i for i in range(place) if _template(steps[i]) == "stateupdate" and _same_cells(steps[i], threshold)]
        if not updates:
            continue
        update = steps[updates[-1]]
        try:
            if profile:
                raise NotLegal("the time of each object is measured")
            joined = _joined(device, steps, updates[-1], place)
        except NotLegal as reason:
            update.codeobject.rewrites[NAME] = str(reason)
            continue
        joined.rewrites[NAME] = None
        steps[updates[-1]] = type(update)(update.obj, joined)
        del steps[place]
    return steps


def _template(step: Any) -> str:
    return "" if step.codeobject is None else step.codeobject.template_name


def _same_cells(step: Any, other: Any) -> bool:
    return step.codeobject.owner.name == other.codeobject.owner.name


def _joined(device: Any, steps: list[Any], first: int, second: int) -> Any:
    """The code object of two steps; NotLegal with the reason."""
    update, threshold = steps[first].codeobject, steps[second].codeobject
    if NAME not in device.rewrites:
        raise NotLegal("switched off")
    if getattr(device, "threads", 1) > 1:
        raise NotLegal("threads share each loop on its own")
    if steps[first].obj.clock is not steps[second].obj.clock:
        raise NotLegal("state update and threshold have clocks of their own")
    if any(codeobject.rewrites.get(vectors.NAME, "") is not None for codeobject in (update, threshold)):
        raise NotLegal("not both loops take vectors")
    if threshold.draws:
        raise NotLegal("the threshold draws random numbers")
    reached = [array for array in threshold.arrays if not _is_time(device, steps, array)]
    for step in steps[first + 1 : second]:
        if step.codeobject is None or any(array is its for array in step.codeobject.arrays for its in reached):
            raise NotLegal(f"'{step.obj.name}' comes between state update and threshold")
    code = f"{update.abstract_code[None]}\n{threshold.abstract_code[None]}"
    variables = dict(update.variables)
    for name, variable in threshold.variables.items():
        if not _alike(variables.setdefault(name, variable), variable):
            raise NotLegal(f"'{name}' is not the same in state update and threshold")
    indices = copy.copy(update.variable_indices)
    indices.update(threshold.variable_indices)
    others = [step.codeobject for number, step in enumerate(steps) if number not in (first, second)]
    found = device.code_object(
        update.owner, f"{update.owner.name}_fused_codeobject*", {None: code}, variables, TEMPLATE, indices,
        template_kwds=threshold.template_kwds, compiler_kwds=update.compiler_kwds,
        no_release=_why_not_released(variables, others),
    )  # fmt: skip
    if found.rewrites.get(vectors.NAME, "") is not None:
        raise NotLegal(f"together, they take no vectors: {found.rewrites.get(vectors.NAME)}")
    return found


def _is_time(device: Any, steps: list[Any], array: Any) -> bool:
    clocks = {id(step.obj.clock): step.obj.clock for step in steps}.values()
    return any(array is device.shared_array(clock.variables[name]) for clock in clocks for name in ("t", "dt"))


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, Constant) and isinstance(other, Constant):
        return one.dtype == other.dtype and one.get_value() == other.get_value()
    if isinstance(one, Function) or hasattr(one, "device"):
        return one is other
    return type(one) is type(other)


def _why_not_released(variables: dict[str, Any], others: list[Any]) -> str | None:
    """Why refractory cells cannot be kept in a queue, as far as other code is concerned."""
    kept = [variables[name] for name in ("lastspike", "not_refractory") if name in variables]
    if len(kept) < 2:
        return "cells are never refractory"
    for codeobject in others:
        if codeobject is None:  # Python's, after which all cells are looked at
            continue
        for block in codeobject.abstract_code.values():
            for name, _, _ in statements_of(block or ""):
                if any(codeobject.variables.get(name) is variable for variable in kept):
                    return f"'{codeobject.owner.name}' writes '{name}'"
    return None
