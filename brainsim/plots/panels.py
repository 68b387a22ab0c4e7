"""Panels above one another: what a single part does, narrow enough for a page of documentation."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from brainsim import analysis
from brainsim.plots.style import axes, canvas, colour, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Pixels: width of a figure, margins of a panel.
WIDTH, LEFT, RIGHT = 480.0, 62.0, 12.0
#: Points of a curve that are kept: as many as there are pixels.
POINTS = 400


@dataclass(frozen=True)
class Line:
    """A curve; ``name`` stands in the key, ``role`` is its colour."""

    x: ArrayLike
    y: ArrayLike
    name: str = ""
    role: str = "exc"
    dashed: bool = False
    dots: bool = False  # points, joined by a thin line
    faint: bool = False


@dataclass(frozen=True)
class Panel:
    """One set of axes. A panel with ``joined`` shares the time axis of the next one, which has the numbers."""

    lines: Sequence[Line] = ()
    x_label: str = ""
    y_label: str = ""
    title: str = ""
    ticks: Sequence[float] = ()  # spikes of the cell that is shown: marks above the curves
    arrows: Sequence[float] = ()  # spikes that arrive: marks below them
    raster: tuple[ArrayLike, ArrayLike] | None = None  # times, rows
    x_limits: tuple[float, float] | None = None
    y_limits: tuple[float, float] | None = None
    from_zero: bool = False
    zero: bool = False  # a line at y = 0
    height: float = 84.0
    joined: bool = False


@dataclass(frozen=True)
class _Frame:
    figure: Any
    boxes: list[Any] = field(default_factory=list)


def panels(shown: Sequence[Panel], title: str = "", width: float = WIDTH) -> Figure:
    """The panels from top to bottom, the title above them."""
    from matplotlib.ticker import MaxNLocator

    with style():
        above = [(19.0 if panel.title or _named(panel) else 8.0) for panel in shown]
        below = [6.0 if panel.joined else 44.0 for panel in shown]
        head = 30.0 if title else 4.0
        height = head + sum(panel.height for panel in shown) + sum(above) + sum(below)
        figure = canvas(width, height)
        figure.patch.set_alpha(1)  # a picture by itself may stand on a dark page
        if title:
            figure.text(10 / width, 1 - 19 / height, title, fontsize=13, weight="bold", color=colour("ink"))
        top = head
        for panel, over, under in zip(shown, above, below, strict=True):
            top += over
            ax = axes(figure, LEFT, height - top - panel.height, RIGHT, top)
            _draw(ax, panel)
            ax.yaxis.set_major_locator(MaxNLocator(3 if panel.height < 110 else 5, steps=[1, 2, 2.5, 5, 10]))
            ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
            top += panel.height + under
        return figure


def _named(panel: Panel) -> list[Line]:
    return [line for line in panel.lines if line.name]


def _draw(ax: Axes, panel: Panel) -> None:
    for line in panel.lines:
        x, y = np.asarray(line.x, float), np.asarray(line.y, float)
        if not line.dots and len(x) > 2 * POINTS:
            x, y = analysis.envelope(x, y, POINTS)
        ax.plot(
            x,
            y,
            color=colour(line.role),
            lw=0.9 if line.faint or line.dots else 1.4,
            alpha=0.35 if line.faint else 1.0,
            ls=(0, (4, 2)) if line.dashed else "-",
            marker="o" if line.dots else "",
            ms=3.0,
            zorder=2 if line.faint else 3,
        )
    if panel.raster is not None:
        _strokes(ax, *panel.raster, panel.height, colour("exc"))
    if panel.x_limits is not None:
        ax.set_xlim(*panel.x_limits)
    elif panel.lines:
        ax.margins(x=0.02)
    if panel.y_limits is not None:
        ax.set_ylim(*panel.y_limits)
    elif panel.from_zero:
        high = max((float(np.nanmax(np.asarray(line.y, float), initial=0.0)) for line in panel.lines), default=1.0)
        ax.set_ylim(0, high * 1.08 if high > 0 else 1.0)
    else:
        ax.margins(y=0.08)
        low, high = ax.get_ylim()
        if panel.lines and high - low < 1e-9 * max(1e-30, abs(low), abs(high)):
            ax.set_ylim(low - 1, high + 1)
    if panel.zero:
        ax.axhline(0, color=colour("line"), lw=0.9, zorder=1)
    for marks, low, high, role in ((panel.ticks, 0.97, 1.05, "ink"), (panel.arrows, -0.04, 0.04, "inh")):
        if len(marks):
            x = np.repeat(np.asarray(marks, float), 3)
            y = np.tile([low, high, np.nan], len(marks))
            ax.plot(x, y, lw=1.2, color=colour(role), transform=ax.get_xaxis_transform(), clip_on=False, zorder=4)
    if panel.joined:
        ax.tick_params(labelbottom=False)
    else:
        ax.set_xlabel(panel.x_label)
    ax.set_ylabel(panel.y_label)
    ax.yaxis.set_label_coords(-46 / (WIDTH - LEFT - RIGHT), 0.5)
    _key(ax, panel)


def _strokes(ax: Axes, times: ArrayLike, rows: ArrayLike, height: float, line: str) -> None:
    """Spikes as short strokes, all in one path: a file of a tenth of the size."""
    t, r = np.asarray(times, float), np.asarray(rows, float)
    low, high = (float(r.min()), float(r.max())) if len(r) else (0.0, 1.0)
    high = high if high > low else low + 1
    half = 2.2 * (high - low) / height
    y = np.repeat(r, 3) + np.tile([-half, half, np.nan], len(r))
    ax.plot(np.repeat(t, 3), y, color=line, lw=1.1)


def _key(ax: Axes, panel: Panel) -> None:
    """Title on the left, names of the curves in their colours on the right, in one line above the panel."""
    at: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
    lift = 6 if len(panel.ticks) else 4
    if panel.title:
        ax.annotate(panel.title, (0, 1), xytext=(2, lift), fontsize=11, color=colour("soft"), **at)
    offset = 0.0
    for line in reversed(_named(panel)):
        ax.annotate(line.name, (1, 1), xytext=(-offset, lift), ha="right", fontsize=11, color=colour(line.role), **at)
        offset += 6.3 * len(line.name) + 12


def svg_file(figure: Figure, name: str) -> str:
    """The figure as an SVG file that stands by itself, on white; the same figure always gives the same text."""
    import matplotlib

    stream = io.StringIO()
    with style(), matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(stream, format="svg", facecolor=colour("page"), metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.S)
    text = text[text.index("<svg") :]
    text = re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', text)
    text = re.sub(r"('|\")?DejaVu Sans\1?[^;\"]*", "sans-serif", text)
    text = re.sub(r"(?<=[\sMLCQ\"(,-])(\d+\.\d)\d+", r"\1", text)
    text = re.sub(r"\s*\n\s*", " ", text)
    text = re.sub(r' d="([^"]*)"', lambda path: f' d="{_relative(path[1].strip())}"', text)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    return text.strip() + "\n"


def _relative(path: str) -> str:
    """A path of straight lines by steps instead of places, in tenths of a pixel: half the size."""
    if not re.fullmatch(r"[ML\d.\s-]+", path):
        return path
    made, at = [], (0, 0)
    for letter, x, y in re.findall(r"([ML]?)\s*(-?[\d.]+)\s+(-?[\d.]+)", path):
        here = round(float(x) * 10), round(float(y) * 10)
        if letter == "M":
            made.append(f"M{here[0] / 10:g} {here[1] / 10:g}l")
        elif here != at:
            made.append(f"{(here[0] - at[0]) / 10:g} {(here[1] - at[1]) / 10:g} ")
        at = here
    return re.sub(r"\s*l?(?=M|$)", "", "".join(made)).replace(" -", "-")
