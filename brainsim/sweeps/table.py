"""One tidy table out of many run folders: a row a point, and means with confidence intervals over seeds."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainsim.errors import BrainsimError
from brainsim.record.disk import new_hdf5, write_atomically
from brainsim.runs.results import Results

Row = dict[str, Any]

#: What points that differ in nothing else are averaged over.
SEED = "run.seed"
#: Numbers of a readout that make a column.
_READOUT = ("accuracy_ties_wrong", "accuracy_argmax", "n_test", "n_silent", "n_tied", "n_silent_cells")


def measures(folder: Path, summary: Mapping[str, Any], further: Sequence[str] = ()) -> Row:
    """Numbers of one run: accuracy, rates and spike counts, weights after learning, seconds; and those asked for."""
    found: Row = {}
    readout = summary.get("readout") or {}
    found |= {name: readout[name] for name in _READOUT if readout.get(name) is not None}
    for name in ("best", "chosen", "last 10"):
        if isinstance(one := readout.get(name), dict):
            found |= {f"{key}[{name}]": one[key] for key in _READOUT if one.get(key) is not None}
            if "round" in one:
                found[f"round[{name}]"] = one["round"] + 1
    if isinstance(done := summary.get("rounds"), dict):
        found["rounds"] = done["done"]
    for path, one in (summary.get("populations") or {}).items():
        if one.get("spikes") is not None:
            found |= {f"rate_hz[{path}]": one.get("rate_hz"), f"spikes[{path}]": one["spikes"]}
    if summary.get("status") == "complete":
        try:
            results = Results(folder)
            for path in results.weight_paths:
                for name, values in results.weights(path).after.items():
                    finite = np.asarray(values, float)[np.isfinite(values)]
                    if finite.size:
                        found |= {f"mean[{path}.{name}]": finite.mean(), f"sd[{path}.{name}]": finite.std()}
            for name in further:
                value = results.measure(name)
                found[name] = value if math.isfinite(value) else None
        except BrainsimError:  # a damaged file leaves a gap, the other points stand
            pass
    times = summary.get("times") or {}
    found["run_s"] = times.get("run_s")
    found["total_s"] = times.get("total_s")
    return {name: value for name, value in found.items() if value is not None}


def means(rows: Sequence[Row], paths: Sequence[str]) -> list[Row]:
    """Mean, standard deviation and 95 % confidence interval of each measure over the seeds of a point.

    ``<measure>.ci95`` is half the width of the interval of Student's t: in 95 of 100 such sweeps the mean is no farther
    from what infinitely many seeds would give. It is left out for a single seed. Only complete runs count, and ``n``
    says how many those are.
    """
    from scipy import stats

    by = [path for path in paths if path != SEED]
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        if row["status"] == "complete":
            groups.setdefault(tuple(repr(row.get(path)) for path in by), []).append(row)
    found = []
    for members in groups.values():
        mean: Row = {path: members[0].get(path) for path in by} | {"n": len(members)}
        for name in columns(members):
            values = [row[name] for row in members if isinstance(row.get(name), int | float)]
            if name in (*paths, "point", "folder", "status") or not values:
                continue
            mean[name] = float(np.mean(values))
            if len(values) > 1:
                sd = float(np.std(values, ddof=1))
                mean[f"{name}.sd"] = sd
                mean[f"{name}.ci95"] = float(stats.t.ppf(0.975, len(values) - 1)) * sd / math.sqrt(len(values))
        found.append(mean)
    return found


def columns(rows: Sequence[Row]) -> list[str]:
    """Names of all columns, in the order in which they first appear."""
    return list(dict.fromkeys(name for row in rows for name in row))


def write(folder: Path, rows: Sequence[Row], averaged: Sequence[Row]) -> None:
    """``table.csv``, ``means.csv``, and both in ``table.h5`` with a dataset a column."""
    write_atomically(folder / "table.csv", _csv(rows))
    write_atomically(folder / "means.csv", _csv(averaged))
    with new_hdf5(folder / "table.h5") as file:
        for name in list(file.attrs):  # those say that a file holds spikes
            del file.attrs[name]
        for group, table in (("table", rows), ("means", averaged)):
            for name in columns(table):
                values = [row.get(name) for row in table]
                numeric = all(value is None or isinstance(value, int | float) for value in values)
                data: Any = np.array([math.nan if v is None else float(v) for v in values]) if numeric else [
                    "" if value is None else str(value) for value in values
                ]  # fmt: skip
                file.create_dataset(f"{group}/{name.replace('/', '_')}", data=data)


def _csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(rows), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
