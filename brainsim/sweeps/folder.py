"""A sweep and its folder: begun once, taken up again as often as needed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from brainsim.errors import FitError, Problem, RunError
from brainsim.overrides import Given
from brainsim.record import checkpoint
from brainsim.record.disk import write_atomically
from brainsim.runs import points
from brainsim.runs.folder import make_folder
from brainsim.runs.measures import check_names
from brainsim.runs.prepare import Prepared, check_points, find, prepare
from brainsim.sweeps import table
from brainsim.sweeps.work import Engine, Job, do, local, status

Progress = Callable[[int, int, int], None]
_FILE = "sweep.json"
#: Memory a process takes before it has a network, bytes.
_PROCESS = 3e8


class Sweep:
    """A sweep folder: what was asked for, and what has come of it so far.

    ``sweep.json`` holds the points, ``points/<number>`` their run folders, ``table.csv``, ``means.csv`` and
    ``table.h5`` the numbers. Raises ``FitError`` if the folder is no sweep.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            self._asked = json.loads((self.folder / _FILE).read_text(encoding="utf-8"))
            self.points: list[dict[str, Any]] = [dict(point) for point in self._asked["points"]]
        except (OSError, ValueError, KeyError, TypeError):
            message = f"{self.folder} holds no sweep that can be read"
            raise FitError(Problem("path", message, None, "brainsim sweep EXPERIMENT begins one.")) from None

    @property
    def paths(self) -> list[str]:
        """Dotted paths that vary."""
        return table.columns(self.points)

    def point_folder(self, number: int) -> Path:
        """Run folder of a point; numbers count from 1."""
        return self.folder / "points" / f"{number:0{len(str(len(self.points)))}d}"

    @property
    def rows(self) -> list[table.Row]:
        """A row a point: its values, ``status`` and, if it has run, its numbers."""
        found = []
        for number, point in enumerate(self.points, start=1):
            summary = status(self.point_folder(number))
            row = {"point": number, **point, "status": summary["status"] or "to do"}
            found.append(row | table.measures(self.point_folder(number), summary, self.measures))
        return found

    @property
    def measures(self) -> list[str]:
        """Further measures that were asked for, by name: columns of the table."""
        return list(self._asked.get("measures", ()))

    def measure(self, names: Sequence[str]) -> Sweep:
        """Have these in the table (see :meth:`brainsim.Results.measure`); raises ``FitError`` for a wrong name."""
        check_names(names, self._prepared.plan)
        self._asked["measures"] = list(names)
        write_atomically(self.folder / _FILE, json.dumps(self._asked, indent=1, ensure_ascii=False) + "\n")
        return self

    @property
    def means(self) -> list[table.Row]:
        """Mean, ``.sd`` and ``.ci95`` over seeds of the complete points, and how many there are, ``n``."""
        return table.means(self.rows, self.paths)

    @property
    def failed(self) -> dict[int, list[str]]:
        """Number of each point that failed -> its problems."""
        every = {n: status(self.point_folder(n)) for n in range(1, len(self.points) + 1)}
        return {n: list(s.get("problems") or ["see its run.log"]) for n, s in every.items() if s["status"] == "failed"}

    @property
    def complete(self) -> bool:
        """Whether every point has run to its end."""
        return not self._todo()

    def _todo(self) -> list[int]:
        every = range(1, len(self.points) + 1)
        return [number for number in every if status(self.point_folder(number))["status"] != "complete"]

    def write_table(self) -> None:
        """Write the tables anew from the run folders."""
        rows = self.rows
        table.write(self.folder, rows, table.means(rows, self.paths))

    def run(self, jobs: int | None = None, progress: Progress | None = None, engine: Engine | None = None) -> Sweep:
        """Do what is left to do: points that have not run, were stopped, or failed; from their checkpoints if they can.

        Parameters
        ----------
        jobs
            Processes; by default as many as cores, fewer if memory is short.
        progress
            Called with the numbers of points that have ended, of all, and of those that failed.
        engine
            Does the jobs somewhere else.
        """
        self._check_files()
        todo = self._todo()
        goes_on = {number for number in todo if _goes_on(self.point_folder(number))}
        for number in todo:
            if number not in goes_on:
                _put_aside(self.point_folder(number))
        asked = self._asked
        work = [
            Job(n, asked["experiment"], {**asked["set"], **self.points[n - 1]}, tuple(asked["library"]),
                self.point_folder(n).absolute(), n in goes_on)
            for n in todo
        ]  # fmt: skip
        done, failed = len(self.points) - len(todo), 0
        tell = progress or (lambda *_: None)
        tell(done, len(self.points), failed)
        try:
            for number in (engine or partial(local, workers=jobs or self._workers()))(work, do):
                ended = status(self.point_folder(number))["status"]
                if ended == "stopped":  # by Ctrl-C, which was meant for all of them
                    break
                done += 1
                failed += ended == "failed"
                tell(done, len(self.points), failed)
        finally:
            self.write_table()
        return self

    @cached_property
    def _prepared(self) -> Prepared:
        """The experiment at the first point."""
        asked = self._asked
        return prepare(asked["experiment"], {**asked["set"], **self.points[0]}, library=tuple(asked["library"]))

    def _check_files(self) -> None:
        """Half a sweep of one model and half of another would be worthless."""
        now = _files(self._prepared)
        changed = [path for path, known in self._asked["files"].items() if now.get(path) != known]
        if changed:
            message = f"{', '.join(changed)} changed since this sweep began"
            hint = "Begin a new sweep; the points of this one stay in its folder."
            raise FitError(Problem("path", message, None, hint))

    def _workers(self) -> int:
        import joblib

        from brainsim.backends import cost, room

        memory = _PROCESS + sum(need.memory for need in cost.needs(self._prepared.plan))
        return max(1, min(joblib.cpu_count(), int(0.8 * room.memory() / memory)))


def sweep(
    experiment: str | os.PathLike[str],
    over: Mapping[str, Sequence[Any]] | None = None,
    set: Mapping[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    library: Sequence[str | os.PathLike[str]] = (),
    jobs: int | None = None,
    progress: Progress | None = None,
    engine: Engine | None = None,
    measures: Sequence[str] = (),
) -> Sweep:
    """Run an experiment at every point of its ``sweep:``; ``brainsim.sweep``.

    Parameters
    ----------
    experiment
        Path of a YAML file, name of an experiment, YAML text, or the folder of a sweep, which is then taken up again.
    over
        Dotted path -> values, in addition to those of the file: ``{"run.seed": [1, 2, 3]}``. All combinations are run.
    set
        Dotted path -> value, for every point.
    out
        Folder of the sweep; it must be empty. By default ``runs/<experiment>-sweep-<date>-<time>``.
    library
        Folders with parts of your own, searched first.
    jobs, progress, engine
        See :meth:`Sweep.run`.
    measures
        Further columns of the table by name, such as ``rate_hz[exc]@last 5 s``: see :meth:`brainsim.Results.measure`.
        They can be given, or changed, for a sweep that has run.

    Raises
    ------
    FileError, FitError
        The model is wrong, or does not take one of the values; nothing was run. A point that fails while it runs raises
        nothing: it is in ``Sweep.failed``, and runs again when the sweep is taken up.
    """
    if not (isinstance(experiment, str) and "\n" in experiment) and (Path(experiment) / _FILE).is_file():
        changes = {"over": over, "set": set, "out": out, "library": library}
        if given := [name for name, value in changes.items() if value]:
            hint = "Begin a new sweep with it."
            raise FitError(Problem("value", f"a sweep that is taken up again cannot change {given[0]}", None, hint))
        found = Sweep(experiment)
        return (found.measure(measures) if measures else found).run(jobs, progress, engine)
    tree, shelf, path = find(experiment, library)
    listed = points.points(points.declared(tree, shelf), over or {})
    check_points(experiment, listed, set, library)
    prepared = prepare(experiment, {**(set or {}), **listed[0]}, library=library)
    check_names(measures, prepared.plan)
    folder = make_folder(f"{prepared.plan.name}-sweep", None if out is None else Path(out), _FILE)
    asked = {
        "experiment": str(path.absolute()) if path is not None else os.fspath(experiment),
        "name": prepared.plan.name,
        "set": dict(set or {}),
        "library": [str(Path(one).absolute()) for one in library],
        "points": [{name: value.value for name, value in point.items()} for point in listed],
        "files": _files(prepared),
        "measures": list(measures),
    }
    write_atomically(folder / _FILE, json.dumps(asked, indent=1, ensure_ascii=False, default=_plain) + "\n")
    return Sweep(folder).run(jobs, progress, engine)


def _files(prepared: Prepared) -> dict[str, str]:
    """Every file the model was read from -> SHA-256 of what was in it."""
    found = {str(file.path): file.sha256 for file in prepared.library.files}
    if prepared.path is not None:
        found[str(prepared.path.absolute())] = hashlib.sha256(prepared.path.read_bytes()).hexdigest()
    return found


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Given) else value.item() if hasattr(value, "item") else str(value)


def _goes_on(folder: Path) -> bool:
    """Whether an attempt left a checkpoint that can be read."""
    try:
        checkpoint.read(folder)
    except RunError:
        return False
    return status(folder)["status"] != "failed"


def _put_aside(folder: Path) -> None:
    """An attempt that did not end well makes room for the next, and is kept."""
    if not folder.exists():
        return
    number = 1
    while (aside := folder.with_name(f"{folder.name}-attempt-{number}")).exists():
        number += 1
    os.replace(folder, aside)
