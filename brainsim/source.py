"""A guarded reader of YAML: plain data with a file, line and column for every key and value.

Nothing is built before the event stream has passed the limits below, so that a hostile file ends in a
:class:`~brainsim.errors.FileError` at once. Scalars follow YAML 1.2 (``no`` is text, ``010`` is ten, ``1e-3`` a
number); tags, directives, merge keys and duplicate keys are refused.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from brainsim.errors import FileError, Mark, Problem, Problems, nearest, suggest

MAX_BYTES = 10_000_000
MAX_DEPTH = 64
MAX_NODES = 200_000
MAX_ALIASES = 1_000
#: A file this wrong is not a model file; more problems would only hide the first ones.
MAX_PROBLEMS = 50

KINDS = ("neuron", "synapse", "plasticity", "region", "experiment")

# libyaml where PyYAML was built with it (every wheel is): the scanner in Python needs a minute for 10 MB.
# Only its *events* are used: its node composer recurses in C and crashes on nested brackets.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Path_ = tuple[str | int, ...]


class _Under(Mapping):
    """The part of a path-keyed mapping below ``base``, without copying it."""

    def __init__(self, whole: Mapping[Path_, Any], base: Path_):
        if isinstance(whole, _Under):
            whole, base = whole.whole, whole.base + base
        self.whole, self.base = whole, base

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

    def key_mark(self, path: Path_) -> Mark:
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


def read(path: str | os.PathLike[str], shown: str | None = None, *, any_name: bool = False) -> list[Tree]:
    """Read a file: one tree a YAML document. ``shown`` is the name used in messages.

    A file with one document is named after it, unless ``any_name``. Raises :class:`FileError`.
    """
    path = Path(path)
    shown = str(path) if shown is None else shown
    trees = parse(_bytes(path, shown), shown)
    if len(trees) == 1 and not any_name:
        tree = trees[0]
        kind = next(iter(tree.data))
        name = tree.data[kind]
        if kind in KINDS and isinstance(name, str) and name and name != path.stem:
            raise FileError(
                Problem(
                    "name",
                    f"the file is called {path.name}, but the {kind} in it is called {name}",
                    tree.mark((kind,)),
                    f"Rename the file to {name}{path.suffix or '.yaml'}, or write {kind}: {path.stem}.",
                )
            )
    return trees


def _bytes(path: Path, shown: str) -> bytes:
    start = Mark(shown, 1, 1)
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise FileError(Problem("path", f"{shown} is a folder", start, "Give one of the .yaml files in it."))
        if not stat.S_ISREG(mode):
            raise FileError(Problem("path", f"{shown} is not an ordinary file", start, "Give a .yaml file."))
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        try:
            others = [p.name for p in path.parent.iterdir() if p.suffix in (".yaml", ".yml")]
        except OSError:
            others = []
        close = nearest(path.name, others)
        hint = (
            f"Did you mean {path.parent / close}?" if close else "Check the path; it is taken from the current folder."
        )
        raise FileError(Problem("path", f"there is no file {shown}", start, hint)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "Check the path and the rights of the file."
        raise FileError(Problem("path", f"cannot read {shown}: {reason}", start, hint)) from None


def parse(text: str | bytes, file: str = "<text>") -> list[Tree]:
    """Parse YAML text: one tree for each document that is not empty; each is a mapping. Raises :class:`FileError`."""
    text = _decode(text, file)
    _guard(text, file)
    trees = _Reader(text, file).documents()
    if not trees:
        hint = "Begin with a line that says kind and name, such as neuron: my_cell."
        raise FileError(Problem("syntax", "the file is empty", Mark(file, 1, 1), hint))
    return trees


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


def scalar(text: str) -> str | int | float | bool | None:
    """The value of a plain YAML 1.2 scalar: ``"3"`` -> 3, ``"2 ms"`` -> the text itself, ``"no"`` -> the text."""
    stripped = text.strip()
    if _INT.fullmatch(stripped):
        digits = stripped.lstrip("+-")
        base = {"0o": 8, "0x": 16}.get(digits[:2], 10)
        if len(digits) > 400:  # Python refuses longer ones too; as a float it is what units refuse as not finite
            return float("inf")
        return int(stripped.replace("0o", "").replace("0x", ""), base)
    if _FLOAT.fullmatch(stripped):
        return float(stripped)
    return _WORDS.get(stripped, text)


_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= {word: word[0] in "tT" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_WORDS |= {sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")}
_WORDS |= {word: float("nan") for word in (".nan", ".NaN", ".NAN")}


def within(root: str | os.PathLike[str], text: str, mark: Mark | None = None) -> Path:
    """The path ``text`` of a YAML file below ``root``. Raises :class:`FileError` for one that leaves it."""
    hint = "Write a path below the folder of the file, with / between folders, such as data/weights.csv."

    def refuse(reason: str) -> FileError:
        return FileError(Problem("path", f"the path {text[:200]!r} {reason}", mark, hint))

    if not text.strip() or len(text) > 1000 or any(ord(c) < 32 for c in text):
        raise refuse("is not a path")
    if text.startswith(("/", "~")) or "\\" in text or re.match(r"[A-Za-z]+:", text):
        raise refuse("is absolute or not portable")
    if ".." in text.split("/"):
        raise refuse("leads out of its folder")
    base = Path(root).resolve()
    try:
        path = (base / text).resolve()
    except (OSError, RuntimeError, ValueError):
        raise refuse("cannot be followed") from None
    if not path.is_relative_to(base):
        raise refuse("leads out of its folder through a link")
    return path


def _decode(text: str | bytes, file: str) -> str:
    if len(text) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES // 1_000_000} MB"
        hint = "Model files are small; put tables into a CSV file and name it (connect: {matrix: FILE})."
        raise FileError(Problem("limit", message, Mark(file, 1, 1), hint))
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        message = "the file is saved as UTF-16"
        raise FileError(Problem("syntax", message, Mark(file, 1, 1), "Save it as UTF-8 in your editor."))
    try:
        return text.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = text[: error.start].decode("utf-8").removeprefix("\ufeff")
        message = f"the byte 0x{text[error.start]:02x} is not UTF-8 text"
        hint = "Save the file as UTF-8 in your editor (a Latin-1 µ or an accent looks like this)."
        raise FileError(Problem("syntax", message, _place(before, len(before), file), hint)) from None


# Line breaks other than \n and \r count as lines in YAML 1.1 but in no editor, so they go with the control characters.
_UNSEEN = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_DIRECTIVE = re.compile(r"^%", re.M)


def _guard(text: str, file: str) -> None:
    """What must be refused before libyaml sees it."""
    found = _UNSEEN.search(text)
    if found:
        message = f"an invisible character (U+{ord(found[0]):04X}) stands here"
        hint = "Delete it; if the whole file looks like this it is not a text file."
        raise FileError(Problem("syntax", message, _place(text, found.start(), file), hint))
    found = _DIRECTIVE.search(text)  # libyaml compares every %TAG line with all others: minutes for 10 MB of them
    if found:
        message = "a line that begins with % is a YAML directive, which model files do not use"
        raise FileError(Problem("syntax", message, _place(text, found.start(), file), "Delete the line."))


def _place(text: str, index: int, file: str) -> Mark:
    before = text[:index].replace("\r\n", "\n").replace("\r", "\n")
    return Mark(file, before.count("\n") + 1, index - max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)))


class _Node:
    """A composed node; ``size`` and ``height`` count aliases as if they were written out."""

    __slots__ = ("anchor", "height", "keys", "kind", "lines", "mark", "size", "value")

    def __init__(self, kind: str, value: Any, mark: Mark, lines: tuple[Mark, ...] = (), anchor: str | None = None):
        self.kind, self.value, self.mark, self.lines, self.anchor = kind, value, mark, lines, anchor
        self.size, self.height, self.keys = 1, 1, {}


class _Reader:
    """Composes the events of one text. Faults that leave the structure readable are collected, others end it."""

    def __init__(self, text: str, file: str):
        self.text, self.file = text, file
        self._source: list[str] | None = None
        self.problems = Problems()
        self.nodes = self.aliases = 0
        self.anchors: dict[str, _Node] = {}
        self.open: list[str] = []
        self.event: Any = None

    @property
    def source(self) -> list[str]:
        if self._source is None:
            self._source = self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return self._source

    def documents(self) -> list[Tree]:
        trees, count = [], 0
        self.events = yaml.parse(self.text, Loader=_LOADER)
        try:
            for event in self.events:
                if not isinstance(event, yaml.DocumentStartEvent):
                    continue
                count += 1
                self.anchors = {}
                root = self.compose(self.next(), 1)
                if root.kind == "scalar" and root.value is None:
                    if count > 1000:
                        self.fail(
                            "limit", "there are more than 1,000 empty documents", root.mark, "Delete the lines ---."
                        )
                    continue
                if root.kind != "map":
                    what = "a list" if root.kind == "list" else f"the text {str(root.value)[:40]!r}"
                    hint = "Begin with a line that says kind and name, such as neuron: my_cell, and keys below it."
                    self.fail(
                        "syntax", f"the file must hold keys and values, but here it holds {what}", root.mark, hint
                    )
                trees.append(self.tree(root))
        except yaml.YAMLError as error:
            self.problems.take(FileError(self.explain(error)))
        self.problems.raise_any()
        return trees

    def next(self) -> Any:
        return next(self.events)

    def fail(self, kind: str, message: str, mark: Mark, hint: str) -> None:
        """Stop here, with what was found before."""
        self.problems.add(kind, message, mark, hint)
        self.problems.raise_any()

    def note(self, kind: str, message: str, mark: Mark, hint: str) -> None:
        self.problems.add(kind, message, mark, hint)
        if len(self.problems.found) >= MAX_PROBLEMS:
            self.problems.raise_any()

    def at(self, mark: Any) -> Mark:
        return Mark(self.file, mark.line + 1, mark.column + 1)

    def count(self, n: int, mark: Mark) -> None:
        self.nodes += n
        if self.nodes > MAX_NODES:
            hint = "Split it into several files; put tables into a CSV file."
            self.fail("limit", f"the file holds more than {MAX_NODES:,} values (aliases written out)", mark, hint)

    def deep(self, depth: int, mark: Mark) -> None:
        if depth > MAX_DEPTH:
            self.fail(
                "limit", f"this is nested more than {MAX_DEPTH} deep", mark, "Look for brackets that are never closed."
            )

    def compose(self, event: Any, depth: int) -> _Node:
        mark = self.at(event.start_mark)
        self.count(1, mark)
        self.deep(depth, mark)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event.anchor, mark, depth)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")[:60]
            self.note(
                "syntax",
                f"the tag {tag} is not allowed",
                mark,
                "Write the value without it; put text that begins with ! in quotes.",
            )
        if isinstance(event, yaml.ScalarEvent):
            value = event.value if event.style else scalar(event.value)
            node = _Node("scalar", value, mark, self.lines_of(event, mark))
            if event.anchor:
                self.anchors[event.anchor] = node
            return node
        node = _Node("map" if isinstance(event, yaml.MappingStartEvent) else "list", None, mark)
        if event.anchor:
            self.anchors[event.anchor] = node
            self.open.append(event.anchor)
        node.value = self.mapping(node, depth) if node.kind == "map" else self.sequence(depth)
        if event.anchor:
            self.open.remove(event.anchor)
        parts = node.value.values() if node.kind == "map" else node.value
        for part in parts:
            node.size += part.size
            node.height = max(node.height, part.height + 1)
        return node

    def alias(self, name: str, mark: Mark, depth: int) -> _Node:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            self.fail(
                "limit", f"the file holds more than {MAX_ALIASES:,} aliases (*name)", mark, "Write the values out."
            )
        if name not in self.anchors:
            hint = f"{suggest(name, self.anchors, 'anchor')} Put text that begins with * in quotes."
            self.note("name", f"*{name} refers to an anchor &{name}, which does not stand before it", mark, hint)
            return _Node("scalar", None, mark, (mark,))
        if name in self.open:
            self.fail("cycle", f"*{name} stands inside the value &{name} it refers to", mark, "Write the value out.")
        node = self.anchors[name]
        self.count(node.size - 1, mark)
        self.deep(depth + node.height - 1, mark)
        copy = _Node(node.kind, node.value, mark, node.lines)
        copy.size, copy.height, copy.keys = node.size, node.height, node.keys
        return copy

    def sequence(self, depth: int) -> list[_Node]:
        items = []
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            items.append(self.compose(event, depth + 1))
        return items

    def mapping(self, node: _Node, depth: int) -> dict[str, _Node]:
        entries: dict[str, _Node] = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            mark = self.at(event.start_mark)
            if isinstance(event, yaml.ScalarEvent) and event.tag is None:
                key = event.value
            else:  # read it to its end, so that what follows is still checked
                self.compose(event, depth + 1)
                key = ""
            value = self.compose(self.next(), depth + 1)
            if not isinstance(event, yaml.ScalarEvent):
                hint = "Put text that holds { } [ ] or begins with * in quotes."
                self.note("syntax", "a key must be a word, not a list, a block or an alias", mark, hint)
            elif not key:
                self.note("syntax", "there is no key before this :", mark, "Write the key, or put the text in quotes.")
            elif key == "<<" and not event.style:
                hint = "Use extends: to build on another part, or write the keys out."
                self.note("key", "merge keys (<<) are not used", mark, hint)
            elif key in entries:
                first = node.keys[key]
                self.note(
                    "key", f"{key} is given twice; it stands in line {first.line} already", mark, "Keep one of the two."
                )
            else:
                entries[key], node.keys[key] = value, mark
        return entries

    def tree(self, root: _Node) -> Tree:
        marks: dict[Path_, Mark] = {}
        keys: dict[Path_, Mark] = {}
        lines: dict[Path_, tuple[Mark, ...]] = {}

        def build(node: _Node, path: Path_) -> Any:
            marks[path] = node.mark
            if node.kind == "scalar":
                lines[path] = node.lines
                return node.value
            if node.kind == "list":
                return [build(part, (*path, k)) for k, part in enumerate(node.value)]
            data = {}
            for key, part in node.value.items():
                place = (*path, key)
                keys[place] = node.keys[key]
                data[key] = build(part, place)
            return data

        data = build(root, ())
        return Tree(data, self.file, marks, keys, lines)

    def lines_of(self, event: Any, mark: Mark) -> tuple[Mark, ...]:
        """Where each line of the text of a scalar begins."""
        if not event.style and "\n" not in event.value and not event.anchor:
            return (mark,)
        line, column = event.start_mark.line, event.start_mark.column
        if event.anchor:  # the event begins at the anchor
            skipped = re.compile(r"&\S+(?:\s|#.*)*").match(self.text, event.start_mark.index)
            begin = self.at_index(skipped.end() if skipped else event.start_mark.index)
            line, column = begin.line - 1, begin.column - 1
        text = event.value
        count = max(1, text.count("\n") + (not text.endswith("\n")))
        if event.style in ("|", ">"):
            found = self.block_lines(text.split("\n")[:count], line + 1, event.style == ">")
        else:
            end = (event.end_mark.line, event.end_mark.column)
            found = self.flow_lines(line, column + bool(event.style), end, event.style == '"')
        found = (found or [(line, column)])[:count]
        found += [found[-1]] * (count - len(found))
        return tuple(Mark(self.file, row + 1, col + 1) for row, col in found)

    def at_index(self, index: int) -> Mark:
        return _place(self.text, index, self.file)

    def block_lines(self, text: list[str], row: int, folded: bool) -> list[tuple[int, int]]:
        found = []
        for line in text:
            if folded and line:  # a folded line may take several lines of the file
                while row < len(self.source) - 1 and not self.source[row].strip(" "):
                    row += 1
            raw = self.source[row] if row < len(self.source) else ""
            found.append((row, len(raw) - len(raw.lstrip(" ")) if folded else max(0, len(raw) - len(line))))
            row += 1
            if folded and line:
                taken = raw.lstrip(" ")
                rest = line.lstrip(" ")[len(taken) :]
                while rest and row < len(self.source):
                    taken = self.source[row].lstrip(" ")
                    rest, row = rest[1 + len(taken) :], row + 1
        return found

    def flow_lines(self, row: int, column: int, end: tuple[int, int], double: bool) -> list[tuple[int, int]]:
        found, blanks = [(row, column)], 0
        for k in range(row, min(end[0], len(self.source) - 1) + 1):
            raw = self.source[k] if k < end[0] else self.source[k][: end[1]]
            begin = column if k == row else len(raw) - len(raw.lstrip(" \t"))
            if k > row and begin == len(raw):  # a blank line inside a flow scalar is a line break
                blanks += 1
                found += [(k, begin)] if blanks > 1 else []
                continue
            if blanks:
                found.append((k, begin))
                blanks = 0
            if double:
                found += [(k, m.end()) for m in re.finditer(r"\\(.)", raw) if m[1] == "n" and m.start() >= begin]
        return found

    def explain(self, error: yaml.YAMLError) -> Problem:
        """What libyaml found, in plain words."""
        problem = str(getattr(error, "problem", None) or error)
        context = str(getattr(error, "context", None) or "")
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        row, column = (mark.line, mark.column) if mark else (0, 0)
        row = min(row, len(self.source) - 1)
        line = self.source[row]
        place = Mark(self.file, row + 1, column + 1)
        begun = getattr(error, "context_mark", None)
        since = f" that begins in line {begun.line + 1}" if begun else ""
        char = line[column : column + 1]
        if ("\t" in line[: column + 1] and not line[:column].strip()) or "tab character" in problem:
            return Problem("syntax", "a tab stands where spaces must stand", place, "Indent with spaces (two a level).")
        if "mapping values are not allowed" in problem:
            if re.search(r":\s", line[:column]):
                return Problem(
                    "syntax",
                    "there is a second colon in this line",
                    place,
                    "Put the value in quotes, or start a new line.",
                )
            message = "this key does not line up with the keys around it, or the line before it has no colon"
            return Problem(
                "syntax", message, place, "Give keys of one level the same indentation, and each a colon and a space."
            )
        if "cannot start any token" in problem:
            message = f"a value cannot begin with {char}"
            return Problem("syntax", message, place, "Put the value in quotes.")
        if "quoted scalar" in context and "end of stream" in problem:
            quote = self.source[begun.line][begun.column : begun.column + 1] if begun else "quote"
            message = f"the text{since} has no closing {quote}"
            return Problem("syntax", message, self.at(begun) if begun else place, f"Close it with {quote}.")
        if "escape" in problem:
            message = f"\\{line[column + 1 : column + 2]} has no meaning inside double quotes"
            return Problem("syntax", message, place, "Use single quotes, or write \\\\ for a backslash.")
        if "flow sequence" in context or "flow mapping" in context:
            bracket, what = ("]", "list") if "sequence" in context else ("}", "group")
            message = f"the {what}{since} needs a comma or {bracket} before this"
            hint = f"Close it with {bracket}, or put a value that holds : or , in quotes."
            return Problem("syntax", message, place, hint)
        if "could not find expected ':'" in problem:
            return Problem("syntax", "this line has no colon after its key", place, "Write key: value.")
        if "block" in context and ("expected key" in problem or "'-' indicator" in problem):
            message = f"this does not line up with the block{since}"
            return Problem(
                "syntax", message, place, "Give keys of one level the same indentation; close no bracket twice."
            )
        if "entries are not allowed" in problem:
            return Problem(
                "syntax", "a list cannot begin here", place, "Put each - on its own line below the key, or use [a, b]."
            )
        message = f"this is not YAML: {problem}{f' ({context})' if context else ''}"
        return Problem("syntax", message, place, "Look at the indentation and the quotes of this line.")
