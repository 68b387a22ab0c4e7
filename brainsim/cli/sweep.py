"""The verb ``sweep``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from brainsim.cli.console import say, table, tell
from brainsim.cli.progress import Steps
from brainsim.cli.run import overrides
from brainsim.errors import FileError, Problem, RunError

#: Columns of means that are shown, if there are any, before all others.
_FIRST = ("accuracy_ties_wrong", "accuracy_argmax", "rate_hz")
_SHOWN = 4


def values(items: Sequence[str]) -> dict[str, list[str]]:
    """``["run.seed=1,2"]`` -> ``{"run.seed": ["1", "2"]}``; raises FileError for an item without ``=``."""
    wrong = [item for item in items if not item.partition("=")[0].strip() or not item.partition("=")[2].strip(", ")]
    if wrong:
        hint = 'Write --over PATH=A,B, for example --over run.seed=1,2,3 or --over "cortex_to_d1.delay=1 ms, 2 ms".'
        raise FileError([Problem("value", f"--over {item} is not PATH=A,B,...", None, hint) for item in wrong])
    pairs = (item.partition("=") for item in items)
    return {path.strip(): [one.strip() for one in text.split(",") if one.strip()] for path, _, text in pairs}


def sweep(
    experiment: str, over: Sequence[str], sets: Sequence[str], jobs: int | None, out: Path | None,
    library: Sequence[Path],
) -> None:  # fmt: skip
    """Run all points, and say what came out and what failed."""
    import brainsim

    with Steps(f"sweep of {Path(experiment).stem}", "points") as progress:
        found = brainsim.sweep(
            experiment, values(over), overrides(sets), out, tuple(library), jobs=jobs, progress=progress
        )
    means = found.means
    if means:
        _show(means, [path for path in found.paths if path != "run.seed"])
    for number, problems in found.failed.items():
        tell(f"point {number} failed: {problems[0].splitlines()[0]}", style="red")
        tell(f"    See {found.point_folder(number)}.")
    say(f"Tables: {found.folder / 'table.csv'}, means.csv, table.h5")
    if found.failed:
        failed, all_ = len(found.failed), len(found.points)
        hint = f"brainsim sweep {found.folder} runs them again; the others stay."
        raise RunError(Problem("sweep", f"{failed} of {all_} points failed", None, hint))
    if not found.complete:
        tell(f"Some points were stopped: brainsim sweep {found.folder} goes on.")
        raise KeyboardInterrupt


def _show(means: Sequence[dict], paths: Sequence[str]) -> None:
    """Means of the first measures with their confidence intervals."""
    names = [name for name in means[0] if name not in (*paths, "n") and not name.endswith((".sd", ".ci95"))]
    names = sorted(names, key=lambda name: next((k for k, first in enumerate(_FIRST) if name.startswith(first)), 9))
    names = names[:_SHOWN]

    def cell(row: dict, name: str) -> str:
        if name not in row:
            return "-"
        ci = row.get(f"{name}.ci95")
        return f"{row[name]:.4g}" + (f" +- {ci:.2g}" if ci is not None else "")

    rows = [[*(str(row[path]) for path in paths), str(row["n"]), *(cell(row, name) for name in names)] for row in means]
    say(table((*paths, "n", *names), rows, right=("n", *names)))
    say("Means over seeds, +- half of the 95 % confidence interval." if means[0]["n"] > 1 else "One seed a row.")
