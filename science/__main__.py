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

import brainsim
from brainsim.errors import BrainsimError, FitError, nearest
from science import page
from science.rows import RESULTS, Row, read

RUNS = Path("runs") / "science"


def sweep(row: Row, jobs: int | None) -> brainsim.Sweep:
    """Run the sweep of a row, or what is left of it. One whose files have changed stays, and another is begun."""
    asked = json.dumps([row.experiment, row.set, row.over], sort_keys=True)
    folder = RUNS / f"{row.name}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"

    def tell(done: int, total: int, failed: int) -> None:
        print(f"{row.name}: {done} of {total} points" + (f", {failed} failed" if failed else ""), flush=True)

    if folder.exists():
        try:
            return brainsim.sweep(folder, jobs=jobs, progress=tell)
        except FitError as error:
            print(f"{row.name}: {error.problems[0].message}: beginning anew", flush=True)
            folder.rename(folder.with_name(f"{folder.name}-until-{time.strftime('%Y%m%d-%H%M%S')}"))
    return brainsim.sweep(row.experiment, row.over, row.set, folder, jobs=jobs, progress=tell)


def keep(row: Row, found: brainsim.Sweep) -> None:
    """Write the numbers of a row, with where they come from."""
    columns = [row.measure, *row.beside]
    points = [
        {"values": {path: one[path] for path in found.paths}}
        | {name: one.get(name) for name in (*columns, "run_s", "total_s")}
        for one in found.rows
        if one["status"] == "complete"
    ]
    first = brainsim.open(found.point_folder(1)).provenance
    content = {
        "row": row.name,
        "command": row.command,
        "points": points,
        "means": [{k: v for k, v in m.items() if k.split(".")[0] in (*columns, "run_s") or k == "n" or k in found.paths}
                  for m in found.means],
        "versions": first.get("versions"),
        "machine": first.get("machine"),
        "backend": first.get("backend"),
        "data": first.get("data"),
        "day": time.strftime("%Y-%m-%d"),
    }  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{row.name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def main() -> int:
    """Number of rows that could not be finished."""
    rows, _ = read()
    parser = argparse.ArgumentParser(prog="python -m science", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(rows)}; all if left out")
    parser.add_argument("--jobs", type=int, help="runs at a time; as many as cores if left out")
    parser.add_argument("--page", action="store_true", help="only write docs/science.md")
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
        if found.means:
            keep(row, found)
    page.write()
    print(f"Page: {page.PAGE}")
    return missing


if __name__ == "__main__":
    sys.exit(min(main(), 100))
