"""Which sample is shown when, and which spikes belong to which trial."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from brainsim import seeds
from brainsim.compose.plan import Phase, Plan
from brainsim.datasets import Samples
from brainsim.errors import FitError, Problem


class Schedule(NamedTuple):
    """All trials of a run, the phases one after another."""

    order: np.ndarray  # int32 [n_trials]: row of the samples that is shown
    phase: np.ndarray  # int32 [n_trials]: index of the phase in ``plan.phases``
    round: np.ndarray  # int32 [n_trials]: number of the round, from 0


def schedule(plan: Plan, samples: Samples | None) -> Schedule:
    """The trials of a run.

    Each pass of a phase that says ``shuffle`` has an order of its own, drawn from the stream
    ``phases.<name>.<pass>`` of the plan's seed: another phase, or one pass more, changes none of the others. Passes are
    counted through all rounds.

    Raises ``FitError`` if a phase shows more samples than there are.
    """
    order: list[np.ndarray] = [np.zeros(0, np.int32)]
    phase_of: list[np.ndarray] = [np.zeros(0, np.int32)]
    round_of: list[np.ndarray] = [np.zeros(0, np.int32)]
    rows_of = {phase.name: _rows(phase, samples) for phase in plan.phases if phase.data}
    for number in range(plan.rounds):
        for index, phase in enumerate(plan.phases):
            if not phase.data:
                continue
            rows = rows_of[phase.name]
            for one in range(number * phase.passes, (number + 1) * phase.passes):
                if phase.shuffle:
                    shown = seeds.stream(plan.seed, f"phases.{phase.name}.{one}").permutation(rows)
                else:
                    shown = rows
                order.append(shown)
                phase_of.append(np.full(len(rows), index, np.int32))
                round_of.append(np.full(len(rows), number, np.int32))
    return Schedule(np.concatenate(order).astype(np.int32), np.concatenate(phase_of), np.concatenate(round_of))


class Showings(NamedTuple):
    """What a run shows, one entry after the other: a trial, or several where a sample is shown again."""

    order: np.ndarray  # int32 [n_showings]: row of the samples
    phase: np.ndarray  # int32 [n_showings]: index of the phase
    round: np.ndarray  # int32 [n_showings]: number of the round
    repeat: np.ndarray  # int32 [n_showings]: how often the sample was shown before

    @property
    def last(self) -> np.ndarray:
        """Whether nothing shows the sample again, bool [n_showings]: what a readout goes by."""
        return np.append(self.repeat[1:] == 0, True)[: len(self.repeat)]


def showings(trials: Schedule, shown: np.ndarray | None = None) -> Showings:
    """The trials of a run as they came; ``shown`` [n] is the trial of each showing, as the trial clock recorded it.

    Trials that the run did not reach follow, each once. Without ``shown`` each trial is one showing.
    """
    if shown is None or not len(shown):
        return Showings(*trials, np.zeros(len(trials.order), np.int32))
    shown = np.asarray(shown).ravel().astype(np.int64)
    every = np.concatenate([shown, np.arange(shown[-1] + 1, len(trials.order))])
    first = np.searchsorted(every, every)  # of the sample's showings; numbers of trials never go back
    repeat = (np.arange(len(every)) - first).astype(np.int32)
    return Showings(trials.order[every], trials.phase[every], trials.round[every], repeat)


def _rows(phase: Phase, samples: Samples | None) -> np.ndarray:
    split = samples.splits.get(phase.data) if samples is not None else None
    there = split.stop - split.start if split is not None else 0
    if split is None or phase.count > there:
        text = f"phase {phase.name} shows {phase.count} samples of {phase.data}, but there are {there}"
        raise FitError(Problem("data", text, hint=f"Set data.{phase.data}."))
    return np.arange(split.start, split.start + phase.count, dtype=np.int32)


def starts(plan: Plan, n_trials: int) -> np.ndarray:
    """Seconds at which each trial begins [n_trials]; the times Brian2's clock has, a whole number of steps times dt."""
    steps = plan.trial.steps if plan.trial else 0
    return np.arange(n_trials) * steps * plan.dt


def first_steps(
    spikes: Iterable[tuple[np.ndarray, np.ndarray]], size: int, first: int, n_trials: int, steps: int, dt: float
) -> np.ndarray:
    """Step within each trial in which each cell fires first, ``steps`` if it does not; int32 [n_trials, N].

    Parameters as for :func:`counts`.
    """
    table = np.full(n_trials * size, steps, np.int32)
    for times, cells in spikes:
        step = np.rint(np.asarray(times) / dt).astype(np.int64)
        trial = step // steps - first
        inside = (trial >= 0) & (trial < n_trials)
        at = trial[inside] * size + np.asarray(cells)[inside].astype(np.int64)
        np.minimum.at(table, at, (step[inside] % steps).astype(np.int32))
    return table.reshape(n_trials, size)


def counts(
    spikes: Iterable[tuple[np.ndarray, np.ndarray]], size: int, first: int, n_trials: int, steps: int, dt: float
) -> np.ndarray:
    """Spikes of each cell in each of the trials ``first`` to ``first + n_trials``.

    Parameters
    ----------
    spikes
        Pieces of (times in seconds, cells); in any order, so that none has to be held as a whole.
    size
        Number of cells N.
    steps, dt
        Steps of ``dt`` seconds in a trial. Times are rounded to whole steps before they are cut into trials: as
        floating-point numbers those on a boundary would fall to either side.

    Returns
    -------
    int32 [n_trials, N]
    """
    table = np.zeros(n_trials * size, np.int32)
    for times, cells in spikes:
        trial = np.rint(np.asarray(times) / dt).astype(np.int64) // steps - first
        inside = (trial >= 0) & (trial < n_trials)
        at = trial[inside] * size + np.asarray(cells)[inside].astype(np.int64)
        if at.size:
            low = int(at.min())
            local = np.bincount(at - low)  # only as long as the stretch of trials this piece covers
            table[low : low + len(local)] += local.astype(np.int32)
    return table.reshape(n_trials, size)
