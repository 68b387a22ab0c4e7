"""A raster in characters: braille dots, eight to a character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from brainsim import analysis
from brainsim.plots.rows import shorten
from brainsim.plots.style import time_unit

#: Bit of each of the 4 x 2 dots of a braille character (Unicode 2800).
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


def raster_text(
    spikes: Mapping[str, tuple[ArrayLike, ArrayLike]],
    sizes: Mapping[str, int],
    start: float,
    stop: float,
    *,
    width: int = 80,
    lines: int | Mapping[str, int] | None = None,
    ascii_only: bool = False,
) -> str:
    """Draw spikes as text, ``width`` columns wide: populations with their rate, and a time axis with its unit.

    ``spikes`` maps a path to (times [s], cell of each spike), ``sizes`` to the number of cells. ``lines`` is the
    height of a population in lines (by default 1 to 6, by its size); a line holds four rows of dots, of evenly
    spaced cells. ``ascii_only`` draws one ``:`` a character, for terminals without braille.
    """
    if stop <= start:
        raise ValueError(f"nothing to draw between {start} and {stop} s")
    label = min(20, max((len(path) for path in spikes), default=0))
    rates = {path: _rate(times, sizes[path], start, stop) for path, (times, _) in spikes.items()}
    tail = max((len(text) for text in rates.values()), default=0)
    columns = max(16, width - label - tail - 4)
    text: list[str] = []
    edge = "|" if ascii_only else "│"
    for path, (times, ids) in spikes.items():
        size = sizes[path]
        height = lines.get(path) if isinstance(lines, Mapping) else lines
        height = height or int(np.clip(np.ceil(size / 16), 1, 6))
        grid = _grid(times, ids, size, start, stop, columns, height, ascii_only)
        middle = (height - 1) // 2
        for k, line in enumerate(_characters(grid, ascii_only)):
            name = shorten(path, label, 1.0) if k == middle else ""
            rate = rates[path] if k == middle else ""
            text.append(f"{name:>{label}} {edge}{line}{edge} {rate}".rstrip())
    text.extend(_axis(start, stop, label, columns, ascii_only))
    return "\n".join(text)


def _rate(times: ArrayLike, size: int, start: float, stop: float) -> str:
    t = np.asarray(times, dtype=float)
    rate = analysis.mean_rate(int(((t >= start) & (t <= stop)).sum()), size, stop - start)
    return f"{rate:.3g} Hz" if np.isfinite(rate) else ""


def _grid(
    times: ArrayLike, ids: ArrayLike, size: int, start: float, stop: float, columns: int, height: int, coarse: bool
) -> np.ndarray:
    """Dots of one population, shape (rows, dots across)."""
    per_row, per_column = (1, 1) if coarse else (4, 2)
    down, across = height * per_row, columns * per_column
    shown = analysis.raster_rows(times, ids, size, start, stop, cells=down, points=10**9)
    grid = np.zeros((down, across), dtype=bool)
    x = np.clip(((shown.times - start) / (stop - start) * across).astype(int), 0, across - 1)
    cells = max(len(shown.cells), 1)
    # Fewer cells than rows: spread them, so that one cell sits in the middle.
    y = ((shown.row + 0.5) * down / cells).astype(int)
    grid[np.clip(y, 0, down - 1), x] = True
    return grid


def _characters(grid: np.ndarray, coarse: bool) -> list[str]:
    if coarse:
        return ["".join(":" if dot else " " for dot in row) for row in grid]
    down, across = grid.shape[0] // 4, grid.shape[1] // 2
    codes = (grid.reshape(down, 4, across, 2) * _DOTS[None, :, None, :]).sum(axis=(1, 3))
    return ["".join(chr(0x2800 + code) if code else " " for code in row) for row in codes]


def _axis(start: float, stop: float, label: int, columns: int, coarse: bool) -> Sequence[str]:
    factor, unit = time_unit(stop - start, stop)
    step = analysis.nice((stop - start) * factor / max(2, columns // 10))
    first = np.ceil(start * factor / step - 1e-9) * step
    ticks = np.abs(np.arange(first, stop * factor + 1e-9 * step, step))  # no -0
    flat, mark = ("-", "+") if coarse else ("─", "┬")
    line, numbers = [flat] * columns, [" "] * (label + 2 + columns + 10)
    # From the right, so that the last number, which carries the unit, always has its place.
    free = len(numbers)
    for k, tick in enumerate(ticks[::-1]):
        at = min(columns - 1, round((tick / factor - start) / (stop - start) * (columns - 1)))
        line[at] = mark
        number = f"{tick:.10g}"
        word = f"{number} {unit}" if k == 0 else number
        left = max(0, label + 2 + at - len(number) // 2)
        if left + len(word) < free:
            numbers[left : left + len(word)] = word
            free = left
    corner, end = ("+", "+") if coarse else ("└", "┘")
    return [f"{'':>{label}} {corner}{''.join(line)}{end}", "".join(numbers).rstrip()]
