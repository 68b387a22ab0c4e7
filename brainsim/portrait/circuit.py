"""The circuit of a region or experiment as an SVG file that stands by itself."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from html import escape

from brainsim.plots import circuit_svg, read_diagram
from brainsim.plots.style import colour
from brainsim.runs.prepare import circuit

#: As on the page of a report, in the colours of a white page.
_STYLE = """
text { font-family: sans-serif }
.region { fill: WASH; stroke: LINE; stroke-width: 1 }
text.region { fill: SOFT; stroke: WASH; stroke-width: 5px; paint-order: stroke; font-size: 12.5px; font-weight: 600 }
.node rect { fill: PAGE; stroke: OTHER; stroke-width: 1.6 }
.node.exc rect { stroke: EXC } .node.inh rect { stroke: INH }
.name { font-size: 13.5px; font-weight: 600; text-anchor: middle; fill: INK }
.what { font-size: 11.5px; text-anchor: middle; fill: SOFT }
.label { font-size: 11.5px; text-anchor: middle; stroke: PAGE; stroke-width: 8px; paint-order: stroke }
.label.exc { fill: EXC } .label.inh { fill: INH } .label.other { fill: OTHER } .label.link { fill: SOFT }
.edge path { fill: none; stroke-width: 1.6 } .edge.plastic path { stroke-width: 3.2 }
.edge.exc path { stroke: EXC } .edge.inh path { stroke: INH } .edge.other path { stroke: OTHER }
.edge.link path { stroke: SOFT; stroke-dasharray: 3 3 } .edge.exc path.head { fill: EXC; stroke: none }
.edge path.bar { stroke-width: 3 } .edge .ring { fill: PAGE; stroke: SOFT; stroke-width: 1.6 }
"""


def portrait(
    name: str | os.PathLike[str],
    values: Mapping[str, str] | None = None,
    library: Sequence[str | os.PathLike[str]] = (),
) -> str:
    """SVG of the graph of populations and projections. Raises ``FileError`` or ``FitError``."""
    found = circuit(name, values, library)
    drawn = circuit_svg(read_diagram(found.resolved), room=480)
    style = re.sub(r"\b([A-Z]{3,5})\b", lambda role: colour(role[1].lower()), _STYLE)
    head = re.match(r"<svg[^>]*>", drawn)
    if head is None:
        return ""
    box = re.search(r'viewBox="([^"]*)"', head[0])
    x, y, width, height = (box[1] if box else "0 0 480 300").split()
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{x} {y} {width} {height}" width="{width}" height="{height}">'
    )
    title = f"<title>{escape(found.experiment.experiment)}</title>"
    page = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{colour("page")}"/>'
    return f"{opening}{title}<style>{style}</style>{page}{drawn[head.end() :]}\n"
