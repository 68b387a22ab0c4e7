"""Whether code adds or takes away: the sign of an expression, as far as its values are known."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any

from brainsim import units

_FUNCTIONS: dict[str, Callable[..., float]] = {
    "rand": lambda: 0.5,
    "exp": math.exp,
    "abs": abs,
    "sqrt": math.sqrt,
    "int": lambda x: x,
    "clip": lambda x, low, high: min(max(x, low), high),
}
_MAX = 2000  # characters; longer code is not looked into


def sign(expression: str, values: Mapping[str, Any]) -> int:
    """1, -1, or 0 if it is zero, may be either, or cannot be told.

    ``values`` are parameters and initial values as they stand in YAML; names without one count as positive,
    ``rand()`` as its mean. ``randn()`` can be either.
    """
    try:
        value = _number(expression, values, 0)
    except (ValueError, ArithmeticError, RecursionError, SyntaxError):
        return 0
    return 0 if not math.isfinite(value) else (value > 0) - (value < 0)


def _number(expression: Any, values: Mapping[str, Any], depth: int) -> float:
    try:
        return float(units.parse(expression).value)
    except ValueError:
        if not isinstance(expression, str) or len(expression) > _MAX or depth > 4:
            raise
    return _evaluated(ast.parse(expression.strip(), mode="eval").body, values, depth)


def _evaluated(node: ast.AST, values: Mapping[str, Any], depth: int) -> float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name(id=name):
            return _number(values[name], values, depth + 1) if name in values else 1.0
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_evaluated(inner, values, depth)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return _evaluated(inner, values, depth)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _evaluated(left, values, depth), _evaluated(right, values, depth)
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.Div():
                    return a / b
                case ast.Pow():
                    return math.pow(a, b)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            given = [_evaluated(argument, values, depth) for argument in arguments]
            if name in _FUNCTIONS:
                try:
                    return float(_FUNCTIONS[name](*given))
                except TypeError as error:
                    raise ValueError(name) from error
    raise ValueError("not known")
