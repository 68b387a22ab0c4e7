"""Curves: rates and recorded variables over time, accuracy over trials."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainsim import analysis
from brainsim.plots import rows
from brainsim.plots.rows import Span
from brainsim.plots.style import SERIES, axes, canvas, colour, scaled, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator


#: More members than this are drawn as their mean and spread.
TRACES = 4


@dataclass(frozen=True)
class Rate:
    """Rate of one population in bins."""

    path: str
    edges: NDArray[np.float64]  # (bins + 1,) seconds
    rates: NDArray[np.float64]  # (bins,) Hz
    role: str = "exc"


@dataclass(frozen=True)
class State:
    """One variable of a population or projection over time."""

    path: str
    variable: str
    unit: str  # as Brian2 names it, "1" for none
    times: NDArray[np.float64]  # (T,) seconds
    values: NDArray[np.float64]  # (T, N)
    names: tuple[str, ...] = ()  # of the N members


def rates(shown: Sequence[Rate], width: float = 880, spans: Sequence[Span] = ()) -> Figure:
    """Mean rate of a cell over time, a row a population, each with its own scale."""
    with style():
        start = min(float(r.edges[0]) for r in shown)
        stop = max(float(r.edges[-1]) for r in shown)
        height = 62.0 if len(shown) <= 8 else 44.0
        labels = [(r.path, "rate (Hz)") for r in shown]
        frame = rows.stack(
            labels, [height] * len(shown), start, stop, width, 46, spans, [r.role for r in shown], gap=14
        )
        for ax, r in zip(frame.rows, shown, strict=True):
            ax.stairs(r.rates, r.edges * frame.factor, color=colour(r.role), lw=1.4, baseline=None)
            ax.stairs(r.rates, r.edges * frame.factor, color=colour(r.role), fill=True, alpha=0.16, lw=0)
            _from_zero(ax, float(np.nanmax(r.rates, initial=0.0)))
        return frame.figure


def states(shown: Sequence[State], width: float = 880, spans: Sequence[Span] = ()) -> Figure:
    """Recorded variables over time: each of up to ``TRACES`` members, mean and spread of more."""
    with style():
        start = min(float(s.times[0]) for s in shown)
        stop = max(float(s.times[-1]) for s in shown)
        if stop <= start:
            stop = start + 1e-3
        labels, units = [], []
        for s in shown:
            factor, symbol = scaled(s.unit, float(np.nanmax(np.abs(s.values), initial=0.0)))
            units.append(factor)
            count = s.values.shape[1]
            what = f"{s.variable} ({symbol})" if symbol else s.variable
            labels.append((s.path, what if count <= TRACES else f"{what}, {count} members"))
        frame = rows.stack(labels, [104.0] * len(shown), start, stop, width, 46, spans, gap=24, above_rows=18)
        for ax, s, factor in zip(frame.rows, shown, units, strict=True):
            values = s.values * factor
            ends: list[tuple[float, str, str]] = []
            if values.shape[1] <= TRACES:
                for k in range(values.shape[1]):
                    t, v = analysis.envelope(s.times, values[:, k])
                    ax.plot(t * frame.factor, v, color=colour(SERIES[k]), lw=1.3)
                    ends.append((float(v[-1]), s.names[k] if k < len(s.names) else "", SERIES[k]))
            else:
                _spread(ax, s.times, values, frame.factor)
            if len(ends) > 1:
                _keys(ax, ends, width * (0.42 if width < 560 else 0.8))
            ax.margins(y=0.06)
            ax.yaxis.set_major_locator(_few(4))
        return frame.figure


def learning_curve(
    points: ArrayLike, chance: float | None = None, label: str = "accuracy", width: float = 430, over: str = "trials"
) -> Figure:
    """Accuracy over trials (or rounds), with the level of guessing. ``points`` are rows of (trials, accuracy 0..1)."""
    curve = np.asarray(points, dtype=float).reshape(-1, 2)
    with style():
        figure = canvas(width, 300)
        ax = axes(figure, 52, 46, 62, 14)
        ax.plot(
            curve[:, 0],
            curve[:, 1] * 100,
            color=colour("exc"),
            marker="o" if len(curve) <= 25 else "",
            ms=4.5,
            clip_on=False,
            zorder=3,
        )
        ax.set_ylim(0, 100)
        right = float(curve[:, 0].max(initial=1.0))
        ax.set_xlim(min(0.0, float(curve[:, 0].min(initial=0.0))), right or 1.0)
        ax.yaxis.set_major_locator(_few(5))
        ax.xaxis.set_major_locator(_few(5))
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        ax.grid(axis="y", color=colour("line"), lw=0.8)
        ax.set_axisbelow(True)
        ax.set_xlabel(over)
        ax.set_ylabel(f"{label} (%)")
        end = curve[-1, 1] * 100 if len(curve) else float("nan")
        away: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center"}
        away["annotation_clip"] = False
        if np.isfinite(end):
            ax.annotate(f"{end:.1f} %", (1, end), (8, 0), color=colour("exc"), weight="bold", fontsize=12, **away)
        if chance:
            ax.axhline(chance * 100, color=colour("soft"), lw=1.2, ls=(0, (4, 3)))
            if not np.isfinite(end) or abs(end - chance * 100) > 8:
                ax.annotate(
                    f"chance\n{chance * 100:.3g} %",
                    (1, chance * 100),
                    (8, 0),
                    color=colour("soft"),
                    fontsize=11,
                    **away,
                )
        return figure


def _from_zero(ax: Axes, top: float) -> None:
    """A y axis from 0 to a round number, with only these two marked."""
    top = analysis.nice(top, (1, 1.5, 2, 3, 4, 5, 6, 8, 10)) if top > 0 else 1.0
    ax.set_ylim(0, top)
    ax.set_yticks([0, top], ["0", f"{top:,.6g}"])


def _spread(ax: Axes, times: NDArray[np.float64], values: NDArray[np.float64], factor: float) -> None:
    """Mean and the middle 80 % of many members."""
    step = max(1, len(times) // 800)
    t = times[::step] * factor
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a time at which every member is NaN: a gap in the curve
        low, high = np.nanpercentile(values[::step], [10, 90], axis=1)
        mean = np.nanmean(values[::step], axis=1)
    ax.fill_between(t, low, high, color=colour("exc"), alpha=0.18, lw=0)
    ax.plot(t, mean, color=colour("exc"), lw=1.6)


def _keys(ax: Axes, ends: list[tuple[float, str, str]], room: float) -> None:
    """Names of the traces in their colours, in one line above the row if there is room for all."""
    if sum(6.6 * len(name) + 12 for _, name, _ in ends) > room:
        return
    offset = 0.0
    for _, name, role in reversed(ends):
        if not name:
            continue
        ax.annotate(
            name, (1, 1), xycoords="axes fraction", xytext=(-offset, 3), textcoords="offset points", ha="right",
            fontsize=11, color=colour(role), annotation_clip=False,
        )  # fmt: skip
        offset += 6.6 * len(name) + 12


def _few(count: int) -> MaxNLocator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(count, steps=[1, 2, 2.5, 5, 10])
