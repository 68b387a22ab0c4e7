"""From the events of the YAML scanner to trees, within limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from brainsim.errors import FileError, Mark, Problem, Problems, suggest
from brainsim.source.messages import explain, hard_space
from brainsim.source.scalars import lines_of, scalar
from brainsim.source.text import Text
from brainsim.source.tree import Path_, Tree

MAX_DEPTH = 64
MAX_NODES = 200_000
MAX_ALIASES = 1_000
MAX_DOCUMENTS = 1_000
#: A file this wrong is not a model file; more problems would only hide the first ones.
MAX_PROBLEMS = 50

# libyaml where PyYAML was built with it (every wheel is): the scanner in Python needs a minute for 10 MB.
# Only its *events* are used: its node composer recurses in C and crashes on nested brackets.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Place = tuple[int, int]  # row and column, counted from 0


def parse(text: str | bytes, file: str = "<text>") -> list[Tree]:
    """Parse YAML text: one tree for each document that is not empty; each is a mapping. Raises :class:`FileError`."""
    trees = _Reader(Text(text, file)).documents()
    if not trees:
        hint = "Begin with a line that says kind and name, such as neuron: my_cell."
        raise FileError(Problem("syntax", "the file is empty", Mark(file, 1, 1), hint))
    return trees


def _place(event: Any) -> Place:
    return event.start_mark.line, event.start_mark.column


class _Node:
    """A composed node. ``size`` and ``height`` count aliases as if written out; a height of 0 is not finished."""

    __slots__ = ("height", "keys", "kind", "lines", "place", "size", "value")

    def __init__(self, kind: str, value: Any, place: Place, lines: tuple[Mark, ...] = ()):
        self.kind, self.value, self.place, self.lines = kind, value, place, lines
        self.size, self.height = 1, 1
        self.keys: dict[str, Place] = {}


class _Reader:
    """Composes the events of one text. Faults that leave the structure readable are collected, others end it."""

    def __init__(self, text: Text):
        self.text = text
        self.problems = Problems()
        self.nodes = self.aliases = 0
        self.anchors: dict[str, _Node] = {}
        self.events: Iterator[Any] = yaml.parse(text.content, Loader=LOADER)

    def documents(self) -> list[Tree]:
        trees = []
        self.guard()
        try:
            for event in self.events:
                if not isinstance(event, yaml.DocumentStartEvent):
                    continue
                self.anchors = {}
                root = self.compose(next(self.events), 1)
                if root.kind == "scalar" and root.value is None:
                    continue
                if root.kind == "scalar" and "\u00a0" in self.text.rows[root.place[0]]:
                    raise FileError([*self.problems.found, hard_space(self.text, root.place[0])])
                if root.kind != "map":
                    what = "a list" if root.kind == "list" else f"the text {str(root.value)[:40]!r}"
                    message = f"the file must hold keys and values, but here it holds {what}"
                    hint = "Begin with a line that says kind and name, such as neuron: my_cell, and keys below it."
                    self.fail("syntax", message, root.place, hint)
                trees.append(self.tree(root))
        except yaml.YAMLError as error:
            self.problems.take(FileError(explain(self.text, error)))
        self.problems.raise_any()
        return trees

    def guard(self) -> None:
        """Run once through the events, which is five times as fast as composing, and see that none is too many."""
        nodes = depth = documents = 0
        opens, values = (yaml.MappingStartEvent, yaml.SequenceStartEvent), (yaml.ScalarEvent, yaml.AliasEvent)
        try:
            events: Iterator[Any] = yaml.parse(self.text.content, Loader=LOADER)
            for event in events:
                if isinstance(event, values):
                    nodes += 1
                elif isinstance(event, opens):
                    nodes += 1
                    depth += 1
                    self.deep(depth, _place(event))
                elif isinstance(event, yaml.CollectionEndEvent):
                    depth -= 1
                elif isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > MAX_DOCUMENTS:
                        message = f"the file holds more than {MAX_DOCUMENTS:,} documents"
                        place = _place(event)
                        self.fail("limit", message, place, "Delete lines ---, or split the file.")
                # Keys are not counted later, where each value is: so this stops only what is far too large.
                if nodes > 2 * MAX_NODES:
                    self.count(nodes, _place(event))
        except yaml.YAMLError:
            return  # found again, with everything before it, when composing

    def note(self, kind: str, message: str, place: Place, hint: str) -> None:
        self.problems.add(kind, message, self.text.mark(place), hint)
        if len(self.problems.found) >= MAX_PROBLEMS:
            self.problems.raise_any()

    def fail(self, kind: str, message: str, place: Place, hint: str) -> None:
        """Stop here, with what was found before."""
        self.note(kind, message, place, hint)
        self.problems.raise_any()

    def count(self, n: int, place: Place) -> None:
        self.nodes += n
        if self.nodes > MAX_NODES:
            message = f"the file holds more than {MAX_NODES:,} values and lines of text (aliases written out)"
            self.fail("limit", message, place, "Split it into several files; put tables into a CSV file.")

    def deep(self, depth: int, place: Place) -> None:
        if depth > MAX_DEPTH:
            message = f"this is nested more than {MAX_DEPTH} deep"
            self.fail("limit", message, place, "Look for brackets that are never closed.")

    def compose(self, event: Any, depth: int) -> _Node:
        place = _place(event)
        self.count(1, place)
        self.deep(depth, place)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(str(event.anchor), place, depth)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")[:60]
            hint = "Write the value without it; put text that begins with ! in quotes."
            self.note("syntax", f"the tag {tag} is not allowed", place, hint)
        if isinstance(event, yaml.ScalarEvent):
            self.count(event.value.count("\n"), place)
            value = event.value if event.style else scalar(event.value)
            node = _Node("scalar", value, place, lines_of(self.text, event))
            if event.anchor:
                self.anchors[event.anchor] = node
            return node
        node = _Node("map" if isinstance(event, yaml.MappingStartEvent) else "list", None, place)
        node.height = 0
        if event.anchor:
            self.anchors[event.anchor] = node
        node.value = self.mapping(node, depth) if node.kind == "map" else self.sequence(depth)
        parts = node.value.values() if node.kind == "map" else node.value
        node.size += sum(part.size for part in parts)
        node.height = 1 + max((part.height for part in parts), default=0)
        return node

    def alias(self, name: str, place: Place, depth: int) -> _Node:
        self.aliases += 1
        short = name if len(name) <= 60 else name[:57] + "..."
        if self.aliases > MAX_ALIASES:
            self.fail(
                "limit", f"the file holds more than {MAX_ALIASES:,} aliases (*name)", place, "Write the values out."
            )
        node = self.anchors.get(name)
        if node is None:
            hint = suggest(short, [a for a in self.anchors if len(a) <= 60][:1000], "anchor")
            message = f"*{short} refers to an anchor &{short}, which does not stand before it"
            self.note("name", message, place, f"{hint} Put text that begins with * in quotes.")
            return _Node("scalar", None, place, (self.text.mark(place),))
        if not node.height:
            message = f"*{short} stands inside the value &{short} it refers to"
            self.fail("cycle", message, place, "Write the value out.")
        self.count(node.size - 1, place)
        self.deep(depth + node.height - 1, place)
        copy = _Node(node.kind, node.value, place, node.lines)
        copy.size, copy.height, copy.keys = node.size, node.height, node.keys
        return copy

    def sequence(self, depth: int) -> list[_Node]:
        items = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.compose(event, depth + 1))
        return items

    def mapping(self, node: _Node, depth: int) -> dict[str, _Node]:
        entries: dict[str, _Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            place = _place(event)
            plain = isinstance(event, yaml.ScalarEvent) and event.tag is None
            if not plain:  # read it to its end, so that what follows is still checked
                self.compose(event, depth + 1)
            value = self.compose(next(self.events), depth + 1)
            key = event.value if plain else ""
            short = key if len(key) <= 60 else key[:57] + "..."
            if not isinstance(event, yaml.ScalarEvent):
                hint = "Put text that holds { } [ ] or begins with * in quotes."
                self.note("syntax", "a key must be a word, not a list, a block or an alias", place, hint)
            elif plain and not key:
                hint = "Write the key, or put the text in quotes."
                self.note("syntax", "there is no key before this :", place, hint)
            elif key == "<<" and not event.style:
                hint = "Use extends: to build on another part, or write the keys out."
                self.note("key", "merge keys (<<) are not used", place, hint)
            elif key in entries:
                message = f"{short} is given twice; it stands in line {node.keys[key][0] + 1} already"
                self.note("key", message, place, "Keep one of the two.")
            elif plain:
                entries[key], node.keys[key] = value, place
        return entries

    def tree(self, root: _Node) -> Tree:
        marks: dict[Path_, Mark] = {}
        keys: dict[Path_, Mark] = {}
        lines: dict[Path_, tuple[Mark, ...]] = {}

        def build(node: _Node, path: Path_) -> Any:
            marks[path] = self.text.mark(node.place)
            if node.kind == "scalar":
                lines[path] = node.lines
                return node.value
            if node.kind == "list":
                return [build(part, (*path, k)) for k, part in enumerate(node.value)]
            data = {}
            for key, part in node.value.items():
                below = (*path, key)
                keys[below] = self.text.mark(node.keys[key])
                data[key] = build(part, below)
            return data

        return Tree(build(root, ()), self.text.file, marks, keys, lines)
