"""Ports: the currents of a cell on which projections land, ``I_syn`` and those it declares."""

from __future__ import annotations

from brainsim.compose.cell import Cell, Current
from brainsim.compose.scope import Checker
from brainsim.equations import parse_equations
from brainsim.errors import Problems, suggest
from brainsim.units import NONE, Dims, describe, parse_unit, unit_name

#: What the current of a port may be.
PORT_DIMS = [parse_unit(unit)[1] for unit in ("amp", "volt", "1", "amp/meter**2", "volt/second", "1/second")]


def land(cell: Cell, port: str, current: Current) -> None:
    """Let a current join a port."""
    if port not in cell.ports:
        cell.problems.add(
            "fit",
            f"{current.projection} uses port {port}, but {cell.part.name} has none of that name",
            current.mark,
            suggest(port, cell.ports, "port"),
        )
    elif current.variable not in [c.variable for c in cell.ports[port]]:
        cell.ports[port].append(current)


def close(cell: Cell) -> None:
    """Give every port its sum. Called once all projections have landed."""
    for port, currents in cell.ports.items():
        if port in cell.declared:
            continue
        if port not in cell.used:
            for current in currents:
                cell.problems.add(
                    "fit",
                    f"{current.projection}: {current.part} brings a current, but {cell.part.name} ({cell.path})"
                    f" has no {port}",
                    current.mark,
                    f"Use a synapse that acts on a variable of {cell.part.name}, or a neuron with {port} in its"
                    " equations.",
                )
            continue
        wanted = _port_dims(cell, port)
        for current in currents:
            if wanted is not None and tuple(current.dims) != tuple(wanted):
                cell.problems.add(
                    "fit",
                    f"{current.projection}: {current.part} brings {describe(current.dims)}, but {port} of"
                    f" {cell.part.name} ({cell.path}) is {describe(wanted)}",
                    current.mark,
                    f"Use a synapse whose current is {describe(wanted)}, or another neuron.",
                )
        dims = wanted or (currents[0].dims if currents else NONE)
        unit = unit_name(dims)
        right = " + ".join(c.variable for c in currents) or ("0" if unit == "1" else f"0*{unit}")
        cell.declare_equation(parse_equations(f"{port} = {right} : {unit}")[0], cell.part.name)


def _port_dims(cell: Cell, port: str) -> Dims | None:
    """The one dimension of ``port`` with which the neuron's own equations agree."""
    fitting = []
    for dims in PORT_DIMS:
        found = Problems()

        def find(name: str, dims: Dims = dims) -> Dims | None:
            return dims if name == port else cell.find(name)

        checker = Checker(find, lambda: (), found)
        for equation in cell.equations():
            if equation.expression is not None and port in equation.expression.names:
                checker.equation(equation)
        if not found.found:
            fitting.append(dims)
    return fitting[0] if len(fitting) == 1 else None
