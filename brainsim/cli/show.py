"""The verb ``show``: what an experiment or a part is made of, as text, and what a part does, as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainsim.cli.console import say, table, tell
from brainsim.cli.run import overrides
from brainsim.errors import FileError, FitError, Problem, SetupError, suggest
from brainsim.units import unit_name

if TYPE_CHECKING:
    from brainsim.circuit import Circuit, Projection
    from brainsim.compose.plan import Connection, Constant, Group, Initial, Plan, Regular

#: Endings of files that are drawn, and of those that would be a picture elsewhere.
_PICTURES = (".svg", ".png", ".html")
_NO_PICTURES = (".pdf", ".jpg", ".jpeg", ".gif", ".eps", ".ps", ".tif", ".tiff", ".bmp", ".webp")
#: Words that a path skips: ``cortex.exc.neuron.C_m``.
_INSIDE = ("parameters", "populations", "projections", "regions")


def show(
    name: str, script: bool, equations: bool, graph: bool, why: str | None, out: Path | None,
    sets: Sequence[str], library: Sequence[Path],
) -> None:  # fmt: skip
    """Print what was asked for; without a choice, the resolved content."""
    values = overrides(sets)
    if sum((script, equations, graph, why is not None)) > 1:
        raise FileError(Problem("value", "show takes one of --script, --equations, --graph and --why", None, ""))
    options: dict[str, Any] = {"set": values, "library": tuple(library)}
    ending = out.suffix.lower() if out is not None else ""
    if out is not None and ending in _PICTURES and not (script or equations or why):
        picture(name, out, options)
        return
    if ending in _NO_PICTURES:
        hint = f"Write {out.stem if out else name}.svg, .png or .html; text goes to .yaml, .py or .txt."
        raise FileError(Problem("value", f"show cannot write {ending}", None, hint))
    if graph or why is not None:
        from brainsim.runs.prepare import circuit

        found = circuit(name, **options)
        text = graph_text(found) if graph else why_text(found, why or "")
    elif script:
        from brainsim.runs.prepare import plan
        from brainsim.script import text as printed

        made = plan(name, **options)
        text = printed(made)
        if "npz" in text:
            tell("note: this script reads .npz files that lie beside it in a run folder: brainsim run makes them")
    elif equations:
        from brainsim.runs.prepare import plan

        text = equations_text(plan(name, **options))
    else:
        from brainsim.runs.prepare import resolved

        text = content(resolved(name, **options))
    write(text, out)


def picture(name: str, out: Path, options: Mapping[str, Any]) -> None:
    """What the part does, into a file; in words where there is nothing to draw."""
    from brainsim import portrait

    made = portrait.draw(name, **options)
    if made.why:
        say(f"There is no picture of {made.name}: {made.why}.")
        return
    made.save(out)
    tell(f"Written to {out}")


def write(text: str, out: Path | None) -> None:
    """To a file, or to stdout."""
    if out is None:
        say(text.rstrip("\n"))
        return
    try:
        out.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    except OSError as error:
        problem = Problem("path", f"cannot write {out}: {error.strerror}", None, "Choose another --out.")
        raise SetupError(problem) from None
    tell(f"Written to {out}")


def graph_text(circuit: Circuit) -> str:
    """Tables of populations, of the projections between them, and of links."""
    cells = [(one.path, f"{one.size:,}", one.neuron.name) for one in circuit.populations.values()]
    rows = [
        (
            one.path,
            end(circuit, one.source),
            end(circuit, one.target),
            " + ".join(part.name for part in one.synapses),
            one.plasticity.name if one.plasticity else "-",
            rule(one),
            "-" if one.delay is None else str(one.delay),
        )
        for one in circuit.projections.values()
    ]
    links = [(".".join(link.target), ".".join(link.source)) for link in circuit.links]
    tables = [table(("population", "cells", "neuron"), cells, right=("cells",))]
    if rows:
        tables.append(table(("projection", "from", "to", "synapse", "rule", "connect", "delay"), rows))
    if links:
        tables.append(table(("link", "shows"), links))
    return "\n\n".join(tables)


def end(circuit: Circuit, ends: Any) -> str:
    """``cortex.exc``, with the slice if it is one."""
    whole = (ends.start, ends.stop) == (0, circuit.populations[ends.path].size)
    return ends.path if whole else f"{ends.path}[{ends.start}:{ends.stop}]"


def rule(projection: Projection) -> str:
    """``all``, ``p 0.1``, ``in_degree 80``."""
    connect = dict(projection.connect)
    name = str(connect.pop("rule"))
    if name == "distance":  # a probability that falls with it, a limit, or both
        given = {"p": connect["p"], "distance": connect["distance"]}
        return ", ".join(f"{key} {value}" for key, value in given.items() if value not in (None, 1.0))
    value = connect.get(name)
    return name if value is None else f"{name} {value}"


def why_text(circuit: Circuit, path: str) -> str:
    """Every value that was given for a path and where, the one that counts last."""
    chain = circuit.history.get(path)
    if chain is None:
        hint = suggest(path, circuit.history, "path")
        raise FitError(Problem("path", f"{path} is no path of {circuit.experiment.experiment}", None, hint))
    if not chain:
        return "not given"
    value = _final(circuit, path)
    rows = [*chain, (value, "what it comes to")] if value not in ("", chain[-1][0]) else chain
    width = max(len(value) for value, _ in rows)
    return "\n".join(f"{value:<{width}}  {origin}" for value, origin in rows)


def _final(circuit: Circuit, path: str) -> str:
    """The value at a path of the resolved model, of which an expression was written; empty if there is none."""
    here: Any = {**circuit.resolved, **circuit.resolved["region"]}
    for word in path.split("."):
        inside = [here, *(here.get(key) for key in _INSIDE)] if isinstance(here, dict) else []
        here = next((place[word] for place in inside if isinstance(place, dict) and word in place), None)
    return str(here) if isinstance(here, int | float | str) and not isinstance(here, bool) else ""


def equations_text(plan: Plan) -> str:
    """Final equations, code and values of every group and connection."""
    parts = [*(group_lines(one) for one in plan.groups), *(synapse_lines(one, plan) for one in plan.connections)]
    return "\n\n".join("\n".join(lines) for lines in parts)


def equation_lines(one: Group | Connection) -> Iterator[str]:
    """Equations without the declarations of constants, whose values stand below."""
    declared = {f"{item.name} : {unit_name(item.value.dims)} (shared, constant)" for item in one.constants}
    yield from (f"    {line.text}" for line in one.equations if line.text not in declared)


def group_lines(group: Group) -> Iterator[str]:
    yield f"{group.path}: {group.size} x {group.cell or 'cell'}"
    yield from equation_lines(group)
    if group.threshold:
        yield from block("threshold", group.threshold)
    if group.reset:
        yield from block("reset", group.reset)
    if group.refractory:
        yield from block("refractory", group.refractory)
    for event in group.events:
        yield from block(f"event {event.name} in {event.when}", event.condition)
        if event.code:
            yield from block(f"on {event.name}", event.code)
    for link in group.links:
        yield f"  {link.variable} shows {link.source}.{link.source_variable}"
    yield from tail(group.regular, group.constants, group.initial)


def synapse_lines(one: Connection, plan: Plan) -> Iterator[str]:
    paths = {group.name: (group.path, group.size) for group in plan.groups}
    ends = []
    for side in (one.source, one.target):
        path, size = paths[side.group]
        ends.append(path if side.size == size else f"{path}[{side.start}:{side.stop}]")
    yield f"{one.path}: {ends[0]} to {ends[1]}, {' + '.join(one.parts)}"
    yield from equation_lines(one)
    for way in one.pathways:
        delay = "" if way.delay is None else f", {way.delay * 1e3:g} ms later"
        yield from block(f"on {way.side} {way.event}{delay}", way.code)
    yield from tail(one.regular, one.constants, one.initial)


def tail(regular: Sequence[Regular], constants: Sequence[Constant], initial: Sequence[Initial]) -> Iterator[str]:
    for item in regular:
        yield from block(f"every {item.period * 1e3:g} ms in {item.when}", item.code)
    if constants:
        yield "  constants: " + ", ".join(f"{item.name} = {item.value}" for item in constants)
    for start in initial:
        yield f"  initial {start.variable} = {start.expression}"


def block(head: str, code: str) -> Iterator[str]:
    """``head: code``, or the code indented below if it has several lines."""
    lines = [line for line in code.strip().splitlines() if line.strip()]
    if len(lines) == 1:
        yield f"  {head}: {lines[0]}"
    else:
        yield f"  {head}:"
        yield from (f"    {line}" for line in lines)


def content(data: Mapping[str, Any]) -> str:
    """As YAML, code in blocks as a person would write it."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            """A value used twice is written twice: nobody wants to look up what ``*id001`` was."""
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=10_000)
