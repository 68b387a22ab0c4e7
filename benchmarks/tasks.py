"""Learning tasks of the library that are timed: the first phase of an experiment, as brainsim builds it."""

from __future__ import annotations

from typing import Any

import brian2 as b2

from benchmarks.networks import Case, network
from brainsim import builder
from brainsim.runs import phases
from brainsim.runs import samples as shown
from brainsim.runs.prepare import prepare
from brainsim.seeds import noise_seed


def _task(name: str, showings: int, **values: Any) -> Case:
    """The network of an experiment with the values of its first phase, for the time of so many showings."""
    prepared = prepare(name, {"data.train": showings, "phases.train.passes": 1, **values})
    plan = prepared.plan
    assert plan.trial is not None
    samples, _ = shown.load(plan, prepared.root)
    b2.defaultclock.dt = float(plan.dt) * b2.second
    built = builder.build(plan, samples, phases.schedule(plan, samples).order)
    b2.seed(noise_seed(plan.seed))
    builder.enter(built, plan.phases[0])
    seconds = showings * plan.trial.steps * float(plan.dt)
    return Case(built.network, seconds, dict(built.namespace), showings)


@network
def diehl_cook() -> Case:
    """784 cells drive 100 with inhibitory partners; a showing is 1000 steps, and weak images are shown again."""
    return _task("diehl_cook_2015", 60)


@network
def vdsp() -> Case:
    """784 cells drive 100 that compete; a showing is 70 steps."""
    return _task("digits_vdsp", 1000)


@network
def desire() -> Case:
    """784-1600-800-10 cells, with dropout and commits; a showing is 25 steps."""
    large = {"n_hidden1": 1600, "n_hidden2": 800, "eta": "1e-5", "n_epoch": 60000}
    return _task("digits_desire", 200, **large)
