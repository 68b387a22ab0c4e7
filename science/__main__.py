"""``make science``: run what is missing, keep the numbers, write the page. ``python -m science [ROW ...]``.

Every row is a sweep below ``runs/science`` and is taken up where it was left, also after being killed. What came out
goes to ``science/results/<row>.json``, from which ``docs/science.md`` is written.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import brainsim
from brainsim.errors import BrainsimError, FitError, nearest
from brainsim.sweeps import table
from science import figures, page
from science.rows import RESULTS, Row, read

RUNS = Path("runs") / "science"


def sweep(row: Row, jobs: int | None) -> brainsim.Sweep:
    """Run the sweep of a row, or what is left of it. One whose files have changed stays, and another is begun."""
    more: dict = {"measures": row.further} if row.further else {}
    asked = json.dumps([row.experiment, row.set, row.over], sort_keys=True)
    folder = RUNS / f"{row.name}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"

    def tell(done: int, total: int, failed: int) -> None:
        print(f"{row.name}: {done} of {total} points" + (f", {failed} failed" if failed else ""), flush=True)

    if folder.exists():
        try:
            return brainsim.sweep(folder, jobs=jobs, progress=tell, **more)
        except FitError as error:
            print(f"{row.name}: {error.problems[0].message}: beginning anew", flush=True)
            folder.rename(folder.with_name(f"{folder.name}-until-{time.strftime('%Y%m%d-%H%M%S')}"))
    return brainsim.sweep(row.experiment, row.over, row.set, folder, jobs=jobs, progress=tell, **more)


def _counts(one: dict[str, Any]) -> bool:
    """Whether a point has something to tell: it is complete, or was stopped after some of its rounds."""
    return one["status"] == "complete" or bool(one.get("rounds"))


def _curve(found: brainsim.Sweep, one: dict[str, Any]) -> dict[str, Any]:
    """Accuracy by round of a point, ties wrong."""
    by_phase = brainsim.open(found.point_folder(one["point"])).summary["readout"]["rounds"]
    return {"point": one["point"]} | {
        phase: [round(value, 4) for value in numbers["accuracy_ties_wrong"]] for phase, numbers in by_phase.items()
    }


def keep(row: Row, found: brainsim.Sweep) -> None:
    """Write the numbers of a row, with where they come from."""
    columns = [row.measure, *row.beside]
    rows = [one for one in found.rows if _counts(one)]
    for one in rows:
        if one["status"] != "complete":
            one["run_s"] = None  # of a part of the run
    points = [
        {"values": {path: one[path] for path in found.paths}}
        | {name: one.get(name) for name in (*columns, "run_s", "total_s")}
        | ({} if one["status"] == "complete" else {"stopped": True})
        for one in rows
    ]
    histograms = [
        {"values": one["values"], "counts": histogram(row, brainsim.open(found.point_folder(number)))}
        for number, one in enumerate(points, start=1)
        if row.histogram and found.complete and one["values"].get("run.seed") == points[0]["values"].get("run.seed")
    ]
    first = brainsim.open(found.point_folder(1)).provenance
    content = {
        "row": row.name,
        "command": row.command,
        "points": points,
        "means": [{k: v for k, v in m.items()
                   if k.removesuffix(".ci95").removesuffix(".sd") in (*columns, "run_s", "n", *found.paths)}
                  for m in table.means([one | {"status": "complete"} for one in rows], found.paths)],
        **({"histograms": histograms} if histograms else {}),
        **({"curves": curves} if (curves := [_curve(found, one) for one in rows if one.get("rounds")]) else {}),
        "versions": first.get("versions"),
        "machine": first.get("machine"),
        "backend": first.get("backend"),
        "data": first.get("data"),
        "day": time.strftime("%Y-%m-%d"),
    }  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{row.name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def histogram(row: Row, results: brainsim.Results) -> list[int]:
    """How many weights lie in each of the bins of a row, after the run."""
    path, _, variable = row.histogram["of"].rpartition(".")
    edges = np.linspace(row.histogram["low"], row.histogram["high"], row.histogram["bins"] + 1)
    return np.histogram(results.weights(path).after[variable], edges)[0].tolist()


def main() -> int:
    """Number of rows that could not be finished."""
    rows, _ = read()
    parser = argparse.ArgumentParser(prog="python -m science", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(rows)}; all if left out")
    parser.add_argument("--jobs", type=int, help="runs at a time; as many as cores if left out")
    parser.add_argument("--page", action="store_true", help="only write docs/science.md and its figures")
    wanted = parser.parse_args()
    for name in wanted.rows:
        if name not in rows:
            parser.error(f"there is no row {name}; did you mean {nearest(name, rows) or next(iter(rows))}?")
    missing = 0
    for row in () if wanted.page else [rows[name] for name in wanted.rows or rows]:
        print(
            f"{row.name}: {row.title}" + (f", about {row.hours:g} hours of one core" if row.hours else ""), flush=True
        )
        try:
            found = sweep(row, wanted.jobs)
        except BrainsimError as error:
            print(error, file=sys.stderr)
            missing += 1
            continue
        if not found.complete:
            for number, problems in found.failed.items():
                print(f"{row.name}, point {number}: {problems[0]}", file=sys.stderr)
            missing += 1
        if any(map(_counts, found.rows)):
            keep(row, found)
    figures.write()
    page.write()
    print(f"Page: {page.PAGE}")
    return missing


if __name__ == "__main__":
    sys.exit(min(main(), 100))
