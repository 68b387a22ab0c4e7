"""Takes what a run produces and puts it on disk, a segment at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainsim.errors import Problem, RunError
from brainsim.record import layout, merging, segments
from brainsim.record.disk import failed, new_hdf5

Ids = np.ndarray | Sequence[int]

#: Bytes that gather in memory before a segment is written.
SEGMENT = 64 * 2**20


class Recorder:
    """The one object backends hand their results to.

    Parameters
    ----------
    folder
        The run folder; segments go to ``segments/`` in it and end up in ``results.h5``.
    limit
        A segment is written whenever so many bytes have gathered, besides every call of :meth:`flush`.
    begun
        Segments of a run that goes on, and spikes of each path in them; what was recorded after them is forgotten.

    All methods raise ``SetupError`` when the disk fails. What earlier segments hold is then still whole, and what
    had gathered is kept for another try.
    """

    def __init__(
        self,
        folder: Path | str,
        limit: int = SEGMENT,
        begun: tuple[Sequence[segments.Segment], Mapping[str, int]] = ((), {}),
    ):
        self.folder = Path(folder)
        self.totals: dict[str, int] = dict(begun[1])  # path -> spikes so far
        self._limit = limit
        self._segments: list[segments.Segment] = list(begun[0])
        self._finished = False
        self._held = 0
        self._spikes: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        self._reports: dict[tuple[str, str], list[tuple[np.ndarray, np.ndarray]]] = {}
        self._columns: dict[tuple[str, str], tuple[str, dict[str, np.ndarray]]] = {}  # unit and ids of each report
        self._edges: dict[str, tuple[tuple[str, str], tuple[np.ndarray, np.ndarray], dict[str, np.ndarray]]] = {}
        self._tables: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        try:
            (self.folder / segments.FOLDER).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise failed(self.folder / segments.FOLDER, error) from error
        if self._segments:
            segments.keep_only(self.folder, self._segments)

    @property
    def segments(self) -> list[segments.Segment]:
        """What is on disk for good."""
        return list(self._segments)

    def counted(self, path: str, number: int) -> None:
        """So many spikes of a population came that are not kept."""
        self.totals[path] = self.totals.get(path, 0) + number

    def spikes(self, path: str, times_s: Ids, ids: Ids) -> None:
        """Spikes of a population: times in seconds and cells, in any order. An empty call says that it is recorded."""
        self._open()
        times, cells = np.asarray(times_s, float), np.asarray(ids)
        if times.shape != cells.shape or times.ndim != 1:
            raise ValueError(f"{path}: expected as many times as cells, got {times.shape} and {cells.shape}")
        times, cells = _in_order(times * 1000.0, cells.astype(np.uint64))
        self.totals[path] = self.totals.get(path, 0) + len(times)
        self._spikes.setdefault(path, [])
        for part in _pieces(len(times), self._limit // 16):
            self._spikes.setdefault(path, []).append((times[part], cells[part]))
            self._hold((part.stop - part.start) * 16)

    def state(
        self, path: str, variable: str, unit: str, times_s: Ids, values: np.ndarray, ids: Ids | tuple[Ids, Ids]
    ) -> None:
        """Variables over time: ``values`` [T, N] in ``unit``, of cells ``ids`` [N] or of synapses (source, target)."""
        self._open()
        times, values = np.asarray(times_s, float), np.array(values)
        columns = _columns(ids)
        if values.shape != (len(times), len(next(iter(columns.values())))):
            raise ValueError(
                f"{path}.{variable}: {values.shape} values do not fit {len(times)} times and {len(ids)} members"
            )
        key = (path, variable)
        known = self._columns.setdefault(key, (unit, columns))
        if known[0] != unit or any(
            not np.array_equal(known[1].get(name, ()), cells) for name, cells in columns.items()
        ):
            raise ValueError(f"{path}.{variable}: unit and members may not change during a run")
        row = max(1, values.shape[1] * values.itemsize)
        self._reports.setdefault(key, [])
        for part in _pieces(len(times), max(1, self._limit // row)):
            self._reports.setdefault(key, []).append((times[part] * 1000.0, values[part]))
            self._hold((part.stop - part.start) * row)

    def weights(
        self,
        path: str,
        source_path: str,
        target_path: str,
        source_ids: Ids,
        target_ids: Ids,
        variables: Mapping[str, tuple[np.ndarray | None, np.ndarray]],
    ) -> None:
        """Variables of synapses before (``None``: not known) and after the run, [E] each; the last call counts."""
        self._open()
        ends = np.asarray(source_ids), np.asarray(target_ids)
        values = {}
        for name, (before, after) in variables.items():
            for key, array in ((name, after), (f"{name}_before", before)):
                if array is None:
                    continue
                array = np.array(array)
                if array.shape != ends[0].shape or array.shape != ends[1].shape:
                    raise ValueError(f"{path}.{key}: {array.shape} values for {ends[0].shape} synapses")
                values[key] = array
        self._edges[path] = ((source_path, target_path), ends, values)
        self._hold(sum(array.nbytes for array in (*ends, *values.values())))

    def table(self, name: str, columns: Mapping[str, Any], attrs: Mapping[str, Any] | None = None) -> None:
        """One of our own tables (``trials``, ``readout``), ``a/b`` for one in another; also after :meth:`finish`."""
        if self._finished:
            merging.add_table(self.folder, name, columns, attrs or {})
        else:
            self._tables[name] = (dict(columns), dict(attrs or {}))

    def flush(self) -> None:
        """Write what has gathered as one segment."""
        self._open()
        if not (self._spikes or self._reports or self._edges or self._tables):
            return
        path = self.folder / segments.FOLDER / f"part-{len(self._segments):06d}.h5"
        with new_hdf5(path) as file:
            for name, parts in self._spikes.items():
                times, cells = (np.concatenate([p[k] for p in parts]) if parts else np.zeros(0, t) for k, t in _SPIKE)
                layout.write_spikes(file, name, *_in_order(times, cells))
            for (name, variable), blocks in self._reports.items():
                unit, columns = self._columns[name, variable]
                group = file.create_group(f"report/{name}.{variable}")
                times = np.concatenate([block[0] for block in blocks] or [np.zeros(0)])
                width = len(next(iter(columns.values())))
                layout.save(group, "data", np.concatenate([b[1] for b in blocks] or [np.zeros((0, width))]), units=unit)
                layout.write_mapping(group, columns, times)
            for name, edges in self._edges.items():
                layout.write_edges(file, name, *edges)
            for name, table in self._tables.items():
                layout.write_table(file, name, *table)
        try:
            now = [*self._segments, segments.describe(path)]
        except OSError as error:
            raise failed(path, error) from error
        segments.write_manifest(path.parent, now)
        # Only now: had anything failed, the same data would go into the next try.
        self._segments = now
        self._held = 0
        for buffer in (self._spikes, self._reports, self._edges, self._tables):
            buffer.clear()

    def finish(self) -> Path:
        """Write the rest, merge all segments into ``results.h5`` and remove them. May be called again."""
        if not self._finished:
            self.flush()
            merging.merge(self.folder)
            self._finished = True
        return self.folder / merging.RESULTS

    def close(self) -> None:
        """The same as :meth:`finish`."""
        self.finish()

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held >= self._limit:
            self.flush()

    def _open(self) -> None:
        if self._finished:
            raise RunError(Problem("backend", "the recorder was finished; it takes no more data"))


_SPIKE = ((0, np.float64), (1, np.uint64))


def _columns(ids: Any) -> dict[str, np.ndarray]:
    if isinstance(ids, tuple):
        source, target = (np.array(end, np.uint64) for end in ids)
        # SONATA maps columns to nodes; for a synapse that is the cell it sits on.
        return {"node_ids": target, "source_ids": source, "target_ids": target}
    return {"node_ids": np.array(ids, np.uint64)}


def _pieces(length: int, size: int) -> list[slice]:
    size = max(1, size)
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def _in_order(times: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted by time, then cell; looks first, since most recordings are in order already."""
    step = np.diff(times)
    if np.all(step >= 0) and np.all((step > 0) | (cells[1:] >= cells[:-1])):
        return times, cells
    order = np.lexsort((cells, times))
    return times[order], cells[order]
