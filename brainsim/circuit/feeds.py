"""What is fed in: the inputs of trials with their encoders, and stimuli with their pulses or spike trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainsim.circuit import trains
from brainsim.circuit.values import evaluate, literal
from brainsim.circuit.wiring import TIME
from brainsim.encoders import ENCODERS, UNITS
from brainsim.errors import suggest
from brainsim.overrides import Given, given
from brainsim.units import NONE, Dims, describe, parse_unit

if TYPE_CHECKING:
    from brainsim.circuit.protocol import Protocol, Steps


def trial_input(protocol: Protocol, field: str) -> None:
    """An input of the trials: which variable it feeds, and through which encoders."""
    at: Steps = ("trial", "inputs", field)
    place = at
    if isinstance(protocol.tree.get(at), dict):
        place = (*at, "to")
        _encode(protocol, field, at)
    chosen = protocol.settle(*place)
    found = protocol.variable(str(chosen.value), place, "input") if chosen is not None else None
    if protocol.lesioned and protocol.lesioned[-1] == place != at:
        protocol.lesioned[-1] = at
        protocol.site.overrides.block(".".join(map(str, at)))
    if found is not None and chosen is not None:
        protocol.fed[f"{found[0]}.{str(chosen.value).rpartition('.')[2]}"] = f"trial.inputs.{field}"


def _encode(protocol: Protocol, field: str, at: Steps) -> None:
    """The encoders of an input: their parameters, and whether each takes what the one before it makes."""
    if field in ("events", "label"):
        message = "events are spikes already" if field == "events" else "a label is no value"
        hint = f"Write {field}: {protocol.tree.get((*at, 'to'), 'POPULATION.INPUT')}."
        protocol.problems.add("value", f"{message}, so {field} takes no encoder", protocol.key(*at, "encode"), hint)
        return
    uses = protocol.tree.get((*at, "encode"))
    many = isinstance(uses, list)
    for k, use in enumerate(uses if many else [uses]):
        place: Steps = (*at, "encode", k) if many else (*at, "encode")
        name = use.get("name") if isinstance(use, dict) else use
        encoder = ENCODERS[str(name)]
        if encoder.makes == "spikes" and many and k < len(uses) - 1:
            message = f"{name} makes spikes, so no encoder can come after it"
            protocol.problems.add("value", message, protocol.tree.mark(place), "Put it last.")
        given_ = use.get("parameters") or {} if isinstance(use, dict) else {}
        for parameter in given_:
            if parameter not in encoder.parameters:
                mark = protocol.key(*place, "parameters", parameter)
                hint = suggest(parameter, encoder.parameters, "parameter")
                protocol.problems.add("name", f"{name} has no parameter {parameter}", mark, hint)
        for parameter, default in encoder.parameters.items():
            _encoder_parameter(protocol, str(name), at, place, parameter, default is None)


def _encoder_parameter(protocol: Protocol, encoder: str, at: Steps, place: Steps, name: str, needed: bool) -> None:
    """``trial.inputs.image.encode.t_max``: the word ``parameters`` is skipped, and the place in a list, too."""
    where = (*place, "parameters", name)
    path = ".".join(map(str, (*at, "encode", name)))
    chosen = protocol.site.overrides.settle(path, given(protocol.tree, *where))
    dims = parse_unit(UNITS[name])[1]
    if chosen is None:
        if needed:
            message = f"{encoder} needs {name}, {describe(dims)}"
            hint = f"Write encode: {{name: {encoder}, parameters: {{{name}: ...}}}}."
            protocol.problems.add("key", message, protocol.tree.mark(place), hint)
        return
    found = evaluate(chosen, protocol.scope, name, protocol.problems, dims)
    if found is not None:
        protocol.values[where] = Given(literal(found), chosen.mark, chosen.lines)


def stimulus(protocol: Protocol, name: str) -> None:
    """A stimulus: which variable it feeds, and with what."""
    at: Steps = ("stimuli", name)
    to = protocol.settle(*at, "to")
    found = protocol.variable(str(to.value), (*at, "to"), "input or parameter") if to is not None else None
    if protocol.lesioned and protocol.lesioned[-1] == (*at, "to"):
        protocol.lesioned[-1] = at
        protocol.site.overrides.block(".".join(map(str, at)))
        return
    dims = found[1] if found else None
    if found is not None and to is not None:
        target = f"{found[0]}.{str(to.value).rpartition('.')[2]}"
        other = protocol.fed.setdefault(target, f"stimulus {name}")
        if other != f"stimulus {name}":
            protocol.problems.add(
                "value",
                f"{other} and stimulus {name} both feed {target}",
                to.mark or protocol.key(*at),
                "Write one stimulus; its pulse may be a list of pulses.",
            )
    if _plays(protocol, name, at, found):
        return
    protocol.quantity(*at, "constant", dims=dims)
    pulses = protocol.tree.get((*at, "pulse"))
    if pulses is None and protocol.tree.get((*at, "constant")) is None:
        protocol.problems.add(
            "key",
            f"stimulus {name} has no constant, pulse, times or file",
            protocol.key(*at),
            "Write constant: 20 Hz.",
        )
    places: list[Steps] = [(*at, "pulse")] if pulses else []
    if isinstance(pulses, list):
        places = [(*at, "pulse", k) for k in range(len(pulses))]
    for place in places:
        protocol.quantity(*place, "value", dims=dims)
        start = protocol.quantity(*place, "start", dims=TIME, positive=False, default="0 ms")
        stop = protocol.quantity(*place, "stop", dims=TIME, positive=False)
        if start is not None and stop is not None and not start.value < stop.value:
            protocol.problems.add(
                "value",
                f"the pulse stops at {stop}, before it starts at {start}",
                protocol.values[(*place, "stop")].mark,
                "Make stop later than start.",
            )


def _plays(protocol: Protocol, name: str, at: Steps, found: tuple[str, Dims | None] | None) -> bool:
    """Read the spike trains of a stimulus, if it has any."""
    kinds = [key for key in ("times", "file", "constant", "pulse") if protocol.tree.get((*at, key)) is not None]
    if not set(kinds) & {"times", "file"}:
        if protocol.tree.get((*at, "population")) is not None:
            protocol.problems.add(
                "key", "population belongs to a file of spikes", protocol.key(*at, "population"), "Add file: NAME.h5."
            )
        return False
    if len(kinds) > 1:
        message = f"stimulus {name} has {' and '.join(kinds)}; spike trains come from one place"
        protocol.problems.add("key", message, protocol.key(*at, kinds[-1]), f"Keep {kinds[0]}.")
        return True
    place = (*at, kinds[0])
    file, population = (protocol.settle(*at, key) for key in ("file", "population"))
    times = {
        str(cell): [protocol.quantity(*place, cell, k, dims=TIME, positive=False) for k in range(len(entries))]
        for cell, entries in (protocol.tree.get((*at, "times")) or {}).items()
    }
    if found is None or found[1] is None:
        return True
    if tuple(found[1]) != NONE:
        message = f"a spike train is 1 in the step of a spike, but stimulus {name} goes to {describe(found[1])}"
        hint = "Send it to an input that is a plain number, such as spike of the neuron recorded."
        protocol.problems.add("unit", message, protocol.tree.mark((*at, "to")), hint)
        return True
    size = protocol.regions.populations[found[0]].size
    made = None
    if kinds[0] == "times":
        marks = {cell: protocol.key(*place, cell) for cell in times}
        made = trains.listed(times, size, found[0], marks, protocol.problems)
    elif file is not None:
        mark = file.mark or protocol.tree.mark(place)
        wanted = (str(population.value), population.mark) if population is not None else None
        made = trains.read(str(file.value), wanted, size, protocol.regions.root, mark, protocol.problems)
    if made is not None:
        protocol.trains[name] = made
    return True
