"""The verbs ``sweep`` and ``estimate``."""

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
    library: Sequence[Path], measures: Sequence[str] = (),
) -> None:  # fmt: skip
    """Run all points, and say what came out and what failed."""
    import brainsim

    with Steps(f"sweep of {Path(experiment).stem}", "points") as progress:
        found = brainsim.sweep(
            experiment, values(over), overrides(sets), out, tuple(library), jobs=jobs, progress=progress,
            measures=tuple(measures),
        )  # fmt: skip
    means = found.means
    if means:
        _show(means, [path for path in found.paths if path != "run.seed"], found.measures)
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


def _show(means: Sequence[dict], paths: Sequence[str], asked: Sequence[str] = ()) -> None:
    """Means of the measures asked for, or of the first, with their confidence intervals."""
    names = [name for name in means[0] if name not in (*paths, "n") and not name.endswith((".sd", ".ci95"))]
    names = sorted(names, key=lambda name: next((k for k, first in enumerate(_FIRST) if name.startswith(first)), 9))
    names = [*asked, *(name for name in names if name not in asked)][: max(_SHOWN, len(asked))]

    def cell(row: dict, name: str) -> str:
        if name not in row:
            return "-"
        ci = row.get(f"{name}.ci95")
        return f"{row[name]:.4g}" + (f" +- {ci:.2g}" if ci is not None else "")

    rows = [[*(str(row[path]) for path in paths), str(row["n"]), *(cell(row, name) for name in names)] for row in means]
    say(table((*paths, "n", *names), rows, right=("n", *names)))
    say("Means over seeds, +- half of the 95 % confidence interval." if means[0]["n"] > 1 else "One seed a row.")


def estimate(experiment: str, over: Sequence[str], sets: Sequence[str], probe: bool, library: Sequence[Path]) -> None:
    """Sizes, memory, disk and time, a line each."""
    import brainsim
    from brainsim.backends.cost import in_words
    from brainsim.backends.room import free_disk, memory, size_in_words

    found = brainsim.estimate(experiment, overrides(sets), values(over), tuple(library), probe)
    shown = f"{found.trials:,} samples, " if found.trials else ""
    rows = [
        ("model time", f"{shown}{found.model_time:,.6g} s in {found.steps:,.0f} steps of {found.dt * 1e3:g} ms"),
        ("cells", f"{found.cells:,}"),
        ("synapses", f"{found.synapses:,.0f}"),
        ("memory", f"about {size_in_words(found.memory)}, of {size_in_words(memory())} here"),
        ("disk", f"about {size_in_words(found.disk * found.points)}, of {size_in_words(free_disk(Path.cwd()))} free"),
        ("backend", f"{found.backend}: {found.reason}"),
    ]
    if found.objects:
        first = (
            f"{found.objects} pieces of code, about {in_words(found.compile_time)} the first time, then from the cache"
        )
        rows.append(("compiling", first))
    if found.build_time >= 1:
        rows.append(("building", f"about {in_words(found.build_time)}"))
    known = f"measured on {found.probe:.3g} s of model time" if found.probe else "from sizes; --probe measures"
    rows.append(("time", f"about {in_words(found.run_time)} ({known})"))
    if found.points > 1:
        rows.append(("sweep", f"{found.points:,} points, about {in_words(found.total_time)} on one core"))
    say(f"{found.name}", style="bold")
    say(table(("", ""), rows))
