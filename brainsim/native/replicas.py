"""Replicas: a network that runs several times at once, on threads that never wait for each other.

A replica has values, spikes on their way, a time and random numbers of its own. It shares with the network connections,
delays, and those values of synapses that no compiled code writes, and does not touch anything of it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from brian2.synapses.synapses import Synapses

from brainsim.native import arrays, layout
from brainsim.native.codeobject import NativeCodeObject
from brainsim.native.queues import SpikeQueue
from brainsim.native.session import Session


def _copied(array: Any) -> Any:
    """Another array with the same values."""
    if isinstance(array, arrays.GrowingArray):
        copy = arrays.GrowingArray(array.shape, array.dtype)
        copy.data[:] = array.data
        return copy
    memory = arrays.zeros(array.array.shape, array.array.dtype)
    memory[:] = array.array
    return arrays.FixedArray(memory)


class Replica(Session):
    """One run of a network, see :meth:`brainsim.native.NativeDevice.replicas`."""

    apart = True

    def __init__(self, session: Session, random: layout.Random) -> None:
        for step in session.steps:
            if step.codeobject is None:
                raise NotImplementedError(
                    f"'{step.obj.name}' is run by Python, which replicas cannot do: leave it out, or step networks of "
                    "their own with prepare(net, seed=...)."
                )
        session.enter()
        self.device, self.net, self.steps, self.clocks = session.device, session.net, session.steps, session.clocks
        self.random, self.codeobjects, self.library = random, session.codeobjects, session.library
        self.threads, self.traces, self.copies = 1, [], []
        self.hidden = {variable for traces in session.traces for variable in traces.hidden()}
        self._keep: list[Any] = [session]
        self._queues: dict[int, SpikeQueue] = {}
        used = {variable for codeobject in self.codeobjects for variable in codeobject.used}
        written = {variable for codeobject in self.codeobjects for variable in codeobject.may_write}
        own = [self.device.shared_array(variable) for variable in used
               if variable in written or not isinstance(variable.owner, Synapses)]  # fmt: skip
        own += [array for codeobject in self.codeobjects for array in codeobject.private]
        self.own = {id(array): _copied(array) for array in own}
        self._keep.append(own)
        self.struct = self._struct(iter([task.function for task in session.struct.tasks[: len(self.steps)]]))
        self._pointer, self._run = ctypes.addressof(self.struct), self.library.run

    def queue_of(self, codeobject: NativeCodeObject) -> SpikeQueue | None:
        if codeobject.queue is None:
            return None
        if id(codeobject.queue) not in self._queues:
            self._queues[id(codeobject.queue)] = codeobject.queue.twin()
        return self._queues[id(codeobject.queue)]

    def array(self, owner: Any, name: str) -> np.ndarray:
        """The memory of ``owner.name`` in this replica; what all share cannot be written.

        Raises
        ------
        ValueError
            The variable is kept in another form here.
        """
        variable = owner.variables[name]
        if variable in self.hidden:
            raise ValueError(
                f"'{name}' of '{owner.name}' is kept once for each cell: set_device('native', rewrites='-traces') "
                "keeps it in the synapses."
            )
        array = self.device.shared_array(variable)
        own = self.own.get(id(array))
        found = (own or array).data if isinstance(array, arrays.GrowingArray) else (own or array).array
        if own is None:
            found = found.view()
            found.flags.writeable = False
        return found


class Replicas(Sequence[Replica]):
    """Replicas, which are stepped together or one by one."""

    def __init__(self, replicas: list[Replica]) -> None:
        self._replicas = replicas

    def __len__(self) -> int:
        return len(self._replicas)

    def __getitem__(self, number: Any) -> Any:
        return self._replicas[number]

    def __iter__(self) -> Iterator[Replica]:
        return iter(self._replicas)

    def step(self, count: int = 1, threads: int | None = None) -> None:
        """Do ``count`` time steps of each, on that many threads (as many as there are cores)."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        with ThreadPoolExecutor(min(len(self) or 1, threads or cores)) as pool:
            steps = [pool.submit(replica.step, count) for replica in self]
            try:
                wait(steps)
            except BaseException:  # Ctrl-C: each ends after a whole time step
                pool.shutdown(wait=False, cancel_futures=True)
                while wait(steps, timeout=0.05).not_done:
                    for replica in self:
                        replica.struct.stop = 1
                raise
            finally:
                for replica in self:
                    replica.struct.stop = 0
        for step in steps:
            step.result()
