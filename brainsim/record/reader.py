"""Reads results back without trusting the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from brainsim.errors import Problem, RunError, suggest
from brainsim.record import merging, segments

#: Largest array that is read at once, in bytes.
BUDGET = 4 * 2**30

#: What to do when nothing of a group was kept.
_NONE = {
    "spikes": "No spikes were recorded. Write for example record: {spikes: [exc]}.",
    "report": "No variables were recorded over time. Write for example record: {state: {exc: {variables: [v]}}}.",
    "edges": "Weights are kept of projections that learn, and this run has none.",
}


class NotRecorded(RunError, KeyError):
    """Nothing was recorded under this path."""

    __str__ = Exception.__str__  # KeyError would put the message in quotes


@dataclass(frozen=True)
class Report:
    """Variables over time."""

    times_ms: np.ndarray  # [T]
    values: np.ndarray  # [T, N]
    unit: str
    ids: dict[str, np.ndarray]  # node_ids, and source_ids and target_ids of synapses: [N]


@dataclass(frozen=True)
class Edges:
    """Synapses and their variables, [E] each."""

    populations: tuple[str, str]
    source: np.ndarray
    target: np.ndarray
    values: dict[str, np.ndarray]  # ``w``, ``w_before``


class Reader:
    """The results of a run folder: ``results.h5``, or the segments of a run that has not finished.

    A file may come from anywhere, so before anything is read its shape times the size of its items is held against
    ``budget`` (bytes), and links and storage outside the file are refused. Raises ``RunError`` for what is damaged,
    too large, or not there.
    """

    def __init__(self, folder: Path | str, budget: int = BUDGET):
        self.folder, self.budget = Path(folder), budget
        whole = self.folder / merging.RESULTS
        self.files = [whole] if whole.is_file() else segments.listed(self.folder)

    def names(self, group: str) -> list[str]:
        """Members of ``spikes``, ``report``, ``edges`` or a table."""
        found: dict[str, None] = {}
        for path in self.files:
            with self._open(path) as file:
                part = self._get(file, group)
                if isinstance(part, h5py.Group):
                    found |= dict.fromkeys(part)
        return list(found)

    def spike_pieces(self, path: str, size: int = merging.SPIKES) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(times in ms, cells) by time then cell, in pieces that fit into memory."""
        have = self._having("spikes", path)
        for file_path in have:
            with self._open(file_path) as file:
                for name in ("timestamps", "node_ids"):
                    self._dataset(file, f"spikes/{path}/{name}", whole=False)
        try:
            yield from merging.merged_spikes(have, path, size)
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise self._bad(f"spikes of {path} cannot be read ({error})") from error

    def spikes(self, path: str) -> tuple[np.ndarray, np.ndarray]:
        """(times in ms float64, cells int64), by time then cell."""
        total = 0
        for file_path in self._having("spikes", path):
            with self._open(file_path) as file:
                total += self._dataset(file, f"spikes/{path}/timestamps").shape[0]
        if total * 16 > self.budget:
            raise self._bad(f"{total:,} spikes of {path} are more than the {self.budget:,} bytes allowed at once")
        pieces = list(self.spike_pieces(path))
        times = np.concatenate([piece[0] for piece in pieces] or [np.zeros(0)])
        return times, np.concatenate([piece[1] for piece in pieces] or [np.zeros(0, np.uint64)]).astype(np.int64)

    def report(self, path: str, variable: str) -> Report:
        """A variable of a population or projection over time."""
        name = f"report/{path}.{variable}"
        times, values, ids, unit = [], [], {}, ""
        for file_path in self._having("report", f"{path}.{variable}"):
            with self._open(file_path) as file:
                data = self._dataset(file, f"{name}/data")
                unit = str(data.attrs.get("units", "1"))
                values.append(data[...])
                mapping = f"{name}/mapping"
                keys = [
                    key
                    for key in ("node_ids", "source_ids", "target_ids")
                    if self._get(file, f"{mapping}/{key}") is not None
                ]
                ids = {key: self._dataset(file, f"{mapping}/{key}")[...].astype(np.int64) for key in keys}
                if self._get(file, f"{mapping}/times") is not None:
                    times.append(self._dataset(file, f"{mapping}/times")[...])
                else:
                    start, _, step = self._dataset(file, f"{mapping}/time")[...][:3]
                    times.append(start + np.arange(data.shape[0]) * step)
        return Report(np.concatenate(times), np.concatenate(values), unit, ids)

    def edges(self, path: str) -> Edges:
        """The synapses of a projection whose weights were kept."""
        with self._open(self._having("edges", path)[-1]) as file:
            base = f"edges/{path}"
            source, target = (self._dataset(file, f"{base}/{name}_node_id") for name in ("source", "target"))
            names = self._get(file, f"{base}/0") or ()
            return Edges(
                (str(source.attrs.get("node_population", "")), str(target.attrs.get("node_population", ""))),
                source[...].astype(np.int64),
                target[...].astype(np.int64),
                {name: self._dataset(file, f"{base}/0/{name}")[...] for name in names},
            )

    def table(self, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Columns and attributes of ``trials`` or ``readout``; two empty ones if there is none."""
        columns: dict[str, Any] = {}
        attrs: dict[str, Any] = {}
        for path in self.files:
            with self._open(path) as file:
                group = self._get(file, name)
                if not isinstance(group, h5py.Group):
                    continue
                attrs |= dict(group.attrs)
                for key in group:
                    part = self._get(file, f"{name}/{key}")
                    if isinstance(part, h5py.Dataset):
                        columns[key] = self._dataset(file, f"{name}/{key}")[...]
                        attrs |= {f"{key}.{attribute}": value for attribute, value in part.attrs.items()}
        return columns, attrs

    def _open(self, path: Path) -> h5py.File:
        try:
            return h5py.File(path, "r")
        except OSError as error:
            raise self._bad(f"{path.name} is no HDF5 file that can be read ({error})") from error

    def _having(self, group: str, name: str) -> list[Path]:
        have = []
        for path in self.files:
            with self._open(path) as file:
                if self._get(file, f"{group}/{name}") is not None:
                    have.append(path)
        if not have:
            known = self.names(group)
            what = {"spikes": "spikes", "report": "state", "edges": "weights"}.get(group, group)
            hint = suggest(name, known, "recorded path") if known else _NONE.get(group, f"There are no {what}.")
            raise NotRecorded(Problem("path", f"{self.folder.name} has no {what} of {name}", hint=hint))
        return have

    def _get(self, file: h5py.File, name: str) -> h5py.Group | h5py.Dataset | None:
        """Walk to ``name`` step by step: a soft or external link on the way could lead out of the file."""
        here: Any = file
        for key in name.split("/"):
            link = here.get(key, getlink=True) if isinstance(here, h5py.Group) else None
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                raise self._bad(f"{name} is a link, which is refused")
            try:
                here = here[key]
            except (OSError, KeyError, RuntimeError) as error:
                raise self._bad(f"{name} is damaged ({error})") from error
        return here

    def _dataset(self, file: h5py.File, name: str, whole: bool = True) -> h5py.Dataset:
        found = self._get(file, name)
        if not isinstance(found, h5py.Dataset):
            raise self._bad(f"{name} is missing")
        if found.dtype.kind not in "biuf" or found.external or found.is_virtual:
            raise self._bad(f"{name} is no plain array of numbers in this file")
        size = found.dtype.itemsize
        # A chunk is unpacked as a whole, however little of it is asked for.
        for items in (found.size if whole else 0, int(np.prod(found.chunks or (1,), dtype=object))):
            if items * size > self.budget:
                raise self._bad(f"{name} has {items * size:,} bytes, more than the {self.budget:,} allowed at once")
        return found

    def _bad(self, why: str) -> RunError:
        return RunError(Problem("data", f"{self.folder.name}: {why}"))
