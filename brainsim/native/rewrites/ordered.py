"""ordered: values of synapses that are only read when spikes arrive lie in the order in which they are read.

Where synapses are numbered otherwise than by source and delay, their values lie scattered, and fetching them is most of
what delivering a spike costs. A copy in the order of places (see queues.py) is read instead.

Legal where no compiled code but monitors uses the variable otherwise. When Python has read or written the variable, the
copy is made again; when a view of its memory was handed out (``device.array``), before every call of ``step``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2.core.variables import ArrayVariable, AuxiliaryVariable
from brian2.utils.stringtools import get_identifiers

from brainsim.native.rewrites.traces import statements_of

NAME = "ordered"


class Copy:
    """The values of a variable of synapses in the order of a pathway's places."""

    def __init__(self, original: ArrayVariable, queue: Any, device: Any) -> None:
        self.original, self.queue, self.device = original, queue, device
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
        return codeobject.template_name != "statemonitor" and any(array is used for used in codeobject.arrays)


def rewrite(
    device: Any, pathway: Any, code: dict[Any, str], variables: dict[str, Any], indices: dict[str, str]
) -> list[Copy]:
    """Let a pathway's code read copies; changes ``variables`` and ``indices``, and returns the copies."""
    synapses, copies = pathway.synapses, []
    if pathway.queue.in_order or NAME not in device.rewrites:
        return []
    written = {variable for block in code.values() for variable, _, _ in statements_of(block)}
    mentioned = set().union(*map(get_identifiers, code.values()))
    for name in sorted((mentioned - written) & set(variables)):
        variable = variables[name]
        own = isinstance(variable, ArrayVariable) and synapses.variables.get(name) is variable and not variable.scalar
        if own and indices[name] == "_idx" and variable not in device.not_ordered and not variable.read_only:
            copies.append(Copy(variable, pathway.queue, device))
            variables[name], indices[name] = copies[-1].variable, "_place"
    if copies:
        variables["_place"] = AuxiliaryVariable("_place", dtype=np.int64)
    return copies
