"""Where a plan runs: a table of backends, and the choice among them. Nothing here imports Brian2."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from brainsim.backends import cost, native, program, room
from brainsim.backends.outcome import Course, Outcome, Progress, silent
from brainsim.compose import draws
from brainsim.compose.plan import Plan
from brainsim.errors import Problem, SetupError, suggest

__all__ = ["BACKENDS", "Outcome", "available", "best", "choose", "require", "room", "run"]


def _numpy(plan, samples, order, recorder, progress, folder, saved, keep, course) -> Outcome:
    from brainsim.backends import runtime

    return runtime.run(plan, "numpy", samples, order, recorder, progress, saved, course=course)


def _cython(plan, samples, order, recorder, progress, folder, saved, keep, course) -> Outcome:
    from brainsim.backends import runtime

    return runtime.run(plan, "cython", samples, order, recorder, progress, saved, course=course)


def _cpp_standalone(plan, samples, order, recorder, progress, folder, saved, keep, course) -> Outcome:
    from brainsim.backends import standalone

    return standalone.run(plan, samples, order, recorder, progress, folder, saved, keep)


def _native(plan, samples, order, recorder, progress, folder, saved, keep, course) -> Outcome:
    from brainsim.backends import runtime

    return runtime.run(plan, "native", samples, order, recorder, progress, saved, folder, course)


#: Name -> what runs it. A further device is one more module here and one more line.
BACKENDS: dict[str, Callable[..., Outcome]] = {
    "numpy": _numpy,
    "cython": _cython,
    "cpp_standalone": _cpp_standalone,
    "native": _native,
}


def available() -> dict[str, str]:
    """Name of each backend -> why it cannot be used here; empty if it can."""
    compiler = "" if program.find_compiler() else "no C++ compiler was found (on Debian: apt install g++)"
    cython = "" if importlib.util.find_spec("Cython") else "Cython is not installed (pip install cython)"
    make = "" if shutil.which("make") else "make was not found (on Debian: apt install make)"
    native_ = compiler or native.outdated()
    return {"numpy": "", "cython": cython or compiler, "cpp_standalone": compiler or make, "native": native_}


def best(plan: Plan) -> tuple[str, str]:
    """What ``auto`` means for this plan where everything is installed, and why in one sentence."""
    seconds = cost.numpy_seconds(plan)
    words, refused = cost.in_words(seconds), native.refuses(plan)
    if refused and (neither := program.refuses(plan)):
        return "numpy", f"{refused}, and {neither}"
    compiling = cost.standalone_compile_seconds(plan) if refused else cost.compile_seconds(plan)
    if seconds <= compiling + seconds / cost.SPEEDUP:
        return "numpy", f"it takes about {words} on numpy, less than compiling is worth"
    reason = f"on numpy it would take about {words}"
    return ("cpp_standalone", f"{reason}; {refused}") if refused else ("native", reason)


def choose(plan: Plan, samples: Any = None) -> tuple[str, str]:
    """What ``auto`` means for this plan here, and why. Sizes and steps decide, and nothing measured."""
    name, reason = best(plan)
    there = available()
    missing = there[name]
    if missing and name == "native" and not there["cpp_standalone"] and not program.refuses(plan):
        return "cpp_standalone", f"{reason}; {missing}"
    if missing:
        words = cost.in_words(cost.numpy_seconds(plan))
        return "numpy", f"it takes about {words} there, and compiled code is not possible: {missing}"
    return name, reason


def require(backend: str) -> None:
    """Raise ``SetupError`` if a backend is unknown or cannot be used here."""
    if backend not in BACKENDS:
        raise SetupError(Problem("backend", f"{backend} is not a backend", hint=suggest(backend, BACKENDS, "backend")))
    reason = available().get(backend, "")
    if reason:
        raise SetupError(Problem("backend", f"{backend} cannot be used: {reason}.", hint="Use backend: numpy."))


def run(
    plan: Plan,
    backend: str,
    samples: Any = None,
    order: np.ndarray | None = None,
    recorder: Any = None,
    progress: Progress | None = None,
    folder: Path | str | None = None,
    *,
    saved: draws.Saved | None = None,
    keep: bool = False,
    course: Course | None = None,
) -> Outcome:
    """Run a plan on a backend and hand the results to ``recorder``.

    Parameters
    ----------
    samples : with ``images`` (uint8 [rows, pixels]) and ``labels`` (integers [rows]), if the plan has data
    order : int32 [trials], the row of ``samples`` shown in each trial
    progress : called with (model time in seconds, total, {path: rate in Hz}), about four times a second
    folder : where the log of a failed compilation or program goes, and the build folder if ``keep``
    saved : (object name, variable) -> values, for initial values from an earlier run
    course : told when a round ends; says where to go on

    Raises ``FitError`` or ``RunError`` when the model cannot be built or fails, ``SetupError`` when the
    backend cannot be used here. Ctrl-C does not raise: the outcome says how far the run came.
    """
    if backend == "auto":
        backend = choose(plan, samples)[0]
    require(backend)
    arguments = (samples, order, recorder, progress or silent, Path(folder) if folder else None, saved, keep, course)
    return BACKENDS[backend](plan, *arguments)
