"""The functions rules may call beyond Brian2's own: an allow-list, each with numpy, Cython and C++ bodies.

Nothing here imports Brian2; ``builder`` wraps a :class:`Function` for it. All arguments and results are
plain numbers without units. A table is a function over an array that travels with the run: the images,
the labels and the order in which samples are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Function:
    """One function in three languages."""

    name: str
    about: str
    arguments: tuple[str, ...]
    types: tuple[str, ...]  # integer | float, one for each argument
    result: str  # integer | float
    numpy: Callable[..., Any]
    cython: str
    cpp: str
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict, compare=False)
    """Flat arrays that the compiled bodies read as ``_namespace<name>``."""


def paired_trace(word_pre, word_post, decay):
    """Sum, over the spikes in ``word_post``, of the presynaptic trace just before each of them.

    Words hold the spikes of up to 31 steps as bits, the latest in bit 0. A presynaptic spike raises the
    trace by 1 from the step after it on; ``decay`` is the trace's factor per step.
    """
    total = trace = 0.0
    for age in range(30, -1, -1):
        total = total + trace * ((word_post >> age) & 1)
        trace = decay * trace + ((word_pre >> age) & 1)
    return total


_PAIRED_TRACE_CYTHON = """
cdef double paired_trace(const int word_pre, const int word_post, const double decay):
    cdef double total = 0.0
    cdef double trace = 0.0
    cdef int age
    for age in range(30, -1, -1):
        total = total + trace*((word_post >> age) & 1)
        trace = decay*trace + ((word_pre >> age) & 1)
    return total
"""
_PAIRED_TRACE_CPP = """
static inline double paired_trace(const int word_pre, const int word_post, const double decay)
{
    double total = 0.0, trace = 0.0;
    for (int age = 30; age >= 0; age--)
    {
        total += trace*((word_post >> age) & 1);
        trace = decay*trace + ((word_pre >> age) & 1);
    }
    return total;
}
"""

#: What ``functions:`` of a rule may name.
FUNCTIONS: dict[str, Function] = {
    "paired_trace": Function(
        name="paired_trace",
        about="Sum of a presynaptic trace over the postsynaptic spikes of a trial, from spike words.",
        arguments=("word_pre", "word_post", "decay"),
        types=("integer", "integer", "float"),
        result="float",
        numpy=paired_trace,
        cython=_PAIRED_TRACE_CYTHON,
        cpp=_PAIRED_TRACE_CPP,
    )
}

#: Name -> number of arguments, as ``expressions.parse`` wants it.
ARITY: dict[str, int] = {name: len(function.arguments) for name, function in FUNCTIONS.items()}

# Compiled bodies find the numbers of rows and columns before the values: with other data their text is the same, and
# what was compiled is used again.
_TABLE_CYTHON = """
cdef {result} {name}({arguments}):
    global _namespace{name}_values
    cdef long row = {first}
    cdef long rows = _namespace{name}_values[0]
    row = 0 if row < 0 else (rows - 1 if row >= rows else row)
    {body}
"""
_TABLE_CPP = """
static inline {result} {name}({arguments})
{{
    long row = {first};
    const long rows = _namespace{name}_values[0];
    row = row < 0 ? 0 : (row >= rows ? rows - 1 : row);
    {body}
}}
"""


def _packed(array: np.ndarray) -> np.ndarray:
    """The bytes of ``array`` as int32, padded: Brian2 hands no uint8 arrays to compiled code."""
    flat = np.ascontiguousarray(array).ravel().view(np.uint8)
    return np.concatenate([flat, np.zeros(-flat.size % 4, dtype=np.uint8)]).view(np.int32)


def table(name: str, array: np.ndarray) -> Function:
    """A function that reads an array: ``name(row)`` for one dimension, ``name(row, i)`` for two.

    One dimension holds integers (the order of samples). Two dimensions hold uint8 [rows, columns], read as
    byte/255. A row outside the array is the nearest one; a column outside it is 0.
    """
    array = np.asarray(array)
    if array.ndim == 1:
        values = np.ascontiguousarray(array, dtype=np.int32)
        last = values.size - 1
        body = f"return _namespace{name}_values[row + 2]"

        def lookup(row):
            return values[np.clip(row, 0, last)]

        return _table(name, "integer", 1, values.size, 1, lookup, body, f"{body};", values)
    if array.ndim != 2 or array.dtype != np.uint8:
        raise TypeError(f"a table is integers [rows] or uint8 [rows, columns], not {array.dtype} {array.shape}")
    rows, columns = array.shape

    def pixel(row, i):
        inside = (np.asarray(i) >= 0) & (np.asarray(i) < columns)
        return np.where(inside, array[np.clip(row, 0, rows - 1), np.clip(i, 0, columns - 1)], 0) / 255.0

    width = f"_namespace{name}_values[1]"
    place = f"(_namespace{name}_values + 2))[row*{width} + i]"
    cython_body = f"return 0.0 if i < 0 or i >= {width} else (<unsigned char *> {place}/255.0"
    cpp_body = f"return (i < 0 || i >= {width}) ? 0.0 : ((const unsigned char*) {place}/255.0;"
    return _table(name, "float", 2, rows, columns, pixel, cython_body, cpp_body, _packed(array))


def one_hot(name: str, labels: np.ndarray) -> Function:
    """``name(row, i)`` is 1 where ``i`` is the label of the row, else 0."""
    values = np.ascontiguousarray(labels, dtype=np.int32)
    last = values.size - 1

    def is_label(row, i):
        return np.where(values[np.clip(row, 0, last)] == i, 1.0, 0.0)

    cython_body = f"return 1.0 if _namespace{name}_values[row + 2] == i else 0.0"
    cpp_body = f"return _namespace{name}_values[row + 2] == i ? 1.0 : 0.0;"
    return _table(name, "float", 2, values.size, 1, is_label, cython_body, cpp_body, values)


def class_of(name: str, labels: np.ndarray) -> Function:
    """``name(row, i)`` is the label of the row, whatever ``i``."""
    values = np.ascontiguousarray(labels, dtype=np.int32)
    last = values.size - 1

    def label(row, i):
        return values[np.clip(row, 0, last)]

    body = f"return _namespace{name}_values[row + 2]"
    return _table(name, "integer", 2, values.size, 1, label, body, body + ";", values)


def _table(name, result, dimensions, rows, columns, lookup, cython_body, cpp_body, values) -> Function:
    arguments = ("row", "i")[:dimensions]
    kind = {"integer": "int", "float": "double"}[result]
    # Compiled code sees the first argument under another name: `row` is the one kept inside the array.
    names = ("asked", "i")[:dimensions]
    parts = {
        "result": kind,
        "name": name,
        "first": "asked",
        "arguments": ", ".join(f"const int {argument}" for argument in names),
    }
    return Function(
        name=name,
        about=f"{rows} rows",
        arguments=arguments,
        types=("integer",) * dimensions,
        result=result,
        numpy=lookup,
        cython=_TABLE_CYTHON.format(body=cython_body, **parts),
        cpp=_TABLE_CPP.format(body=cpp_body, **parts),
        arrays={f"{name}_values": np.concatenate([np.array([rows, columns], np.int32), values])},
    )


def names_needed(plan: Any) -> list[str]:
    """Names of the functions the code of a plan may call, besides Brian2's."""
    tables = [table.name for table in plan.tables]
    return [*plan.functions, *(["sample_order"] if plan.trial is not None else []), *tables]


def needed(plan: Any, samples: Any = None, order: np.ndarray | None = None) -> dict[str, Function]:
    """Those functions, by name.

    ``samples`` has ``images`` (uint8 [rows, pixels]) and ``labels`` (integers [rows]); ``order`` is the row
    shown in each trial.
    """
    tables = {item.name: item for item in plan.tables}
    found = {}
    for name in names_needed(plan):
        if name in FUNCTIONS:
            found[name] = FUNCTIONS[name]
        elif name not in tables and order is not None:
            found[name] = table(name, order)
        elif tables[name].field == "image":
            found[name] = table(name, samples.images)
        elif tables[name].one_hot:
            found[name] = one_hot(name, samples.labels)
        else:
            found[name] = class_of(name, samples.labels)
    return found
