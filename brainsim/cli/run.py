"""The verbs ``run`` and ``report``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainsim.cli.console import say, table, tell, width
from brainsim.cli.progress import Progress, duration
from brainsim.errors import FileError, Problem

if TYPE_CHECKING:
    from brainsim.runs.results import Results


def overrides(items: Sequence[str]) -> dict[str, str]:
    """``["run.seed=2"]`` -> ``{"run.seed": "2"}``; raises FileError for an item without ``=``."""
    wrong = [item for item in items if not item.partition("=")[0].strip() or "=" not in item]
    if wrong:
        hint = 'Write --set PATH=VALUE, for example --set run.seed=2 or --set "cortex_to_d1.delay=2 ms".'
        raise FileError([Problem("value", f"--set {item} is not PATH=VALUE", None, hint) for item in wrong])
    return {path.strip(): value.strip() for path, _, value in (item.partition("=") for item in items)}


def run(
    experiment: str, sets: Sequence[str], seed: int | None, backend: str | None, out: Path | None,
    library: Sequence[Path], with_report: bool, with_raster: bool, resume: bool = False,
) -> None:  # fmt: skip
    """Run, write the report, and say what came out."""
    import brainsim

    values = overrides(sets)
    if resume and (values or out or library or seed is not None or backend):
        hint = f"brainsim run {experiment} --resume"
        raise FileError([Problem("value", "a run that goes on cannot be changed", None, f"Say only: {hint}")])
    with Progress(Path(experiment).stem) as progress:
        results = brainsim.run(
            experiment, set=values, seed=seed, backend=backend, out=out, library=tuple(library), progress=progress,
            resume=resume,
        )  # fmt: skip
        if with_report:
            progress.phase("writing the report")
            written = _write_report(results.folder)
    for note in (*results.summary.get("notes", ()), *_sweep_left(experiment, library)):
        tell(f"note: {note}", style="yellow")
    if with_raster:
        _raster(results)
    _summary(results.summary)
    say(f"Results: {results.folder}")
    if with_report:
        say(f"Report:  {written}")
    if (results.folder / "checkpoint.h5").exists():
        tell(f"It can go on from round {results.summary['rounds']['done']}: brainsim run {results.folder} --resume")
    if results.summary["status"] == "stopped":
        # What was recorded up to here is kept and readable; the exit code still says that it is not all.
        raise KeyboardInterrupt


def _sweep_left(experiment: str, library: Sequence[Path]) -> list[str]:
    """That a file has a sweep, which a single run leaves aside."""
    from brainsim.runs import points, prepare

    tree, shelf, _ = prepare.find(experiment, tuple(library))
    declared = points.declared(tree, shelf)
    if declared is None:
        return []
    count = len(points.points(declared, {}))
    return [f"the file has a sweep of {count} points, which this was none of: brainsim sweep {experiment} runs them"]


def report(folder: Path, raster: Path | None) -> None:
    """Write the report of a run again, and its raster as an image if a file for it is given."""
    if raster is not None:
        import brainsim
        from brainsim.plots import raster_png

        say(f"Raster: {raster_png(brainsim.open(folder), raster)}")
    say(f"Report: {_write_report(folder)}")


def _write_report(folder: Path) -> Path:
    from brainsim import report

    return Path(report.write(folder))


def _summary(summary: Mapping[str, Any]) -> None:
    """Accuracy, rates and times of a run, from its summary.json."""
    times = summary.get("times", {})
    parts = [
        f"{name.removesuffix('_s')} {duration(times[name])}" for name in times if times[name] and times[name] >= 0.05
    ]
    how = f"{summary['backend']}, seed {summary['seed']}"
    took = f" ({', '.join(parts)})" if parts else ""
    head = f"{summary['experiment']}: {summary['status']}, {summary['model_time_s']:g} s of model time on {how}{took}"
    say(head, style="bold")
    readout = summary.get("readout") or {}
    if readout.get("accuracy_argmax") is not None:
        say(
            f"Accuracy {100 * readout['accuracy_ties_wrong']:.1f} % (ties count as wrong), "
            f"{100 * readout['accuracy_argmax']:.1f} % (first of a tie), "
            f"on {readout['n_test']} test samples, {readout['n_silent']} of them without a spike.",
            style="bold green",
        )
    for name, words in (
        ("best", "Best round (by the test itself)"),
        ("chosen", "Round chosen on the validation split"),
    ):
        if one := readout.get(name):
            wrong, first = 100 * one["accuracy_ties_wrong"], 100 * one["accuracy_argmax"]
            say(f"{words}: {one['round'] + 1}, {wrong:.2f} % ({first:.2f} % with the first of a tie).")
    rows = [
        (path, f"{one['size']:,}", number(one.get("spikes"), ",", ""), number(one.get("rate_hz"), ".3g", " Hz"))
        for path, one in summary.get("populations", {}).items()
    ]
    if rows:
        say(table(("population", "cells", "spikes", "rate"), rows, right=("cells", "spikes", "rate")))


def number(value: float | None, form: str, unit: str) -> str:
    """A number with its unit; ``-`` for what was not recorded, or not reached by a run that was stopped."""
    return "-" if value is None else f"{value:{form}}{unit}"


def _raster(results: Results) -> None:
    """Spikes of the last second, of every population whose spikes were recorded."""
    from brainsim.plots import raster_text

    populations, stop = results.summary["populations"], results.summary["model_time_s"]
    spikes = {path: results.spikes(path) for path in results.spike_paths if path in populations}
    if spikes and stop:
        sizes = {path: populations[path]["size"] for path in spikes}
        ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
        say(raster_text(spikes, sizes, max(0.0, stop - 1.0), stop, width=min(width(), 100), ascii_only=ascii_only))
