"""Spikes on their way to synapses, where generated code and Python can both reach them."""

from __future__ import annotations

import ctypes
import weakref
from typing import Any

import numpy as np

from brainsim.native import layout

_libc = ctypes.CDLL(None)
_libc.realloc.restype = ctypes.c_void_p
_libc.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.free.argtypes = [ctypes.c_void_p]


def _release(lists: Any, length: int) -> None:
    for step in range(length):
        if lists[step]:
            _libc.free(lists[step])
            lists[step] = None


class SpikeQueue:
    """A ring of lists of synapse numbers, one list for each time step to come.

    Python's side of ``native::Queue``, with the interface that Brian2's pathways expect of a spike queue.
    """

    def __init__(self, source_start: int, source_end: int) -> None:
        self.struct = layout.Queue(first=source_start, last=source_end)
        self._state_tuple = (source_start, source_end)
        self._dt: float | None = None
        self._keep: list[np.ndarray] = []
        self._finalizer: weakref.finalize | None = None
        self._allocate(1)
        self._connect(np.zeros(source_end - source_start + 1, np.int64), np.zeros(0, np.int32), np.zeros(1, np.int32))

    def _allocate(self, length: int) -> None:
        """A new, empty ring."""
        if self._finalizer is not None:
            self._finalizer()
        self._lists = (ctypes.c_void_p * length)()
        self._counts = (ctypes.c_int64 * length)()
        self._rooms = (ctypes.c_int64 * length)()
        self._finalizer = weakref.finalize(self, _release, self._lists, length)
        self.struct.length, self.struct.offset = length, 0
        self.struct.list = ctypes.cast(self._lists, ctypes.POINTER(ctypes.c_void_p))
        self.struct.count = ctypes.cast(self._counts, ctypes.POINTER(ctypes.c_int64))
        self.struct.room = ctypes.cast(self._rooms, ctypes.POINTER(ctypes.c_int64))

    def _connect(self, row: np.ndarray, synapse: np.ndarray, delay: np.ndarray) -> None:
        self._row, self._synapse, self._delay = self._keep = [row, synapse, delay]
        self.struct.row, self.struct.synapse, self.struct.delay = (array.ctypes.data for array in self._keep)

    def _fetch(self) -> list[np.ndarray]:
        """Copies of the lists, the one that is due now first."""
        length, offset = self.struct.length, self.struct.offset
        return [self._list((offset + step) % length).copy() for step in range(length)]

    def _list(self, step: int) -> np.ndarray:
        count = self._counts[step]
        if not count:
            return np.zeros(0, np.int32)
        return np.ctypeslib.as_array((ctypes.c_int32 * count).from_address(self._lists[step] or 0))

    def _append(self, step: int, synapses: np.ndarray) -> None:
        if not len(synapses):
            return
        have, need = self._counts[step], self._counts[step] + len(synapses)
        if need > self._rooms[step]:
            room = max(need, 2 * self._rooms[step], 16)
            memory = _libc.realloc(self._lists[step], room * 4)
            if not memory:
                raise MemoryError("no memory for spikes in flight")
            self._lists[step], self._rooms[step] = memory, room
        self._counts[step] = need
        self._list(step)[have:] = synapses

    def _store(self, lists: list[np.ndarray], length: int) -> None:
        self._allocate(max(length, len(lists), 1))
        for step, synapses in enumerate(lists):
            self._append(step, np.asarray(synapses, np.int32))

    # what SynapticPathway calls

    def prepare(self, delays: np.ndarray, dt: float, sources: np.ndarray) -> None:
        first, last = self.struct.first, self.struct.last
        steps = np.floor(np.asarray(delays, float) / dt + 0.5).astype(np.int64)
        longest = int(steps.max(initial=0))
        order = np.argsort(sources, kind="stable").astype(np.int32)
        row = np.searchsorted(sources[order], np.arange(first, last + 1)).astype(np.int64)
        homogeneous = steps.size == 0 or int(steps.min()) == longest
        delay = np.full(1, longest, np.int32) if homogeneous else steps[order].astype(np.int32)
        self._connect(row, order, delay)
        self.struct.homogeneous = homogeneous
        waiting = self._fetch()
        if self._dt is not None and self._dt != dt:
            moved: list[list[np.ndarray]] = [[] for _ in range(int(len(waiting) * self._dt / dt) + 2)]
            for step, synapses in enumerate(waiting):
                moved[int(step * self._dt / dt + 0.5)].append(synapses)
            self._store([np.concatenate(lists) if lists else np.zeros(0, np.int32) for lists in moved], longest + 1)
        elif longest >= self.struct.length:
            self._store(waiting, longest + 1)
        self._dt = dt

    def push(self, sources: np.ndarray) -> None:
        struct = self.struct
        for source in np.asarray(sources):
            if struct.first <= source < struct.last:
                begin, end = self._row[source - struct.first], self._row[source - struct.first + 1]
                synapses = self._synapse[begin:end]
                if struct.homogeneous:
                    self._append((struct.offset + int(self._delay[0])) % struct.length, synapses)
                else:
                    for synapse, delay in zip(synapses, self._delay[begin:end], strict=True):
                        self._append((struct.offset + int(delay)) % struct.length, np.array([synapse]))

    def peek(self) -> np.ndarray:
        return self._list(self.struct.offset)

    def advance(self) -> None:
        self._counts[self.struct.offset] = 0
        self.struct.offset = (self.struct.offset + 1) % self.struct.length

    def _full_state(self) -> tuple[float | None, list[np.ndarray]]:
        return self._dt, self._fetch()

    def _restore_from_full_state(self, state: tuple[float | None, list[np.ndarray]] | None) -> None:
        dt, lists = (None, []) if state is None else state
        self._store(lists, self.struct.length)
        self._dt = dt
