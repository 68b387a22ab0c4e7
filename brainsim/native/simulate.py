"""The one function a program needs to run a network here: with progress, stopping and reading on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from brian2.core.network import Network
from brian2.devices.device import get_device
from brian2.units import second

from brainsim.native import build


@dataclass(frozen=True)
class Progress:
    """Where a run is: between two time steps, with every array and monitor up to date."""

    time: float  # of the model, in seconds
    fraction: float  # of this run
    elapsed: float  # seconds of the wall clock, without building


@dataclass(frozen=True)
class Outcome:
    """How a run went."""

    time: float  # of the model at its end, in seconds
    finished: bool  # false if it was stopped
    seconds: float  # of the wall clock, in the run loop
    build_seconds: float  # in the compiler; 0 if the library was known


def simulate(
    net: Network,
    duration: float,
    watch: Callable[[Progress], Any] | None = None,
    every: float = 0.25,
    namespace: Mapping[str, Any] | None = None,
) -> Outcome:
    """Run ``net`` for ``duration`` seconds of model time, in this process and from where it is.

    ``watch`` is called at the start, about ``every`` seconds of the wall clock, and at the end; it may read and write
    anything in the network. If it returns true, the run stops there, and another call goes on from there.

    The network's objects have to be made with the native device set.
    """
    device = get_device()
    compiled = build.statistics.seconds

    def report(elapsed: Any, fraction: float, start: Any, length: Any) -> None:
        if watch is not None and watch(Progress(float(start) + fraction * float(length), fraction, float(elapsed))):
            net.stop()

    start = net.t_
    net.run(
        duration * second, report=None if watch is None else report, report_period=every * second,
        namespace=dict(namespace or {}),
    )  # fmt: skip
    finished = abs(net.t_ - (start + duration)) <= 1e-9 * max(1.0, abs(start + duration))
    return Outcome(float(net.t_), finished, float(device._last_run_time), build.statistics.seconds - compiled)
