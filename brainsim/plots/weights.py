"""Distributions of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from brainsim import analysis
from brainsim.plots.style import axes, canvas, colour, scaled, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def weights(
    after: ArrayLike, before: ArrayLike | None = None, name: str = "w", unit: str = "1", width: float = 430
) -> Figure:
    """Histogram of a synaptic variable after the run (filled) and before it (outline), over the same bins."""
    new = np.asarray(after, dtype=float)
    old = None if before is None else np.asarray(before, dtype=float)
    largest = max((float(np.nanmax(np.abs(a), initial=0.0)) for a in (new, old) if a is not None), default=0.0)
    factor, symbol = scaled(unit, largest)
    drawn = analysis.weight_histogram(new * factor, None if old is None else old * factor)
    with style():
        figure = canvas(width, 250)
        ax = axes(figure, 62, 46, 14, 26)
        ax.stairs(drawn.after, drawn.edges, fill=True, color=colour("exc"), alpha=0.75)
        labels = [("after", "exc")]
        if drawn.before is not None:
            ax.stairs(drawn.before, drawn.edges, color=colour("inh"), lw=1.8)
            labels.append(("before", "inh"))
        tallest = max(int(drawn.after.max()), int(drawn.before.max()) if drawn.before is not None else 0)
        ax.set_ylim(0, tallest * 1.05 or 1)
        ax.set_xlim(drawn.edges[0], drawn.edges[-1])
        from matplotlib.ticker import MaxNLocator

        ax.yaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 2.5, 5, 10]))
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        ax.set_xlabel(f"{name} ({symbol})" if symbol else name)
        ax.set_ylabel("synapses")
        offset = 0.0
        for text, role in labels:  # named in their colours instead of a key
            ax.annotate(
                text, (1, 1), xycoords="axes fraction", xytext=(-offset, 8), textcoords="offset points", ha="right",
                color=colour(role), weight="bold", fontsize=12, annotation_clip=False,
            )  # fmt: skip
            offset += 8.5 * len(text) + 10
        return figure
