"""Stacked panels over one time axis: the frame that rasters, rates and recorded variables share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from brainsim.plots.style import axes, canvas, colour, time_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Pixels a letter takes, with room to spare: of names (12 px, bold) and of what stands below them (11 px).
_BOLD, _TEXT = 8.0, 6.6


@dataclass(frozen=True)
class Span:
    """A stretch of time with a name: a phase of the run."""

    name: str
    start: float  # seconds
    stop: float


@dataclass(frozen=True)
class Stack:
    """A figure of rows; times on its axes are in ``factor`` times seconds."""

    figure: Figure
    rows: tuple[Axes, ...]
    factor: float


def shorten(text: str, room: float, letter: float = _BOLD) -> str:
    """``text`` cut in the middle to fit ``room`` pixels: the ends of a dotted path say most."""
    most = max(5, int(room / letter + 0.01))
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[-(most - 1 - head) :]}"


def stack(
    labels: Sequence[tuple[str, str]],
    heights: Sequence[float],
    start: float,
    stop: float,
    width: float,
    ticks: float = 0,
    spans: Sequence[Span] = (),
    colours: Sequence[str] = (),
    gap: float = 8,
    above_rows: float = 0,
) -> Stack:
    """Rows with a name and a second line each, above one another over one time axis.

    ``ticks`` pixels are kept for the numbers of y axes, ``above_rows`` for words over the first row, ``gap`` between
    rows. On narrow figures names stand above their rows, on wide ones to the left of them.
    """
    narrow = width < 560
    wanted = max(max(_BOLD * len(name), _TEXT * len(second)) for name, second in labels)
    name_width = 0.0 if narrow else min(206.0, max(118.0, 16 + wanted))
    left = max(name_width + ticks, 10.0) if not narrow else max(ticks, 14.0)
    head = 21 if narrow else 0
    top, bottom, right = (24.0 if spans else 8.0) + (0 if narrow else above_rows), 44.0, 14.0
    height = top + bottom + sum(heights) + gap * (len(heights) - 1) + head * len(heights)
    figure = canvas(width, height)
    rows: list[Axes] = []
    above = top
    factor = 1.0
    for k, (h, (name, second)) in enumerate(zip(heights, labels, strict=True)):
        above += head
        ax = axes(figure, left, height - above - h, right, above)
        last = k == len(heights) - 1
        factor = time_axis(ax, start, stop, label=last, ticks=4 if narrow else 8)
        if not last:
            ax.tick_params(axis="x", length=0, labelbottom=False)
            ax.spines["bottom"].set_visible(False)
        ink = colour(colours[k]) if colours else colour("ink")
        place: dict[str, Any] = {"xycoords": "axes points", "annotation_clip": False}
        if narrow:
            name = shorten(name, width * 0.42, 8.6)
            ax.annotate(name, (0, h + 7), color=ink, fontsize=12, weight="bold", **place)
            ax.annotate(second, (8.6 * len(name) + 10, h + 7), color=colour("soft"), fontsize=11, **place)
        else:
            y = h / 2
            name = shorten(name, name_width - 16)
            both = h >= 26 and second
            ax.annotate(
                name, (-left, y + (2 if both else -4)), color=ink, fontsize=12, weight="bold", **place,
            )  # fmt: skip
            if both:
                ax.annotate(second, (-left, y - 13), color=colour("soft"), fontsize=11, **place)
        rows.append(ax)
        above += h + gap
    for n, span in enumerate(spans):
        a, b = max(span.start, start) * factor, min(span.stop, stop) * factor
        if b <= a:
            continue
        for ax in rows:
            if n % 2 == 0:
                ax.axvspan(a, b, color=colour("wash"), lw=0, zorder=-5)
        share = (b - a) / ((stop - start) * factor) * (width - left - right)
        if share > len(span.name) * 5.5:
            rows[0].annotate(
                span.name, ((a + b) / 2, 1), xycoords=("data", "axes fraction"), ha="center", fontsize=11,
                xytext=(0, 6 + (head or above_rows)), textcoords="offset points", color=colour("soft"),
                annotation_clip=False,
            )  # fmt: skip
    return Stack(figure, tuple(rows), factor)
