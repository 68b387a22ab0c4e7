"""The networks in NEST, with the cells it comes with."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import nest
import numpy as np

from benchmarks import graphs
from benchmarks.graphs import Edges
from benchmarks.protocol import memory, serve, start_peak

DT = 0.1
CHUNK = 1_000_000  # synapses connected at a time


def create(model: str, v: np.ndarray, **parameters: Any) -> Any:
    group = nest.Create(model, len(v), parameters)
    group.V_m = list(v)
    return group


def join(source: int, target: int, edges: Edges, model: str = "static_synapse", **parameters: float) -> None:
    """Connect; ``source`` and ``target`` are the numbers of the cells that edges count from. No delay is one step."""
    for begin in range(0, len(edges.pre), CHUNK):
        part = slice(begin, begin + CHUNK)
        pre, post = edges.pre[part] + source, edges.post[part] + target
        values = {"weight": edges.weight, "delay": np.maximum(edges.delay, DT), **parameters}
        each = {k: np.asarray(v)[part] if np.ndim(v) else np.full(len(pre), v) for k, v in values.items()}
        nest.Connect(pre, post, "one_to_one", {"synapse_model": model, **each})


def drive(group: Any, rate: float, weight: float, delay: float) -> None:
    generator = nest.Create("poisson_generator", params={"rate": rate})
    nest.Connect(generator, group, "all_to_all", {"weight": weight, "delay": delay})


def balanced(size: int, rule: str) -> Any:
    drawn = graphs.balanced(size, conductances=rule == "coba")
    # A capacitance of 20 pF makes currents in pA what potentials in mV are to a membrane of 20 ms.
    shared = {"C_m": 20.0, "V_th": -50.0, "V_reset": -60.0, "t_ref": 5.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0}
    if rule == "coba":
        group = create("iaf_cond_exp", drawn.v, E_L=-60.0, g_L=1.0, E_ex=0.0, E_in=-80.0, **shared)
        group.g_ex, group.g_in = list(drawn.ge), list(drawn.gi)
    else:
        group = create("iaf_psc_exp", drawn.v, E_L=-49.0, tau_m=20.0, **shared)
    first = group[0].global_id
    join(first, first, drawn.exc)
    sign = -1 if rule == "coba" else 1  # NEST tells the two conductances by their sign
    join(first + drawn.border, first, drawn.inh._replace(weight=sign * drawn.inh.weight))
    return group


def brunel_cells() -> Any:
    limits = {"V_th": 20.0, "V_reset": 10.0, "t_ref": 2.0}
    return create("iaf_psc_delta", graphs.brunel_v(), E_L=0.0, tau_m=20.0, C_m=250.0, **limits)


def brunel(delays: bool) -> Any:
    group = brunel_cells()
    first = group[0].global_id
    drive(group, graphs.OUTSIDE * graphs.OUTSIDE_RATE, graphs.J, 0.5 if delays else graphs.DELAY)
    exc, inh = graphs.brunel(delays)
    join(first, first, exc)
    join(first + graphs.EXCITATORY, first, inh)
    return group


def brunel_stdp() -> Any:
    group = brunel_cells()
    group.tau_minus = graphs.TAU
    first = group[0].global_id
    border = first + graphs.EXCITATORY
    drive(group, graphs.OUTSIDE * graphs.OUTSIDE_RATE, graphs.J, graphs.DELAY)
    plastic, to_inh, inh = graphs.brunel_stdp()
    rule = {"lambda": graphs.A_PLUS / graphs.W_MAX, "alpha": graphs.A_MINUS / graphs.A_PLUS, "Wmax": graphs.W_MAX}
    nest.CopyModel("stdp_synapse", "pair_stdp", {"mu_plus": 0.0, "mu_minus": 0.0, "tau_plus": graphs.TAU, **rule})
    join(first, first, plastic, "pair_stdp")
    join(first, border, to_inh)
    join(border, first, inh)
    return group


def column() -> Any:
    drawn = graphs.column(scale=0.1)
    group = create(
        "iaf_psc_exp", drawn.v, E_L=-65.0, C_m=250.0, tau_m=10.0, V_th=-50.0, V_reset=-65.0, t_ref=2.0,
        tau_syn_ex=graphs.TAU_SYN, tau_syn_in=graphs.TAU_SYN,
    )  # fmt: skip
    group.I_e = list(drawn.constant)
    first = group[0].global_id
    for begin, end, sources in zip(drawn.edges, drawn.edges[1:], drawn.sources, strict=False):
        drive(group[int(begin) : int(end)], sources * graphs.OUTSIDE_HZ, drawn.weight, DT)
    join(first, first, drawn.synapses)
    return group


NETWORKS = {
    "cuba": (lambda: balanced(4000, "cuba"), 10.0),
    "coba": (lambda: balanced(4000, "coba"), 2.0),
    "cuba_40000": (lambda: balanced(40000, "cuba"), 2.0),
    "brunel": (lambda: brunel(delays=False), 1.0),
    "brunel_delays": (lambda: brunel(delays=True), 0.3),
    "brunel_stdp": (brunel_stdp, 0.3),
    "column": (column, 1.0),
}


def main(name: str, dtype: str, core: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # NEST speaks on standard output
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.resolution = DT
    nest.rng_seed = 5
    base = memory("VmRSS")
    start_peak()
    began = time.process_time()
    build, seconds = NETWORKS[name]
    group = build()
    recorder = nest.Create("spike_recorder")
    nest.Connect(group, recorder)
    nest.Prepare()
    about = {"seconds": seconds, "images": 0, "once": True, "version": nest.__version__, "python_megabytes": base,
             "build_megabytes": memory("VmHWM") - base, "build_seconds": time.process_time() - began}  # fmt: skip

    def once() -> dict[str, Any]:
        start_peak()
        wall, cpu = time.perf_counter(), time.process_time()
        nest.Run(seconds * 1e3)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        most = memory("VmHWM") - base
        nest.Cleanup()
        return {"cpu": cpu, "wall": wall, "spikes": recorder.n_events, "megabytes": most}

    serve(about, once, core, answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
