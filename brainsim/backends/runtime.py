"""Brian2 inside this process: numpy, code objects compiled by Cython, or our device that compiles the whole loop."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import numpy as np

from brainsim import brian, builder, seeds
from brainsim.backends import native
from brainsim.backends.outcome import Course, Delivery, Outcome, Progress, silent, total_time
from brainsim.compose import draws
from brainsim.compose.plan import Plan
from brainsim.errors import Problem, RunError

SEGMENT_SECONDS = 10.0  # wall time between two segments of results on disk
REPORT_SECONDS = 0.25


def run(
    plan: Plan,
    target: str,
    samples: Any,
    order: np.ndarray | None,
    recorder: Any,
    progress: Progress = silent,
    saved: draws.Saved | None = None,
    folder: Path | None = None,
    course: Course | None = None,
) -> Outcome:
    """Run a plan with the code generation target ``numpy`` or ``cython``, or on the device ``native``.

    ``folder`` takes the log of a compilation that failed; ``course`` is told of the end of each round.
    """
    b2 = brian.load()
    from brainsim.native import integrators  # imports Brian2

    builds = native.load().statistics if target == "native" else None
    compiled = builds.seconds if builds else 0.0
    start = time.perf_counter()
    random_state = np.random.get_state()  # Brian2 draws its noise from numpy's global stream
    watcher, completed = None, False
    with contextlib.ExitStack() as stack:
        interrupt = stack.enter_context(brian.Interrupt())
        notes = stack.enter_context(brian.quiet())
        stack.enter_context(brian.preferences(**settings(target, plan.dtype)))
        stack.enter_context(device(plan, target))
        stack.enter_context(integrators.kept())
        stack.callback(np.random.set_state, random_state)
        # What is no number any more is told in a note of Brian2's, not by numpy in the middle of the progress bar.
        stack.enter_context(np.errstate(all="ignore"))
        try:
            built = builder.build(plan, samples, order, saved, by_arrival=target == "native")
            b2.seed(seeds.noise_seed(plan.seed))
            watcher = _Watcher(plan, Delivery(built, recorder), progress)
            first = 0
            if course is not None and course.begun:
                first = course.begun
                _restore(built, course.left)
                watcher.go_on(first, float(np.asarray(built.network.t_)))
            for number in range(first, plan.rounds):
                _phases(b2, plan, built, watcher, interrupt, folder, number)
                if course is not None:
                    watcher.round_ended()
                    course.ended(number, lambda: _state(b2, built))
            completed = True
        except KeyboardInterrupt:
            b2.Network._globally_running = False  # Brian2 does not know that its loop was left
        if watcher is None:
            return Outcome(target, time.perf_counter() - start, completed=False, notes=tuple(notes))
        watcher.delivery.everything()
        watcher.delivery.weights()
        recorder.flush()
    end = time.perf_counter()
    compiled = builds.seconds - compiled if builds else 0.0
    return Outcome(
        backend=target,
        build_seconds=watcher.started_at - start - compiled,
        compile_seconds=compiled,
        run_seconds=end - watcher.started_at,
        completed=completed,
        stopped_at=float(np.asarray(built.network.t_)),
        notes=(*brian.notes(), *notes),
    )


def device(plan: Plan, target: str) -> contextlib.AbstractContextManager[Any]:
    """Brian2's device for a plan, with what the plan says of it."""
    return brian.device("native", threads=plan.threads) if target == "native" else brian.device("runtime")


def settings(target: str, dtype: str = "float64") -> dict[str, Any]:
    """Preferences that make a run depend on the plan only. Compiled arithmetic keeps numpy's order."""
    return {
        "codegen__target": "numpy" if target == "native" else target,
        "codegen__string_expression_target": "numpy",
        # Dimensions were checked before; Brian2 else checks each call of exprel, printing the array to do so.
        "codegen__runtime__numpy__discard_units": True,
        "codegen__loop_invariant_optimisations": True,
        "codegen__cpp__extra_compile_args_gcc": COMPILE_FLAGS,
        "codegen__cpp__extra_compile_args": None,
        "core__default_float_dtype": np.dtype(dtype).type,
        "core__default_integer_dtype": np.int32,
        "logging__std_redirection_to_file": False,  # else Brian2 leaves logs of compilers in the temporary folder
    }


#: No -ffast-math and no fused multiply-add: both change the last bits, and with them spikes.
COMPILE_FLAGS = ["-w", "-O3", "-march=native", "-ffp-contract=off", "-std=c++11"]


def _phases(
    b2: Any, plan: Plan, built: builder.Built, watcher: _Watcher, interrupt: brian.Interrupt, folder: Path | None,
    number: int,
) -> None:  # fmt: skip
    """All phases of one round."""
    end = number * sum(phase.passes * phase.count for phase in plan.phases)
    for phase in plan.phases:
        duration = draws.duration(plan, phase)
        if duration <= 0:
            continue
        end += phase.passes * phase.count
        builder.enter(built, phase, number)
        while duration > 0:
            interrupt.check()
            try:
                built.network.run(
                    duration * b2.second,
                    report=watcher,
                    report_period=REPORT_SECONDS * b2.second,
                    namespace=dict(built.namespace),
                )
            except Exception as error:
                raise native.failure(error, folder) or builder.explain(error, plan) from error
            interrupt.check()
            watcher.done += duration
            # Each sample that was shown again took the place of one at the end of the phase.
            duration = builder.left(built, end)
            watcher.total += duration
        builder.leave(built, phase)


#: What a network has as soon as it is built, and never changes: the ends of synapses.
_BUILT = ("_synaptic_pre", "_synaptic_post", "N_incoming", "N_outgoing")


def _state(b2: Any, built: builder.Built) -> dict[str, Any]:
    """Every array of a network between two runs, spikes in flight, clocks and random numbers."""
    found = built.network._full_state()
    for name in built.connections:
        found[name] = {key: value for key, value in found[name].items() if key not in _BUILT}
    return {"network": found, "random": b2.get_device().get_random_state()}


def _restore(built: builder.Built, state: dict[str, Any]) -> None:
    """Put a network that was just built where another one left off. Raises ``RunError`` if it is not the same."""
    network = built.network
    network._stored_state["checkpoint"] = {**state["network"], "_random_generator_state": state["random"]}
    try:
        network.restore("checkpoint", restore_random_state=True)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        text = f"the checkpoint does not fit the network: {' '.join(str(error).split())[:200]}"
        raise RunError(Problem("data", text, hint="Run the experiment anew, in another folder.")) from error
    del network._stored_state["checkpoint"]


class _Watcher:
    """Called by Brian2 during a run: shows progress and writes segments."""

    def __init__(self, plan: Plan, delivery: Delivery, progress: Progress):
        self.plan, self.delivery, self.progress = plan, delivery, progress
        self.total, self.done = total_time(plan), 0.0
        self.built_at = self.started_at = self.saved_at = time.perf_counter()
        self.begun = False
        self.counts: dict[str, tuple[float, int]] = {}

    def __call__(self, elapsed: Any, completed: float, start: Any, duration: Any) -> None:
        now = time.perf_counter()
        if not self.begun:  # the first call comes when the code of the first phase has been generated
            self.begun, self.started_at, self.saved_at = True, now, now
        model_time = self.done + completed * float(duration)
        self.progress(model_time, self.total, self._rates(model_time))
        if now - self.saved_at > SEGMENT_SECONDS:
            self.saved_at = now
            self.delivery.everything()
            self.delivery.recorder.flush()

    def go_on(self, rounds: int, model_time: float) -> None:
        """Rounds that an earlier attempt has finished are not to be done."""
        self.total = model_time + self.total * (1 - rounds / self.plan.rounds)
        self.done = model_time

    def round_ended(self) -> None:
        """Hand on what the round brought, and let monitors begin anew."""
        self.delivery.everything()
        self.delivery.clear()
        self.counts = {name: (then, 0) for name, (then, _) in self.counts.items()}

    def _rates(self, model_time: float) -> dict[str, float]:
        rates = {}
        for watch in self.plan.watches:
            monitor = self.delivery.built.monitors.get(watch.name)
            if watch.kind != "spikes" or monitor is None:
                continue
            then, before = self.counts.get(watch.name, (0.0, 0))
            count = int(monitor.variables["N"].get_value()[0])
            cells = monitor.variables["_source_stop"].get_value() - monitor.variables["_source_start"].get_value()
            if model_time > then and cells > 0:
                rates[watch.path] = float((count - before) / (cells * (model_time - then)))
                self.counts[watch.name] = model_time, count
        return rates
