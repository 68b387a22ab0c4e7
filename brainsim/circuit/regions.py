"""Nested regions, flattened: populations first, then what joins them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brainsim.circuit import wiring
from brainsim.circuit.model import Link, Part, Population, Projection
from brainsim.circuit.parts import Site, content, merged, open_use, part, region_scope, unread
from brainsim.circuit.values import Scope, literal, whole
from brainsim.circuit.variables import Names, of_cell
from brainsim.errors import FitError, Mark, Problem
from brainsim.overrides import Given, given
from brainsim.source import Tree

#: A region used ten times in a region used ten times in ... would fill any memory.
MAX_ENTRIES = 20_000


@dataclass
class Node:
    """One region at its place."""

    path: str
    name: str
    tree: Tree
    scope: Scope
    set_here: set[str]
    inner: dict[str, Node] = field(default_factory=dict)
    resolved: dict[str, Any] = field(default_factory=dict)  # the region written in place

    def __iter__(self):
        """This region and all inside it, inner ones first."""
        for node in self.inner.values():
            yield from node
        yield self


class Regions:
    """Walks the regions of one experiment and gathers populations, projections and links by path."""

    def __init__(self, site: Site, root: Path) -> None:
        self.site, self.root, self.problems = site, root, site.problems
        self.populations: dict[str, Population] = {}
        self.projections: dict[str, Projection] = {}
        self.links: dict[tuple[str, str], Link] = {}
        self.cells: dict[str, Names] = {}  # by population
        self.synapses: dict[str, Names] = {}  # by projection
        self.neurons: dict[str, Part] = {}  # by population, those of size 0 too
        self.tried: list[str] = []  # every projection path
        self.known: dict[str, str] = {}  # every population path -> fine | lesion | wrong
        self.dropped: set[str] = set()  # projections left out with a population of size 0
        self.silent: dict[str, Projection] = {}  # those of them whose synapses stay on the target, without a source
        self._entries = 0

    # -- populations ----------------------------------------------------------------------------

    def expand(self, use: Tree, path: str, outer: Scope, inside: tuple[str, ...] = ()) -> Node | None:
        """Read a region and those inside it: parameters, populations, sizes."""
        opened = open_use(self.site, "region", use)
        if opened is None:
            self.site.overrides.block(path)
            return None
        if not opened.in_place and opened.name in inside:
            chain = [*inside[inside.index(opened.name) :], opened.name]
            self.problems.add(
                "cycle",
                f"region {opened.name} contains itself: {' -> '.join(chain)}",
                use.mark(),
                "Remove one of these regions from the other.",
            )
            self.site.overrides.block(path)
            return None
        tree = opened.tree
        self.site.add_cite(tree)
        scope, set_here = region_scope(self.site, opened, outer, path)
        node = Node(path, opened.name, tree, scope, set_here)
        self._names_differ(tree)
        node.resolved = merged(self.site, "region", opened.name, tree, ("about", "cite"))
        if scope.values:
            node.resolved["parameters"] = {name: literal(value) for name, value in scope.values.items()}
        for name in tree.get(("regions",), {}):
            self.count(tree.key_mark(("regions", name)))
            below = self.expand(tree.at(("regions", name)), join(path, name), scope, (*inside, opened.name))
            if below is not None:
                node.inner[name] = below
                node.resolved.setdefault("regions", {})[name] = below.resolved
        for name in tree.get(("populations",), {}):
            self.count(tree.key_mark(("populations", name)))
            self._population(node, name)
        return node

    def count(self, mark: Mark | None) -> None:
        """Raise once there is more than any memory holds."""
        self._entries += 1
        if self._entries > MAX_ENTRIES:
            message = f"there are more than {MAX_ENTRIES:,} regions, populations and projections"
            hint = "Write one population with a larger size instead of many."
            raise FitError(Problem("limit", message, mark, hint))

    def _names_differ(self, tree: Tree) -> None:
        groups = ("regions", "populations", "projections")
        count = Counter(name for group in groups for name in tree.get((group,), {}))
        for name in [name for name, times in count.items() if times > 1]:
            first, second = [group for group in groups if name in tree.get((group,), {})][:2]
            self.problems.add(
                "name",
                f"{name} stands under {first} and under {second}",
                tree.key_mark((second, name)),
                "Rename one of them: paths such as NAME.size must mean one thing.",
            )

    def _population(self, node: Node, name: str) -> None:
        path, tree = join(node.path, name), node.tree.at(("populations", name))
        self.known[path] = "wrong"
        neuron = part(self.site, "neuron", tree.at(("neuron",)), node.scope, f"{path}.neuron")
        chosen = self.site.overrides.settle(f"{path}.size", given(tree, "size"))
        assert chosen is not None
        size = whole(chosen, node.scope, "size", self.problems)
        settle = self.settler(path, tree)
        layout = None
        if isinstance(tree.get(("layout",)), dict) and size:
            layout = wiring.layout(tree.at(("layout",)), settle, node.scope, size, self.root, self.problems)
            if layout is None:
                size = None  # wrong, and reported
        if size is None:
            self.site.overrides.block(f"{path}.layout")
        if neuron is None or size is None:
            return
        self.cells[path] = of_cell(neuron, self.problems)
        self.neurons[path] = neuron
        found: dict[str, Any] = {"neuron": content(self.site, neuron), "size": size}
        if layout:
            found["layout"] = layout[1]
        node.resolved.setdefault("populations", {})[name] = found
        if size == 0:
            self.known[path] = "lesion"
            self.site.notes.append(f"{path} has size 0: it is left out, and what touches it.")
            self.site.overrides.block(f"{path}.initial")
            self.site.overrides.block(f"{path}.layout")
            return
        self.known[path] = "fine"
        self.populations[path] = Population(path, size, neuron, {}, layout[0] if layout else None, tree)

    def settler(self, path: str, tree: Tree) -> wiring.Settle:
        """What settles the values of one entry by key, ``connect.p``."""

        def settle(key: str) -> Given | None:
            steps = tuple(int(step) if step.isdigit() else step for step in key.split("."))
            own = given(tree, *steps)
            whole_rule = own is not None and isinstance(own.value, dict)  # its keys are settled one by one
            return self.site.overrides.settle(f"{path}.{key}", None if whole_rule else own)

        return settle

    def lost(self) -> set[str]:
        """Paths of what is left out: populations of size 0 and the projections that touch them."""
        return self.dropped | {path for path, state in self.known.items() if state == "lesion"}

    def check_read(self, top: Node) -> None:
        """Report parameters that were set in vain; not where a lesion took away what would read them."""
        if "lesion" not in self.known.values():
            for node in top:
                unread(self.site, node.name, node.set_here, node.scope, node.path)


def join(path: str, name: str) -> str:
    """The dotted path of ``name`` inside the region at ``path``."""
    return f"{path}.{name}" if path else name
