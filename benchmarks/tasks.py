"""Learning tasks of the library that are timed: the first phase of an experiment, as brainsim builds it."""

from __future__ import annotations

from typing import Any

import brian2 as b2

from benchmarks.networks import Case, network
from brainsim import builder
from brainsim.compose import draws
from brainsim.runs import phases
from brainsim.runs import samples as shown
from brainsim.runs.prepare import prepare
from brainsim.seeds import noise_seed


def _task(name: str, **values: Any) -> Case:
    """The network of an experiment with the values of its first phase, and how long that phase is."""
    prepared = prepare(name, values)
    samples, _ = shown.load(prepared.plan, prepared.root)
    order = phases.schedule(prepared.plan, samples).order
    b2.defaultclock.dt = float(prepared.plan.dt) * b2.second
    built = builder.build(prepared.plan, samples, order)
    b2.seed(noise_seed(prepared.plan.seed))
    first = prepared.plan.phases[0]
    builder.enter(built, first)
    return Case(built.network, draws.duration(prepared.plan, first), dict(built.namespace))


@network
def digits_vdsp() -> Case:
    return _task("digits_vdsp", **{"data.train": 300, "phases.train.passes": 1})


@network
def digits_desire() -> Case:
    return _task("digits_desire", **{"data.train": 300, "phases.train.passes": 1})
