"""A network as a list of tasks, ready to be stepped."""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import re
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from brian2.core.base import BrianObject, BrianObjectException
from brian2.core.network import Network
from brian2.core.tracking import InstanceFollower, Trackable
from brian2.core.variables import DynamicArrayVariable
from brian2.utils.logger import get_logger

from brainsim.native import arrays, build, layout, threads, unit
from brainsim.native.codeobject import NativeCodeObject
from brainsim.native.library import Library, load
from brainsim.native.rewrites import ordered
from brainsim.native.rewrites.expressions import NotLegal
from brainsim.native.rewrites.traces import Traces

logger = get_logger(__name__)

#: Generated code returns to Python this often, in seconds, to let it see signals, reports and requests to stop.
PATIENCE = 0.1


class Births(InstanceFollower):
    """Brian2's record of its objects, and the order in which they were made, which names do not tell.

    An object without a name gets the first number that is free. Which numbers are free depends on when Python collects
    what is no longer used, so of two objects that follow one another the second may have the lower number.
    """

    made = itertools.count()

    def add(self, value: Any) -> None:
        value._native_birth = next(self.made)
        super().add(value)


Trackable.__instancefollower__ = Births()


@dataclass
class Step:
    """What happens at one place of a tick: a code object's function, or a call of Python."""

    obj: BrianObject
    codeobject: NativeCodeObject | None
    call: Callable[[], Any] | None = None


def steps_of(net: Network) -> list[Step]:
    """The active objects of a network, in their order."""
    steps = []
    for obj in net.sorted_objects:
        if not obj.active:
            continue
        # A session does not keep objects alive: Brian2 would go on to find and run what the user has deleted.
        proxy = weakref.proxy(obj)
        if type(obj).run is not BrianObject.run:
            steps.append(Step(proxy, None, partial(_run_object, proxy)))
            continue
        for codeobject in obj.code_objects:
            native = isinstance(codeobject, NativeCodeObject)
            steps.append(Step(proxy, codeobject if native else None, None if native else codeobject))
    return steps


def _streams(steps: list[Step]) -> dict[int, int]:
    """The streams of random numbers, by the id of the step: a hash of the object's name.

    Numbers that Brian2 gives to objects without a name depend on what else was made before. They are left out; among
    objects that then have the same name, the order counts in which they were made.
    """
    named: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
    for place, step in enumerate(steps):
        if step.codeobject is not None and step.codeobject.draws:
            name = re.sub(r"_\d+(?=_|$)", "", step.obj.name)
            what = "stateupdate" if step.codeobject.template_name == "fused" else step.codeobject.template_name
            birth = getattr(step.obj, "_native_birth", -1)  # of none that was made before this device was imported
            named.setdefault((name, what), []).append((birth, place, id(step)))
    found = {}
    for key, members in named.items():
        for rank, (_, _, step_id) in enumerate(sorted(members)):
            digest = hashlib.blake2b(repr((*key, rank)).encode(), digest_size=8).digest()
            found[step_id] = int.from_bytes(digest, "little")
    return found


def _end(library: Library, struct: layout.Network, _: Any) -> None:
    """Let the threads of a session that is no longer there end."""
    library.end(ctypes.addressof(struct))


def _run_object(obj: BrianObject) -> None:
    obj.run()


class Session:
    """Tasks with their arrays and clocks, ready to go: the state that generated code works on."""

    apart = False  # whether Brian2's objects do not see what happens

    def __init__(self, device: Any, net: Any, steps: list[Step], clocks: list[Any], random: Any = None) -> None:
        self.device, self.net, self.steps, self.clocks = device, net, steps, clocks
        self.random: layout.Random = device.random if random is None else random
        self.codeobjects = [step.codeobject for step in steps if step.codeobject is not None]
        source, numbers = unit.translation_unit(self.codeobjects)
        self.library = load(source, unit.extras(self.codeobjects), build.flags())
        self.traces: list[Traces] = []
        self.copies: list[ordered.Copy] = []
        self._keep: list[Any] = []  # memory that the structs point to
        self.own: dict[int, Any] = {}  # id of an array -> the one that this session has instead
        self.struct = self._struct(iter(numbers))
        self._pointer = ctypes.addressof(self.struct)
        self.threads = device.threads if clocks else 1  # what is done once, outside of runs, is done by one
        if self.threads > 1:
            threads.assign(self, self.threads)
            self.struct.threads = self.threads
            weakref.finalize(self, _end, self.library, self.struct, self._keep)
        self._run = self.library.run
        self._dynamic = {
            variable
            for codeobject in self.codeobjects
            for variable in codeobject.variables.values()
            if isinstance(variable, DynamicArrayVariable)
        }

    def _struct(self, numbers: Iterator[int]) -> layout.Network:
        clock_numbers = {clock: number for number, clock in enumerate(self.clocks)}
        clocks = (layout.Clock * max(1, len(self.clocks)))()
        self._times = []
        for struct, clock in zip(clocks, self.clocks, strict=False):
            timestep, t, dt = (self.device.shared_array(clock.variables[name]) for name in ("timestep", "t", "dt"))
            own = [arrays.FixedArray(array.array.copy()) for array in (timestep, t)]
            self.own[id(timestep)], self.own[id(t)] = own
            struct.timestep, struct.t = (array.slot.data for array in own)
            shown = own if self.apart else [timestep, t]
            struct.shown_timestep, struct.shown_t, struct.dt = *(array.slot.data for array in shown), dt.slot.data
            self._times.append(own[1].array)
            self._keep += [timestep, t, dt, *own]
        tasks = (layout.Task * max(1, len(self.steps)))()
        streams = _streams(self.steps)
        for task, step in zip(tasks, self.steps, strict=False):
            task.clock = clock_numbers.get(step.obj.clock, 0)
            task.function = -1
            if step.codeobject is not None:
                task.function = next(numbers)
                task.stream = streams.get(id(step), 0)
                self._bind(task, step.codeobject)
        self._clock_structs = clocks
        self._keep += [clocks, tasks, self.random]
        return layout.Network(
            clock_count=len(self.clocks),
            clocks=ctypes.cast(clocks, ctypes.POINTER(layout.Clock)),
            task_count=len(self.steps),
            tasks=ctypes.cast(tasks, ctypes.POINTER(layout.Task)),
            endless=1,
            random=ctypes.pointer(self.random),
            grow=arrays.grow,
        )

    def queue_of(self, codeobject: NativeCodeObject) -> Any:
        """The spikes on their way to a code object's synapses."""
        return codeobject.queue

    def _bind(self, task: layout.Task, codeobject: NativeCodeObject) -> None:
        used = [self.own.get(id(array), array) for array in codeobject.arrays]
        slots = (ctypes.c_void_p * max(1, len(used)))(*(ctypes.addressof(array.slot) for array in used))
        reals = (ctypes.c_double * max(1, len(codeobject.reals)))(*codeobject.reals)
        integers = (ctypes.c_int64 * max(1, len(codeobject.integers)))(*codeobject.integers)
        task.slots, task.reals = ctypes.addressof(slots), ctypes.addressof(reals)
        task.integers = ctypes.addressof(integers)
        queue = self.queue_of(codeobject)
        if queue is not None:
            task.queue = ctypes.addressof(queue.struct)
        self._keep += [slots, reals, integers, used, queue]

    def enter(self) -> None:
        """Take over traces that were read or written in Python."""
        for traces in self.traces:
            if not traces.current:
                try:
                    traces.from_synapses()
                except NotLegal as reason:
                    raise RuntimeError(
                        f"The values of event-driven variables were changed, and now {reason}: run or prepare again."
                    ) from reason
        for copy in self.copies:
            if not copy.current:
                copy.refresh()

    def advance(self, seconds: float = PATIENCE) -> int:
        """Go on until generated code has something to say; Python's tasks are done on the way."""
        while True:
            if self.traces or self.copies:
                self.enter()
            status = self._handle(self._run(self._pointer, seconds))
            if status != layout.PYTHON:
                return status

    def _handle(self, status: int) -> int:
        if arrays.pending:
            self.struct.next = 0
            raise arrays.pending.pop()
        if status == layout.PYTHON:
            self._do_python_task()
        elif status == layout.FAILED:
            self._fail()
        return status

    def step(self, count: int = 1) -> None:
        """Do ``count`` ticks, whatever the clocks say about an end."""
        if self.traces or self.copies:
            self.enter()
        struct = self.struct
        struct.remaining = count
        status = self._run(self._pointer, PATIENCE)
        if status != layout.PAUSED or struct.remaining:
            self._step_on(status)
        if not self.apart:
            self.net.t_ = self._times[0].item() if len(self._times) == 1 else self.time()

    def _step_on(self, status: int) -> None:
        """The rest of a step that takes long, calls Python, or failed."""
        self.struct.stop = 0
        while True:
            status = self._handle(status)
            if status == layout.STOPPED or (status == layout.PAUSED and not self.struct.remaining):
                return
            if self.traces or self.copies:
                self.enter()
            status = self._run(self._pointer, PATIENCE)

    def refresh_clocks(self) -> None:
        """Take over what Brian2's clocks say (after a restore)."""
        for struct, clock, own_time in zip(self._clock_structs, self.clocks, self._times, strict=False):
            own_time[0] = clock.variables["t"].item()
            ctypes.cast(struct.timestep, ctypes.POINTER(ctypes.c_int64))[0] = int(clock.variables["timestep"].item())

    def time(self) -> float:
        """The time of the next tick, in seconds."""
        return min(time.item() for time in self._times)

    def call(self, number: int = 0) -> None:
        """Do one task, outside of time."""
        self.struct.next = number
        if self.library.call(self._pointer, number) == layout.FAILED:
            self._fail()
        self.struct.next = 0
        self.refresh_sizes()

    def _do_python_task(self) -> None:
        number = self.struct.next
        try:
            self.refresh_sizes()
            self.steps[number].call()
        except BaseException:
            self.struct.next = 0
            raise
        self.struct.next = number + 1
        self.struct.stop = int(self.net._stopped or Network._globally_stopped)

    def _fail(self) -> None:
        step = self.steps[self.struct.next]
        self.struct.next = 0
        message = self.struct.message.decode(errors="replace")
        raise BrianObjectException(
            f"Compiled code of '{step.obj.name}' ({step.codeobject.name}) failed: {message}.", step.obj
        ) from RuntimeError(message)

    def refresh_sizes(self) -> None:
        """Let Brian2's variables know how far their arrays have grown."""
        for variable in self._dynamic:
            self.device.refresh_size(variable)

    def rest(self) -> None:
        """Let the threads end; they come again when there is something to do."""
        self.library.end(self._pointer)

    def explain(self) -> str:
        """One line for each thing done in a time step, in order."""
        lines = [f"library {self.library.path}"]
        for number, (task, step) in enumerate(zip(self.struct.tasks[: len(self.steps)], self.steps, strict=True)):
            how = f"function f{task.function}" if step.codeobject is not None else "Python"
            what = step.codeobject.template_name if step.codeobject is not None else type(step.obj).__name__
            lines.append(
                f"{number:3d}  {step.obj.when:<18} {step.obj.order:3d}  {step.obj.name:<40} {what:<22} {how:<14} "
                f"every {step.obj.clock.dt}"
            )
            notes = step.codeobject.rewrites.items() if step.codeobject is not None else ()
            lines += [f"       {name}" + ("" if reason is None else f" not: {reason}") for name, reason in notes]
            if self.threads > 1:
                lines.append(f"       {threads.told(task, step)}")
        return "\n".join(lines)

    def seconds_by_object(self) -> dict[str, float]:
        spent: dict[str, float] = {}
        for task, step in zip(self.struct.tasks[: len(self.steps)], self.steps, strict=True):
            spent[step.obj.name] = spent.get(step.obj.name, 0.0) + task.seconds
        return spent
