"""Expressions of initial values as numpy code, printed anew from their checked syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from brainsim import expressions
from brainsim.units import UNITS

_DRAWS = {"rand": "random", "randn": "standard_normal", "poisson": "poisson"}


def numpy_code(text: str, names: Mapping[str, str], size: str, plain: bool = False) -> tuple[str, bool]:
    """Code that gives the values ``expressions`` would, to the last bit, and whether it draws from ``rng``.

    ``names`` are the variables as code, ``size`` is how many numbers to draw. Units stay Brian2's, or become SI
    factors where ``plain``. Raises ``FileError`` where the text is no checked expression.
    """
    checked = expressions.parse(text)
    printer = _Numpy(names, size, plain)
    tree = printer.visit(ast.parse(checked.text.strip(), mode="eval"))
    code = ast.unparse(ast.fix_missing_locations(tree))
    code = re.sub(r"(?<=\d) \* ([A-Za-z]\w*)\b", lambda m: f"*{m[1]}" if m[1] in UNITS else m[0], code)  # 20*ms
    return code, bool(checked.calls & set(_DRAWS))


def _code(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(_code(name), list(arguments), [])


class _Numpy(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str], size: str, plain: bool):
        self.names, self.size, self.plain = names, size, plain

    def _number(self, node: ast.expr) -> ast.expr:
        """Conditions count as 0 and 1 in arithmetic; numpy would refuse to subtract them."""
        condition = isinstance(node, ast.Compare | ast.BoolOp) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        )
        made = self.visit(node)
        return ast.BinOp(ast.Constant(1.0), ast.Mult(), made) if condition else made

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.names:
            return _code(self.names[node.id])
        if node.id in UNITS:
            return ast.Constant(UNITS[node.id][0]) if self.plain else node
        return _code(f"np.{node.id}")  # pi, e, inf

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        return ast.BinOp(self._number(node.left), node.op, self._number(node.right))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if isinstance(node.op, ast.Not):
            return _call("np.logical_not", self.visit(node.operand))
        return ast.UnaryOp(node.op, self._number(node.operand))

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        name = "np.logical_and" if isinstance(node.op, ast.And) else "np.logical_or"
        made = self.visit(node.values[0])
        for value in node.values[1:]:
            made = _call(name, made, self.visit(value))
        return made

    def visit_Call(self, node: ast.Call) -> ast.expr:
        assert isinstance(node.func, ast.Name)
        name, arguments = node.func.id, [self._number(argument) for argument in node.args]
        if name in _DRAWS:
            return _call(f"rng.{_DRAWS[name]}", *arguments, _code(self.size))
        if name == "int":
            return _call("np.trunc", *arguments)
        if name == "exprel":
            x = ast.unparse(arguments[0])
            small = f"np.abs({x}) < 1e-16"
            return _code(f"np.where({small}, 1.0, np.expm1({x})/np.where({small}, 1.0, {x}))")
        if name == "timestep":
            t, dt = (ast.unparse(argument) for argument in arguments)
            return _code(f"np.trunc((({t}) + 0.001*({dt}))/({dt}))")
        return _call(f"np.{name}", *arguments)
