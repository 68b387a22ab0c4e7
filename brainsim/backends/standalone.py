"""Brian2's C++ standalone mode: the whole run is one program, compiled in a folder of our own.

Brian2 writes the sources; we compile and start them ourselves, so that progress can be shown, Ctrl-C ends
the program and its errors reach the user. The phases of a run share their code: Brian2 would generate and
compile every object again for each of them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from brainsim import brian, builder, seeds
from brainsim.backends import program
from brainsim.backends.outcome import Delivery, Outcome, Progress, silent, total_time
from brainsim.backends.runtime import settings
from brainsim.compose import draws
from brainsim.compose.plan import Phase, Plan
from brainsim.errors import Problem, RunError, SetupError

POLL_SECONDS = 0.1
GRACE_SECONDS = 30.0  # after Ctrl-C, for the program to finish its step and write what it has


def run(
    plan: Plan,
    samples: Any,
    order: np.ndarray | None,
    recorder: Any,
    progress: Progress = silent,
    folder: Path | None = None,
    saved: draws.Saved | None = None,
    keep: bool = False,
) -> Outcome:
    """Build, compile and run. ``folder`` takes the log of a failure; ``keep`` leaves the build folder there."""
    if reason := program.refuses(plan):
        raise SetupError(Problem("backend", reason, hint="Use backend: native, or numpy."))
    program.compiler()  # fail before any work
    start = time.perf_counter()
    place = Path(tempfile.mkdtemp(prefix="brainsim-build-"))
    ok = False
    try:
        outcome = _run(plan, samples, order, recorder, progress, saved, place, start)
        ok = True
        return outcome
    except program.Failed as failed:
        raise _failure(failed, place, folder) from failed
    finally:
        if keep and folder is not None:
            shutil.copytree(place, Path(folder) / "build", dirs_exist_ok=True)
        if ok or folder is not None or not any(place.glob("*.log")):
            shutil.rmtree(place, ignore_errors=True)
        else:  # the message names the log, so that stays
            _keep_logs(place)


def _run(plan, samples, order, recorder, progress, saved, place: Path, start: float) -> Outcome:
    b2 = brian.load()
    total = total_time(plan)
    with contextlib.ExitStack() as stack:
        interrupt = stack.enter_context(brian.Interrupt())
        notes = stack.enter_context(brian.quiet())
        stack.enter_context(brian.preferences(**settings("numpy", plan.dtype)))
        device = stack.enter_context(brian.device("cpp_standalone", build_on_run=False))
        try:
            built = builder.build(plan, samples, order, saved)
            b2.seed(seeds.noise_seed(plan.seed))
            try:
                _phases(b2, device, plan, built)
                device.build(directory=str(place), compile=False, run=False, with_output=False)
            except Exception as error:
                raise builder.explain(error, plan) from error
            watched = [w for w in plan.watches if w.kind == "spikes" and w.name in built.monitors]
            built_at = time.perf_counter()
            interrupt.check()
            program.compile_sources(place, sorted(device.writer.source_files))
            interrupt.check()
            compiled_at = time.perf_counter()
        except KeyboardInterrupt:
            return Outcome("cpp_standalone", time.perf_counter() - start, completed=False, notes=tuple(notes))
        completed, reached = _follow(place, plan, built, watched, total, progress, interrupt)
        if reached is not None:
            device.has_been_run = True  # from here on, values are read from the program's files
            device.array_cache = dict.fromkeys(device.array_cache)
            delivery = Delivery(built, recorder)
            delivery.everything()
            delivery.weights()
            recorder.flush()
            for group in built.groups.values():
                group._check_for_invalid_states()
    end = time.perf_counter()
    return Outcome(
        backend="cpp_standalone",
        build_seconds=built_at - start,
        compile_seconds=compiled_at - built_at,
        run_seconds=end - compiled_at,
        completed=completed,
        stopped_at=reached or 0.0,
        notes=(*brian.notes(), *notes),
    )


def _phases(b2: Any, device: Any, plan: Plan, built: builder.Built) -> None:
    """Queue every phase. The first goes through Brian2; the others repeat what that queued."""
    device.report_func = program.progress_code(plan, built)
    device.insert_code("before_network_run", f"{built.network.name}.add(&defaultclock, brainsim_progress);")
    queue = device.main_queue
    first: list[tuple[str, Any]] | None = None
    before: Phase | None = None
    for phase in plan.phases:
        duration = draws.duration(plan, phase)
        if duration <= 0:
            continue
        if first is None or before is None:
            builder.enter(built, phase)
            begin = len(queue)
            built.network.run(duration * b2.second, namespace=dict(built.namespace))
            first = [entry for entry in queue[begin:] if entry[0].endswith(("run_code_object", "run_network"))]
        else:
            # Ctrl-C ends Brian2's loop of one phase; the next must not begin.
            device.insert_code("main", "if (!Network::_globally_stopped) {")
            builder.leave(built, before)
            builder.enter(built, phase)
            for kind, arguments in first:
                if kind == "run_network":
                    call = f"{built.network.name}.run({duration!r}, NULL, 10.0);"
                    arguments = (arguments[0], [call])
                queue.append((kind, arguments))
            device.insert_code("main", "}")
        before = phase
    device.insert_code("main", "brainsim_last();")


def _follow(
    place, plan, built, watched, total, progress: Progress, interrupt: brian.Interrupt
) -> tuple[bool, float | None]:
    """Start the program and watch it. Returns whether it came to the end, and the model time it reached."""
    results = place / "results"
    results.mkdir(exist_ok=True)
    counts: dict[str, tuple[float, int]] = {}
    with open(place / "run.log", "wb") as log:
        child = subprocess.Popen(
            [str(place / "main"), "--results_dir", f"{results}{os.sep}"],
            cwd=place,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LD_BIND_NOW": "1"},
            start_new_session=True,  # Ctrl-C reaches it from us, once
        )
        interrupted = False
        shown = None
        try:
            while child.poll() is None:
                try:
                    child.wait(POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    interrupt.check()
                    model_time, numbers = program.read_progress(results)
                    if model_time is not None and model_time != shown:
                        shown = model_time
                        progress(model_time, total, _rates(watched, built, model_time, numbers, counts))
        except KeyboardInterrupt:
            interrupted = True
            _end(child)
        except BaseException:
            _end(child, signal.SIGKILL)
            raise
    reached, numbers = program.read_progress(results)
    finished = (results / "last_run_info.txt").exists()
    if interrupted:
        return False, reached if finished and child.returncode == 0 else None
    if child.returncode != 0 or not finished:
        word = f"signal {-child.returncode}" if child.returncode < 0 else f"exit code {child.returncode}"
        raise program.Failed(f"The compiled program ended with {word}", place / "run.log")
    if reached is not None:
        progress(reached, total, _rates(watched, built, reached, numbers, counts))
    # An interrupt from outside stops the program cleanly, too.
    done = reached is not None and reached >= total - 0.5 * plan.dt
    return done, reached if reached is not None else total


def _end(child: subprocess.Popen, how: int = signal.SIGINT) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(how)
    try:
        child.wait(GRACE_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        child.kill()
        child.wait()


def _rates(watched, built, model_time, numbers, counts) -> dict[str, float]:
    rates = {}
    for watch, count in zip(watched, numbers, strict=False):
        then, before = counts.get(watch.name, (0.0, 0))
        stop = len(built.groups[watch.target]) if watch.stop is None else watch.stop
        if model_time > then and stop > watch.start:
            rates[watch.path] = (count - before) / ((stop - watch.start) * (model_time - then))
            counts[watch.name] = model_time, count
    return rates


def _keep_logs(place: Path) -> None:
    for item in place.iterdir():
        if item.is_dir():
            shutil.rmtree(item, ignore_errors=True)
        elif item.suffix != ".log":
            item.unlink(missing_ok=True)


def _failure(failed: program.Failed, place: Path, folder: Path | None) -> RunError:
    log, where = failed.log, failed.log
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    wrong = [line for line in lines if "error:" in line]
    tail = "\n".join(wrong[:5] or lines[-12:])
    if folder is not None and log.exists():
        where = Path(folder) / log.name
        where.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(log, where)
    hint = f"{tail}\nThe whole log is in {where}." if tail else f"The log {where} is empty."
    return RunError(Problem("backend", failed.what, hint=hint))
