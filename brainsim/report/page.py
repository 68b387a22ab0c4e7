"""What is known about a run, and small things every section needs."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from brainsim import plots
from brainsim.errors import BrainsimError
from brainsim.runs.results import Results

#: Populations drawn in one figure; more would be too thin to read.
MAX_POPULATIONS = 24
#: Widths of figures on wide and narrow screens [px].
WIDE, NARROW = 880, 356
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass
class Page:
    """What is known about a run, read when a section asks for it."""

    results: Results
    notes: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.results.folder

    @property
    def summary(self) -> Mapping[str, Any]:
        return self.results.summary

    @functools.cached_property
    def model(self) -> Mapping[str, Any]:
        """The resolved model; empty if there is none that can be read."""
        try:
            return plots.read_model(self.folder)
        except BrainsimError as error:
            self.notes.append(f"No circuit, model.yaml is broken: {error.problems[0].message}")
            return {}

    @functools.cached_property
    def diagram(self) -> plots.Diagram:
        return plots.read_diagram(self.model)

    @functools.cached_property
    def duration(self) -> float:
        """Model time that was reached [s]; of a run that broke off the time of its last spike."""
        known = float(self.summary.get("model_time_s") or 0.0)
        return known or max((float(times[-1]) for times, _ in self.spikes.values() if len(times)), default=0.0)

    @functools.cached_property
    def sizes(self) -> dict[str, int]:
        """Cells of each population."""
        entries = self.summary.get("populations") or {}
        return {n.path: n.size for n in self.diagram.nodes if n.size} | {p: int(e["size"]) for p, e in entries.items()}

    @functools.cached_property
    def roles(self) -> dict[str, str]:
        """Colour of each population: what it does to others."""
        return {node.path: node.role for node in self.diagram.nodes}

    @functools.cached_property
    def spikes(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Recorded spikes (times [s], cells), in the order of the model."""
        paths = self.results.spike_paths
        order = {path: k for k, path in enumerate(self.sizes)}
        paths.sort(key=lambda path: order.get(whole(path), len(order)))
        if len(paths) > MAX_POPULATIONS:
            self.notes.append(f"Drawn are the first {MAX_POPULATIONS} of {len(paths)} populations with spikes.")
        return {path: self.results.spikes(path) for path in paths[:MAX_POPULATIONS]}

    def size(self, path: str) -> int:
        """Cells of a recorded population."""
        cells = self.spikes[path][1]
        return max(self.sizes.get(whole(path), 0), int(cells.max()) + 1 if len(cells) else 1)

    @functools.cached_property
    def spans(self) -> list[plots.Span]:
        """When the phases of the run began and ended."""
        trials = self.results.trials
        if not trials or not len(trials["start"]) or "round" in trials:  # too many to be drawn
            return []
        start, phase, names = trials["start"], trials["phase"], trials["phases"]
        cuts = [0, *(np.flatnonzero(phase[1:] != phase[:-1]) + 1), len(start)]
        ends = np.append(start, max(self.duration, start[-1]))
        return [
            plots.Span(names[int(phase[a])] if int(phase[a]) < len(names) else str(phase[a]), ends[a], ends[b])
            for a, b in itertools.pairwise(cuts)
        ]

    @functools.cached_property
    def trial(self) -> float:
        """Length of a trial [s]; 0 without trials."""
        start = self.results.trials.get("start", ())
        return float(np.median(np.diff(start))) if len(start) > 1 else 0.0


@dataclass(frozen=True)
class Figure:
    """A drawing with its words; wide and narrow screens may get different ones."""

    wide: Markup
    alt: str
    caption: str = ""
    narrow: Markup | None = None
    title: str = ""


def inline(figure: Any, name: str) -> Markup:
    return Markup(plots.svg(figure, name))


def both(draw: Callable[[float], Any], name: str, alt: str, caption: str) -> Figure:
    return Figure(inline(draw(WIDE), f"{name}-w"), alt, caption, inline(draw(NARROW), f"{name}-n"))


def roles_of(page: Page) -> dict[str, str]:
    return {path: page.roles.get(whole(path), "exc") for path in page.spikes}


def whole(path: str) -> str:
    """A path without its slice."""
    return path.partition("[")[0]


def seconds(value: float) -> str:
    """A time for people: 350 ms, 12.3 s, 4 min 05 s, 1 h 02 min."""
    minutes, rest = divmod(round(value), 60)
    if value < 1:
        words = f"{value * 1e3:.3g} ms"
    elif value < 120:
        words = f"{value:.3g} s"
    elif minutes < 120:
        words = f"{minutes} min {rest:02d} s"
    else:
        words = f"{minutes // 60} h {minutes % 60:02d} min"
    return words.replace(" ", "\u00a0")


def figures(value: float | None, keep: bool = False) -> str:
    """Three figures (``keep``: also when the last are 0); 6.3e-06 as people write it. Empty for what is not known."""
    if value is None or not np.isfinite(value):
        return ""
    number, _, power = (f"{value:#.3g}" if keep else f"{value:.3g}").partition("e")
    number = number.rstrip(".")
    return f"{number}\u00a0×\u00a010{str(int(power)).translate(_RAISED)}" if power else number


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings and lists as (dotted name, text), in order."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from flat(part, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(part, (Mapping, list)) for part in value):
        for k, part in enumerate(value):
            yield from flat(part, f"{name}[{k}]")
    elif value not in (None, "", [], {}):
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
