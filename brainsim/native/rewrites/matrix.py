"""matrix: the spikes that all-to-all connections bring in one step are taken together, eight synapses at a time.

Synapses of all-to-all connections are a matrix in memory, a row for each presynaptic cell. Presynaptic spikes reach
rows of it: four of them are gone through side by side, so that what they change is read and written once. Postsynaptic
spikes reach columns: instead of walking down one column after the other, the loop goes down the rows once, eight rows
at a time, and does all spikes, in their order, for each eight.

Legal where the connections are such a matrix, all with one delay, the code draws no random numbers, and it writes
nothing that belongs to the spiking cell or to several. Then each synapse, and each cell at its other end, sees the same
spikes in the same order as before: results are the same bits.

Columns are gone through *across* where the code calls a function that is prepared once for the cell of a row (see
``eight`` in functions.py of brainsim): row by row, eight of the spikes at a time. Legal where, besides, the code writes
to synapses alone; spikes that are not in the order of their cells are taken one by one.

``unchanged`` goes with that: rows whose change would be zero are left out, so that the cost is that of the rows and
spikes that change something. Legal where the code is one ``x += change`` whose change is zero whenever the function is
zero, which is tried once for each spike; the function says itself for which rows that is so. Where the change is a
product with the function, it is also zero for all rows if it is zero for a very large value of the function (a learning
rate of zero): products grow with their factors. A weight of -0.0 stays what it is, where numpy would make it 0.0.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from brian2.codegen.generators.cpp_generator import c_data_type
from brian2.synapses.synapses import SynapticPathway
from brian2.utils.stringtools import get_identifiers

from brainsim.native.rewrites.expressions import NotLegal, Renderer, Value, kind_of

MATRIX, UNCHANGED = "matrix", "unchanged"
#: A very large value of a function.
LARGE = 1e30


@dataclass
class Matrix:
    """What the template needs, as lines. ``near`` is the spiking cell, ``far`` those at the other end."""

    columns: bool  # whether spikes reach columns
    across: bool  # and are taken several at a time, row by row
    near: str  # the name of the spiking cell's index
    step: str  # how many elements a vector holds
    vectors: list[tuple[str, str]] = field(default_factory=list)  # (type, name) of what is read from cells
    before: list[str] = field(default_factory=list)
    near_reads: list[str] = field(default_factory=list)
    side_by_side: list[tuple[str, str]] = field(default_factory=list)  # (type, name) of near values, if across
    far_reads: list[str] = field(default_factory=list)
    prepared: list[str] = field(default_factory=list)
    calls: list[tuple[str, str, str]] = field(default_factory=list)  # of functions for all spikes: name, type, arrays
    spike: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # arrays whose next rows the processor is asked for
    far_writes: list[str] = field(default_factory=list)
    change: str = ""  # of a synapse where the function is zero; empty: no rows are left out
    none: str = ""  # whether nothing changes in a row then
    product: str = ""  # the change where the function is LARGE, if that is the most it can be
    small: str = ""  # whether the function is smaller in a row
    used: set[str] = field(default_factory=set)


def pathway_of(generator: Any) -> SynapticPathway:
    queue = generator.variables["_queue"]
    return next(way for way in generator.owner._pathways if way.queue is queue)


def check_connections(pathway: SynapticPathway) -> None:
    """Raise :class:`NotLegal` unless synapses are a matrix, all with one delay."""
    sources, targets = pathway.synapse_sources, pathway.synapse_targets
    if pathway.prepost == "post":
        sources, targets = targets, sources
    stored = [pathway.variables.device.arrays[variable] for variable in (sources, targets)]
    count = len(stored[0])
    rows, columns = (last - first + 1 for first, last in (array.ends() for array in stored))
    if rows < 1 or columns < 2 or rows * columns != count:
        raise NotLegal("connections are not all to all")
    pre, post = sources.get_value(), targets.get_value()
    pre, post = pre.reshape(rows, columns), post.reshape(rows, columns)
    if not ((pre == pre[0, 0] + np.arange(rows)[:, None]).all() and (post == post[0, 0] + np.arange(columns)).all()):
        raise NotLegal("connections are not all to all")
    if (rows if pathway.prepost == "post" else columns) < 8:
        raise NotLegal("a spike reaches few cells")
    delays = np.asarray(pathway.variables["delay"].get_value())
    if delays.size > 1 and (delays != delays.flat[0]).any():
        raise NotLegal("delays differ")


def rewrite(generator: Any, scalar: list[Any], statements: list[Any], rewrites: frozenset[str]) -> Matrix:
    """The code for eight rows or columns.

    Raises
    ------
    NotLegal
        With the reason.
    """
    check_connections(pathway_of(generator))
    if generator.prefers_floats():
        try:
            return _rewrite(generator, scalar, statements, rewrites, packed=True)
        except NotLegal:
            pass  # with numbers of 64 bits, perhaps
    return _rewrite(generator, scalar, statements, rewrites, packed=False)


def _rewrite(
    generator: Any, scalar: list[Any], statements: list[Any], rewrites: frozenset[str], packed: bool
) -> Matrix:
    from brainsim.native.rewrites.vectors import _statement

    pathway = pathway_of(generator)
    variables, indices = generator.variables, generator.variable_indices
    read, write, index_arrays, guards = generator.arrays_helper(statements)
    far, near = ("_presynaptic_idx", "_postsynaptic_idx")[:: 1 if pathway.prepost == "post" else -1]
    # A copy of what is read may lie in the order of arrival, see ordered.py: then columns are rows, unless they are
    # gone through across.
    columns = pathway.prepost == "post" and any(indices[name] == "_idx" for name in read)
    functions = {variables.get(name) for s in statements for name in get_identifiers(s.expr)}
    across = pathway.prepost == "post" and any(getattr(function, "eight", None) for function in functions)
    found = Matrix(columns, across, near, "native::PACKED" if packed else "native::LANES")
    names: dict[str, Value] = {}
    renderer = Renderer(generator, names, rewrites, packed)
    for statement in scalar:
        if statement.op == ":=":
            names[statement.var] = Value(statement.var, kind_of(statement.dtype, "bool"), False)
    mask = "mask32" if generator.prefers_floats() else "mask64"
    written = {id(variables[name]): name for name in write}
    if index_arrays - {"_idx", "_place", near, far, "0"}:
        raise NotLegal(f"it uses the indices {', '.join(sorted(index_arrays))}")
    stores = []
    for name in sorted(read | write):
        variable, index = variables[name], indices[name]
        if written.get(id(variable), name) != name:
            raise NotLegal(f"'{name}' is also written as '{written[id(variable)]}'")
        array = generator.get_array_name(variable)
        if variable.scalar or index in (near, "0"):
            if name in write:
                raise NotLegal(f"it writes '{name}', which several synapses share")
            names[name] = Value(name, kind_of(variable.dtype, "bool"), False)
            if not variable.scalar:
                line = f"const {c_data_type(variable.dtype)} {name} = {array}[{index}];"
                (found.before if index == "0" else found.near_reads).append(line)
            if across and index == near and not variable.scalar:
                kind = kind_of(variable.dtype, mask)
                names[name], vector = Value(name, kind, True), renderer.vector(kind)
                found.side_by_side.append((c_data_type(variable.dtype), name))
                renderer.beside[name] = f"_near_{name}"
                load = "load_mask" if kind == mask else "load"
                found.spike.append(f"const {vector} {name} = native::{load}<{vector}>(_near_{name} + _k, _lanes);")
            continue
        if index not in ("_idx", "_place", far):
            raise NotLegal(f"'{name}' is reached through '{index}'")
        kind = kind_of(variable.dtype, mask)
        names[name], vector = Value(name, kind, True), renderer.vector(kind)
        what = "_mask" if kind == mask else ""
        if across and index == far:
            if name in write:
                raise NotLegal(f"it writes '{name}' and calls a function prepared for it")
            names[name] = Value(name, kind_of(variable.dtype, "bool"), False)
            found.far_reads.append(f"const {c_data_type(variable.dtype)} {name} = {array}[_far + _at];")
            continue
        if across:
            listed = "_at*_columns, _arrivals.list + _k" if index == "_idx" else "_at, _starts + _k"
            initial = f" = native::gather{what}<{vector}>({array} + {listed}, _lanes)" if name in read else ""
            found.spike.append(f"{vector} {name}{initial};")
            if index == "_place":  # the lines that come next in the columns
                found.spike.append(
                    f"native::ask_for_listed({array} + _at + 64 / sizeof *{array}, _starts + _k, _lanes);"
                )
            if name in write:
                stores.append(f"native::scatter{what}({array} + {listed}, {name}, _lanes);")
            continue
        if index == far:
            found.vectors.append((vector, name))
            place = f"{array} + _far + _at"
            found.far_reads.append(f"{vector} {name} = native::load{what}<{vector}>({place}, _lanes);")
            if name in write:
                found.far_writes.append(f"native::store{what}({place}, {name}, _lanes);")
            continue
        strided = pathway.prepost == "post" and index == "_idx"
        if strided and kind == mask:
            raise NotLegal(f"'{name}' is a truth value")
        how, place = ("_strided", f"{array} + _synapses, _columns") if strided else (what, f"{array} + _places")
        initial = f" = native::load{how}<{vector}>({place}, _lanes)" if name in read else ""
        found.spike.append(f"{vector} {name}{initial};")
        if not strided:
            found.asked.append(array)
        if name in write:
            stores.append(f"native::store{how}({place}, {name}, _lanes);")
    renderer.mask = mask
    if across:
        renderer.fixed = {name for name in names if name not in write and indices.get(name) == far}
    found.spike += [*(_statement(renderer, statement, guards, mask) for statement in statements), *stores]
    if renderer.draw:
        raise NotLegal("it draws random numbers")
    for name, index, lines in (("_near", near, found.near_reads), ("_far", far, found.far_reads)):
        first = f"{generator.get_array_name(variables[index])}[0]" if lines else "0"
        found.before.append(f"[[maybe_unused]] const int64_t {name} = {first};")
    found.before += renderer.before
    found.prepared, found.used = renderer.prepared, renderer.used
    found.calls = [(name, *made) for name, made in renderer.across.items()]
    if UNCHANGED in rewrites and across:
        _leave_out(generator, renderer, statements, found, {name for name in names if indices.get(name) == near})
    return found


def _leave_out(generator: Any, renderer: Renderer, statements: list[Any], found: Matrix, spiking: set[str]) -> None:
    """Let rows be left out whose change is zero, if that can be told. ``spiking`` are values of the spiking cell."""
    first, *others = statements
    if first.op != "+=" or len(renderer.eights) != 1:
        return
    if any(other.op != "=" or other.expr.strip() != first.var for other in others):  # the same in another order
        return
    ((call, name),) = renderer.eights.items()
    rest = _with(0.0, call, first)
    own = {name for name, value in renderer.names.items() if value.vector} - spiking | renderer.fixed
    if any(isinstance(node, ast.Name) and node.id in own for node in ast.walk(rest)):
        return
    found.change = generator.translate_expression(ast.unparse(rest))
    found.none = f"{name}.none"
    if _is_product(ast.parse(first.expr.strip(), mode="eval").body, call):
        found.product = generator.translate_expression(ast.unparse(_with(LARGE, call, first)))
        found.small = f"{name}.bound < {LARGE / 2}"
    found.used.add(UNCHANGED)


def _with(value: float, call: str, statement: Any) -> ast.AST:
    """The right-hand side with a number in the place of a call."""

    class Replace(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            return ast.Constant(value) if ast.unparse(node) == call else self.generic_visit(node)

    return Replace().visit(ast.parse(statement.expr.strip(), mode="eval"))


def _is_product(node: ast.AST, call: str) -> bool:
    """Whether an expression is a product with a call as one of its factors, and the call is in no other."""
    if ast.unparse(node) == call:
        return True
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)):
        return False
    return any(_is_product(factor, call) and call not in ast.unparse(other)
               for factor, other in ((node.left, node.right), (node.right, node.left)))  # fmt: skip
