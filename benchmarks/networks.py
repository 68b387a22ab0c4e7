"""The networks that are timed: plain Brian2, as a user writes it, for whatever device is set.

Each function makes its objects and returns a :class:`Case`. Graphs are drawn here, by numpy,
so that every device runs the same one. Spikes are counted by monitors, which is what rates are checked with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import brian2 as b2
import numpy as np
from brian2 import Hz, ms, mV, pA


@dataclass
class Case:
    """What is run, for how many seconds of the model, and the values its code mentions."""

    network: b2.Network
    seconds: float
    namespace: dict[str, Any] = field(default_factory=dict)


NETWORKS: dict[str, Callable[[], Case]] = {}


def network(build: Callable[[], Case]) -> Callable[[], Case]:
    """Add a row to the table."""
    NETWORKS[build.__name__] = build
    return build


def bernoulli(rng: np.random.Generator, sources: int, targets: int, p: float) -> tuple[np.ndarray, np.ndarray]:
    """A random graph as (pre, post), sorted by pre."""
    counts = rng.binomial(targets, p, sources)
    post = np.concatenate([np.sort(rng.choice(targets, count, replace=False)) for count in counts])
    return np.repeat(np.arange(sources), counts), post


def with_counts(*objects: b2.BrianObject) -> b2.Network:
    """A network of these objects, with a spike count for each group."""
    counts = [b2.SpikeMonitor(g, record=False) for g in objects if isinstance(g, b2.NeuronGroup) and g.thresholder]
    return b2.Network(*objects, *counts)


# --- random balanced networks of Vogels and Abbott (2005), as in Brette et al. (2007) ---------------------------------


def _balanced(cells: int, equations: str, method: str, excitatory: str, inhibitory: str) -> b2.Network:
    rng = np.random.default_rng(1)
    group = b2.NeuronGroup(
        cells, equations, threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * ms, method=method
    )
    group.v = (-60 + 10 * rng.random(cells)) * mV
    if "ge * " in equations:  # conductances: nothing drives the network, so it has to start with some
        group.ge = np.maximum(0, 4 + 1.5 * rng.standard_normal(cells))
        group.gi = np.maximum(0, 20 + 12 * rng.standard_normal(cells))
    border = int(0.8 * cells)
    exc = b2.Synapses(group[:border], group, on_pre=excitatory)
    inh = b2.Synapses(group[border:], group, on_pre=inhibitory)
    for synapses, count in ((exc, border), (inh, cells - border)):
        pre, post = bernoulli(rng, count, cells, 80 / cells)
        synapses.connect(i=pre, j=post)
    return with_counts(group, exc, inh)


CUBA = """
    dv/dt = (ge + gi - (v + 49*mV)) / (20*ms) : volt (unless refractory)
    dge/dt = -ge / (5*ms) : volt
    dgi/dt = -gi / (10*ms) : volt
"""
COBA = """
    dv/dt = (-60*mV - v + ge * (0*mV - v) + gi * (-80*mV - v)) / (20*ms) : volt (unless refractory)
    dge/dt = -ge / (5*ms) : 1
    dgi/dt = -gi / (10*ms) : 1
"""


@network
def cuba() -> Case:
    return Case(_balanced(4000, CUBA, "exact", "ge += 1.62*mV", "gi -= 9*mV"), 10.0)


@network
def coba() -> Case:
    return Case(_balanced(4000, COBA, "exponential_euler", "ge += 0.6", "gi += 6.7"), 2.0)


@network
def cuba_40000() -> Case:
    return Case(_balanced(40000, CUBA, "exact", "ge += 1.62*mV", "gi -= 9*mV"), 2.0)


# --- Brunel (2000), model A: 12,500 cells, 15.6 million synapses ------------------------------------------------------

EXCITATORY, CELLS, P, J, G = 10000, 12500, 0.1, 0.1, 5.0


def _brunel_cells() -> b2.NeuronGroup:
    group = b2.NeuronGroup(
        CELLS, "dv/dt = -v / (20*ms) : volt (unless refractory)", threshold="v > 20*mV", reset="v = 10*mV",
        refractory=2 * ms, method="exact",
    )  # fmt: skip
    group.v = 20 * np.random.default_rng(2).random(CELLS) * mV
    return group


def _brunel(delays: bool) -> b2.Network:
    rng = np.random.default_rng(3)
    b2.seed(3)
    group = _brunel_cells()
    drive = b2.PoissonInput(group, "v", 1000, 20 * Hz, weight=J * mV)
    exc = b2.Synapses(group[:EXCITATORY], group, on_pre="v += 0.1*mV")
    inh = b2.Synapses(group[EXCITATORY:], group, on_pre="v -= 0.5*mV")
    for synapses, count in ((exc, EXCITATORY), (inh, CELLS - EXCITATORY)):
        pre, post = bernoulli(rng, count, CELLS, P)
        synapses.connect(i=pre, j=post)
        synapses.delay = rng.integers(5, 31, len(pre)) * 0.1 * ms if delays else 1.5 * ms
    return with_counts(group, drive, exc, inh)


@network
def brunel() -> Case:
    return Case(_brunel(delays=False), 1.0)


@network
def brunel_delays() -> Case:
    return Case(_brunel(delays=True), 0.3)


# --- the same with additive pair STDP on the ten million synapses between excitatory cells ----------------------------


def _brunel_stdp(expert: bool) -> b2.Network:
    rng = np.random.default_rng(4)
    b2.seed(4)
    if expert:
        group = b2.NeuronGroup(
            CELLS,
            """dv/dt = -v / (20*ms) : volt (unless refractory)
            dapre/dt = -apre / (20*ms) : volt
            dapost/dt = -apost / (20*ms) : volt""",
            threshold="v > 20*mV", reset="v = 10*mV; apost -= 0.00105*mV", refractory=2 * ms, method="exact",
        )  # fmt: skip
        group.v = 20 * np.random.default_rng(2).random(CELLS) * mV
        plastic = b2.Synapses(
            group[:EXCITATORY],
            group[:EXCITATORY],
            "w : volt",
            on_pre={
                "pre": "v_post += w; w = clip(w + apost_post, 0*mV, 0.3*mV)",
            },
            on_post={"post": "w = clip(w + apre_pre, 0*mV, 0.3*mV)"},
        )
        # The trace of a source goes up when its spikes arrive.
        trace = b2.Synapses(group[:EXCITATORY], group[:EXCITATORY], on_pre="apre_post += 0.001*mV", delay=1.5 * ms)
        trace.connect(j="i")
        more = [trace]
    else:
        group = _brunel_cells()
        plastic = b2.Synapses(
            group[:EXCITATORY],
            group[:EXCITATORY],
            """w : volt
            dapre/dt = -apre / (20*ms) : volt (event-driven)
            dapost/dt = -apost / (20*ms) : volt (event-driven)""",
            on_pre="v_post += w; apre += 0.001*mV; w = clip(w + apost, 0*mV, 0.3*mV)",
            on_post="apost -= 0.00105*mV; w = clip(w + apre, 0*mV, 0.3*mV)",
        )
        more = []
    drive = b2.PoissonInput(group, "v", 1000, 20 * Hz, weight=J * mV)
    to_inh = b2.Synapses(group[:EXCITATORY], group[EXCITATORY:], on_pre="v += 0.1*mV")
    inh = b2.Synapses(group[EXCITATORY:], group, on_pre="v -= 0.5*mV")
    for synapses in (plastic, to_inh, inh):
        pre, post = bernoulli(rng, len(synapses.source), len(synapses.target), P)
        synapses.connect(i=pre, j=post)
        synapses.delay = 1.5 * ms
    plastic.w = J * mV
    return with_counts(group, drive, plastic, to_inh, inh, *more)


@network
def brunel_stdp() -> Case:
    return Case(_brunel_stdp(expert=False), 0.3)


@network
def brunel_stdp_expert() -> Case:
    return Case(_brunel_stdp(expert=True), 0.3)


# --- the column of Potjans and Diesmann (2014) with a tenth of cells and of synapses per cell -------------------------

SIZES = np.array([20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948])
PROBABILITIES = np.array(  # to (row) from (column): 23E 23I 4E 4I 5E 5I 6E 6I
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0],
        [0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
        [0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443],
    ]
)
EXTERNAL = np.array([1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100])
RATES = np.array([0.971, 2.868, 4.746, 5.396, 8.142, 9.078, 0.991, 7.523])  # of the full model, in Hz


@network
def column(scale: float = 0.1) -> Case:
    rng = np.random.default_rng(5)
    b2.seed(5)
    sizes = np.round(scale * SIZES).astype(int)
    edges = np.concatenate([[0], np.cumsum(sizes)])
    weight, tau = 87.81 / np.sqrt(scale), 0.5e-3
    group = b2.NeuronGroup(
        edges[-1],
        """dv/dt = (-65*mV - v) / (10*ms) + (I + constant) / (250*pF) : volt (unless refractory)
        dI/dt = -I / (0.5*ms) : amp
        constant : amp""",
        threshold="v > -50*mV", reset="v = -65*mV", refractory=2 * ms, method="exact",
    )  # fmt: skip
    group.v = rng.normal(-58, 10, edges[-1]) * mV
    synapses = b2.Synapses(group, group, "w : amp", on_pre="I_post += w")
    pairs, weights, delays, missing = [], [], [], np.zeros(8)
    for target in range(8):
        for source in range(8):
            p, inhibitory = PROBABILITIES[target, source], source % 2
            full = np.log(1 - p) / np.log(1 - 1 / (SIZES[source] * SIZES[target])) if p else 0.0
            count = round(full * scale**2)
            mean = 87.81 * (2 if (target, source) == (0, 2) else -4 if inhibitory else 1)
            missing[target] += (1 - np.sqrt(scale)) * mean * tau * RATES[source] * full / SIZES[target]
            pairs.append(
                (
                    rng.integers(edges[source], edges[source + 1], count),
                    rng.integers(*edges[target : target + 2], count),
                )
            )
            sign = np.sign(mean)
            weights.append(sign * np.maximum(0, rng.normal(abs(mean), 0.1 * abs(mean), count)) / np.sqrt(scale))
            middle = 0.75 if inhibitory else 1.5
            delays.append(np.maximum(0.1, rng.normal(middle, middle / 2, count)))
    pre, post = (np.concatenate(ends) for ends in zip(*pairs, strict=True))
    order = np.lexsort((post, pre))
    synapses.connect(i=pre[order], j=post[order])
    synapses.w = np.concatenate(weights)[order] * pA
    synapses.delay = np.round(np.concatenate(delays)[order], 1) * ms
    missing += (1 - np.sqrt(scale)) * 87.81 * tau * 8 * EXTERNAL
    group.constant = np.repeat(missing, sizes) * pA
    drives = [
        b2.PoissonInput(group[begin:end], "I", int(scale * count), 8 * Hz, weight=weight * pA)
        for begin, end, count in zip(edges, edges[1:], EXTERNAL, strict=False)
    ]
    return Case(with_counts(group, synapses, *drives), 1.0)


# --- networks that learn, as brainsim declares them -------------------------------------------------------------------


def _experiment(name: str, trials: int, **values: object) -> Case:
    """The training of an experiment that comes with brainsim, with the parts of its region at their own sizes."""
    from brainsim import builder, datasets
    from brainsim.compose import draws
    from brainsim.runs import phases, prepare

    plan = prepare.plan(name, set={"phases.train.passes": 1, "data.train": trials, "data.test": 1, **values})
    assert plan.data is not None
    samples = datasets.load(plan.data.name, plan.data.splits)
    built = builder.build(plan, samples, phases.schedule(plan, samples).order)
    builder.enter(built, plan.phases[0])
    return Case(built.network, draws.duration(plan, plan.phases[0]), dict(built.namespace))


@network
def vdsp() -> Case:
    """784 cells drive 100 that compete; a presentation is 70 steps."""
    return _experiment("digits_vdsp", 1000, **{"data.label": 1})


@network
def desire() -> Case:
    """784-1600-800-10 cells; a sample is 25 steps."""
    return _experiment("digits_desire", 200, n_hidden1=1600, n_hidden2=800, eta="1e-5")
