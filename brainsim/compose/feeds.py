"""What an experiment feeds into cells: stimuli, samples, and links from other cells.

The circuit has checked that what is named here exists and that values have the right dimensions.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from brainsim.circuit import Circuit
from brainsim.compose.cell import Cell
from brainsim.compose.plan import Link, Table
from brainsim.equations import parse_equations
from brainsim.errors import Problems
from brainsim.units import NONE, Quantity, describe, unit_name
from brainsim.units import parse as parse_quantity

Cells = Mapping[str, Cell]


def cell_and_name(cells: Cells, path: str) -> tuple[Cell, str]:
    """``cortex.drive.rate`` as the cell and the name of an input or parameter."""
    population, _, name = path.rpartition(".")
    return cells[population.removesuffix(".neuron")], name


def stimuli(circuit: Circuit, cells: Cells) -> None:
    """Let each stimulus take the place of the input or parameter it goes to."""
    for name, stimulus in circuit.experiment.stimuli.items():
        cell, variable = cell_and_name(cells, stimulus.to)
        declared = cell.declared[variable]
        base = declared.value if stimulus.constant is None else parse_quantity(stimulus.constant)
        pulses = stimulus.pulse if isinstance(stimulus.pulse, list) else [stimulus.pulse] if stimulus.pulse else []
        constants: dict[str, Quantity] = {}
        terms = []
        first = name
        for number in itertools.count(2):  # the cell may have names of its own that begin like these
            if not any(re.fullmatch(rf"{first}(_\d+)?_(base|value|start|stop)", other) for other in cell.declared):
                break
            first = f"{name}_{number}"
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
    for field, target in (trial.inputs if trial else {}).items():
        cell, variable = cell_and_name(cells, target)
        dims = cell.declared[variable].dims
        if tuple(dims) != NONE:
            problems.add(
                "unit",
                f"{field} is a plain number, but {target} expects {describe(dims)}",
                circuit.tree.mark(("trial", "inputs", field)),
                "Scale it inside the neuron's equations.",
            )
        one_hot = field == "label"
        table = Table(f"{field}_is" if one_hot else field, field, one_hot)
        cell.fill(variable, parse_equations(f"{variable} : {unit_name(dims)}")[0], {})
        cell.trial_inputs.append((variable, table.name))
        found[cell.name, variable] = table
    return found


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
