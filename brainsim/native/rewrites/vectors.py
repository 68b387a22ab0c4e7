"""vectors: loops over cells take several at a time, in vectors the compiler is told about.

Legal where every statement works on the cell's own values: arrays are read and written at the place of the cell (or of
the cell of a subgroup), and functions are those of expressions.py. Loops over synapses are such loops too, and may read
values of the cells at their ends, which are picked up one by one. Arithmetic is the same operations in the same order,
so results are the same bits. Vectors fill a register (see vectors.hpp): loops that hold numbers of 32 bits alone take
twice as many elements as others. What else may happen inside: see refractory.py and, for exp, docs/native.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from brainsim.native.rewrites import refractory
from brainsim.native.rewrites.expressions import VECTORS, NotLegal, Renderer, Value, kind_of

NAME = "vectors"
TEMPLATES = ("stateupdate", "threshold", "reset", "fused")


@dataclass
class Loop:
    """The text of a loop's body, for the element ``_idx`` and ``_lanes`` from there."""

    before: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    draws: int = 0  # of random numbers
    calls: list[str] = field(default_factory=list)  # of functions, for element ``_k``, before the loop
    condition: str = ""  # the mask of the elements that have an event
    packed: bool = False  # whether there are only numbers of 32 bits

    @property
    def step(self) -> str:
        """How many elements are taken at a time."""
        return "native::PACKED" if self.packed else "native::LANES"


@dataclass(frozen=True)
class Place:
    """Where the values of the elements of a vector are: from an address on, at listed places, or all at one."""

    kind: str  # row, list or one
    text: str

    def load(self, array: str, vector: str, mask: bool) -> str:
        if self.kind == "list":
            return f"native::{'gather_mask' if mask else 'gather'}<{vector}>({array}, {self.text}, _lanes)"
        return f"native::{'load_mask' if mask else 'load'}<{vector}>({array} + {self.text}, _lanes)"

    def store(self, array: str, name: str, mask: bool) -> str:
        if self.kind == "list":
            return f"native::{'scatter_mask' if mask else 'scatter'}({array}, {self.text}, {name}, _lanes);"
        return f"native::{'store_mask' if mask else 'store'}({array} + {self.text}, {name}, _lanes);"


def cells(generator: Any, vector: list[Any]) -> tuple[dict[str, Place], list[str]]:
    """Places for loops over cells, by index; and lines that they need before the loop."""
    if generator.template_name not in TEMPLATES:
        raise NotLegal(f"loops of '{generator.template_name}' take one element at a time")
    places = {"_idx": Place("row", "_idx"), "0": Place("one", "")}
    if generator.template_name == "reset":
        places["_idx"] = Place("list", "_events + _idx")
    _, write, index_arrays, _ = generator.arrays_helper(vector)
    for index in {"_presynaptic_idx", "_postsynaptic_idx"} & index_arrays:  # a loop over synapses
        shared = sorted(name for name in write if generator.variable_indices[name] == index)
        if shared:
            raise NotLegal(f"it writes '{shared[0]}', which several synapses share")
        places[index] = Place("list", f"{generator.get_array_name(generator.variables[index])} + _idx")
    if "_sub_idx" in index_arrays:  # the cells of a subgroup always follow one another
        places["_sub_idx"] = Place("row", "_first + _idx")
        return places, [f"const int64_t _first = {generator.get_array_name(generator.variables['_sub_idx'])}[0];"]
    return places, []


def loop(
    generator: Any, scalar: list[Any], vector: list[Any], rewrites: frozenset[str], places: dict[str, Place]
) -> Loop:
    """The vector code of a block.

    Parameters
    ----------
    generator
        Brian2's code generator.
    scalar, vector
        The statements before and in the loop.
    rewrites
        The rewrites that may be used.
    places
        Where the values of an index are; ``one`` for what is the same for all elements of the loop.

    Raises
    ------
    NotLegal
        With the reason.
    """
    if generator.prefers_floats():
        try:
            return _loop(generator, scalar, vector, rewrites, places, packed=True)
        except NotLegal:
            pass  # with numbers of 64 bits, perhaps
    return _loop(generator, scalar, vector, rewrites, places, packed=False)


def _loop(
    generator: Any, scalar: list[Any], vector: list[Any], rewrites: frozenset[str], places: dict[str, Place],
    packed: bool,
) -> Loop:  # fmt: skip
    found = Loop(packed=packed)
    names: dict[str, Value] = {}
    for statement in scalar:
        if statement.op == ":=":
            names[statement.var] = Value(statement.var, kind_of(statement.dtype, "bool"), False)
    renderer = Renderer(generator, names, rewrites, packed)
    if generator.template_name == "fused":
        vector = _released(renderer, vector, found)
    variables, indices = generator.variables, generator.variable_indices
    read, write, index_arrays, guards = generator.arrays_helper(vector)
    mask = "mask32" if generator.prefers_floats() else "mask64"
    written = {id(variables[name]): name for name in write}
    for name in sorted(read | write):
        variable = variables[name]
        if written.get(id(variable), name) != name:
            raise NotLegal(f"'{name}' is also written as '{written[id(variable)]}'")
        if not variable.scalar and indices[name] not in places:
            raise NotLegal(f"'{name}' is reached through '{indices[name]}'")
        if variable.scalar or places[indices[name]].kind == "one":
            if name in write:
                raise NotLegal(f"it writes '{name}', which all elements share")
            names[name] = Value(name, kind_of(variable.dtype, "bool"), False)
            if not variable.scalar and indices[name] == "0":  # the only value of another group
                found.before.append(f"const auto {name} = {generator.get_array_name(variable)}[0];")
            continue
        kind = kind_of(variable.dtype, mask)
        names[name] = Value(name, kind, True)
        place, array = places[indices[name]], generator.get_array_name(variable)
        initial = f" = {place.load(array, renderer.vector(kind), kind == mask)}" if name in read else ""
        found.reads.append(f"{renderer.vector(kind)} {name}{initial};")
        if name in write:
            found.writes.append(place.store(array, name, kind == mask))
    if index_arrays - set(places):
        raise NotLegal(f"it uses the indices {', '.join(sorted(index_arrays - set(places)))}")
    renderer.mask = mask

    def element(name: str) -> str | None:
        """Where an array that is only read has its value for element ``_k`` (of loops that count with ``_at``)."""
        place = places.get(indices[name]) if name in read - write else None
        if place is None or "_at" not in place.text:
            return None
        at, array = place.text.replace("_at", "_k"), generator.get_array_name(variables[name])
        return f"{array}[{at}]" if place.kind == "row" else f"{array}[*({at})]"

    renderer.element = element
    for statement in vector:
        found.body.append(_statement(renderer, statement, guards, mask))
    if generator.template_name == "reset" and not any("native::exp" in line or "::log" in line for line in found.body):
        raise NotLegal("there are few events, and no functions to be computed for several at once")
    if generator.template_name == "reset" and renderer.draw:
        raise NotLegal("random numbers belong to cells, and events are those of any cells")
    found.before += renderer.before
    found.used |= renderer.used
    found.draws, found.calls = renderer.draw, renderer.calls
    if "_cond" in names:
        found.condition = names["_cond"].text
    return found


def _released(renderer: Renderer, statements: list[Any], found: Loop) -> list[Any]:
    """The statements without that on refractoriness, if another line does what it says."""
    draft = renderer.generator.draft
    updates = [statement for statement in statements if statement.var == "not_refractory"]
    try:
        if refractory.RELEASE not in renderer.rewrites:
            raise NotLegal("switched off")
        if draft.no_release is not None:
            raise NotLegal(draft.no_release)
        if len(updates) != 1:
            raise NotLegal("cells are never refractory")
        found.before.append(refractory.release(renderer, updates[0].expr))
        found.used.add(refractory.RELEASE)
        return [statement for statement in statements if statement is not updates[0]]
    except NotLegal as reason:
        draft.notes[refractory.RELEASE] = str(reason)
    return statements


def _statement(renderer: Renderer, statement: Any, guards: dict[str, str], mask: str) -> str:
    name, names = statement.var, renderer.names
    declared = statement.op == ":="
    kind = kind_of(statement.dtype, mask) if declared else names[name].kind
    value = _branches(renderer, statement, mask, None if statement.inplace else kind)
    if declared:
        names[name] = Value(name, kind, True)
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
    return f"{f'{renderer.vector(kind)} ' if declared else ''}{name} = {text};"


def _branches(renderer: Renderer, statement: Any, mask: str, target: str | None) -> Value:
    """The right-hand side; if Brian2 has a simpler one for each value of some truth values, a choice between those.

    They are made what they will be in the end (``target``), or else the wider of their types.
    """
    if not statement.used_boolean_variables:
        return renderer.render(statement.expr)
    start, most, chosen = renderer.draw, renderer.draw, None
    for values, expression in statement.boolean_simplified_expressions.items():
        renderer.draw = start
        value = renderer.render(expression)
        most = max(most, renderer.draw)
        kind = target or (mask if value.kind == "bool" else value.kind)
        if chosen is None:
            chosen = Value(renderer.convert(value, kind), kind, True)
            continue
        if target is not None:
            pass
        elif {kind, chosen.kind} <= {"mask64", "mask32"}:
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
