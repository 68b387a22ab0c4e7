"""ordered: values of synapses that are only read when spikes arrive lie in the order in which they are read.

Where synapses are numbered otherwise than by source and delay, their values lie scattered, and fetching them is most of
what delivering a spike costs. A copy in the order of places (see structure.py) is read instead.

Legal where no compiled code but monitors uses the variable otherwise. When Python has read or written the variable, the
copy is made again; when a view of its memory was handed out (``device.array``), before every call of ``step``.

In all-to-all connections the copy may also be written: postsynaptic spikes then reach rows of a second matrix, in which
the synapses of a postsynaptic cell follow one another, and each new value is stored in both. Legal where all code that
writes the variable belongs to postsynaptic pathways of these synapses, each with one delay, none of their variables is
event-driven, and no Python is run in time steps, after which the copy would have to be made again. (A pathway alone
that calls a function prepared for a row, see matrix.py, is as fast without.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2.core.variables import ArrayVariable, AuxiliaryVariable
from brian2.utils.stringtools import get_identifiers

from brainsim.native.rewrites import matrix
from brainsim.native.rewrites.expressions import NotLegal
from brainsim.native.rewrites.traces import statements_of

NAME = "ordered"


class Copy:
    """The values of a variable of synapses in the order of a pathway's places."""

    def __init__(self, original: ArrayVariable, queue: Any, device: Any, written: bool = False) -> None:
        self.original, self.queue, self.device, self.written = original, queue, device, written
        self.variable = ArrayVariable(
            original.name, original.owner, original.size, device, dimensions=original.dim, dtype=original.dtype
        )
        device.add_array(self.variable)
        self.current = False

    def touched(self) -> None:
        self.current = False

    def refresh(self) -> None:
        arrays = self.device.arrays
        np.take(arrays[self.original].data, self.queue.order, out=arrays[self.variable], mode="clip")
        self.current = self.original not in self.device.exposed

    def is_used_by(self, codeobject: Any) -> bool:
        """Whether a code object works on the original and may write it."""
        array = self.device.arrays[self.original]
        if codeobject.template_name == "statemonitor" or not any(array is used for used in codeobject.arrays):
            return False
        if self.written and codeobject.template_name in ("synapses", "stateupdate"):
            return self.original in codeobject.written and self not in codeobject.copies
        return True


def rewrite(
    device: Any, pathway: Any, code: dict[Any, str], variables: dict[str, Any], indices: dict[str, str]
) -> list[Copy]:
    """Let a pathway's code read copies; changes ``code``, ``variables`` and ``indices``, and returns the copies."""
    synapses, copies = pathway.synapses, []
    if pathway.queue.in_order or NAME not in device.rewrites:
        return []
    written = {variable for block in code.values() for variable, _, _ in statements_of(block)}
    mentioned = set().union(*map(get_identifiers, code.values()))
    for name in sorted(mentioned & set(variables)):
        variable = variables[name]
        own = isinstance(variable, ArrayVariable) and synapses.variables.get(name) is variable and not variable.scalar
        if not own or indices[name] != "_idx" or variable in device.not_ordered or variable.read_only:
            continue
        twice = _may_be_written(device, pathway, name, variables)
        if name in written and not twice:
            continue
        if twice:
            copies.append(device.copies.setdefault(variable, Copy(variable, pathway.queue, device, True)))
        else:
            copies.append(Copy(variable, pathway.queue, device))
        variables[name], indices[name] = copies[-1].variable, "_place"
        if name in written:
            ((block, text),) = code.items()
            code[block] = f"{text}\n_first_{name} = {name}"
            variables[f"_first_{name}"], indices[f"_first_{name}"] = variable, "_idx"
    if copies:
        variables["_place"] = AuxiliaryVariable("_place", dtype=np.int64)
        variables["_place"].unique = True  # as Brian2 asks of what is written
    return copies


def _may_be_written(device: Any, pathway: Any, name: str, variables: dict[str, Any]) -> bool:
    """Whether postsynaptic pathways keep a variable in their own order as well."""
    synapses = pathway.synapses
    uses = [way for way in synapses._pathways if name in get_identifiers(way.code)]
    writers = [way for way in uses if name in {variable for variable, _, _ in statements_of(way.code)}]
    if not writers or matrix.MATRIX not in device.rewrites or synapses.event_driven is not None:
        return False
    if any(way.prepost != "post" for way in [pathway, *writers]):
        return False
    afterwards = [way for way in uses if way.prepost == "post"]
    functions = [variables.get(word) for word in get_identifiers(pathway.code)]
    if len(afterwards) == 1 and any(getattr(function, "eight", None) for function in functions):
        return False
    try:
        for way in afterwards:
            matrix.check_connections(way)
    except NotLegal:
        return False
    return True
