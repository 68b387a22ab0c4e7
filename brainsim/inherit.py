"""What ``extends`` means: a part merged with its parent, every value with the place it came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from brainsim.errors import Mark
from brainsim.source import Path_, Tree
from brainsim.spec.check import uses


def merge(parent: Tree, child: Tree) -> Tree:
    """A part with its parent: mappings key by key, ``equations`` variable by variable, the rest replaced.

    Every value keeps the place it came from. What may only be said in one way (``connect``, ``layout``) is replaced
    whole, and so is a part in use, unless parent and child name the same one.
    """
    made = _Merge(parent, child)
    data = made.merge((), parent.data, child.data)
    return Tree(data, child.file, made.marks, made.keys, made.lines)


class _Merge:
    def __init__(self, parent: Tree, child: Tree):
        self.parent, self.child = parent, child
        self.marks: dict[Path_, Mark] = {}
        self.keys: dict[Path_, Mark] = {}
        self.lines: dict[Path_, tuple[Mark, ...]] = {}
        self.used = {path for tree in (parent, child) for _, path in uses(tree)}

    def take(self, tree: Tree, path: Path_, value: Any) -> Any:
        """The value of one of the two, with the places of all it holds."""
        pairs: tuple[tuple[Any, dict], ...] = (
            (tree.marks, self.marks),
            (tree.keys, self.keys),
            (tree.lines, self.lines),
        )
        for known, own in pairs:
            if path in known:
                own[path] = known[path]
        if isinstance(value, dict):
            return {key: self.take(tree, (*path, key), item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.take(tree, (*path, k), item) for k, item in enumerate(value)]
        return value

    def merge(self, path: Path_, old: Any, new: Any) -> Any:
        if path in self.used and isinstance(new, dict):
            old, new = _as_use(old, new), _as_use(new, old)
        if isinstance(old, dict) and isinstance(new, dict) and self.merges(path, old, new):
            self.place(path)
            data = {}
            for key in [*old, *(k for k in new if k not in old)]:
                below = (*path, key)
                if key not in new:
                    data[key] = self.take(self.parent, below, old[key])
                elif key not in old:
                    data[key] = self.take(self.child, below, new[key])
                else:
                    data[key] = self.merge(below, old[key], new[key])
            return data
        if path[-1:] == ("equations",) and isinstance(old, str) and isinstance(new, str):
            return self.equations(path, old, new)
        return self.take(self.child, path, new)

    def place(self, path: Path_) -> None:
        for own, ours, theirs in (
            (self.marks, self.child.marks, self.parent.marks),
            (self.keys, self.child.keys, self.parent.keys),
        ):
            place = ours.get(path) or theirs.get(path)
            if place:
                own[path] = place

    def merges(self, path: Path_, old: dict, new: dict) -> bool:
        if len(path) == 3 and path[0] in ("projections", "populations") and path[2] in ("connect", "layout"):
            return False
        if path in self.used:
            first = next(iter(old), ""), next(iter(new), "")
            return first[0] == first[1] and old[first[0]] == new[first[1]]
        return True

    def equations(self, path: Path_, old: str, new: str) -> str:
        self.place(path)
        items = _by_variable(old, self.parent.lines.get(path, ()))
        items |= _by_variable(new, self.child.lines.get(path, ()))
        lines = [line for item in items.values() for line in item]
        fallback = self.marks.get(path, Mark(self.child.file, 1, 1))
        self.lines[path] = tuple(mark or fallback for _, mark in lines)
        return "".join(f"{line}\n" for line, _ in lines)


def _as_use(use: Any, other: Any) -> Any:
    """A bare name as ``{name: ...}``, and ``{parameters: ...}`` alone with the name the other side has."""
    if isinstance(use, str) and isinstance(other, dict):
        return {"name": use}
    if isinstance(use, dict) and next(iter(use), "") == "parameters" and "name" not in use:
        name = other.get("name") if isinstance(other, dict) else other
        return {"name": name, **use} if isinstance(name, str) else use
    return use


_HEAD = re.compile(r"\s*(?:d([A-Za-z_]\w*)\s*/\s*dt\s*=|([A-Za-z_]\w*)\s*(?:=(?!=)|:))")

Line = tuple[str, Mark | None]


def _by_variable(text: str, marks: Sequence[Mark]) -> dict[str, list[Line]]:
    """The lines of each variable's equation, with the comment lines above it.

    An equation with a right side goes on until its unit, so ``x = a +`` and ``b : 1`` are one. A variable that is given
    twice keeps both, for whoever reads the equations to refuse.
    """
    items: dict[str, list[Line]] = {}
    name, above, complete = "", [], True
    for k, row in enumerate(text.removesuffix("\n").split("\n")):
        line = (row, marks[min(k, len(marks) - 1)] if marks else None)
        code = row.split("#", 1)[0]
        if not code.strip():
            above.append(line)
            continue
        head = _HEAD.match(code) if complete else None
        if head:
            name, complete = head[1] or head[2], False
        complete = complete or ":" in code
        items.setdefault(name, []).extend([*above, line])
        above = []
    if above:
        items.setdefault(name, []).extend(above)
    return items
