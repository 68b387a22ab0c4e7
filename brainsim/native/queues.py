"""Spikes on their way to synapses, where generated code and Python can both reach them."""

from __future__ import annotations

import ctypes
import itertools
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from brian2.core.preferences import prefs

from brainsim.native import layout
from brainsim.native.arrays import GrowingArray, Narrow, Packed, Stretches, pieces
from brainsim.native.structure import Structure, whole_steps

_libc = ctypes.CDLL(None)
_libc.realloc.restype = ctypes.c_void_p
_libc.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.free.argtypes = [ctypes.c_void_p]

#: The words of 64 bits that one instruction works on: bitmaps are padded to whole ones.
WIDE = 8
#: How many bytes of values of cells stay in the fastest cache, and how long a part of a run has to be at least.
BLOCK, SHORTEST = 26000, 64
#: How many bytes of a bitmap a synapse may take.
DENSE = 4
#: How many delays a source has, and how many synapses with each, where spikes carry the cells that they reach.
SEVERAL, LONG = 3, 256


def _release(lists: Any, carried: Any, length: int) -> None:
    for step in range(length):
        _libc.free(lists[step])
        _libc.free(carried[step].cells)
        lists[step] = carried[step].cells = None


class SpikeQueue:
    """A ring of lists of runs, one list for each time step to come.

    Python's side of ``native::Queue``, with the interface that Brian2's pathways expect of a spike queue.
    """

    def __init__(self, source_start: int, source_end: int) -> None:
        self.struct = layout.Queue(first=source_start, last=source_end)
        self._state_tuple = (source_start, source_end)
        self._dt: float | None = None
        self._finalizer: weakref.finalize | None = None
        self.narrow = self.dense = self.distinct = False
        self.retimed = False  # whether spikes were on their way when the time step changed
        self.shared = False  # whether threads can share delivery
        self.fresh = False  # prepared already, by who needed to know the structure
        self._other: np.ndarray | None = None
        self._twin_of: SpikeQueue | None = None
        self._bitmap: np.ndarray | None = None
        #: Variables that are equal in all synapses, by their names in the code: see rewrites/counts.py.
        self.even: dict[str, Any] = {}
        #: What the lists were made of: they need not be made again while it is the same.
        self._made_of: tuple[Packed | float | None, ...] = ()
        self._other_of: tuple[Any, ...] = ()
        self._allocate(1)
        self._connect(Structure(np.zeros(0, np.int32), np.zeros(1, np.int64), source_start, source_end))

    def _allocate(self, length: int) -> None:
        """A new, empty ring."""
        if self._finalizer is not None:
            self._finalizer()
        self._lists = (ctypes.c_void_p * length)()
        self._counts = (ctypes.c_int64 * length)()
        self._rooms = (ctypes.c_int64 * length)()
        self._carried = (layout.Carried * length)()
        self._finalizer = weakref.finalize(self, _release, self._lists, self._carried, length)
        self.struct.length, self.struct.offset = length, 0
        self.struct.list = ctypes.cast(self._lists, ctypes.POINTER(ctypes.c_void_p))
        self.struct.count = ctypes.cast(self._counts, ctypes.POINTER(ctypes.c_int64))
        self.struct.room = ctypes.cast(self._rooms, ctypes.POINTER(ctypes.c_int64))
        self.struct.carried = ctypes.cast(self._carried, ctypes.POINTER(layout.Carried))

    def _connect(self, structure: Structure) -> None:
        self._structure, struct = structure, self.struct
        struct.row, struct.begin, struct.delay = (
            array.ctypes.data for array in (structure.row, structure.begin, structure.delay)
        )
        struct.synapse = None if structure.synapse is None else structure.synapse.ctypes.data

    def set_other_ends(self, cells: GrowingArray, bounds: Sequence[int]) -> None:
        """Note the cell at the other end of each synapse, by place, and how they follow one another in a run.

        Thread ``n`` will deliver to the cells ``bounds[n]`` to ``bounds[n + 1]``.
        """
        structure, stored = self._structure, cells.packed
        self._no_counts()
        other_of = (stored, structure, tuple(bounds))
        if stored is not None and self._other_of == other_of:
            return
        if structure.synapse is None and isinstance(stored, Narrow):
            self._other, self.narrow = stored.values, True
        else:
            ends = cells.copied()
            self.narrow = bool(len(ends) == 0 or int(ends.max()) < 2**16)
            kind = np.uint16 if self.narrow else np.int32
            self._other = ends.astype(kind) if structure.synapse is None else ends[structure.synapse].astype(kind)
        self.struct.other = self._other.ctypes.data
        low, high = (int(self._other.min()) // 64 * 64, int(self._other.max()) + 1) if len(self._other) else (0, 0)
        self.struct.low, self.struct.high, self.struct.words = low, high, -(-(high - low) // (64 * WIDE)) * WIDE
        self.dense = self.distinct = ascending = True
        for piece in pieces(len(self._other) - 1):
            step = np.diff(self._other[piece.start : piece.stop + 1].astype(np.int32))
            starts = structure.begin[slice(*np.searchsorted(structure.begin, [piece.start + 1, piece.stop + 1]))]
            inner = np.ones(len(step), bool)
            inner[starts - (piece.start + 1)] = False  # not from one run to the next
            least, most = step.min(where=inner, initial=1), step.max(where=inner, initial=1)
            self.dense &= bool(least == most == 1)
            self.distinct &= bool(least > 0)
            ascending &= bool(least >= 0)
        self._set_blocks(ascending, bounds)
        self._other_of, self._bitmap = other_of, None

    def _set_blocks(self, ascending: bool, bounds: Sequence[int]) -> None:
        """Cut runs into those parts that threads deliver, and long ones so that values of cells stay in the cache."""
        assert self._other is not None
        begin, struct = self._structure.begin, self.struct
        runs = len(begin) - 1
        cells = int(self._other.max(initial=0)) + 1
        size = prefs["core.default_float_dtype"]().itemsize
        blocks = min(-(-cells * size // BLOCK), 64)
        if not ascending or not runs or blocks * SHORTEST > len(self._other) / runs:
            blocks = 1
        struct.blockwise = int(blocks > 1)
        self.shared = ascending and runs > 0 and len(bounds) > 2
        edges: list[Any] = []
        share = [0]
        for first, last in itertools.pairwise(bounds if self.shared else (0, cells)):
            parts = min(max(1, -(-(last - first) * size // BLOCK)), blocks)
            edges.append(first + -(-(last - first) // parts) * np.arange(parts))
            share.append(share[-1] + parts)
        struct.blocks = blocks = share[-1]
        self._edge, self._share = np.hstack([*edges, 2**31 - 1]).astype(np.int32), np.array(share, np.int64)
        struct.edge, struct.share = self._edge.ctypes.data, self._share.ctypes.data
        self._cut = np.zeros((runs, blocks - 1), np.int32)
        block_of = np.repeat(np.arange(blocks), np.diff(np.minimum(self._edge, cells)))  # of each cell
        for first in range(0, runs if blocks > 1 else 0, 1024):  # some at a time: this takes memory
            some = begin[first : first + 1025]
            lengths = np.diff(some)
            key = np.repeat(np.arange(len(lengths)) * blocks, lengths) + block_of[self._other[some[0] : some[-1]]]
            counts = np.bincount(key, minlength=len(lengths) * blocks).reshape(-1, blocks)
            self._cut[first : first + 1024] = np.cumsum(counts, axis=1)[:, :-1]
        struct.cut = self._cut.ctypes.data

    def _no_counts(self) -> None:
        """Spikes are counted where a rewrite asks for it."""
        self.struct.bitmap, self.struct.width, self.struct.carrying, self.struct.uneven = None, 0, 0, 0
        self.even = {}
        for carried in self._carried:
            carried.count = carried.runs = 0

    def set_carried(self) -> bool:
        """Let spikes carry the cells that they reach, if these would else be read from many places when they arrive.

        Threads each need those of their own cells.
        """
        begin, row = self._structure.begin, self._structure.row
        if (
            self.shared
            or len(begin) - 1 < SEVERAL * np.count_nonzero(np.diff(row))
            or int(begin[-1]) > LONG * (len(begin) - 1)
        ):
            return False
        self.struct.width = 2 if self.narrow else 4
        return True

    def set_bitmaps(self) -> bool:
        """Make a bitmap of the cells that each run goes to, if these take little more room than a list.

        Of 512 cells, cell c is bit c / 64 of byte c % 64 (see counts.hpp).
        """
        begin, struct = self._structure.begin, self.struct
        runs = len(begin) - 1
        if 8 * struct.words * runs > DENSE * int(begin[-1]):
            return False
        if self._bitmap is None:
            self._bitmap = self._packed(begin, struct)
        struct.bitmap = self._bitmap.ctypes.data
        return True

    def _packed(self, begin: np.ndarray, struct: layout.Queue) -> np.ndarray:
        assert self._other is not None
        runs = len(begin) - 1
        bitmap = np.empty((runs, struct.words), np.uint64)
        for first in range(0, runs, 1024):  # some at a time: this takes memory
            some = begin[first : first + 1025]
            cells = np.zeros((len(some) - 1, struct.words // WIDE, WIDE, 64), bool)
            rows = np.repeat(np.arange(len(some) - 1) * (64 * struct.words), np.diff(some))
            cells.reshape(-1)[rows + self._other[some[0] : some[-1]] - struct.low] = True
            packed = np.packbits(cells, axis=2, bitorder="little").reshape(len(cells), -1)
            bitmap[first : first + 1024] = packed.view(np.uint64)
        return bitmap

    @property
    def order(self) -> np.ndarray:
        """The synapse at each place."""
        assert self._structure.synapse is not None
        return self._structure.synapse

    @property
    def in_order(self) -> bool:
        """Whether places are synapse numbers."""
        return self._structure.synapse is None

    def _fetch(self) -> list[np.ndarray]:
        """The lists as numbers of synapses, the one that is due now first."""
        length, offset = self.struct.length, self.struct.offset
        return [self._structure.synapses(self._list((offset + step) % length)) for step in range(length)]

    def _list(self, step: int) -> np.ndarray:
        count = self._counts[step]
        if not count:
            return np.zeros(0, np.int32)
        return np.ctypeslib.as_array((ctypes.c_int32 * count).from_address(self._lists[step] or 0))

    def _append(self, step: int, listed: np.ndarray) -> None:
        if not len(listed):
            return
        have, need = self._counts[step], self._counts[step] + len(listed)
        if need > self._rooms[step]:
            room = max(need, 2 * self._rooms[step], 16)
            memory = _libc.realloc(self._lists[step], room * 4)
            if not memory:
                raise MemoryError("no memory for spikes in flight")
            self._lists[step], self._rooms[step] = memory, room
        self._counts[step] = need
        self._list(step)[have:] = listed

    def _store(self, lists: list[np.ndarray], length: int) -> None:
        """A ring with these lists of synapse numbers."""
        self._allocate(max(length, len(lists), 1))
        for step, synapses in enumerate(lists):
            self._append(step, self._structure.listed(synapses))

    def only_whole_runs(self) -> bool:
        """Whether no synapse is listed on its own (as after synapses were added with spikes on their way)."""
        return all(bool((self._list(step) >= 0).all()) for step in range(self.struct.length))

    def twin(self) -> SpikeQueue:
        """Another queue for the same synapses, with the same spikes on their way."""
        twin = SpikeQueue(self.struct.first, self.struct.last)
        ctypes.memmove(ctypes.byref(twin.struct), ctypes.byref(self.struct), ctypes.sizeof(layout.Queue))
        twin._structure, twin._twin_of = self._structure, self  # which keeps what the struct points to
        twin._store(self._fetch(), self.struct.length)
        return twin

    # what SynapticPathway calls

    def prepare(self, delays: np.ndarray | GrowingArray, dt: float, sources: np.ndarray | GrowingArray) -> None:
        structure = self._structure_of(delays, dt, sources)
        if structure is None:
            return
        length = structure.longest + 1
        moved = self._dt is not None and self._dt != dt
        if moved or length > self.struct.length or not structure.is_same(self._structure):
            waiting = self._fetch()
            if moved:
                self.retimed = True
                assert self._dt is not None
                at: list[list[np.ndarray]] = [[] for _ in range(int(len(waiting) * self._dt / dt) + 2)]
                for step, synapses in enumerate(waiting):
                    at[int(step * self._dt / dt + 0.5)].append(synapses)
                waiting = [np.concatenate(lists) if lists else np.zeros(0, np.int32) for lists in at]
            self._connect(structure)
            self._store(waiting, max(length, self.struct.length))
        self._dt = dt

    def _structure_of(
        self, delays: np.ndarray | GrowingArray, dt: float, sources: np.ndarray | GrowingArray
    ) -> Structure | None:
        """How the synapses lie; None if that is known already."""
        late, near = (getattr(array, "packed", None) for array in (delays, sources))
        first, last = self.struct.first, self.struct.last
        if isinstance(delays, GrowingArray) and len(delays) == 1 and near is not None:
            late = Stretches(np.array([0, len(sources)]), delays.data)
        made_of = (near, late if len(delays) != 1 else float(delays[0]), dt)
        if self._made_of == made_of and near is not None and late is not None:
            return None
        self._made_of, structure = made_of, None
        if isinstance(near, Stretches) and isinstance(late, Stretches):
            structure = Structure.of_stretches(near, late, dt, first, last)
        if structure is None:
            read = (array.copied() if isinstance(array, GrowingArray) else array for array in (sources, delays))
            here, there = (np.asarray(array) for array in read)
            structure = Structure(here, whole_steps(there, dt), first, last)
        return structure

    def push(self, sources: np.ndarray) -> None:
        struct, structure = self.struct, self._structure
        for source in np.asarray(sources):
            if struct.first <= source < struct.last:
                begin, end = structure.row[source - struct.first], structure.row[source - struct.first + 1]
                for run in range(begin, end):
                    self._append((struct.offset + int(structure.delay[run])) % struct.length, np.array([run]))

    def peek(self) -> np.ndarray:
        return self._structure.synapses(self._list(self.struct.offset))

    def advance(self) -> None:
        step = self._carried[self.struct.offset]
        self._counts[self.struct.offset] = step.count = step.runs = 0
        self.struct.offset = (self.struct.offset + 1) % self.struct.length

    def _full_state(self) -> tuple[float | None, list[np.ndarray]]:
        return self._dt, self._fetch()

    def _restore_from_full_state(self, state: tuple[float | None, list[np.ndarray]] | None) -> None:
        dt, lists = (None, []) if state is None else state
        self._store(lists, self.struct.length)
        self._dt = dt
