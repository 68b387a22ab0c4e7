"""delivery: the loop over arriving spikes goes run by run, see queues.py, with what is the same in a run read once.

Two rewrites, both with the same results as the plain loop, bit for bit:

- ``targets``: the cells at the other end are read from a list in the order of arrival, in 16 bits where that is enough.
  Always legal: whoever changes connections has to prepare the network again.
- ``guards``: statements that Brian2 guards with "unless refractory" are done for all cells when many spikes arrive, and
  refractory cells get their values back afterwards. Legal where the guarded variable is read by nothing but its own
  statements, nothing else in the code reaches the same array, and the guard is not written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from brian2.codegen.generators.cpp_generator import c_data_type
from brian2.core.variables import ArrayVariable
from brian2.synapses.synapses import SynapticPathway
from brian2.utils.stringtools import get_identifiers, stripped_deindented_lines

from brainsim.native.rewrites.expressions import NotLegal

TARGETS, GUARDS = "targets", "guards"


@dataclass
class Delivery:
    """What the template needs."""

    other: str = ""  # the type of the list of cells at the other end; empty: not used
    per_run: list[str] = field(default_factory=list)  # lines done once for a run
    free: str = ""  # the code for a synapse, without guards
    held: list[tuple[str, str, str, str]] = field(default_factory=list)  # (type, array, size, guard) to be restored


class Reader:
    """How a pathway's code reads its indices; made before the code is."""

    def __init__(self, generator: Any, rewrites: frozenset[str]) -> None:
        queue = generator.variables["_queue"]
        pathway: SynapticPathway = next(way for way in generator.owner._pathways if way.queue is queue)
        self.generator = generator
        self.near, self.far = "_presynaptic_idx", "_postsynaptic_idx"
        if pathway.prepost == "post":
            self.near, self.far = self.far, self.near
        self.used = TARGETS in rewrites
        cells = pathway.synapse_targets.get_value()
        pathway.queue.narrow = bool(len(cells) == 0 or int(cells.max()) < 2**16)
        self.other = "uint16_t" if pathway.queue.narrow else "int32_t"
        self.per_run: list[str] = []

    def lines(self, read: set[str], write: set[str], indices: set[str]) -> list[str]:
        """The lines that read indices and arrays."""
        generator, own = self.generator, []
        if self.far in indices:
            own.append(f"const int32_t {self.far} = _others[_place];")
        self.per_run = []
        if self.near in indices:
            pointer = generator.get_array_name(generator.variables[self.near])
            self.per_run.append(f"const int32_t {self.near} = {pointer}[_first];")
            written = {id(generator.variables[name]) for name in write}
            for name in sorted(read):
                variable = generator.variables[name]
                if generator.variable_indices[name] == self.near and id(variable) not in written:
                    place = f"{generator.get_array_name(variable)}[{self.near}]"
                    self.per_run.append(f"const {c_data_type(variable.dtype)} {name} = {place};")
                    read = read - {name}
        rest = (
            type(generator).__mro__[1].translate_to_read_arrays(generator, read, write, indices - {self.near, self.far})
        )
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


def rewrite(generator: Any, reader: Reader, statements: list[Any], rewrites: frozenset[str]) -> tuple[Delivery, dict]:
    """What the template needs, and what is to be noted."""
    notes: dict[str, str | None] = {}
    found = Delivery(reader.other if reader.used else "", list(reader.per_run))
    notes[TARGETS] = None if reader.used else "switched off"
    try:
        if GUARDS not in rewrites:
            raise NotLegal("switched off")
        names = guarded(generator, statements)
        found.free = body(generator, statements, set(names))
        for name, guard in names.items():
            variable = generator.variables[name]
            arrays = (
                generator.get_array_name(variable),
                f"_num{name}",
                generator.get_array_name(generator.variables[guard]),
            )
            found.held.append((c_data_type(variable.dtype), *arrays))
        notes[GUARDS] = None
    except NotLegal as reason:
        if str(reason) != "nothing is guarded":
            notes[GUARDS] = str(reason)
    return found, notes
