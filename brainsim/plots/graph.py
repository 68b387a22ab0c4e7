"""The circuit as inline SVG."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from brainsim.plots.diagram import Arrow, Diagram, Node
from brainsim.plots.layout import LOOP, TITLE, Box, place
from brainsim.plots.rows import shorten

Point = tuple[float, float]
_SIDES = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1)}
_BOWS = (0, 36, -36, 80, -80, 130, -130, 190, -190, 260, -260)
#: What an arrow does, in words.
SIGNS = {"exc": "excitatory", "inh": "inhibitory", "other": "signal or mixed sign", "link": "shared variable"}


@dataclass
class _Edge:
    arrow: Arrow
    sides: tuple[str, str]
    curve: tuple[Point, Point, Point, Point] = ((0, 0),) * 4  # cubic Bezier


def circuit_svg(diagram: Diagram, room: float = 880.0) -> str:
    """Populations as boxes in their regions; arrows by what they do; the thick ones learn.

    Excitation ends in a filled head, inhibition in a bar, other signals in an open head, shared variables in a
    ring, so that colour is never needed to tell them apart. ``room`` is the width there is on the page.
    """
    if not diagram.nodes:
        return ""
    texts = {node.path: _texts(node, 20 if room > 500 else 15) for node in diagram.nodes}
    words = _words(diagram.arrows)
    # Which way regions and what is in them should flow depends on the circuit: try, and keep the clearest.
    nested = any("." in node.path for node in diagram.nodes)
    best: tuple[float, Box, list[_Edge]] | None = None
    for down in (False, True):
        for inner in (False, True) if nested else (down,):
            root = place(diagram, texts, down, inner, room, max(map(len, words.values()), default=0))
            edges = _routed(diagram.arrows, root)
            cost = _trouble(root, edges, room)
            if best is None or cost < best[0]:
                best = (cost, root, edges)
    assert best is not None
    _, root, edges = best
    boxes = {box.path: box for box in root.walk()}
    leaves = [boxes[node.path] for node in diagram.nodes]
    labels = _labels(edges, words, boxes, leaves)
    points = [p for e in edges for p in _sampled(e.curve)] + [(b.x, b.y) for b in leaves]
    points += [(b.x + b.width, b.y + b.height) for b in boxes.values()] + [(b.x, b.y) for b in boxes.values()]
    points += [(x + s * 3.6 * len(t), y) for x, y, t, _ in labels for s in (-1, 1)]
    x0, y0 = min(x for x, _ in points) - 8, min(y for _, y in points) - 8
    x1, y1 = max(x for x, _ in points) + 8, max(y for _, y in points) + 8
    width, height = x1 - x0, y1 - y0
    out = [
        f'<svg class="circuit" viewBox="{x0:.0f} {y0:.0f} {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" style="min-width:{width * 0.72:.0f}px" aria-hidden="true" focusable="false">'
    ]
    for box in root.walk():
        if not box.leaf and box.path:
            out.append(
                f'<rect class="region" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
                f'height="{box.height:.1f}" rx="10"/>'
            )
    for edge in sorted(edges, key=lambda e: bool(e.arrow.rule)):
        out.append(_drawn(edge))
    for node, box in zip(diagram.nodes, leaves, strict=True):
        out.append(_node(node, box, texts[node.path]))
    for box in root.walk():  # after the lines, which may run behind them
        if not box.leaf and box.path:
            out.append(f'<text class="region" x="{box.x + 12:.1f}" y="{box.y + 19:.1f}">{escape(box.name)}</text>')
    for x, y, text, kind in labels:
        out.append(f'<text class="label {kind}" x="{x:.1f}" y="{y + 4:.1f}">{escape(text)}</text>')
    out.append("</svg>")
    return "".join(out)


def key_svg(diagram: Diagram) -> list[tuple[str, str]]:
    """Small drawings and words for the kinds of arrow that occur."""
    entries = []
    for sign, words in SIGNS.items():
        if any(a.sign == sign for a in diagram.arrows):
            entries.append((_sample(Arrow("", "", "", sign)), words))
    if any(a.rule for a in diagram.arrows):
        sign = next(a.sign for a in diagram.arrows if a.rule)
        entries.append((_sample(Arrow("", "", "", sign, rule="x")), "plastic: learns by the rule named on it"))
    return entries


def _sample(arrow: Arrow) -> str:
    edge = _Edge(arrow, ("right", "left"), ((2, 8), (12, 8), (24, 8), (36, 8)))
    return f'<svg class="circuit" viewBox="0 0 44 16" width="44" height="16" aria-hidden="true">{_drawn(edge)}</svg>'


def _texts(node: Node, letters: int) -> list[str]:
    name = shorten(node.path.rsplit(".", 1)[-1], letters * 7.0, 7.0)
    size = "" if node.size is None else f"{node.size:,}"
    second = " · ".join(t for t in (size, shorten(node.cell, letters * 7.0, 7.0)) if t)
    return [name, second]


def _node(node: Node, box: Box, texts: Sequence[str]) -> str:
    title = f"{node.path}: {node.size if node.size is not None else '?'} cells of kind {node.cell or '?'}"
    x, y = box.x + box.width / 2, box.y
    first = 20 if texts[1] else 28
    return (
        f'<g class="node {node.role}"><title>{escape(title)}</title>'
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="7"/>'
        f'<text class="name" x="{x:.1f}" y="{y + first:.1f}">{escape(texts[0])}</text>'
        f'<text class="what" x="{x:.1f}" y="{y + 36:.1f}">{escape(texts[1])}</text></g>'
    )


def _routed(arrows: Sequence[Arrow], root: Box) -> list[_Edge]:
    boxes = {box.path: box for box in root.walk()}
    # An arrow to itself takes the room above its box, which others should leave free.
    taken = [
        Box(b.path, b.name, b.width, b.height + LOOP, b.x, b.y - LOOP) if b.loop else b
        for b in boxes.values()
        if b.leaf
    ]
    edges = [_Edge(arrow, _facing(boxes[arrow.source], boxes[arrow.target])) for arrow in arrows]
    straight = [e for e in edges if e.arrow.source != e.arrow.target]
    for edge in straight:
        # Middle to middle at first, for the order of the ends; then, bent around what is in the way, once more.
        middles = [_port(boxes[path], side, 0.5) for path, side in zip(_ends(edge), edge.sides, strict=True)]
        edge.curve = (middles[0], middles[1], middles[0], middles[1])
    for _ in range(2):
        ports = _ports(straight, boxes)
        for k, edge in enumerate(straight):
            others = [b for b in taken if b.path not in _ends(edge)]
            edge.curve = _curve(ports[k, 0], ports[k, 1], edge.sides, others)
    for k, edge in enumerate(edges):
        if edge.arrow.source == edge.arrow.target:
            own = edge.arrow.source
            used = {side for e in straight for path, side in zip(_ends(e), e.sides, strict=True) if path == own}
            edge.curve = _loop(boxes[own], used, _loop_number(edges, k))
    return edges


def _ends(edge: _Edge) -> tuple[str, str]:
    return edge.arrow.source, edge.arrow.target


def _ports(edges: Sequence[_Edge], boxes: Mapping[str, Box]) -> dict[tuple[int, int], Point]:
    """Where each end of each edge touches its box: spread over the side in the order of where they come from."""
    sides: dict[tuple[str, str], list[tuple[float, int, int]]] = defaultdict(list)
    for k, edge in enumerate(edges):
        for which, (path, side) in enumerate(zip(_ends(edge), edge.sides, strict=True)):
            # The control point of this end says from where the curve comes.
            x, y = edge.curve[1 + which]
            sides[path, side].append((y if side in ("left", "right") else x, k, which))
    return {
        (k, which): _port(boxes[path], side, (rank + 1) / (len(group) + 1))
        for (path, side), group in sides.items()
        for rank, (_, k, which) in enumerate(sorted(group))
    }


def _trouble(root: Box, edges: Sequence[_Edge], room: float) -> float:
    """How hard a drawing is to read: too wide or tall, lines over boxes, lines over lines, long lines."""
    leaves = [box for box in root.walk() if box.leaf]
    lines = [_sampled(edge.curve, 12) for edge in edges]
    over = sum(
        _inside(p, box, 2)
        for edge, line in zip(edges, lines, strict=True)
        for box in leaves
        if box.path not in (edge.arrow.source, edge.arrow.target)
        for p in line
    )
    crossed = 0
    if len(lines) <= 40:
        crossed = sum(_cross(a, b) for k, a in enumerate(lines) for b in lines[:k])
    length = sum(math.dist(p, q) for line in lines for p, q in pairwise(line))
    return max(0.0, root.width / room - 1) * 3000 + root.height * 0.5 + over * 30 + crossed * 45 + length * 0.15


def _cross(a: Sequence[Point], b: Sequence[Point]) -> int:
    """How often two lines cross."""

    def turn(p: Point, q: Point, r: Point) -> bool:
        return (q[0] - p[0]) * (r[1] - p[1]) > (q[1] - p[1]) * (r[0] - p[0])

    if max(x for x, _ in a) < min(x for x, _ in b) or max(x for x, _ in b) < min(x for x, _ in a):
        return 0
    return sum(
        turn(p, q, r) != turn(p, q, s) and turn(r, s, p) != turn(r, s, q)
        for p, q in pairwise(a)
        for r, s in pairwise(b)
    )


def _facing(a: Box, b: Box) -> tuple[str, str]:
    """Sides of two boxes that look at each other: across the wider gap between them."""
    if a is b:
        return ("top", "top")
    gaps = {
        ("right", "left"): b.x - a.x - a.width,
        ("left", "right"): a.x - b.x - b.width,
        ("bottom", "top"): (b.y - a.y - a.height)
        * 1.15,  # lines of text make boxes wide, so gaps below them look wider than they are
        ("top", "bottom"): (a.y - b.y - b.height) * 1.15,
    }
    return max(gaps, key=gaps.__getitem__)


def _port(box: Box, side: str, share: float) -> Point:
    if side in ("left", "right"):
        return (box.x + (box.width if side == "right" else 0.0), box.y + 4 + (box.height - 8) * share)
    return (box.x + 6 + (box.width - 12) * share, box.y + (box.height if side == "bottom" else 0.0))


def _curve(
    start: Point, stop: Point, sides: tuple[str, str], others: Sequence[Box]
) -> tuple[Point, Point, Point, Point]:
    """The least bent curve that keeps off other boxes."""
    (ax, ay), (bx, by) = _SIDES[sides[0]], _SIDES[sides[1]]
    stop = (stop[0] + bx * 3, stop[1] + by * 3)  # room for the head
    reach = max(26.0, 0.42 * math.dist(start, stop))
    best, least = None, math.inf
    for bow in _BOWS:
        sx, sy = (0, bow) if ax else (bow, 0)
        curve = (
            start,
            (start[0] + ax * reach + sx, start[1] + ay * reach + sy),
            (stop[0] + bx * reach + sx, stop[1] + by * reach + sy),
            stop,
        )
        hits = sum(_inside(p, box, 5) for p in _sampled(curve) for box in others)
        cost = hits * 60 + abs(bow)
        if cost < least:
            best, least = curve, cost
    assert best is not None
    return best


def _loop(box: Box, used: set[str], number: int) -> tuple[Point, Point, Point, Point]:
    """An arrow from a population to itself, over its top, or at the corner where other arrows are fewest."""
    out = LOOP * 1.25 + 6 * number
    x, y = box.x + box.width / 2, box.y
    if "top" in used:
        way = -1 if "left" not in used else 1
        x += way * box.width / 2
        first, last = (x - way * (16 + 4 * number), y), (x + way * 3, y + 14 + 4 * number)
        return (first, (x - way * 12, y - out), (x + way * out, y - 4), last)
    return ((x + 12 + 4 * number, y), (x + 26, y - out), (x - 26, y - out), (x - 12 - 4 * number, y - 3))


def _loop_number(edges: Sequence[_Edge], k: int) -> int:
    own = edges[k].arrow.source
    return sum(e.arrow.source == own == e.arrow.target for e in edges[:k])


def _words(arrows: Sequence[Arrow]) -> dict[str, str]:
    """What is written on each arrow: its rule; in small circuits its synapse if it has none."""
    few = len(arrows) <= 14
    names = {a.path: shorten(a.rule or (a.synapse if few else ""), 110, 7.0) for a in arrows}
    return {path: name for path, name in names.items() if name}


def _labels(
    edges: Sequence[_Edge], words: Mapping[str, str], boxes: Mapping[str, Box], leaves: Sequence[Box]
) -> list[tuple[float, float, str, str]]:
    """Names on arrows where they cover nothing; the table beside the drawing has them all."""
    taken = [(b.x - 2, b.y - 2, b.x + b.width + 2, b.y + b.height + 2) for b in leaves]
    taken += [(b.x, b.y, b.x + 7.6 * len(b.name) + 20, b.y + TITLE) for b in boxes.values() if not b.leaf and b.path]
    lines = [(k, p) for k, e in enumerate(edges) for p in _sampled(e.curve)]
    written = []
    for k, edge in sorted(enumerate(edges), key=lambda item: not item[1].arrow.rule):
        arrow = edge.arrow
        if arrow.path not in words:
            continue
        text = words[arrow.path]
        half = 3.4 * len(text) + 3
        best, least = None, math.inf
        for share in (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74):
            x, y = _at(edge.curve, share)
            if arrow.source == arrow.target:
                y -= 11  # above the loop
            for dx, dy in ((0.0, 0.0), (0.0, -10.0), (0.0, 10.0), (half + 4, 0.0), (-half - 4, 0.0)):
                area = (x + dx - half, y + dy - 8, x + dx + half, y + dy + 8)
                if any(_overlap(area, other) for other in taken):
                    continue
                crossed = sum(n != k and area[0] <= px <= area[2] and area[1] <= py <= area[3] for n, (px, py) in lines)
                cost = crossed * 4 + abs(share - 0.5) * 10 + (3 if dx or dy else 0)
                if cost < least:
                    best, least = (x + dx, y + dy, area), cost
        if best:
            taken.append(best[2])
            written.append((best[0], best[1], text, arrow.sign))
    return written


def _drawn(edge: _Edge) -> str:
    p0, p1, p2, p3 = edge.curve
    sign = edge.arrow.sign
    heavy = 2.0 if edge.arrow.rule else 1.0
    angle = math.atan2(p3[1] - p2[1], p3[0] - p2[0])
    # The line stops before the tip, or it would show beside it.
    back = {"exc": 7.0, "inh": 1.0, "other": 1.5, "link": 6.0}[sign] * (1.25 if heavy > 1 else 1.0)
    q = (p3[0] - back * math.cos(angle), p3[1] - back * math.sin(angle))
    d = "M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}".format(*p0, *p1, *p2, *q)
    plastic = " plastic" if edge.arrow.rule else ""
    title = f"<title>{escape(_sentence(edge.arrow))}</title>" if edge.arrow.path else ""
    return f'<g class="edge {sign}{plastic}">{title}<path d="{d}"/>{_head(sign, p3, angle, heavy)}</g>'


def _head(sign: str, tip: Point, angle: float, heavy: float) -> str:
    size = 9.5 if heavy == 1 else 12.0

    def at(along: float, aside: float) -> str:
        x = tip[0] + along * math.cos(angle) - aside * math.sin(angle)
        y = tip[1] + along * math.sin(angle) + aside * math.cos(angle)
        return f"{x:.1f} {y:.1f}"

    if sign == "exc":
        return f'<path class="head" d="M{at(0, 0)}L{at(-size, size * 0.42)}L{at(-size, -size * 0.42)}Z"/>'
    if sign == "inh":
        return f'<path class="bar" d="M{at(-1, size * 0.62)}L{at(-1, -size * 0.62)}"/>'
    if sign == "link":
        x, y = at(-3, 0).split()
        return f'<circle class="ring" cx="{x}" cy="{y}" r="3"/>'
    return f'<path class="open" d="M{at(-size * 0.85, size * 0.48)}L{at(0, 0)}L{at(-size * 0.85, -size * 0.48)}"/>'


def _sentence(arrow: Arrow) -> str:
    text = f"{arrow.path}: {arrow.source} to {arrow.target}"
    return text + "".join(
        f", {t}" for t in (SIGNS[arrow.sign], arrow.synapse, arrow.rule, arrow.connect, arrow.delay) if t
    )


def _at(curve: tuple[Point, Point, Point, Point], t: float) -> Point:
    a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
    p0, p1, p2, p3 = curve
    return (a * p0[0] + b * p1[0] + c * p2[0] + d * p3[0], a * p0[1] + b * p1[1] + c * p2[1] + d * p3[1])


def _sampled(curve: tuple[Point, Point, Point, Point], count: int = 28) -> list[Point]:
    return [_at(curve, k / count) for k in range(count + 1)]


def _inside(p: Point, box: Box, margin: float) -> bool:
    return box.x - margin < p[0] < box.x + box.width + margin and box.y - margin < p[1] < box.y + box.height + margin


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
