"""Places of populations: regions inside regions, each laid out in layers along the flow of its projections.

Coordinates are kept along the flow (``main``) and across it (``cross``), so that one algorithm serves wide
drawings (flow to the right) and tall ones (flow downwards).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import networkx as nx

from brainsim.plots.diagram import Diagram

PAD, TITLE, LOOP = 14.0, 22.0, 24.0
NODE_HEIGHT = 46.0


@dataclass
class Box:
    """A population (no children) or a region; ``x, y`` is the upper left corner on the page."""

    path: str
    name: str
    width: float = 0.0
    height: float = 0.0
    x: float = 0.0
    y: float = 0.0
    children: list[Box] = field(default_factory=list)
    loop: bool = False  # room kept for an arrow to itself

    @property
    def leaf(self) -> bool:
        return not self.children

    def walk(self) -> Iterable[Box]:
        yield self
        for child in self.children:
            yield from child.walk()

    def move(self, dx: float, dy: float) -> None:
        for box in self.walk():
            box.x += dx
            box.y += dy


def place(
    diagram: Diagram,
    texts: Mapping[str, Sequence[str]],
    down: bool,
    inner_down: bool,
    room: float,
    letters: int = 0,
) -> Box:
    """Lay out a circuit.

    ``texts`` are the lines written in each population; the flow goes ``down`` or to the right, within regions
    ``inner_down`` or to the right; ``room`` is the width it should keep to. Arrows have labels of up to ``letters``.
    """
    root = Box("", "")
    inside: dict[str, Box] = {"": root}
    for node in diagram.nodes:
        parts = node.path.split(".")
        for k in range(1, len(parts) + 1):
            path = ".".join(parts[:k])
            if path not in inside:
                inside[path] = Box(path, parts[k - 1])
                inside[".".join(parts[: k - 1])].children.append(inside[path])
    loops = {a.source for a in diagram.arrows if a.source == a.target}
    for node in diagram.nodes:
        box = inside[node.path]
        widths = [8.8 * len(texts[node.path][0]), *(7.0 * len(t) for t in texts[node.path][1:])]
        box.width, box.height = max(78.0, 22 + max(widths)), NODE_HEIGHT
        box.loop = node.path in loops
    pairs = [(a.source, a.target) for a in diagram.arrows if a.source != a.target]
    gap = min(150.0, max(88.0, 7.0 * letters + 52))
    _lay_out(root, pairs, down, inner_down, room, gap)
    return root


def _lay_out(box: Box, pairs: Sequence[tuple[str, str]], down: bool, inner: bool, room: float, gap: float) -> None:
    for child in box.children:
        if not child.leaf:
            _lay_out(child, pairs, inner, inner, room - 2 * PAD, gap)
    order = {child.path: k for k, child in enumerate(box.children)}
    between = [(_child(a, order), _child(b, order)) for a, b in pairs]
    lifted = [(a, b) for a, b in between if a is not None and b is not None and a != b]
    columns = _columns(list(order), lifted)
    by_path = {child.path: child for child in box.children}
    main_gap, cross_gap = (52.0, 24.0) if down else (gap, 30.0)
    limit = room if down else 620.0
    at, placed = 0.0, []
    for column in columns:
        for piece in _wrapped([by_path[path] for path in column], down, cross_gap, limit):
            cross = 0.0
            thick = max(_main(child, down) for child in piece)
            line = []
            for child in piece:
                # Its own loop needs room above it.
                before = LOOP if child.loop and not down else 0.0
                line.append((child, cross + before))
                cross += before + _cross(child, down) + cross_gap
            placed.append((at, thick, cross - cross_gap, line))
            at += thick + main_gap
    widest = max(extent for *_, extent, _ in placed)
    for start, thick, extent, line in placed:
        for child, cross in line:
            main = start + (thick - _main(child, down)) / 2
            shift = (widest - extent) / 2 + cross
            x, y = (shift, main) if down else (main, shift)
            child.move(x - child.x, y - child.y)
    long = at - main_gap
    across, along = (widest, long) if down else (long, widest)
    outer = bool(box.path)
    pad, title = (PAD, TITLE) if outer else (0.0, 0.0)
    for child in box.children:
        child.move(pad, pad + title)
    box.width, box.height = across + 2 * pad, along + 2 * pad + title
    box.width = max(box.width, 7.6 * len(box.name) + 2 * PAD if outer else 0.0)


def _columns(names: list[str], pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Layers: who sends stands before who receives; arrows that would close a circle do not count."""
    rank = {name: k for k, name in enumerate(names)}
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    # Arrows along the order of the file first: it is the order in which people tell a circuit.
    for a, b in sorted(set(pairs), key=lambda pair: (rank[pair[0]] > rank[pair[1]], rank[pair[0]], rank[pair[1]])):
        if not nx.has_path(graph, b, a):
            graph.add_edge(a, b)
    if not graph.edges:
        return [names]
    layers = [sorted(layer, key=rank.__getitem__) for layer in nx.topological_generations(graph)]
    # A population that nobody drives stands next to the first one it drives, not at the far left.
    level = {name: k for k, layer in enumerate(layers) for name in layer}
    for name in reversed(list(nx.topological_sort(graph))):
        targets = [level[t] for t in graph.successors(name)]
        if targets and not graph.in_degree(name):
            level[name] = min(targets) - 1
    layers = [[n for n in names if level[n] == k] for k in range(max(level.values()) + 1)]
    layers = [layer for layer in layers if layer]
    undirected = graph.to_undirected()
    for _ in range(3):  # mean place of the neighbours, forwards and back: the usual remedy against crossings
        for sweep in (range(1, len(layers)), range(len(layers) - 2, -1, -1)):
            for k in sweep:
                spot = {n: i / max(1, len(layer) - 1) for layer in layers for i, n in enumerate(layer)}

                def middle(name: str, spot: dict[str, float] = spot) -> tuple[float, int]:
                    near = [spot[n] for n in undirected.neighbors(name)]
                    return (sum(near) / len(near) if near else spot[name], rank[name])

                layers[k] = sorted(layers[k], key=middle)
    return layers


def _wrapped(column: list[Box], down: bool, gap: float, limit: float) -> list[list[Box]]:
    """A column cut into pieces that keep to the room there is."""
    pieces: list[list[Box]] = [[]]
    extent = 0.0
    for box in column:
        size = _cross(box, down) + (LOOP if box.loop else 0.0) + gap
        if pieces[-1] and extent + size - gap > limit:
            pieces.append([])
            extent = 0.0
        pieces[-1].append(box)
        extent += size
    return pieces


def _child(path: str, order: Mapping[str, int]) -> str | None:
    """Which of these boxes holds the population ``path``."""
    parts = path.split(".")
    for k in range(len(parts), 0, -1):
        if ".".join(parts[:k]) in order:
            return ".".join(parts[:k])
    return None


def _main(box: Box, down: bool) -> float:
    return box.height if down else box.width


def _cross(box: Box, down: bool) -> float:
    return box.width if down else box.height
