"""CSV files that a model names: pairs of cells, coordinates."""

from __future__ import annotations

import csv
import io
import stat
from pathlib import Path
from typing import Any

import numpy as np

from brainsim import source
from brainsim.errors import FileError, Mark, Problem, Problems, suggest

MAX_ROWS = 50_000_000


def csv_text(text: str, root: Path, mark: Mark | None) -> str:
    path = source.within(root, text, mark)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
            raise FileError(Problem("path", f"{text} is not an ordinary file", mark, "Give a CSV file."))
        if found.st_size > 500_000_000:
            raise FileError(Problem("limit", f"{text} is larger than 500 MB", mark, "Split the projection."))
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        near = [p.name for p in path.parent.glob("*.csv")] if path.parent.is_dir() else []
        hint = suggest(path.name, near, "file") if near else "Paths start at the folder of the experiment."
        raise FileError(Problem("path", f"there is no file {text}", mark, hint)) from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise FileError(Problem("path", f"cannot read {text}: {reason}", mark, "Give a CSV file.")) from None


def matrix(
    text: str,
    column: str | None,
    sizes: tuple[int, int],
    several: bool,
    root: Path,
    mark: Mark | None,
    column_mark: Mark | None,
    problems: Problems,
) -> dict[str, Any] | None:
    """Pairs out of a CSV file with a header: ``source`` and ``target`` int32 [rows], ``weight`` float [rows] or None.

    Sorted by source and target. Numbers count from 0 within the ends of the projection.
    """
    wanted = ["source", "target", *([column] if column else [])]
    try:
        rows = csv.reader(io.StringIO(csv_text(text, root, mark)))
        header = [name.strip() for name in next(rows, [])]
        missing = [name for name in wanted if name not in header]
        for name in missing:
            place = column_mark if name == column else mark
            problems.add("key", f"{text} has no column {name}", place, suggest(name, header, "column"))
        if missing:
            return None
        where = [header.index(name) for name in wanted]
        found: tuple[list[int], list[int], list[float]] = ([], [], [])
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(found[0]) >= MAX_ROWS:
                raise ValueError(f"there are more than {MAX_ROWS:,} rows")
            for k, at in enumerate(where):
                found[k].append(entry(row, at, wanted[k], sizes[k] if k < 2 else None))  # type: ignore[arg-type]
    except (ValueError, csv.Error) as error:
        place = Mark(text, rows.line_num, 1)
        problems.add("value", f"{error}", place, f"Rows hold {', '.join(wanted)}; cells count from 0.")
        return None
    except FileError as error:
        problems.take(error)
        return None
    source_ids, target_ids = (np.array(ids, dtype=np.int32) for ids in found[:2])
    if not several and len(np.unique(source_ids.astype(np.int64) * sizes[1] + target_ids)) < len(source_ids):
        problems.add("value", f"{text} lists a pair more than once", mark, "Remove it, or write multapses: true.")
        return None
    order = np.lexsort((target_ids, source_ids))  # the order of synapses, so that weights stay with their pairs
    source_ids, target_ids = source_ids[order], target_ids[order]
    weight = np.array(found[2], dtype=float)[order] if column else None
    return {"source": source_ids, "target": target_ids, "weight": weight}


def entry(row: list[str], at: int, name: str, size: int | None) -> float:
    if at >= len(row):
        raise ValueError(f"the row has {len(row)} columns, {name} is missing")
    word = row[at].strip()
    if size is None:
        try:
            number = float(word)
        except ValueError:
            raise ValueError(f"{name} must be a number, got {word[:40]!r}") from None
        if not np.isfinite(number):
            raise ValueError(f"{name} is {word}, which is not finite")
        return number
    if not word.isascii() or not word.isdigit() or len(word) > 12 or int(word) >= size:
        raise ValueError(f"{name} must be a whole number from 0 to {size - 1}, got {word[:40]!r}")
    return int(word)


def points(text: str, size: int, root: Path, mark: Mark | None, problems: Problems) -> np.ndarray | None:
    rows: list[list[float]] = []
    try:
        reader = csv.reader(io.StringIO(csv_text(text, root, mark)))
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            try:
                rows.append([float(cell) for cell in row])
            except ValueError:
                if rows:  # the first row may be a header
                    problems.add(
                        "value",
                        f"a coordinate is a number, got {row}",
                        Mark(text, reader.line_num, 1),
                        "In metres: 1e-3.",
                    )
                    return None
    except (FileError, csv.Error) as error:
        if isinstance(error, FileError):
            problems.take(error)
        else:
            problems.add("value", f"{text}: {error}", mark, "Give a CSV file with one row a cell.")
        return None
    widths = {len(row) for row in rows}
    if len(rows) != size or len(widths) != 1 or widths - {1, 2, 3} or not np.all(np.isfinite(rows)):
        problems.add(
            "value",
            f"{text} must hold 1 to 3 finite coordinates for each of {size} cells, it has {len(rows)} rows",
            mark,
            "One row a cell, in metres.",
        )
        return None
    return np.array(rows)
