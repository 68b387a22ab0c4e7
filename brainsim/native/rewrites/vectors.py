"""vectors: loops over cells take eight at a time, in vectors the compiler is told about.

Legal where every statement works on the cell's own values: arrays are read and written at the place of the cell (or of
the cell of a subgroup), and functions are those of expressions.py. Arithmetic is the same operations in the same order,
so results are the same bits. Two modules say what else may happen inside: refractory.py and, for exp, docs/native.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from brian2.core.variables import ArrayVariable

from brainsim.native.rewrites.expressions import VECTORS, NotLegal, Renderer, Value, kind_of

NAME = "vectors"
TEMPLATES = ("stateupdate", "threshold")


@dataclass
class Loop:
    """The text of a loop's body, for the element ``_idx`` and ``_lanes`` from there."""

    before: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    condition: str = ""  # the mask of the elements that have an event


def loop(generator: Any, scalar: list[Any], vector: list[Any], rewrites: frozenset[str]) -> Loop:
    """The vector code of a block.

    Parameters
    ----------
    generator
        Brian2's code generator.
    scalar, vector
        The statements before and in the loop.

    Raises
    ------
    NotLegal
        With the reason.
    """
    if generator.template_name not in TEMPLATES:
        raise NotLegal(f"loops of '{generator.template_name}' take one element at a time")
    variables, indices = generator.variables, generator.variable_indices
    read, write, index_arrays, guards = generator.arrays_helper(vector)
    _check_indices(generator, read | write, index_arrays)
    names: dict[str, Value] = {}
    for statement in scalar:
        if statement.op == ":=":
            names[statement.var] = Value(statement.var, kind_of(statement.dtype, "bool"), False)
    found = Loop()
    mask = "mask32" if generator.prefers_floats() else "mask64"
    for name in sorted(read | write):
        variable = variables[name]
        if variable.scalar:
            if name in write:
                raise NotLegal(f"it writes '{name}', which all cells share")
            names[name] = Value(name, kind_of(variable.dtype, "bool"), False)
            continue
        kind = kind_of(variable.dtype, mask)
        names[name] = Value(name, kind, True)
        place = f"{generator.get_array_name(variable)} + {_start(generator, found, indices[name])}_idx"
        value = (
            f"native::load_mask<native::{VECTORS[kind]}>" if kind == mask else f"native::load<native::{VECTORS[kind]}>"
        )
        initial = f" = {value}({place}, _lanes)" if name in read else ""
        found.reads.append(f"native::{VECTORS[kind]} {name}{initial};")
        if name in write:
            store = "store_mask" if kind == mask else "store"
            found.writes.append(f"native::{store}({place}, {name}, _lanes);")
    renderer = Renderer(generator, names, rewrites)
    renderer.mask = mask
    for statement in vector:
        found.body.append(_statement(renderer, statement, guards, mask))
    found.before += renderer.before
    found.used = renderer.used
    if "_cond" in names:
        found.condition = names["_cond"].text
    return found


def _check_indices(generator: Any, used: set[str], index_arrays: set[str]) -> None:
    for name in used:
        variable, index = generator.variables[name], generator.variable_indices[name]
        if variable.scalar or index == "_idx" or (index == "_sub_idx" and isinstance(variable, ArrayVariable)):
            continue
        raise NotLegal(f"'{name}' is reached through '{index}'")
    if index_arrays - {"_sub_idx"}:
        raise NotLegal(f"it uses the indices {', '.join(sorted(index_arrays))}")


def _start(generator: Any, found: Loop, index: str) -> str:
    """Where the cells of a subgroup start: they always follow one another."""
    if index != "_sub_idx":
        return ""
    line = f"const int64_t _first = {generator.get_array_name(generator.variables[index])}[0];"
    if line not in found.before:
        found.before.append(line)
    return "_first + "


def _statement(renderer: Renderer, statement: Any, guards: dict[str, str], mask: str) -> str:
    name, names = statement.var, renderer.names
    value = _branches(renderer, statement, mask)
    declared = statement.op == ":="
    if declared:
        kind = kind_of(statement.dtype, mask)
        names[name] = Value(name, kind, True)
    kind = names[name].kind
    if statement.inplace:
        operator = statement.op[0]
        wide = renderer._wider(renderer._number(names[name]), renderer._number(value))
        if operator not in "+-*/" or (operator == "/" and wide in ("int", "long")) or kind.startswith("mask"):
            raise NotLegal(f"it contains '{statement.op}'")
        left = renderer.convert(names[name], wide)
        right = renderer.convert(renderer._number(value), wide)
        value = Value(f"({left} {operator} {right})", wide, True)
    text = renderer.convert(value, kind)
    if name in guards:
        guard = renderer.convert(names[guards[name]], "mask64" if kind in ("double", "long") else "mask32")
        text = f"({guard} != 0 ? {text} : {name})"
    return f"{f'native::{VECTORS[kind]} ' if declared else ''}{name} = {text};"


def _branches(renderer: Renderer, statement: Any, mask: str) -> Value:
    """The right-hand side; if Brian2 has a simpler one for each value of some truth values, a choice between those."""
    if not statement.used_boolean_variables:
        return renderer.render(statement.expr)
    start, most, chosen = renderer.draw, renderer.draw, None
    for values, expression in statement.boolean_simplified_expressions.items():
        renderer.draw = start
        value = renderer.render(expression)
        most = max(most, renderer.draw)
        kind = mask if value.kind == "bool" else value.kind
        if chosen is None:
            chosen = Value(renderer.convert(value, kind), kind, True)
            continue
        if {kind, chosen.kind} <= {"mask64", "mask32"}:
            kind = chosen.kind
        elif "mask" in kind + chosen.kind:
            raise NotLegal(f"the type of '{statement.var}' is open")
        else:
            kind = renderer._wider(chosen, value)
        wide = "mask64" if VECTORS[kind] in ("Doubles", "Longs") else "mask32"
        which = " & ".join(
            ("" if wanted else "~") + renderer.convert(renderer.names[name], wide) for name, wanted in values
        )
        text = f"(({which}) != 0 ? {renderer.convert(value, kind)} : {renderer.convert(chosen, kind)})"
        chosen = Value(text, kind, True)
    renderer.draw = most
    assert chosen is not None
    return chosen
