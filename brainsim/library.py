"""Finds a part by kind and name, merges it with its parents, collects citations.

Order of search: documents of the same file, folders of the user, the library that ships with brainsim. A folder of the
user is known by the first line of each file only, so that a broken file disturbs nobody who does not use it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from brainsim import source
from brainsim.errors import BrainsimError, FileError, Mark, Problem, nearest, suggest
from brainsim.inherit import merge
from brainsim.source import Tree
from brainsim.spec.check import check

HERE = Path(__file__).resolve().parent

#: Folder of the shipped library -> kind of the files in it.
FOLDERS = {
    "models/neurons": "neuron",
    "models/synapses": "synapse",
    "plasticity": "plasticity",
    "regions": "region",
    "configs": "experiment",
}
#: A folder of the user may be a home folder by accident.
MAX_FILES, MAX_FOLDERS = 5_000, 2_000
MAX_PARENTS = 32
_FIRST_LINE = re.compile(rb"(%s)[ \t]*:[ \t]*[\"']?([A-Za-z]\w*)" % b"|".join(k.encode() for k in source.KINDS))


def shipped_folder() -> Path:
    """Where the shipped library is: inside an installed package, beside it in a checkout or editable install."""
    return HERE / "data" if (HERE / "data").is_dir() else HERE.parent


@dataclass(frozen=True)
class ReadFile:
    """A file that was read, for the provenance of a run."""

    path: Path
    sha256: str
    text: str


@dataclass
class Library:
    """Parts by kind and name. ``notes`` holds what the user should know, ``files`` what was read."""

    folders: Sequence[str | os.PathLike[str]] = ()
    documents: Sequence[Tree] = ()
    notes: list[str] = field(default_factory=list)
    files: list[ReadFile] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._documents: dict[tuple[str, str], Tree] = {}
        for tree in self.documents:
            self._add_document(tree)
        self._users: dict[tuple[str, str], Path] = {}
        self._hidden: dict[tuple[str, str], Path] = {}  # a second file of the user with the same kind and name
        for folder in self.folders:
            self._scan(Path(folder))
        self._shipped = _shipped()
        self._raw: dict[tuple[str, str], Tree] = {}
        self._parts: dict[tuple[str, str], Tree] = {}
        self._open: list[tuple[str, str]] = []  # parts whose parents are being looked for

    def part(self, kind: str, name: str, mark: Mark | None = None) -> Tree:
        """The part with its parents merged, checked against its spec.

        ``mark`` is where the part is asked for. Raises :class:`FileError`: unknown part, parents in a circle, or
        whatever is wrong in its files.
        """
        found = self._parts.get((kind, name))
        if found is None:
            found = self._parts[kind, name] = self.resolve(self._find(kind, name, mark))
        return found

    def resolve(self, tree: Tree) -> Tree:
        """A document merged with its parents and checked; a file that is run, or a part written in place."""
        kind, name = source.identify(tree)
        parent = tree.data.get("extends")
        if isinstance(parent, str):
            place = tree.mark(("extends",))
            self._open.append((kind, name))
            try:
                if (kind, parent) in self._open:
                    circle = [n for _, n in self._open[self._open.index((kind, parent)) :]] + [parent]
                    message = f"extends goes round in a circle: {' -> '.join(circle)}"
                    hint = f"Give this {kind} another name." if len(circle) == 2 else "Take extends out of one of them."
                    raise FileError(Problem("cycle", message, place, hint))
                if len(self._open) > MAX_PARENTS:
                    message = f"more than {MAX_PARENTS} parts extend each other in a row"
                    raise FileError(Problem("limit", message, place, "Let it extend an earlier one directly."))
                tree = merge(self.part(kind, parent, place), tree)
            finally:
                self._open.pop()
        check(tree)
        return tree

    def use(self, kind: str, use: Tree) -> Tree:
        """The part a place asks for; ``use`` is the tree at that place (``tree.at(("populations", "exc", "neuron"))``).

        Its content is a name, ``{name:, parameters:}`` (the parameters are merged, unknown ones refused), or a whole
        part whose first key is the kind. Raises :class:`FileError`.
        """
        data = use.data
        if isinstance(data, dict) and next(iter(data), "") == kind:
            return self.resolve(use)
        name = data.get("name") if isinstance(data, dict) else data
        if not isinstance(name, str):
            message = f"the name of a {kind} is expected here"
            raise FileError(Problem("value", message, use.mark(), f"`brainsim list {kind}` shows those there are."))
        part = self.part(kind, name, use.mark(("name",)))
        if not isinstance(data, dict):
            return part
        given, known = use.get(("parameters",), {}), part.get(("parameters",), {})
        problems = [
            Problem(
                "name", f"{kind} {name} has no parameter {key}", use.key_mark(("parameters", key)),
                suggest(key, known, "parameter"),
            )
            for key in given if key not in known
        ]  # fmt: skip
        if problems:
            raise FileError(problems)
        return replace(merge(part, _only(use, "parameters")), file=part.file) if given else part

    def lineage(self, kind: str, tree: Tree) -> tuple[Tree, ...]:
        """The parents of a part, the oldest first, each merged with its own; the part itself is the last."""
        chain = [tree]
        while isinstance(parent := chain[0].data.get("extends"), str) and len(chain) <= MAX_PARENTS:
            chain.insert(0, self.part(kind, parent, chain[0].mark(("extends",))))
        return tuple(chain)

    def citations(self, tree: Tree) -> tuple[str, ...]:
        """What a part and its parents cite, its own first, none twice."""
        kind, _ = source.identify(tree)
        chain = reversed(self.lineage(kind, tree))
        return tuple(dict.fromkeys(str(entry) for each in chain for entry in each.data.get("cite") or ()))

    def suppliers(self, variable: str) -> list[str]:
        """Synapses that bring ``variable`` to the cell they land on, by name."""
        found = []
        for name, _, _ in self.names("synapse"):
            try:
                text = self.part("synapse", name).get(("post", "equations"), "")
            except FileError:
                continue
            if re.search(rf"^\s*(d{re.escape(variable)}/dt|{re.escape(variable)})\s*[=:]", str(text), re.M):
                found.append(name)
        return found

    def names(self, kind: str) -> list[tuple[str, str, str]]:
        """Name, first sentence and file of every part of a kind, by name; a broken file says so instead."""
        found = []
        for key in sorted({*self._documents, *self._users, *self._shipped}):
            if key[0] != kind:
                continue
            try:
                tree = self._find(*key)
                about, shown = str(tree.data.get("about") or ""), tree.file
            except BrainsimError as error:
                about, shown = f"(broken: {error.problems[0].message})", self._shown(key)
            found.append((key[1], about, shown))
        return found

    def parent(self, kind: str, name: str) -> str:
        """The name after ``extends`` in the file of a part; empty if it has no parent or cannot be read."""
        try:
            parent = self._find(kind, name).data.get("extends")
        except BrainsimError:
            return ""
        return parent if isinstance(parent, str) else ""

    def path(self, kind: str, name: str) -> Path | None:
        """The file of a part; None for a document of the file that is run, or if there is no such part."""
        if (kind, name) in self._documents:
            return None
        return self._users.get((kind, name)) or self._shipped.get((kind, name))

    def _find(self, kind: str, name: str, mark: Mark | None = None) -> Tree:
        """The document of a part as it stands in its file."""
        key = (kind, name)
        if key in self._documents:
            return self._documents[key]
        if key not in self._raw:
            path = self._users.get(key) or self._shipped.get(key)
            if path is None:
                raise FileError(self._unknown(kind, name, mark))
            self._raw[key] = self._read(key, path)
            shipped = self._shipped.get(key)
            if shipped and shipped.resolve() != path.resolve():
                self.notes.append(f"{self._shown(key)} takes the place of the {kind} {name} that ships with brainsim")
            elif key in self._hidden:
                self.notes.append(f"{kind} {name} stands in {path} and in {self._hidden[key]}; the first is used")
        return self._raw[key]

    def _read(self, key: tuple[str, str], path: Path) -> Tree:
        trees = source.read(path, self._shown(key))
        content = path.read_bytes()
        self.files.append(ReadFile(path, hashlib.sha256(content).hexdigest(), content.decode("utf-8", "replace")))
        kind, name = source.identify(trees[0])
        if (kind, name) != key:
            message = f"the file is called {path.name}, but holds the {kind} {name}"
            raise FileError(Problem("name", message, trees[0].mark((kind,)), f"Write {key[0]}: {key[1]}."))
        for tree in trees[1:]:
            self._add_document(tree)
        return trees[0]

    def _add_document(self, tree: Tree) -> None:
        key = source.identify(tree)
        if key in self._documents and self._documents[key].file == tree.file:
            first = self._documents[key].mark((key[0],))
            message = f"the {key[0]} {key[1]} is given twice; it stands in line {first.line} already"
            raise FileError(Problem("name", message, tree.mark((key[0],)), "Rename one of the two."))
        self._documents.setdefault(key, tree)

    def _unknown(self, kind: str, name: str, mark: Mark | None) -> Problem:
        everywhere = {*self._documents, *self._users, *self._shipped}
        known = sorted(n for k, n in everywhere if k == kind)
        others = sorted(k for k, n in everywhere if n == name)
        short = name if len(name) <= 60 else name[:57] + "..."
        close = nearest(name, known)
        hint = f"Did you mean {close}? " if close else f"{short} is the name of a {others[0]}. " if others else ""
        hint += (
            f"`brainsim list {kind}` shows those there are; your own are found beside the experiment or with --library."
        )
        return Problem("part", f"there is no {kind} called {short}", mark, hint)

    def _shown(self, key: tuple[str, str]) -> str:
        """The file of a part as the user knows it."""
        path = self._users.get(key)
        if path is None:
            shipped = self._shipped.get(key)
            return shipped.relative_to(shipped_folder()).as_posix() if shipped else self._documents[key].file
        try:
            return path.resolve().relative_to(Path.cwd()).as_posix()
        except (ValueError, OSError):
            return str(path)

    def _scan(self, folder: Path) -> None:
        """Note the files of a user's folder by their first lines; the first of two with one name counts."""
        if not folder.is_dir():
            message = f"there is no folder {folder} to look for parts in"
            raise FileError(Problem("path", message, None, "Check the path given with --library."))
        for path in _yaml_files(folder, self.notes):
            key = first_line(path)
            if key is None:
                continue
            other = self._users.setdefault(key, path)
            if other.resolve() != path.resolve():
                self._hidden.setdefault(key, path)


def first_line(path: Path) -> tuple[str, str] | None:
    """Kind and name in the first line of a file that holds more than a comment; None if it is no model file."""
    try:
        with open(path, "rb") as file:
            head = file.read(8_192)
    except OSError:
        return None
    for line in head.removeprefix(b"\xef\xbb\xbf").splitlines():
        if line.strip() and not line.startswith((b"#", b"---")):
            found = _FIRST_LINE.match(line)
            return (found[1].decode(), found[2].decode()) if found else None
    return None


def _yaml_files(folder: Path, notes: list[str]) -> Iterator[Path]:
    files = 0
    for folders, (here, below, names) in enumerate(os.walk(folder)):
        # A run folder holds the resolved copy of an experiment, which must not be found in its place.
        run_folder = "model.yaml" in names and ("script.py" in names or "provenance.json" in names)
        below[:] = [] if run_folder else sorted(n for n in below if not n.startswith((".", "__")))
        for name in sorted(names) if not run_folder else ():
            path = Path(here, name)
            if name.endswith((".yaml", ".yml")) and not name.startswith(".") and path.is_file():
                files += 1
                yield path
        if files > MAX_FILES or folders >= MAX_FOLDERS:
            notes.append(f"{folder} holds too many files to search; only a part of it was looked through")
            return


def _shipped() -> dict[tuple[str, str], Path]:
    root = shipped_folder()
    return {
        (kind, path.stem): path for folder, kind in FOLDERS.items() for path in sorted((root / folder).rglob("*.yaml"))
    }


def _only(tree: Tree, key: str) -> Tree:
    return Tree({key: tree.data[key]}, tree.file, tree.marks, tree.keys, tree.lines)
