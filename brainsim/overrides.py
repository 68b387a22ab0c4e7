"""Values set from outside by dotted path, and where each value came from.

A path such as ``striatum.d2.neuron.E_L`` names one place of a model. Whoever comes to that place asks
:meth:`Overrides.settle` for the value that counts. By that the list of valid paths, the history printed by
``show --why`` and the check for paths that lead nowhere are by-products of building, not a second walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from brainsim import source
from brainsim.errors import COMMAND_LINE, Mark, Problems, nearest
from brainsim.source import Tree


@dataclass(frozen=True)
class Given:
    """A value as it was written, and where."""

    value: Any
    mark: Mark | None = None
    lines: tuple[Mark, ...] = ()  # the place of each line of a text

    @property
    def text(self) -> str:
        """The value as YAML shows it."""
        if isinstance(self.value, bool):
            return str(self.value).lower()
        return "null" if self.value is None else str(self.value)

    @property
    def origin(self) -> str:
        """``file:line``, ``command line``, or ``default`` for what the grammar fills in."""
        if self.mark is None:
            return "default"
        return COMMAND_LINE if self.mark.file == COMMAND_LINE else f"{self.mark.file}:{self.mark.line}"


def given(tree: Tree, *path: str | int) -> Given | None:
    """What stands at ``path`` of a tree, or None."""
    missing = object()
    value = tree.get(path, missing)
    return None if value is missing else Given(value, tree.mark(path), tuple(tree.lines.get(path, ())))


def put(tree: Tree, values: Mapping[tuple[str | int, ...], Given]) -> Tree:
    """A tree with the values at some paths replaced or added, and their places with them."""
    data, marks, lines = tree.data, dict(tree.marks), dict(tree.lines)
    for path, new in values.items():
        data = _put(data, path, new.value)
        for known in (marks, lines):
            for below in [key for key in known if key[: len(path)] == path]:
                del known[below]
        if new.mark:
            marks[path] = new.mark
        if new.lines:
            lines[path] = new.lines
    return Tree(data, tree.file, marks, dict(tree.keys), lines)


def _put(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    if isinstance(data, list):
        return [_put(item, path[1:], value) if k == path[0] else item for k, item in enumerate(data)]
    data = data if isinstance(data, dict) else {}
    return {**data, path[0]: _put(data.get(path[0]), path[1:], value)}


class Overrides:
    """The ``set`` of an experiment and the values of the command line; the later wins."""

    def __init__(self, experiment: Tree, command_line: Mapping[str, Any], problems: Problems) -> None:
        self.history: dict[str, tuple[Given, ...]] = {}
        """Every path that was settled -> what was given for it, the last one wins."""
        self.blocked: list[str] = []
        """Paths below which nothing is known, as the part there could not be read."""
        self.changed: set[str] = set()
        """Paths that were settled by ``set`` or by the command line."""
        self._given: dict[str, list[Given]] = {}
        self._keys: dict[str, Mark] = {}
        settings = experiment.get(("set",), {})
        for path in settings if isinstance(settings, dict) else ():
            found = given(experiment, "set", path)
            assert found is not None
            self._given.setdefault(path, []).append(found)
            self._keys[path] = experiment.key_mark(("set", path))
        for path, text in command_line.items():
            value = _scalar(path, text, problems)
            if value is not None:
                self._given.setdefault(path.strip(), []).append(value)

    def settle(self, path: str, *below: Given | None) -> Given | None:
        """The value that counts at ``path``. ``below`` are those of files, the weakest first; None is left out."""
        chain = (*(value for value in below if value is not None), *self._given.get(path, ()))
        if path in self._given:
            self.changed.add(path)
        self.history[path] = chain
        return chain[-1] if chain else None

    def names(self, prefix: str) -> list[str]:
        """Last words of the paths directly below ``prefix`` that are set, whether they lead anywhere or not."""
        found = (path[len(prefix) + 1 :] for path in self._given if path.startswith(f"{prefix}."))
        return [name for name in found if name and "." not in name]

    def block(self, prefix: str) -> None:
        """Expect no settling below ``prefix``: a problem there is reported already."""
        self.blocked.append(prefix)

    def check_all_used(self, problems: Problems) -> None:
        """Report every path that was set and that nobody settled."""
        for path, values in self._given.items():
            if path in self.history or any(not b or path == b or path.startswith(f"{b}.") for b in self.blocked):
                continue
            for value in values:
                on_line = value.mark is not None and value.mark.file == COMMAND_LINE
                mark = value.mark if on_line else self._keys.get(path, value.mark)
                problems.add("path", f"{path} leads to nothing that can be set", mark, _hint(path, self.history))


def paths(circuit: Any) -> list[str]:
    """All paths of a circuit that ``set``, a sweep or ``--set`` may name, in the order of the model."""
    return list(circuit.history)


def _scalar(path: str, text: Any, problems: Problems) -> Given | None:
    if isinstance(text, Given):  # of a sweep: it knows its place
        return text
    mark = Mark(COMMAND_LINE, 1, 1)
    value = source.scalar(text) if isinstance(text, str) else text
    if isinstance(value, bool | int | float) or (isinstance(value, str) and value.strip()):
        return Given(value, mark, (mark,))
    came = "nothing" if value is None or value == "" else type(value).__name__
    problems.add("value", f"{path} expects one value, got {came}", mark, f'Write for example --set "{path}=20 ms".')
    return None


def _hint(path: str, known: Iterable[str]) -> str:
    known = list(known)
    plain = ".".join(word for word in path.split(".") if word != "parameters")
    if plain != path and plain in known:
        return f"Write {plain}: paths skip the word parameters."
    close = nearest(plain, known)
    # A wrong word in the middle should not hide a right beginning.
    head = plain.rpartition(".")[0]
    beside = [other for other in known if head and other.startswith(f"{head}.")]
    close = nearest(plain, beside) or close
    if close:
        return f"Did you mean {close}?"
    if beside:
        return f"Below {head} there are {', '.join(sorted(beside)[:12])}."
    return f"Some that can be set: {', '.join(sorted(known)[:12])}." if known else "This experiment has nothing to set."
