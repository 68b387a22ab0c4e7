"""Dimensions and values of syntax trees: Brian2's rules, without Brian2. Errors are :class:`guard.Refused`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from brainsim import guard
from brainsim.errors import suggest
from brainsim.guard import Refused
from brainsim.names import CONSTANTS, FUNCTIONS, RANDOM, XI, is_xi
from brainsim.units import NONE, UNITS, Dims, Quantity, describe, unit_name

_VERBS = {ast.Add: "add", ast.Sub: "subtract", ast.Mod: "take the remainder of"}


def infer(text: str, node: ast.expr, dims: Mapping[str, Dims], values: Mapping[str, Quantity]) -> Dims:
    """Dimensions of a node. ``values`` has the names whose value is known: they may be exponents."""
    found = {id(child): infer(text, child, dims, values) for child in guard.operands(node)}
    match node:
        case ast.Name():
            if node.id in dims:
                return tuple(dims[node.id])
            if node.id in UNITS:
                return UNITS[node.id][1]
            if node.id in CONSTANTS:
                return NONE
            if is_xi(node.id):
                return XI
            raise Refused("name", f"{node.id} is not declared", guard.offset(node), suggest(node.id, dims))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            return found[id(node.operand)]
        case ast.Compare():
            _same(text, node.left, node.comparators[0], found, "compare")
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mod()):
            return _same(text, node.left, node.right, found, _VERBS[type(node.op)])
        case ast.BinOp(op=ast.Mult()):
            return (Quantity(1.0, found[id(node.left)]) * Quantity(1.0, found[id(node.right)])).dims
        case ast.BinOp(op=ast.Div()):
            return (Quantity(1.0, found[id(node.left)]) / Quantity(1.0, found[id(node.right)])).dims
        case ast.BinOp(op=ast.FloorDiv()):
            _plain(text, node.left, found, "//")
            _plain(text, node.right, found, "//")
        case ast.BinOp(op=ast.Pow()):
            _plain(text, node.right, found, "an exponent")
            return _power(text, node, found[id(node.left)], values)
        case ast.Call(func=ast.Name(id=name)):
            return _call(text, name, node.args, found)
    return NONE


def _plain(text: str, node: ast.expr, found: Mapping[int, Dims], what: str) -> None:
    dims = found[id(node)]
    if dims != NONE:
        message = f"{what} takes a plain number, {guard.source(text, node)} is {describe(dims)}"
        raise Refused("dimension", message, guard.offset(node), f"Divide it by a value in {unit_name(dims)}.")


def _same(text: str, left: ast.expr, right: ast.expr, found: Mapping[int, Dims], verb: str) -> Dims:
    dims, other = found[id(left)], found[id(right)]
    if dims != other:
        one, two = guard.source(text, left), guard.source(text, right)
        message = f"cannot {verb} {one}, {describe(dims)}, and {two}, {describe(other)}"
        zero = dims if guard.constant(right) == 0 else other if guard.constant(left) == 0 else None
        hint = f"Brian2 wants a unit at zero, too: 0*{unit_name(zero)}." if zero else ""
        raise Refused("dimension", message, guard.offset(left), hint)
    return dims


def _power(text: str, node: ast.BinOp, base: Dims, values: Mapping[str, Quantity]) -> Dims:
    if base == NONE:
        return NONE
    power = guard.constant(node.right)
    if power is None and isinstance(node.right, ast.Name) and node.right.id in values:
        value = values[node.right.id].value
        power = float(value) if np.ndim(value) == 0 and np.isfinite(value) else None
    if power is None:
        message = f"{guard.source(text, node.left)}, {describe(base)}, may only be raised to a constant power"
        raise Refused("dimension", message, guard.offset(node.right), "Divide it by a value of the same unit first.")
    return (Quantity(1.0, base) ** Quantity(power)).dims


def _call(text: str, name: str, arguments: list[ast.expr], found: Mapping[int, Dims]) -> Dims:
    match name:
        case "sqrt":
            return (Quantity(1.0, found[id(arguments[0])]) ** Quantity(0.5)).dims
        case "abs" | "floor" | "ceil":
            return found[id(arguments[0])]
        case "sign":
            return NONE
        case "clip":
            for limit in arguments[1:]:
                _same(text, arguments[0], limit, found, "clip")
            return found[id(arguments[0])]
        case "timestep":
            for argument in arguments:
                if found[id(argument)] != UNITS["second"][1]:
                    message = f"timestep takes times, {guard.source(text, argument)} is {describe(found[id(argument)])}"
                    raise Refused("dimension", message, guard.offset(argument))
            return NONE
    for argument in arguments:
        _plain(text, argument, found, name)
    return NONE


def _exprel(x: Any) -> Any:
    """(exp(x) - 1)/x, which is 1 at 0."""
    small = np.abs(x) < 1e-16
    return np.where(small, 1.0, np.where(np.asarray(x) > 717, np.inf, np.expm1(x) / np.where(small, 1.0, x)))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in sorted(set(FUNCTIONS) - RANDOM - {"int", "exprel", "timestep"})},
    "exprel": _exprel,
    "int": np.trunc,
    "timestep": lambda t, dt: np.trunc((t + 1e-3 * dt) / dt),
}  # fmt: skip
_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
    ast.Pow: lambda a, b: a**b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.And: np.logical_and,
    ast.Or: np.logical_or,
}
_CONSTANTS = {"pi": np.pi, "e": np.e, "inf": np.inf}


def _floats(value: Any) -> Any:
    """All numbers are float64, conditions too (1 and 0), so that no integer wraps around or grows without bound."""
    return np.asarray(value, dtype=float)[()]


def compute(text: str, node: ast.expr, values: Mapping[str, Quantity], calls: Mapping[str, Callable[..., Any]]) -> Any:
    """The value of a node in SI base units."""
    parts = [compute(text, child, values, calls) for child in guard.operands(node)]
    match node:
        case ast.Constant(value=bool()):
            return np.bool_(node.value)
        case ast.Constant():
            return np.float64(node.value)  # type: ignore[arg-type]
        case ast.Name():
            if node.id in values:
                value = np.asarray(values[node.id].value)
                return value[()] if value.dtype == bool else _floats(value)
            return np.float64(UNITS[node.id][0] if node.id in UNITS else _CONSTANTS[node.id])
        case ast.UnaryOp(op=ast.Not()):
            return np.logical_not(parts[0])
        case ast.UnaryOp(op=ast.USub()):
            return -_floats(parts[0])
        case ast.UnaryOp():
            return _floats(parts[0])
        case ast.BinOp():
            return _OPERATORS[type(node.op)](_floats(parts[0]), _floats(parts[1]))
        case ast.Compare():
            return _OPERATORS[type(node.ops[0])](parts[0], parts[1])
        case ast.BoolOp():
            value = parts[0]
            for part in parts[1:]:
                value = _OPERATORS[type(node.op)](value, part)
            return value
        case ast.Call(func=ast.Name(id=name)):
            function = calls.get(name) or _FUNCTIONS.get(name)
            if function is None:
                hint = "It is needed before the run; give a number." if name in FUNCTIONS else ""
                raise Refused("value", f"{name} cannot be used in this value", guard.offset(node), hint)
            return _floats(function(*map(_floats, parts)))
    raise AssertionError(f"the guard let {ast.dump(node)} pass")
