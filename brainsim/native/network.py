"""Networks made ready and run, as ``Network.run`` does: the loop around the compiled one."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.core.base import BrianObjectException
from brian2.core.network import Network, TextReport, profiling_summary
from brian2.core.variables import DynamicArrayVariable
from brian2.groups.group import Group
from brian2.units import second
from brian2.utils.logger import get_logger

from brainsim.native import integrators, layout
from brainsim.native.rewrites import fuse, ordered
from brainsim.native.rewrites.expressions import NotLegal
from brainsim.native.rewrites.traces import Traces
from brainsim.native.session import PATIENCE, Session, Step, steps_of

logger = get_logger(__name__)


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


def prepare(
    device: Any, net: Network, t_end: Any, namespace: dict[str, Any], random: Any = None, profile: bool = False
) -> Session:
    """What ``Network.run`` does before its loop."""
    net._clocks = {obj.clock for obj in net.sorted_objects}
    for clock in net._clocks:
        clock.set_interval(net.t, t_end)
    device.check_supported(net)
    with integrators.kept():
        device.no_traces.clear()
        device.not_ordered.clear()
        device.copies.clear()
        while True:
            device.forget(net)
            _before_run(net, namespace)
            steps, kept = _with_traces(device, steps_of(net))
            copies = _copies(device, steps)
            if kept is not None and copies is not None:
                break
    clocks = sorted(net._clocks, key=lambda clock: clock.name)
    session = Session(device, net, fuse.fused(device, steps, profile), clocks, random)
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
    copies = list(dict.fromkeys(copy for codeobject in codeobjects for copy in codeobject.copies))
    python = any(step.codeobject is None for step in steps)  # after which copies are made again
    for copy in copies:
        if (python and copy.written) or any(copy.is_used_by(codeobject) for codeobject in codeobjects):
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
    session = prepare(device, net, t_end, namespace, profile=profile)
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
