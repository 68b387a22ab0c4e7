"""The readout of a run: counts per trial out of the recorded spikes, then decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from brainsim import readouts
from brainsim.compose.plan import Plan
from brainsim.datasets import Samples
from brainsim.record import Recorder
from brainsim.runs import phases
from brainsim.runs.phases import Showings


def readout(
    plan: Plan,
    samples: Samples,
    trials: Showings,
    shown: int,
    pieces: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]],
    recorder: Recorder | None,
    number: int | None = None,
) -> dict[str, Any] | None:
    """Classes of the cells, decisions in each phase that shows other samples, course of the training.

    Only phases whose trials were all among the first ``shown`` count; of a sample that was shown again, the last
    showing counts. ``pieces`` gives the spikes (times in seconds, cells); of round ``number``, where there are several.
    Arrays go into the tables ``readout`` and ``readout/<phase>`` of ``recorder``; what is returned goes into the
    summary: numbers of each phase under ``phases``, and those of the last test phase on top. None if there is nothing
    to read out.
    """
    assert plan.readout is not None and plan.trial is not None
    trial, path, method = plan.trial, plan.readout.path, readouts.READOUTS[plan.readout.name]
    name, parameters, learns = plan.readout.name, dict(plan.readout.parameters), method.fit is not None
    size = next(group.size for group in plan.groups if group.path == path)
    labels, classes = samples.labels[trials.order], samples.classes
    read = phases.first_steps if method.reads == "first_step" else phases.counts

    def data(rows: np.ndarray) -> np.ndarray:
        found = read(pieces(), size, int(rows[0]), int(rows[-1] - rows[0]) + 1, trial.steps, plan.dt)
        return found[rows - rows[0]]

    last = trials.last & (True if number is None else trials.round == number)
    rows_of = {phase.name: np.flatnonzero((trials.phase == k) & last) for k, phase in enumerate(plan.phases)}
    whole = {phase: rows for phase, rows in rows_of.items() if len(rows) and rows[-1] < shown}
    found: dict[str, Any] = {"name": name, "ties": plan.readout.ties, "classes": list(samples.class_names)}
    curve: list[tuple[int, float]] = []
    found["learning_curve"] = curve
    labelling = plan.readout.assign_from if learns else None
    for phase in plan.phases:
        rows = rows_of[phase.name][rows_of[phase.name] < shown]
        if phase.data == "train" and phase.name != labelling and len(rows) and number is None:
            blocks = readouts.learning_curve(
                data(rows),
                labels[rows],
                classes,
                trials.order[rows],
                method=name,
                never=trial.steps,
                parameters=parameters,
            )
            before = int(last[: rows[0]].sum())
            curve += [(before + seen, accuracy) for seen, accuracy in blocks]
    if labelling is not None:
        known = whole.get(labelling)
        if known is None:
            return found if curve else None
        known_data = data(known)
        fitted = readouts.fit(name, known_data, labels[known], classes, **parameters)
        if recorder is not None:
            recorder.table(f"readout/{labelling}", {method.reads: known_data})
        found["n_silent_cells"] = int((known_data.sum(axis=0) == 0).sum())
    else:
        fitted = readouts.fit(name, np.zeros((0, size)), np.zeros(0), classes)
    if fitted.ndim == 2 and recorder is not None:
        recorder.table("readout", {"weights": fitted})
    elif fitted.ndim == 1 and fitted.size:
        if recorder is not None:
            recorder.table("readout", {"assigned": fitted}, {"assigned.silent": readouts.SILENT})
        found["cells_of_class"] = np.bincount(fitted[fitted >= 0], minlength=classes)
    # Phases that learn say something only where cells stand for classes from the start, and by round.
    told = ("validation", "test") if learns or number is None else ("train", "validation", "test")
    every: dict[str, Any] = {}
    for phase in plan.phases:
        if phase.data not in told or phase.name == labelling or phase.name not in whole:
            continue
        rows = whole[phase.name]
        test = data(rows)
        result = readouts.evaluate(name, fitted, test, labels[rows], classes, plan.readout.ties, trial.steps)
        made = result.decisions
        columns = {method.reads: test, "predicted": made.predicted, "tied": made.tied}
        if recorder is not None:
            recorder.table(f"readout/{phase.name}", columns | ({"angle": made.angle} if made.angle.size else {}))
        every[phase.name] = {
            "phase": phase.name,
            "accuracy": result.accuracy,
            "accuracy_ties_wrong": result.accuracy_ties_wrong,
            "accuracy_argmax": result.accuracy_argmax,
            "n_test": result.n_test,
            "n_silent": result.n_silent,
            "n_tied": result.n_tied,
            "confusion": result.confusion,
            "undecided": result.undecided,
        }
    on_top = {phase.data: every[phase.name] for phase in plan.phases if phase.name in every}
    found |= on_top.get("test") or on_top.get("validation") or {}
    return found | {"phases": every}
