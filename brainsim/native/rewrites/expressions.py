"""Brian2's expressions as C++ over vectors.

An expression that holds no vector stays a scalar one and is rendered by Brian2. Types follow C++: arithmetic of
different types is done in the wider one. Truth values are masks (all bits set or none) of 64 or of 32 bits a lane.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.input.binomial import BinomialFunction


class NotLegal(Exception):
    """The reason why a rewrite cannot be taken."""


@dataclass(frozen=True)
class Value:
    """A piece of C++ with its type: double, float, long, int, mask64 or mask32 (scalars: bool)."""

    text: str
    kind: str
    vector: bool


VECTORS = {"double": "Doubles", "float": "Floats", "long": "Longs", "int": "Ints", "mask64": "Longs", "mask32": "Ints"}
#: In loops over numbers of 32 bits alone.
PACKED = {"float": "PackedFloats", "int": "PackedInts", "mask32": "PackedInts"}
_SCALARS = {"double": "double", "float": "float", "long": "int64_t", "int": "int32_t", "bool": "bool"}
_ORDER = ["int", "long", "float", "double"]
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
#: Functions of one number that C++ has, called for one lane after the other.
_LANE_BY_LANE = ["sin", "cos", "tan", "sinh", "cosh", "tanh", "log", "log10", "sqrt", "ceil", "floor", "exp", "expm1"]
_LANE_BY_LANE += ["log1p", "arcsin", "arccos", "arctan", "exprel"]


def kind_of(dtype: Any, mask: str) -> str:
    """The type of what has a numpy dtype."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return mask
    kinds = {"f8": "double", "f4": "float", "i8": "long", "i4": "int"}
    if dtype.str[1:] not in kinds:
        raise NotLegal(f"there are no vectors of {dtype}")
    return kinds[dtype.str[1:]]


def _is_call(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


class Renderer:
    """Renders the expressions of one block.

    Parameters
    ----------
    generator
        Brian2's code generator, for scalar expressions and the names of functions.
    names
        The vectors, and the scalars that are no constants, by name.
    rewrites
        The rewrites that may be used.
    packed
        Whether vectors are full of numbers of 32 bits, and there are no others.
    """

    def __init__(self, generator: Any, names: dict[str, Value], rewrites: frozenset[str], packed: bool = False) -> None:
        self.generator, self.names, self.rewrites, self.packed = generator, names, rewrites, packed
        self.mask = "mask64"
        self.draw = 0  # the number of the next random number's place in the text
        self.before: list[str] = []  # scalar lines that the expressions need
        self.fixed: set[str] = set()  # values of the cell of a row, see matrix.py
        self.prepared: list[str] = []  # lines that need no others than those
        self.eights: dict[str, str] = {}  # calls of functions that were prepared for a row: their names
        self.beside: dict[str, str] = {}  # arrays with the values of all spikes, by the name of a value
        self.across: dict[str, tuple[str, str]] = {}  # what is called for all spikes: its type and arrays
        self.used: set[str] = set()  # rewrites
        #: Where the value of a name is, for an element ``_k`` of the loop; None: no function can be called with it.
        self.element: Callable[[str], str | None] = lambda _: None
        self.calls: list[str] = []  # calls of functions, for an element ``_k``, done before the loop

    def render(self, expression: str) -> Value:
        return self._value(ast.parse(expression.strip(), mode="eval").body)

    def vector(self, kind: str) -> str:
        """The name of the type of a vector."""
        found = (PACKED if self.packed else VECTORS).get(kind)
        if found is None:
            raise NotLegal("it has numbers of 64 bits")
        return f"native::{found}"

    # --- conversions ------------------------------------------------------------------------------------------------

    def convert(self, value: Value, kind: str) -> str:
        """The text of a vector of another type."""
        if not value.vector:
            if kind.startswith("mask"):
                lane = "int64_t" if kind == "mask64" else "int32_t"
                return f"({self.vector(kind)}{{}} - {lane}(bool({value.text})))"
            return f"({self.vector(kind)}{{}} + {_SCALARS[kind]}({value.text}))"
        if value.kind == kind:
            return value.text
        if kind.startswith("mask") and not value.kind.startswith("mask"):
            return self.convert(self._compare_zero(value), kind)
        if VECTORS[value.kind] == VECTORS[kind]:  # a mask as a whole number
            return f"({value.text} & 1)"
        text = value.text if not value.kind.startswith("mask") or kind.startswith("mask") else f"({value.text} & 1)"
        return f"__builtin_convertvector({text}, {self.vector(kind)})"

    def _compare_zero(self, value: Value) -> Value:
        return Value(f"({value.text} != 0)", "mask64" if value.kind in ("double", "long") else "mask32", True)

    def _number(self, value: Value) -> Value:
        """A mask as a whole number."""
        if value.kind.startswith("mask"):
            return Value(f"({value.text} & 1)", "long" if value.kind == "mask64" else "int", True)
        return value

    def _scalar_or(self, value: Value, kind: str) -> str:
        return f"{_SCALARS[kind]}({value.text})" if not value.vector else self.convert(value, kind)

    def _wider(self, left: Value, right: Value) -> str:
        kinds = [{"bool": "int"}.get(value.kind, value.kind) for value in (left, right)]
        for value, other in ((left, right), (right, left)):
            if not value.vector and value.kind == "double" and other.vector and other.kind == "float":
                return "float"  # numbers that all share do not turn a loop over float32 into one over float64
        return max(kinds, key=_ORDER.index)

    # --- nodes ------------------------------------------------------------------------------------------------------

    def _value(self, node: ast.AST) -> Value:
        if not self._holds_vector(node):
            return self._scalar(node)
        method = getattr(self, f"_{type(node).__name__}", None)
        if method is None:
            raise NotLegal(f"it contains '{ast.unparse(node)}'")
        return method(node)

    def _holds_vector(self, node: ast.AST) -> bool:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and inner.id in self.names and self.names[inner.id].vector:
                return True
            if isinstance(inner, ast.Call) and self._is_random(inner.func.id):  # type: ignore[attr-defined]
                return True
        return False

    def _is_random(self, name: str) -> bool:
        return bool(getattr(self.generator.variables.get(name), "auto_vectorise", False))

    def _scalar(self, node: ast.AST) -> Value:
        if isinstance(node, ast.Constant):
            kind = {bool: "bool", int: "int", float: "double"}[type(node.value)]
        elif isinstance(node, ast.Name) and node.id in self.names:
            kind = self.names[node.id].kind
        elif isinstance(node, ast.Name):
            if node.id in ("True", "False"):
                return Value(node.id.lower(), "bool", False)
            kind = kind_of(self.generator.variables[node.id].dtype, "bool")
        else:
            kinds = [self._scalar(inner).kind for inner in ast.walk(node) if isinstance(inner, (ast.Name, ast.Constant))
                     and not isinstance(self.generator.variables.get(getattr(inner, "id", "")), Function)]  # fmt: skip
            if isinstance(node, (ast.Compare, ast.BoolOp)) or isinstance(getattr(node, "op", None), ast.Not):
                kind = "bool"
            elif _is_call(node, "int") and isinstance(node.args[0], (ast.Compare, ast.BoolOp)):  # type: ignore[attr-defined]
                kind = "int"
            elif any(isinstance(inner, (ast.Call, ast.Div, ast.Mod, ast.FloorDiv)) for inner in ast.walk(node)):
                if not {"double", "float"} & set(kinds):
                    raise NotLegal(f"the type of '{ast.unparse(node)}' is open")
                kind = "double" if "double" in kinds else "float"
            else:
                kind = max((k for k in kinds if k != "bool"), key=_ORDER.index, default="int")
        return Value(f"({self.generator.translate_expression(ast.unparse(node))})", kind, False)

    def _Name(self, node: ast.Name) -> Value:
        return self.names[node.id]

    def _BinOp(self, node: ast.BinOp) -> Value:
        if isinstance(node.op, ast.Pow):
            return self._power(node)
        left, right = self._number(self._value(node.left)), self._number(self._value(node.right))
        kind = self._wider(left, right)
        if isinstance(node.op, ast.Div):
            if kind in ("int", "long"):
                raise NotLegal("it divides whole numbers")
            operator = "/"
        elif type(node.op) in _OPERATORS:
            operator = _OPERATORS[type(node.op)]
        else:
            raise NotLegal("it uses // or %")
        return Value(f"({self._scalar_or(left, kind)} {operator} {self._scalar_or(right, kind)})", kind, True)

    def _power(self, node: ast.BinOp) -> Value:
        base, exponent = self._number(self._value(node.left)), self._number(self._value(node.right))
        if base.kind not in ("double", "float"):
            raise NotLegal("it raises whole numbers to a power")
        literal = node.right.value if isinstance(node.right, ast.Constant) else None
        if literal == 2 or (literal in (3, 4) and "exp" in self.rewrites):
            if literal != 2:
                self.used.add("exp")
            return Value(f"native::power<{literal}>({base.text})", base.kind, base.vector)
        x, y = self.convert(base, "double"), self.convert(exponent, "double")
        return Value(f"native::each({x}, {y}, [](double x, double y) {{ return std::pow(x, y); }})", "double", True)

    def _UnaryOp(self, node: ast.UnaryOp) -> Value:
        value = self._value(node.operand)
        if isinstance(node.op, ast.Not):
            return self._not(value)
        value = self._number(value)
        return Value(f"(-{value.text})" if isinstance(node.op, ast.USub) else value.text, value.kind, True)

    def _not(self, value: Value) -> Value:
        if not value.kind.startswith("mask"):
            value = self._compare_zero(value)
        return Value(f"(~{value.text})", value.kind, True)

    def _BoolOp(self, node: ast.BoolOp) -> Value:
        values = [self._value(inner) for inner in node.values]
        kind = next((value.kind for value in values if value.vector and value.kind.startswith("mask")), self.mask)
        operator = " & " if isinstance(node.op, ast.And) else " | "
        return Value(f"({operator.join(self.convert(value, kind) for value in values)})", kind, True)

    def _Compare(self, node: ast.Compare) -> Value:
        if len(node.ops) != 1:
            raise NotLegal("it contains a chain of comparisons")
        from brainsim.native.rewrites import refractory

        short = refractory.rewrite(self, node)
        if short is not None:
            return short
        left, right = self._number(self._value(node.left)), self._number(self._value(node.comparators[0]))
        kind = self._wider(left, right)
        operator = _COMPARISONS[type(node.ops[0])]
        mask = "mask64" if kind in ("double", "long") else "mask32"
        return Value(f"({self._scalar_or(left, kind)} {operator} {self._scalar_or(right, kind)})", mask, True)

    # --- functions --------------------------------------------------------------------------------------------------

    def _Call(self, node: ast.Call) -> Value:
        name = node.func.id  # type: ignore[attr-defined]
        function = self.generator.variables.get(name)
        if isinstance(function, BinomialFunction) or (
            function in (DEFAULT_FUNCTIONS["rand"], DEFAULT_FUNCTIONS["randn"])
        ):
            self.draw += 1
            translated = self.generator.func_name_replacements.get(name, name)
            if f"{translated}_vector" not in str(function.implementations[self.generator.codeobj_class].get_code(None)):
                raise NotLegal(f"'{name}' draws its numbers step by step")
            kind = "float" if self.generator.prefers_floats() else "double"
            return Value(f"{translated}_vector<{self.vector(kind)}>(*_draws, _idx, {self.draw - 1})", kind, True)
        if function is DEFAULT_FUNCTIONS["poisson"]:
            return self._poisson(node)
        if getattr(function, "eight", None):
            return self._eight(node, function)
        if function is not DEFAULT_FUNCTIONS.get(name):
            return self._call_before(name, node)
        if name == "int":
            value = self._value(node.args[0])
            if value.kind.startswith("mask") or value.kind in ("int", "long"):
                return self._number(value)
            return Value(self.convert(value, "int"), "int", True)
        arguments = [self._number(self._value(argument)) for argument in node.args]
        if name == "clip":
            return self._clip(*arguments)
        if name == "abs" and arguments[0].kind in ("double", "float"):
            return Value(f"native::absolute({arguments[0].text})", arguments[0].kind, True)
        if name == "sign":
            (value,) = arguments
            kind = "long" if value.kind in ("double", "long") else "int"
            return Value(f"(({value.text} < 0) - ({value.text} > 0))", kind, True)
        if name == "exp" and "exp" in self.rewrites:
            self.used.add("exp")
            value = arguments[0]
            kind = "float" if value.kind == "float" else "double"
            return Value(f"native::exp({self.convert(value, kind)})", kind, True)
        if name == "log" and "exp" in self.rewrites and arguments[0].kind in ("double", "float"):
            self.vector("double")  # float32 goes through float64
            self.used.add("exp")
            found = Value(f"native::log({self.convert(arguments[0], 'double')})", "double", True)
            return Value(self.convert(found, arguments[0].kind), arguments[0].kind, True)
        if name in _LANE_BY_LANE:
            return self._lane_by_lane(name, arguments[0])
        raise NotLegal(f"it uses the function '{name}'")

    def _poisson(self, node: ast.Call) -> Value:
        """Poisson numbers with the same mean for all elements, see codeobject.py.

        Large means are drawn number by number, with draws that are counted for an element, so there may be one call.
        """
        mean = node.args[0]
        if not isinstance(mean, ast.Constant) and not ast.unparse(mean).startswith("_lio_"):
            raise NotLegal("the mean of its Poisson numbers is no expression of what all elements share")
        if any(line.startswith("const _PoissonTable") for line in self.before):
            raise NotLegal("it draws Poisson numbers twice")
        self.draw += 1
        text, place = f"double({self._scalar(mean).text})", self.draw - 1
        self.before.append(f"const _PoissonTable& _poisson_{place} = _poisson_table({text});")
        return Value(
            f"_poisson_vector<{self.vector('int')}>(*_draws, _poisson_{place}, {text}, _idx, {place})", "int", True
        )

    def _eight(self, node: ast.Call, function: Function) -> Value:
        """A function that is prepared once for a row and then called for eight spikes, see matrix.py."""
        text, name = ast.unparse(node), node.func.id  # type: ignore[attr-defined]
        if self.packed:
            raise NotLegal("it has numbers of 64 bits")
        values = [self._value(argument) for argument in node.args]
        for place in function.eight:
            held = {inner.id for inner in ast.walk(node.args[place]) if isinstance(inner, ast.Name)}
            shared = {inner for inner in held if getattr(self.generator.variables.get(inner), "scalar", False)}
            if not self.fixed or values[place].vector or not held <= self.fixed | shared:
                raise NotLegal(f"'{name}' is not called with a presynaptic value and others that all share")
        if text not in self.eights:
            self.eights[text] = f"_eight_{len(self.eights)}"
            first = ", ".join(values[place].text for place in function.eight)
            self.prepared.append(f"const {name}_eight {self.eights[text]}({first});")
        others = [place for place in range(len(values)) if place not in function.eight]
        beside = [self.beside.get(values[place].text) for place in others]
        implementation = str(function.implementations[self.generator.codeobj_class].get_code(None))
        if f"struct {name}_across" in implementation and all(beside):
            self.across[self.eights[text]] = (f"{name}_across", ", ".join(map(str, beside)))
            return Value(f"native::load<{self.vector('double')}>({self.eights[text]}_values + _k)", "double", True)
        rest = [self.convert(values[place], "int" if function._arg_types[place] == "integer" else "double")
                for place in others]  # fmt: skip
        return Value(f"{self.eights[text]}({', '.join(rest)})", "double", True)

    def _call_before(self, name: str, node: ast.Call) -> Value:
        """The value of a user's function: computed before the loop, in one over all elements, see vectors.py."""
        function, arguments = self.generator.variables[name], []
        if not getattr(function, "stateless", True) or self._is_random(name):
            raise NotLegal(f"it uses the function '{name}'")
        for argument in node.args:
            if not self._holds_vector(argument):
                arguments.append(self._scalar(argument).text)
                continue
            place = self.element(argument.id) if isinstance(argument, ast.Name) else None
            if place is None:
                raise NotLegal(f"it uses the function '{name}' of computed values")
            arguments.append(place)
        called = self.generator.func_name_replacements.get(name, name)
        self.calls.append(f"{called}({', '.join(arguments)})")
        return Value(
            f"native::load<{self.vector('double')}>(_call_{len(self.calls) - 1} + _at, _lanes)", "double", True
        )

    def _clip(self, value: Value, low: Value, high: Value) -> Value:
        if not value.vector or value.kind not in ("double", "float"):
            raise NotLegal("it clips whole numbers")
        return Value(
            f"native::clipped({value.text}, {self.convert(low, value.kind)}, {self.convert(high, value.kind)})",
            value.kind, True,
        )  # fmt: skip

    def _lane_by_lane(self, name: str, value: Value) -> Value:
        implementation = DEFAULT_FUNCTIONS[name].implementations[self.generator.codeobj_class]
        called = implementation.name or name
        if value.kind == "float":
            text = f"native::each({value.text}, [](float x) -> float {{ return {called}(x); }})"
            return Value(text, "float", True)
        text = f"native::each({self.convert(value, 'double')}, [](double x) -> double {{ return {called}(x); }})"
        return Value(text, "double", True)
