"""Numbers of a run by name: ``rate_hz[exc]@last 5 s``, ``share[learned.w > 0.8]``, ``time_to[chosen.w > 3.99]``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from brainsim import analysis, units
from brainsim.compose.plan import Plan
from brainsim.errors import FitError, Problem, suggest

if TYPE_CHECKING:
    from brainsim.runs.results import Results

_FORM = re.compile(
    r"\s*(\w+)\[\s*([^\[\]<>=]+?(?:\[[\d: ]*\])?)\s*(?:(<=|>=|<|>)([^\]]+))?\]\s*(?:@\s*(first|last)\s+(.+))?"
)
_COMPARE: dict[str, Callable] = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}
_SPIKES, _WEIGHTS, _CONDITIONS = ("rate_hz", "cv", "correlation"), ("mean", "sd", "share"), ("share", "time_to")
_HINT = (
    "Write rate_hz[exc], cv[exc] or correlation[exc], of a part of the run with @last 5 s or @first 5 s; "
    "mean[learned.w], sd[learned.w] or share[learned.w > 0.8] of weights after the run; "
    "time_to[chosen.w > 3.9] of a recorded variable."
)
#: Bins in which spikes of two cells count as together, seconds.
_BIN = 5e-3


@dataclass(frozen=True)
class _Measure:
    name: str
    what: str
    place: str  # population, or projection and variable
    compare: str = ""
    bound: float = math.nan  # SI
    side: str = ""  # first or last
    length: float = math.inf  # seconds


def measure(results: Results, name: str) -> float:
    """One number of a run; ``Results.measure``.

    ``rate_hz[PATH]`` is the mean rate of the recorded cells in hertz, ``cv[PATH]`` the mean coefficient of variation of
    their intervals between spikes (of cells with at least three intervals), ``correlation[PATH]`` the mean correlation
    of pairs of cells, of spike counts in bins of 5 ms (of cells that fire). ``@last TIME`` or ``@first TIME`` takes a
    part of the run. ``mean[PATH.VARIABLE]`` and ``sd[...]`` are of the synapses of a projection after the run,
    ``share[PATH.VARIABLE > VALUE]`` is the share of them of which this is true. ``time_to[PATH.VARIABLE > VALUE]`` is
    the time in seconds at which the mean of a recorded variable is first seen there.

    What cannot be said of this run is NaN: the regularity of no spikes, the time to what never came. Raises
    ``FitError`` for a name that cannot be read, or that names nothing the run has kept.
    """
    asked = _read(name)
    weights = [f"{path}.{one}" for path in results.weight_paths for one in results.weights(path).after]
    _check(asked, results.spike_paths, weights, [f"{path}.{one}" for path, one in results.state_paths])
    if asked.what in _SPIKES:
        return _of_spikes(results, asked)
    path, _, variable = asked.place.rpartition(".")
    if asked.what == "time_to":
        times, values = results.state(path, variable)
        there = np.flatnonzero(_COMPARE[asked.compare](values.mean(axis=1), asked.bound))
        return float(times[there[0]]) if there.size else math.nan
    after = np.asarray(results.weights(path).after[variable], float)
    after = after[np.isfinite(after)]
    if not after.size:
        return math.nan
    if asked.what == "share":
        return float(np.mean(_COMPARE[asked.compare](after, asked.bound)))
    return float(after.mean() if asked.what == "mean" else after.std())


def check_names(names: Sequence[str], plan: Plan) -> None:
    """Raise ``FitError`` for measures that a run of this plan will not have."""
    spikes = [watch.path for watch in plan.watches if watch.kind == "spikes"]
    weights = [f"{one.path}.{name}" for one in plan.connections for name, _ in one.saved]
    states = [f"{watch.path}.{variable}" for watch in plan.watches if watch.kind == "state"
              for variable in watch.labels]  # fmt: skip
    for name in names:
        _check(_read(name), spikes, weights, states)


def _read(name: str) -> _Measure:
    found = _FORM.fullmatch(name.rstrip())
    every = dict.fromkeys((*_SPIKES, *_WEIGHTS, *_CONDITIONS))
    if found is None or found[1] not in every:
        close = f"{suggest(found[1], every, 'measure')} " if found else ""
        raise FitError(Problem("value", f"there is no measure {name}", None, close + _HINT))
    what, place, compare, bound, side, length = found.groups()
    if (what in _CONDITIONS) != bool(compare) or (side and what not in _SPIKES):
        raise FitError(Problem("value", f"{name} is no measure", None, _HINT))
    return _Measure(
        name, what, place, compare or "", _value(bound) if bound else math.nan, side or "",
        _value(length, "s") if length else math.inf,
    )  # fmt: skip


def _check(asked: _Measure, spikes: Collection[str], weights: Collection[str], states: Collection[str]) -> None:
    known, what, where = (
        (spikes, "spikes of", "record: spikes")
        if asked.what in _SPIKES
        else (states, "course of", "record: state")
        if asked.what == "time_to"
        else (weights, "weights", "plasticity")
    )
    if asked.place not in known:
        hint = f"{suggest(asked.place, known)} What has {where} is kept."
        raise FitError(Problem("path", f"{asked.name}: a run keeps no {what} {asked.place}", None, hint))


def _of_spikes(results: Results, asked: _Measure) -> float:
    total, dt = float(results.summary["model_time_s"]), float(results.summary["dt_s"])
    took = min(total, asked.length)
    start = total - took if asked.side == "last" else 0.0
    times, cells = results.spikes(asked.place)
    entry = results.summary["populations"][asked.place]
    inside = (times > start - 0.5 * dt) & (times < start + took - 0.5 * dt)
    t, ids, size = times[inside] - start, cells[inside], int(entry["size"])
    if asked.what == "rate_hz":
        # Of a slice the rate of the whole run is known, and from it how many cells it has.
        recorded = round(len(times) / (entry["rate_hz"] * total)) if entry["rate_hz"] else size
        return analysis.mean_rate(len(t), recorded, took)
    if asked.what == "correlation":
        return analysis.mean_correlation(t, ids, size, took, _BIN)
    cv = analysis.isi_cv(t, ids, size)
    return float(np.nanmean(cv)) if np.isfinite(cv).any() else math.nan


def _value(text: str, unit: str = "") -> float:
    """In SI units."""
    try:
        found = units.parse(text.strip())
    except ValueError as error:
        raise FitError(Problem("value", f"{text.strip()} is no value: {error}", None, _HINT)) from None
    if unit and found.dims != units.parse(f"1 {unit}").dims:
        raise FitError(Problem("unit", f"{text.strip()} is not a time", None, _HINT))
    return float(found.value)
