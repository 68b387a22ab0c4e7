"""Threads: which tasks of a time step they share, and what each does of them.

Every group's cells are divided among the threads, once for all tasks: a thread owns its cells in all of them, and the
synapses that it delivers to them. So what a cell receives is added in the same order as with one thread, and results
are the same bits for any number of threads.

A task is shared where

- ``stateupdate``: it writes only values of the element that it is at (a cell, or a synapse), and reads such values from
  no other element;
- ``threshold``: always; each thread lists the events of its own cells, and the lists are put together in the order of
  the cells;
- ``synapses``: the condition of the rewrite ``blocks`` holds (nothing is written but values of the synapse and of the
  cell at its other end, no random numbers are drawn), and the synapses of a spike lie in the order of the cells they
  reach; what is done once for a spike (see rewrites/traces.py) is computed by all and written by one, at the end;

and where it calls no functions that keep a state. All others are done by the thread that called ``step``.

Tasks that follow one another make a *stage*, in which threads do not wait for each other, if what one of them writes
is reached by the others only at elements that the same thread owns.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.core.variables import ArrayVariable, Variable
from brian2.devices.device import get_device
from brian2.groups.subgroup import Subgroup
from brian2.input.binomial import BinomialFunction
from brian2.utils.stringtools import get_identifiers

from brainsim.native import layout
from brainsim.native.rewrites import delivery
from brainsim.native.rewrites.expressions import NotLegal

#: Cells and synapses are divided in pieces of so many: what is a vector with one thread is one with any number.
PIECE = 64
#: As in threads.hpp.
MOST = 64
_RANDOM = [DEFAULT_FUNCTIONS[name] for name in ("rand", "randn", "poisson")]


def chosen(option: int | None = None) -> int:
    """How many threads: what :func:`brian2.set_device` was given, or ``BRAINSIM_NATIVE_THREADS``, which wins.

    Raises
    ------
    ValueError
        It is not a whole number from 1 to 64.
    """
    text = os.environ.get("BRAINSIM_NATIVE_THREADS") or ("1" if option is None else str(option))
    if not text.strip().isdigit() or not 1 <= int(text) <= MOST:
        raise ValueError(f"The number of threads has to be from 1 to {MOST}, and not '{text}'.")
    return int(text)


def bounds(size: int, threads: int) -> list[int]:
    """Thread ``n`` owns the elements ``bounds[n]`` to ``bounds[n + 1]``."""
    pieces = -(-size // PIECE)
    return [min(size, PIECE * (pieces * n // threads)) for n in range(threads)] + [size]


@dataclass(frozen=True)
class Elements:
    """The elements that a task goes through: ``start`` to ``stop`` of what has this name."""

    of: str
    start: int
    stop: int

    def apart_from(self, other: Elements) -> bool:
        return self.of == other.of and (self.stop <= other.start or other.stop <= self.start)


@dataclass
class Access:
    """What a shared task reaches."""

    elements: Elements  # that are divided
    own: dict[Variable, Elements] = field(default_factory=dict)  # reached at what a thread owns
    written: set[Variable] = field(default_factory=set)  # some of these
    elsewhere: set[Variable] = field(default_factory=set)  # read anywhere
    ending: int = layout.NOTHING

    def may_join(self, other: Access) -> bool:
        """Whether no thread has to wait for others between these two."""
        for one, two in ((self, other), (other, self)):
            if one.written & two.elsewhere:
                return False
            for variable in one.written & set(two.own):
                mine, its = one.own.get(variable), two.own[variable]
                if mine != its and (mine is None or not mine.apart_from(its)):
                    return False
        return True


def cells_of(group: Any) -> Elements:
    """The elements of a group, as part of the group that they are a subgroup of."""
    size = int(np.asarray(group.variables["N"].get_value()).item())
    if isinstance(group, Subgroup):
        return Elements(group.source.name, int(group.start), int(group.start) + size)
    return Elements(group.name, 0, size)


def targets_of(pathway: Any) -> Elements:
    """The cells among which those at the other end of a pathway's synapses are."""
    group = pathway.target
    return cells_of(group.source if isinstance(group, Subgroup) else group)


def bounds_of_targets(pathway: Any) -> list[int]:
    """The cells that each thread delivers to."""
    return bounds(targets_of(pathway).stop, get_device().threads)


def access(generator: Any, scalar: dict[str, Any], vector: dict[str, Any]) -> Access | NotLegal:
    """What a code object reaches, or why threads cannot share it."""
    try:
        return _access(generator, scalar, vector)
    except NotLegal as reason:
        return reason


def _access(generator: Any, scalar: dict[str, Any], vector: dict[str, Any]) -> Access:
    template = generator.template_name
    if template not in ("stateupdate", "threshold", "synapses"):
        raise NotLegal("it takes little time")
    statements = [statement for block in (*scalar.values(), *vector.values()) for statement in block]
    _check_functions(generator, statements)
    for statement in itertools.chain(*scalar.values()):
        if isinstance(generator.variables.get(statement.var), ArrayVariable):
            raise NotLegal(f"it writes '{statement.var}', which all elements share")
    if template == "synapses":
        return _delivery(generator, vector)
    (block,) = vector.values()
    found = Access(cells_of(generator.owner))
    if "N" in generator.variables:  # what a rewrite has made goes through elements of its own
        size = int(np.asarray(generator.variables["N"].get_value()).item())
        if size != found.elements.stop - found.elements.start:
            found.elements = Elements(f"{generator.owner.name} {size}", 0, size)
    _note(found, generator, block, {"_idx": found.elements, "_sub_idx": found.elements})
    if template == "threshold":
        found.ending = layout.GATHER
        for name in ("not_refractory", "lastspike"):
            if name in generator.variables:
                found.own[generator.variables[name]] = found.elements
                found.written.add(generator.variables[name])
    return found


def _delivery(generator: Any, vector: dict[str, Any]) -> Access:
    reader = generator.reader
    queue, pathway = reader.queue, reader.pathway
    if not reader.used:
        raise NotLegal("the rewrite 'targets' is off")
    if not queue.shared:
        raise NotLegal("the synapses of a spike are not in the order of the cells they reach")
    (name,) = {*vector} - {"spike"}
    delivery.check_apart(generator, vector[name], frozenset({delivery.BLOCKS}))
    found = Access(targets_of(pathway), ending=layout.ADVANCE)
    synapses = Elements(pathway.name, 0, len(pathway.synapses))
    _note(found, generator, vector[name], {"_idx": synapses, "_place": synapses, reader.far: found.elements})
    once = generator.arrays_helper(vector["spike"])[1] if vector.get("spike") else set()
    if once:
        if queue.retimed:
            raise NotLegal("a spike may arrive twice at a time, as the time step was changed")
        found.ending = layout.ONCE
        kept = {generator.variables[its] for its in once}
        if kept & set(found.own):
            raise NotLegal("its synapses reach what is written once for a spike")
        found.written |= kept
        found.elsewhere |= kept
    return found


def _note(found: Access, generator: Any, statements: list[Any], owned: dict[str, Elements]) -> None:
    """Note what statements reach; ``owned`` are the indices of elements of the thread's own."""
    read, write, index_arrays, guards = generator.arrays_helper(statements)
    variables, indices = generator.variables, generator.variable_indices
    found.elsewhere |= {variables[name] for name in index_arrays if name in variables}
    for name in sorted(read | write | set(guards.values())):
        variable = variables[name]
        if not isinstance(variable, ArrayVariable):
            continue
        if variable.scalar or indices[name] not in owned:
            if name in write:
                raise NotLegal(f"it writes '{name}' of other elements than the one it is at")
            found.elsewhere.add(variable)
            continue
        found.own.setdefault(variable, owned[indices[name]])
        if name in write:
            found.written.add(variable)
    for variable in found.written & found.elsewhere:
        raise NotLegal(f"it writes '{variable.name}' and reads it from other elements")


def _check_functions(generator: Any, statements: list[Any]) -> None:
    for name in sorted(set().union(*(get_identifiers(statement.expr) for statement in statements))):
        function = generator.variables.get(name)
        if not isinstance(function, Function) or function in _RANDOM or isinstance(function, BinomialFunction):
            continue
        if not function.stateless:
            raise NotLegal(f"the function '{name}' keeps a state")
        implementation = function.implementations[generator.codeobj_class]
        code = implementation.get_code(generator.owner)
        text = code if isinstance(code, str) else " ".join((code or {}).values())
        if re.search(r"\bstatic\s+(?!inline\b|const\b|thread_local\b)[\w:<>*& ]+\s\w+\s*(=|;|\[|\{)", text):
            raise NotLegal(f"the function '{name}' has a static variable")


def assign(session: Any, threads: int) -> None:
    """Tell a session's tasks what threads share, and which may begin while others are not yet done."""
    stage: list[Access] = []
    for task, step in zip(session.struct.tasks[: len(session.steps)], session.steps, strict=True):
        its = step.codeobject.access if step.codeobject is not None else None
        if not isinstance(its, Access):
            stage = []
            continue
        edges = bounds(its.elements.stop - its.elements.start, threads)
        limits = (ctypes.c_int64 * len(edges))(*edges)
        found = (ctypes.c_int64 * (8 * threads))()
        task.shared, task.joins = 1, int(bool(stage) and all(its.may_join(other) for other in stage))
        task.ending = its.ending
        task.bounds, task.found = ctypes.addressof(limits), ctypes.addressof(found)
        if its.ending == layout.GATHER:
            events = session.device.shared_array(step.codeobject.event_variable)
            task.events = ctypes.addressof(events.slot)
            session._keep.append(events)
        session._keep += [limits, found]
        stage = [*stage, its] if task.joins else [its]


def told(task: layout.Task, step: Any) -> str:
    """A line about who does a task."""
    if step.codeobject is None:
        return "threads not: Python does it"
    if not task.shared:
        return f"threads not: {step.codeobject.access}"
    joined = ", along with what is before it" if task.joins else ""
    return f"threads, each of the {step.codeobject.access.elements.of} it owns{joined}"
