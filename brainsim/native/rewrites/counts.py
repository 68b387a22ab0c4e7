"""counts: where every spike brings the same, the spikes that reach a cell are counted, and their sum is added at once.

Legal where the code for a synapse only adds to variables of the cell at the other end, and what it adds is the same
for all synapses: a number, a constant, a shared value, or a variable of the synapses whose values are all equal and
that no compiled code writes. (When Python has read or written such a variable, its values are looked at again; while
they differ, or after a view of its memory was handed out, spikes are not counted.) Spikes of one source that arrive
together must reach different cells. A cell that gets n spikes gets n times the change, in one addition: the last bits
may differ from those of n additions. Taken in steps in which many synapses are reached, seen from the number of cells.

``bitmaps``: the cells that a source reaches are read from a bitmap instead of a list, 512 cells with each instruction.
The same counts, so the same results to the last bit. Taken where a source reaches more than about three in a hundred
cells with one delay, as the bitmaps would take more room and time otherwise.

``carried``: a spike that is sent copies the cells that it reaches into the ring of spikes on their way. When it
arrives, they lie one after another with those of all other spikes. The same counts, too. Taken where a source has
several delays and no bitmaps, while many spikes arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2.codegen.generators.cpp_generator import c_data_type
from brian2.core.functions import Function
from brian2.core.variables import ArrayVariable, DynamicArrayVariable
from brian2.utils.stringtools import get_identifiers

from brainsim.native.arrays import pieces
from brainsim.native.rewrites.expressions import NotLegal
from brainsim.native.rewrites.traces import statements_of

COUNTS, BITMAPS, CARRIED = "counts", "bitmaps", "carried"
#: With fewer cells it does not matter.
FEWEST = 512


@dataclass
class Change:
    """What one statement adds to a variable for each spike."""

    kind: str  # C++ type of the variable
    array: str
    guard: str  # the array of truth values that must be set; nullptr: none
    value: str


class Even:
    """A variable that is equal in all synapses, as long as it is. With the interface of ordered.Copy."""

    written = False

    def __init__(self, original: ArrayVariable, queue: Any, device: Any) -> None:
        self.original, self.queue, self.device = original, queue, device
        self.is_even, self.current = self._look(), False

    def _look(self) -> bool:
        values = self.device.arrays[self.original].data
        if self.original in self.device.exposed or not len(values):
            return False
        return all(bool((values[piece] == values[0]).all()) for piece in pieces(len(values)))

    def touched(self) -> None:
        self.current = False

    def refresh(self) -> None:
        self.is_even, self.current = self._look(), True
        self.queue.struct.uneven = sum(not other.is_even for other in self.queue.even.values())

    def is_used_by(self, codeobject: Any) -> bool:
        """Whether a code object may change the variable."""
        return self.original in codeobject.written


def look_at(
    device: Any, pathway: Any, code: dict[Any, str], variables: dict[str, Any], indices: dict[str, str]
) -> list[Even]:
    """Find out which variables of a pathway's code are equal in all synapses, before it is rewritten."""
    if COUNTS not in device.rewrites:
        return []
    written = {variable for block in code.values() for variable, _, _ in statements_of(block)}
    mentioned = set().union(*map(get_identifiers, code.values()))
    for name in sorted((mentioned - written) & set(variables)):
        variable = variables[name]
        own = isinstance(variable, DynamicArrayVariable) and pathway.synapses.variables.get(name) is variable
        if own and indices[name] == "_idx" and variable not in device.not_ordered and not variable.read_only:
            its = Even(variable, pathway.queue, device)
            if its.is_even:
                pathway.queue.even[name] = its
    return list(pathway.queue.even.values())


def rewrite(generator: Any, statements: list[Any], guards: dict[str, str]) -> tuple[list[Change], list[str]]:
    """What a spike adds to the cells it reaches, and lines that this needs; ``guards`` are those of the variables."""
    reader, variables, indices = generator.reader, generator.variables, generator.variable_indices
    written = {statement.var for statement in statements}
    if not reader.used:
        raise NotLegal("'targets' is switched off")
    if reader.spike:
        raise NotLegal("something is done once for a spike")
    if not reader.queue.distinct:
        raise NotLegal("a spike may reach the same cell twice at a time")
    struct = reader.queue.struct
    if struct.high - struct.low < FEWEST:
        raise NotLegal("there are few cells")
    found: list[Change] = []
    even: dict[str, str] = {}
    for statement in statements:
        name, variable = statement.var, variables.get(statement.var)
        if statement.op not in ("+=", "-=") or indices.get(name) != reader.far or variable.scalar:
            raise NotLegal(f"it does more than to add to variables of the cells it reaches: '{statement}'")
        if not np.issubdtype(variable.dtype, np.floating):
            raise NotLegal(f"'{name}' is a whole number")
        for used in get_identifiers(statement.expr):
            other = variables.get(used)
            known = used.startswith("_lio_") or (other is not None and getattr(other, "scalar", False))
            if used in reader.queue.even:
                kind, known = c_data_type(other.dtype), True
                even[used] = f"const {kind} {used} = {generator.get_array_name(other)}[0];"
            if not known or used in written or isinstance(other, Function):
                raise NotLegal(f"what it adds to '{name}' is not the same for all synapses")
        guard = guards.get(name)
        if guard is not None and (guard in written or indices[guard] != reader.far or variables[guard].scalar):
            raise NotLegal(f"'{name}' and its guard are reached in different ways")
        if any(variables[other] is variable for other in written - {name}):
            raise NotLegal(f"'{name}' is also reached under another name")
        kind = c_data_type(variable.dtype)
        found.append(
            Change(
                kind,
                generator.get_array_name(variable),
                "nullptr" if guard is None else generator.get_array_name(variables[guard]),
                f"{kind}({'-' if statement.op == '-=' else ''}({generator.translate_expression(statement.expr)}))",
            )
        )
    return found, list(even.values())
