"""What an experiment feeds into cells: stimuli, samples, and links from other cells.

The circuit has checked that what is named here exists and that values have the right dimensions.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from brainsim.circuit import Circuit
from brainsim.compose.cell import Cell, Timed
from brainsim.compose.plan import Encode, Event, Link, Table, Train
from brainsim.compose.values import Start
from brainsim.encoders import ENCODERS, NEVER
from brainsim.equations import parse_equations
from brainsim.errors import Problems
from brainsim.expressions import parse_code
from brainsim.spec.experiment import Input
from brainsim.spec.fields import Every
from brainsim.units import NONE, Quantity, describe, parse_unit, unit_name
from brainsim.units import parse as parse_quantity

Cells = Mapping[str, Cell]


def cell_and_name(cells: Cells, path: str) -> tuple[Cell, str]:
    """``cortex.drive.rate`` as the cell and the name of an input or parameter."""
    population, _, name = path.rpartition(".")
    return cells[population.removesuffix(".neuron")], name


def stimuli(circuit: Circuit, cells: Cells) -> tuple[tuple[Train, ...], tuple[str, ...]]:
    """Let each stimulus take the place of the input or parameter it goes to; spike trains, and notes on them."""
    trains, notes = [], []
    for name, stimulus in circuit.experiment.stimuli.items():
        cell, variable = cell_and_name(cells, stimulus.to)
        if name in circuit.trains:
            run = circuit.experiment.run
            steps = NEVER
            if run.duration is not None:
                steps = round(float(parse_quantity(run.duration).value) / cell.clock.dt)
            found = circuit.trains[name].on_grid(cell.clock.dt, steps)
            notes += found.notes(f"stimulus {name}", "run")
            trains.append(Train(_play(cell, variable, name, "0", "t_in_timesteps"), found))
            continue
        declared = cell.declared[variable]
        base = declared.value if stimulus.constant is None else parse_quantity(stimulus.constant)
        pulses = stimulus.pulse if isinstance(stimulus.pulse, list) else [stimulus.pulse] if stimulus.pulse else []
        constants: dict[str, Quantity] = {}
        terms = []
        first = _stem(name, "base|value|start|stop", cell)
        if base is not None:
            constants[f"{first}_base"] = base
            terms.append(f"{first}_base")
        for number, pulse in enumerate(pulses, start=1):
            stem = first if len(pulses) == 1 else f"{first}_{number}"
            term, values = _pulse(stem, pulse)
            terms.append(term)
            constants |= values
        line = f"{variable} = {' + '.join(terms)} : {unit_name(declared.dims)}"
        cell.fill(variable, parse_equations(line)[0], constants)
    return tuple(trains), tuple(notes)


def _stem(name: str, ends: str, cell: Cell, taken: Iterable[str] = ()) -> str:
    """``name``, numbered where there are names already that begin like those to be made from it."""
    stem, known = name, (*cell.declared, *cell.events, *taken)
    for number in itertools.count(2):
        if not any(re.fullmatch(rf"{stem}(_\d+)?_({ends})", other) for other in known):
            break
        stem = f"{name}_{number}"
    return stem


def _play(cell: Cell, variable: str, name: str, sample: str, now: str, taken: Iterable[str] = ()) -> str:
    """Let ``variable`` be 1 in the steps of a spike train, else 0; the name of the function that knows the trains.

    The cell keeps the step of its next spike. Where that is in the past, the first thing in a step is to ask for the
    next one, so the trains are looked into once a spike, and a cell that starts again finds its place by itself.
    """
    stem = _stem(name, "next|due|from", cell, taken)
    cell.fill(variable, parse_equations(f"{variable} = int({stem}_next == {now}) : 1")[0], {})
    cell.declare_equation(parse_equations(f"{stem}_next : integer")[0], cell.part.name)
    cell.starts[f"{stem}_next"] = Start(-1, {}, cell.part.tree, ())
    code = f"{stem}_next = {stem}_from({sample}, i, {now})"
    due = Event(f"{stem}_due", f"{stem}_next < {now}", "start", -98, code, "start", -97)
    cell.events[due.name] = due
    return f"{stem}_from"


def _pulse(stem: str, pulse: Any) -> tuple[str, dict[str, Quantity]]:
    """A term that is the value of the pulse while it lasts, and the constants it names.

    Whole steps are compared: times as floating-point numbers would start a step early or late.
    """
    values = {f"{stem}_value": parse_quantity(pulse.value), f"{stem}_start": parse_quantity(pulse.start)}
    during = f"timestep(t, dt) >= timestep({stem}_start, dt)"
    if pulse.stop is not None:
        values[f"{stem}_stop"] = parse_quantity(pulse.stop)
        during += f" and timestep(t, dt) < timestep({stem}_stop, dt)"
    return f"{stem}_value*int({during})", values


def samples(circuit: Circuit, cells: Cells, problems: Problems) -> dict[tuple[str, str], Table]:
    """Let samples fill inputs; (Brian2 name of the group, variable) -> the table it is read from."""
    found: dict[tuple[str, str], Table] = {}
    trial = circuit.experiment.trial
    for field, entry in (trial.inputs if trial else {}).items():
        target = entry if isinstance(entry, str) else entry.to
        cell, variable = cell_and_name(cells, target)
        encode = () if isinstance(entry, str) else _chain(entry)
        makes = "spikes" if field == "events" else ENCODERS[encode[-1].name].makes if encode else "1"
        dims, spikes = cell.declared[variable].dims, makes == "spikes"
        made = NONE if spikes else parse_unit(makes)[1]
        if tuple(dims) != tuple(made):
            what = f"what {encode[-1].name} makes of it" if encode else field
            hint = "Scale it inside the neuron's equations, or encode it: rate makes Hz, constant_current amperes."
            mark = circuit.tree.mark(("trial", "inputs", field))
            problems.add("unit", f"{what} is {describe(made)}, but {target} expects {describe(dims)}", mark, hint)
        size, path = (cell.population.size, cell.path) if encode or field in ("values", "events") else (0, "")
        if spikes:
            taken = [f"{stimulus}_from" for stimulus in circuit.trains]
            name = _play(cell, variable, field, "sample", "trial_step", taken)
            cell.read(["trial_step"])
            cell.plays_samples = True
            again = parse_code(f"{name.removesuffix('_from')}_next = -1")
            every = Every(each="trial_start", code="", when="start", order=-99)
            assert trial is not None
            cell.timed.append(Timed(again, every, cell.clock.trial or cell.clock.dt, None))
        else:
            name = f"{field}_is" if field == "label" else field
            cell.fill(variable, parse_equations(f"{variable} : {unit_name(dims)}")[0], {})
            # A table holds plain numbers, in SI units.
            cell.trial_inputs.append((variable, name if tuple(dims) == NONE else f"{unit_name(dims)}*{name}"))
        found[cell.name, variable] = Table(name, field, field == "label", encode, spikes, size, path)
    return found


def _chain(entry: Input) -> tuple[Encode, ...]:
    """The encoders of an input, in the order in which they work, with parameters in SI units."""
    uses = entry.encode if isinstance(entry.encode, list) else [entry.encode]
    return tuple(
        Encode(use)
        if isinstance(use, str)
        else Encode(use.name, tuple((k, float(parse_quantity(v).value)) for k, v in use.parameters.items()))
        for use in uses
    )


def links(circuit: Circuit, cells: Cells, problems: Problems) -> None:
    """Brian2's linked variables; each one that a cell declares needs a link."""
    for link in circuit.links:
        (path, variable), (origin, shown) = link.target, link.source
        cells[origin].read([shown])
        cells[path].links.append(Link(variable, cells[origin].name, shown))
    for cell in cells.values():
        linked = [link.variable for link in cell.links]
        for name, declared in cell.declared.items():
            if declared.equation is not None and "linked" in declared.equation.flags and name not in linked:
                problems.add(
                    "needs",
                    f"{cell.path}: {name} of {cell.part.name} is linked, but no link says to what",
                    cell.population.tree.mark(()),
                    f"Add to the region: links: {{{cell.path}.{name}: POPULATION.VARIABLE}}",
                )
