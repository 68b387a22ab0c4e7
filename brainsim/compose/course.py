"""The course of a run: the trial clock, and the phases with what they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brainsim.circuit import Circuit
from brainsim.compose.cell import Cell
from brainsim.compose.join import Join
from brainsim.compose.plan import Constant, Group, Initial, Line, Phase, Regular, Table, Trial
from brainsim.compose.values import Clock
from brainsim.errors import Problems, suggest
from brainsim.units import NONE
from brainsim.units import parse as parse_quantity

#: Brian2 name of the one-cell group that counts trials.
TRIALS = "trials"
#: Function that gives the row of the sample table shown in a trial.
ORDER = "sample_order"


def trial(clock: Clock, inputs: Mapping[tuple[str, str], Table]) -> Trial | None:
    """How samples are shown, if they are."""
    if clock.trial is None:
        return None
    filled = tuple((group, variable, table.name) for (group, variable), table in inputs.items())
    return Trial(clock.trial, round(clock.trial / clock.dt), TRIALS, filled)


def trial_clock(shown: Trial, dt: float) -> Group:
    """One cell that counts trials and knows which sample is shown: an ordinary group like any other."""
    begin = f"trial += 1\nsample = {ORDER}(trial)\ntrial_step = 0"
    return Group(
        name=shown.clock,
        path=shown.clock,
        size=1,
        equations=(Line("trial : integer"), Line("trial_step : integer"), Line("sample : integer")),
        regular=(
            Regular(f"{shown.clock}_step", "trial_step += 1", dt, "start", -101),
            Regular(f"{shown.clock}_next", begin, shown.duration, "start", -100),
        ),
        initial=(Initial("trial", "-1", NONE, f"{shown.clock}.trial", integer=True),),
        cell="trial clock",
        about="Counts trials and steps, and knows which sample is shown.",
    )


class Homes:
    """Where parameters live while the network runs: (object, variable) by their paths."""

    def __init__(self, cells: Mapping[str, Cell], joins: Sequence[Join]):
        self.found: dict[str, tuple[str, str]] = {}
        for cell in cells.values():
            for name, declared in cell.declared.items():
                if declared.value is not None and name in cell.used and not declared.per_cell:
                    self.found[f"{cell.path}.neuron.{name}"] = (cell.name, name)
        for join in joins:
            for part in join.parts:
                # One of several synapses already says which in its path.
                stem = join.path if join.path != join.projection.path else f"{join.path}.{part.kind}"
                for name in part.values:
                    held = join.naming.on_cell(part, name)
                    if held is not None:
                        self.found[f"{stem}.{name}"] = (join.naming.cells[held[0]].name, held[1])
                    elif join.naming.own[part.kind][name] in join.used:
                        self.found[f"{stem}.{name}"] = (join.name, join.brian_name(part, name))

    def of(self, path: str) -> tuple[str, str] | None:
        """The object and variable of a parameter; None if no code reads it while the network runs."""
        owner, _, name = path.rpartition(".")
        candidates = (path, *(f"{owner}.{kind}.{name}" for kind in ("neuron", "synapse", "plasticity")))
        return next((self.found[c] for c in candidates if c in self.found), None)


def phases(circuit: Circuit, cells: Mapping[str, Cell], homes: Homes, problems: Problems) -> tuple[Phase, ...]:
    """The stretches of the run; one of ``run.duration`` where there are no samples."""
    experiment = circuit.experiment
    if not experiment.phases:
        duration = experiment.run.duration
        return (Phase("run", float(parse_quantity(duration).value) if duration is not None else 0.0),)
    made = []
    for name, phase in experiment.phases.items():
        changes = []
        for path, value in phase.set.items():
            home = homes.of(path)
            if home is None:
                mark = circuit.tree.key_mark(("phases", name, "set", path))
                message = f"{path} cannot change between phases: no code reads it while the network runs"
                problems.add("path", message, mark, suggest(path, homes.found, "parameter"))
            else:
                changes.append((home[0], Constant(home[1], parse_quantity(value))))
        fresh = [c.name for item in phase.fresh for p, c in cells.items() if _within(p, item)]
        count = getattr(experiment.data, phase.data)
        made.append(
            Phase(
                name, 0.0, phase.data, phase.passes, phase.shuffle, count, tuple(changes), tuple(dict.fromkeys(fresh))
            )
        )
    return tuple(made)


def _within(path: str, item: str) -> bool:
    """Whether a population belongs to an entry of ``fresh``: all cells, itself, or a region around it."""
    return item in ("cells", path) or path.startswith(f"{item}.")
