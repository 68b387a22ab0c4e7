"""What a resolved model says about its circuit: populations in nested regions, arrows between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainsim import source, units
from brainsim.errors import FileError, Problem
from brainsim.plots import signs

#: Where a cell is taken to fire if it does not say: reversal potentials below it inhibit.
_THRESHOLD = -0.050


@dataclass(frozen=True)
class Node:
    """A population."""

    path: str
    size: int | None
    cell: str = ""
    role: str = "other"  # exc | inh | other, by what it sends


@dataclass(frozen=True)
class Arrow:
    """A projection, or a link between variables (``sign`` is then ``link``)."""

    path: str
    source: str
    target: str
    sign: str = "other"  # exc | inh | other | link
    synapse: str = ""
    rule: str = ""  # name of the plasticity
    connect: str = ""
    delay: str = ""


@dataclass(frozen=True)
class Diagram:
    """A circuit to draw. Regions are the parts of the nodes' paths."""

    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]


def read_model(folder: Path) -> Mapping[str, Any]:
    """The resolved experiment of a run folder; empty if there is none. Raises ``FileError`` if it cannot be read."""
    file = folder / "model.yaml"
    if not file.is_file():
        return {}
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise FileError(Problem("data", f"model.yaml cannot be read: {error}")) from error
    # Not source.read: here the file is not called after the experiment.
    documents = source.parse(content, "model.yaml")
    data = documents[0].data if documents else {}
    return data if isinstance(data, Mapping) else {}


def read_diagram(model: Mapping[str, Any]) -> Diagram:
    """The circuit of a resolved experiment (``model.yaml`` of a run folder) or region.

    Parts that are named only, not written in place, are drawn as far as they are known. Nothing here
    depends on the name of a synapse or rule: whether an arrow excites is read from its equations and values.
    """
    found: dict[str, tuple[int | None, Mapping[str, Any], str]] = {}
    arrows: list[Arrow] = []
    region = model.get("region") if "experiment" in model else model
    if isinstance(region, Mapping):
        for prefix, content in _regions(region, ""):
            for name, entry in _items(content, "populations"):
                size = entry.get("size")
                whole = int(size) if isinstance(size, (int, float)) and not isinstance(size, bool) else None
                neuron = entry.get("neuron")
                found[prefix + name] = (
                    whole,
                    neuron if isinstance(neuron, Mapping) else {},
                    part_name(neuron, "neuron"),
                )
        for prefix, content in _regions(region, ""):
            for name, entry in _items(content, "projections"):
                source, target = _end(prefix, entry.get("from")), _end(prefix, entry.get("to"))
                if source in found and target in found:
                    arrows.append(_arrow(prefix + name, entry, source, target, found[target][1]))
            arrows += _links(prefix, content.get("links"), found)
    nodes = tuple(Node(path, size, cell, _role(path, arrows)) for path, (size, _, cell) in found.items() if size != 0)
    kept = {node.path for node in nodes}
    return Diagram(nodes, tuple(a for a in arrows if a.source in kept and a.target in kept))


def _links(prefix: str, links: Any, found: Mapping[str, Any]) -> list[Arrow]:
    """One arrow for all variables that one population shows of another."""
    shared: dict[tuple[str, str], list[str]] = {}
    for target, shown in _mapping(links).items():
        a, _, variable = _end(prefix, shown).rpartition(".")
        b = _end(prefix, target).rpartition(".")[0]
        if a in found and b in found:
            shared.setdefault((a, b), []).append(variable)
    return [Arrow(f"{a} shown in {b}", a, b, "link", ", ".join(names)) for (a, b), names in shared.items()]


def part_name(use: Any, kind: str) -> str:
    """Name of a part by name, by ``{name: ...}`` or with its content in place."""
    if isinstance(use, Mapping):
        return str(use.get(kind) or use.get("name") or "")
    return str(use or "")


def _regions(content: Mapping[str, Any], prefix: str, depth: int = 0) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield prefix, content
    if depth < 32:
        for name, entry in _items(content, "regions"):
            yield from _regions(entry, f"{prefix}{name}.", depth + 1)


def _items(content: Mapping[str, Any], key: str) -> list[tuple[str, Mapping[str, Any]]]:
    entries = content.get(key)
    if not isinstance(entries, Mapping):
        return []
    return [(str(name), entry) for name, entry in entries.items() if isinstance(entry, Mapping)]


def _end(prefix: str, path: Any) -> str:
    """A path without its slice, seen from the top."""
    return prefix + re.sub(r"\[.*\]$", "", str(path or ""))


def _arrow(path: str, entry: Mapping[str, Any], source: str, target: str, cell: Mapping[str, Any]) -> Arrow:
    uses = entry.get("synapse")
    uses = uses if isinstance(uses, list) else [uses]
    kinds = {_sign(use, entry.get("initial"), cell) for use in uses}
    delay = entry.get("delay")
    return Arrow(
        path,
        source,
        target,
        kinds.pop() if len(kinds) == 1 else "other",
        " + ".join(part_name(use, "synapse") for use in uses),
        part_name(entry.get("plasticity"), "plasticity"),
        _connect(entry.get("connect")),
        "" if delay in (None, 0) else str(delay),
    )


def _connect(rule: Any) -> str:
    if isinstance(rule, Mapping):
        return ", ".join(
            f"{key} {value}" for key, value in rule.items() if value not in (None, False) and key != "rule"
        )
    return str(rule or "")


def _sign(use: Any, initial: Any, cell: Mapping[str, Any]) -> str:
    """exc, inh or other (a signal, a modulator, weights of both signs, or not known)."""
    if not isinstance(use, Mapping):
        return "other"
    post = _mapping(use.get("post"))
    reversal = re.search(r"\(\s*(\w+)\s*-\s*v\s*\)|\(\s*v\s*-\s*(\w+)\s*\)", str(post.get("equations") or ""))
    if post.get("current") and reversal:
        potential = _volts(_value(use, reversal.group(1) or reversal.group(2)))
        if potential is not None:
            threshold = _volts(_value(cell, "V_th"))
            return "inh" if potential < (_THRESHOLD if threshold is None else threshold) else "exc"
    changed = re.search(r"(\w+)_post\s*(\+=|-=)([^;\n]*)", _spike_code(use.get("on_pre")))
    if not changed:
        return "other"
    declared = re.findall(r"^\s*d?(\w+?)(?:/dt)?\s*[=:]", str(post.get("equations") or ""), flags=re.M)
    if changed.group(1) in declared and not post.get("current"):
        return "other"  # a level that cells or rules read, such as dopamine
    values = {**_mapping(use.get("parameters")), **_mapping(use.get("initial")), **_mapping(initial)}
    step = signs.sign(changed.group(3), values)
    return {1: "exc", -1: "inh"}.get(step * (1 if changed.group(2) == "+=" else -1), "other")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _value(part: Mapping[str, Any], name: str) -> Any:
    return _mapping(part.get("parameters")).get(name)


def _volts(value: Any) -> float | None:
    """A potential in volts, None if it is none."""
    try:
        quantity = units.parse(value)
    except (ValueError, TypeError):
        return None
    return float(quantity.value)


def _spike_code(handlers: Any) -> str:
    """Code that runs when a presynaptic spike arrives; signals of other events do not excite."""
    if isinstance(handlers, Mapping):
        handlers = handlers.get("spike")
    if isinstance(handlers, Mapping):
        handlers = handlers.get("code")
    return str(handlers or "")


def _role(path: str, arrows: list[Arrow]) -> str:
    kinds = {a.sign for a in arrows if a.source == path and a.sign in ("exc", "inh")}
    return kinds.pop() if len(kinds) == 1 else "other"
