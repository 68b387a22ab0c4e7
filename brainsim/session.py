"""A network stepped from Python, for closed loops: tasks, controllers, hardware."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from brainsim import backends, brian, builder, seeds
from brainsim.backends import native, stepping
from brainsim.backends.runtime import device, settings
from brainsim.compose.plan import Connection, Group, Plan, Watch
from brainsim.errors import FitError, Problem, RunError, SetupError, suggest
from brainsim.runs import phases, weights
from brainsim.runs import samples as shown
from brainsim.runs.prepare import prepare

#: Backends that can be stepped.
STEPPED = ("native", "numpy", "cython")
#: Spikes kept for a population whose spikes were never asked for.
UNREAD = 1_000_000


@dataclass
class _Spikes:
    """Spikes of one population since they were last taken."""

    size: int
    monitor: Any
    count: np.ndarray  # [1], how many the monitor holds
    taken: int = 0  # how many it held before
    mark: int = 0  # all spikes when the last step began
    wanted: bool = False  # somebody takes them

    def __post_init__(self) -> None:
        self.held: Callable[[], int] = self.count.item

    def all(self) -> int:
        return self.taken + self.held()

    def empty(self) -> None:
        self.taken += self.held()
        self.monitor.resize(0)
        self.count[0] = 0


class Session:
    """An experiment, built and ready to be stepped; ``brainsim.Session``.

    Phases and ``run.duration`` play no part: time goes on for as long as it is stepped. Nothing is written to disk.

    Parameters
    ----------
    experiment, set, seed, library
        As for :func:`brainsim.run`.
    backend
        ``native``, ``numpy``, ``cython``, or ``auto`` (native where there is a compiler, else numpy). By default the
        backend of the experiment, if it can be stepped; ``backend`` and ``reason`` tell what was taken and why.

    Raises
    ------
    FileError, FitError, SetupError, RunError
        As for :func:`brainsim.run`.

    >>> with brainsim.Session("cortex_ei") as session:  # doctest: +SKIP
    ...     session.step(0.1)
    ...     session.rate("exc")
    """

    def __init__(
        self,
        experiment: str | os.PathLike[str],
        set: Mapping[str, Any] | None = None,
        seed: int | None = None,
        backend: str | None = None,
        library: Sequence[str | os.PathLike[str]] = (),
    ):
        prepared = prepare(experiment, set, seed, None, library)
        plan = self.plan = replace(prepared.plan, watches=_watches(prepared.plan))
        self.backend, self.reason = _choose(plan, backend)
        backends.room.check(plan, Path.cwd())
        samples, said = shown.load(plan, prepared.root)
        order = phases.schedule(plan, samples).order if plan.data else None
        self._said = said
        self._build(samples, order, weights.saved_values(plan, prepared.root))
        self.dt = plan.dt
        self._last = 0  # steps of the last call
        items: list[Group | Connection] = [*plan.groups, *plan.connections]
        self._objects = {item.path: item.name for item in items}

    def _build(self, samples: Any, order: np.ndarray | None, saved: Any) -> None:
        plan = self.plan
        if self.backend == "native":
            native.load()
        with contextlib.ExitStack() as stack:
            notes = stack.enter_context(brian.quiet())
            stack.enter_context(brian.preferences(**settings(self.backend, plan.dtype)))
            stack.enter_context(device(plan, self.backend))
            stack.enter_context(brian.own_clock())
            stack.callback(np.random.set_state, np.random.get_state())
            built = self._built = builder.build(plan, samples, order, saved)
            try:
                seed = seeds.noise_seed(plan.seed)
                stepper = stepping.prepare(self.backend, built.network, dict(built.namespace), seed)
            except Exception as error:
                raise native.failure(error, None) or builder.explain(error, plan) from error
        self.notes = tuple(dict.fromkeys([*plan.notes, *self._said, *brian.notes(), *notes]))
        self._step: Callable[[int], None] = stepper.step
        self._time: Callable[[], float] = stepper.time
        self._spikes = {
            watch.path: _Spikes(len(built.groups[watch.target]), monitor, monitor.variables["N"].get_value())
            for watch in plan.watches
            if (monitor := built.monitors.get(watch.name)) is not None
        }
        self._counts = tuple(self._spikes.values())

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session. Arrays that were taken from it stay as they are."""
        self._step = self._time = _closed

    @property
    def t(self) -> float:
        """Model time in seconds."""
        return self._time()

    def step(self, amount: float = 1) -> None:
        """Go on: ``step(10)`` by ten time steps, ``step(0.01)`` (any float) by so many seconds of model time.

        Ctrl-C raises ``KeyboardInterrupt`` after a whole step; the session can go on. Raises ``RunError`` where
        the model fails.
        """
        count = amount if type(amount) is int else self._steps(amount)
        if count < 0:
            raise _wrong("value", f"a session cannot go back, got step({amount})")
        for spikes in self._counts:
            held = spikes.held()
            spikes.mark = spikes.taken + held
            if held > UNREAD and not spikes.wanted:
                spikes.empty()
        self._last = count
        try:
            self._step(count)
        except RunError:
            raise
        except Exception as error:
            raise builder.explain(error, self.plan) from error

    def _steps(self, amount: Any) -> int:
        if isinstance(amount, np.integer):
            return int(amount)
        try:
            steps = float(amount) / self.dt
        except (TypeError, ValueError):
            raise _wrong("value", f"step takes a number of steps or of seconds, got {amount!r}") from None
        count = round(steps) if math.isfinite(steps) else 0
        if not abs(steps - count) <= 1e-6 * max(1, abs(count)):
            hint = f"A whole number is a number of steps: step({max(1, count)})."
            raise _wrong("value", f"{amount} s is no multiple of the time step {self.dt * 1e3:g} ms", hint)
        return count

    def view(self, path: str) -> np.ndarray:
        """The memory of a variable, live, in SI units: read it after a step, write to it before the next.

        ``exc.v`` [cells], ``learned.w`` [synapses], or a parameter such as ``drive.rate`` or
        ``learned.plasticity.eta`` [1]. Take it once; it stays valid. Write in place: ``view[:] = 0``.

        Raises ``FitError`` with the nearest name if there is none, or if it is computed and not stored.
        """
        name, variable = self._home(path)
        made = self._built.groups.get(name) or self._built.connections.get(name)
        if made is None:
            raise _wrong("name", f"{path}: the connection has no synapse")
        found = made.variables[variable]
        values = found.get_value()
        return values if isinstance(values, np.ndarray) else np.asarray(values)

    def _home(self, path: str) -> tuple[str, str]:
        """Object and variable of a path."""
        owner, _, variable = path.rpartition(".")
        kinds = ("neuron", "synapse", "plasticity")
        for known in (path, *(f"{owner}.{kind}.{variable}" for kind in kinds)):
            if known in self.plan.parameters:
                return self.plan.parameters[known]
        for kind in kinds:
            owner = owner.removesuffix(f".{kind}")
        name = self._objects.get(owner, "")
        if variable in self._stored(name):
            return name, variable
        made = self._built.groups.get(name) or self._built.connections.get(name)
        if made is not None and variable in made.variables and variable not in _HIDDEN:
            links = next((g.links for g in self.plan.groups if g.name == name), ())
            link = next((each for each in links if each.variable == variable), None)
            if link is not None:
                source = next(g.path for g in self.plan.groups if g.name == link.source)
                raise _wrong("name", f"{path} is linked", f"View {source}.{link.source_variable}.")
            hint = suggest(path, [f"{owner}.{known}" for known in self._stored(name)], "variable")
            raise _wrong("name", f"{path} is computed where it is needed, and not stored", hint)
        known_paths = [f"{p}.{v}" for p, n in self._objects.items() for v in self._stored(n)]
        hint = suggest(path, [*known_paths, *self.plan.parameters], "variable")
        raise _wrong("name", f"there is no variable {path} while the network runs", hint)

    def _stored(self, name: str) -> list[str]:
        """Variables of an object that have memory of their own."""
        made = self._built.groups.get(name) or self._built.connections.get(name)
        if made is None:
            return []
        b2 = brian.load()
        return [
            variable
            for variable, found in made.variables.items()
            if isinstance(found, b2.core.variables.ArrayVariable)
            and getattr(found.owner, "name", "") == name
            and variable not in _HIDDEN
            and not variable.startswith("_")
        ]

    def spikes(self, population: str) -> tuple[np.ndarray, np.ndarray]:
        """Cells and times in seconds of the spikes since the last call (of the first call: since the start).

        They are kept until they are taken; only of a population that is never asked, old ones are forgotten.
        """
        found = self._of(population)
        found.wanted = True
        values = found.monitor.variables
        cells, times = np.array(values["i"].get_value()), np.array(values["t"].get_value())
        found.empty()
        return cells, times

    def rate(self, population: str) -> float:
        """Mean rate of the cells over the last :meth:`step`, in Hz."""
        found = self._of(population)
        if not self._last:
            return 0.0
        return (found.all() - found.mark) / (found.size * self._last * self.dt)

    def _of(self, population: str) -> _Spikes:
        try:
            return self._spikes[population]
        except KeyError:
            pass
        group = next((g for g in self.plan.groups if g.path == population), None)
        if group is not None:
            raise _wrong("fit", f"{population} sends no spikes", f"These do: {', '.join(self._spikes) or 'none'}.")
        raise _wrong("name", f"there is no population {population}", suggest(population, self._spikes, "population"))


#: Variables of Brian2's own, of no use from outside.
_HIDDEN = {"N", "i", "j", "t", "dt", "t_in_timesteps", "N_pre", "N_post", "N_incoming", "N_outgoing"}


def _watches(plan: Plan) -> tuple[Watch, ...]:
    """A monitor for every population that sends spikes, and no other."""
    return tuple(
        Watch(f"spikes_{group.name}", "spikes", group.name, group.path) for group in plan.groups if group.threshold
    )


def _choose(plan: Plan, asked: str | None) -> tuple[str, str]:
    """The backend, and why in one sentence."""
    name = asked or (plan.backend if plan.backend in STEPPED else "auto")
    there = backends.available()
    if name == "auto":
        missing = native.refuses(plan) or there["native"]
        return ("numpy", missing) if missing else ("native", "it is compiled, and stepped in this process")
    if name not in STEPPED:
        hint = suggest(name, STEPPED, "backend") if name not in there else f"Use {', '.join(STEPPED[:2])} or auto."
        raise SetupError(Problem("backend", f"{name} cannot be stepped from Python", hint=hint))
    backends.require(name)
    return name, "asked for"


def _wrong(kind: str, message: str, hint: str = "") -> FitError:
    return FitError(Problem(kind, message, hint=hint))


def _closed(*_: Any) -> Any:
    raise RunError(Problem("backend", "the session is closed", hint="Step inside the with block."))
