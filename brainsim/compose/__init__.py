"""Circuit -> plan: merges cells, synapses and rules into the final objects of a Brian2 network.

Text and numbers only. Nothing here knows any rule, task or backend by name.
"""

from __future__ import annotations

from collections.abc import Mapping

from brainsim.circuit import Circuit
from brainsim.compose import course, feeds, ports
from brainsim.compose.alone import check_alone
from brainsim.compose.cell import Cell
from brainsim.compose.connection import finish
from brainsim.compose.join import Join, Suppliers
from brainsim.compose.plan import Data, Plan, Readout
from brainsim.compose.values import Clock
from brainsim.compose.watches import Watches
from brainsim.errors import FitError, Problems
from brainsim.functions import ARITY
from brainsim.library import Library
from brainsim.readouts import READOUTS
from brainsim.spec import Experiment
from brainsim.units import parse as parse_quantity

__all__ = ["check_alone", "compose"]

#: The splits of a data set.
SPLITS = ("train", "label", "validation", "test")


def compose(circuit: Circuit, library: Library | None = None) -> Plan:
    """The plan of an experiment; ``library`` only serves to name parts in hints.

    Raises :class:`FitError` with every problem found: unknown names, wrong dimensions, parts that do not fit.
    """
    problems = Problems()
    experiment = circuit.experiment
    dt = float(parse_quantity(experiment.run.dt).value)
    duration = float(parse_quantity(experiment.trial.duration).value) if experiment.trial else None
    clock = Clock(dt, duration)

    names = _names(circuit)
    suppliers: Suppliers = library.suppliers if library is not None else lambda name: []
    cells = {path: Cell(p, names[path], clock, problems) for path, p in circuit.populations.items()}
    joins = [
        join for path in circuit.projections for join in _joins(circuit, path, names, cells, clock, problems, suppliers)
    ]

    trains, notes = feeds.stimuli(circuit, cells)
    inputs = feeds.samples(circuit, cells, problems)
    for join in (*joins, *_silent(circuit, cells, clock, problems)):
        join.reach()
    for cell in cells.values():
        ports.close(cell)
    feeds.links(circuit, cells, problems)
    for join in joins:
        join.resolve()
    for cell in cells.values():
        cell.check()
    again = course.repeat(circuit, cells, problems)
    problems.raise_any(FitError)

    trial = course.trial(clock, inputs, again)
    groups = [cell.finish(trial) for cell in cells.values()]
    if trial is not None:
        groups.insert(0, course.trial_clock(trial, dt, again, groups))
    connections = [finish(join) for join in joins]
    watches = Watches(circuit, cells, joins, problems).made()
    homes = course.Homes(cells, joins)
    phases = course.phases(circuit, cells, homes, problems)
    problems.raise_any(FitError)
    functions = {f for p in circuit.projections.values() if p.plasticity for f in p.plasticity.spec.functions}
    data = experiment.data
    return Plan(
        name=experiment.experiment,
        about=experiment.about,
        seed=experiment.run.seed,
        dt=dt,
        groups=tuple(groups),
        connections=tuple(connections),
        watches=(*watches, *course.showings(trial)),
        phases=phases,
        backend=experiment.run.backend,
        threads=experiment.run.threads,
        dtype=experiment.run.dtype,
        rounds=experiment.run.rounds,
        data=Data(data.name or "", {s: getattr(data, s) for s in SPLITS}, data.file or "", data.test_from)
        if data
        else None,
        tables=tuple(dict.fromkeys(inputs.values())),
        trains=trains,
        trial=trial,
        readout=_readout(experiment),
        functions=tuple(sorted(functions)),
        notes=(*circuit.notes, *notes),
        cite=circuit.cite,
        parameters=homes.found,
    )


def _readout(experiment: Experiment) -> Readout | None:
    given = experiment.readout
    if given is None:
        return None
    parameters = tuple((name, float(parse_quantity(value).value)) for name, value in given.parameters.items())
    learns = READOUTS[given.name].fit is not None
    return Readout(given.name, given.population, given.assign_from if learns else "", given.ties, parameters)


def _names(circuit: Circuit) -> dict[str, str]:
    """Brian2 names: the path with underscores, numbered where two would be the same."""
    names: dict[str, str] = {}
    taken = {"trials", "network"}
    for path in (*circuit.populations, *circuit.projections):
        base = path.replace(".", "_")
        name, number = base, 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        names[path] = name
    return names


def _silent(circuit: Circuit, cells: Mapping[str, Cell], clock: Clock, problems: Problems) -> list[Join]:
    """Joins without a source, because a lesion took it: they reach the target and are then forgotten."""
    made = []
    for projection in circuit.silent:
        ends = (cells[projection.target.path], cells[projection.target.path])
        for synapse in projection.synapses:
            made.append(Join(projection, synapse, None, "", ends, clock, problems, {}, lambda name: []))
    return made


def _joins(
    circuit: Circuit,
    path: str,
    names: Mapping[str, str],
    cells: Mapping[str, Cell],
    clock: Clock,
    problems: Problems,
    suppliers: Suppliers,
) -> list[Join]:
    """A projection as one join for each of its synapses."""
    projection = circuit.projections[path]
    rule = projection.plasticity
    if rule is not None and len(projection.synapses) > 1:
        problems.add(
            "fit",
            f"{path} has several synapses and a rule: which of them learns is not said",
            projection.tree.mark(("plasticity",)),
            "Give the learning synapse a projection of its own.",
        )
    extra: dict[str, int] = {}
    for name in rule.spec.functions if rule is not None else ():
        if name in ARITY:
            extra[name] = ARITY[name]
        else:
            assert rule is not None
            known = ", ".join(ARITY) or "none yet"
            problems.add("name", f"there is no function {name}", rule.tree.mark(("functions",)), f"Functions: {known}.")
    made = []
    for number, synapse in enumerate(projection.synapses):
        name = names[path] if len(projection.synapses) == 1 else f"{names[path]}_{synapse.name}"
        ends = (cells[projection.source.path], cells[projection.target.path])
        made.append(
            Join(projection, synapse, rule if number == 0 else None, name, ends, clock, problems, extra, suppliers)
        )
    return made
