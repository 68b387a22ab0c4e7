"""Initial values of populations and projections, beyond those of their parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from brainsim import source
from brainsim.circuit.regions import Node, Regions, join
from brainsim.circuit.values import Scope, code, literal
from brainsim.circuit.variables import Names
from brainsim.errors import COMMAND_LINE, FileError, suggest
from brainsim.overrides import Given, given
from brainsim.source import Tree
from brainsim.units import Dims, Quantity

#: What code may name besides variables and parameters.
CELL_WORDS = ("i", "N")
SYNAPSE_WORDS = ("i", "j", "N_pre", "N_post")


def initial(
    regions: Regions,
    tree: Tree,
    path: str,
    scope: Scope,
    names: Names | None,
    own: dict[str, Given],
    words: tuple[str, ...],
    further: Mapping[str, Dims | None] | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Initial values of a population or projection beyond those of its parts, and the same as YAML.

    Code may name ``words``, which are plain numbers, and ``further`` with their dimensions.
    """
    overrides, problems = regions.site.overrides, regions.problems
    here = tree.get(("initial",), {})
    found: dict[str, Any] = {}
    yaml: dict[str, Any] = {}
    runs = [name for name in (names.settable if names else ()) if "from" in overrides.names(f"{path}.initial.{name}")]
    for name in dict.fromkeys([*own, *here, *overrides.names(f"{path}.initial"), *runs]):
        chosen = overrides.settle(f"{path}.initial.{name}", own.get(name), given(tree, "initial", name))
        if name in runs or isinstance(here.get(name), dict):
            folder = overrides.settle(f"{path}.initial.{name}.from", given(tree, "initial", name, "from"))
            if name in runs and folder is not None:  # what an earlier run ended with, instead of any value
                chosen = Given({"from": folder.value}, folder.mark)
        assert chosen is not None
        if name not in here and chosen == own.get(name):
            continue
        if names is None:
            continue
        if name not in names.settable:
            mark = tree.key_mark(("initial", name)) if name in here else chosen.mark
            if name in names.all:
                message, hint = f"{name} is computed, so it has no initial value", "Set what it is computed from."
            else:
                message, hint = f"{path} has no variable {name}", suggest(name, names.settable, "variable")
            problems.add("name", message, mark, hint)
            continue
        if isinstance(chosen.value, dict):
            value: Any = _saved(regions, chosen)
            yaml[name] = chosen.value
        else:
            dims, allowed = names.settable[name], {**(further or {}), **names.all}
            value = code(chosen, scope, f"initial {name}", problems, allowed=allowed, builtin=words, dims=dims)
            if value is not None:
                yaml[name] = literal(value) if isinstance(value, Quantity) else value
        if value is not None:
            found[name] = value
    return found, yaml


def _saved(regions: Regions, chosen: Given) -> dict[str, str] | None:
    """``{from: RUN_FOLDER}``: below the root; from the command line any folder, seen from where one stands."""
    folder = chosen.value.get("from")
    if set(chosen.value) != {"from"} or not isinstance(folder, str):
        regions.problems.add(
            "key", "an initial value is a value, code, or {from: RUN_FOLDER}", chosen.mark, "Write {from: runs/NAME}."
        )
        return None
    if chosen.mark is not None and chosen.mark.file == COMMAND_LINE:
        return {"from": str(Path.cwd() / folder)}
    try:
        source.within(regions.root, folder, chosen.mark)
    except FileError as error:
        regions.problems.take(error)
        return None
    return {"from": folder}


def cell_initial(regions: Regions, node: Node, name: str) -> None:
    """Settle the initial values of a population, once it is known what projections add to it."""
    path = join(node.path, name)
    population = regions.populations.get(path)
    if population is None:
        regions.site.overrides.block(f"{path}.initial")
        return
    tree = population.neuron.tree
    own = {key: found for key in tree.get(("initial",), {}) if (found := given(tree, "initial", key)) is not None}
    start, yaml = initial(regions, population.tree, path, node.scope, regions.cells[path], own, CELL_WORDS)
    regions.populations[path] = replace(population, initial=start)
    if yaml:
        node.resolved["populations"][name]["initial"] = yaml
