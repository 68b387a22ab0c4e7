"""One network on one device in a process of its own: build it once, then time a run for every line of input.

Answers are lines of JSON. Times are CPU seconds of the time steps alone: building, compiling, loading and writing
results are not in them.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np

from benchmarks import tasks  # noqa: F401  (adds its rows)
from benchmarks.networks import NETWORKS, Case


def spikes_of(net: b2.Network) -> int:
    return int(sum(monitor.num_spikes for monitor in net.objects if isinstance(monitor, b2.SpikeMonitor)))


def on_native(build: Callable[[], Case]) -> Callable[[], dict[str, Any]]:
    import brainsim.native

    b2.set_device("native")
    device = brainsim.native.native_device
    case = build()
    net, seconds = case.network, case.seconds
    device.prepare(net, case.namespace)
    net.store()
    first = True

    def once() -> dict[str, Any]:
        nonlocal first
        if not first:
            net.restore(restore_random_state=True)
            device.prepare(net, case.namespace)
        first = False
        count = round(seconds / float(min(clock.dt for clock in net._clocks)))
        start = time.process_time()
        device.step(count)
        spent = time.process_time() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"cpu": spent / seconds, "spikes": spikes_of(net) / seconds, "megabytes": memory / 1024}

    return once


def peak_memory(program: subprocess.Popen) -> int:
    """Wait for a program and return the most memory it had, in KiB (what wait4 says includes this process's)."""
    peak = 0
    while program.poll() is None:
        try:
            status = Path(f"/proc/{program.pid}/status").read_text()
            peak = max(peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
        except OSError:
            pass
        time.sleep(0.005)
    return peak


def on_cpp_standalone(build: Callable[[], Case]) -> Callable[[], dict[str, Any]]:
    folder = tempfile.mkdtemp(prefix="benchmark-")
    b2.set_device("cpp_standalone", directory=folder, build_on_run=False)
    b2.prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]
    case = build()
    net, seconds = case.network, case.seconds
    net.run(seconds * b2.second, namespace=case.namespace)
    device = b2.get_device()
    device.build(directory=folder, run=False, with_output=False)
    results = Path(folder) / "results"
    results.mkdir(exist_ok=True)
    device.has_been_run = True
    device.results_dir = f"{results}/"

    def once() -> dict[str, Any]:
        with open(os.devnull, "w") as nothing:
            program = subprocess.Popen(["./main", "--results_dir", f"{results}/"], cwd=folder, stdout=nothing)
            memory = peak_memory(program)
        if program.returncode:
            raise SystemExit(f"the program ended with status {program.returncode}")
        spent = float((results / "last_run_info.txt").read_text().split()[0])  # of std::clock
        device.array_cache.clear()
        return {"cpu": spent / seconds, "spikes": spikes_of(net) / seconds, "megabytes": memory / 1024}

    return once


DEVICES = {"native": on_native, "cpp_standalone": on_cpp_standalone}


def main(name: str, device: str, dtype: str, core: str) -> None:
    b2.BrianLogger.suppress_hierarchy("brian2")
    b2.prefs.core.default_float_dtype = np.dtype(dtype).type
    b2.prefs.codegen.target = "numpy"
    answers, sys.stdout = sys.stdout, sys.stderr
    once = DEVICES[device](NETWORKS[name])
    if core:
        os.sched_setaffinity(0, {int(core)})
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps(once()), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
