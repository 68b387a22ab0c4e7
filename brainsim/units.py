"""Quantities without Brian2: a number and seven SI exponents, read through a table.

``20 ms`` is read by a small grammar (number, unit; units joined by ``*``, ``/`` and ``**``), never by
``eval``. Values are kept in SI base units, with the same floating-point product Brian2 forms
(``20 * 0.001``), so that a printed script and the engine hold the same bits.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Dims = tuple[float, ...]

#: metre, kilogram, second, ampere, kelvin, mole, candela: Brian2's order
NONE: Dims = (0, 0, 0, 0, 0, 0, 0)

_BASE: dict[str, Dims] = {
    "meter": (1, 0, 0, 0, 0, 0, 0),
    "kilogram": (0, 1, 0, 0, 0, 0, 0),
    "second": (0, 0, 1, 0, 0, 0, 0),
    "amp": (0, 0, 0, 1, 0, 0, 0),
    "kelvin": (0, 0, 0, 0, 1, 0, 0),
    "mole": (0, 0, 0, 0, 0, 1, 0),
    "candle": (0, 0, 0, 0, 0, 0, 1),  # Brian2's name of the candela
    "hertz": (0, 0, -1, 0, 0, 0, 0),
    "volt": (2, 1, -3, -1, 0, 0, 0),
    "siemens": (-2, -1, 3, 2, 0, 0, 0),
    "ohm": (2, 1, -3, -2, 0, 0, 0),
    "farad": (-2, -1, 4, 2, 0, 0, 0),
    "coulomb": (0, 0, 1, 1, 0, 0, 0),
    "newton": (1, 1, -2, 0, 0, 0, 0),
    "pascal": (-1, 1, -2, 0, 0, 0, 0),
    "joule": (2, 1, -2, 0, 0, 0, 0),
    "watt": (2, 1, -3, 0, 0, 0, 0),
    "weber": (2, 1, -2, -1, 0, 0, 0),
    "tesla": (0, 1, -2, -1, 0, 0, 0),
    "henry": (2, 1, -2, -2, 0, 0, 0),
    "radian": NONE,
    "molar": (-3, 0, 0, 0, 0, 1, 0),
    "metre": (1, 0, 0, 0, 0, 0, 0),
    "ampere": (0, 0, 0, 1, 0, 0, 0),
}
_SYMBOLS = {"meter": "m", "second": "s", "amp": "A", "hertz": "Hz", "volt": "V", "siemens": "S", "farad": "F",
            "coulomb": "C", "molar": "M", "newton": "N", "joule": "J", "watt": "W", "kelvin": "K"}  # fmt: skip
_PREFIXES = {"Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "d": -1, "c": -2,
             "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24}  # fmt: skip
_POWER_OF = {"molar": 3}  # one mole in a litre

#: The dimensions people meet, by the word used in messages.
_WORDS: dict[Dims, str] = {
    NONE: "a plain number",
    _BASE["second"]: "a time",
    _BASE["hertz"]: "a rate",
    _BASE["volt"]: "a voltage",
    _BASE["amp"]: "a current",
    _BASE["siemens"]: "a conductance",
    _BASE["farad"]: "a capacitance",
    _BASE["ohm"]: "a resistance",
    _BASE["meter"]: "a length",
    _BASE["coulomb"]: "a charge",
    _BASE["kelvin"]: "a temperature",
    _BASE["molar"]: "a concentration",
}


#: The short names Brian2 knows in code; all others it knows by their full name (``picosiemens``) only.
_BRIAN2_SHORT = set("mV mA uA nA pA pF uF nF nS uS ms us Hz kHz MHz cm mm um mM uM nM".split())  # noqa: SIM905


def _units() -> tuple[dict[str, tuple[float, Dims]], dict[str, tuple[float, Dims]]]:
    """Unit name -> (scale, dimensions): those Brian2 knows in code, and those a value may use."""
    code: dict[str, tuple[float, Dims]] = {}
    value: dict[str, tuple[float, Dims]] = {"1": (1.0, NONE)}
    prefixes = {"": None, **_PREFIXES}
    for name, dims in _BASE.items():
        for prefix, power in prefixes.items():
            # A power of ten is the scale Brian2 uses, so products agree to the last bit.
            scale = 10.0 ** ((power or 0) + _POWER_OF.get(name, 0))
            if not prefix or (name not in ("kilogram", "kelvin", "candle") and abs(power or 0) % 3 == 0):
                code[prefix + name] = (scale, dims)
            symbol = prefix + _SYMBOLS.get(name, "?")
            if symbol in _BRIAN2_SHORT:
                code[symbol] = (scale, dims)
            if "?" not in symbol and (not prefix or abs(power or 0) % 3 == 0 or symbol == "cm"):
                value[symbol] = (scale, dims)
    value["kg"], value["g"] = code["kilogram"], (1e-3, _BASE["kilogram"])
    return code, {**value, **code}


#: Unit names that code may use (reserved words there), and those that a value may use besides.
UNITS, VALUE_UNITS = _units()


class DimensionError(ValueError):
    """Two dimensions that must agree do not."""


@dataclass(frozen=True)
class Quantity:
    """A number, or an array of them, in SI base units, with its dimensions.

    ``text`` is how it was written (``20 ms``) where it came straight from a file.
    """

    value: Any
    dims: Dims = NONE
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.text or in_words(self)

    @property
    def code(self) -> str:
        """The same value as Brian2 code, ``20*ms``; exact to the last bit."""
        return code_of(self)

    def _same(self, other: Quantity, what: str) -> None:
        if self.dims != other.dims:
            raise DimensionError(f"cannot {what} {describe(self.dims)} and {describe(other.dims)}")

    def __add__(self, other: Quantity) -> Quantity:
        self._same(other, "add")
        return Quantity(self.value + other.value, self.dims)

    def __sub__(self, other: Quantity) -> Quantity:
        self._same(other, "subtract")
        return Quantity(self.value - other.value, self.dims)

    def __mul__(self, other: Quantity) -> Quantity:
        return Quantity(self.value * other.value, tuple(a + b for a, b in zip(self.dims, other.dims, strict=True)))

    def __truediv__(self, other: Quantity) -> Quantity:
        return Quantity(self.value / other.value, tuple(a - b for a, b in zip(self.dims, other.dims, strict=True)))

    def __floordiv__(self, other: Quantity) -> Quantity:
        dims = tuple(a - b for a, b in zip(self.dims, other.dims, strict=True))
        return Quantity(self.value // other.value, dims)

    def __mod__(self, other: Quantity) -> Quantity:
        self._same(other, "take the remainder of")
        return Quantity(self.value % other.value, self.dims)

    def __pow__(self, other: Quantity) -> Quantity:
        if other.dims != NONE:
            raise DimensionError(f"an exponent is a plain number, not {describe(other.dims)}")
        if self.dims == NONE:
            return Quantity(self.value**other.value)
        if np.ndim(other.value) or not np.isfinite(other.value):
            raise DimensionError(f"{describe(self.dims)} may only be raised to a constant power")
        power = float(other.value)
        return Quantity(self.value**other.value, tuple(_tidy(a * power) for a in self.dims))

    def __neg__(self) -> Quantity:
        return Quantity(-self.value, self.dims)

    def __pos__(self) -> Quantity:
        return self


def _tidy(exponent: float) -> float:
    """Halves and thirds stay comparable after arithmetic."""
    nearest = round(exponent * 12) / 12
    exponent = nearest if abs(nearest - exponent) < 1e-9 else exponent
    return int(exponent) if exponent == int(exponent) else exponent


_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?:\*?\s*)(.*)$", re.S)
_FACTOR = re.compile(r"\s*([A-Za-z_]\w*|1)\s*(?:(?:\*\*|\^)\s*(\(?\s*[-+]?\d+(?:\.\d+)?\s*\)?))?\s*")


@functools.lru_cache(maxsize=4096)
def parse_unit(text: str) -> tuple[float, Dims]:
    """``mV``, ``nS/cm**2``, ``1`` -> (scale, dimensions). Raises ``ValueError`` that names the bad part."""
    text = text.strip()
    if len(text) > 100:
        raise ValueError("a unit is at most 100 characters long")
    position, sign, scale, dims = 0, 1, 1.0, NONE
    while True:
        match = _FACTOR.match(text, position)
        if not match:
            raise ValueError(f"{text!r} is not a unit")
        name, power = match[1], float(match[2].strip("() ")) if match[2] else 1.0
        if abs(power) > 12:
            raise ValueError(f"the power in {text!r} is too large")
        squared = name not in VALUE_UNITS and name[-1:].isdigit() and name[:-1] in VALUE_UNITS
        if squared:  # Brian2's cm2, metre3
            name, power = name[:-1], power * int(match[1][-1])
        if name not in VALUE_UNITS:
            raise ValueError(f"{match[1]!r} is not a unit")
        unit_scale, unit_dims = VALUE_UNITS[name]
        scale = scale * unit_scale**power if sign > 0 else scale / unit_scale**power
        dims = tuple(_tidy(a + sign * power * b) for a, b in zip(dims, unit_dims, strict=True))
        position = match.end()
        if position == len(text):
            return scale, dims
        if text[position] not in "*/":
            raise ValueError(f"{text!r} is not a unit")
        sign = 1 if text[position] == "*" else -1
        position += 1


def parse(value: Any) -> Quantity:
    """A value of a YAML file (``20 ms``, ``3``, ``-0.5 nS``) as a quantity.

    Raises ``ValueError`` when it is not one: an expression, a bare word, not finite.
    """
    if isinstance(value, bool):
        return Quantity(float(value), NONE, str(value).lower())
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a finite number")
        return Quantity(float(value), NONE, f"{value:g}" if float(f"{value:g}") == value else repr(value))
    if not isinstance(value, str):
        raise ValueError(f"expected a value such as 20 ms, got {type(value).__name__}")
    match = _NUMBER.match(value) if len(value) <= 200 else None
    if not match:
        raise ValueError(f"{value!r} is not a number with a unit")
    number, unit = float(match[1]), match[2].strip()
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    scale, dims = parse_unit(unit) if unit else (1.0, NONE)
    return Quantity(number * scale, dims, " ".join(value.split()))


#: Dimensions to the name of the unscaled unit, as Brian2's equations want it.
_NAMES = {dims: name for name, dims in reversed(_BASE.items()) if name not in ("radian", "molar")}
_NAMES[NONE] = "1"


def unit_name(dims: Dims) -> str:
    """The unscaled unit of these dimensions as Brian2 code: ``volt``, ``1``, ``amp/meter**2``."""
    if dims in _NAMES:
        return _NAMES[dims]
    for head in ("amp", "siemens", "farad", "ohm", "volt"):  # densities read better than base units
        rest = tuple(a - b for a, b in zip(dims, _BASE[head], strict=True))
        if not any(rest[1:]) and rest[0]:
            return f"{head}{'*' if rest[0] > 0 else '/'}meter{'' if abs(rest[0]) == 1 else f'**{abs(rest[0])}'}"
    bases = ("meter", "kilogram", "second", "amp", "kelvin", "mole", "candle")
    # A declaration of Brian2 knows no brackets: meter**-3*mole.
    factors = [b if e == 1 else f"{b}**{e}" for b, e in zip(bases, dims, strict=True) if e]
    return "*".join(factors)


def describe(dims: Dims) -> str:
    """The dimensions in words: ``a time``, ``a voltage``, or the unit."""
    dims = tuple(dims)
    return _WORDS.get(dims) or f"a quantity in {unit_name(dims)}"


def code_of(quantity: Quantity) -> str:
    """Brian2 code for a scalar quantity: ``-70*mV`` as it was written, else the SI number times the unit."""
    text = quantity.text
    if text:
        match = _NUMBER.match(text)
        unit = match[2].strip() if match else ""
        if match and unit in UNITS:
            return f"{match[1]}*{unit}"
    number = repr(float(quantity.value))
    number = number[:-2] if number.endswith(".0") and "e" not in number else number
    unit = unit_name(quantity.dims)
    return number if unit == "1" else f"{number}*{unit}"


def in_words(quantity: Quantity, shift: int = 0) -> str:
    """``20 ms``: a readable form with three digits to a prefix; ``shift`` asks for that many prefixes higher."""
    unit = unit_name(quantity.dims)
    value = quantity.value
    if np.ndim(value):
        return f"array of {np.size(value)} in {unit}"
    symbol = {"volt": "V", "second": "s", "amp": "A", "siemens": "S", "farad": "F", "hertz": "Hz", "meter": "m"}.get(
        unit
    )
    if symbol and math.isfinite(value):
        power = 0 if not value else 3 * (math.floor(math.log10(abs(value)) / 3 + 1e-12) + shift)
        prefix = {v: k for k, v in _PREFIXES.items()}.get(power, "" if power == 0 else None)
        if prefix is not None:
            return f"{value / 10.0**power:.12g} {prefix}{symbol}"
    return f"{value:.12g}" if unit == "1" else f"{value:.12g} {unit}"
