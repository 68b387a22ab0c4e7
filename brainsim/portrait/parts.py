"""The part that is drawn: its content, merged with its parents, and what it is made of."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brainsim import source
from brainsim.equations import Equation, parse_equations
from brainsim.errors import FitError, Problem, suggest
from brainsim.library import Library
from brainsim.plots.style import scaled
from brainsim.runs.prepare import find
from brainsim.units import Dims, parse_unit, unit_name
from brainsim.units import parse as parse_quantity

_NAME = re.compile(r"[A-Za-z_]\w*")


class NoPicture(FitError):
    """A part that cannot be drawn; the message says why, in words that follow its name and a colon."""

    def __init__(self, why: str):
        super().__init__(Problem("fit", why, None, ""))


@dataclass(frozen=True)
class Part:
    """A part as it stands in the library, ready to be put into a small network."""

    kind: str
    name: str
    data: dict[str, Any]  # merged with its parents
    library: Library
    root: Path
    given: Mapping[str, str] = field(default_factory=dict)  # parameters and inputs that were set from outside

    @property
    def content(self) -> dict[str, Any]:
        """A copy of the content to put in place of a name."""
        return copy.deepcopy(self.data)


def read(
    name: str | os.PathLike[str],
    values: Mapping[str, str] | None = None,
    library: Sequence[str | os.PathLike[str]] = (),
) -> Part:
    """Find a part by name, path or text. ``values``: parameter or input -> value, as with ``--set``.

    Raises ``FileError``, or ``FitError`` for a value that fits nothing.
    """
    tree, shelf, path = find(name, library)
    return _part(tree, shelf, path.resolve().parent if path is not None else Path.cwd(), values)


def of_library(kind: str, name: str, library: Library) -> Part:
    """A part of a library by kind and name. Raises ``FileError``."""
    path = library.path(kind, name)
    return _part(library.part(kind, name), library, path.parent if path is not None else Path.cwd(), None)


def _part(tree: source.Tree, shelf: Library, root: Path, values: Mapping[str, str] | None) -> Part:
    kind, word = source.identify(tree)
    data = dict(copy.deepcopy(shelf.resolve(tree).data))
    data.pop("extends", None)
    part = Part(kind, word, data, shelf, root, dict(values or {}))
    if values and kind in ("neuron", "synapse", "plasticity"):
        _give(part, values)
    return part


def _give(part: Part, values: Mapping[str, str]) -> None:
    known = {**(part.data.get("parameters") or {}), **(part.data.get("inputs") or {})}
    for key, value in values.items():
        if key not in known:
            hint = suggest(key, known, "parameter")
            raise FitError(Problem("name", f"{part.kind} {part.name} has no parameter {key}", None, hint))
        try:
            dims = parse_quantity(value).dims
        except ValueError as error:
            hint = "Write a number and a unit, such as 20 ms."
            raise FitError(Problem("unit", f"{key}: {error}", None, hint)) from None
        wanted = input_dims(part)[key] if key in (part.data.get("inputs") or {}) else parse_quantity(known[key]).dims
        if tuple(dims) != tuple(wanted):
            message = f"{key} of {part.name} is in {unit_name(wanted)}, got {value}"
            raise FitError(Problem("dimension", message, None, ""))
        if key in (part.data.get("parameters") or {}):
            part.data["parameters"][key] = value


def input_dims(part: Part) -> dict[str, Dims]:
    """Dimensions of what a cell must be given."""
    return {name: parse_unit(str(unit))[1] for name, unit in (part.data.get("inputs") or {}).items()}


def codes(data: Any) -> Iterable[str]:
    """Every piece of text below a key of a part that holds code: what may name a variable."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            if key not in ("about", "cite", "parameters", "extends", "functions", "when", "each"):
                yield from codes(value)
    elif isinstance(data, list):
        for value in data:
            yield from codes(value)


def words(data: Any) -> set[str]:
    """Names in the code of a part."""
    return {word for text in codes(data) for word in _NAME.findall(re.sub(r"#.*", "", text))}


def equations(text: Any) -> dict[str, Equation]:
    """Variables of a block of equations."""
    return {equation.name: equation for equation in parse_equations(text)} if isinstance(text, str) and text else {}


def of_side(names: Iterable[str], side: str) -> set[str]:
    """``{"v_post", "w"}`` -> ``{"v"}``."""
    return {name.removesuffix(f"_{side}") for name in names if name.endswith(f"_{side}")}


def unit_of(equation: Equation) -> str:
    return unit_name(equation.dims)


def label(name: str, unit: str, largest: float) -> tuple[float, str]:
    """Factor, and ``name (unit)`` as it stands at an axis."""
    factor, symbol = scaled(unit, largest)
    return factor, f"{name} ({symbol})" if symbol else name


def words_of(name: str, unit: str, value: float) -> str:
    """``I_bias = 250 pA``."""
    factor, symbol = scaled(unit, abs(value))
    return f"{name} = {value * factor + 0.0:.3g} {symbol}".rstrip()  # no minus before a zero
