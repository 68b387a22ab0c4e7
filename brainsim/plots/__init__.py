"""Figures of a run. matplotlib is imported only when a figure is drawn, and never its ``pyplot`` state.

Figures are made one pixel a point, so a width of 880 is 880 px on the page. :func:`svg` turns one into inline
SVG whose colours follow the page (light or dark); :func:`png` into an image at twice the resolution.
"""

from brainsim.plots.code import highlighted
from brainsim.plots.curves import TRACES, Rate, State, learning_curve, rates, states
from brainsim.plots.diagram import Arrow, Diagram, Node, read_diagram, read_model
from brainsim.plots.fields import field_sheet, gradient
from brainsim.plots.graph import SIGNS, circuit_svg, key_svg
from brainsim.plots.raster import Band, bands, raster, raster_png
from brainsim.plots.rows import Span
from brainsim.plots.style import PALETTE, png, svg
from brainsim.plots.terminal import raster_text
from brainsim.plots.weights import weights

__all__ = [
    "PALETTE", "SIGNS", "TRACES", "Arrow", "Band", "Diagram", "Node", "Rate", "Span", "State", "bands", "circuit_svg",
    "field_sheet", "gradient", "highlighted", "key_svg", "learning_curve", "png", "raster", "raster_png",
    "raster_text", "rates", "read_diagram", "read_model", "states", "svg", "weights",
]  # fmt: skip
