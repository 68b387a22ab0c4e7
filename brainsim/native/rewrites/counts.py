"""counts: where every spike brings the same, the spikes that reach a cell are counted, and their sum is added at once.

Legal where the code for a synapse only adds to variables of the cell at the other end, and what it adds is the same
for all synapses: a number, a constant, or a shared value. Spikes of one source that arrive together must reach
different cells. A cell that gets n spikes gets n times the change, in one addition: the last bits may differ from
those of n additions. Taken in steps in which many synapses are reached, seen from the number of cells.

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
from brian2.utils.stringtools import get_identifiers

from brainsim.native.rewrites.expressions import NotLegal

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


def rewrite(generator: Any, statements: list[Any], guards: dict[str, str]) -> list[Change]:
    """What a spike adds to the cells it reaches; ``guards`` are those of the variables."""
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
    found = []
    for statement in statements:
        name, variable = statement.var, variables.get(statement.var)
        if statement.op not in ("+=", "-=") or indices.get(name) != reader.far or variable.scalar:
            raise NotLegal(f"it does more than to add to variables of the cells it reaches: '{statement}'")
        if not np.issubdtype(variable.dtype, np.floating):
            raise NotLegal(f"'{name}' is a whole number")
        for used in get_identifiers(statement.expr):
            other = variables.get(used)
            known = used.startswith("_lio_") or (other is not None and getattr(other, "scalar", False))
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
    return found
