"""What can be named at a population or a projection: parameters, inputs and the variables of its equations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from brainsim.circuit.model import Part, Projection
from brainsim.equations import Equation, parse_equations
from brainsim.errors import FileError, Problems
from brainsim.units import Dims, parse_unit


@dataclass
class Names:
    """Names at one place with their dimensions (None where that is only known once everything is put together)."""

    parameters: dict[str, Dims | None] = field(default_factory=dict)
    inputs: dict[str, Dims | None] = field(default_factory=dict)
    equations: dict[str, Equation] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, Dims | None]:
        """Every name."""
        return {**self.parameters, **self.inputs, **{name: eq.dims for name, eq in self.equations.items()}}

    @property
    def settable(self) -> dict[str, Dims | None]:
        """Names that have an initial value: all but those that are computed."""
        return {name: dims for name, dims in self.all.items() if not self._computed(name)}

    def _computed(self, name: str) -> bool:
        found = self.equations.get(name)
        return found is not None and (found.kind == "sub" or "linked" in found.flags)


def equations(part: Part, *path: str, problems: Problems) -> dict[str, Equation]:
    """The equations of a part at ``path``; what is wrong with them is reported."""
    text = part.tree.get(path, "")
    if not isinstance(text, str) or not text.strip():
        return {}
    try:
        return {eq.name: eq for eq in parse_equations(text, part.tree.lines.get(path, ()), _functions(part))}
    except FileError as error:
        problems.take(error)
        return {}


class _AnyNumber(int):
    """A number of arguments that fits: how many a function takes is checked where functions are known."""

    __hash__ = int.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


def _functions(part: Part) -> Mapping[str, int]:
    return {name: _AnyNumber() for name in getattr(part.spec, "functions", ())}


def of_cell(neuron: Part, problems: Problems) -> Names:
    """What a neuron file declares."""
    found = Names({name: value.dims for name, value in neuron.values.items()})
    for name, text in neuron.spec.inputs.items():
        try:
            found.inputs[name] = parse_unit(text)[1]
        except ValueError as error:
            problems.add(
                "unit", f"{name}: {error}", neuron.tree.mark(("inputs", name)), "Write a unit such as Hz, amp or 1."
            )
            found.inputs[name] = None
    found.equations = equations(neuron, "equations", problems=problems)
    for port in ("I_syn", *neuron.spec.ports):
        found.parameters.setdefault(port, None)
    return found


def of_synapse(parts: Iterable[Part], problems: Problems) -> Names:
    """What synapses and a rule declare on the projection itself."""
    found = Names()
    for part in parts:
        found.parameters |= {name: value.dims for name, value in part.values.items()}
        found.equations |= equations(part, "equations", problems=problems)
    return found


def add_to_cells(projection: Projection, cells: Mapping[str, Names], problems: Problems) -> None:
    """Note what a projection adds to the cells at its ends."""
    for synapse in projection.synapses:
        cells[projection.target.path].equations |= equations(synapse, "post", "equations", problems=problems)
    if projection.plasticity:
        for side, end in (("pre", projection.source), ("post", projection.target)):
            added = equations(projection.plasticity, side, "equations", problems=problems)
            names = cells[end.path].equations
            names |= {name: eq for name, eq in added.items() if name not in names}
