"""How a process that holds a network is asked for runs, and what it says of its memory. Needs nothing installed."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any


def serve(about: dict[str, Any], once: Callable[[], dict[str, Any]], core: str, answers: IO[str]) -> None:
    """Say what was built, then run once for every line of input. Everything after the building is on one core."""
    if core:
        os.sched_setaffinity(0, {int(core)})
    print(json.dumps(about), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps(once()), file=answers, flush=True)


def _status(process: str, name: str) -> float:
    text = Path(f"/proc/{process}/status").read_text()
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith(name)), 0.0)


def memory(name: str) -> float:
    """Megabytes of this process: ``VmRSS``, what it has, or ``VmHWM``, the most it had since :func:`start_peak`."""
    try:
        return _status("self", name)
    except OSError:  # not Linux: what it had at most since it began
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 2**20)


def start_peak() -> None:
    """From here on ``VmHWM`` is the most this process has (where the kernel can be asked for that)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_of(program: subprocess.Popen) -> float:
    """Wait for a program and return the most memory it had, in megabytes (what wait4 says includes this process's)."""
    most = 0.0
    while program.poll() is None:
        with contextlib.suppress(OSError):
            most = max(most, _status(str(program.pid), "VmHWM"))
        time.sleep(0.005)
    return most
