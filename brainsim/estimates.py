"""What a run would take: sizes, memory, disk, compilation, time; from the plan, or from a short piece that is run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainsim import backends
from brainsim.backends import cost
from brainsim.compose.plan import Plan
from brainsim.runs import points
from brainsim.runs.execute import run
from brainsim.runs.prepare import find, prepare

#: Memory a process takes with Brian2 in it and no network, bytes: measured 140 to 190 MB.
_PROCESS = 1.7e8
#: Bytes on disk: of a spike (time and cell), of a learning synapse (ends, weights before and after), of a shown sample.
_SPIKE, _EDGE, _SAMPLE = 16.0, 32.0, 300.0
#: Wall seconds that a probe should take.
_PROBE = 2.0
#: Samples of each phase that a probe shows, at least.
_FEWEST = 5


@dataclass(frozen=True)
class Estimate:
    """What one run would take, and how many of it a sweep has."""

    name: str
    model_time: float  # seconds
    steps: float
    dt: float  # seconds
    trials: int  # 0 without samples
    cells: int
    synapses: float  # expected number
    memory: float  # bytes
    disk: float  # bytes, of the run folder
    backend: str
    reason: str  # why this backend
    objects: int  # pieces of code to be compiled; 0 on numpy
    compile_time: float  # seconds, if it is compiled for the first time
    build_time: float  # seconds of making the synapses
    run_time: float  # seconds
    probe: float  # model seconds that were run to know it; 0 if it is predicted from sizes
    points: int = 1  # runs of the sweep

    @property
    def total_time(self) -> float:
        """Seconds of all runs, one after another. A value of a parameter compiles nothing anew."""
        return self.compile_time + self.points * (self.build_time + self.run_time)


def estimate(
    experiment: str | os.PathLike[str],
    set: Mapping[str, Any] | None = None,
    over: Mapping[str, Sequence[Any]] | None = None,
    library: Sequence[str | os.PathLike[str]] = (),
    probe: bool = False,
) -> Estimate:
    """Say what a run, or a sweep, would take, without running it; ``brainsim.estimate``.

    Parameters
    ----------
    experiment, set, library
        As for :func:`brainsim.run`.
    over
        Values of a sweep, as for :func:`brainsim.sweep`.
    probe
        Run a short piece, some seconds of wall time, and extrapolate. Without it nothing is run: the time is predicted
        from sizes, at an assumed rate of 10 spikes per cell and second, and can be wrong by a factor of five.

    Raises ``FileError`` or ``FitError`` for what is wrong in the model, and what :func:`brainsim.run` raises if the
    piece cannot be run.
    """
    tree, shelf, _ = find(experiment, library)
    declared = points.declared(tree, shelf)
    listed = points.points(declared, over or {}) if declared is not None or over else []
    values = {**(set or {}), **(listed[0] if listed else {})}
    plan = prepare(experiment, values, library=library).plan
    backend, reason = backends.choose(plan) if plan.backend == "auto" else (plan.backend, "asked for")
    trials = plan.rounds * sum(phase.passes * phase.count for phase in plan.phases if phase.data)
    needs = cost.needs(plan)
    synapses = sum(cost.synapses(connection) for connection in plan.connections)
    learning = sum(cost.synapses(one) for one in plan.connections if one.saved)
    seconds = steps_time(plan)
    ran, probed = cost.run_seconds(plan, backend), 0.0
    if probe:
        ran, probed = _measure(experiment, values, library, plan, backend, seconds)
    return Estimate(
        name=plan.name,
        model_time=seconds,
        steps=cost.steps(plan),
        dt=plan.dt,
        trials=trials,
        cells=sum(group.size for group in plan.groups if plan.trial is None or group.name != plan.trial.clock),
        synapses=synapses,
        memory=_PROCESS + sum(need.memory for need in needs) + _SPIKE * _spikes(plan),
        disk=sum(need.disk for need in needs) + _SPIKE * _spikes(plan) + _EDGE * learning + _SAMPLE * _samples(plan),
        backend=backend,
        reason=reason,
        objects=0 if backend == "numpy" else cost.code_objects(plan),
        compile_time=cost.first_time_seconds(plan, backend),
        build_time=cost.build_seconds(plan),
        run_time=ran,
        probe=probed,
        points=max(1, len(listed)),
    )


def steps_time(plan: Plan) -> float:
    """Model time of a whole run, seconds."""
    return cost.steps(plan) * plan.dt


def _spikes(plan: Plan) -> float:
    """Spikes that would be recorded, at the assumed rate."""
    sizes = {group.name: group.size for group in plan.groups}
    cells = sum((sizes[w.target] if w.stop is None else w.stop) - w.start for w in plan.watches if w.kind == "spikes")
    return cells * cost.RATE * steps_time(plan)


def _samples(plan: Plan) -> int:
    return sum(plan.data.splits.values()) if plan.data else 0


def _measure(
    experiment: Any, values: Mapping[str, Any], library: Sequence[Any], plan: Plan, backend: str, seconds: float
) -> tuple[float, float]:
    """(wall seconds of the whole run, model seconds that were run to know it)."""
    short: dict[str, Any]
    share = min(1.0, _PROBE / max(cost.run_seconds(plan, backend), 1e-9))
    if plan.trial is not None:
        shown = {phase.data for phase in plan.phases if phase.data}
        count = {phase.data: phase.count for phase in plan.phases if phase.data}
        few = {f"data.{name}": min(count[name], max(_FEWEST, round(share * count[name]))) for name in shown}
        short = {
            "run.rounds": 1,
            **few,
            **{f"phases.{p.name}.passes": 1 for p in plan.phases if p.data and p.passes > 1},
        }
    else:
        short = {
            "run.rounds": 1,
            "run.duration": f"{max(plan.dt * 20, round(share * seconds / plan.dt) * plan.dt)!r} s",
        }
    with tempfile.TemporaryDirectory() as folder:
        results = run(
            experiment, set={**values, **short, "run.backend": backend}, out=Path(folder) / "probe", library=library
        )
        summary = results.summary
        if summary["status"] != "complete":
            raise KeyboardInterrupt
        took, done = summary["times"]["run_s"], summary["model_time_s"]
    return took * seconds / done, done
