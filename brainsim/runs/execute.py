"""Runs an experiment: check, plan, load, choose a backend, run, read out, save."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from brainsim import provenance
from brainsim.compose.plan import Plan
from brainsim.datasets import Samples
from brainsim.errors import BrainsimError, Problem, RunError
from brainsim.record import Recorder
from brainsim.runs import decide, phases, weights
from brainsim.runs import samples as shown
from brainsim.runs.folder import RUNS, RunFolder, model_yaml, plain
from brainsim.runs.phases import Schedule
from brainsim.runs.prepare import Prepared, prepare
from brainsim.runs.results import Results

Progress = Callable[[float, float, Mapping[str, float]], None]


class Stopwatch:
    """Wall and CPU seconds of each stage; CPU time counts the programs that were started."""

    def __init__(self) -> None:
        self.began = self._now()
        self.start = datetime.now().astimezone().isoformat(timespec="seconds")
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), sum(os.times()[:4])

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        wall, cpu = self._now()
        try:
            yield
        finally:
            now = self._now()
            self.wall[name] = self.wall.get(name, 0.0) + now[0] - wall
            self.cpu[name] = self.cpu.get(name, 0.0) + now[1] - cpu

    def report(self) -> dict[str, Any]:
        """Everything so far, for the provenance."""
        now = self._now()
        return {
            "start": self.start,
            "end": datetime.now().astimezone().isoformat(timespec="seconds"),
            "wall_s": {**self.wall, "total": now[0] - self.began[0]},
            "cpu_s": {**self.cpu, "total": now[1] - self.began[1]},
        }


def run(
    experiment: str | os.PathLike[str],
    set: Mapping[str, Any] | None = None,
    seed: int | None = None,
    backend: str | None = None,
    out: str | os.PathLike[str] | None = None,
    library: Sequence[str | os.PathLike[str]] = (),
    progress: Progress | None = None,
) -> Results:
    """Run an experiment and return its results; ``brainsim.run``.

    Parameters
    ----------
    experiment
        Path of a YAML file, name of an experiment of the library, or YAML text.
    set
        Dotted path -> value: ``{"cortex_to_d1.delay": "2 ms", "data.train": 500}``. Wins over all else.
    seed, backend
        Short for ``run.seed`` and ``run.backend``.
    out
        Run folder; it must be empty. By default ``runs/<experiment>-<date>-<time>``.
    library
        Folders with parts of your own, searched first.
    progress
        Called a few times a second with model time and its total in seconds, and rates in Hz by path.

    Returns
    -------
    Results
        Its ``status`` is ``stopped`` after Ctrl-C; what was recorded until then is there.

    Raises
    ------
    FileError, FitError
        The model is wrong; nothing was run and there is no run folder.
    SetupError
        The machine lacks a compiler, a data set, or space on disk.
    RunError
        The run failed. Its folder stays, with ``run.log``.
    """
    watch = Stopwatch()
    with watch.stage("check"):
        prepared = prepare(experiment, set, seed, backend, library)
    plan = prepared.plan
    with watch.stage("load"):
        from brainsim import backends  # only now: Brian2 takes seconds to import

        backends.room.check(plan, Path(RUNS if out is None else out))
        samples, notes = shown.load(plan, prepared.root)
        trials = phases.schedule(plan, samples)
        saved = weights.saved_values(plan, prepared.root)
        name, reason = ("", "asked for") if plan.backend != "auto" else backends.choose(plan, samples)
        backends.require(name or plan.backend)
    job = _Job(prepared, samples, trials, saved, name or plan.backend, reason, watch, RunFolder(plan.name, out))
    job.notes += notes
    if name and name != backends.best(plan)[0]:
        job.notes.append(f"auto chose {name}: {reason}")
    return job.run(backends, progress or (lambda *_: None))


class _Job:
    """One run, from the moment it has a folder."""

    def __init__(
        self,
        prepared: Prepared,
        samples: Samples | None,
        trials: Schedule,
        saved: Mapping[tuple[str, str], Any],
        backend: str,
        reason: str,
        watch: Stopwatch,
        folder: RunFolder,
    ):
        self.prepared, self.plan, self.samples, self.trials = prepared, prepared.plan, samples, trials
        self.saved = saved  # values taken from an earlier run
        self.backend, self.reason, self.watch, self.folder = backend, reason, watch, folder
        self.notes = list(prepared.notes)
        self.readout: dict[str, Any] | None = None
        self.model_time = 0.0
        self.provenance: dict[str, Any] = {}
        # A run of this very file must not choose anew: auto may choose differently elsewhere.
        self.resolved = plain(prepared.circuit.resolved)
        self.resolved["run"] = {**(self.resolved.get("run") or {}), "backend": backend}
        self.recorder = Recorder(folder.path)

    def run(self, backends: Any, progress: Progress) -> Results:
        status, problem = "failed", None
        try:
            self._describe()
            for path in (w.path for w in self.plan.watches if w.kind == "spikes"):
                self.recorder.spikes(path, [], [])  # recorded, also if no spike comes
            outcome = self._simulate(backends, progress)
            with self.watch.stage("save"):
                self._trials(outcome.completed)
                self.recorder.finish()
            status = "complete" if outcome.completed else "stopped"
        except KeyboardInterrupt:
            status = "stopped"
            self._rescue()
        except BrainsimError as error:
            problem = error
            self._rescue()
            raise
        except Exception as error:
            # Brian2 and numpy speak of things the user never wrote; the log has the whole story.
            problem = RunError(
                Problem("backend", f"the run failed: {_first_line(error)}", hint=f"See {self._log_name}.")
            )
            with suppress(BrainsimError):
                self.folder.log(traceback.format_exc())
            self._rescue()
            raise problem from error
        finally:
            self._finish(status, problem)
        return Results(self.folder.path)

    @property
    def _log_name(self) -> str:
        return f"{self.folder.path}/run.log"

    def _describe(self) -> None:
        """Write down what is run before it runs."""
        from brainsim import script

        plan, folder = self.plan, self.folder
        folder.write_text("model.yaml", model_yaml(self.resolved, plan.name))
        folder.write_text("script.py", script.text(plan, self.saved))
        if arrays := script.arrays(plan, self.saved):
            folder.write_arrays("arrays.npz", **arrays)
        if self.samples is not None:
            arrays = {"images": self.samples.images, "labels": self.samples.labels, "order": self.trials.order}
            arrays |= {name: getattr(found, "keys", found) for name, found in self.samples.encoded.items()}
            folder.write_arrays("samples.npz", **arrays)
        self.provenance = provenance.collect(
            plan,
            self.resolved,
            experiment=self.prepared.path,
            files=[(file.path, file.sha256) for file in self.prepared.library.files],
            data=_data(self.samples, plan),
            overrides=self.prepared.overrides,
            backend={"name": self.backend, "reason": self.reason},
            times=self.watch.report(),
        )
        folder.write_json("provenance.json", self.provenance)
        folder.write_json("summary.json", self._summary("running"))
        folder.log(f"backend {self.backend}: {self.reason}")
        for note in self.notes:
            folder.log(f"note: {note}")

    def _simulate(self, backends: Any, progress: Progress) -> Any:
        order = self.trials.order if self.samples is not None else None
        more = {"saved": self.saved} if self.saved else {}
        self.folder.log("simulation begins")
        with self.watch.stage("simulate"):
            outcome = backends.run(
                self.plan, self.backend, self.samples, order, self.recorder, progress, self.folder.path, **more
            )
        for name in ("build", "compile", "run"):
            self.watch.wall[name] = getattr(outcome, f"{name}_seconds")
        self.model_time = outcome.stopped_at or (self._total() if outcome.completed else 0.0)
        self.notes = list(dict.fromkeys([*self.notes, *getattr(outcome, "notes", ())]))
        self.folder.log(f"simulation {'ends' if outcome.completed else 'was stopped'} at {self.model_time:g} s")
        return outcome

    def _total(self) -> float:
        trials = len(self.trials.order) * self.plan.trial.steps * self.plan.dt if self.plan.trial else 0.0
        return trials + sum(phase.duration for phase in self.plan.phases if not phase.data)

    def _trials(self, completed: bool) -> None:
        """Tables of trials and readout, for the trials that were shown to their end."""
        plan = self.plan
        if plan.trial is None or self.samples is None or not len(self.trials.order):
            return
        begin = phases.starts(plan, len(self.trials.order) + 1)
        shown = len(begin) - 1 if completed else int((begin[1:] <= self.model_time + 0.5 * plan.dt).sum())
        rows = self.trials.order[:shown]
        self.recorder.table(
            "trials",
            {
                "phase": self.trials.phase[:shown],
                "sample": rows,
                "label": self.samples.labels[rows],
                "start": begin[:shown] * 1000.0,
            },
            {"phase.names": [phase.name for phase in plan.phases], "start.units": "ms"},
        )
        if plan.readout is not None:
            self.recorder.flush()
            self.readout = decide.readout(plan, self.samples, self.trials, shown, self.folder.path, self.recorder)
            self.folder.log("readout: " + ("done" if self.readout else "no whole phase to read out"))

    def _rescue(self) -> None:
        """Keep what there is; the segments stay readable if even that fails."""
        with suppress(BrainsimError), self.watch.stage("save"):
            self.recorder.finish()

    def _finish(self, status: str, problem: BrainsimError | None) -> None:
        # The disk may be what failed; that error is already on its way.
        with suppress(BrainsimError):
            if problem is not None:
                self.folder.log(str(problem))
            summary = self._summary(status)
            if problem is not None:
                summary["problems"] = [str(one) for one in problem.problems]
            self.folder.write_json("summary.json", summary)
            if self.provenance:
                self.folder.write_json("provenance.json", {**self.provenance, "times": self.watch.report()})
            self.folder.log(f"run ends: {status}")

    def _summary(self, status: str) -> dict[str, Any]:
        plan = self.plan
        seconds = {f"{name}_s": value for name, value in self.watch.report()["wall_s"].items() if name != "simulate"}
        return {
            "experiment": plan.name,
            "seed": plan.seed,
            "backend": self.backend,
            "status": status,
            "model_time_s": self.model_time,
            "planned_time_s": self._total(),
            "dt_s": plan.dt,
            "trial_steps": plan.trial.steps if plan.trial else None,
            "populations": self._populations(),
            "readout": self.readout,
            "times": seconds,
            "notes": self.notes,
            "cite": list(plan.cite),
        }

    def _populations(self) -> dict[str, Any]:
        """Cells, and of those whose spikes were recorded: spikes, and mean rate of the recorded cells."""
        found = {}
        watches = {watch.path: watch for watch in self.plan.watches if watch.kind == "spikes"}
        for group in self.plan.groups:
            if self.plan.trial is not None and group.name == self.plan.trial.clock:
                continue
            entry: dict[str, Any] = {"size": group.size, "spikes": None, "rate_hz": None}
            watch = watches.get(group.path)
            if watch is not None:
                cells = (group.size if watch.stop is None else watch.stop) - watch.start
                entry["spikes"] = self.recorder.totals.get(group.path, 0)
                entry["rate_hz"] = entry["spikes"] / (cells * self.model_time) if cells and self.model_time else None
            found[group.path] = entry
        return found


def _data(samples: Samples | None, plan: Plan) -> dict[str, Any] | None:
    if samples is None or plan.data is None:
        return None
    return {
        "name": samples.name,
        "splits": dict(plan.data.splits),
        "test_from": plan.data.test_from,
        "sha256": dict(samples.checksums),
        "licence": samples.licence,
        "cite": samples.cite,
        "source": samples.source,
    }


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
