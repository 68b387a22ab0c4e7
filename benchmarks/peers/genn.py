"""The networks in GeNN, on its single-threaded CPU backend.

Excitatory and inhibitory cells are two populations, so that synapses which share a weight share its value. Inputs of
the two kinds reach cells as ``Isyn`` and ``I_inh``, decay in a postsynaptic model, and potentials are integrated with
the formulas Brian2 uses.
"""

from __future__ import annotations

import os
import sys
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pygenn

from benchmarks import graphs
from benchmarks.graphs import Edges
from benchmarks.protocol import memory, serve, start_peak

DT = 0.1


def cells(model: pygenn.GeNNModel, name: str, sim: str, v: np.ndarray, limits: tuple[float, float, float], **more: Any):
    """A population with threshold, reset and refractory period ``limits``; ``more`` are other variables.

    R is the time a cell stays refractory.
    """
    threshold, reset, refractory = limits
    kind = pygenn.create_neuron_model(
        "cell",
        vars=[("V", "scalar"), ("R", "scalar"), *((each, "scalar") for each in more)],
        additional_input_vars=[("I_inh", "scalar", 0.0)],
        sim_code=sim,
        threshold_condition_code=f"R <= 0 && V > {threshold}",
        reset_code=f"V = {reset}; R = {refractory - DT / 2};",
    )
    group = model.add_neuron_population(name, len(v), kind, {}, {"V": v, "R": np.zeros(len(v)), **more})
    group.spike_recording_enabled = True
    return group


@cache  # GeNN does not keep what it is given
def decaying(tau: float) -> Any:
    """What a cell gets is the sum of what arrived, which decays."""
    factor = repr(float(np.exp(-DT / tau)))
    return pygenn.create_postsynaptic_model("decaying", sim_code=f"injectCurrent(inSyn); inSyn *= {factor};")


def join(model: pygenn.GeNNModel, name: str, source: Any, target: Any, edges: Edges, post: Any, update: Any = None):
    """Connect two populations; edges count cells from 0 in both."""
    update = update or pygenn.init_weight_update("StaticPulseConstantWeight", {"g": float(edges.weight)})
    group = model.add_synapse_population(name, "SPARSE", source, target, update, post)
    group.set_sparse_connections(edges.pre.astype(np.uint32), edges.post.astype(np.uint32))
    if np.ndim(edges.delay) == 0:
        group.axonal_delay_steps = round(float(edges.delay) / DT)
    return group


def split(edges: Edges, border: int) -> tuple[Edges, Edges]:
    """Edges to the first ``border`` cells, and to those after, counted from 0."""
    low = edges.post < border
    return (
        edges._replace(pre=edges.pre[low], post=edges.post[low]),
        edges._replace(pre=edges.pre[~low], post=edges.post[~low] - border),
    )


# --- cuba and coba ----------------------------------------------------------------------------------------------------

COBA = (-50.0, -60.0, 5.0)
#: The integration of v while a cell is not refractory; Isyn and I_inh are what Brian2's ge and gi are.
TOTAL = "scalar total = 1 + Isyn + I_inh; scalar aim = (-60 + Isyn * 0 + I_inh * -80) / total;"


def _exact() -> str:
    m, e, i = (float(np.exp(-DT / tau)) for tau in (20, 5, 10))
    from_e, from_i = 5 / (5 - 20) * (e - m), 10 / (10 - 20) * (i - m)
    return f"V = -49 + (V + 49) * {m!r} + Isyn * {from_e!r} + I_inh * {from_i!r};"


METHODS = {
    "cuba": _exact(),
    "coba": f"{TOTAL} V = aim + (V - aim) * exp(-{DT} / 20 * total);",
    "coba_euler": f"V += {DT} / 20 * (-60 - V + Isyn * (0 - V) + I_inh * (-80 - V));",
}


def balanced(model: pygenn.GeNNModel, size: int, rule: str) -> list[Any]:
    drawn = graphs.balanced(size, conductances=rule != "cuba")
    sim = f"if (R > 0) {{ R -= {DT}; }} else {{ {METHODS[rule]} }}"
    parts = slice(0, drawn.border), slice(drawn.border, size)
    groups = [cells(model, "EI"[k], sim, drawn.v[part], COBA) for k, part in enumerate(parts)]
    started = []
    for kind, tau, edges in (("E", 5, drawn.exc), ("I", 10, drawn.inh)):
        source = groups[kind == "I"]
        first = drawn.ge if kind == "E" else drawn.gi
        for target, part, each in zip(groups, parts, split(edges, drawn.border), strict=True):
            made = join(model, kind + target.name, source, target, each, pygenn.init_postsynaptic(decaying(tau)))
            if kind == "I":
                made.post_target_var = "I_inh"
            started.append((made, first[part]))
    return started


# --- Brunel's network -------------------------------------------------------------------------------------------------


def poisson(mean: str, gain: str) -> str:
    """Add ``gain`` times a Poisson number to V or I: one uniform number, and the distribution summed until there."""
    return (
        f"scalar p = exp(-{mean}), sum = p, u = gennrand_uniform(); int k = 0;"
        f"while (u > sum && k < 50) {{ k++; p *= {mean} / k; sum += p; }} {gain} * k;"
    )


def brunel_cells(model: pygenn.GeNNModel) -> list[Any]:
    mean = repr(graphs.OUTSIDE * graphs.OUTSIDE_RATE * DT * 1e-3)
    sim = (
        f"if (R > 0) {{ R -= {DT}; }} else {{ V = V * {float(np.exp(-DT / 20))!r} + Isyn;"
        f"{poisson(mean, f'V += {graphs.J}')} }}"
    )
    v, border = graphs.brunel_v(), graphs.EXCITATORY
    limits = (20.0, 10.0, 2.0)
    return [cells(model, "E", sim, v[:border], limits), cells(model, "I", sim, v[border:], limits)]


def brunel(model: pygenn.GeNNModel) -> None:
    groups = brunel_cells(model)
    for source, edges in zip(groups, graphs.brunel(delays=False), strict=True):
        for target, each in zip(groups, split(edges, graphs.EXCITATORY), strict=True):
            join(model, source.name + target.name, source, target, each, pygenn.init_postsynaptic("DeltaCurr"))


def brunel_stdp(model: pygenn.GeNNModel) -> None:
    e, i = brunel_cells(model)
    plastic, to_inh, inh = graphs.brunel_stdp()
    decay = repr(float(np.exp(-DT / graphs.TAU)))
    clipped = f"fmin({graphs.W_MAX}, fmax(0.0, g + {{}}))"
    rule = pygenn.create_weight_update_model(
        "pair_stdp",
        vars=[("g", "scalar")],
        pre_vars=[("a", "scalar")],
        post_vars=[("b", "scalar")],
        pre_spike_syn_code=f"addToPost(g); g = {clipped.format('b')};",
        post_spike_syn_code=f"g = {clipped.format('a')};",
        pre_spike_code=f"a += {graphs.A_PLUS};",
        post_spike_code=f"b -= {graphs.A_MINUS};",
        pre_dynamics_code=f"a *= {decay};",
        post_dynamics_code=f"b *= {decay};",
    )
    learned = pygenn.init_weight_update(rule, {}, {"g": graphs.J}, {"a": 0.0}, {"b": 0.0})
    delta = pygenn.init_postsynaptic("DeltaCurr")
    join(model, "EE", e, e, plastic, delta, learned)
    join(model, "EI", e, i, to_inh, delta)
    for target, each in zip((e, i), split(inh, graphs.EXCITATORY), strict=True):
        join(model, "I" + target.name, i, target, each, delta)


# --- the column -------------------------------------------------------------------------------------------------------


def column(model: pygenn.GeNNModel) -> None:
    drawn = graphs.column(scale=0.1)
    m, s = float(np.exp(-DT / 10)), float(np.exp(-DT / graphs.TAU_SYN))
    from_i = 1 / 250 * (1 / (1 / 10 - 1 / graphs.TAU_SYN)) * (s - m)
    sim = (
        f"scalar V1 = -65 + (V + 65) * {m!r} + I * {from_i!r} + constant * {(1 - m) * 10 / 250!r};"
        f"if (R > 0) {{ R -= {DT}; }} else {{ V = V1; }} I = I * {s!r} + Isyn;"
        f"{poisson('mean', f'I += {float(drawn.weight)!r}')}"
    )
    sizes = np.diff(drawn.edges)
    mean = np.repeat(drawn.sources * graphs.OUTSIDE_HZ * DT * 1e-3, sizes)
    more = {"I": np.zeros(len(drawn.v)), "constant": drawn.constant, "mean": mean}
    group = cells(model, "cells", sim, drawn.v, (-50.0, -65.0, 2.0), **more)
    edges = drawn.synapses
    steps = np.round(np.asarray(edges.delay) / DT).astype(np.uint8)
    update = pygenn.init_weight_update("StaticPulseDendriticDelay", {}, {"g": np.asarray(edges.weight), "d": steps})
    made = join(model, "all", group, group, edges, pygenn.init_postsynaptic("DeltaCurr"), update)
    made.max_dendritic_delay_timesteps = int(steps.max()) + 1


BALANCED = {"cuba": 10.0, "coba": 2.0, "coba_euler": 2.0, "cuba_40000": 2.0}
LARGE = {"brunel": (brunel, 1.0), "brunel_stdp": (brunel_stdp, 0.3), "column": (column, 1.0)}


def main(name: str, dtype: str, core: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # compilers speak on standard output
    os.environ["CXX"] = "g++ -march=native"  # its makefile sets the flags, and takes the compiler from outside
    base = memory("VmRSS")
    start_peak()
    began = time.process_time()
    precision = {"float64": "double", "float32": "float"}[dtype]
    model = pygenn.GeNNModel(precision, f"{name}_{dtype}", backend="single_threaded_cpu", optimize_code=True)
    model.dt = DT
    model.seed = 5
    started: list[Any] = []
    if name in LARGE:
        build, seconds = LARGE[name]
        build(model)
    else:
        seconds = BALANCED[name]
        large = name == "cuba_40000"
        started = balanced(model, 40000 if large else 4000, "cuba" if large else name)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "brainsim" / "benchmarks" / "genn"
    cache.mkdir(parents=True, exist_ok=True)
    model.build(str(cache))
    steps = round(seconds * 1e3 / DT)
    model.load(num_recording_timesteps=steps)
    for group, first in started:
        group.out_post.view[:] = first
        group.out_post.push_to_device()
    about = {"seconds": seconds, "images": 0, "once": True, "version": version("pygenn"), "python_megabytes": base,
             "build_megabytes": memory("VmHWM") - base, "build_seconds": time.process_time() - began}  # fmt: skip

    def once() -> dict[str, Any]:
        start_peak()
        step = model.step_time
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(steps):
            step()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        most = memory("VmHWM") - base
        model.pull_recording_buffers_from_device()
        spikes = sum(len(group.spike_recording_data[0][0]) for group in model.neuron_populations.values())
        return {"cpu": cpu, "wall": wall, "spikes": spikes, "megabytes": most}

    serve(about, once, core, answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
