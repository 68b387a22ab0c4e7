"""The structs shared with generated code: the same as in ``runtime.hpp``, which has to change with them."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_char, c_double, c_int32, c_int64, c_uint64, c_void_p

#: Called by generated code to make room in a slot: (address of the slot, entries needed).
GROW = ctypes.CFUNCTYPE(None, c_void_p, c_int64)


class Slot(Structure):
    _fields_ = [("data", c_void_p), ("size", c_int64), ("capacity", c_int64), ("width", c_int64)]


class Clock(Structure):
    _fields_ = [
        *((name, c_void_p) for name in ("timestep", "t", "dt", "shown_timestep", "shown_t")),
        *((name, c_int64) for name in ("end", "due")),
    ]


class Carried(Structure):
    _fields_ = [("cells", c_void_p), *((name, c_int64) for name in ("count", "room", "runs"))]


class Queue(Structure):
    _fields_ = [
        *((name, c_int64) for name in ("length", "offset", "first", "last")),
        ("list", POINTER(c_void_p)),
        ("count", POINTER(c_int64)),
        ("room", POINTER(c_int64)),
        *((name, c_void_p) for name in ("row", "begin", "delay", "synapse", "other")),
        ("blocks", c_int64),
        *((name, c_void_p) for name in ("edge", "cut")),
        ("blockwise", c_int64),
        ("share", c_void_p),
        *((name, c_int64) for name in ("low", "high", "words")),
        ("bitmap", c_void_p),
        ("carried", POINTER(Carried)),
        *((name, c_int64) for name in ("width", "carrying", "uneven")),
    ]


class Random(Structure):
    _fields_ = [("key", c_uint64), ("step", c_uint64)]


class Task(Structure):
    _fields_ = [
        ("function", c_int64),
        ("clock", c_int64),
        *((name, c_void_p) for name in ("slots", "reals", "integers", "queue")),
        ("seconds", c_double),
        ("stream", c_uint64),
        *((name, c_int64) for name in ("shared", "joins", "ending")),
        *((name, c_void_p) for name in ("bounds", "found", "events")),
    ]


class Network(Structure):
    _fields_ = [
        ("clock_count", c_int64),
        ("clocks", POINTER(Clock)),
        ("task_count", c_int64),
        ("tasks", POINTER(Task)),
        *((name, c_int64) for name in ("next", "remaining", "stop", "endless", "profile", "entries", "threads")),
        ("pool", c_void_p),
        ("random", POINTER(Random)),
        ("grow", GROW),
        ("message", c_char * 256),
    ]


#: What ``native_layout()`` of a library has to return.
LAYOUT = ctypes.sizeof(Network) * 1000000 + ctypes.sizeof(Task) * 1000 + ctypes.sizeof(Queue)

#: What is left to do when all threads are done with a task.
NOTHING, GATHER, ADVANCE, ONCE = range(4)

#: Status of ``native_run``.
PAUSED, FINISHED, STOPPED, PYTHON, FAILED = range(5)

assert ctypes.sizeof(c_int32) == 4
