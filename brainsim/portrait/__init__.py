"""What a part does, as a picture: decided from what it is made of, never from its name.

>>> from brainsim import portrait
>>> portrait.draw("lif").save("lif.svg")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainsim.errors import BrainsimError, FileError, Problem, SetupError
from brainsim.portrait import parts

__all__ = ["ENDINGS", "VERSION", "Portrait", "draw"]

#: Goes up when the same part would be drawn differently.
VERSION = 3
#: What a picture may be written as.
ENDINGS = (".svg", ".png", ".html")


@dataclass(frozen=True)
class Portrait:
    """A picture of a part, or the reason why there is none."""

    kind: str
    name: str
    figure: Any = None  # of matplotlib
    svg: str = ""  # of a circuit
    why: str = ""  # there is no picture

    def text(self) -> str:
        """The picture as an SVG file; empty if there is none."""
        if self.figure is None:
            return self.svg
        from brainsim.plots.panels import svg_file

        return svg_file(self.figure, f"{self.kind}-{self.name}")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture; the ending says how. Raises ``FileError`` or ``SetupError``."""
        file = Path(path)
        content = self._content(file.suffix.lower())
        try:
            file.write_bytes(content)
        except OSError as error:
            problem = Problem("path", f"cannot write {file}: {error.strerror}", None, "Choose another --out.")
            raise SetupError(problem) from None

    def _content(self, ending: str) -> bytes:
        if ending == ".png":
            if self.figure is None:
                hint = "Write it as .svg or .html."
                raise FileError(Problem("value", "the circuit of a region is not drawn as PNG", None, hint))
            from brainsim.plots import png

            return png(self.figure)
        if ending == ".svg":
            return self.text().encode()
        if ending != ".html":
            hint = "Give a file that ends in .svg, .png or .html."
            raise FileError(
                Problem("value", f"a picture cannot be written as {ending or 'a file without ending'}", None, hint)
            )
        page = (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{self.name}</title>\n{self.text()}</html>\n'
        )
        return page.encode()


def draw(
    name: str | os.PathLike[str],
    set: Mapping[str, str] | None = None,
    library: Sequence[str | os.PathLike[str]] = (),
) -> Portrait:
    """The picture of a part.

    Parameters
    ----------
    name
        A part by name or path, or YAML text.
    set
        Parameter or input of the part -> value with unit: ``{"rate": "50 Hz"}``.
    library
        Folders with parts of your own, searched first.

    Raises
    ------
    FileError, FitError
        The part, or a value, is wrong. A part that is right and cannot be drawn gives a portrait that says why.
    """
    part = parts.read(name, set, library)
    if part.kind in ("region", "experiment"):
        from brainsim.portrait import circuit

        return Portrait(part.kind, part.name, svg=circuit.portrait(name, set, library))
    return picture(part)


def picture(part: parts.Part) -> Portrait:
    """The picture of a neuron, synapse or rule that was read."""
    from brainsim.plots.panels import panels

    try:
        return Portrait(part.kind, part.name, figure=panels(_panels(part), part.name))
    except BrainsimError as error:
        return Portrait(part.kind, part.name, why=error.problems[0].message)


def _panels(part: parts.Part) -> Any:
    if part.kind == "neuron":
        from brainsim.portrait import cell

        return cell.portrait(part)
    if part.kind == "synapse":
        from brainsim.portrait import junction

        return junction.portrait(part)
    from brainsim.portrait import rule

    return rule.portrait(part)
