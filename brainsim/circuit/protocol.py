"""The experiment's own keys: run, trial, data, phases, readout, stimuli, record."""

from __future__ import annotations

import math
import re
from typing import Any

from brainsim import source
from brainsim.circuit import feeds
from brainsim.circuit.parts import Site
from brainsim.circuit.regions import Node, Regions
from brainsim.circuit.values import Scope, code, evaluate, literal
from brainsim.circuit.variables import Names
from brainsim.circuit.wiring import TIME, ends, find_population, on_grid, split_slice
from brainsim.encoders import Spikes
from brainsim.errors import FileError, Mark, suggest
from brainsim.overrides import Given, given, put
from brainsim.readouts import READOUTS, Method
from brainsim.source import Tree
from brainsim.spec.experiment import Data, Phase, Readout, Run, Trial
from brainsim.units import NONE, Dims, Quantity

Steps = tuple[str | int, ...]

_WORD = re.compile(r"[A-Za-z_]\w*")
#: Longest run in time steps: a day of compiled code for the smallest network.
MAX_STEPS = 1e12
#: Most trials of a phase: their order is held in memory.
MAX_TRIALS = 100_000_000


class Protocol:
    """Settles the values of an experiment, then holds it against the circuit it runs."""

    def __init__(self, site: Site, tree: Tree, scope: Scope) -> None:
        self.site, self.tree, self.scope, self.problems = site, tree, scope, site.problems
        self.values: dict[Steps, Given] = {}  # what replaces the value in the file
        self.lesioned: list[Steps] = []  # entries that name a population of size 0
        self.fed: dict[str, str] = {}  # input or parameter -> what feeds it
        self.trains: dict[str, Spikes] = {}  # stimulus -> the spike trains it plays
        self.dt: float | None = None

    def settle(self, *path: str | int, default: Any = None) -> Given | None:
        """The value that counts at a key; it takes the place of the one in the file."""
        own = given(self.tree, *path)
        if own is None and default is not None:
            own = Given(default)
        chosen = self.site.overrides.settle(".".join(map(str, path)), own)
        if chosen is not None:
            self.values[path] = chosen
        return chosen

    def quantity(
        self, *path: str | int, dims: Dims | None = None, positive: bool | None = None, default: Any = None
    ) -> Quantity | None:
        """The same for a key that is a quantity, evaluated with the parameters of the outermost region."""
        chosen = self.settle(*path, default=default)
        if chosen is None:
            return None
        found = evaluate(chosen, self.scope, str(path[-1]), self.problems, dims, positive)
        if found is not None:
            self.values[path] = Given(literal(found), chosen.mark, chosen.lines)
        return found

    def time(self) -> float | None:
        """Settle ``run``: the time step in seconds, or None if it is wrong."""
        for key in ("seed", "backend", "threads", "dtype", "rounds"):
            self.settle("run", key, default=Run.model_fields[key].default)
        dt = self.quantity("run", "dt", dims=TIME, positive=True, default=Run.model_fields["dt"].default)
        duration = self.quantity("run", "duration", dims=TIME, positive=True)
        self.dt = None if dt is None else float(dt.value)
        if duration is not None and self.dt is not None:
            self._steps(float(duration.value) / self.dt, f"duration = {duration}", ("run", "duration"))
        return self.dt

    def _steps(self, steps: float, what: str, at: Steps) -> None:
        """A run has at least one step, and not more than anybody can wait for."""
        assert self.dt is not None
        dt = f"{self.dt * 1e3:.9g} ms"
        if steps < 1 - 1e-6:
            message, hint = f"{what} is less than the time step dt = {dt}", f"Run at least {dt}, or make dt smaller."
        elif steps > MAX_STEPS:
            message = f"{what} is {steps:.3g} steps of dt = {dt}, more than {MAX_STEPS:.0e}"
            hint = "Check the units; make it shorter, or dt longer."
        else:
            return
        self.problems.add("limit" if steps > 1 else "value", message, self.values[at].mark, hint)

    # -- against the circuit ----------------------------------------------------------------------

    def check(self, top: Node, regions: Regions) -> None:
        """Settle all other keys, and report what the circuit does not have."""
        self.regions = regions
        self._lengths()
        if self._has("trial"):
            duration = self.quantity("trial", "duration", dims=TIME, positive=True)
            if duration is not None:
                mark = self.values["trial", "duration"].mark
                on_grid(duration, self.dt, "trial.duration", mark, self.problems, zero=False)
            for field in self.tree.get(("trial", "inputs"), {}):
                feeds.trial_input(self, field)
            self.settle("trial", "repeat_while")
            if self.tree.get(("trial", "limit")) is not None or self.values.get(("trial", "repeat_while")) is not None:
                self.settle("trial", "limit", default=Trial.model_fields["limit"].default)
        if self._has("data"):
            found = {key: self.settle("data", key, default=field.default) for key, field in Data.model_fields.items()}
            self._data(found["name"], found["file"])
        for name in self.tree.get(("phases",), {}):
            self._phase(name, top)
        if self._has("readout"):
            self._readout()
        for name in self.tree.get(("stimuli",), {}):
            feeds.stimulus(self, name)
        for k, text in enumerate(self.tree.get(("record", "spikes"), [])):
            self._cells(str(text), ("record", "spikes", k), slices=True)
        for text in self.tree.get(("record", "state"), {}):
            self._state(text)

    def _data(self, name: Given | None, file: Given | None) -> None:
        """Samples come from a data set or from a file below the folder of the experiment."""
        if (name is None) == (file is None):
            message = "data has a name and a file" if name else "data says neither name nor file"
            self.problems.add("key", message, self.key("data"), "Write name: mnist, or file: values.csv.")
        if file is None:
            return
        mark = file.mark or self.tree.mark(("data", "file"))
        try:
            path = source.within(self.regions.root, str(file.value), mark)
        except FileError as error:
            self.problems.take(error)
            return
        if path.suffix not in (".csv", ".npz"):
            self.problems.add("path", f"{file.value} is no file of samples", mark, "Give a .csv or .npz file.")

    def _has(self, key: str) -> bool:
        return isinstance(self.tree.get((key,)), dict)

    def key(self, *path: str | int) -> Mark:
        return self.tree.key_mark(path)

    def _lengths(self) -> None:
        """Exactly one of a duration and phases; what phases need is there, and nothing needs phases without them."""
        problems, phases = self.problems, self.tree.get(("phases",), {})
        duration = self.values.get(("run", "duration"))
        if phases and duration is not None:
            problems.add(
                "value",
                "an experiment has phases or run.duration, not both: its trials add up to the duration",
                duration.mark,
                "Remove run.duration.",
            )
        if not phases and duration is None:
            problems.add(
                "key",
                "the experiment does not say how long it runs",
                self.key("run"),
                "Write run: {duration: 1 s}, or phases: with data: and trial:.",
            )
        for key in ("data", "trial"):
            if phases and not self._has(key):
                problems.add(
                    "needs",
                    f"phases need {key}",
                    self.key("phases"),
                    {
                        "data": "Add data: {name: mnist, train: 1000, test: 500}.",
                        "trial": "Add trial: {duration: 350 ms, inputs: {image: POPULATION.INPUT}}.",
                    }[key],
                )
            if not phases and self._has(key):
                problems.add(
                    "needs", f"{key} is of no use without phases", self.key(key), "Add phases: {train: {data: train}}."
                )
        if not phases and self._has("readout"):
            problems.add("needs", "a readout needs phases", self.key("readout"), "Add phases:, or remove readout:.")

    def _phase(self, name: str, top: Node) -> None:
        at = ("phases", name)
        split = self.settle(*at, "data")
        for key in ("passes", "shuffle"):
            self.settle(*at, key, default=Phase.model_fields[key].default)
        if split is not None and self._has("data") and split.value in ("train", "label", "validation", "test"):
            count = self.values.get(("data", str(split.value)))
            if count is None or count.value == 0:
                self.problems.add(
                    "value",
                    f"phase {name} shows the split {split.value}, which has no samples",
                    split.mark,
                    f"Write for example data.{split.value}: 1000.",
                )
            self._passes(name, count)
        for k, text in enumerate(self.tree.get((*at, "fresh"), [])):
            known = self.regions.known
            if text == "cells" or any(path.startswith(f"{text}.") for path in known):
                continue
            self._cells(str(text), (*at, "fresh", k), also=("cells",))
        for path in self.tree.get((*at, "set"), {}):
            self._changed(path, (*at, "set", path))

    def _passes(self, name: str, count: Given | None) -> None:
        """How many trials a phase has."""
        passes, rounds = self.values.get(("phases", name, "passes")), self.values.get(("run", "rounds"))
        numbers = [
            given.value for given in (passes, count, rounds) if given is not None and isinstance(given.value, int)
        ]
        limit = self.values.get(("trial", "limit"))
        if self.values.get(("trial", "repeat_while")) is not None and limit is not None:
            numbers.append(1 + limit.value if isinstance(limit.value, int) else 1)
        if len(numbers) >= 3 and math.prod(numbers) > MAX_TRIALS:
            message = f"phase {name} has {math.prod(numbers):.3g} trials, more than {MAX_TRIALS:.3g}"
            assert passes is not None
            self.problems.add("limit", message, passes.mark or self.key("phases", name), "Show fewer.")

    def _changed(self, path: str, at: Steps) -> None:
        """A parameter of a part that a phase changes."""
        place = self.site.places.get(path)
        if place is None:
            if any(path == lost or path.startswith(f"{lost}.") for lost in self.regions.lost()):
                self.lesioned.append(at)
                return
            if any(not b or path.startswith(f"{b}.") for b in self.site.overrides.blocked):
                return
            what = "is a value a phase cannot change" if path in self.site.overrides.history else "leads to nothing"
            hint = suggest(path, self.site.places, "parameter")
            self.problems.add(
                "path", f"{path} {what}: phases set parameters of neurons, synapses and rules", self.key(*at), hint
            )
            return
        chosen = self.settle(*at)
        assert chosen is not None
        if isinstance(chosen.value, str) and "round" in _WORD.findall(chosen.value):
            allowed: dict[str, Dims | None] = {"round": NONE}
            text = code(chosen, place.scope, path.rpartition(".")[2], self.problems, allowed=allowed, builtin=(),
                        dims=place.value.dims)  # fmt: skip
            if isinstance(text, str):
                self.values[at] = Given(text, chosen.mark, chosen.lines)
            return
        value = evaluate(chosen, place.scope, path.rpartition(".")[2], self.problems, place.value.dims)
        if value is not None:
            self.values[at] = Given(literal(value), chosen.mark, chosen.lines)

    def _readout(self) -> None:
        for key in ("name", "assign_from", "ties"):
            default = Readout.model_fields[key]
            self.settle("readout", key, default=None if default.is_required() else default.default)
        population = self.settle("readout", "population")
        if population is not None:
            found = find_population(str(population.value), "", self.regions.known, population.mark, self.problems)
            if found and self.regions.known[found] == "lesion":
                self.problems.add(
                    "value",
                    f"{found} has size 0, so nothing can be read out of it",
                    population.mark,
                    "Read out another population.",
                )
        phase, phases = self.values.get(("readout", "assign_from")), self.tree.get(("phases",), {})
        name = self.values.get(("readout", "name"))
        method = READOUTS.get(str(name.value)) if name is not None else None
        if method is None:
            return
        self._readout_parameters(str(name.value) if name else "", method)
        if method.fit is None:
            return  # cells have their class from the start
        if phase and phases and phase.value not in phases:
            mark, name = phase.mark or self.key("readout"), phase.value
            self.problems.add(
                "name", f"readout.assign_from: there is no phase {name}", mark, suggest(str(name), phases, "phase")
            )

    def _readout_parameters(self, name: str, method: Method) -> None:
        """``readout.ridge``: the word ``parameters`` is skipped."""
        for parameter in self.tree.get(("readout", "parameters")) or {}:
            if parameter not in method.parameters:
                mark = self.key("readout", "parameters", parameter)
                hint = suggest(parameter, method.parameters, "parameter") if method.parameters else "Remove it."
                self.problems.add("name", f"{name} has no parameter {parameter}", mark, hint)
        for parameter, default in method.parameters.items():
            where = ("readout", "parameters", parameter)
            own = given(self.tree, *where) or Given(default)
            chosen = self.site.overrides.settle(f"readout.{parameter}", own) or own
            found = evaluate(chosen, self.scope, parameter, self.problems, NONE, False)
            if found is not None:
                self.values[where] = Given(literal(found), chosen.mark, chosen.lines)

    # -- places in the circuit --------------------------------------------------------------------

    def _cells(self, text: str, at: Steps, *, slices: bool = False, also: tuple[str, ...] = ()) -> str | None:
        """A population that an entry names; None if it is unknown or a lesion."""
        mark = self.tree.mark(at)
        known = {**self.regions.known, **dict.fromkeys(also, "fine")}
        found = find_population(text, "", known, mark, self.problems)
        if found is None or known[found] == "wrong":
            return None
        if known[found] == "lesion":
            self.lesioned.append(at)
            return None
        if "[" in text and not slices:
            self.problems.add("path", f"no slice can stand here, got {text}", mark, f"Write {found}.")
        elif "[" in text and ends(text, self.regions.populations[found].size, found, mark, self.problems) is None:
            return None
        return found

    def variable(self, text: str, at: Steps, allowed: str) -> tuple[str, Dims | None] | None:
        """``cortex.drive.rate`` -> the population and the dimensions of its input (or parameter)."""
        chosen = self.values.get(at)
        mark = chosen.mark or self.tree.mark(at) if chosen else self.tree.mark(at)
        population, _, name = text.rpartition(".")
        population = population.removesuffix(".neuron")
        if not population or "[" in text:
            self.problems.add(
                "path", f"{text} is no {allowed} of a population", mark, "Write POPULATION.INPUT, such as drive.rate."
            )
            return None
        full = find_population(population, "", self.regions.known, mark, self.problems)
        if full is None or full not in self.regions.cells:
            return None
        names: Names = self.regions.cells[full]
        fit = dict(names.inputs)
        if allowed != "input":
            neuron = self.regions.neurons[full]
            fit |= {key: value.dims for key, value in neuron.values.items()}
        if name not in fit:
            self.problems.add("name", f"{full} has no {allowed} {name}", mark, suggest(name, fit, allowed))
            return None
        if self.regions.known[full] == "lesion":
            self.lesioned.append(at)
            return None
        return full, fit[name]

    def _state(self, text: str) -> None:
        at: Steps = ("record", "state", text)
        every = self.quantity(*at, "every", dims=TIME, positive=True)
        self.settle(*at, "sample")
        if every is not None:
            on_grid(every, self.dt, "every", self.values[(*at, "every")].mark, self.problems, zero=False)
        path, names = split_slice(text)[0], None
        if path in self.regions.lost():
            self.lesioned.append(at)
        elif path in self.regions.synapses:
            names = self.regions.synapses[path]
            if "[" in text:
                self.problems.add(
                    "path", f"a projection has no slices, got {text}", self.key(*at), f"Write {path}, with sample: N."
                )
        elif path in self.regions.known:
            found = self._cells(text, at, slices=True)
            names = self.regions.cells[found] if found else None
        elif path not in self.regions.tried:  # else it is wrong itself, and reported
            hint = suggest(path, [*self.regions.known, *self.regions.tried], "population or projection")
            self.problems.add("name", f"there is no population or projection {path}", self.key(*at), hint)
        if not set(self.regions.tried) <= {*self.regions.projections, *self.regions.dropped}:
            return  # a projection that is wrong, and reported, may bring what seems to be missing
        for k, variable in enumerate(self.tree.get((*at, "variables"), []) if names else []):
            if names and variable not in names.all:
                self.problems.add(
                    "name",
                    f"{path} has no variable {variable}",
                    self.tree.mark((*at, "variables", k)),
                    suggest(variable, names.all, "variable"),
                )

    # -- the result -------------------------------------------------------------------------------

    def final(self) -> Tree:
        """The experiment with every value settled and without what names a lesion."""
        tree = put(self.tree, self.values)
        for at in self.lesioned:
            self.site.notes.append(
                f"{'.'.join(map(str, at[:-1]))}: {_last(self.tree, at)} is left out, its population has size 0."
            )
        return Tree(_without(tree.data, set(self.lesioned), ()), tree.file, tree.marks, tree.keys, tree.lines)


def _last(tree: Tree, at: Steps) -> Any:
    return tree.get(at) if isinstance(at[-1], int) else at[-1]


def _without(data: Any, gone: set[Steps], at: Steps) -> Any:
    if isinstance(data, dict):
        return {key: _without(value, gone, (*at, key)) for key, value in data.items() if (*at, key) not in gone}
    if isinstance(data, list):
        return [_without(value, gone, (*at, k)) for k, value in enumerate(data) if (*at, k) not in gone]
    return data
