"""One network on one device in a process of its own: build it once, then time a run for every line of input.

Answers are lines of JSON. Times are seconds of the time steps alone, in all: building, compiling, loading and writing
results are not in them.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import os
import re
import shutil
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
from benchmarks.networks import Case, made
from benchmarks.protocol import memory, peak_of, serve, start_peak

Once = Callable[[], dict[str, Any]]


def spikes_of(net: b2.Network) -> int:
    return int(sum(monitor.num_spikes for monitor in net.objects if isinstance(monitor, b2.SpikeMonitor)))


def _settled() -> float:
    """Megabytes of this process once all that is not needed is given back."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    return memory("VmRSS")


def on_native(name: str, dtype: str, threads: int) -> tuple[dict[str, Any], Once]:
    import brainsim.native

    device = brainsim.native.native_device
    b2.set_device("native", threads=threads)
    base = _settled()
    start_peak()
    began = time.process_time()
    case = made(name)
    net, seconds = case.network, case.seconds
    device.prepare(net, case.namespace)
    building = time.process_time() - began
    about = {
        **_about(case),
        "python_megabytes": base,
        "build_megabytes": memory("VmHWM") - base,
        "build_seconds": building,
    }
    before = _settled()
    net.store()  # what is kept for the next round is no part of a run
    kept = _settled() - before
    first = True

    def once() -> dict[str, Any]:
        nonlocal first
        if not first:
            net.restore(restore_random_state=True)
            device.prepare(net, case.namespace)
        first = False
        count = round(seconds / float(min(clock.dt for clock in net._clocks)))
        _settled()
        start_peak()
        wall, cpu = time.perf_counter(), time.process_time()
        device.step(count)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        most = memory("VmHWM") - base - kept
        return {"cpu": cpu, "wall": wall, "spikes": spikes_of(net), "megabytes": most}

    return about, once


def _folder(name: str, dtype: str) -> Path:
    """Where the program of a row is kept, so that only what changed is compiled again."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "brainsim" / "benchmarks"
    folder = cache / f"{name}-{dtype}"
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held until the process ends
    except OSError:
        return Path(tempfile.mkdtemp(prefix="benchmark-"))  # another run has the row
    return folder


def on_cpp_standalone(name: str, dtype: str, threads: int) -> tuple[dict[str, Any], Once]:
    folder = _folder(name, dtype)
    b2.set_device("cpp_standalone", directory=str(folder), build_on_run=False)
    b2.prefs.devices.cpp_standalone.extra_make_args_unix = [f"-j{max(2, len(os.sched_getaffinity(0)))}"]
    b2.prefs.devices.cpp_standalone.openmp_threads = threads if threads > 1 else 0
    case = made(name)
    net, seconds = case.network, case.seconds
    net.run(seconds * b2.second, namespace=case.namespace)
    device = b2.get_device()
    device.build(directory=str(folder), run=False, with_output=False)
    results = folder / "results"
    results.mkdir(exist_ok=True)
    device.has_been_run = True
    device.results_dir = f"{results}/"
    flags = re.search(r"^OPTIMISATIONS = (.*)$", (folder / "makefile").read_text(), re.MULTILINE)
    chosen = [flag for flag in flags[1].split() if not flag.startswith("-I")] if flags else []
    about = {**_about(case), "flags": " ".join(chosen)}

    def once() -> dict[str, Any]:
        with open(os.devnull, "w") as nothing:
            program = subprocess.Popen(["./main", "--results_dir", f"{results}/"], cwd=folder, stdout=nothing)
            most = peak_of(program)
        if program.returncode:
            raise SystemExit(f"the program ended with status {program.returncode}")
        spent = float((results / "last_run_info.txt").read_text().split()[0])  # of std::clock: CPU seconds
        device.array_cache.clear()
        return {"cpu": spent, "spikes": spikes_of(net), "megabytes": most}

    return about, once


def _about(case: Case) -> dict[str, Any]:
    return {"seconds": case.seconds, "images": case.images}


DEVICES = {"native": on_native, "cpp_standalone": on_cpp_standalone}


def main(name: str, device: str, dtype: str, core: str, threads: str = "1") -> None:
    b2.BrianLogger.suppress_hierarchy("brian2")
    b2.prefs.core.default_float_dtype = np.dtype(dtype).type
    b2.prefs.codegen.target = "numpy"
    answers, sys.stdout = sys.stdout, sys.stderr
    about, once = DEVICES[device](name, dtype, int(threads))
    serve(about, once, core, answers)
    if device == "cpp_standalone":  # hundreds of megabytes that the next build writes again
        folder = Path(b2.get_device().project_dir)
        for part in ("static_arrays", "results") if (folder / "lock").exists() else ("",):
            shutil.rmtree(folder / part, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
