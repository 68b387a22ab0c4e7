"""The figures of docs/science.md, drawn from what science/results holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brainsim import units
from brainsim.plots import style
from science.rows import RESULTS, Figure, Row, figures, read

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"
_WIDTH, _HEIGHT = 560.0, 300.0


def file(figure: Figure) -> Path:
    """Where a figure is kept."""
    return FOLDER / f"science_{figure.name}.png"


def results(figure: Figure) -> dict[str, dict[str, Any]]:
    """Row -> what it has kept, of those rows that have been run."""
    files = {name: RESULTS / f"{name}.json" for name in figure.rows}
    return {name: json.loads(f.read_text(encoding="utf-8")) for name, f in files.items() if f.exists()}


def can_be_drawn(figure: Figure, found: dict[str, dict[str, Any]]) -> bool:
    """Whether all its rows have been run, with what the figure shows."""
    shown = "points" if figure.x else "curves" if figure.phase else "histograms"
    return len(found) == len(figure.rows) and all(shown in one for one in found.values())


def write() -> None:
    """Draw every figure whose rows have been run."""
    rows, _ = read()
    FOLDER.mkdir(exist_ok=True)
    for figure in figures():
        found = results(figure)
        if not can_be_drawn(figure, found):
            continue
        with style.style():
            draw = _curves if figure.x else _rounds if figure.phase else _histograms
            drawn = draw(figure, rows, found)
            file(figure).write_bytes(style.png(drawn, scale=1.5))


def _curves(figure: Figure, rows: dict[str, Row], found: dict[str, dict[str, Any]]) -> Any:
    """The measure of each row along one swept path; every seed as a dot, means joined, with 95 % intervals."""
    canvas = style.canvas(_WIDTH, _HEIGHT)
    ax = style.axes(canvas, 66, 50, 110, 18)
    for (name, words), role in zip(figure.rows.items(), style.SERIES, strict=False):
        row, kept, ink = rows[name], found[name], style.colour(role)
        x = [_number(figure, mean[figure.x]) for mean in kept["means"]]
        y = np.array([mean[row.measure] for mean in kept["means"]]) * row.scale
        error = np.array([mean.get(f"{row.measure}.ci95", 0.0) for mean in kept["means"]]) * row.scale
        ax.errorbar(x, y, error, color=ink, marker="o", ms=4.5, capsize=3, zorder=3)
        dots = [(_number(figure, p["values"][figure.x]), p[row.measure] * row.scale) for p in kept["points"]]
        ax.plot(*zip(*dots, strict=True), ls="", marker="o", ms=3, alpha=0.4, mew=0, color=ink)
        _named(ax, words, float(y[-1]), ink)
    for words, level in figure.level.items():
        ax.axhline(level, color=style.colour("soft"), lw=1.2, ls=(0, (4, 3)))
        _named(ax, words, level, style.colour("soft"))
    if figure.log:
        ax.set_xscale("log", base=2)
        ax.set_xticks(x, [f"{one:g}" for one in x])
    ax.set_xlabel(figure.x_label)
    ax.set_ylabel(figure.y_label)
    ax.grid(axis="y", color=style.colour("line"), lw=0.8)
    ax.set_axisbelow(True)
    return canvas


def _rounds(figure: Figure, rows: dict[str, Row], found: dict[str, dict[str, Any]]) -> Any:
    """The accuracy of a phase by round; a line for each run."""
    canvas = style.canvas(_WIDTH, _HEIGHT)
    ax = style.axes(canvas, 66, 50, 150, 18)
    names: list[tuple[float, str, str]] = []
    for (name, words), role in zip(figure.rows.items(), style.SERIES, strict=False):
        row, ink = rows[name], style.colour(role)
        for curve in found[name]["curves"]:
            y = np.array(curve[figure.phase]) * row.scale
            ax.plot(np.arange(1, len(y) + 1), y, color=ink, lw=1.2)
        names.append((float(y[-1]), words, ink))
    for words, level in figure.level.items():
        ax.axhline(level, color=style.colour("soft"), lw=1.2, ls=(0, (4, 3)))
        names.append((level, words, style.colour("soft")))
    lowest = min(min(curve[figure.phase][3:] or curve[figure.phase]) for kept in found.values()
                 for curve in kept["curves"])  # fmt: skip
    ax.set_ylim(bottom=lowest * 100)
    low, high = ax.get_ylim()
    above = high
    for level, words, ink in sorted(names, reverse=True):  # names of lines that end together stand below each other
        above = min(level, above - 0.06 * (high - low))
        _named(ax, words, above, ink)
    ax.set_xlabel(figure.x_label)
    ax.set_ylabel(figure.y_label)
    ax.grid(axis="y", color=style.colour("line"), lw=0.8)
    ax.set_axisbelow(True)
    return canvas


def _named(ax: Axes, words: str, y: float, ink: str) -> None:
    ax.annotate(words, (1, y), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
                color=ink, annotation_clip=False)  # fmt: skip


def _histograms(figure: Figure, rows: dict[str, Row], found: dict[str, dict[str, Any]]) -> Any:
    """Weights after learning at each point of a row, side by side on one scale; of the first seed."""
    ((name, words),) = figure.rows.items()
    row, drawn = rows[name], found[name]["histograms"]
    canvas = style.canvas(760, 220)
    width, gap = (760 - 66) / len(drawn), 20
    edges = np.linspace(row.histogram["low"], row.histogram["high"], row.histogram["bins"] + 1)
    top = max(max(one["counts"]) for one in drawn) * 1.05
    for k, one in enumerate(drawn):
        ax = style.axes(canvas, 66 + k * width, 50, 760 - 66 - (k + 1) * width + gap, 30)
        ax.stairs(one["counts"], edges, fill=True, color=style.colour("exc"), alpha=0.75)
        ax.set_ylim(0, top)
        ax.set_xlim(edges[0], edges[-1])
        ticks = np.linspace(edges[0], edges[-1], 3)
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.set_title(", ".join(str(v) for path, v in one["values"].items() if path != "run.seed"), fontsize=12)
        if k:
            ax.set_yticklabels([])
        else:
            ax.set_ylabel(figure.y_label)
        ax.set_xlabel(figure.x_label or words)
    return canvas


def _number(figure: Figure, value: Any) -> float:
    one = units.parse(f"1 {figure.x_unit}").value if figure.x_unit else 1.0
    return float(units.parse(value).value / one)
