"""Arrays out of npz and CSV files, without trusting them."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from brainsim.errors import FileError, Mark, Problem, SetupError

#: No array may be larger than this many bytes.
LIMIT = 4 * 2**30
#: What an npz file of samples may hold: name -> kinds of its numbers and possible dimensions.
LAYOUT = {
    "values": ("iufb", (2, 3)),
    "images": ("u", (3,)),
    "times": ("iuf", (1,)),
    "cells": ("iu", (1,)),
    "offsets": ("iu", (1,)),
    "labels": ("iuU", (1,)),
}
_HINT = "An npz file holds values [rows, features], or images, or times, cells and offsets; and labels [rows]."


def read(path: Path, shown: str = "") -> dict[str, np.ndarray]:
    """The arrays of a file by name. Raises ``SetupError`` for one that is missing, damaged, pickled or too large."""
    shown = shown or path.name
    try:
        return _csv(path, shown) if path.suffix == ".csv" else _npz(path)
    except FileNotFoundError:
        hint = "Paths start at the folder of the experiment."
        raise SetupError(Problem("data", f"there is no file {shown}", hint=hint)) from None
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, csv.Error, NotImplementedError) as error:
        text = f"{shown} is not a file of samples that can be used: {error}"
        raise SetupError(Problem("data", text, hint=_HINT)) from None


def _npz(path: Path) -> dict[str, np.ndarray]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as stream:
                version = np.lib.format.read_magic(stream)
                header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                if version not in header:
                    raise ValueError(f"{name} has an unknown version")
                shape, fortran, dtype = header[version](stream)
                if dtype.hasobject:
                    raise ValueError(f"{name} holds Python objects")
                size = math.prod(shape) * dtype.itemsize
                if size > LIMIT:
                    raise ValueError(f"{name} has {size:,} bytes, more than the {LIMIT:,} allowed")
                data = stream.read(size)
            if len(data) < size:
                raise ValueError(f"{name} is shorter than its header says")
            array = np.frombuffer(data, dtype)
            found[name.removesuffix(".npy")] = array.reshape(shape[::-1]).T if fortran else array.reshape(shape)
    return found


def _csv(path: Path, shown: str) -> dict[str, np.ndarray]:
    if path.stat().st_size > LIMIT // 8:
        raise ValueError("it is too large for CSV; write an npz file")
    reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig")))
    header = [name.strip() for name in next(reader, [])]
    at = header.index("label") if "label" in header else None
    values: list[list[float]] = []
    labels: list[str] = []
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        try:
            if len(row) != len(header):
                raise ValueError(f"the row has {len(row)} columns, the header {len(header)}")
            values.append([float(cell) for k, cell in enumerate(row) if k != at])
        except ValueError as error:
            raise FileError(
                Problem("value", str(error), Mark(shown, reader.line_num, 1), "Features are numbers.")
            ) from None
        if at is not None:
            labels.append(row[at].strip())
    found = {"values": np.array(values, float).reshape(len(values), len(header) - (at is not None))}
    return found | ({"labels": np.array(labels)} if at is not None else {})


def rows(found: Mapping[str, np.ndarray], shown: str) -> int:
    """How many samples the arrays of a user's file are. Raises ``SetupError`` if they do not go together."""
    kinds = [name for name in ("values", "images", "cells") if name in found]
    wrong = ""
    for name, (kind, dimensions) in LAYOUT.items():
        array = found.get(name)
        if array is not None and (array.dtype.kind not in kind or array.ndim not in dimensions):
            wrong = f"{name} is {array.dtype} {array.shape}"
    if not wrong and len(kinds) != 1:
        wrong = f"it holds {' and '.join(kinds)}" if kinds else f"it holds {', '.join(found) or 'nothing'}"
    if not wrong and "cells" in found:
        missing = [name for name in ("times", "offsets") if name not in found]
        ends = found.get("offsets", np.zeros(0))
        if missing:
            wrong = f"it has cells, but no {' and no '.join(missing)}"
        elif not len(ends) or ends[0] != 0 or np.any(np.diff(ends.astype(np.int64)) < 0):
            wrong = "offsets must begin with 0 and never fall"
        elif not len(found["times"]) == len(found["cells"]) == ends[-1]:
            wrong = "offsets must end with the number of times, which is that of cells"
    if not wrong:
        count = len(found["offsets"]) - 1 if "cells" in found else len(found[kinds[0]])
        if len(found.get("labels", np.zeros(count))) == count:
            return count
        wrong = f"it has {count} samples and {len(found['labels'])} labels"
    raise SetupError(Problem("data", f"{shown} is not a file of samples that can be used: {wrong}", hint=_HINT))


def classes(found: Mapping[str, np.ndarray]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class of each sample, int32 [rows], and names of the classes; words are sorted, numbers count from 0."""
    given = found.get("labels")
    if given is None or not given.size:
        size = next((len(found[k]) for k in ("values", "images") if k in found), len(found.get("offsets", [0])) - 1)
        return np.zeros(size, np.int32), ()
    if given.dtype.kind == "U" and not all(word.isascii() and word.isdigit() and len(word) < 6 for word in given):
        names, labels = np.unique(given, return_inverse=True)
        return labels.astype(np.int32), tuple(map(str, names))
    numbers = given.astype(np.int64)
    if numbers.min() < 0 or numbers.max() > 99_999:
        raise SetupError(Problem("data", f"labels go from {numbers.min()} to {numbers.max()}", hint="Count from 0."))
    return numbers.astype(np.int32), tuple(str(k) for k in range(int(numbers.max()) + 1))
