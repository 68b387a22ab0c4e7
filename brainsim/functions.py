"""The functions rules may call beyond Brian2's own: an allow-list, each with numpy, Cython and C++ bodies.

Nothing here imports Brian2; ``builder`` wraps a :class:`Function` for it. All arguments and results are
plain numbers without units. A table is a function over an array that travels with the run: the images,
the labels, spike trains, and the order in which samples are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from brainsim.encoders import Trains, next_spike


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
    eight: tuple[int, ...] = ()
    """Arguments that ``native`` takes beforehand."""
    native: str = ""
    """C++ for the native device: a struct ``<name>_eight`` that is made from those and called with eight values of each
    other argument. Its member ``none`` says that it returns nothing but zeros, and ``bound`` what it never exceeds.
    There may be a struct ``<name>_across``, made from the arrays of the other arguments for all spikes of a step and
    their number: its ``values(row, to)`` are those of a row, and ``room(count)`` says how much room these need."""


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

# The trace before each step is the same for all postsynaptic cells. Steps without a postsynaptic spike add zero; that
# matters where the trace is infinite.
_PAIRED_TRACE_NATIVE = """
struct paired_trace_eight {
    double before[31];
    double bound = 0;
    int first;
    bool none;

    paired_trace_eight(const int word, const double decay)
    {
        const uint32_t seen = uint32_t(word) & 0x7fffffffu;
        none = seen == 0;
        first = none ? 0 : 31 - __builtin_clz(seen);
        double trace = 0;
        for (int age = first; age >= 0; age--) {
            before[age] = trace;
            bound += std::fabs(trace);
            trace = decay*trace + ((word >> age) & 1);
        }
    }
    native::Doubles operator()(const native::Ints& word_post) const
    {
        native::Longs words = __builtin_convertvector(word_post, native::Longs) << ((64 - first) & 63);
        native::Doubles total{};
        for (int age = first - 1; age >= 0; age--, words += words) {  // the bit of an age becomes the sign
            if (__builtin_expect(bound < INFINITY, true))
                total = words < 0 ? total + before[age] : total;
            else
                total += before[age]*__builtin_convertvector((words < 0) & 1, native::Doubles);
        }
        return total;
    }
};

// The words of some cells: for each vector of them and each age, the cells that fired then, as bits.
struct paired_trace_across {
    enum { AGES = 32, VECTORS = 4 };  // vectors that are taken together
    native::Scratch<uint8_t> fired;
    const int32_t* const words;
    const int64_t count;

    paired_trace_across(const int32_t* words, const int64_t count) : words(words), count(count)
    {
        const int64_t room = AGES*(count/native::LANES + 1);
        std::memset(fired.room_for(room), 0, size_t(room));
        native::in_vectors(count, [&](const int64_t k, auto lanes) {
            const native::Ints seen = native::load<native::Ints>(words + k, lanes);
            uint8_t* const to = fired.values + k/native::LANES*AGES;
            for (int age = 0; age < AGES; age++)
                to[age] = native::lane_bits(native::Ints((seen & (1 << age)) != 0), lanes);
        });
    }
    // A place for a value of each cell, and some more.
    static int64_t room(const int64_t count) { return count + native::LANES; }

    // The values of a row: the same as one after the other.
    void values(const paired_trace_eight& row, double* to) const
    {
        int64_t k = 0;
        if (__builtin_expect(row.bound < INFINITY, true)) {
            for (; k + (VECTORS - 1)*native::LANES < count; k += VECTORS*native::LANES) some<VECTORS>(row, k, to + k);
            for (; k < count; k += native::LANES) some<1>(row, k, to + k);
        } else {
            native::in_vectors(count, [&](const int64_t k, auto lanes) {
                native::store(to + k, row(native::load<native::Ints>(words + k, lanes)), lanes);
            });
        }
    }
    template <int VECTORS> void some(const paired_trace_eight& row, const int64_t k, double* to) const
    {
        const uint8_t* const seen = fired.values + k/native::LANES*AGES;
        native::Doubles total[VECTORS] = {};
        for (int age = row.first - 1; age >= 0; age--)
            for (int i = 0; i < VECTORS; i++) native::add_where(total[i], seen[i*AGES + age], row.before[age]);
        for (int i = 0; i < VECTORS; i++) native::store(to + i*native::LANES, total[i], native::All{});
    }
};
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
        eight=(0, 2),
        native=_PAIRED_TRACE_NATIVE,
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
    cdef long rows = <long> _namespace{name}_values[0]
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

    One dimension holds integers (the order of samples). Two dimensions hold [rows, columns]: uint8, read as byte/255,
    or float64. A row outside the array is the nearest one; a column outside it is 0.
    """
    array = np.asarray(array)
    if array.ndim == 1:
        values = np.ascontiguousarray(array, dtype=np.int32)
        last = values.size - 1
        body = f"return _namespace{name}_values[row + 2]"

        def lookup(row):
            return values[np.clip(row, 0, last)]

        return _table(name, "integer", 1, values.size, 1, lookup, body, f"{body};", values)
    if array.ndim != 2 or array.dtype not in (np.uint8, np.float64):
        raise TypeError(
            f"a table is integers [rows], uint8 or float64 [rows, columns], not {array.dtype} {array.shape}"
        )
    rows, columns = array.shape
    full = 255.0 if array.dtype == np.uint8 else 1.0

    def pixel(row, i):
        inside = (np.asarray(i) >= 0) & (np.asarray(i) < columns)
        return np.where(inside, array[np.clip(row, 0, rows - 1), np.clip(i, 0, columns - 1)], 0) / full

    if array.dtype == np.float64:
        width = f"<long> _namespace{name}_values[1]"
        cython_body = f"return 0.0 if i < 0 or i >= {width} else _namespace{name}_values[2 + row*({width}) + i]"
        width = f"(long) _namespace{name}_values[1]"
        cpp_body = f"return (i < 0 || i >= {width}) ? 0.0 : _namespace{name}_values[2 + row*({width}) + i];"
        return _table(name, "float", 2, rows, columns, pixel, cython_body, cpp_body, array.ravel())
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


_TRAINS_CYTHON = """
cdef int {name}(const int sample, const int i, const long long step):
    global _namespace{name}_keys
    cdef long long start = (<long long> sample*_namespace{name}_keys[0] + i)*4294967296
    cdef long long wanted = start + (step if step < 2147483647 else 2147483647)
    cdef long long low = 0
    cdef long long high = _namespace{name}_keys[1]
    cdef long long middle
    while low < high:
        middle = (low + high)//2
        if _namespace{name}_keys[middle + 2] < wanted:
            low = middle + 1
        else:
            high = middle
    wanted = _namespace{name}_keys[low + 2] - start
    return <int> (wanted if wanted < 2147483647 else 2147483647)
"""
_TRAINS_CPP = """
static inline int {name}(const int sample, const int i, const long long step)
{{
    const long long start = ((long long) sample*_namespace{name}_keys[0] + i)*4294967296LL;
    const long long wanted = start + (step < 2147483647LL ? step : 2147483647LL);
    long long low = 0, high = _namespace{name}_keys[1];
    while (low < high)
    {{
        const long long middle = (low + high)/2;
        if (_namespace{name}_keys[middle + 2] < wanted) low = middle + 1; else high = middle;
    }}
    const long long found = _namespace{name}_keys[low + 2] - start;
    return (int) (found < 2147483647LL ? found : 2147483647LL);
}}
"""


def trains(name: str, table: Trains) -> Function:
    """``name(sample, i, step)`` is the first step from ``step`` on in which cell ``i`` fires: ``encoders.next_spike``.

    The search needs no state, so a cell may ask for any step.
    """
    keys, size = table.keys, table.size

    def lookup(sample, i, step):
        return next_spike(keys, size, sample, i, step)

    return Function(
        name=name,
        about=f"{len(table)} spikes",
        arguments=("sample", "i", "step"),
        types=("integer",) * 3,
        result="integer",
        numpy=lookup,
        cython=_TRAINS_CYTHON.format(name=name),
        cpp=_TRAINS_CPP.format(name=name),
        arrays={f"{name}_keys": np.concatenate([np.array([size, len(table)], np.int64), keys])},
    )


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
        arrays={f"{name}_values": np.concatenate([np.array([rows, columns], values.dtype), values])},
    )


def names_needed(plan: Any) -> list[str]:
    """Names of the functions the code of a plan may call, besides Brian2's."""
    tables = [*(table.name for table in plan.tables), *(train.name for train in plan.trains)]
    return [*plan.functions, *(["sample_order"] if plan.trial is not None else []), *tables]


def needed(plan: Any, samples: Any = None, order: np.ndarray | None = None) -> dict[str, Function]:
    """Those functions, by name.

    ``samples`` has ``images`` (uint8 [rows, pixels]), ``labels`` (integers [rows]) and ``encoded``: name of a table ->
    float64 [rows, features] or ``Trains``; ``order`` is the row shown in each trial.
    """
    encoded = getattr(samples, "encoded", {})
    found = {name: FUNCTIONS[name] for name in plan.functions}
    if plan.trial is not None and order is not None:
        found["sample_order"] = table("sample_order", order)
    for item in plan.tables:
        name = item.name
        if item.spikes:
            found[name] = trains(name, encoded[name])
        elif item.field == "label":
            found[name] = (one_hot if item.one_hot else class_of)(name, samples.labels)
        else:
            found[name] = table(name, encoded.get(name, samples.images))
    return found | {train.name: trains(train.name, train.trains) for train in plan.trains}
