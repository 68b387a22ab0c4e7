"""What stands at the head and at the end: status, key numbers, circuit, texts, where it came from."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from markupsafe import Markup

from brainsim import analysis, plots
from brainsim.report.learning import chance_level
from brainsim.report.page import Figure, Page, flat, seconds

#: What the status of a run is called on the page.
STATUS = {"complete": "Complete", "stopped": "Stopped", "failed": "Failed", "running": "Not finished"}
#: Lines of provenance that are shown.
MAX_FACTS = 400


def status(page: Page) -> dict[str, str]:
    """The state of the run in a word, and why it ended early."""
    kind = page.results.status
    detail = ""
    if kind != "complete" and page.duration > 0:
        wanted = page.summary.get("planned_time_s")
        detail = f"after {seconds(page.duration)}{f' of {seconds(float(wanted))}' if wanted else ''} of model time"
    problems = page.summary.get("problems") or [page.summary.get("error") or ""]
    log = page.folder / "run.log"
    tail = ""
    if kind == "failed" and log.is_file():
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-25:])
    return {
        "kind": kind if kind in ("complete", "failed") else "stopped",
        "word": STATUS.get(kind, kind),
        "detail": detail,
        "error": "\n".join(str(problem) for problem in problems),
        "log": tail,
    }


def numbers(page: Page) -> list[dict[str, Any]]:
    """Key numbers: value, what it is, what else to know about it."""
    found = _accuracies(page)

    def add(value: str, name: str, *more: str) -> None:
        found.append({"value": value, "name": name, "more": [line for line in more if line]})

    entries = page.summary.get("populations") or {}
    recorded = [entry for entry in entries.values() if entry.get("spikes") is not None]
    if recorded:
        spikes, cells = (sum(int(entry[key]) for entry in recorded) for key in ("spikes", "size"))
        where = f"{len(entries)} population{'s' if len(entries) != 1 else ''}"
        if len(recorded) < len(entries):
            where = f"{len(recorded)} of {len(entries)} populations, those recorded"
        add(f"{spikes:,}", "spikes", f"{cells:,} cells in {where}")
        if page.duration > 0 and cells:
            rates = [float(entry["rate_hz"]) for entry in recorded if entry.get("rate_hz") is not None]
            span = f"populations {min(rates):.3g}–{max(rates):.3g}\u00a0Hz" if len(rates) > 1 else ""
            add(f"{spikes / cells / page.duration:.3g} Hz", "mean rate", span)
    if page.duration > 0:
        trials = len(page.results.trials.get("start", ()))
        add(seconds(page.duration), "model time", f"{trials:,} trials" if trials else "")
    wall, parts = _times(page)
    if wall:
        add(seconds(wall), "wall time", ", ".join(parts))
    if page.summary.get("backend"):
        add(str(page.summary["backend"]), "backend")
    if page.summary.get("seed") is not None:
        add(str(page.summary["seed"]), "seed")
    return found


def _accuracies(page: Page) -> list[dict[str, Any]]:
    readout = page.summary.get("readout") or {}
    n, chance = int(readout.get("n_test") or 0), chance_level(page)
    found = []
    for key, name in (("accuracy_ties_wrong", "accuracy, ties wrong"), ("accuracy_argmax", "accuracy, argmax")):
        share = readout.get(key)
        if share is None or not n:
            continue
        low, high = analysis.wilson(round(share * n), n)
        more = [
            f"{round(share * n):,} of {n:,} test samples",
            f"95\u00a0% interval {100 * low:.1f}–{100 * high:.1f}\u00a0%",
        ]
        if chance:
            more.append(f"chance {100 * chance:.3g}\u00a0%")
        found.append({"value": f"{100 * share:.1f}\u00a0%", "name": name, "more": more})
    return found


def _times(page: Page) -> tuple[float, list[str]]:
    """Wall time and what it went into, from ``times``: ``build_s``, ``run_s``, ... and ``total_s``."""
    times = {
        name.removesuffix("_s"): float(value)
        for name, value in (page.summary.get("times") or {}).items()
        if isinstance(value, int | float) and value >= 0
    }
    total = next((times.pop(name) for name in ("total", "wall") if name in times), 0.0)
    # What is not a hundredth of the whole is not worth reading here.
    parts = [f"{name.replace('_', ' ')} {seconds(value)}" for name, value in times.items() if value > 0.01 * total]
    return total or sum(times.values()), parts


def circuit(page: Page) -> dict[str, Any]:
    """The graph of populations and projections, with a table of the same."""
    if not page.diagram.nodes:
        return {}
    arrows = [a for a in page.diagram.arrows if a.sign != "link"]
    alt = f"Circuit of {len(page.diagram.nodes)} populations and {len(arrows)} projections; the table below lists them."
    figure = Figure(
        Markup(plots.circuit_svg(page.diagram)), alt, narrow=Markup(plots.circuit_svg(page.diagram, room=350))
    )
    key = [(Markup(drawing), words) for drawing, words in plots.key_svg(page.diagram)]
    return {"figure": figure, "key": key, "arrows": page.diagram.arrows, "words": plots.SIGNS}


def text(name: str, language: str) -> Callable[[Page], dict[str, Any]]:
    """A section that shows a file of the run folder."""

    def make(page: Page) -> dict[str, Any]:
        file = page.folder / name
        if not file.is_file():
            return {}
        content = file.read_text(encoding="utf-8", errors="replace")
        return {"name": name, "lines": len(content.splitlines()), **plots.highlighted(content, language)}

    return make


def citations(page: Page) -> list[str]:
    """What the run rests on: the summary's list, else every ``cite`` of the resolved model, in its order."""
    entries = page.summary.get("cite") or list(_cited(page.model))
    entries += [cite for cite in [_mapping(page.results.provenance.get("data")).get("cite")] if cite]
    return list(dict.fromkeys(str(entry) for entry in entries if str(entry).strip().lower() != "own"))


def _cited(part: Any) -> Iterator[Any]:
    if isinstance(part, Mapping):
        own = part.get("cite")
        yield from own if isinstance(own, list) else []
        for value in part.values():
            yield from _cited(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def provenance(page: Page) -> list[tuple[str, str]]:
    """Where the results come from, a line a fact."""
    lines = list(itertools.islice(flat(page.results.provenance), MAX_FACTS + 1))
    if len(lines) > MAX_FACTS:
        page.notes.append(f"Of the provenance the first {MAX_FACTS} lines are shown; provenance.json has all.")
    return lines[:MAX_FACTS]
