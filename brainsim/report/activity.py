"""Sections about activity: spikes, rates, recorded variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from brainsim import analysis, plots
from brainsim.report.page import NARROW, WIDE, Figure, Page, both, inline, roles_of, seconds, whole

#: Recorded variables that are drawn.
MAX_STATES = 12


def raster(page: Page) -> Figure | None:
    """Spikes in a stretch of the run that can be read."""
    if not page.spikes or page.duration <= 0:
        return None
    sizes = {path: page.size(path) for path in page.spikes}
    shown, start, stop = plots.bands(page.spikes, sizes, page.duration, trial=page.trial, roles=roles_of(page))
    if not any(len(band.shown.times) for band in shown):
        page.notes.append("No cell fired in the time the raster would show.")
        return None
    few, *_ = plots.bands(
        page.spikes, sizes, page.duration, roles=roles_of(page), cells=60, points=900, span=(start, stop)
    )
    when = (
        "the whole run"
        if stop - start >= page.duration * 0.999
        else f"the last {seconds(stop - start)} of {seconds(page.duration)}"
    )
    caption = f"Each mark is a spike, each row a cell; {when}."
    if any(len(band.shown.cells) < band.shown.size for band in shown):
        caption += " Of large populations, evenly spaced cells are shown."
    alt = f"Spike raster, {when}: " + "; ".join(
        f"{b.path} {len(b.shown.times)} spikes of {len(b.shown.cells)} cells" for b in shown
    )
    return Figure(
        inline(plots.raster(shown, start, stop, WIDE, 46), "raster-w"),
        alt,
        caption,
        inline(plots.raster(few, start, stop, NARROW), "raster-n"),
    )


def rates(page: Page) -> Figure | None:
    """Rates over the whole run."""
    if not any(len(times) for times, _ in page.spikes.values()) or page.duration <= 0:
        return None
    width = analysis.nice(page.duration / 120)
    if page.trial:
        # Bins of whole trials: else they beat with the rhythm of the trials.
        width = max(1, round(width / page.trial)) * page.trial
    curves = [
        plots.Rate(
            path,
            *analysis.binned_rates(times, page.size(path), 0.0, page.duration, width),
            roles_of(page).get(path, "exc"),
        )
        for path, (times, _) in page.spikes.items()
    ]
    caption = f"Mean over the cells of a population in bins of {seconds(width)}; each row has its own scale."
    alt = "Rates over time: " + "; ".join(f"{c.path} up to {c.rates.max():.3g} Hz" for c in curves)
    return both(lambda w: plots.rates(curves, w, page.spans), "rates", alt, caption)


def populations(page: Page) -> list[dict[str, Any]]:
    """Rates and regularity of each population."""
    entries = page.summary.get("populations") or {}
    rows = []
    for path in dict.fromkeys([*entries, *page.spikes]):
        size = page.sizes.get(whole(path)) or (page.size(path) if path in page.spikes else 0)
        entry = entries.get(path) or {}
        row: dict[str, Any] = {"path": path, "size": size, "spikes": entry.get("spikes"), "rate": entry.get("rate_hz")}
        row |= {"cv": None, "cells": 0, "active": None, "role": page.roles.get(whole(path), "other")}
        if path in page.spikes:
            times, cells = page.spikes[path]
            if row["spikes"] is None:
                row |= {"spikes": len(times), "rate": analysis.mean_rate(len(times), size, page.duration)}
            cv = analysis.isi_cv(times, cells, page.size(path))
            known = cv[np.isfinite(cv)]
            row |= {"cv": float(known.mean()) if known.size else None, "cells": int(known.size)}
            row["active"] = len(np.unique(cells)) / size if size else None
        rows.append(row)
    return rows


def states(page: Page) -> Figure | None:
    """Variables over time."""
    names = page.results.state_paths
    if len(names) > MAX_STATES:
        page.notes.append(f"Drawn are the first {MAX_STATES} of {len(names)} recorded variables.")
    curves = []
    for path, variable in names[:MAX_STATES]:
        times, values = page.results.state(path, variable)
        if not values.size:
            continue
        ids = page.results.state_members(path, variable)
        if "source_ids" in ids:
            labels = [f"{i} → {j}" for i, j in zip(ids["source_ids"], ids["target_ids"], strict=True)]
        else:
            labels = [f"cell {i}" for i in ids.get("node_ids", range(values.shape[1]))]
        unit = page.results.state_unit(path, variable)
        curves.append(plots.State(path, variable, unit, times, values.astype(float), tuple(labels)))
    if not curves:
        return None
    alt = "Recorded variables over time: " + "; ".join(
        f"{c.variable} of {c.path}, {c.values.shape[1]} members" for c in curves
    )
    many = any(c.values.shape[1] > plots.TRACES for c in curves)
    caption = f"Of more than {plots.TRACES} members the mean (line) and the middle 80 % (band)." if many else ""
    return both(lambda w: plots.states(curves, w, spans=page.spans), "states", alt, caption)
