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
from brainsim.circuit.wiring import split_slice
from brainsim.compose.plan import Plan
from brainsim.record.recorder import SEGMENT
from brainsim.runs import points
from brainsim.runs.execute import run
from brainsim.runs.prepare import Prepared, find, prepare

#: Memory a process takes with Brian2 in it and no network, bytes: measured 140 to 190 MB.
_PROCESS = 1.7e8
#: Bytes on disk: of a spike (time and cell), of a learning synapse (ends, weights before and after), of a shown sample.
_SPIKE, _EDGE, _SAMPLE = 16.0, 32.0, 300.0
#: Wall seconds that a probe should take, and into how many pieces it is cut at most.
_PROBE, _PIECES = 2.0, 4
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
        Run short pieces, some seconds of wall time, and extrapolate time and spikes. Without it nothing is run: both
        are predicted from sizes, at an assumed rate of 10 spikes per cell and second, and can be wrong by a factor of
        ten. What learning changes later (rates, samples that are shown again) no piece tells.

    Raises ``FileError`` or ``FitError`` for what is wrong in the model, and what :func:`brainsim.run` raises if the
    piece cannot be run.
    """
    tree, shelf, _ = find(experiment, library)
    declared = points.declared(tree, shelf)
    listed = points.points(declared, over or {}) if declared is not None or over else []
    values = {**(set or {}), **(listed[0] if listed else {})}
    prepared = prepare(experiment, values, library=library)
    plan, once = prepared.plan, _kept_once(prepared)
    backend, reason = backends.choose(plan) if plan.backend == "auto" else (plan.backend, "asked for")
    trials = plan.rounds * sum(phase.passes * phase.count for phase in plan.phases if phase.data)
    needs = cost.needs(plan)
    synapses = sum(cost.synapses(connection) for connection in plan.connections)
    learning = sum(cost.synapses(one) for one in plan.connections if one.saved)
    seconds = steps_time(plan)
    ran, spikes, probed = cost.run_seconds(plan, backend), _spikes(plan, once), 0.0
    if probe:
        ran, spikes, probed = _Probe(experiment, values, library, plan, once, backend).measure(seconds)
    held = _SPIKE * spikes if backend == "cpp_standalone" else min(_SPIKE * spikes, SEGMENT)
    return Estimate(
        name=plan.name,
        model_time=seconds,
        steps=cost.steps(plan),
        dt=plan.dt,
        trials=trials,
        cells=sum(group.size for group in plan.groups if plan.trial is None or group.name != plan.trial.clock),
        synapses=synapses,
        memory=_PROCESS + sum(need.memory for need in needs) + held + _table_bytes(plan),
        disk=sum(need.disk for need in needs) + _SPIKE * spikes + _EDGE * learning + _SAMPLE * _samples(plan),
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


def _kept_once(prepared: Prepared) -> str:
    """Population whose spikes are kept for the last of several rounds alone: the readout's, if nobody asked for it."""
    plan = prepared.plan
    asked = (prepared.circuit.resolved.get("record") or {}).get("spikes") or ()
    names = [split_slice(str(text))[0] for text in asked]
    return plan.readout.path if plan.readout is not None and plan.rounds > 1 and plan.readout.path not in names else ""


def _spikes(plan: Plan, once: str) -> float:
    """Spikes that would be recorded, at the assumed rate."""
    sizes = {group.name: group.size for group in plan.groups}
    cells = sum(
        ((sizes[w.target] if w.stop is None else w.stop) - w.start) / (plan.rounds if w.path == once else 1)
        for w in plan.watches if w.kind == "spikes"
    )  # fmt: skip
    return cells * cost.RATE * steps_time(plan)


def _table_bytes(plan: Plan) -> float:
    """Bytes of the samples in memory: a number of eight for each cell that is shown one."""
    sizes = {group.name: group.size for group in plan.groups}
    return 8.0 * _samples(plan) * sum(sizes[name] for name, _, _ in plan.trial.inputs) if plan.trial else 0.0


def _samples(plan: Plan) -> int:
    return sum(plan.data.splits.values()) if plan.data else 0


@dataclass(frozen=True)
class _Piece:
    """A part of the run that was tried."""

    model: float  # model seconds
    wall: float  # seconds
    spikes: float  # that the whole run would keep of these


@dataclass(frozen=True)
class _Probe:
    """Runs pieces of an experiment."""

    experiment: str | os.PathLike[str]
    values: Mapping[str, Any]
    library: Sequence[str | os.PathLike[str]]
    plan: Plan
    once: str  # see _kept_once
    backend: str

    def measure(self, whole: float) -> tuple[float, float, float]:
        """(wall seconds of the whole run, spikes it would keep, model seconds that were run to know it).

        From the difference of two pieces, as each takes some time to begin. ``whole`` is in model seconds.
        """
        share = 0.1 * _PROBE / max(cost.run_seconds(self.plan, self.backend), 1e-9)
        pieces: list[_Piece] = []
        while len(pieces) < _PIECES:
            pieces.append(self.run(min(1.0, share)))
            first, last = pieces[0], pieces[-1]
            if last.model >= 0.99 * whole:
                return last.wall, last.spikes, last.model
            if len(pieces) == 1:
                share = last.model / whole * max(3.0, min(10.0, 2 * _PROBE / last.wall))
                continue
            more = max(last.wall - first.wall, 0.02 * last.wall)
            if more > _PROBE / 2 or last.model <= pieces[-2].model:  # it is long enough, or there is no longer one
                break
            share = last.model / whole * min(30.0, _PROBE / more)
        if last.model <= first.model:
            return last.wall * whole / last.model, last.spikes * whole / last.model, last.model
        pace = max(last.wall - first.wall, 0.02 * last.wall) / (last.model - first.model)
        return first.wall + pace * (whole - first.model), last.spikes * whole / last.model, last.model

    def run(self, share: float) -> _Piece:
        """Run a share of each phase, in a folder that goes."""
        plan, short = self.plan, {"run.rounds": 1, "run.backend": self.backend}
        if plan.trial is not None:
            shown = [phase for phase in plan.phases if phase.data]
            few: dict[str, int] = {}
            for phase in shown:
                wanted = share * plan.rounds * phase.passes * phase.count
                few[phase.data] = max(few.get(phase.data, 0), min(phase.count, max(_FEWEST, round(wanted))))
            for phase in shown:
                passes = round(share * plan.rounds * phase.passes * phase.count / few[phase.data])
                if phase.passes > 1:
                    short[f"phases.{phase.name}.passes"] = max(1, min(phase.passes, passes))
            short |= {f"data.{name}": count for name, count in few.items()}
        else:
            short["run.duration"] = f"{max(20, round(share * cost.steps(plan))) * plan.dt!r} s"
        with tempfile.TemporaryDirectory() as folder:
            results = run(
                self.experiment, set={**self.values, **short}, out=Path(folder) / "probe", library=self.library
            )
            summary = results.summary
            if summary["status"] != "complete":
                raise KeyboardInterrupt
            counts = {path: one.get("spikes") or 0 for path, one in summary["populations"].items()}
            spikes = sum(count / (plan.rounds if path == self.once else 1) for path, count in counts.items())
            return _Piece(summary["model_time_s"], summary["times"]["run_s"], spikes)
