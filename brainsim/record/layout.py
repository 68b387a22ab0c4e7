"""How arrays lie in a file: the layout of SONATA, the same in a segment and in the final ``results.h5``.

::

    /spikes/<path>/{timestamps [ms], node_ids}
    /report/<path>.<variable>/{data [T, N], mapping/{node_ids, element_ids, index_pointers, time}}
    /edges/<path>/{source_node_id, target_node_id, edge_type_id, edge_group_id, edge_group_index, 0/{w, w_before}}
    /trials, /readout ...: our own tables
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

#: SONATA's enumeration; readers written in C++ expect it and not a text.
SORTING = h5py.enum_dtype({"none": 0, "by_id": 1, "by_time": 2}, basetype="i1")
#: Bytes that are copied at a time.
CHUNK = 8 * 2**20


def create(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: Any, compress: bool) -> h5py.Dataset:
    """A dataset; compressed and chunked if it is for keeping and not tiny."""
    items = int(np.prod(shape))
    if not compress or items < 64:
        return group.create_dataset(name, shape, dtype)
    row = int(np.prod(shape[1:]))
    # Chunks of about 256 kB, whole rows where a row fits.
    width = min(row, 32_768)
    chunks = (max(1, min(shape[0], 32_768 // width)), *(() if len(shape) == 1 else (min(shape[1], width),)), *shape[2:])
    return group.create_dataset(name, shape, dtype, chunks=chunks, compression="gzip", compression_opts=1, shuffle=True)


def save(group: h5py.Group, name: str, values: Any, compress: bool = False, **attrs: Any) -> h5py.Dataset:
    """Write an array with attributes."""
    values = np.asarray(values)
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    dataset = create(group, name, values.shape, values.dtype, compress)
    if values.size:
        dataset[...] = values
    dataset.attrs.update(attrs)
    return dataset


def write_spikes(file: h5py.File, path: str, times_ms: np.ndarray, ids: np.ndarray) -> None:
    """Spikes that are sorted by time, then cell."""
    group = spike_group(file, path)
    save(group, "timestamps", times_ms, units="ms")
    save(group, "node_ids", ids)


def spike_group(file: h5py.File, path: str) -> h5py.Group:
    group = file.create_group(f"spikes/{path}")
    group.attrs.create("sorting", 2, dtype=SORTING)
    return group


def write_mapping(group: h5py.Group, ids: Mapping[str, np.ndarray], times_ms: np.ndarray | None) -> None:
    """Which members the columns of a report are; ``time`` is written by :func:`write_time` in the final file."""
    mapping = group.create_group("mapping")
    count = len(next(iter(ids.values())))
    for name, values in ids.items():
        save(mapping, name, np.asarray(values, np.uint64))
    save(mapping, "element_ids", np.zeros(count, np.uint32))
    save(mapping, "index_pointers", np.arange(count + 1, dtype=np.uint64))
    if times_ms is not None:
        save(mapping, "times", times_ms)


def write_time(group: h5py.Group, times_ms: np.ndarray) -> None:
    """SONATA's ``time`` = start, stop, dt; times that are not regular are kept one by one as well."""
    start = float(times_ms[0]) if len(times_ms) else 0.0
    step = float(times_ms[-1] - times_ms[0]) / (len(times_ms) - 1) if len(times_ms) > 1 else 0.0
    # k*dt in floating point is short of the mean step by an ulp or so; readers expect the round number.
    step = float(f"{step:.10g}")
    save(group["mapping"], "time", [start, start + len(times_ms) * step, step], units="ms")
    regular = start + np.arange(len(times_ms)) * step
    if not np.allclose(times_ms, regular, rtol=1e-9, atol=1e-6 * (step or 1.0)) or len(times_ms) == 1:
        save(group["mapping"], "times", times_ms, compress=True, units="ms")


def write_edges(
    file: h5py.File,
    path: str,
    populations: tuple[str, str],
    ends: tuple[np.ndarray, np.ndarray],
    values: Mapping[str, np.ndarray],
) -> None:
    """Synapses and their variables."""
    group = file.create_group(f"edges/{path}")
    count = len(ends[0])
    for name, population, cells in zip(("source_node_id", "target_node_id"), populations, ends, strict=True):
        save(group, name, np.asarray(cells, np.uint64), node_population=population)
    save(group, "edge_type_id", np.zeros(count, np.uint64))
    save(group, "edge_group_id", np.zeros(count, np.uint64))
    save(group, "edge_group_index", np.arange(count, dtype=np.uint64))
    first = group.create_group("0")
    for name, array in values.items():
        save(first, name, array)


def write_table(file: h5py.File, name: str, columns: Mapping[str, Any], attrs: Mapping[str, Any]) -> None:
    """One of our own tables; an attribute ``column.attribute`` belongs to that column."""
    group = file.require_group(name)
    for column, values in columns.items():
        if column in group:
            del group[column]
        save(group, column, values)
    for key, value in attrs.items():
        column, _, attribute = key.rpartition(".")
        (group[column] if column else group).attrs[attribute] = value
