"""An experiment file and a library -> one circuit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import networkx as nx

from brainsim.circuit.model import Circuit
from brainsim.circuit.parts import Site
from brainsim.circuit.projections import Projections
from brainsim.circuit.protocol import Protocol
from brainsim.circuit.regions import Regions, join
from brainsim.circuit.values import Scope
from brainsim.errors import BrainsimError, FileError, FitError, Problem, Problems
from brainsim.library import Library
from brainsim.overrides import Overrides
from brainsim.source import Tree, identify
from brainsim.spec.check import check

_NO_NAMES = "An experiment has no parameters of its own: write a value here, or set the parameter inside the region."


def build(
    experiment: Tree, library: Library, command_line: Mapping[str, Any] | None = None, root: Path | str | None = None
) -> Circuit:
    """Flatten an experiment: every part found, every override applied, every value literal.

    Parameters
    ----------
    experiment
        The experiment file; a region or neuron goes through :func:`wrap` first.
    command_line
        Dotted path -> value, as text (read as a YAML scalar) or number; these win over all else.
    root
        Folder under which files named in the model (matrices, points) are read: by default that of the experiment.

    Raises
    ------
    FileError, FitError
        With everything that is wrong, each with its place.
    """
    problems = Problems()
    tree = library.resolve(experiment)
    overrides = Overrides(tree, command_line or {}, problems)
    site = Site(library, overrides, problems)
    site.add_cite(tree)
    regions = Regions(site, Path(root) if root is not None else _folder(experiment))
    top = regions.expand(tree.at(("region",)), "", Scope("the experiment", literal=_NO_NAMES))
    protocol = Protocol(site, tree, top.scope if top else Scope("the experiment", literal=_NO_NAMES))
    dt = protocol.time()
    if top is None:
        problems.raise_any(FitError)
    assert top is not None
    Projections(regions, dt).wire(top)
    protocol.check(top, regions)
    overrides.check_all_used(problems)
    regions.check_read(top)
    problems.raise_any(FitError)
    final = protocol.final()
    spec = check(final, problems)
    problems.raise_any(FitError)
    resolved = {key: value for key, value in final.data.items() if key not in ("extends", "set", "sweep")}
    resolved["region"] = top.resolved
    if cite := list(library.citations(tree)):
        resolved["cite"] = cite
    return Circuit(
        experiment=spec,
        tree=final,
        populations=regions.populations,
        projections=regions.projections,
        links=tuple(regions.links.values()),
        silent=tuple(regions.silent.values()),
        trains=protocol.trains,
        notes=tuple(dict.fromkeys(site.notes)),
        cite=tuple(site.cite),
        resolved=resolved,
        history={path: tuple((g.text, g.origin) for g in chain) for path, chain in overrides.history.items()},
        graph=_graph(regions),
    )


def _folder(experiment: Tree) -> Path:
    path = Path(experiment.file)
    return path.parent if path.is_file() else Path.cwd()


def _graph(regions: Regions) -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph()
    for path, population in regions.populations.items():
        graph.add_node(path, size=population.size, cell=population.neuron.name)
    for path, projection in regions.projections.items():
        graph.add_edge(projection.source.path, projection.target.path, key=path)
    return graph


def wrap(tree: Tree, library: Library | None = None, duration: str = "100 ms") -> Tree:
    """A region or a neuron with a small experiment around it, so that it can be checked, shown and run.

    An experiment comes back as it is. A neuron becomes one cell at the path ``cell``. With a library, the spikes of all
    populations that send some are recorded. Raises :class:`FileError` for a synapse or rule: they need cells to join.
    """
    kind, name = identify(tree)
    if kind == "experiment":
        return tree
    inside: tuple[str, ...] = ("region",)
    data = tree.data
    if kind == "neuron":
        about = f"One cell of {name}."
        data = {"region": name, "about": about, "populations": {"cell": {"neuron": tree.data, "size": 1}}}
        inside = ("region", "populations", "cell", "neuron")
    elif kind != "region":
        hint = "Use it in a region, under projections, and run that."
        raise FileError(Problem("value", f"a {kind} alone cannot be run: it joins cells", tree.mark(), hint))
    experiment = {
        "experiment": name,
        "grammar": 1,
        "about": f"The {kind} {name} on its own.",
        "region": data,
        "run": {"duration": duration},
    }
    marks = {(*inside, *path): mark for path, mark in tree.marks.items()}
    keys = {(*inside, *path): mark for path, mark in tree.keys.items()}
    lines = {(*inside, *path): found for path, found in tree.lines.items()}
    wrapped = Tree(experiment, tree.file, {(): tree.mark(), **marks}, keys, lines)
    if library is not None:
        experiment["record"] = {"spikes": _spiking(wrapped.at(("region",)), library, "", ())}
    return wrapped


def _spiking(use: Tree, library: Library, path: str, inside: tuple[str, ...]) -> list[str]:
    """Populations that send spikes, in a region and those in it. What cannot be read is left to :func:`build`."""
    found: list[str] = []
    try:
        tree = library.use("region", use)
        if tree.data["region"] in inside:
            return []
        inside = (*inside, tree.data["region"])
        for name in tree.get(("regions",), {}):
            found += _spiking(tree.at(("regions", name)), library, join(path, name), inside)
    except BrainsimError:
        return found
    for name in tree.get(("populations",), {}):
        try:
            neuron = library.use("neuron", tree.at(("populations", name, "neuron")))
        except BrainsimError:
            continue
        if neuron.get(("threshold",)):
            found.append(join(path, name))
    return found
