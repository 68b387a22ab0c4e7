"""Sections about learning: weights, receptive fields, accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from brainsim import analysis, plots
from brainsim.report.page import Figure, Page, inline

#: What is drawn at most: cells of a sheet of receptive fields, projections with weights.
MAX_FIELDS, MAX_WEIGHTS = 100, 8


def weights(page: Page) -> list[dict[str, Any]]:
    """Distributions before and after."""
    paths = page.results.weight_paths
    if len(paths) > MAX_WEIGHTS:
        page.notes.append(f"Weights of the first {MAX_WEIGHTS} of {len(paths)} projections are drawn.")
    found = []
    for number, path in enumerate(paths[:MAX_WEIGHTS]):
        edges = page.results.weights(path)
        name = "w" if "w" in edges.after else next(iter(edges.after), "")
        if not name or not len(edges.source):
            continue
        after, before = edges.after[name], edges.before.get(name)
        stages = [("before", before), ("after", after)] if before is not None else [("after", after)]
        rows = [
            {
                "when": when,
                "mean": float(np.mean(v)),
                "sd": float(np.std(v)),
                "low": float(np.min(v)),
                "high": float(np.max(v)),
            }
            for when, v in stages
        ]
        ends = " to ".join(edges.populations)
        alt = f"Histogram of {name} of {path}: " + "; ".join(
            f"{r['when']} {r['mean']:.3g} ± {r['sd']:.3g}" for r in rows
        )
        drawn = Figure(inline(plots.weights(after, before, name), f"weights-{number}"), alt)
        found.append({"path": path, "ends": ends, "n": len(after), "name": name, "rows": rows, "figure": drawn})
    return found


def fields(page: Page) -> dict[str, Any]:
    """Receptive fields of the cells that a population fed by images projects to with plastic weights."""
    image = ((page.model.get("trial") or {}).get("inputs") or {}).get("image")
    image = image.get("to") if isinstance(image, dict) else image  # an encoder may stand between
    shown_to = str(image or "").rpartition(".")[0]
    for path in page.results.weight_paths if shown_to else ():
        edges = page.results.weights(path)
        sender, receiver = edges.populations
        side = round(np.sqrt(page.sizes.get(sender, 0)))
        if sender != shown_to or side * side != page.sizes.get(sender) or "w" not in edges.after:
            continue
        size = page.sizes.get(receiver) or int(edges.target.max()) + 1
        assigned = page.results.readout.get("assigned")
        assigned = assigned if assigned is not None and len(assigned) == size else None
        fields = analysis.receptive_fields(edges.source, edges.target, edges.after["w"], size, (side, side))
        cells = analysis.evenly(size, MAX_FIELDS)
        if assigned is not None:  # cells of one class side by side; those without one last
            ranked = np.where(assigned[cells] < 0, np.iinfo(np.int64).max, assigned[cells])
            cells = cells[np.argsort(ranked, kind="stable")]
        labels = [None if assigned is None else _short(int(assigned[c]), page) for c in cells]
        sheet, low, high = plots.field_sheet(fields[cells], labels, cells)
        onto = f"each cell of {receiver}" if len(cells) == size else f"{len(cells)} of the {size} cells of {receiver}"
        caption = (
            f"Weights of {path} onto {onto} after the run, as the image of {side} × {side} cells of {sender} they come "
            "from."
        )
        if assigned is not None:
            caption += " Below each, the class the cell was given; cells are in the order of their classes."
            caption += _legend(page)
            if any(label == "–" for label in labels):
                caption += " –: no class, the cell was silent."
        figure = Figure(Markup(sheet), f"Receptive fields of {len(cells)} cells of {receiver}", caption)
        return {"figure": figure, "low": low, "high": high, "gradient": Markup(plots.gradient())}
    return {}


def curve(page: Page) -> Figure | None:
    """Accuracy over the training trials."""
    by_round = (page.summary.get("readout") or {}).get("rounds")
    if by_round:
        return _rounds(page, by_round)
    points = [p for p in (page.summary.get("readout") or {}).get("learning_curve") or [] if p[1] is not None]
    if not points:
        return None
    caption = (
        "Each block of trials is read out with the classes that the block before it gave to the cells; ties count as "
        "wrong. It shows the course, not the final level."
    )
    (first, low), (last, high) = points[0], points[-1]
    alt = f"Learning curve from {100 * low:.0f} % after {first} trials to {100 * high:.0f} % after {last}"
    return Figure(inline(plots.learning_curve(points, chance_level(page)), "learning"), alt, caption)


def _rounds(page: Page, by_round: dict[str, Any]) -> Figure | None:
    """Accuracy by round, of the phase that is on top."""
    readout = page.summary["readout"]
    phase = readout.get("phase") if readout.get("phase") in by_round else list(by_round)[-1]
    points = [(k + 1, p) for k, p in enumerate(by_round[phase]["accuracy_ties_wrong"])]
    best, chosen = readout.get("best"), readout.get("chosen")
    caption = f"Accuracy in the phase {phase} of each round; ties count as wrong."
    if best:
        caption += f" Best is round {best['round'] + 1} with {100 * best['accuracy_ties_wrong']:.2f} %."
    if chosen:
        value = 100 * chosen["accuracy_ties_wrong"]
        caption += f" Round {chosen['round'] + 1}, chosen on the validation split, has {value:.2f} %."
    alt = f"Accuracy by round from {100 * points[0][1]:.1f} % to {100 * points[-1][1]:.1f} %"
    return Figure(inline(plots.learning_curve(points, chance_level(page), over="rounds"), "learning"), alt, caption)


def confusion(page: Page) -> dict[str, Any]:
    """Counts by true class and decision; undecided samples have a column of their own."""
    readout = page.summary.get("readout") or {}
    matrix = np.asarray(readout.get("confusion") or [], dtype=np.int64)
    if matrix.ndim != 2 or not matrix.size:
        return {}
    undecided = np.asarray(readout.get("undecided") or np.zeros(len(matrix)), dtype=np.int64)
    full = np.column_stack([matrix, undecided]) if undecided.any() else matrix
    rows = []
    for k, (counts, accuracy) in enumerate(zip(full, analysis.class_accuracy(full), strict=True)):
        total = max(int(counts.sum()), 1)
        # Few wrong answers are still to be seen: any count begins at a tenth of the full shade.
        cells = [
            {"n": int(n), "shade": 0.1 + 0.9 * int(n) / total if n else 0.0, "right": column == k}
            for column, n in enumerate(counts)
        ]
        rows.append({"name": _long(k, page), "cells": cells, "accuracy": float(accuracy)})
    columns = [{"short": _short(k, page), "name": _long(k, page)} for k in range(matrix.shape[1])]
    if undecided.any():
        columns.append({"short": "–", "name": "no decision"})
    return {"columns": columns, "rows": rows, "undecided": bool(undecided.any()), "named": bool(_legend(page))}


def _classes(page: Page) -> list[str]:
    """Names of the classes; their numbers if they have none."""
    readout = page.summary.get("readout") or {}
    names = readout.get("classes")
    if isinstance(names, list):
        return [str(name) for name in names]
    count = names if isinstance(names, int) else len(readout.get("confusion") or [])
    return [str(k) for k in range(count)]


def _short(number: int, page: Page) -> str:
    """A class in the space of a digit: its name if that is short, else its number."""
    names = _classes(page)
    if number < 0:
        return "–"
    return str(number) if _legend(page) or number >= len(names) else names[number]


def _long(number: int, page: Page) -> str:
    """A class by name, with its number where that stands for it elsewhere."""
    names = _classes(page)
    return f"{number} {names[number]}" if _legend(page) and number < len(names) else _short(number, page)


def _legend(page: Page) -> str:
    """What the numbers of classes with long names stand for; empty if their names are short."""
    names = _classes(page)
    if all(len(name) <= 3 for name in names):
        return ""
    return " " + ", ".join(f"{k}: {name}" for k, name in enumerate(names)) + "."


def chance_level(page: Page) -> float | None:
    """Share that guessing gets right."""
    readout = page.summary.get("readout") or {}
    given = readout.get("chance")
    count = len(_classes(page))
    return float(given) if given is not None else 1 / count if count > 1 else None
