"""Networks as lists of tasks, and the run loop around the compiled one."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import re
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.core.base import BrianObject, BrianObjectException
from brian2.core.network import Network, TextReport, profiling_summary
from brian2.core.variables import DynamicArrayVariable
from brian2.groups.group import Group
from brian2.units import second
from brian2.utils.logger import get_logger

from brainsim.native import arrays, build, integrators, layout, unit
from brainsim.native.codeobject import NativeCodeObject
from brainsim.native.library import load
from brainsim.native.rewrites import ordered
from brainsim.native.rewrites.expressions import NotLegal
from brainsim.native.rewrites.traces import Traces

logger = get_logger(__name__)

#: Generated code returns to Python this often, in seconds, to let it see signals, reports and requests to stop.
PATIENCE = 0.1


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
    objects that then have the same name, the order of the numbers counts.
    """
    named: dict[tuple[str, str], list[tuple[list[int], int]]] = {}
    for step in steps:
        if step.codeobject is not None and step.codeobject.draws:
            numbers = [int(number) for number in re.findall(r"_(\d+)(?=_|$)", step.obj.name)]
            name = re.sub(r"_\d+(?=_|$)", "", step.obj.name)
            named.setdefault((name, step.codeobject.template_name), []).append((numbers, id(step)))
    found = {}
    for key, members in named.items():
        for rank, (_, step_id) in enumerate(sorted(members)):
            digest = hashlib.blake2b(repr((*key, rank)).encode(), digest_size=8).digest()
            found[step_id] = int.from_bytes(digest, "little")
    return found


def _run_object(obj: BrianObject) -> None:
    obj.run()


class Session:
    """Tasks with their arrays and clocks, ready to go: the state that generated code works on."""

    def __init__(self, device: Any, net: Any, steps: list[Step], clocks: list[Any], random: Any = None) -> None:
        self.device, self.net, self.steps, self.clocks = device, net, steps, clocks
        self.random: layout.Random = device.random if random is None else random
        self.codeobjects = [step.codeobject for step in steps if step.codeobject is not None]
        source, numbers = unit.translation_unit(self.codeobjects)
        self.library = load(source, unit.extras(self.codeobjects), build.flags())
        self.traces: list[Traces] = []
        self.copies: list[ordered.Copy] = []
        self._keep: list[Any] = []  # memory that the structs point to
        self.struct = self._struct(iter(numbers))
        self._pointer = ctypes.addressof(self.struct)
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
        own: dict[int, arrays.FixedArray] = {}  # a clock's arrays -> this network's own
        for struct, clock in zip(clocks, self.clocks, strict=False):
            timestep, t, dt = (self.device.shared_array(clock.variables[name]) for name in ("timestep", "t", "dt"))
            own[id(timestep)], own[id(t)] = (arrays.FixedArray(array.array.copy()) for array in (timestep, t))
            struct.timestep, struct.t = own[id(timestep)].slot.data, own[id(t)].slot.data
            struct.shown_timestep, struct.shown_t, struct.dt = timestep.slot.data, t.slot.data, dt.slot.data
            self._times.append(own[id(t)].array)
            self._keep += [timestep, t, dt, own[id(timestep)]]
        tasks = (layout.Task * max(1, len(self.steps)))()
        streams = _streams(self.steps)
        for task, step in zip(tasks, self.steps, strict=False):
            task.clock = clock_numbers.get(step.obj.clock, 0)
            task.function = -1
            if step.codeobject is not None:
                task.function = next(numbers)
                task.stream = streams.get(id(step), 0)
                self._bind(task, step.codeobject, own)
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

    def _bind(self, task: layout.Task, codeobject: NativeCodeObject, own: dict[int, arrays.FixedArray]) -> None:
        used = [own.get(id(array), array) for array in codeobject.arrays]
        slots = (ctypes.c_void_p * max(1, len(used)))(*(ctypes.addressof(array.slot) for array in used))
        reals = (ctypes.c_double * max(1, len(codeobject.reals)))(*codeobject.reals)
        integers = (ctypes.c_int64 * max(1, len(codeobject.integers)))(*codeobject.integers)
        task.slots, task.reals = ctypes.addressof(slots), ctypes.addressof(reals)
        task.integers = ctypes.addressof(integers)
        if codeobject.queue is not None:
            task.queue = ctypes.addressof(codeobject.queue.struct)
        self._keep += [slots, reals, integers, used, codeobject.queue]

    def _enter(self) -> None:
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
                self._enter()
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
            self._enter()
        struct = self.struct
        struct.remaining = count
        status = self._run(self._pointer, PATIENCE)
        if status != layout.PAUSED or struct.remaining:
            self._step_on(status)
        self.net.t_ = self._times[0].item() if len(self._times) == 1 else self.time()

    def _step_on(self, status: int) -> None:
        """The rest of a step that takes long, calls Python, or failed."""
        self.struct.stop = 0
        while True:
            status = self._handle(status)
            if status == layout.STOPPED or (status == layout.PAUSED and not self.struct.remaining):
                return
            if self.traces or self.copies:
                self._enter()
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
            self.device.get_value(variable)

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
        return "\n".join(lines)

    def seconds_by_object(self) -> dict[str, float]:
        spent: dict[str, float] = {}
        for task, step in zip(self.struct.tasks[: len(self.steps)], self.steps, strict=True):
            spent[step.obj.name] = spent.get(step.obj.name, 0.0) + task.seconds
        return spent


def _before_run(net: Network, namespace: dict[str, Any]) -> None:
    """Let all objects make their code; those that use a function without C++ text make numpy code."""
    while True:
        try:
            return net.before_run(namespace)
        except BrianObjectException as error:
            obj = next(obj for obj in net.sorted_objects if obj.name == error._brian_objname)
            missing = isinstance(error.__cause__, NotImplementedError) and "Cannot use function" in str(error.__cause__)
            if not missing or getattr(obj, "codeobj_class", NumpyCodeObject) is not None:
                raise
            logger.warn(
                f"'{obj.name}' uses a function without C++ text, and is therefore run by numpy in every time step: "
                f"{error.__cause__}. Add one with @implementation('cpp', ...) to have it compiled.",
                "function_without_cpp",
            )
            obj.codeobj_class = NumpyCodeObject


def prepare(device: Any, net: Network, t_end: Any, namespace: dict[str, Any], random: Any = None) -> Session:
    """What ``Network.run`` does before its loop."""
    net._clocks = {obj.clock for obj in net.sorted_objects}
    for clock in net._clocks:
        clock.set_interval(net.t, t_end)
    device.check_supported(net)
    with integrators.kept():
        device.no_traces.clear()
        device.not_ordered.clear()
        while True:
            device.forget(net)
            _before_run(net, namespace)
            steps, kept = _with_traces(device, steps_of(net))
            copies = _copies(device, steps)
            if kept is not None and copies is not None:
                break
    clocks = sorted(net._clocks, key=lambda clock: clock.name)
    session = Session(device, net, steps, clocks, random)
    session.traces, session.copies = kept, copies
    for struct, clock in zip(session._clock_structs, clocks, strict=False):
        struct.end = int(clock._i_end)
    return session


def _with_traces(device: Any, steps: list[Step]) -> tuple[list[Step], list[Traces] | None]:
    """The steps with those that let traces decay, and the traces; None if some turned out not to be legal."""
    found: list[Step] = []
    kept: list[Traces] = []
    for step in steps:
        traces = None
        if step.codeobject is not None and step.codeobject.template_name == "synapses":
            traces = vars(step.codeobject.owner.variables).get("native_traces")
        if traces is not None and traces.side and traces not in kept:
            kept.append(traces)
            found += [Step(step.obj, codeobject) for codeobject in traces.steps]
        found.append(step)
    for traces in kept:
        try:
            for step in steps:
                if step.codeobject is not None and traces.uses(step.codeobject):
                    raise NotLegal(f"'{step.obj.name}' uses them")
            traces.from_synapses()
        except NotLegal as reason:
            device.no_traces[traces.key] = str(reason)
    return found, None if any(traces.key in device.no_traces for traces in kept) else kept


def _copies(device: Any, steps: list[Step]) -> list[ordered.Copy] | None:
    """The copies that the steps read; None if some turned out not to be legal."""
    codeobjects = [step.codeobject for step in steps if step.codeobject is not None]
    copies = [copy for codeobject in codeobjects for copy in codeobject.copies]
    for copy in copies:
        if any(copy.is_used_by(codeobject) for codeobject in codeobjects):
            device.not_ordered.add(copy.original)
    return None if any(copy.original in device.not_ordered for copy in copies) else copies


def reserve(session: Session) -> None:
    """Room for what monitors of states will record in a run, so that it need not be moved on the way."""
    for step in session.steps:
        if step.codeobject is not None and step.codeobject.template_name == "statemonitor":
            clock = step.obj.clock
            count = clock._i_end - int(clock.variables["timestep"].item())
            for variable in step.obj.variables.values():
                if isinstance(variable, DynamicArrayVariable):
                    array = session.device.shared_array(variable)
                    with contextlib.suppress(MemoryError):  # it may be stopped before
                        array.reserve(len(array) + count)


@contextlib.contextmanager
def _running(net: Network) -> Iterator[None]:
    Network._globally_running = True
    try:
        yield
    finally:
        Network._globally_running = False


def run(
    device: Any, net: Network, duration: Any, report: Any, period: float, namespace: dict[str, Any], profile: bool
) -> Session | None:
    """Run a network, as ``Network.run`` does."""
    t_start, t_end = net.t, net.t + duration
    session = prepare(device, net, t_end, namespace)
    if not net.sorted_objects:
        return None
    reserve(session)
    tell = _reporter(report)
    struct = session.struct
    struct.endless, struct.remaining, struct.profile = 0, -1, int(profile)
    limit = device._maximum_run_time
    start = last_report = time.perf_counter()
    if tell:
        tell(0 * second, 0.0, t_start, duration)
    patience = PATIENCE if not tell else min(PATIENCE, max(period, 1e-3))
    stopped = False
    try:
        with _running(net):
            while session.advance(patience) == layout.PAUSED:
                elapsed = time.perf_counter() - start
                net.t_ = session.time()
                if tell and time.perf_counter() - last_report > period:
                    last_report = time.perf_counter()
                    session.refresh_sizes()
                    tell(elapsed * second, (net.t_ - float(t_start)) / float(duration), t_start, duration)
                if limit is not None and elapsed > float(limit):
                    net._stopped = True
                if net._stopped or Network._globally_stopped:
                    stopped = True
                    break
    finally:
        # Also after an exception, the state is that of the last whole tick.
        session.refresh_sizes()
        net.t_ = session.time()
        struct.endless = 1
    stopped = stopped or bool(struct.stop)
    struct.stop = 0
    if not stopped:
        net.t_ = float(t_end)
    elapsed = time.perf_counter() - start
    device._last_run_time = elapsed
    device._last_run_completed_fraction = (net.t - t_start) / duration if duration > 0 else 1.0
    for obj in net.sorted_objects:
        if isinstance(obj, Group):
            obj._check_for_invalid_states()
    if tell:
        tell(elapsed * second, device._last_run_completed_fraction, t_start, duration)
    net.after_run()
    net._profiling_info = None
    if profile:
        net._profiling_info = [(name, spent * second) for name, spent in session.seconds_by_object().items()]
        logger.debug(f"\n{profiling_summary(net)}")
    return session


def _reporter(report: Any) -> Any:
    if report is None:
        return None
    if report in ("text", "stdout"):
        return TextReport(sys.stdout)
    if report == "stderr":
        return TextReport(sys.stderr)
    if isinstance(report, str):
        raise ValueError(f'Do not know how to handle report argument "{report}".')
    if callable(report):
        return report
    raise TypeError(
        "Do not know how to handle report argument, it has to be one of 'text', 'stdout', 'stderr', or a callable "
        f"function/object, but it is of type {type(report)}"
    )
