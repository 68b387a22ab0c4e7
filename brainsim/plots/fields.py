"""Receptive fields as a sheet of small images."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from brainsim import analysis

#: From no weight to full weight: light to dark, one hue after the other, even in lightness (a cut of "magma").
_STOPS = (
    (0.0, (252, 248, 236)),
    (0.25, (253, 201, 134)),
    (0.5, (238, 110, 91)),
    (0.75, (148, 44, 128)),
    (1.0, (26, 14, 58)),
)


def field_sheet(
    fields: NDArray[np.float64],
    classes: Sequence[str | None] = (),
    numbers: Sequence[int] | NDArray[np.int64] = (),
    columns: int = 10,
) -> tuple[str, float, float]:
    """Inline SVG of the fields, each with the class it stands for, and the range (low, high) of the colours.

    ``fields`` has shape ``(n, rows, columns)``; all share one colour scale. ``numbers`` are the cells' numbers.
    """
    n, height, width = fields.shape
    columns = min(columns, n)
    finite = fields[np.isfinite(fields)]
    # The top of the scale is a high percentile: one outlier must not make every other field pale.
    low = min(0.0, float(finite.min())) if finite.size else 0.0
    high = float(np.percentile(finite, 99.8)) if finite.size else 1.0
    if high <= low:
        high = low + 1.0
    scale, gap, label = 3, 8, 20
    cell_w, cell_h = width * scale, height * scale
    down = -(-n // columns)
    step_x, step_y = cell_w + gap, cell_h + gap + label
    total_w, total_h = columns * step_x - gap, down * step_y - gap
    parts = [
        f'<svg class="fields" viewBox="0 0 {total_w} {total_h}" width="{total_w}" height="{total_h}" '
        'aria-hidden="true" focusable="false">'
    ]
    # One image a row of cells keeps the file small; single images would repeat the PNG header.
    for row in range(down):
        part = fields[row * columns : (row + 1) * columns]
        sheet = analysis.tile(part, len(part), gap=0)
        address = base64.b64encode(_png(_colours(sheet, low, high))).decode()
        for k in range(len(part)):
            cell = row * columns + k
            x, y = k * step_x, row * step_y
            title = f"cell {numbers[cell] if len(numbers) else cell}"
            name = classes[cell] if cell < len(classes) else None
            if name is not None:
                title += f", class {name}"
            # Each cell shows its piece of the row's image.
            parts.append(
                f'<svg x="{x}" y="{y}" width="{cell_w}" height="{cell_h}" viewBox="{k * width} 0 {width} {height}" '
                f'preserveAspectRatio="none"><title>{escape(title)}</title><use href="#fields-row-{row}"/></svg>'
            )
            if name is not None:
                parts.append(f'<text x="{x + cell_w / 2:g}" y="{y + cell_h + 17}">{escape(name)}</text>')
        parts.append(
            f'<defs><image id="fields-row-{row}" width="{sheet.shape[1]}" height="{height}" '
            f'style="image-rendering:pixelated" href="data:image/png;base64,{address}"/></defs>'
        )
    parts.append("</svg>")
    return "".join(parts), low, high


def gradient() -> str:
    """The colour scale as CSS."""
    return "linear-gradient(to right, " + ", ".join(f"rgb{rgb} {at:.0%}" for at, rgb in _STOPS) + ")"


def _colours(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    """Red, green, blue, opacity of each pixel; pixels without a synapse are clear."""
    share = np.clip((np.nan_to_num(values, nan=low) - low) / (high - low), 0, 1)
    at = [stop for stop, _ in _STOPS]
    image = np.empty((*values.shape, 4), dtype=np.uint8)
    for channel in range(3):
        image[..., channel] = np.interp(share, at, [rgb[channel] for _, rgb in _STOPS]).round()
    image[..., 3] = np.where(np.isfinite(values), 255, 0)
    return image


def _png(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image  # comes with matplotlib

    stream = io.BytesIO()
    # 64 colours are more than the eye tells apart here and a third of the size.
    picture = Image.fromarray(image, "RGBA")
    if (image[..., 3] == 255).all():
        picture = picture.convert("RGB").quantize(64)
    picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()
