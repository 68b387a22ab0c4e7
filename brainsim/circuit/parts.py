"""One part at one place of use: found, its parents merged, its parameters evaluated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from brainsim.circuit.model import Part
from brainsim.circuit.parameters import name_problem, parameters, part_names
from brainsim.circuit.values import Scope, evaluate, literal
from brainsim.errors import COMMAND_LINE, BrainsimError, Problems, suggest
from brainsim.library import Library
from brainsim.overrides import Given, Overrides, given, put
from brainsim.source import Tree
from brainsim.spec.check import check
from brainsim.units import Dims, Quantity, parse_unit

_OWN = "A file holds literals; expressions stand at the place of use: {name: ..., parameters: {...}}."


@dataclass(frozen=True)
class Place:
    """A parameter of a part in use: its value, and the region whose parameters may be named in it."""

    value: Quantity
    scope: Scope


@dataclass
class Site:
    """What building one circuit shares."""

    library: Library
    overrides: Overrides
    problems: Problems
    notes: list[str] = field(default_factory=list)
    cite: dict[str, None] = field(default_factory=dict)  # in the order of use
    places: dict[str, Place] = field(default_factory=dict)  # parameters of neurons, synapses and rules by path

    def add_cite(self, tree: Tree) -> None:
        """Note what a document and its parents cite; ``own`` stands for work that is published nowhere else."""
        self.cite.update(dict.fromkeys(entry for entry in self.library.citations(tree) if entry != "own"))


@dataclass(frozen=True)
class Use:
    """A part before its parameters are evaluated."""

    kind: str
    name: str
    tree: Tree  # the part with its parents merged, without what the place of use says
    filled: Tree | None  # the ``parameters`` of the place of use
    in_place: bool = False


def open_use(site: Site, kind: str, use: Tree, path: str = "") -> Use | None:
    """Find the part a place asks for; ``path`` is where ``set`` may name another one."""
    value, mark = use.data, use.mark(("name",))
    in_place = isinstance(value, dict) and next(iter(value), "") == kind
    named = isinstance(value, dict) and not in_place
    filled = use.at(("parameters",)) if named and isinstance(value.get("parameters"), dict) else None
    name = value[kind] if in_place else value.get("name") if named else value
    if path:
        own = Given(name, mark)
        chosen = site.overrides.settle(path, own if name is not None else None)
        if chosen is not None and chosen != own:
            # Another part: what was filled in belongs to the old one.
            name, mark, filled, in_place = chosen.value, chosen.mark or mark, None, False
    if not isinstance(name, str):
        hint = f"`brainsim list {kind}` shows those there are."
        site.problems.add("value", f"the name of a {kind} is expected, got {name}", mark, hint)
        site.overrides.block(path)
        return None
    try:
        tree = site.library.use(kind, use) if in_place else site.library.part(kind, name, mark)
    except BrainsimError as error:
        site.problems.take(error)
        site.overrides.block(path)
        return None
    return Use(kind, name, tree, filled, in_place)


def _givens(site: Site, use: Use, path: str) -> dict[str, tuple[Given, bool]]:
    """Parameter -> what counts for it, and whether that comes from the place of use."""
    found: dict[str, tuple[Given, bool]] = {}
    # An input has a unit but no value of its own: the place of use may fill it in like a parameter.
    defaults = {**use.tree.get(("parameters",), {}), **use.tree.get(("inputs",), {})}
    for name in use.filled.data if use.filled else ():
        if name not in defaults:
            hint = suggest(name, defaults, "parameter")
            message = f"{use.kind} {use.name} has no parameter {name}"
            site.problems.add("name", message, use.filled.key_mark((name,)), hint)  # type: ignore[union-attr]
    lineage = site.library.lineage(use.kind, use.tree)
    for name in defaults:
        below: list[Given] = []
        for tree in lineage:
            value = given(tree, "parameters", name)
            if value is not None and value not in below:
                below.append(value)
        filled = given(use.filled, name) if use.filled else None
        chosen = site.overrides.settle(f"{path}.{name}" if path else name, *below, filled)
        if chosen is not None:
            found[name] = (chosen, filled is not None and chosen is filled)
    return found


def part(site: Site, kind: str, use: Tree, scope: Scope, path: str, renamed: str = "") -> Part | None:
    """The part used at ``path``, every parameter a quantity.

    ``renamed`` is the path of its parameters where that is not ``path`` (one of several synapses).
    """
    opened = open_use(site, kind, use, "" if renamed else path)
    if opened is None:
        return None
    site.add_cite(opened.tree)
    return settle(site, opened, scope, renamed or path)


def settle(site: Site, use: Use, scope: Scope, path: str) -> Part | None:
    """Evaluate the parameters: a file's own are literals, those filled in or set may name the region's."""
    literals = Scope(f"{use.kind} {use.name}", literal=_OWN)
    problems, values, new = site.problems, dict[str, Quantity](), dict[tuple[str | int, ...], Given]()
    before = len(problems.found)
    part_names(use.tree, problems)
    complete = len(problems.found) == before
    for name, (chosen, _) in _givens(site, use, path).items():
        own = given(use.tree, "parameters", name)
        default = evaluate(own, literals, name, problems) if own is not None else None
        dims: Dims | None = default.dims if default is not None else _input_dims(use.tree, name)
        value = default if chosen == own else evaluate(chosen, scope, name, problems, dims)
        if value is None:
            complete = False
            continue
        values[name] = value
        site.places[f"{path}.{name}"] = Place(value, scope)
        new["parameters", name] = replace(chosen, value=literal(value))
    if not complete:
        return None
    tree = put(use.tree, new) if new else use.tree
    before = len(problems.found)
    spec = check(tree, problems)
    return Part(use.kind, use.name, spec, values, tree) if len(problems.found) == before else None


def _input_dims(tree: Tree, name: str) -> Dims | None:
    """Dimensions of an input; a wrong unit is reported where the cell is composed."""
    try:
        return parse_unit(str(tree.get(("inputs", name), "")))[1]
    except ValueError:
        return None


def region_scope(site: Site, use: Use, outer: Scope, path: str) -> tuple[Scope, set[str]]:
    """The parameters of a region at ``path``, and those that were set from outside."""
    defaults = {name: given(use.tree, "parameters", name) for name in use.tree.get(("parameters",), {})}
    for name in defaults:
        name_problem(name, use.tree.key_mark(("parameters", name)), site.problems)
    chosen = _givens(site, use, path)
    own = {name: (value, None) for name, value in defaults.items() if value is not None}
    # The file alone fixes the dimensions, also where every value is replaced.
    alone = parameters(use.name, own, site.problems)
    dims = {name: value.dims for name, value in alone.values.items()}
    effective = {name: (value, outer if filled else None) for name, (value, filled) in chosen.items()}
    same = all(value == defaults[name] for name, (value, _) in effective.items())
    scope = alone if same else parameters(use.name, effective, site.problems, dims)
    set_here = {name for name in chosen if (f"{path}.{name}" if path else name) in site.overrides.changed}
    return scope, set_here


def merged(site: Site, kind: str, name: str, tree: Tree, keys: Iterable[str]) -> dict[str, Any]:
    """The beginning of a document without parents: kind, name and ``keys``, citing what its parents cite."""
    data: dict[str, Any] = {kind: name} | {key: tree.data[key] for key in keys if key in tree.data}
    cite = list(site.library.citations(tree))
    return data | {"cite": cite} if cite else data


def content(site: Site, found: Part) -> dict[str, Any]:
    """A part as it may stand in place of its name: everything merged, all values literal."""
    keys = [key for key in found.tree.data if key not in (found.kind, "extends")]
    data = merged(site, found.kind, found.name, found.tree, keys)
    if found.values:
        data["parameters"] = {name: literal(value) for name, value in found.values.items()}
    return data


def unread(site: Site, owner: str, names: Iterable[str], scope: Scope, path: str) -> None:
    """Report parameters of a region that were set although nothing reads them."""
    for name in sorted(set(names) - scope.read - scope.broken):
        dotted = f"{path}.{name}" if path else name
        chosen = site.overrides.history[dotted][-1]
        where = "" if chosen.origin == COMMAND_LINE else f" ({chosen.origin})"
        site.problems.add(
            "path",
            f"setting {dotted} has no effect: nothing in region {owner} reads it{where}",
            chosen.mark,
            "Set the values themselves, such as the size of a population or a parameter of a part.",
        )
