"""The readout of a run: counts per trial out of the recorded spikes, then decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from brainsim import readouts
from brainsim.compose.plan import Plan
from brainsim.datasets import Samples
from brainsim.record import Reader, Recorder
from brainsim.runs import phases
from brainsim.runs.phases import Schedule


def readout(
    plan: Plan, samples: Samples, trials: Schedule, shown: int, folder: Path, recorder: Recorder
) -> dict[str, Any] | None:
    """Classes of the cells, decisions in each phase that shows test samples, course of the training.

    Only phases whose trials were all among the first ``shown`` count. Arrays go into the tables ``readout`` and
    ``readout/<phase>`` of ``recorder``; what is returned goes into the summary, with the last test phase on top.
    None if there is nothing to read out.
    """
    assert plan.readout is not None and plan.trial is not None
    trial, path, method = plan.trial, plan.readout.path, readouts.READOUTS[plan.readout.name]
    name, parameters, learns = plan.readout.name, dict(plan.readout.parameters), method.fit is not None
    size = next(group.size for group in plan.groups if group.path == path)
    labels, classes = samples.labels[trials.order], samples.classes
    reader = Reader(folder)
    read = phases.first_steps if method.reads == "first_step" else phases.counts

    def data(rows: np.ndarray) -> np.ndarray:
        pieces = ((times / 1000.0, cells) for times, cells in reader.spike_pieces(path))
        return read(pieces, size, int(rows[0]), len(rows), trial.steps, plan.dt)

    rows_of = {phase.name: np.flatnonzero(trials.phase == k) for k, phase in enumerate(plan.phases)}
    whole = {phase: rows for phase, rows in rows_of.items() if len(rows) and rows[-1] < shown}
    found: dict[str, Any] = {"name": name, "ties": plan.readout.ties, "classes": list(samples.class_names)}
    curve: list[tuple[int, float]] = []
    found["learning_curve"] = curve
    labelling = plan.readout.assign_from if learns else None
    for phase in plan.phases:
        rows = rows_of[phase.name][rows_of[phase.name] < shown]
        if phase.data == "train" and phase.name != labelling and len(rows):
            blocks = readouts.learning_curve(
                data(rows),
                labels[rows],
                classes,
                trials.order[rows],
                method=name,
                never=trial.steps,
                parameters=parameters,
            )
            curve += [(int(rows[0]) + seen, accuracy) for seen, accuracy in blocks]
    if labelling is not None:
        known = whole.get(labelling)
        if known is None:
            return found if curve else None
        known_data = data(known)
        fitted = readouts.fit(name, known_data, labels[known], classes, **parameters)
        recorder.table(f"readout/{labelling}", {method.reads: known_data})
        found["n_silent_cells"] = int((known_data.sum(axis=0) == 0).sum())
    else:
        fitted = readouts.fit(name, np.zeros((0, size)), np.zeros(0), classes)
    if fitted.ndim == 2:
        recorder.table("readout", {"weights": fitted})
    elif fitted.size:
        recorder.table("readout", {"assigned": fitted}, {"assigned.silent": readouts.SILENT})
        found["cells_of_class"] = np.bincount(fitted[fitted >= 0], minlength=classes)
    for phase in plan.phases:
        if phase.data != "test" or phase.name == labelling or phase.name not in whole:
            continue
        rows = whole[phase.name]
        test = data(rows)
        result = readouts.evaluate(name, fitted, test, labels[rows], classes, plan.readout.ties, trial.steps)
        made = result.decisions
        columns = {method.reads: test, "predicted": made.predicted, "tied": made.tied}
        recorder.table(f"readout/{phase.name}", columns | ({"angle": made.angle} if made.angle.size else {}))
        found |= {
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
    return found
