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

import numpy as np

from brainsim import provenance
from brainsim.circuit.wiring import split_slice
from brainsim.compose.plan import Plan
from brainsim.datasets import Samples
from brainsim.errors import BrainsimError, Problem, RunError
from brainsim.record import Reader, Recorder, checkpoint
from brainsim.runs import decide, phases, weights
from brainsim.runs import samples as shown
from brainsim.runs.folder import RUNS, RunFolder, model_yaml, plain
from brainsim.runs.phases import Schedule
from brainsim.runs.prepare import Prepared, prepare
from brainsim.runs.results import Results
from brainsim.runs.rounds import Rounds, shown_trials, summary

Progress = Callable[[float, float, Mapping[str, float]], None]


class Stopwatch:
    """Wall and CPU seconds of each stage; CPU time counts the programs that were started."""

    def __init__(self) -> None:
        self.before = 0.0  # wall seconds of earlier attempts
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
            "wall_s": {**self.wall, "total": self.before + now[0] - self.began[0]},
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
    resume: bool = False,
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
        Called a few times a second with model time and its total in seconds, and rates in Hz by path. If it has a
        method ``told``, that is called with words about each round.
    resume
        Go on where a run of several rounds was stopped or killed: from the checkpoint in the run folder ``out``, or in
        ``experiment``, which then is a run folder. What comes out is, bit for bit, what it would have been without the
        stop.

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
        The run failed. Its folder stays, with ``run.log``. Or there is nothing to go on from.
    """
    watch = Stopwatch()
    begun, root = None, None
    if resume:
        folder = Path(experiment if out is None else out)
        begun = _begun(folder)
        if out is None:
            out, root = folder, Path(begun.root)
        backend = begun.backend
    with watch.stage("check"):
        prepared = prepare(experiment, set, seed, backend, library, root)
    plan = prepared.plan
    with watch.stage("load"):
        from brainsim import backends  # only now: Brian2 takes seconds to import

        backends.room.check(plan, Path(RUNS if out is None else out))
        samples, notes = shown.load(plan, prepared.root)
        trials = phases.schedule(plan, samples)
        saved = weights.saved_values(plan, prepared.root)
        name, reason = ("", "asked for") if plan.backend != "auto" else backends.choose(plan, samples)
        backends.require(name or plan.backend)
    job = _Job(prepared, samples, trials, saved, name or plan.backend, reason, watch, out, begun)
    job.notes += notes
    if name and name != backends.best(plan)[0]:
        job.notes.append(f"auto chose {name}: {reason}")
    return job.run(backends, progress or (lambda *_: None))


def _begun(folder: Path) -> checkpoint.Checkpoint:
    """The checkpoint of a run. Raises ``RunError`` if it cannot go on."""
    if Results(folder).status == "complete":
        raise RunError(Problem("path", f"{folder} is complete", hint="There is nothing to go on with."))
    return checkpoint.read(folder)


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
        out: str | os.PathLike[str] | None,
        begun: checkpoint.Checkpoint | None = None,
    ):
        self.prepared, self.plan, self.samples, self.trials = prepared, prepared.plan, samples, trials
        self.saved = saved  # values taken from an earlier run
        self.backend, self.reason, self.watch = backend, reason, watch
        self.notes = list(prepared.notes)
        self.readout: dict[str, Any] | None = None
        self.model_time = 0.0
        self.provenance: dict[str, Any] = {}
        # A run of this very file must not choose anew: auto may choose differently elsewhere.
        self.resolved = plain(prepared.circuit.resolved)
        self.resolved["run"] = {**(self.resolved.get("run") or {}), "backend": backend}
        model = provenance.config_hash(self.resolved)
        if begun is not None and begun.model != model:
            hint = "Its files were changed, or it is another experiment. Run it anew, in another folder."
            raise RunError(Problem("data", f"the checkpoint in {out} is not of this experiment", hint=hint))
        self.begun = begun
        self.folder = RunFolder(self.plan.name, out, begun is not None)
        self.recorder = Recorder(self.folder.path, begun=(begun.segments, begun.totals) if begun else ((), {}))
        self.rounds: Rounds | None = None
        if self.plan.rounds > 1:
            recorded = (self.resolved.get("record") or {}).get("spikes") or ()
            self.rounds = Rounds(
                self.plan, samples, trials, self.recorder, [split_slice(str(text))[0] for text in recorded], model,
                backend, prepared.root, provenance.versions(), self._told, begun,
            )  # fmt: skip
        self.told: Callable[[str], None] = lambda words: None

    def run(self, backends: Any, progress: Progress) -> Results:
        status, problem = "failed", None
        self.told = getattr(progress, "told", self.told)
        try:
            if self.begun is None:
                self._describe()
            else:
                self._go_on()
            for path in (w.path for w in self.plan.watches if w.kind == "spikes"):
                self.recorder.spikes(path, [], [])  # recorded, also if no spike comes
            outcome = self._simulate(backends, progress)
            with self.watch.stage("save"):
                self._trials(outcome.completed)
                self._save(outcome.completed)
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

    def _go_on(self) -> None:
        """Write down that the run goes on."""
        assert self.begun is not None
        begun, folder = self.begun, self.folder
        self.watch.before = begun.seconds
        old = folder.read_json("provenance.json")
        again = {"round": begun.rounds, "start": self.watch.start, "versions": provenance.versions()}
        self.provenance = {**old, "resumed": [*old.get("resumed", ()), again]}
        folder.write_json("provenance.json", self.provenance)
        folder.write_json("summary.json", self._summary("running"))
        folder.log(f"goes on after round {begun.rounds} of {self.plan.rounds}")
        if begun.versions != again["versions"]:
            self.notes.append("It goes on with other versions of programs than it began with: see its provenance.")
        for note in self.notes:
            folder.log(f"note: {note}")

    def _told(self, words: str) -> None:
        """A round is over."""
        self.folder.log(words)
        self.folder.write_json("summary.json", self._summary("running"))
        self.told(words)

    def _save(self, completed: bool) -> None:
        """Merge what was recorded. A run that can go on keeps its segments, which can be read as well."""
        if not completed and self.rounds is not None and self.rounds.written:
            self.recorder.flush()
            return
        self.recorder.finish()
        (self.folder.path / checkpoint.FILE).unlink(missing_ok=True)

    def _simulate(self, backends: Any, progress: Progress) -> Any:
        order = self.trials.order if self.samples is not None else None
        more: dict[str, Any] = {"saved": self.saved} if self.saved else {}
        if self.rounds is not None:
            more["course"] = self.rounds
        self.folder.log("simulation begins")
        with self.watch.stage("simulate"):
            outcome = backends.run(
                self.plan, self.backend, self.samples, order, self.rounds or self.recorder, progress,
                self.folder.path, **more,
            )  # fmt: skip
        for name in ("build", "compile", "run"):
            self.watch.wall[name] = getattr(outcome, f"{name}_seconds")
        self.watch.wall["run"] += self.begun.seconds if self.begun is not None else 0.0
        self.model_time = outcome.stopped_at or (self._total() if outcome.completed else 0.0)
        self.notes = list(dict.fromkeys([*self.notes, *getattr(outcome, "notes", ())]))
        self.folder.log(f"simulation {'ends' if outcome.completed else 'was stopped'} at {self.model_time:g} s")
        return outcome

    def _total(self) -> float:
        """Model time in seconds, if no sample is shown again."""
        trials = len(self.trials.order) * self.plan.trial.steps * self.plan.dt if self.plan.trial else 0.0
        return trials + self.plan.rounds * sum(phase.duration for phase in self.plan.phases if not phase.data)

    def _trials(self, completed: bool) -> None:
        """Tables of trials and readout, for the trials that were shown to their end."""
        plan = self.plan
        if plan.trial is None or self.samples is None or not len(self.trials.order):
            return
        self.recorder.flush()
        trials = phases.showings(
            self.trials, shown_trials(self.folder.path, plan.trial.clock if plan.trial.limit else "")
        )
        begin = phases.starts(plan, len(trials.order) + 1)
        shown = len(begin) - 1 if completed else int((begin[1:] <= self.model_time + 0.5 * plan.dt).sum())
        rows, repeat = trials.order[:shown], trials.repeat[:shown]
        columns = {
            "phase": trials.phase[:shown],
            "sample": rows,
            "label": self.samples.labels[rows],
            "start": begin[:shown] * 1000.0,
        }
        if self.rounds is not None:
            columns["round"] = trials.round[:shown]
        if plan.trial.limit:
            columns["repeat"] = repeat
            ended = int(((repeat == plan.trial.limit) & trials.last[:shown]).sum())
            self.folder.log(f"{int((repeat == 1).sum())} samples were shown again, {ended} as often as allowed")
        attributes = {"phase.names": [phase.name for phase in plan.phases], "start.units": "ms"}
        self.recorder.table("trials", columns, attributes)
        if plan.readout is not None and self.rounds is None:
            self.recorder.flush()
            self.readout = decide.readout(plan, self.samples, trials, shown, self._pieces, self.recorder)
            self.folder.log("readout: " + ("done" if self.readout else "no whole phase to read out"))

    def _pieces(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The readout's spikes: times in seconds, cells."""
        assert self.plan.readout is not None
        for times, cells in Reader(self.folder.path).spike_pieces(self.plan.readout.path):
            yield times / 1000.0, cells

    def _rescue(self) -> None:
        """Keep what there is; the segments stay readable if even that fails."""
        with suppress(BrainsimError), self.watch.stage("save"):
            self._save(False)

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
            "rounds": {"planned": plan.rounds, "done": len(self.rounds.curve)} if self.rounds is not None else None,
            "populations": self._populations(),
            "readout": self._decisions(),
            "times": seconds,
            "notes": self.notes,
            "cite": list(plan.cite),
        }

    def _decisions(self) -> dict[str, Any] | None:
        """What was read out; of several rounds the last, with the course of all."""
        if self.rounds is None or self.plan.readout is None:
            return self.readout
        of_rounds = summary(self.plan, self.rounds.curve)
        return {**(self.rounds.readout or {"name": self.plan.readout.name}), **of_rounds} if self.rounds.curve else None

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
