"""delivery: the loop over arriving spikes goes run by run, see structure.py, with what is the same in a run read once.

Four rewrites, all with the same results as the plain loop, bit for bit:

- ``targets``: the cells at the other end are read from a list in the order of arrival, in 16 bits where that is enough.
  Always legal: whoever changes connections has to prepare the network again.
- ``guards``: statements that Brian2 guards with "unless refractory" are done for all cells when many spikes arrive, and
  refractory cells get their values back afterwards. Legal where the guarded variable is read by nothing but its own
  statements, nothing else in the code reaches the same array, and the guard is not written.
- ``rows``: the synapses of a run are taken eight at a time. Legal where those of one run go to different cells, nothing
  is written that all of them share, and no random numbers are drawn. Taken where the values follow one another in
  memory (all-to-all connections made in order), or where the code calls functions.
- ``blocks``: long runs are delivered to a part of the cells at a time, which stay in the cache. Legal where a synapse
  works on nothing that synapses of other cells write. Taken where runs are long and cells many.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from brian2.codegen.generators.cpp_generator import CPPCodeGenerator, c_data_type
from brian2.core.variables import ArrayVariable
from brian2.synapses.synapses import SynapticPathway
from brian2.utils.stringtools import get_identifiers, stripped_deindented_lines

from brainsim.native.rewrites import counts, vectors
from brainsim.native.rewrites.counts import BITMAPS, CARRIED, COUNTS
from brainsim.native.rewrites.expressions import NotLegal
from brainsim.native.structure import AHEAD

TARGETS, GUARDS, ROWS, BLOCKS = "targets", "guards", "rows", "blocks"


@dataclass
class Delivery:
    """What the template needs."""

    other: str = ""  # the type of the list of cells at the other end; empty: not used
    per_run: list[str] = field(default_factory=list)  # lines done once for a run
    free: str = ""  # the code for a synapse, without guards
    blocks: bool = False  # whether cells may be gone through block by block
    rows: vectors.Loop | None = None  # the code for eight synapses of a run
    in_order: list[str] = field(default_factory=list)  # arrays of synapses, if places are their numbers
    ahead: list[str] = field(default_factory=list)  # if not
    distance: int = AHEAD
    changes: list[counts.Change] = field(default_factory=list)  # what is added for each spike, if these are counted
    even: list[str] = field(default_factory=list)  # lines that read what is equal in all synapses
    held: list[tuple[str, str, str, str]] = field(default_factory=list)  # (type, array, size, guard) to be restored


def look_at(pathway: SynapticPathway, bounds: Sequence[int]) -> None:
    """Find out how a pathway's synapses lie, before its code is made; ``bounds`` are of the cells of each thread."""
    device, queue = pathway.variables.device, pathway.queue
    sources, targets, delays = (
        device.arrays[variable] for variable in (pathway.synapse_sources, pathway.synapse_targets, pathway._delays)
    )
    for array in (sources, targets, delays):
        array.pack()
    with device.as_stored():
        pathway.initialise_queue()
    queue.fresh = True
    queue.set_other_ends(targets, bounds)


class Reader:
    """How a pathway's code reads its indices; made before the code is."""

    def __init__(self, generator: Any, rewrites: frozenset[str], vector: dict[str, Any]) -> None:
        queue = generator.variables["_queue"]
        pathway: SynapticPathway = next(way for way in generator.owner._pathways if way.queue is queue)
        self.generator, self.pathway = generator, pathway
        self.near, self.far = "_presynaptic_idx", "_postsynaptic_idx"
        if pathway.prepost == "post":
            self.near, self.far = self.far, self.near
        self.used = TARGETS in rewrites
        self.queue = queue
        self.other = "uint16_t" if queue.narrow else "int32_t"
        # The block of what is done once for a spike is translated first (see traces.py).
        self.spike = self.per_spike = bool(vector.get("spike"))
        self.per_run = [self._near_line()] if self.per_spike else []
        self.declared: set[str] = set()  # by that block

    def _near_line(self) -> str:
        pointer = self.generator.get_array_name(self.generator.variables[self.near])
        return f"const int32_t {self.near} = {pointer}[_first];"

    def lines(self, read: set[str], write: set[str], indices: set[str]) -> list[str]:
        """The lines that read indices and arrays."""
        generator, own = self.generator, []
        if self.per_spike:
            self.per_spike = False
            self.declared = read
            return CPPCodeGenerator.translate_to_read_arrays(generator, read, write, indices - {self.near})
        if self.far in indices:
            own.append(f"const int32_t {self.far} = _others[_place];")
        if self.near in indices:
            self.per_run = [self._near_line()]
            written = {id(generator.variables[name]) for name in write}
            for name in sorted(read):
                variable = generator.variables[name]
                if generator.variable_indices[name] == self.near and id(variable) not in written:
                    place = f"{generator.get_array_name(variable)}[{self.near}]"
                    if name not in self.declared:
                        self.per_run.append(f"const {c_data_type(variable.dtype)} {name} = {place};")
                    read = read - {name}
        rest = CPPCodeGenerator.translate_to_read_arrays(generator, read, write, indices - {self.near, self.far})
        return own + rest


def body(generator: Any, statements: list[Any], without: set[str]) -> str:
    """The code for a synapse without some of the guards."""
    read, write, indices, guards = generator.arrays_helper(statements)
    needed = set().union(*(get_identifiers(statement.expr) for statement in statements))
    guards = {name: guard for name, guard in guards.items() if name not in without}
    read = {name for name in read if name in needed or name in guards.values() or name in write}
    read -= {name for name in read if generator.variables[name].scalar and name not in write}
    lines = generator.translate_to_read_arrays(read, write, indices)
    lines += generator.translate_to_declarations(read, write, indices)
    lines += generator.translate_to_statements(statements, guards)
    lines += generator.translate_to_write_arrays(write)
    return stripped_deindented_lines("\n".join(lines))


def guarded(generator: Any, statements: list[Any]) -> dict[str, str]:
    """The guarded variables of a pathway's code, if the guards can be left out, with their guards."""
    variables = generator.variables
    read, write, _, guards = generator.arrays_helper(statements)
    found = {name: guard for name, guard in guards.items() if name in write}
    if not found:
        raise NotLegal("nothing is guarded")
    for name, guard in found.items():
        variable = variables[name]
        if generator.variable_indices[name] != generator.variable_indices[guard] or variable.scalar:
            raise NotLegal(f"'{name}' and its guard are reached in different ways")
        if guard in write:
            raise NotLegal(f"the guard of '{name}' is written")
        for other in (read | write) - {name}:
            if isinstance(variables[other], ArrayVariable) and variables[other] is variable:
                raise NotLegal(f"'{name}' is also reached as '{other}'")
        if any(name in get_identifiers(statement.expr) for statement in statements if statement.var != name):
            raise NotLegal(f"'{name}' is read by another statement")
    return found


def rows(generator: Any, scalar: list[Any], statements: list[Any], rewrites: frozenset[str]) -> vectors.Loop:
    """The code for eight synapses of a run."""
    reader = generator.reader
    queue, read = reader.queue, generator.arrays_helper(statements)[0]
    if not queue.distinct:
        raise NotLegal("a spike may reach the same cell twice at a time")
    row, listed, one = (functools.partial(vectors.Place, kind) for kind in ("row", "list", "one"))
    places = {
        "_idx": row("_begin + _at") if queue.in_order else listed("_synapse + _begin + _at"),
        "_place": row("_begin + _at"),
        reader.far: row("_far + _at") if queue.dense else listed("_others + _begin + _at"),
        reader.near: one(""),
        "0": one(""),
    }
    found = vectors.loop(generator, scalar, statements, rewrites, places)
    if found.draws:
        raise NotLegal("it draws random numbers")
    if any(generator.variables[name].scalar for name in generator.arrays_helper(statements)[1]):
        raise NotLegal("it writes what all synapses share")
    in_memory = (queue.in_order or all(generator.variable_indices[name] != "_idx" for name in read)) and queue.dense
    if (
        not in_memory
        and not found.calls
        and not any("native::exp" in line or "native::each" in line for line in found.body)
    ):
        raise NotLegal("values do not follow one another in memory")
    return found


def check_blocks(generator: Any, statements: list[Any], rewrites: frozenset[str]) -> None:
    """Whether cells may be gone through block by block."""
    check_apart(generator, statements, rewrites)
    if generator.reader.declared:
        raise NotLegal("something is done once for a spike")


def check_apart(generator: Any, statements: list[Any], rewrites: frozenset[str]) -> None:
    """Whether synapses of different cells know nothing of each other."""
    reader, variables, indices = generator.reader, generator.variables, generator.variable_indices
    read, write, _, _ = generator.arrays_helper(statements)
    if BLOCKS not in rewrites or not reader.used:
        raise NotLegal("switched off")
    for name in write:
        if indices[name] not in (reader.far, "_idx", "_place") or variables[name].scalar:
            raise NotLegal(f"synapses of different cells write '{name}'")
        others = (other for other in read | write if other != name and variables[other] is variables[name])
        if any(indices[other] != indices[name] for other in others):
            raise NotLegal(f"'{name}' is reached in several ways")
    if any(
        getattr(variables.get(name), "auto_vectorise", False) for s in statements for name in get_identifiers(s.expr)
    ):
        raise NotLegal("it draws random numbers")


def rewrite(
    generator: Any, scalar: list[Any], statements: list[Any], rewrites: frozenset[str]
) -> tuple[Delivery, dict[str, str | None]]:
    """What the template needs, and what is to be noted."""
    reader = generator.reader
    notes: dict[str, str | None] = {}
    found = Delivery(reader.other if reader.used else "", list(reader.per_run))
    notes[TARGETS] = None if reader.used else "switched off"
    try:
        if ROWS not in rewrites or not reader.used:
            raise NotLegal("switched off")
        found.rows = rows(generator, scalar, statements, rewrites)
        notes.update(dict.fromkeys([ROWS, *sorted(found.rows.used)]))
        return found, notes
    except NotLegal as reason:
        notes[ROWS] = str(reason)
    if reader.used:
        read, write, _, _ = generator.arrays_helper(statements)
        names = sorted(name for name in read | write if generator.variable_indices[name] == "_idx")
        arrays = [generator.get_array_name(generator.variables[name]) for name in names]
        found.in_order, found.ahead = (arrays, []) if reader.queue.in_order else ([], arrays)
        names = sorted(name for name in read | write if generator.variable_indices[name] == "_place")
        found.in_order += [generator.get_array_name(generator.variables[name]) for name in names]
    try:
        check_blocks(generator, statements, rewrites)
        found.blocks = True
        notes[BLOCKS] = None if reader.queue.struct.blockwise else "there are few cells, or few synapses for each"
    except NotLegal as reason:
        notes[BLOCKS] = str(reason)
    try:
        if COUNTS not in rewrites:
            raise NotLegal("switched off")
        found.changes, found.even = counts.rewrite(generator, statements, generator.arrays_helper(statements)[3])
        notes[COUNTS] = None
        notes[BITMAPS] = notes[CARRIED] = "switched off"
        if BITMAPS in rewrites:
            notes[BITMAPS] = None if reader.queue.set_bitmaps() else "a spike reaches few of the cells at a time"
        if CARRIED in rewrites:
            few = "threads share it" if reader.queue.shared else "spikes reach them in few parts"
            notes[CARRIED] = None if notes[BITMAPS] and reader.queue.set_carried() else few
        return found, notes
    except NotLegal as reason:
        notes[COUNTS] = str(reason)
    try:
        if GUARDS not in rewrites:
            raise NotLegal("switched off")
        guards = guarded(generator, statements)
        found.free = body(generator, statements, set(guards))
        for name, guard in guards.items():
            variable, guard_array = generator.variables[name], generator.get_array_name(generator.variables[guard])
            array = generator.get_array_name(variable)
            found.held.append((c_data_type(variable.dtype), array, f"_num{name}", guard_array))
        notes[GUARDS] = None
    except NotLegal as reason:
        if str(reason) != "nothing is guarded":
            notes[GUARDS] = str(reason)
    return found, notes
