"""Networks that Python steps: one small class for each way to do it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from brainsim import brian


class Stepper(Protocol):
    """A network that is ready to go."""

    def step(self, count: int) -> None:
        """Do ``count`` time steps."""

    def time(self) -> float:
        """Model time in seconds."""


def prepare(backend: str, network: Any, namespace: dict[str, Any], seed: int) -> Stepper:
    """Make a network ready on Brian2's current device, which is that of ``backend``; ``seed`` is that of its noise."""
    b2 = brian.load()
    if backend == "native":
        return Compiled(b2.get_device().prepare(network, namespace, seed=seed))
    b2.seed(seed)
    return Interpreted(network, namespace)


class Compiled:
    """Steps a network of the native device. In many steps at once, Ctrl-C is looked for between pieces of them."""

    FEW = 1000
    PIECE_SECONDS = 0.05

    def __init__(self, session: Any):
        self.session = session
        self.time = session.time

    def step(self, count: int) -> None:
        if count <= self.FEW:
            self.session.step(count)
        else:
            with _stoppable() as interrupt:
                self._pieces(count, interrupt)

    def _pieces(self, count: int, interrupt: brian.Interrupt) -> None:
        piece = self.FEW
        while count > 0:
            piece, start = min(piece, count), time.perf_counter()
            self.session.step(piece)
            count -= piece
            interrupt.check()
            seconds = time.perf_counter() - start
            piece = max(1, int(piece * min(2.0, self.PIECE_SECONDS / max(seconds, 1e-9))))


class Interpreted:
    """Steps a network of Brian2's runtime device: as ``Network.run``, without preparing anew at every call."""

    def __init__(self, network: Any, namespace: dict[str, Any]):
        network._clocks = {obj.clock for obj in network.sorted_objects}
        for clock in network._clocks:
            clock.set_interval(network.t, network.t)
        network.before_run(namespace)
        self.network = network
        base = min(float(clock.dt) for clock in network._clocks)
        # (steps of the network for one of the clock, its own step count, its time, its dt)
        self.clocks = [(round(float(clock.dt) / base), *_arrays(clock)) for clock in network._clocks]
        every = {clock: round(float(clock.dt) / base) for clock in network._clocks}
        self.objects = [(every[obj.clock], obj.run) for obj in network.sorted_objects if obj.active]
        self.done, self.base = 0, base
        self.random_state = np.random.get_state()  # Brian2 draws noise from numpy's global stream

    def time(self) -> float:
        return self.done * self.base

    def step(self, count: int) -> None:
        outside = np.random.get_state()
        np.random.set_state(self.random_state)
        try:
            with _stoppable() as interrupt:
                self._steps(count, interrupt)
        finally:
            self.random_state = np.random.get_state()
            np.random.set_state(outside)
            self.network.t_ = self.time()

    def _steps(self, count: int, interrupt: brian.Interrupt) -> None:
        for _ in range(count):
            for every, run in self.objects:
                if self.done % every == 0:
                    run()
            for every, steps, seconds, dt in self.clocks:
                if self.done % every == 0:
                    steps[0] += 1
                    seconds[0] = steps[0] * dt
            self.done += 1
            interrupt.check()


@contextlib.contextmanager
def _stoppable() -> Iterator[brian.Interrupt]:
    """Ctrl-C waits inside until it is looked for; a second one does not."""
    network = brian.load().Network
    with brian.Interrupt() as interrupt:
        network._globally_running = True
        try:
            yield interrupt
        finally:
            network._globally_running = network._globally_stopped = False


def _arrays(clock: Any) -> tuple[np.ndarray, np.ndarray, float]:
    values = clock.variables
    return values["timestep"].get_value(), values["t"].get_value(), float(clock.dt)
