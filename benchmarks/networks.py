"""The networks that are timed: plain Brian2, as a user writes it, for whatever device is set.

Each function makes its objects and returns a :class:`Case`. Graphs are drawn by numpy (graphs.py), so that every
simulator runs the same one. Spikes are counted by monitors, which is what rates are checked with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import brian2 as b2
import numpy as np
from brian2 import Hz, ms, mV, pA

from benchmarks import graphs
from benchmarks.graphs import EXCITATORY, J


@dataclass
class Case:
    """What is run, for how many seconds of the model, and the values its code mentions."""

    network: b2.Network
    seconds: float
    namespace: dict[str, Any] = field(default_factory=dict)
    images: int = 0  # shown in that time, for tasks


NETWORKS: dict[str, Callable[..., Case]] = {}


def network(build: Callable[..., Case]) -> Callable[..., Case]:
    """Add a row to the table."""
    if build.__name__ in NETWORKS:
        raise ValueError(f"there are two rows called {build.__name__}")
    NETWORKS[build.__name__] = build
    return build


def made(name: str) -> Case:
    """The case of a row; ``cuba@16000`` is ``cuba`` with that many cells."""
    row, _, size = name.partition("@")
    return NETWORKS[row](int(size)) if size else NETWORKS[row]()


def with_counts(*objects: b2.BrianObject) -> b2.Network:
    """A network of these objects, with a spike count for each group."""
    counts = [b2.SpikeMonitor(g, record=False) for g in objects if isinstance(g, b2.NeuronGroup) and g.thresholder]
    return b2.Network(*objects, *counts)


# --- random balanced networks of Vogels and Abbott (2005), as in Brette et al. (2007) ---------------------------------

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


def _balanced(cells: int, equations: str, method: str, excitatory: str, inhibitory: str) -> b2.Network:
    drawn = graphs.balanced(cells, conductances=equations is COBA)
    group = b2.NeuronGroup(
        cells, equations, threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * ms, method=method
    )
    group.v = drawn.v * mV
    if equations is COBA:
        group.ge, group.gi = drawn.ge, drawn.gi
    exc = b2.Synapses(group[: drawn.border], group, on_pre=excitatory)
    inh = b2.Synapses(group[drawn.border :], group, on_pre=inhibitory)
    exc.connect(i=drawn.exc.pre, j=drawn.exc.post)
    inh.connect(i=drawn.inh.pre, j=drawn.inh.post)
    return with_counts(group, exc, inh)


def _cuba_seconds(cells: int) -> float:
    """Long enough to be timed, short enough to be waited for."""
    return min(10.0, max(0.5, 80_000 / cells))


@network
def cuba(cells: int = 4000) -> Case:
    return Case(_balanced(cells, CUBA, "exact", "ge += 1.62*mV", "gi -= 9*mV"), _cuba_seconds(cells))


@network
def coba() -> Case:
    return Case(_balanced(4000, COBA, "exponential_euler", "ge += 0.6", "gi += 6.7"), 2.0)


@network
def coba_euler() -> Case:
    return Case(_balanced(4000, COBA, "euler", "ge += 0.6", "gi += 6.7"), 2.0)


@network
def cuba_40000() -> Case:
    return cuba(40000)


# --- Brunel (2000), model A: 12,500 cells, 15.6 million synapses ------------------------------------------------------


def _brunel_cells() -> b2.NeuronGroup:
    group = b2.NeuronGroup(
        graphs.CELLS, "dv/dt = -v / (20*ms) : volt (unless refractory)", threshold="v > 20*mV", reset="v = 10*mV",
        refractory=2 * ms, method="exact",
    )  # fmt: skip
    group.v = graphs.brunel_v() * mV
    return group


def _outside(group: b2.NeuronGroup) -> b2.PoissonInput:
    return b2.PoissonInput(group, "v", graphs.OUTSIDE, graphs.OUTSIDE_RATE * Hz, weight=J * mV)


def _brunel(delays: bool) -> b2.Network:
    b2.seed(3)
    group = _brunel_cells()
    exc = b2.Synapses(group[:EXCITATORY], group, on_pre="v += 0.1*mV")
    inh = b2.Synapses(group[EXCITATORY:], group, on_pre="v -= 0.5*mV")
    for synapses, edges in zip((exc, inh), graphs.brunel(delays), strict=True):
        synapses.connect(i=edges.pre, j=edges.post)
        synapses.delay = edges.delay * ms
    return with_counts(group, _outside(group), exc, inh)


@network
def brunel() -> Case:
    return Case(_brunel(delays=False), 1.0)


@network
def brunel_delays() -> Case:
    return Case(_brunel(delays=True), 0.3)


# --- the same with additive pair STDP on the ten million synapses between excitatory cells ----------------------------


def _brunel_stdp(expert: bool) -> b2.Network:
    b2.seed(4)
    if expert:
        group = b2.NeuronGroup(
            graphs.CELLS,
            """dv/dt = -v / (20*ms) : volt (unless refractory)
            dapre/dt = -apre / (20*ms) : volt
            dapost/dt = -apost / (20*ms) : volt""",
            threshold="v > 20*mV", reset="v = 10*mV; apost -= 0.00105*mV", refractory=2 * ms, method="exact",
        )  # fmt: skip
        group.v = graphs.brunel_v() * mV
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
    to_inh = b2.Synapses(group[:EXCITATORY], group[EXCITATORY:], on_pre="v += 0.1*mV")
    inh = b2.Synapses(group[EXCITATORY:], group, on_pre="v -= 0.5*mV")
    for synapses, edges in zip((plastic, to_inh, inh), graphs.brunel_stdp(), strict=True):
        synapses.connect(i=edges.pre, j=edges.post)
        synapses.delay = edges.delay * ms
    plastic.w = J * mV
    return with_counts(group, _outside(group), plastic, to_inh, inh, *more)


@network
def brunel_stdp() -> Case:
    return Case(_brunel_stdp(expert=False), 0.3)


@network
def brunel_stdp_expert() -> Case:
    return Case(_brunel_stdp(expert=True), 0.3)


# --- the column of Potjans and Diesmann (2014) with a tenth of cells and of synapses per cell -------------------------


@network
def column() -> Case:
    b2.seed(5)
    drawn = graphs.column(scale=0.1)
    group = b2.NeuronGroup(
        len(drawn.v),
        """dv/dt = (-65*mV - v) / (10*ms) + (I + constant) / (250*pF) : volt (unless refractory)
        dI/dt = -I / (0.5*ms) : amp
        constant : amp""",
        threshold="v > -50*mV", reset="v = -65*mV", refractory=2 * ms, method="exact",
    )  # fmt: skip
    group.v = drawn.v * mV
    group.constant = drawn.constant * pA
    synapses = b2.Synapses(group, group, "w : amp", on_pre="I_post += w")
    synapses.connect(i=drawn.synapses.pre, j=drawn.synapses.post)
    synapses.w = np.asarray(drawn.synapses.weight) * pA
    synapses.delay = np.asarray(drawn.synapses.delay) * ms
    drives = [
        b2.PoissonInput(group[begin:end], "I", int(count), graphs.OUTSIDE_HZ * Hz, weight=drawn.weight * pA)
        for begin, end, count in zip(drawn.edges, drawn.edges[1:], drawn.sources, strict=False)
    ]
    return Case(with_counts(group, synapses, *drives), 1.0)
