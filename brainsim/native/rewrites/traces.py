"""traces: what all synapses of a cell have in common is kept once, for the cell.

A variable with an event-driven equation, like the trace of a plasticity rule, has the same value in all synapses of a
cell if it starts so and only that cell's events change it. Then one number for each cell will do; it decays in every
time step, and synapses that are reached read it.

Legal where

- the equation mentions nothing but the variable itself and what all synapses share;
- only pathways of one side (``on_pre`` or ``on_post``) change the variable, by the same amount in all synapses of the
  cell, and their spikes arrive at all of these at the same time: one delay;
- no other object (a monitor, a summed variable, scheduled code) uses the variable or ``lastupdate``;
- the synapses of each cell hold the same value when a run starts.

It is taken where a cell has many synapses. Values are those of the equation, but the decay is computed in other pieces,
so last bits may differ. Whoever reads or writes the variable in Python finds it in the synapses: see ``to_synapses``.
"""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from typing import Any

import numpy as np
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.core.variables import ArrayVariable, AuxiliaryVariable, Constant, Subexpression
from brian2.parsing.statements import parse_statement
from brian2.stateupdaters.exact import linear
from brian2.utils.stringtools import get_identifiers, word_substitute

from brainsim.native.rewrites.expressions import NotLegal

NAME = "traces"
#: A cell has to have that many synapses; a test sets it to 0.
fewest = 20
_NEAR = {"pre": "_presynaptic_idx", "post": "_postsynaptic_idx"}
_RANDOM = {"rand", "randn", "poisson"}


def statements_of(code: str) -> list[tuple[str, str, str]]:
    """(variable, operation, expression) for each statement of abstract code."""
    lines = [line for line in re.split(r"[;\n]", code) if line.strip() and not line.strip().startswith("#")]
    return [parse_statement(line)[:3] for line in lines]


class Traces:
    """The traces of one :class:`brian2.Synapses` that are kept by cell."""

    def __init__(self, synapses: Any, device: Any) -> None:
        self.synapses, self.device = synapses, device
        self.variables = synapses.variables
        self.key = self.variables["_synaptic_pre"]  # a Synapses is often met as a proxy, which is no key
        self.update = statements_of(linear(synapses.event_driven, synapses.variables))
        self.names = list(synapses.event_driven.diff_eq_names)
        self.reasons: dict[str, str] = {}  # why a variable stays in the synapses
        self.side: dict[str, str] = {}  # which cells keep it
        for name in self.names:
            try:
                self.side[name] = self._side(name)
            except NotLegal as reason:
                self.reasons[name] = str(reason)
        # What stays may not depend on what does not.
        for name in self.reasons:
            for other in set(self.side) & self._mentioned(name):
                self.reasons.setdefault(other, f"the equation of '{name}' mentions it")
                del self.side[other]
        self.kept: dict[str, ArrayVariable] = {}
        self.sources: dict[str, Any] = {}  # the values that equations mention
        self.steps: list[Any] = []  # code objects that let the traces decay
        self.current = False  # whether the cells' values are the present ones, and not the synapses'

    # --- legality ---------------------------------------------------------------------------------------------------

    def _mentioned(self, name: str) -> set[str]:
        own = [expression for variable, _, expression in self.update if variable in (name, f"_{name}")]
        return (set().union(*map(get_identifiers, own)) - {f"_{name}"}) & set(self.names)

    def _side(self, name: str) -> str:
        """Which side keeps a variable; raises NotLegal if none can."""
        synapses = self.synapses
        if len(synapses) < fewest * (len(synapses.source) + len(synapses.target)):
            raise NotLegal(f"there are fewer than {fewest} synapses for each cell")
        if self.key in self.device.no_traces:
            raise NotLegal(self.device.no_traces[self.key])
        for variable, _, expression in self.update:
            if variable == f"_{name}":
                for other in get_identifiers(expression) - {name, "dt"}:
                    known = synapses.variables.get(other)
                    if known is not None and not (known.scalar or isinstance(known, (Constant, Function))):
                        raise NotLegal(f"its equation mentions '{other}'")
        if any(pathway.clock is not synapses.clock for pathway in synapses._pathways):
            raise NotLegal("its pathways have clocks of their own")
        for other, variable in synapses.variables.items():
            if isinstance(variable, Subexpression) and name in get_identifiers(variable.expr):
                raise NotLegal(f"the expression '{other}' mentions it")
        sides = set()
        for pathway in synapses._pathways:
            if "lastupdate" in get_identifiers(pathway.code):
                raise NotLegal(f"'{pathway.name}' mentions 'lastupdate'")
            if any(variable == name for variable, _, _ in statements_of(pathway.code)):
                sides.add(pathway.prepost)
                self._check_pathway(pathway, name)
        if len(sides) > 1:
            raise NotLegal("events of both sides change it")
        return sides.pop() if sides else "pre"

    def _check_pathway(self, pathway: Any, name: str) -> None:
        delays = pathway.variables["delay"].get_value()
        if len(delays) and np.ptp(np.floor(np.asarray(delays) / pathway.source.clock.dt_ + 0.5)) > 0:
            raise NotLegal(f"spikes of '{pathway.name}' arrive at different times")
        variables, near = self.variables, _NEAR[pathway.prepost]
        statements = statements_of(pathway.code)
        written = {variable for variable, _, _ in statements}
        arrays = {id(variables[other]) for other in written if other in variables}
        for variable, _, expression in statements:
            if variable != name:
                continue
            for other in get_identifiers(expression) - {name}:
                known = variables.get(other, DEFAULT_FUNCTIONS.get(other))
                shared = known is None or isinstance(known, (Constant, Function)) or known.scalar
                of_cell = known is not None and variables.indices.get(other) == near and id(known) not in arrays
                if other in _RANDOM or other in self.names or (known is None and other in written):
                    raise NotLegal(f"'{pathway.name}' changes it by '{other}'")
                if not (shared or of_cell) or isinstance(known, Subexpression):
                    raise NotLegal(f"'{pathway.name}' changes it by '{other}'")

    # --- code -------------------------------------------------------------------------------------------------------

    def prepare(self, variables: dict[str, Any]) -> None:
        """Make the cells' arrays, and what lets them decay; ``variables`` are those of a pathway's code."""
        synapses = self.synapses
        for _, _, expression in self.update:
            for other in get_identifiers(expression) - set(self.names):
                if not other.startswith("_") and other != "dt":
                    self.sources[other] = variables[other]
        end = {"pre": synapses.variables["_synaptic_pre"], "post": synapses.variables["_synaptic_post"]}
        self.ends = end
        self.time = ArrayVariable("traces_time", synapses, 1, self.device, dtype=np.float64, scalar=True)
        self.device.add_array(self.time)
        clock = synapses.clock
        self.device.arrays[self.time][0] = clock.t_ - clock.dt_  # the first time step decays to the present
        for name, side in self.side.items():
            size = int(end[side].get_value().max(initial=-1)) + 1
            variable = synapses.variables[name]
            array = ArrayVariable(name, synapses, size, self.device, dimensions=variable.dim, dtype=variable.dtype)
            self.device.add_array(array)
            self.kept[name] = array
        for side in ("pre", "post"):
            made = self._decay(side)
            if made is not None:
                code, used, indices = made
                name = f"{synapses.name}_{side}_traces_codeobject"
                self.steps.append(self.device.code_object(synapses, name, {None: code}, used, "stateupdate", indices))

    def _decay(self, side: str) -> tuple[str, dict[str, Any], dict[str, str]] | None:
        """Abstract code, variables and indices for the decay of one side's traces in a time step."""
        names = [name for name, its in self.side.items() if its == side]
        if not names:
            return None
        code = [f"{variable} {op} {expression}" for variable, op, expression in self.update
                if variable in names or variable.removeprefix("_") in names]  # fmt: skip
        code.insert(0, "traces_time = t")
        variables = dict(self.sources)
        variables |= {name: self.kept[name] for name in names} | {"traces_time": self.time}
        variables |= {name: self.synapses.clock.variables[name] for name in ("t", "dt")}
        variables["N"] = Constant("N", value=self.kept[names[0]].size)
        shared = {name: "0" for name, its in variables.items() if getattr(its, "scalar", False)}
        indices = defaultdict(lambda: "_idx", shared)
        return "\n".join(code), variables, indices

    def rewrite(
        self, pathway: Any, variables: dict[str, Any], indices: dict[str, str]
    ) -> tuple[dict[str, str], dict[str, Any], dict[str, str]]:
        """A pathway's code in two blocks: what is done once for a spike, and what for each synapse."""
        variables, indices = dict(variables), copy.copy(indices)
        if not self.reasons:
            del variables["lastupdate"]
        owned = {name: f"_{name}_0" for name, side in self.side.items() if side == pathway.prepost}
        per_spike = [f"{version} = {name}" for name, version in owned.items()]
        per_synapse = []
        counts = dict.fromkeys(owned, 0)
        rest = [(v, op, e) for v, op, e in self.update if v not in self.side and v.removeprefix("_") not in self.side]
        rest = [(v, op, re.sub(r"\bdt\b", "(t - lastupdate)", e)) for v, op, e in rest]
        last = [("lastupdate", "=", "t")] if self.reasons else []
        for variable, op, expression in [*rest, *statements_of(pathway.code), *last]:
            expression = word_substitute(expression, owned)
            if variable in owned:
                counts[variable] += 1
                new = f"_{variable}_{counts[variable]}"
                if op != "=":
                    expression = f"{owned[variable]} {op[:-1]} ({expression})"
                per_spike.append(f"{new} = {expression}")
                owned[variable] = new
            else:
                per_synapse.append(f"{variable} {op} {expression}")
        per_spike += [f"{name} = {version}" for name, version in owned.items() if counts[name]]
        for name, side in self.side.items():
            variables[name], indices[name] = self.kept[name], _NEAR[side]
            variables[_NEAR[side]], indices[_NEAR[side]] = self.ends[side], "_idx"
            for number in range(counts.get(name, -1) + 1):
                variables[f"_{name}_{number}"] = AuxiliaryVariable(f"_{name}_{number}", dtype=self.kept[name].dtype)
                indices[f"_{name}_{number}"] = "_idx"
        return {"spike": "\n".join(per_spike), "synapse": "\n".join(per_synapse)}, variables, indices

    # --- values -----------------------------------------------------------------------------------------------------

    def uses(self, codeobject: Any) -> bool:
        """Whether a code object uses what is not up to date in the synapses."""
        hidden = [self.device.arrays[variable] for variable in self.hidden()]
        return any(array is its for array in codeobject.arrays for its in hidden)

    def hidden(self) -> list[Any]:
        """The variables of the synapses that are not up to date while the cells' values are the present ones."""
        names = [*self.side, *([] if self.reasons else ["lastupdate"])]
        return [self.variables[name] for name in names]

    def touched(self) -> None:
        if self.current:
            self.to_synapses()

    def to_synapses(self) -> None:
        """Give the synapses the values of their cells."""
        self.current = False
        arrays, variables = self.device.arrays, self.variables
        lastupdate, time = arrays[variables["lastupdate"]].data, arrays[self.time][0]
        sizes = [len(arrays[variables[name]]) for name in [*self.side, "lastupdate"]]
        count = min(sizes)  # without synapses that are just being made
        ends = {side: variable.get_value()[:count] for side, variable in self.ends.items()}
        values = {name: arrays[self.kept[name]][ends[side]] for name, side in self.side.items()}
        if self.reasons:  # the synapses have their own times: no event has changed a trace since then
            values = self._evolved(values, lastupdate[:count] - time)
        else:
            lastupdate[:count] = time
        for name, its in values.items():
            arrays[variables[name]].data[:count] = its

    def _evolved(self, values: dict[str, np.ndarray], dt: np.ndarray) -> dict[str, np.ndarray]:
        """The values after a time ``dt`` without events, by the equation."""
        known: dict[str, Any] = {name: value.pyfunc if isinstance(value, Function) else np.asarray(value.get_value())
                                 for name, value in self.sources.items()}  # fmt: skip
        known |= {**values, "dt": dt}
        for variable, _, expression in self.update:
            if variable in self.side or variable.removeprefix("_") in self.side:
                with np.errstate(over="ignore", invalid="ignore"):
                    known[variable] = eval(expression, {"__builtins__": {}}, known)
        # Back in time from what has long decayed, growth without bounds meets a value that is rounded to nothing: the
        # value itself will do, as it stays where it is.
        return {name: np.where(np.isfinite(known[name]), known[name], values[name]) for name in self.side}

    def from_synapses(self) -> None:
        """Take the values from the synapses, as they would be now; NotLegal if those of a cell differ."""
        arrays, variables = self.device.arrays, self.variables
        time = arrays[self.time][0]
        if not all(pathway.queue.only_whole_runs() for pathway in self.synapses._pathways):
            raise NotLegal("spikes are on their way that do not reach all synapses of a cell")
        old = {name: arrays[variables[name]].data for name in self.side}
        if any(values.any() for values in old.values()):
            old = self._evolved(old, time - arrays[variables["lastupdate"]].data)
        for name, side in self.side.items():
            cells, kept = self.ends[side].get_value(), arrays[self.kept[name]]
            kept[:] = 0
            kept[cells] = old[name]
            scale = np.abs(old[name]).max(initial=0)
            if not np.all(np.abs(kept[cells] - old[name]) <= 1e-9 * scale):
                raise NotLegal(f"synapses of one cell hold values of '{name}' of their own")
        self.current = True
