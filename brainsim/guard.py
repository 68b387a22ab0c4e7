"""What an expression may hold, checked before anything is done with it.

Brian2 evaluates, simplifies and compiles what it is given. Text is therefore tokenised against a list of
characters and words, parsed by Python's own parser, and its tree checked node by node. What is left is
arithmetic, comparisons, known functions and names: it cannot hang (``9**9**9``), reach Python or the compiler.
"""

from __future__ import annotations

import ast
import functools
import keyword
import math
import re
from collections.abc import Mapping

from brainsim.errors import suggest
from brainsim.names import CONSTANTS, FUNCTIONS
from brainsim.units import UNITS

MAX_TEXT = 10_000  # characters
MAX_BRACKETS = 64  # and signs in a row
MAX_DEPTH = 200  # operators in a chain: Brian2 walks them recursively
MAX_EXPONENT = 20
MAX_INTEGER = 10**15
MAX_TERMS = 2_000  # of the sum that is left when every product is multiplied out, as SymPy does


class Refused(Exception):
    """Text that is no valid expression: kind, message, offset in the text, next step."""

    def __init__(self, kind: str, message: str, offset: int, hint: str = ""):
        super().__init__(message)
        self.kind, self.message, self.offset, self.hint = kind, message, offset, hint


_TOKEN = re.compile(
    r"(?P<space>[ \t\n]+)|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<op>\*\*|//|<=|>=|==|!=|[-+*/%<>(),])",
    re.ASCII,
)
_INSTEAD = {
    "'": "Code holds numbers and names, no text.",
    '"': "Code holds numbers and names, no text.",
    "`": "Code holds numbers and names, no text.",
    ".": "Brian2 code has no attributes; a variable of another cell is written v_pre or v_post.",
    "[": "Brian2 code has no indices.",
    "]": "Brian2 code has no indices.",
    "{": "There is no templating; write the name itself.",
    "}": "There is no templating; write the name itself.",
    "$": "There is no templating; write the name itself.",
    "^": "A power is written **.",
    "&": "Write and.",
    "|": "Write or.",
    "~": "Write not.",
    "!": "Write not, or != for unequal.",
    "=": "Write == to compare; a statement has one = only.",
    ":": "An expression has no colon.",
    ";": "A semicolon separates statements; an expression is one value.",
    "@": "Write * for a product.",
    "\\": "A line continues by itself inside brackets.",
    "µ": "Write u for micro: 3*uS.",
    "μ": "Write u for micro: 3*uS.",
}
_KEYWORD_HINTS = {
    "if": "Brian2 takes no `a if c else b`: write int(c)*a + int(not c)*b.",
    "else": "Brian2 takes no `a if c else b`: write int(c)*a + int(not c)*b.",
    "None": "Every value is a number.",
    "is": "Compare with ==.",
    "true": "Write True.",
    "false": "Write False.",
}
_WORD_OPERATORS = ("and", "or")


def scan(text: str) -> None:
    """Check characters, words, brackets and the order of values and operators. Raises :class:`Refused`."""
    if len(text) > MAX_TEXT:
        message = f"an expression is at most {MAX_TEXT:,} characters long, this has {len(text):,}"
        raise Refused("limit", message, 0, "Give a part of it a name of its own.")
    open_brackets: list[tuple[int, bool]] = []  # offset, whether it belongs to a call
    position, signs = 0, 0
    value_before, previous = False, ""  # whether a complete value stands to the left, and the last token
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            char = text[position]
            shown = repr(char) if not char.isprintable() else char
            hint = _INSTEAD.get(char, "" if char.isascii() else "Use the letters a-z, digits and underscores.")
            raise Refused("syntax", f"{shown} does not belong in an expression", position, hint)
        kind, token = match.lastgroup, match[0]
        start, position = position, match.end()
        if kind == "space":
            continue
        if len(open_brackets) > MAX_BRACKETS or signs > MAX_BRACKETS:
            raise Refused(
                "limit",
                f"more than {MAX_BRACKETS} brackets or signs inside each other",
                start,
                "Give a part of it a name of its own.",
            )
        if kind == "number":
            _check_number(text, token, start, position)
        if kind in ("number", "name") and token not in (*_WORD_OPERATORS, "not"):
            if kind == "name" and (
                token in _KEYWORD_HINTS or (keyword.iskeyword(token) and token not in ("True", "False"))
            ):
                raise Refused(
                    "syntax", f"{token} does not belong in an expression", start, _KEYWORD_HINTS.get(token, "")
                )
            if value_before:
                _missing_operator(previous, token, start)
            value_before, signs = True, 0
        elif token == "(":
            call = bool(re.match(r"[A-Za-z_]", previous)) and value_before
            if value_before and not call:
                _missing_operator(previous, token, start)
            open_brackets.append((start, call))
            value_before, signs = False, 0
        elif token == ")":
            if not open_brackets:
                raise Refused("syntax", "this ) closes nothing", start, "Remove it, or add the ( it belongs to.")
            if not value_before and not (previous == "(" and open_brackets[-1][1]):
                raise Refused("syntax", f"a value is missing between {previous} and )", start)
            open_brackets.pop()
            value_before, signs = True, 0
        elif token in ("+", "-", "not") and not value_before:
            signs += 1
        else:
            if not value_before:
                before = f"between {previous} and {token}" if previous else f"before {token}"
                raise Refused("syntax", f"a value is missing {before}", start)
            if token == "," and not (open_brackets and open_brackets[-1][1]):
                raise Refused(
                    "syntax",
                    "a comma belongs between the arguments of a function",
                    start,
                    "Decimals are written with a point: 0.5.",
                )
            if token == "not":
                raise Refused("syntax", "an operator is missing before not", start, "Write and not, or or not.")
            value_before, signs = False, 0
        previous = token
    if not previous:
        raise Refused("syntax", "an expression is missing here", 0)
    if open_brackets:
        raise Refused("syntax", "this ( is never closed", open_brackets[-1][0])
    if not value_before:
        raise Refused("syntax", f"a value is missing after {previous}", len(text))


def _check_number(text: str, token: str, start: int, end: int) -> None:
    if re.match(r"0\d", token) and token.isdigit():
        raise Refused("syntax", f"a number does not start with 0: {token}", start, f"Write {token.lstrip('0') or '0'}.")
    tail = re.match(r"[A-Za-z_.][A-Za-z0-9_.]*", text[end:], re.ASCII)
    if tail:
        unit = tail[0]
        hint = (
            f"In code a unit is multiplied: {token}*{unit}."
            if unit in UNITS
            else f"Write {token}*{unit} for a product."
            if "." not in unit
            else ""
        )
        raise Refused("syntax", f"{token}{unit} is not a number", start, hint)


def _missing_operator(previous: str, token: str, start: int) -> None:
    hint = f"In code a unit is multiplied: {previous}*{token}." if token in UNITS and previous[:1].isdigit() else ""
    raise Refused("syntax", f"an operator is missing between {previous} and {token}", start, hint)


_BINARY = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_COMPARE = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)


@functools.lru_cache(maxsize=4096)
def tree(text: str) -> ast.expr:
    """The syntax tree of one line of scanned text; ``offset`` of a node counts from the bracket put around it."""
    try:
        return ast.parse(f"({text})", mode="eval").body
    except SyntaxError as error:
        offset = min(max((error.offset or 2) - 2, 0), len(text))
        raise Refused(
            "syntax", f"{text[offset : offset + 20].strip() or 'this'} does not belong here", offset
        ) from None
    except (RecursionError, MemoryError, ValueError):
        raise Refused(
            "limit", "the expression is nested too deeply", 0, "Give a part of it a name of its own."
        ) from None


def offset(node: ast.expr) -> int:
    """Where a node of :func:`tree` starts in its text."""
    return node.col_offset - 1


def source(text: str, node: ast.expr) -> str:
    """The text of a node, shortened for messages."""
    found = text[node.col_offset - 1 : (node.end_col_offset or 0) - 1]
    return found if len(found) <= 60 else found[:57] + "..."


def check(text: str, extra: Mapping[str, int]) -> None:
    """Scan, parse and check the tree of one line of text. Raises :class:`Refused`."""
    scan(text)
    stack: list[tuple[ast.expr, int]] = [(tree(text), 1)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise Refused(
                "limit",
                f"more than {MAX_DEPTH} operators in a chain",
                0,
                "Give a part of it a name of its own.",
            )
        stack.extend((child, depth + 1) for child in _children(text, node, extra))
    count_terms(text, tree(text), {})


def _children(text: str, node: ast.expr, extra: Mapping[str, int]) -> list[ast.expr]:
    """The operands of a node that is allowed. Raises :class:`Refused` for one that is not."""
    match node:
        case ast.Constant(value=bool()):
            return []
        case ast.Constant(value=int() | float() as number):
            if not math.isfinite(number) or (isinstance(number, int) and number > MAX_INTEGER):
                raise Refused("limit", f"{source(text, node)} is too large a number", offset(node), "Write it as 1e20.")
            return []
        case ast.Name():
            if node.id in FUNCTIONS or node.id in extra:
                raise Refused("syntax", f"{node.id} is a function", offset(node), f"Write {node.id}(...).")
            if node.id.startswith("_"):
                raise Refused(
                    "name", f"{node.id} starts with an underscore", offset(node), "Such names belong to Brian2."
                )
            return []
        case ast.UnaryOp(op=ast.Not()):
            _boolean(text, node.operand, "not")
            return [node.operand]
        case ast.UnaryOp(op=ast.UAdd() | ast.USub()):
            if is_boolean(node.operand):
                raise Refused("value", "a sign does not apply to a condition", offset(node), "Write -int(...).")
            return [node.operand]
        case ast.BinOp(op=ast.Pow()):
            _power(text, node)
            return [node.left, node.right]
        case ast.BinOp() if isinstance(node.op, _BINARY):
            return [node.left, node.right]
        case ast.BoolOp():
            for value in node.values:
                _boolean(text, value, "and" if isinstance(node.op, ast.And) else "or")
            return node.values
        case ast.Compare():
            if len(node.ops) > 1:
                raise Refused("syntax", "a chain of comparisons", offset(node.comparators[1]), "Write a < b and b < c.")
            if isinstance(node.ops[0], _COMPARE):
                return [node.left, node.comparators[0]]
        case ast.Call(func=ast.Name(id=name), keywords=[]):
            functions = {**FUNCTIONS, **extra}
            if name not in functions:
                raise Refused("name", f"{name} is not a function", offset(node), suggest(name, functions, "function"))
            if len(node.args) != functions[name]:
                wanted = functions[name]
                takes = "no argument" if wanted == 0 else "one argument" if wanted == 1 else f"{wanted} arguments"
                raise Refused("syntax", f"{name} takes {takes}, got {len(node.args)}", offset(node))
            return node.args
    raise Refused("syntax", f"{source(text, node)} is not part of Brian2's language", offset(node))


def operands(node: ast.expr) -> list[ast.expr]:
    """The parts of a checked node that have a value of their own, from left to right."""
    match node:
        case ast.BinOp():
            return [node.left, node.right]
        case ast.UnaryOp():
            return [node.operand]
        case ast.BoolOp():
            return node.values
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.Call():
            return node.args
    return []


def is_boolean(node: ast.expr) -> bool | None:
    """Whether a node is a condition; None for a name, which may be one."""
    match node:
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.Constant(value=bool()):
            return True
        case ast.Name():
            return False if node.id in CONSTANTS or node.id in UNITS else None
    return False


def _boolean(text: str, node: ast.expr, word: str) -> None:
    if is_boolean(node) is False:
        raise Refused(
            "value",
            f"{word} joins conditions, {source(text, node)} is a number",
            offset(node),
            "Compare it with something: x > 0.",
        )


def constant(node: ast.expr) -> float | None:
    """The value of a part made of numbers only, else None."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return float(number)
        case ast.UnaryOp(op=ast.USub()):
            value = constant(node.operand)
            return None if value is None else -value
        case ast.BinOp():
            left, right = constant(node.left), constant(node.right)
            if left is None or right is None:
                return None
            try:
                match node.op:
                    case ast.Add():
                        return left + right
                    case ast.Sub():
                        return left - right
                    case ast.Mult():
                        return left * right
                    case ast.Div():
                        return left / right
                    case ast.Pow():
                        return math.pow(left, right)
            except ArithmeticError:
                return math.nan
            except ValueError:
                return math.nan
    return None


def _power(text: str, node: ast.BinOp) -> None:
    """Powers are where simplification explodes: bound exponents, and never a power in an exponent."""
    if any(isinstance(part, ast.BinOp) and isinstance(part.op, ast.Pow) for part in ast.walk(node.right)):
        raise Refused("limit", "a power in an exponent", offset(node.right), "Give the exponent a name of its own.")
    exponent = constant(node.right)
    if exponent is not None and not abs(exponent) <= MAX_EXPONENT:
        raise Refused(
            "limit", f"an exponent is at most {MAX_EXPONENT}", offset(node.right), "Use exp(...) for large powers."
        )
    value = constant(node)
    if value is not None and not abs(value) < 1e300:
        raise Refused("limit", f"{source(text, node)} is too large a number", offset(node))


def count_terms(text: str, node: ast.expr, known: Mapping[str, int]) -> int:
    """Terms of the sum that multiplying out would leave; ``known`` has those of named parts.

    SymPy expands every equation, so this bounds its time. Raises :class:`Refused` over ``MAX_TERMS``.
    """
    match node:
        case ast.Name():
            terms = known.get(node.id, 1)
        case ast.BinOp():
            left, right = count_terms(text, node.left, known), count_terms(text, node.right, known)
            match node.op:
                case ast.Add() | ast.Sub():
                    terms = left + right
                case ast.Mult():
                    terms = left * right
                case ast.Div():
                    terms = left
                case ast.Pow() if (exponent := constant(node.right)) and exponent > 0 and exponent == int(exponent):
                    terms = math.comb(left + int(exponent) - 1, int(exponent))
                case _:
                    terms = 1
        case ast.UnaryOp():
            terms = count_terms(text, node.operand, known)
        case _:
            for child in operands(node):
                count_terms(text, child, known)
            terms = 1
    if terms > MAX_TERMS:
        raise Refused(
            "limit",
            f"{source(text, node)} has more than {MAX_TERMS:,} terms when multiplied out",
            offset(node),
            "Integrate with smaller powers, or make a factor a variable of its own.",
        )
    return terms
