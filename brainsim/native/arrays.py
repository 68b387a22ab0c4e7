"""Arrays that generated code and numpy share.

The memory always belongs to numpy: a view taken by the user stays valid for as long as he keeps it, whatever becomes
of the network or of the library. Generated code sees an array through a :class:`~brainsim.native.layout.Slot`.
"""

from __future__ import annotations

import ctypes
import weakref
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


class GrowingArray:
    """An array that grows along its first axis, also from within generated code.

    Has the interface of Brian2's ``DynamicArray``. ``data`` is a view of the present contents; after the array had to
    move to grow, older views keep the (valid) memory they had, without what was appended since.
    """

    def __init__(self, shape: int | tuple[int, ...], dtype: Any) -> None:
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        self.slot = layout.Slot(None, shape[0], 0, int(np.prod(shape[1:], dtype=int)))
        self._place(zeros(shape, dtype))
        _growing[ctypes.addressof(self.slot)] = self

    def _place(self, block: np.ndarray) -> None:
        self._block = block
        self.slot.data, self.slot.capacity = block.ctypes.data, len(block)

    @property
    def data(self) -> np.ndarray:
        return self._block[: self.slot.size]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.slot.size, *self._block.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        return self._block.dtype

    def reserve(self, size: int) -> None:
        """Make room for ``size`` entries. Fresh room holds zeros (and costs no memory until it is written)."""
        if size > len(self._block):
            block = zeros((max(size, 2 * len(self._block), 16), *self._block.shape[1:]), self._block.dtype)
            block[: self.slot.size] = self.data
            self._place(block)

    def resize(self, shape: int | tuple[int, ...]) -> None:
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        if shape[1:] != self._block.shape[1:]:
            block = zeros(shape, self._block.dtype)
            common = tuple(slice(0, min(old, new)) for old, new in zip(self.shape, shape, strict=True))
            block[common] = self.data[common]
            self.slot.width = int(np.prod(shape[1:], dtype=int))
            self._place(block)
        elif shape[0] < self.slot.size:
            self._block[shape[0] : self.slot.size] = 0
        self.reserve(shape[0])
        self.slot.size = int(shape[0])

    resize_along_first = resize

    def __len__(self) -> int:
        return self.slot.size

    def __getitem__(self, item: Any) -> Any:
        return self.data[item]

    def __setitem__(self, item: Any, value: Any) -> None:
        self.data[item] = value


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
