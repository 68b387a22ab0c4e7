"""Compiled libraries in this process."""

from __future__ import annotations

import ctypes
from functools import cache

from brainsim.native import build, layout


class Library:
    """A loaded library. It has no state of its own: any number of networks use it at once, from any threads."""

    def __init__(self, path: str) -> None:
        try:
            self._handle = ctypes.CDLL(path)
            layout_of = self._handle.native_layout
            self.run = self._handle.native_run
            self.call = self._handle.native_call
            self.end = self._handle.native_end
        except (OSError, AttributeError) as error:
            raise build.BuildError(f"The compiled model could not be loaded: {error}") from error
        for function in (layout_of, self.run, self.call, self.end):
            function.restype = ctypes.c_int64
        if layout_of() != layout.LAYOUT:
            raise build.BuildError("The compiled model does not fit this version of brainsim")
        self.run.argtypes = [ctypes.c_void_p, ctypes.c_double]
        self.call.argtypes = [ctypes.c_void_p, ctypes.c_int64]
        self.end.argtypes = [ctypes.c_void_p]
        self.path = path


@cache
def load(source: str, extras: build.Extras, flags: tuple[str, ...]) -> Library:
    """The library for a source: loaded before, from the cache, or compiled now."""
    return Library(str(build.library(source, extras)))
