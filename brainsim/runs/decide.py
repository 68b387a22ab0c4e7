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
    trial, path = plan.trial, plan.readout.path
    size = next(group.size for group in plan.groups if group.path == path)
    labels = samples.labels[trials.order]
    reader = Reader(folder)

    def counts(rows: np.ndarray) -> np.ndarray:
        pieces = ((times / 1000.0, cells) for times, cells in reader.spike_pieces(path))
        return phases.counts(pieces, size, int(rows[0]), len(rows), trial.steps, plan.dt)

    rows_of = {phase.name: np.flatnonzero(trials.phase == k) for k, phase in enumerate(plan.phases)}
    whole = {name: rows for name, rows in rows_of.items() if len(rows) and rows[-1] < shown}
    found: dict[str, Any] = {"ties": plan.readout.ties, "classes": list(samples.class_names), "learning_curve": []}
    fixed = readouts.one_cell_a_class(size, samples.classes) if plan.readout.name == "one_cell_a_class" else None
    labelling = plan.readout.assign_from if fixed is None else None
    for phase in plan.phases:
        rows = rows_of[phase.name][rows_of[phase.name] < shown]
        if phase.data == "train" and phase.name != labelling and len(rows):
            curve = readouts.learning_curve(
                counts(rows), labels[rows], samples.classes, trials.order[rows], assigned=fixed
            )
            found["learning_curve"] += [(int(rows[0]) + seen, accuracy) for seen, accuracy in curve]
    assigned = fixed
    if labelling is not None:
        known = whole.get(labelling)
        if known is None:
            return found if found["learning_curve"] else None
        known_counts = counts(known)
        assigned = readouts.assign(known_counts, labels[known], samples.classes)
        recorder.table(f"readout/{labelling}", {"counts": known_counts})
    assert assigned is not None
    recorder.table("readout", {"assigned": assigned}, {"assigned.silent": readouts.SILENT})
    found["cells_of_class"] = np.bincount(assigned[assigned >= 0], minlength=samples.classes)
    found["n_silent_cells"] = int((assigned < 0).sum())
    for phase in plan.phases:
        if phase.data != "test" or phase.name == labelling or phase.name not in whole:
            continue
        rows = whole[phase.name]
        test_counts = counts(rows)
        result = readouts.judge(assigned, test_counts, labels[rows], samples.classes, plan.readout.ties)
        columns = {"counts": test_counts, "predicted": result.decisions.predicted, "tied": result.decisions.tied}
        recorder.table(f"readout/{phase.name}", columns)
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
