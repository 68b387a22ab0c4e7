"""Spike trains that an experiment names: a few in place, many in a file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from brainsim import source
from brainsim.circuit import tables
from brainsim.encoders import Spikes
from brainsim.errors import FileError, Mark, Problem, Problems, suggest
from brainsim.units import Quantity, parse_unit

TIME = parse_unit("second")[1]
#: Largest array of a file, in bytes.
BUDGET = 2**30
_HEADER = re.compile(r"time\s*[\[(]\s*(?P<unit>\w+)\s*[\])]")
_LAYOUT = "The first row is: time [ms],cell"


def listed(
    times: Mapping[str, Sequence[Quantity | None]], size: int, path: str, marks: Mapping[str, Mark], problems: Problems
) -> Spikes | None:
    """``{0: [5 ms, 20 ms], 3: [7 ms]}`` as trains of a population at ``path`` of ``size`` cells."""
    wrong = [cell for cell in times if not (cell.isascii() and cell.isdigit() and len(cell) < 10 and int(cell) < size)]
    for cell in wrong:
        message = f"there is no cell {cell[:40]} in {path}, which has {size}"
        problems.add("value", message, marks[cell], f"Cells count from 0 to {size - 1}.")
    if wrong or any(time is None for train in times.values() for time in train):
        return None
    spikes = [(float(time.value), int(cell)) for cell, train in times.items() for time in train if time is not None]
    return _sample([time for time, _ in spikes], [cell for _, cell in spikes], size)


def read(
    text: str, population: tuple[str, Mark | None] | None, size: int, root: Path, mark: Mark | None, problems: Problems
) -> Spikes | None:
    """The trains in a file below ``root``, which must be of no more than ``size`` cells."""
    try:
        if Path(text).suffix in (".h5", ".hdf5"):
            times, cells = _hdf5(text, population, root, mark)
            if times.size and not (np.isfinite(times).all() and times.min() >= 0):
                raise FileError(Problem("value", f"{text} has a spike time before 0, or one that is no number", mark))
            if cells.size and not 0 <= cells.min() <= cells.max() < size:
                message = f"{text} has cells {cells.min()} to {cells.max()}, but the population has {size}"
                raise FileError(Problem("value", message, mark, f"Make its size at least {cells.max() + 1}."))
            return _sample(times, cells, size)
        if population is not None:
            raise FileError(Problem("key", "only HDF5 files hold populations", population[1], "Remove population."))
        return _csv(text, size, root, mark)
    except FileError as error:
        problems.take(error)
        return None


def _sample(times: Any, cells: Any, size: int) -> Spikes:
    times = np.asarray(times, float)
    return Spikes(np.array([0, times.size]), times, np.asarray(cells, np.int32), size)


def _csv(text: str, size: int, root: Path, mark: Mark | None) -> Spikes:
    rows = csv.reader(io.StringIO(tables.csv_text(text, root, mark)))
    try:
        header = [name.strip() for name in next(rows, [])]
        units = [match["unit"] if (match := _HEADER.fullmatch(name)) else None for name in header]
        time = next((k for k, unit in enumerate(units) if unit), None)
        if time is None or "cell" not in header:
            missing = "a column time with its unit" if time is None else "a column cell"
            raise FileError(Problem("key", f"{text} has no {missing}", Mark(text, 1, 1), _LAYOUT))
        try:
            scale, dims = parse_unit(str(units[time]))
        except ValueError as error:
            raise FileError(Problem("unit", f"{text}: {error}", Mark(text, 1, 1), _LAYOUT)) from None
        if tuple(dims) != TIME:
            raise FileError(Problem("unit", f"{text}: {units[time]} is no unit of time", Mark(text, 1, 1), _LAYOUT))
        cell = header.index("cell")
        times: list[float] = []
        cells: list[int] = []
        for row in rows:
            if not any(entry.strip() for entry in row):
                continue
            if len(times) >= tables.MAX_ROWS:
                raise ValueError(f"there are more than {tables.MAX_ROWS:,} rows")
            seconds = float(tables.entry(row, time, "time", None)) * scale
            if seconds < 0:
                raise ValueError(f"a spike time is not before 0, got {row[time].strip()}")
            times.append(seconds)
            cells.append(int(tables.entry(row, cell, "cell", size)))
    except (ValueError, csv.Error) as error:
        raise FileError(Problem("value", str(error), Mark(text, rows.line_num, 1), _LAYOUT)) from None
    return _sample(times, cells, size)


def _hdf5(
    text: str, population: tuple[str, Mark | None] | None, root: Path, mark: Mark | None
) -> tuple[np.ndarray, np.ndarray]:
    """(times in seconds, cells) of one population of a file in the SONATA layout, such as ``results.h5`` of a run."""
    import h5py

    path = source.within(root, text, mark)
    if not path.is_file():
        near = [p.name for p in path.parent.glob("*.h5")] if path.parent.is_dir() else []
        hint = suggest(path.name, near, "file") if near else "Paths start at the folder of the experiment."
        raise FileError(Problem("path", f"there is no file {text}", mark, hint))
    try:
        with h5py.File(path, "r") as file:
            group = _inside(file, "spikes", h5py.Group)
            names = list(group) if group is not None else []
            if not names:
                raise FileError(Problem("data", f"{text} holds no spikes", mark, "They stand under spikes/POPULATION."))
            if population is None and len(names) > 1:
                raise FileError(
                    Problem("key", f"{text} holds {', '.join(names)}", mark, "Say which: population: NAME.")
                )
            name, where = population if population is not None else (names[0], mark)
            if name not in names:
                message = f"{text} holds no spikes of {name}"
                raise FileError(Problem("name", message, where, suggest(name, names, "population")))
            one = _inside(group, name, h5py.Group)
            found = [_inside(one, key, h5py.Dataset) if one is not None else None for key in ("timestamps", "node_ids")]
            if not all(map(_plain, found)):
                message = f"{text}: timestamps and node_ids of {name} are not two plain arrays of numbers"
                raise FileError(Problem("data", message, where, "See the SONATA format, or write a CSV file."))
            times, cells = cast(Any, found)
            if times.shape != cells.shape:
                raise FileError(Problem("data", f"{text}: {name} has {times.size} times, {cells.size} cells", where))
            unit = times.attrs.get("units", "ms")
            unit = unit.decode() if isinstance(unit, bytes) else str(unit)
            scale = {"ms": 1e-3, "milliseconds": 1e-3, "s": 1.0, "seconds": 1.0}.get(unit)
            if scale is None:
                raise FileError(Problem("unit", f"{text}: times are in {unit[:40]!r}", where, "Write ms or s."))
            return times[:].astype(float) * scale, cells[:].astype(np.int64)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise FileError(Problem("data", f"{text} is no HDF5 file that can be read: {reason}", mark)) from None


def _plain(data: Any) -> bool:
    """Whether something is one row of numbers that stand in the file itself, and are not too many."""
    if data is None or data.dtype.kind not in "iuf" or data.external or data.is_virtual:
        return False
    return data.ndim == 1 and data.size * data.dtype.itemsize <= BUDGET


def _inside(group: Any, name: str, kind: type) -> Any:
    """A member that stands in the file itself: a link could lead out of it."""
    import h5py

    link = group.get(name, getlink=True)
    found = group[name] if isinstance(link, h5py.HardLink) else None
    return found if isinstance(found, kind) else None
