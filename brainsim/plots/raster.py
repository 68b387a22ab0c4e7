"""Which cell fired when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from brainsim import analysis
from brainsim.errors import BrainsimError
from brainsim.plots import rows
from brainsim.plots.diagram import read_diagram, read_model
from brainsim.plots.style import colour, png, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from brainsim.runs.results import Results


@dataclass(frozen=True)
class Band:
    """The spikes of one population that are drawn."""

    path: str
    shown: analysis.Rows
    role: str = "exc"  # colour of the palette


def bands(
    spikes: Mapping[str, tuple[ArrayLike, ArrayLike]],
    sizes: Mapping[str, int],
    duration: float,
    *,
    trial: float = 0.0,
    roles: Mapping[str, str] | None = None,
    cells: int = 100,
    points: int = 2500,
    span: tuple[float, float] | None = None,
) -> tuple[list[Band], float, float]:
    """Choose a time window (unless ``span`` gives it) and cells; at most ``points`` spikes a population.

    ``spikes`` maps a path to (times [s], cell of each spike). Returns the bands, start and stop [s].
    """
    density = []
    for path, (_, ids) in spikes.items():
        cell = np.asarray(ids).astype(np.int64)
        share = min(cells, sizes[path]) / max(sizes[path], 1)
        density.append(len(cell) * share / duration if duration > 0 else 0.0)
    start, stop = span or analysis.window(duration, density, trial, points)
    each = max(200, min(points, 12_000 // max(len(spikes), 1)))  # the whole figure stays light
    chosen = [
        Band(path, analysis.raster_rows(t, i, sizes[path], start, stop, cells, each), (roles or {}).get(path, "exc"))
        for path, (t, i) in spikes.items()
    ]
    return chosen, start, stop


def raster(shown: Sequence[Band], start: float, stop: float, width: float = 880, ticks: float = 0) -> Figure:
    """Spikes of each population over time, one row a cell.

    ``ticks`` pixels are left free beside the names, to line up with figures that have numbers there.
    """
    with style():
        heights = [_height(len(band.shown.cells), len(shown)) for band in shown]
        labels = [(band.path, _count(band.shown)) for band in shown]
        frame = rows.stack(labels, heights, start, stop, width, ticks, colours=[band.role for band in shown])
        for ax, band, height in zip(frame.rows, shown, heights, strict=True):
            count = max(len(band.shown.cells), 1)
            ax.set_ylim(count - 0.5, -0.5)  # cell 0 on top
            ax.set_yticks([])
            ax.spines["left"].set_color(colour("line"))
            # A spike is at least 2.6 px high; where few fire it may reach into its neighbours' rows and is easier seen.
            tall = 2.6 if len(band.shown.times) > 1200 else 4.4
            half = max(0.42, 0.5 * tall / (height / count))
            x = np.repeat(band.shown.times * frame.factor, 3)
            y = np.repeat(band.shown.row.astype(float), 3)
            y[0::3] -= half
            y[1::3] += half
            y[2::3] = np.nan
            ax.plot(x, y, color=colour(band.role), lw=1.3 if len(x) < 4500 else 1.0, clip_on=True)
        return frame.figure


def raster_png(results: Results, file: str | Path, width: float = 800) -> Path:
    """Write the raster of a run (an open ``Results``) as a PNG file, at twice the resolution on white."""
    spikes = {path: results.spikes(path) for path in results.spike_paths}
    sizes = {path: int(results.summary["populations"][path.partition("[")[0]]["size"]) for path in spikes}
    try:
        roles = {node.path: node.role for node in read_diagram(read_model(results.folder)).nodes}
    except BrainsimError:
        roles = {}  # a picture in one colour is still the picture
    chosen, start, stop = bands(spikes, sizes, float(results.summary["model_time_s"]), roles=roles)
    target = Path(file)
    target.write_bytes(png(raster(chosen, start, stop, width), margin=14))
    return target


def _height(cells: int, populations: int) -> float:
    """Pixels of a band: enough to read, more for more cells, less when there are many bands."""
    most = 190.0 if populations <= 3 else 88.0 if populations <= 8 else 56.0
    return float(np.clip(1.9 * cells, 26.0, most))


def _count(shown: analysis.Rows) -> str:
    cells = f"{shown.size:,} cell{'s' if shown.size != 1 else ''}"
    return cells if len(shown.cells) == shown.size else f"{len(shown.cells)} of {cells}"
