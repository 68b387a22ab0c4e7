"""Colours, fonts and the way from a matplotlib figure to a page."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colours by role, (on light, on dark). Told apart with every common colour blindness (they differ in
#: lightness as well as hue), at least 4.5:1 on their background. On a page they are CSS variables ``--NAME``.
PALETTE: dict[str, tuple[str, str]] = {
    "exc": ("#2563a8", "#7db4f0"),  # excitatory; the first series
    "inh": ("#c2410c", "#fb9468"),  # inhibitory; the second series
    "other": ("#0f766e", "#5ccfbf"),  # neither, or not known
    "fourth": ("#7e4a9e", "#cfa6ea"),
    "fifth": ("#866103", "#e2bd55"),
    "ink": ("#1b2330", "#e8ecf2"),
    "soft": ("#566072", "#a7b1c0"),  # ticks, secondary text
    "line": ("#d4d9e1", "#3a4352"),  # rules and frames
    "wash": ("#f2f4f7", "#1f2630"),  # bands behind data
    "page": ("#ffffff", "#141a22"),
}
SERIES = ("exc", "inh", "other", "fourth", "fifth", "soft")


def colour(role: str) -> str:
    """The colour of a role on white, as figures are drawn; :func:`svg` replaces it by the page's own."""
    return PALETTE[role][0]


@contextlib.contextmanager
def style() -> Iterator[None]:
    """matplotlib's settings for our figures, undone afterwards."""
    import matplotlib

    settings: dict[str, Any] = {
        "font.family": ["DejaVu Sans"],  # comes with matplotlib
        "font.size": 12,
        "axes.edgecolor": colour("soft"),
        "axes.labelcolor": colour("soft"),
        "axes.labelsize": 12,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.formatter.useoffset": False,
        "axes.unicode_minus": True,
        "xtick.color": colour("soft"),
        "ytick.color": colour("soft"),
        "xtick.labelsize": 11,
        "ytick.labelsize": 11,
        "xtick.major.size": 3.5,
        "ytick.major.size": 3.5,
        "text.color": colour("ink"),
        "lines.linewidth": 1.4,
        "lines.solid_capstyle": "butt",
        "figure.dpi": 72,
        "savefig.dpi": 72,
        "svg.fonttype": "none",
        "svg.image_inline": True,
        "path.simplify": False,
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # not what a file matplotlibrc in the working folder says: usetex would start LaTeX
        matplotlib.rcParams.update(settings)
        yield


def canvas(width: float, height: float) -> Figure:
    """An empty figure of so many pixels, without a background of its own."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_alpha(0)
    return figure


def axes(figure: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Axes with margins in pixels."""
    width, height = figure.get_size_inches() * 72
    box = (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    ax = figure.add_axes(box)
    ax.patch.set_alpha(0)
    return ax


def svg(figure: Figure, name: str) -> str:
    """Inline SVG for a page; ``name`` keeps its ids apart from those of other figures on the page."""
    import matplotlib

    stream = io.StringIO()
    with style(), matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return themed(stream.getvalue(), name)


def themed(text: str, name: str) -> str:
    """What matplotlib wrote, without prologue and metadata, smaller, in the colours and font of the page."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r'<style type="text/css">.*?</style>', "", text, flags=re.S)
    width, height = (float(v) for v in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text).groups())  # type: ignore[union-attr]
    text = re.sub(
        r"<svg[^>]*>",
        f'<svg class="figure" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        'aria-hidden="true" focusable="false" stroke-linejoin="round">',
        text,
        count=1,
    )
    text = text.replace("xlink:href", "href")
    # matplotlib before 3.11 writes font: 12px 'DejaVu Sans', ...; later ones font-family.
    text = re.sub(r"font: ([\d. a-z]*?)([\d.]+px) [^;\"]*", r"font: \1\2 var(--sans)", text)
    text = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans)", text)
    text = re.sub(r' transform="rotate\(-?0 [^"]*"', "", text)
    for role, (light, _) in PALETTE.items():
        text = re.sub(re.escape(light), f"var(--{role})", text, flags=re.I)
    # Coordinates to a tenth of a pixel: a third of the size, and nobody sees the difference.
    text = re.sub(r"(?<=[\sMLCQ\"(,-])(\d+\.\d)\d+", r"\1", text)
    text = re.sub(r"\s*\n\s*", " ", text)
    # Ids of axes (axes_1, patch_2) repeat from figure to figure; nothing refers to them.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    return text.strip()


def png(figure: Figure, scale: float = 2.0, background: str | None = "page", margin: float = 0) -> bytes:
    """The figure as PNG, by default at twice the resolution on white; cut to what is drawn and ``margin`` pixels."""
    stream = io.BytesIO()
    face = colour(background) if background else "none"
    with style():
        cut: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": margin / 72} if margin else {}
        figure.savefig(stream, format="png", dpi=72 * scale, facecolor=face, **cut)
    return stream.getvalue()


def time_axis(ax: Axes, start: float, stop: float, label: bool = True, ticks: int = 7) -> float:
    """Set the time axis in the unit people read; returns what seconds are multiplied by."""
    from matplotlib.ticker import MaxNLocator

    factor, unit = time_unit(stop - start, stop)
    ax.set_xlim(start * factor, stop * factor)
    ax.xaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))
    if label:
        ax.set_xlabel(f"time ({unit})")
    return factor


def time_unit(length: float, stop: float) -> tuple[float, str]:
    """Factor and unit for a stretch of ``length`` seconds that ends at ``stop``."""
    if stop <= 2.0:
        return 1e3, "ms"
    if length > 7200:
        return 1 / 3600, "h"
    if length > 300:
        return 1 / 60, "min"
    return 1.0, "s"


_PREFIX = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
_SYMBOL = {"volt": "V", "amp": "A", "siemens": "S", "second": "s", "hertz": "Hz", "farad": "F", "metre": "m",
           "meter": "m", "ohm": "Ω", "molar": "M", "coulomb": "C", "watt": "W", "joule": "J"}  # fmt: skip


def scaled(unit: str, largest: float) -> tuple[float, str]:
    """Factor and symbol that make values up to ``largest`` in a Brian2 unit readable: volt -> (1e3, "mV")."""
    symbol = _SYMBOL.get(unit)
    if symbol is None:
        return 1.0, "" if unit in ("1", "") else unit
    if largest <= 0:
        return 1.0, symbol
    power = 0
    for candidate in sorted(_PREFIX, reverse=True):
        if largest >= 0.9999 * 10.0**candidate:
            power = candidate
            break
    else:
        power = min(_PREFIX)
    return 10.0**-power, _PREFIX[power] + symbol
