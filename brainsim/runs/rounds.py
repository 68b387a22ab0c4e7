"""The rounds of a run: what each reads out, and the checkpoint after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from brainsim.compose.plan import Plan
from brainsim.datasets import Samples
from brainsim.record import Recorder, checkpoint
from brainsim.record.checkpoint import Checkpoint
from brainsim.runs import decide, phases
from brainsim.runs.phases import Schedule, Showings

#: Wall time between two checkpoints; a round that takes longer has one of its own.
CHECKPOINT_SECONDS = 10.0
#: Numbers of a phase that are kept for each round.
KEPT = ("accuracy_ties_wrong", "accuracy_argmax", "n_silent", "n_tied")


class Rounds:
    """Stands between a backend and the recorder of a run of several rounds.

    The readout's spikes are held for one round. They go on to the recorder in the last round, or in all if ``record:``
    names the population.

    Parameters
    ----------
    model, backend, root, versions
        What a checkpoint says of the run.
    tell
        Called with words about each round.
    begun
        The checkpoint the run goes on from.
    """

    def __init__(
        self,
        plan: Plan,
        samples: Samples | None,
        trials: Schedule,
        recorder: Recorder,
        recorded: Iterable[str],
        model: str,
        backend: str,
        root: Path,
        versions: Mapping[str, str | None],
        tell: Callable[[str], None],
        begun: Checkpoint | None = None,
    ):
        self.plan, self.samples, self.trials, self.recorder = plan, samples, trials, recorder
        self.model, self.backend, self.root = model, backend, root
        self.versions, self.tell = dict(versions), tell
        self.path = plan.readout.path if plan.readout is not None else ""
        self.kept = self.path in recorded
        self.clock = plan.trial.clock if plan.trial is not None and plan.trial.limit else ""
        self.begun = begun.rounds if begun is not None else 0
        self.left: dict[str, Any] = begun.state if begun is not None else {}
        self.curve: list[dict[str, Any]] = list(begun.curve) if begun is not None else []
        self.before = begun.seconds if begun is not None else 0.0
        self.readout: dict[str, Any] | None = None  # of the last round
        self.written = self.begun  # rounds that a checkpoint holds
        self._started = self._saved = time.perf_counter()
        self._held: list[tuple[np.ndarray, np.ndarray]] = []

    # -- what the backend hands on ----------------------------------------------------------------

    def spikes(self, path: str, times_s: Any, ids: Any) -> None:
        """As of the recorder."""
        if path == self.path:
            self._held.append((np.asarray(times_s, float), np.asarray(ids)))
            if not self.kept and len(self.curve) < self.plan.rounds - 1:
                self.recorder.counted(path, len(self._held[-1][0]))
                return
        self.recorder.spikes(path, times_s, ids)

    def __getattr__(self, name: str) -> Any:
        """All else is the recorder's."""
        return getattr(self.recorder, name)

    # -- between rounds ---------------------------------------------------------------------------

    def ended(self, number: int, state: Callable[[], dict[str, Any]]) -> None:
        """Read out what the round showed, tell it, and write a checkpoint if the last one is old."""
        if self.plan.readout is not None and self.samples is not None:
            last = number == self.plan.rounds - 1
            self.recorder.flush()
            found = decide.readout(
                self.plan, self.samples, self.showings(), self.shown(number), lambda: iter(self._held),
                self.recorder if last else None, number,
            )  # fmt: skip
            self.readout = found
            every = (found or {}).get("phases", {})
            self.curve.append({name: {key: one[key] for key in KEPT} for name, one in every.items()})
        else:
            self.curve.append({})
        self._held.clear()
        self.tell(self.words())
        now = time.perf_counter()
        over = number == self.plan.rounds - 1
        if not over and (not self.written or now - self._saved >= CHECKPOINT_SECONDS):
            self.recorder.flush()
            checkpoint.write(self.recorder.folder, self._checkpoint(number + 1, state()))
            self.written, self._saved = number + 1, time.perf_counter()

    def _checkpoint(self, rounds: int, state: dict[str, Any]) -> Checkpoint:
        return Checkpoint(
            model=self.model,
            backend=self.backend,
            root=str(self.root.absolute()),
            rounds=rounds,
            seconds=self.before + time.perf_counter() - self._started,
            segments=self.recorder.segments,
            totals=dict(self.recorder.totals),
            curve=self.curve,
            versions=self.versions,
            state=state,
        )

    def showings(self) -> Showings:
        """What was shown so far, and what is planned."""
        return phases.showings(self.trials, shown_trials(self.recorder.folder, self.clock))

    def shown(self, number: int) -> int:
        """Showings until the end of a round."""
        return int(np.searchsorted(self.showings().round, number, "right"))

    def words(self) -> str:
        """``round 3 of 60, test 97.1 %, best 97.2 % in round 2``."""
        text = f"round {len(self.curve)} of {self.plan.rounds}"
        figure = figure_of(self.plan)
        for name, one in (self.curve[-1] if self.curve else {}).items():
            text += f", {name} {100 * one[figure]:.2f} %"
        found = summary(self.plan, self.curve)
        if "best" in found:
            best = found["best"]
            text += f"; best {100 * best[figure]:.2f} % in round {best['round'] + 1}"
        return text


def shown_trials(folder: Path, clock: str) -> np.ndarray | None:
    """The trial of each showing so far, if samples may be shown again and any was."""
    from brainsim.record import NotRecorded, Reader

    if not clock:
        return None
    try:
        return Reader(folder).report(clock, "trial").values
    except NotRecorded:
        return None


def figure_of(plan: Plan) -> str:
    """The accuracy that is reported first."""
    return "accuracy_argmax" if plan.readout is not None and plan.readout.ties == "first" else "accuracy_ties_wrong"


def summary(plan: Plan, curve: list[dict[str, Any]]) -> dict[str, Any]:
    """Numbers by phase and round, and the best and the chosen round.

    ``rounds``: phase -> number -> its value in each round. ``best`` and ``chosen`` hold a round, from 0, and what the
    last test phase got in it. ``best`` is the round in which that is largest, a choice made on the test itself;
    ``chosen`` the one in which the last phase on the split ``validation`` was best, if there is one. The first of
    equals counts. ``last 10`` has the means of the last ten rounds, where the luck of a choice is no part of it.
    """
    names = [phase.name for phase in plan.phases if curve and phase.name in curve[0]]
    found: dict[str, Any] = {"rounds": {n: {key: [one[n][key] for one in curve] for key in KEPT} for n in names}}
    of = {data: [phase.name for phase in plan.phases if phase.data == data and phase.name in names]
          for data in ("validation", "test")}  # fmt: skip
    judged = (of["test"] or of["validation"])[-1:]
    if not judged:
        return found
    figure, rounds = figure_of(plan), found["rounds"]
    for name, phase in (("best", judged), ("chosen", of["validation"][-1:])):
        if phase:
            number = int(np.argmax(rounds[phase[0]][figure]))
            found[name] = {"round": number} | {key: rounds[judged[0]][key][number] for key in KEPT}
    if len(curve) >= 10:
        found["last 10"] = {key: float(np.mean(rounds[judged[0]][key][-10:])) for key in KEPT}
    return found
