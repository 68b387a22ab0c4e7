"""What a run left behind, read from its folder when it is asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brainsim.errors import FitError, Problem, RunError, suggest

if TYPE_CHECKING:
    from brainsim.record import Reader


@dataclass(frozen=True)
class Weights:
    """Synapses of one projection: ``before["w"][k]`` belongs to the synapse from ``source[k]`` to ``target[k]``."""

    source: np.ndarray  # int64 [E]: index within the sending population
    target: np.ndarray  # int64 [E]
    before: dict[str, np.ndarray]  # variable -> values before the run, in SI units
    after: dict[str, np.ndarray]
    populations: tuple[str, str] = ("", "")  # paths of source and target


class Results:
    """The results of a run.

    Nothing is read before it is asked for. A run that is under way, or was killed, can be opened too: what its
    segments hold is there, the summary may not be.

    Raises ``FitError`` if the folder is no run folder.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        names = ("summary.json", "results.h5", "segments", "run.log")
        if not any((self.folder / name).exists() for name in names):
            what = "holds no run" if self.folder.is_dir() else "is no folder"
            hint = "Give the folder that brainsim run printed, such as runs/reward_loop-20260101-120000."
            raise FitError(Problem("path", f"{folder} {what}", hint=hint))

    def __repr__(self) -> str:
        return f"<Results of {self.summary.get('experiment', '?')} ({self.status}) in {self.folder}>"

    @cached_property
    def _reader(self) -> Reader:
        from brainsim.record import Reader  # h5py, only now

        return Reader(self.folder)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Status, rates, accuracy, times."""
        return self._json("summary.json")

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Where the results come from: versions, seeds, hashes, machine, times."""
        return self._json("provenance.json")

    @property
    def status(self) -> str:
        """``complete``, ``stopped`` or ``failed``; ``running`` also for a run that was killed."""
        return str(self.summary.get("status", "running"))

    @property
    def spike_paths(self) -> list[str]:
        """Populations whose spikes were recorded."""
        return self._reader.names("spikes")

    recorded_spikes = spike_paths

    @property
    def state_paths(self) -> list[tuple[str, str]]:
        """(path, variable) of everything recorded over time."""
        return [(name.rpartition(".")[0], name.rpartition(".")[2]) for name in self._reader.names("report")]

    @property
    def weight_paths(self) -> list[str]:
        """Projections whose weights were saved."""
        return self._reader.names("edges")

    def spikes(self, path: str) -> tuple[np.ndarray, np.ndarray]:
        """(times in seconds, cells) of a population, by time then cell. Raises ``NotRecorded``, which is a KeyError."""
        times, cells = self._reader.spikes(path)
        return self._seconds(times), cells

    def state(self, path: str, variable: str) -> tuple[np.ndarray, np.ndarray]:
        """(times in seconds [T], values [T, N] in SI units) of a variable of a population or projection."""
        report = self._reader.report(path, variable)
        return self._seconds(report.times_ms), report.values

    def state_members(self, path: str, variable: str) -> dict[str, np.ndarray]:
        """Whose columns :meth:`state` has: ``node_ids``; of synapses also ``source_ids``, ``target_ids``."""
        return self._reader.report(path, variable).ids

    def state_unit(self, path: str, variable: str) -> str:
        """The unit of a recorded variable, as Brian2 code."""
        return self._reader.report(path, variable).unit

    def weights(self, path: str) -> Weights:
        """Variables of the synapses of a projection before and after the run."""
        edges = self._reader.edges(path)
        before = {n.removesuffix("_before"): v for n, v in edges.values.items() if n.endswith("_before")}
        after = {n: v for n, v in edges.values.items() if not n.endswith("_before")}
        return Weights(edges.source, edges.target, before, after, edges.populations)

    @cached_property
    def trials(self) -> dict[str, Any]:
        """``phase``, ``sample``, ``label``, ``start`` (s) of each trial, names of the ``phases``; or nothing.

        Where samples may be shown again, each showing has its row, and ``repeat`` is how often the sample had been
        shown before.
        """
        columns, attrs = self._reader.table("trials")
        if not columns:
            return {}
        columns["start"] = self._seconds(columns["start"])
        return {**columns, "phases": [_decode(name) for name in attrs.get("phase.names", ())]}

    @cached_property
    def readout(self) -> dict[str, Any]:
        """``assigned``, the class of each cell, and what else the readout kept; empty if there was none."""
        return self._reader.table("readout")[0]

    def counts(self, path: str, phase: str | None = None, round: int | None = None) -> np.ndarray:
        """Spikes of each cell in each trial, int32 [trials, cells]; of one phase, or of all trials of the run.

        Of a run in several rounds: in ``round``, from 0; with a phase and no round, in the last one that has it.

        Raises ``RunError`` if the run had no trials, ``FitError`` for an unknown phase.
        """
        from brainsim.runs import phases

        trials = self.trials
        if not trials:
            raise RunError(Problem("data", f"{self.folder.name} had no trials", hint="Counts are per trial."))
        first, count = 0, len(trials["phase"])
        if phase is not None:
            if phase not in trials["phases"]:
                raise FitError(
                    Problem("path", f"there is no phase {phase}", hint=suggest(phase, trials["phases"], "phase"))
                )
            in_phase = trials["phase"] == trials["phases"].index(phase)
            if round is None and "round" in trials and in_phase.any():
                round = int(trials["round"][in_phase].max())
            mine = np.flatnonzero(in_phase if round is None else in_phase & (trials["round"] == round))
            first, count = (int(mine[0]), len(mine)) if mine.size else (0, 0)
        elif round is not None:
            mine = np.flatnonzero(trials["round"] == round)
            first, count = (int(mine[0]), len(mine)) if mine.size else (0, 0)
        size = int(self.summary["populations"][path]["size"])
        steps, dt = int(self.summary["trial_steps"]), float(self.summary["dt_s"])
        return phases.counts(self.spike_pieces(path), size, first, count, steps, dt)

    def measure(self, name: str) -> float:
        """One number by name, as ``rate_hz[exc]@last 5 s``; see :func:`brainsim.runs.measures.measure`."""
        from brainsim.runs import measures

        return measures.measure(self, name)

    def spike_pieces(self, path: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """:meth:`spikes` in pieces that fit into memory."""
        for times, cells in self._reader.spike_pieces(path):
            yield self._seconds(times), cells.astype(np.int64)

    def _seconds(self, times_ms: np.ndarray) -> np.ndarray:
        """Milliseconds as the very numbers Brian2's clock had, a whole number of steps times dt."""
        seconds = np.asarray(times_ms, float) / 1000.0
        dt = self.summary.get("dt_s")
        if dt:
            on_grid = np.rint(seconds / dt) * dt
            if np.allclose(on_grid, seconds, rtol=1e-9, atol=1e-6 * dt):
                return on_grid
        return seconds

    def _json(self, name: str) -> dict[str, Any]:
        try:
            if (self.folder / name).exists() and not (self.folder / name).is_file():  # a pipe would be waited for
                raise OSError("it is not an ordinary file")
            content = json.loads((self.folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(Problem("data", f"{self.folder.name}/{name} cannot be read: {error}")) from error
        if not isinstance(content, dict):
            raise RunError(Problem("data", f"{self.folder.name}/{name} is not what brainsim writes"))
        return content


def open_folder(folder: str | os.PathLike[str]) -> Results:
    """Open the folder of an earlier run; ``brainsim.open``."""
    return Results(folder)


def _decode(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
