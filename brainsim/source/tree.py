"""Plain data out of YAML, with a place for every key and value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from brainsim.errors import FileError, Mark, Problem, nearest

KINDS = ("neuron", "synapse", "plasticity", "region", "experiment")

Path_ = tuple[str | int, ...]


class _Under(Mapping):
    """The part of a path-keyed mapping below ``base``, without copying it."""

    def __init__(self, whole: Mapping[Path_, Any], base: Path_):
        nested = isinstance(whole, _Under)
        self.whole: Mapping[Path_, Any] = whole.whole if nested else whole  # type: ignore[attr-defined]
        self.base: Path_ = whole.base + base if nested else base  # type: ignore[attr-defined]

    def __getitem__(self, path: Path_) -> Any:
        return self.whole[self.base + path]

    def __iter__(self) -> Iterator[Path_]:
        n = len(self.base)
        return (path[n:] for path in self.whole if path[:n] == self.base)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True)
class Tree:
    """Plain data out of YAML, and where each piece of it stands.

    ``data`` holds dict (keys are text), list, str, int, float, bool and None. The mappings go from a path, a tuple of
    keys and indices with ``()`` for the root, to a place. Values of one tree may come from several files (see
    ``library.merge``); ``file`` is the one that was asked for.
    """

    data: Any
    file: str = "<text>"
    marks: Mapping[Path_, Mark] = field(default_factory=dict, compare=False, repr=False)
    """Where each value begins."""
    keys: Mapping[Path_, Mark] = field(default_factory=dict, compare=False, repr=False)
    """Where each key begins, by the path of its value."""
    lines: Mapping[Path_, tuple[Mark, ...]] = field(default_factory=dict, compare=False, repr=False)
    """For each scalar, where the first character of each line of its text stands."""

    def mark(self, path: Path_ = ()) -> Mark:
        """The place of a value, or of the nearest thing around it that has one."""
        path = tuple(path)
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path) or Mark(self.file, 1, 1)

    def key_mark(self, path: Path_ = ()) -> Mark:
        """The place of the key whose value is at ``path``; of the value if there is no such key."""
        path = tuple(path)
        return self.keys.get(path) or self.mark(path)

    def at(self, path: Path_) -> Tree:
        """The subtree at ``path`` as a tree of its own. Raises ``KeyError`` or ``IndexError`` if there is none."""
        path = tuple(path)
        data = self.data
        for step in path:
            if not isinstance(data, dict | list):
                raise KeyError(step)
            data = data[step]  # type: ignore[index]
        return Tree(data, self.file, _Under(self.marks, path), _Under(self.keys, path), _Under(self.lines, path))

    def get(self, path: Path_, default: Any = None) -> Any:
        """The data at ``path``, or ``default``."""
        data = self.data
        for step in path:
            try:
                data = data[step]
            except (KeyError, IndexError, TypeError):
                return default
        return data


def identify(tree: Tree) -> tuple[str, str]:
    """Kind and name of a document, from its first key. Raises :class:`FileError`."""
    first = next(iter(tree.data), "") if isinstance(tree.data, dict) else ""
    example = "Begin with a line that says kind and name, such as neuron: my_cell."
    if not first:
        raise FileError(Problem("syntax", "there is nothing here that says what it is", tree.mark(), example))
    if first not in KINDS:
        mark = tree.key_mark((first,))
        later = next((key for key in tree.data if key in KINDS), "")
        if later:
            message = f"the first key says what the file holds, but here it is {first}"
            raise FileError(Problem("key", message, mark, f"Move the line {later}: {tree.data[later]} to the top."))
        close = nearest(first, KINDS)
        hint = f"Did you mean {close}?" if close else example
        message = f"the first key is {first}; it must be one of {', '.join(KINDS)}"
        raise FileError(Problem("key", message, mark, hint))
    name = tree.data[first]
    mark = tree.mark((first,))
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,59}", name):
        came = "nothing" if name is None else f"{name!r}" if isinstance(name, str | int | float) else "a block"
        message = f"the name of the {first} must be one word of letters, digits and underscores, got {came[:80]}"
        raise FileError(Problem("name", message, mark, f"Write for example {first}: my_{first}."))
    return first, name
