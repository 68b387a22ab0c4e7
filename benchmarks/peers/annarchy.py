"""The balanced networks in ANNarchy."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import ANNarchy as ann
from scipy.sparse import csr_matrix

from benchmarks import graphs
from benchmarks.graphs import Edges
from benchmarks.protocol import memory, serve, start_peak

SYNAPSES = """
    tau_e * dg_exc/dt = -g_exc
    tau_i * dg_inh/dt = -g_inh
"""
CUBA = "tau * dv/dt = g_exc - g_inh - (v + 49.0)" + SYNAPSES
COBA = "tau * dv/dt = -60.0 - v + g_exc * (0.0 - v) + g_inh * (-80.0 - v)" + SYNAPSES
#: Equations, method, cells and seconds of the model.
NETWORKS = {
    "cuba": (CUBA, "exponential", 4000, 10.0),
    "cuba_40000": (CUBA, "exponential", 40000, 2.0),
    "coba": (COBA, "exponential", 4000, 2.0),
    "coba_euler": (COBA, "explicit", 4000, 2.0),
}


def join(source: Any, target: Any, kind: str, edges: Edges) -> None:
    values = [abs(edges.weight)] * len(edges.pre)
    weights = csr_matrix((values, (edges.pre, edges.post)), shape=(source.size, target.size))
    ann.Projection(source, target, kind).connect_from_sparse(weights)


def main(name: str, dtype: str, core: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # compilers speak on standard output
    equations, method, size, seconds = NETWORKS[name]
    base = memory("VmRSS")
    start_peak()
    began = time.process_time()
    ann.setup(dt=0.1, method=method, num_threads=1, seed=5)
    kind = ann.Neuron(
        parameters="tau = 20.0 : population\n tau_e = 5.0 : population\n tau_i = 10.0 : population",
        equations=equations,
        spike="v > -50.0",
        reset="v = -60.0",
        refractory=5.0,
    )
    drawn = graphs.balanced(size, conductances=equations is COBA)
    cells = ann.Population(size, kind)
    join(cells[: drawn.border], cells, "exc", drawn.exc)
    join(cells[drawn.border :], cells, "inh", drawn.inh)
    spikes = ann.Monitor(cells, "spike")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "brainsim" / "benchmarks" / "annarchy"
    cache.mkdir(parents=True, exist_ok=True)
    os.chdir(cache)
    # It asks for a newer cmake than many systems have: one beside the interpreter comes first.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ann.compile(directory=name, compiler_flags="-march=native -O3")
    cells.v = drawn.v
    cells.g_exc, cells.g_inh = drawn.ge, drawn.gi
    about = {"seconds": seconds, "images": 0, "once": True, "version": ann.__version__, "python_megabytes": base,
             "build_megabytes": memory("VmHWM") - base, "build_seconds": time.process_time() - began}  # fmt: skip

    def once() -> dict[str, Any]:
        start_peak()
        wall, cpu = time.perf_counter(), time.process_time()
        ann.simulate(seconds * 1e3)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        most = memory("VmHWM") - base
        count = sum(len(times) for times in spikes.get("spike").values())
        return {"cpu": cpu, "wall": wall, "spikes": count, "megabytes": most}

    serve(about, once, core, answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
