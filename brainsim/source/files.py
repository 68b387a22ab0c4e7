"""Files and paths that YAML names."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from brainsim.errors import FileError, Mark, Problem, nearest
from brainsim.source.reader import parse
from brainsim.source.text import MAX_BYTES
from brainsim.source.tree import KINDS, Tree


def read(path: str | os.PathLike[str], shown: str | None = None, *, any_name: bool = False) -> list[Tree]:
    """Read a file: one tree a YAML document. ``shown`` is the name used in messages.

    A file with one document is named after it, unless ``any_name``. Raises :class:`FileError`.
    """
    path = Path(path)
    shown = str(path) if shown is None else shown
    trees = parse(_bytes(path, shown), shown)
    if len(trees) == 1 and not any_name:
        tree = trees[0]
        kind = next(iter(tree.data), "")
        name = tree.data.get(kind)
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
            others = [p.name for p in path.parent.iterdir() if p.exists() and p.suffix in (".yaml", ".yml")]
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
