"""From what a user names to a plan: find the file, build the circuit, compose."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainsim import source
from brainsim.circuit import Circuit, build, wrap
from brainsim.compose import check_alone, compose
from brainsim.compose.plan import Plan
from brainsim.errors import BrainsimError, FileError, FitError, Problem, Problems, nearest
from brainsim.library import Library
from brainsim.overrides import Given
from brainsim.runs import points
from brainsim.source import Tree
from brainsim.spec.check import check as check_spec

Experiment = str | os.PathLike[str]
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Prepared:
    """An experiment that fits together, ready to run."""

    circuit: Circuit
    plan: Plan
    library: Library
    overrides: dict[str, str]  # dotted path -> value, as given from outside the file
    path: Path | None  # the file; None for text
    root: Path  # files the model names lie below it
    notes: tuple[str, ...]


def find(experiment: Experiment, library: Sequence[Experiment] = ()) -> tuple[Tree, Library, Path | None]:
    """What a user names: a path, the name of a part of any library, or YAML text (anything with a line break).

    Returns the document as it stands in its file, the library it is to be read with, and the file. Raises
    ``FileError``.
    """
    tree, shelf, path, rest = _find(experiment, library)
    # Every document of the file is looked at before any is used: what is wrong in them is told at once.
    problems = Problems()
    for each in (tree, *rest):
        if "extends" not in each.data:  # a child alone need not be complete
            check_spec(each, problems)
    problems.raise_any(FileError)
    return tree, shelf, path


def _find(experiment: Experiment, library: Sequence[Experiment]) -> tuple[Tree, Library, Path | None, list[Tree]]:
    text = os.fspath(experiment)
    if isinstance(experiment, str) and "\n" in text:
        trees = source.parse(text)
        return trees[0], Library(tuple(library), trees[1:]), None, trees[1:]
    path = Path(text)
    if path.suffix in (".yaml", ".yml") or path.exists() or os.sep in text:
        if path.is_dir() and (path / "model.yaml").is_file():
            path = path / "model.yaml"
        # A run folder's model.yaml keeps the name of the experiment.
        trees = source.read(path, shown=text, any_name=path.name == "model.yaml")
        # The folder of the file comes after those named: it is what the user has, not what the user asked for.
        return trees[0], Library((*library, path.parent), trees[1:]), path, trees[1:]
    shelf = Library(tuple(library))
    found = shelf.path("experiment", text) or next(
        (p for kind in source.KINDS if (p := shelf.path(kind, text)) is not None), None
    )
    if found is None:
        known = [name for kind in source.KINDS for name, _, _ in shelf.names(kind)]
        close = nearest(text, known)
        hint = (
            f"Did you mean {close}?"
            if close
            else "`brainsim list` shows what there is; a file is named with its .yaml."
        )
        raise FileError(Problem("part", f"there is no experiment or part called {text}", None, hint))
    trees = source.read(found, shown=_shown(found))
    own = () if found.is_relative_to(_shipped()) else (found.parent,)
    return trees[0], Library((*library, *own), trees[1:]), found, trees[1:]


def prepare(
    experiment: Experiment,
    set: Values | None = None,
    seed: int | None = None,
    backend: str | None = None,
    library: Sequence[Experiment] = (),
    root: Path | None = None,
) -> Prepared:
    """Build circuit and plan; ``root`` is where the files are that the model names, if not beside it.

    Raises ``FileError`` or ``FitError`` with all problems of a stage.
    """
    overrides = {str(path): _text(value) for path, value in (set or {}).items()}
    overrides |= {} if seed is None else {"run.seed": str(seed)}
    overrides |= {} if backend is None else {"run.backend": str(backend)}
    tree, shelf, path = find(experiment, library)
    root = root or _root(path)
    built = build(_whole(tree, shelf), shelf, {**overrides, **_places(set)}, root)
    made = compose(built, shelf)
    notes = tuple(dict.fromkeys((*shelf.notes, *built.notes, *made.notes)))
    return Prepared(built, made, shelf, overrides, path, root, notes)


def circuit(experiment: Experiment, set: Values | None = None, library: Sequence[Experiment] = ()) -> Circuit:
    """The graph of an experiment; a region or neuron gets a small experiment around it."""
    tree, shelf, path = find(experiment, library)
    overrides = {str(dotted): _text(value) for dotted, value in (set or {}).items()}
    return build(_whole(tree, shelf), shelf, overrides, _root(path))


def plan(
    experiment: Experiment,
    set: Values | None = None,
    seed: int | None = None,
    backend: str | None = None,
    library: Sequence[Experiment] = (),
) -> Plan:
    """The plan of an experiment; ``brainsim.plan``."""
    return prepare(experiment, set, seed, backend, library).plan


def resolved(name: Experiment, set: Values | None = None, library: Sequence[Experiment] = ()) -> dict[str, Any]:
    """An experiment with every part in place and every value final, or a part merged with its parents."""
    tree, shelf, _ = find(name, library)
    if source.identify(tree)[0] == "experiment":
        return dict(circuit(name, set, library).resolved)
    _nothing_set(set, tree)
    return dict(shelf.resolve(tree).data)


def check(
    experiment: Experiment,
    set: Values | None = None,
    library: Sequence[Experiment] = (),
) -> list[str]:
    """Check any file without running it; ``brainsim.check``. Returns notes.

    An experiment is composed into a plan, and so is a region or a neuron, with a small experiment around it; a synapse
    or a rule is merged with its parents and checked by itself. Needs neither Brian2 nor the data. Raises ``FileError``
    or ``FitError`` with all problems of a stage.
    """
    tree, shelf, _ = find(experiment, library)
    kind = source.identify(tree)[0]
    if kind in ("experiment", "region", "neuron"):
        try:
            notes = list(prepare(experiment, set, library=library).notes)
            sweep = points.declared(tree, shelf)
            if sweep is not None:
                check_points(experiment, points.points(sweep, {}), set, library)
            return notes
        except FitError as error:
            if kind == "experiment" or any(problem.kind != "needs" for problem in error.problems):
                raise
            # A part may rely on what is around it where it is used.
            return [f"needs what is around it: {text}" for text in dict.fromkeys(p.message for p in error.problems)]
    _nothing_set(set, tree)
    check_alone(shelf.resolve(tree))
    return list(shelf.notes)


def check_points(
    experiment: Experiment,
    listed: Sequence[points.Point],
    set: Values | None = None,
    library: Sequence[Experiment] = (),
) -> None:
    """Whether an experiment takes the points of a sweep; raises all problems together.

    Of points that differ in one path only, it is enough to try each value once: a grid costs the sum of its lists and
    not their product.
    """
    problems = Problems()
    tried: dict[str, None] = {}
    for point in listed:
        new = [path for path, value in point.items() if f"{path}={value.text}" not in tried]
        if not new:
            continue
        tried |= {f"{path}={value.text}": None for path, value in point.items()}
        try:
            prepare(experiment, {**(set or {}), **point}, library=library)
        except BrainsimError as error:
            problems.take(error)
    problems.raise_any(FitError)


def _whole(tree: Tree, shelf: Library) -> Tree:
    """An experiment as it is; a region or neuron, merged with its parents, with a small experiment around it."""
    return wrap(tree if source.identify(tree)[0] == "experiment" else shelf.resolve(tree), shelf)


def _root(path: Path | None) -> Path:
    return Path.cwd() if path is None else path.resolve().parent


def _nothing_set(values: Values | None, tree: Tree) -> None:
    if values:
        kind, name = source.identify(tree)
        hint = "Write the value into the file, or set it in an experiment that uses it."
        raise FitError(
            Problem("path", f"{name} is a {kind}; values can be set in an experiment only", tree.mark(), hint)
        )


def _text(value: Any) -> str:
    """A Python value as it would be written after ``--set PATH=``."""
    value = value.value if isinstance(value, Given) else value
    return value if isinstance(value, str) else json.dumps(value)


def _places(values: Values | None) -> dict[str, Given]:
    """The values that know where they were written: those of a sweep."""
    return {path: value for path, value in (values or {}).items() if isinstance(value, Given)}


def _shipped() -> Path:
    from brainsim.library import shipped_folder

    return shipped_folder()


def _shown(path: Path) -> str:
    root = _shipped()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
