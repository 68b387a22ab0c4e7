"""Makes one ``results.h5`` out of segments, in bounded memory."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from brainsim.errors import Problem, RunError
from brainsim.record import layout, segments
from brainsim.record.disk import failed, new_hdf5

RESULTS = "results.h5"
#: Spikes held at a time, over all segments that overlap.
SPIKES = 2**20


def merge(run: Path) -> Path:
    """Write ``results.h5`` from the segments that the manifest lists, then remove them.

    Raises ``RunError`` if a listed segment is damaged, ``SetupError`` if the disk fails; the segments then stay.
    """
    parts = segments.listed(run, verify=False)  # HDF5 finds damage that matters; recover() compares checksums
    target = run / RESULTS
    try:
        with new_hdf5(target) as out:
            _spikes(out, parts)
            _reports(out, parts)
            _rest(out, parts)
    except (RuntimeError, KeyError, ValueError, OSError) as error:
        text = f"{run.name}: the segments could not be merged ({error})"
        raise RunError(Problem("data", text, hint="They are still in its folder segments.")) from error
    shutil.rmtree(run / segments.FOLDER, ignore_errors=True)
    return target


def recover(run: Path | str) -> Path:
    """Turn what a run left behind when it was killed into ``results.h5``.

    Only what the manifest lists counts; half-written files are ignored. A run that has its results keeps them.
    Raises ``RunError`` if there is nothing, or if a listed segment was changed since.
    """
    run = Path(run)
    if (run / RESULTS).is_file():
        return run / RESULTS
    if not (run / segments.FOLDER / segments.MANIFEST).is_file():
        raise RunError(Problem("path", f"{run.name} holds neither {RESULTS} nor segments of one"))
    segments.listed(run, verify=True)
    return merge(run)


def add_table(run: Path, name: str, columns: Mapping[str, Any], attrs: Mapping[str, Any]) -> None:
    """Add a table to finished results: into a copy, which then takes their place."""
    target = run / RESULTS
    copy = run / (RESULTS + ".new")
    try:
        try:
            shutil.copyfile(target, copy)
        except OSError as error:
            raise failed(target, error) from error
        with h5py.File(copy, "r") as old, new_hdf5(target) as out:
            for group in old:
                old.copy(group, out)
            layout.write_table(out, name, columns, attrs)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(copy)


def _names(parts: list[Path], group: str) -> dict[str, list[Path]]:
    """Members of a group over all segments -> the segments that have them."""
    found: dict[str, list[Path]] = {}
    for part in parts:
        with h5py.File(part, "r") as file:
            for name in file.get(group, ()):
                found.setdefault(name, []).append(part)
    return found


class _Stream:
    """Spikes of one segment, a piece at a time."""

    def __init__(self, part: Path, path: str):
        self.part, self.path, self.next = part, path, 0
        self.times, self.cells = np.zeros(0), np.zeros(0, np.uint64)
        with h5py.File(part, "r") as file:
            self.count = file[f"spikes/{path}/timestamps"].shape[0]
        self.fill(1)
        self.first = (self.times[0], self.cells[0]) if self.count else (np.inf, 0)

    @property
    def more(self) -> bool:
        return self.next < self.count

    @property
    def last(self) -> tuple[float, int]:
        return (self.times[-1], self.cells[-1])

    def fill(self, size: int) -> None:
        # Opened each time: a long run has more segments than a process may have open files.
        if self.more and len(self.times) < max(1, size // 2):
            piece = slice(self.next, min(self.count, self.next + size))
            with h5py.File(self.part, "r") as file:
                group = file[f"spikes/{self.path}"]
                self.times = np.concatenate([self.times, group["timestamps"][piece]])
                self.cells = np.concatenate([self.cells, group["node_ids"][piece]])
            self.next = piece.stop

    def take(self, bound: tuple[float, int]) -> tuple[np.ndarray, np.ndarray]:
        """Everything up to and with ``bound``."""
        low, high = np.searchsorted(self.times, bound[0], "left"), np.searchsorted(self.times, bound[0], "right")
        stop = low + np.searchsorted(self.cells[low:high], bound[1], "right")
        taken = self.times[:stop], self.cells[:stop]
        self.times, self.cells = self.times[stop:], self.cells[stop:]
        return taken


def merged_spikes(parts: list[Path], path: str, size: int = SPIKES) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Spikes of ``path`` in all segments, by time then cell, in pieces of about ``size``.

    Segments that follow each other in time, the usual case, are read one after the other; those that overlap are
    merged with a piece of each in memory.
    """
    waiting = sorted((stream for stream in (_Stream(p, path) for p in parts) if stream.count), key=lambda s: s.first)
    waiting.reverse()
    active: list[_Stream] = []
    while active or waiting:
        if not active:
            active.append(waiting.pop())
        for stream in active:
            stream.fill(max(1, size // len(active)))
        # Up to here every stream that has begun is complete.
        bound = min((s.last for s in active if s.more), default=max(s.last for s in active))
        if waiting and waiting[-1].first <= bound:
            active.append(waiting.pop())
            continue
        pieces = [stream.take(bound) for stream in active]
        times, cells = (np.concatenate([piece[k] for piece in pieces]) for k in (0, 1))
        if len(active) > 1:
            order = np.lexsort((cells, times))
            times, cells = times[order], cells[order]
        active = [stream for stream in active if stream.more or len(stream.times)]
        yield times, cells


def _spikes(out: h5py.File, parts: list[Path]) -> None:
    for path, where in _names(parts, "spikes").items():
        total = 0
        for part in where:
            with h5py.File(part, "r") as file:
                total += file[f"spikes/{path}/timestamps"].shape[0]
        group = layout.spike_group(out, path)
        times = layout.create(group, "timestamps", (total,), np.float64, compress=True)
        times.attrs["units"] = "ms"
        cells = layout.create(group, "node_ids", (total,), np.uint64, compress=True)
        start = 0
        for some_times, some_cells in merged_spikes(where, path):
            stop = start + len(some_times)
            times[start:stop], cells[start:stop] = some_times, some_cells
            start = stop


def _reports(out: h5py.File, parts: list[Path]) -> None:
    for name, where in _names(parts, "report").items():
        blocks = []  # (times, segment): segments hold few samples each, so all times fit
        for part in where:
            with h5py.File(part, "r") as file:
                group = file[f"report/{name}"]
                blocks.append((group["mapping/times"][...], part))
                unit, dtype, width = group["data"].attrs["units"], group["data"].dtype, group["data"].shape[1]
        blocks.sort(key=lambda block: block[0][0] if len(block[0]) else -np.inf)
        times = np.concatenate([block[0] for block in blocks])
        if np.any(np.diff(times) <= 0):
            raise ValueError(f"the samples of {name} overlap in time")
        group = out.create_group(f"report/{name}")
        data = layout.create(group, "data", (len(times), width), dtype, compress=True)
        data.attrs["units"] = unit
        with h5py.File(blocks[0][1], "r") as file:
            mapping = file[f"report/{name}/mapping"]
            ids = ("node_ids", "source_ids", "target_ids")
            layout.write_mapping(group, {key: mapping[key][...] for key in ids if key in mapping}, None)
        layout.write_time(group, times)
        start = 0
        for block_times, part in blocks:
            with h5py.File(part, "r") as file:
                _copy_rows(file[f"report/{name}/data"], data, start)
            start += len(block_times)


def _rest(out: h5py.File, parts: list[Path]) -> None:
    """Everything else is written once; if not, the last one counts."""
    for path, where in _names(parts, "edges").items():
        with h5py.File(where[-1], "r") as file:
            _copy(file[f"edges/{path}"], out.require_group("edges"), path)
    for name, where in _names(parts, "/").items():
        if name not in ("spikes", "report", "edges"):
            for part in where:
                with h5py.File(part, "r") as file:
                    _copy(file[name], out, name)


def _copy(source: h5py.Group | h5py.Dataset, target: h5py.Group, name: str) -> None:
    """Copy with compression, a chunk at a time; what is there under that name gives way."""
    if isinstance(source, h5py.Group):
        group = target.require_group(name)
        group.attrs.update(source.attrs)
        for key in source:
            _copy(source[key], group, key)
        return
    if name in target:
        del target[name]
    copy = layout.create(target, name, source.shape, source.dtype, compress=True)
    copy.attrs.update(source.attrs)
    _copy_rows(source, copy, 0)


def _copy_rows(source: h5py.Dataset, target: h5py.Dataset, start: int) -> None:
    if source.ndim == 0:
        target[...] = source[...]
        return
    row = max(1, int(np.prod(source.shape[1:])) * source.dtype.itemsize)
    step = max(1, layout.CHUNK // row)
    for low in range(0, source.shape[0], step):
        high = min(low + step, source.shape[0])
        target[start + low : start + high] = source[low:high]
