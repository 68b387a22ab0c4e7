"""Arrays that generated code and numpy share.

The memory always belongs to numpy: a view taken by the user stays valid for as long as he keeps it, whatever becomes
of the network or of the library. Generated code sees an array through a :class:`~brainsim.native.layout.Slot`.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainsim.native import layout

_growing: weakref.WeakValueDictionary[int, GrowingArray] = weakref.WeakValueDictionary()


def zeros(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of zeros that starts where a line of the cache does: vectors never lie across two of them."""
    count, dtype = int(np.prod(shape, dtype=int)), np.dtype(dtype)
    room = np.zeros(count * dtype.itemsize + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + count * dtype.itemsize].view(dtype).reshape(shape)


class FixedArray:
    """An array whose size never changes, with its slot."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.slot = layout.Slot(array.ctypes.data, array.size, array.size, 1)


#: Arrays of fewer entries are not packed: there is nothing to gain.
PACKED_FROM = 200_000
#: Entries that are looked at together when an array is packed or unpacked, so that they stay in the cache.
PIECE = 100_000


def pieces(count: int) -> Iterator[slice]:
    """Slices that cover ``count`` entries, some at a time."""
    return (slice(start, min(start + PIECE, count)) for start in range(0, count, PIECE))


@dataclass(frozen=True, eq=False)
class Stretches:
    """An array whose neighbours are mostly equal: where each stretch of equal values begins, and its value."""

    begin: np.ndarray  # of each stretch and, at the end, the number of entries
    values: np.ndarray

    def unpacked(self) -> np.ndarray:
        return np.repeat(self.values, np.diff(self.begin))


@dataclass(frozen=True, eq=False)
class Narrow:
    """An array of whole numbers that 16 bits hold."""

    values: np.ndarray  # uint16
    dtype: np.dtype

    def unpacked(self) -> np.ndarray:
        return self.values.astype(self.dtype)


Packed = Stretches | Narrow


def packed(values: np.ndarray, dtype: np.dtype, add: int = 0) -> Packed | None:
    """``values + add`` as ``dtype`` in less memory; None if that cannot be done.

    Stretches have to be four entries long on average.
    """
    count = len(values)
    if values.ndim != 1 or not PACKED_FROM <= count < 2**31:
        return None
    begins, found = [np.zeros(1, np.int64)], 1
    for piece in pieces(count - 1):
        new = np.flatnonzero(values[piece.start + 1 : piece.stop + 1] != values[piece]) + (piece.start + 1)
        begins.append(new)
        found += len(new)
        if found > count // 4:
            break
    else:
        begin = np.concatenate([*begins, [count]])
        return Stretches(begin.astype(np.int32), (values[begin[:-1]] + add).astype(dtype))
    if dtype.kind != "i" or int(values.min()) + add < 0 or int(values.max()) + add >= 2**16:
        return None
    narrow = np.empty(count, np.uint16)
    for piece in pieces(count):
        narrow[piece] = values[piece] + add
    return Narrow(narrow, dtype)


class GrowingArray:
    """An array that grows along its first axis, also from within generated code.

    Has the interface of Brian2's ``DynamicArray``. ``data`` is a view of the present contents; after the array had to
    move to grow, older views keep the (valid) memory they had, without what was appended since.

    What is large and rarely looked at (the ends and delays of synapses, once delivery has lists of its own) may be
    ``packed``. Whoever asks for the memory, by ``data`` or ``slot``, unpacks it.
    """

    def __init__(self, shape: int | tuple[int, ...], dtype: Any) -> None:
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        self._slot = layout.Slot(None, shape[0], 0, int(np.prod(shape[1:], dtype=int)))
        self.packed: Packed | None = None
        self._bound = False  # whether generated code may use the memory
        self._place(zeros(shape, dtype))
        _growing[ctypes.addressof(self._slot)] = self

    def _place(self, block: np.ndarray) -> None:
        self._block = block
        self._slot.data, self._slot.capacity = block.ctypes.data, len(block)

    @property
    def slot(self) -> layout.Slot:
        """What generated code sees; from now on the memory is where it says."""
        if self.packed is not None:
            self._unpack()
        self._bound = True
        return self._slot

    @property
    def data(self) -> np.ndarray:
        if self.packed is not None:
            self._unpack()
        return self._block[: self._slot.size]

    def copied(self) -> np.ndarray:
        """The contents for somebody who reads them now: a packed array stays packed."""
        return self.data if self.packed is None else self.packed.unpacked()

    def ends(self) -> tuple[int, int]:
        """The first and the last entry, of whole numbers; zeros if there are none."""
        held = self.data if self.packed is None else self.packed.values
        return (int(held[0]), int(held[-1])) if len(held) else (0, 0)

    def pack(self) -> None:
        """Keep the contents in less memory if that can be done and nobody else looks at the memory."""
        if self.packed is None and not self._bound and _only_user(self._block):
            self._pack(packed(self.data, self.dtype))

    def fill(self, values: np.ndarray, add: int = 0) -> None:
        """Let ``values + add`` be the contents, packed if that can be done."""
        found = None if self._bound else packed(values, self.dtype, add)
        if found is not None:
            self._pack(found)
            self._slot.size = len(values)
            return
        if self.packed is not None:
            self.packed, self._slot.size = None, 0
        self.resize(len(values))
        data = self.data
        for piece in pieces(len(values)):
            data[piece] = values[piece] + add if add else values[piece]

    def _pack(self, found: Packed | None) -> None:
        if found is not None:
            self.packed = found
            self._place(zeros(0, self.dtype))

    def _unpack(self) -> None:
        assert self.packed is not None
        block = zeros(self._slot.size, self.dtype)
        block[:] = self.packed.unpacked()
        self.packed = None
        self._place(block)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self._slot.size, *self._block.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        return self._block.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the contents take."""
        if isinstance(self.packed, Stretches):
            return int(self.packed.begin.nbytes + self.packed.values.nbytes)
        return int(self.data.nbytes if self.packed is None else self.packed.values.nbytes)

    def reserve(self, size: int) -> None:
        """Make room for ``size`` entries. Fresh room holds zeros (and costs no memory until it is written)."""
        if size > len(self._block):
            old = self.data
            block = zeros((max(size, 2 * len(self._block), 16), *self._block.shape[1:]), self._block.dtype)
            block[: len(old)] = old
            self._place(block)

    def resize(self, shape: int | tuple[int, ...]) -> None:
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        if shape == self.shape:
            return
        if shape[1:] != self._block.shape[1:]:
            block = zeros(shape, self._block.dtype)
            common = tuple(slice(0, min(old, new)) for old, new in zip(self.shape, shape, strict=True))
            block[common] = self.data[common]
            self._slot.width = int(np.prod(shape[1:], dtype=int))
            self._place(block)
        elif shape[0] < self._slot.size:
            self.data[shape[0] :] = 0
        self.reserve(shape[0])
        self._slot.size = int(shape[0])

    resize_along_first = resize

    def __len__(self) -> int:
        return self._slot.size

    def __getitem__(self, item: Any) -> Any:
        return self.data[item]

    def __setitem__(self, item: Any, value: Any) -> None:
        self.data[item] = value


def _only_user(block: np.ndarray) -> bool:
    """Whether no other array shows the memory of ``block``, which :func:`zeros` made."""
    return sys.getrefcount(block.base) <= 2  # block's and the argument's


#: Exceptions (a Ctrl-C, say) that came while generated code was waiting for room: raised when it has returned.
pending: list[BaseException] = []


@layout.GROW
def grow(address: int, size: int) -> None:
    """Generated code needs room for ``size`` entries in the slot at ``address``; it looks itself whether it got it."""
    for _ in range(2):
        try:
            _growing[address].reserve(size)
            return
        except MemoryError:
            return
        except BaseException as error:
            pending.append(error)
