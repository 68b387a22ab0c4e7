"""What a learning rule does to a weight: by the times of spikes, by the weight, by rates, by what else it reads.

Many pairs of cells learn in one network, each pair with spikes, a rate, a weight and levels of its own. Which panels
are drawn follows from what comes out: one in which nothing depends on its axis is left out.
"""

from __future__ import annotations

import ast
import itertools
import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainsim.compose.plan import Plan
from brainsim.errors import BrainsimError
from brainsim.names import BUILT_IN, FUNCTIONS, is_constant
from brainsim.plots.panels import Line, Panel
from brainsim.portrait.bench import Array, Bench, Varied, make_plan, vary
from brainsim.portrait.parts import NoPicture, Part, codes, equations, label, of_side, words, words_of
from brainsim.units import parse as parse_quantity
from brainsim.units import unit_name

SIDES = ("pre", "post")
BEGIN = 0.2  # seconds
#: Time step and length of the run in seconds; the second pair for rules whose delays need it.
TIMES = ((0.5e-3, 2.0), (0.1e-3, 1.0))
#: Pairs at a distance: milliseconds; several of them follow each other every ``GAP`` seconds.
DISTANCES, CLOSE, GAP, COUNT = np.arange(-99.0, 100.0, 4.0), np.arange(-23.0, 24.0, 2.0), 50e-3, 10
RATES, COPIES, PRE_RATE = np.linspace(0, 100, 11), 20, 20.0
NEAR = 10e-3
#: Unit of a variable of a cell -> what it is held at, from where to where it is swept.
LEVELS = {
    "1": (1.0, -1.0, 1.0),
    "volt": (-65e-3, -80e-3, 0.0),
    "Hz": (20.0, 0.0, 100.0),
    "amp": (0.0, -500e-12, 500e-12),
    "second": (10e-3, 0.0, 50e-3),
}


@dataclass
class _Pairs:
    """What each pair of cells gets; one row a pair."""

    first: dict[str, list[float]] = field(default_factory=lambda: {side: [] for side in SIDES})
    counts: list[int] = field(default_factory=list)
    rates: dict[str, list[float]] = field(default_factory=lambda: {side: [] for side in SIDES})
    weights: list[float] = field(default_factory=list)
    levels: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    held: dict[tuple[str, str], float] = field(default_factory=dict)

    def add(
        self, distance: float | None, weight: float, count: int = 1, rates: tuple[float, float] = (0.0, 0.0),
        levels: Mapping[tuple[str, str], float] | None = None,
    ) -> None:  # fmt: skip
        """A pair whose cells fire ``distance`` apart, post after pre; None: they fire by chance or not at all."""
        for side, late, rate in zip(SIDES, (False, True), rates, strict=True):
            when = 100.0 if distance is None else BEGIN + (distance if late else 0.0)
            self.first[side].append(when)
            self.rates[side].append(rate)
        self.counts.append(count)
        self.weights.append(weight)
        for key, level in self.held.items():
            self.levels.setdefault(key, []).append((levels or {}).get(key, level))

    def __len__(self) -> int:
        return len(self.counts)


def portrait(part: Part) -> list[Panel]:
    """Panels for a rule. Raises ``NoPicture`` with the reason where there is none."""
    units, times = fitting(part)
    reads = list(units)
    bounds = _weight(part)
    scale = 1.0
    while True:
        trial = _Trial(part, units, times, bounds, scale)
        change = trial.learn()
        # Levels so strong that weights run into their bounds tell nothing about times.
        if not reads or scale < 0.01 or not trial.saturated(change):
            break
        scale /= 5
    shown = trial.panels(change)
    if not shown:
        what = ", ".join(f"{name} of the {_END[side]} cell" for side, name in reads)
        raise NoPicture(
            "the weight of a pair of cells does not change with their spikes" + (f" and {what} alone" if what else "")
        )
    return shown


class _Trial:
    """All pairs, and which of them make up a curve."""

    def __init__(
        self, part: Part, units: Mapping[tuple[str, str], str], times: tuple[float, float],
        bounds: tuple[str, float, float], scale: float,
    ):  # fmt: skip
        self.part, self.units, self.times = part, units, times
        self.unit, self.low, self.high = bounds
        self.levels = {k: tuple(x * (scale if u == "1" else 1.0) for x in LEVELS[u]) for k, u in units.items()}
        self.pairs = _Pairs(held={key: level[0] for key, level in self.levels.items()})
        self.sections: dict[Any, slice] = {}
        self.grid = np.linspace(self.low, self.high, 23)[1:-1]
        self._section("silent", {})  # what happens without spikes is not due to them
        self._section("window", *({"distance": d * 1e-3} for d in DISTANCES))
        self._section("train", *({"distance": d * 1e-3, "count": COUNT} for d in CLOSE))
        for sign in (1, -1):
            self._section(("weight", sign), *({"distance": sign * NEAR, "weight": w} for w in self.grid))
        for key, (_, a, b) in self.levels.items():
            for sign in (1, -1):
                rows = ({"distance": sign * NEAR, "levels": {key: x}} for x in np.linspace(a, b, 31))
                self._section((key, sign), *rows)
        self._section("rate", *({"rates": (PRE_RATE, r)} for r in RATES for _ in range(COPIES)))

    def _section(self, name: Any, *rows: dict[str, Any]) -> None:
        start = len(self.pairs)
        for row in rows:
            self.pairs.add(**{"distance": None, "weight": (self.low + self.high) / 2, **row})
        self.sections[name] = slice(start, len(self.pairs))

    def saturated(self, change: Array) -> bool:
        """Whether more than a few of the single pairs end at a bound."""
        return self._at_bounds(change[self.sections["window"]] + (self.low + self.high) / 2) > 0.05

    def _at_bounds(self, weights: Array) -> float:
        """Share of weights that have reached the end of their range."""
        span = self.high - self.low
        return float(np.mean((weights <= self.low + 1e-6 * span) | (weights >= self.high - 1e-6 * span)))

    def learn(self) -> Array:
        """Change of the weight of each pair over the whole time."""
        pairs, units = self.pairs, self.units
        dt, length = self.times
        plan = _plan(self.part, units, len(pairs), dt)
        varied = []
        for side in SIDES:
            first = np.array(pairs.first[side])
            last = first + (np.array(pairs.counts) - 0.5) * GAP
            for name, values in (("t_first", first), ("t_last", last), ("rate", np.array(pairs.rates[side]))):
                varied.append(Varied(side, name, values))
        bench = Bench(vary(plan, varied))
        for (side, name), levels in pairs.levels.items():
            bench.set(side, name, np.array(levels))
            if name == "v" and units[side, name] == "volt":
                bench.set(side, "v_held", np.array(levels))
        start = np.array(pairs.weights)
        bench.set("learned", "w", start)
        bench.step(length)
        return bench.get("learned", "w") - start

    def panels(self, change: Array) -> list[Panel]:
        """The panels in which something depends on the axis."""
        made = [self._window(change), *(self._level(change, key) for key in self.levels)]
        return [panel for panel in (*made, self._weights(change), self._rates(change)) if panel is not None]

    def _panel(self, lines: list[Line], x_label: str, title: str) -> Panel | None:
        if not any(_varies(np.asarray(line.y)) for line in lines):
            return None
        largest = max(float(np.nanmax(np.abs(np.asarray(line.y)), initial=0.0)) for line in lines)
        factor, y_label = _change_label(self.unit, largest)
        lines = [Line(line.x, np.asarray(line.y) * factor, line.name, line.role) for line in lines]
        return Panel(lines, x_label, y_label, title, zero=True, height=130)

    def _window(self, change: Array) -> Panel | None:
        held = "; ".join(
            words_of(f"{name}_{side}", self.units[side, name], level) for (side, name), level in self.pairs.held.items()
        )
        silent = change[self.sections["silent"]]
        one, each = change[self.sections["window"]] - silent, (change[self.sections["train"]] - silent) / COUNT
        lines = [Line(*_gap(DISTANCES, one), "one pair")]
        if np.abs(each - np.interp(CLOSE, DISTANCES, one)).max() > 0.15 * np.abs(each).max():
            lines.append(Line(*_gap(CLOSE, each), "ten at 20 Hz, each", "inh"))
        return self._panel(lines, "t_post − t_pre (ms)", held)

    def _level(self, change: Array, key: tuple[str, str]) -> Panel | None:
        side, name = key
        _, low, high = self.levels[key]
        factor, x_label = label(f"{name}_{side}", self.units[key], max(abs(low), abs(high)))
        return self._panel(self._both(np.linspace(low, high, 31) * factor, change, key), x_label, "")

    def _weights(self, change: Array) -> Panel | None:
        inner = slice(len(self.grid) // 4, -(len(self.grid) // 4))
        curves = [change[self.sections["weight", sign]][inner] for sign in (1, -1)]
        ends = np.concatenate([curve + self.grid[inner] for curve in curves])
        if not any(_varies(curve, 0.03) for curve in curves) or 0.05 < self._at_bounds(ends) < 0.95:
            return None
        factor, x_label = label("w", self.unit, self.high)
        return self._panel(self._both(self.grid * factor, change, "weight"), x_label, "")

    def _both(self, x: Array, change: Array, key: Any) -> list[Line]:
        """Curves for either order of the spikes; one where the order does not matter."""
        after, before = (change[self.sections[key, sign]] for sign in (1, -1))
        if np.allclose(after, before, rtol=1e-3, atol=1e-3 * float(np.abs(after).max())):
            return [Line(x, after)]
        return [Line(x, after, "post 10 ms after pre"), Line(x, before, "10 ms before", "inh")]

    def _rates(self, change: Array) -> Panel | None:
        rates = change[self.sections["rate"]].reshape(len(RATES), COPIES)
        mean, error = rates.mean(axis=1), rates.std(axis=1) / np.sqrt(COPIES)
        if not _varies(mean, 0.1) or np.ptp(mean) < 4 * error.max():
            return None  # nothing but chance
        title = f"{self.times[1]:g} s of Poisson spikes, {PRE_RATE:g} Hz before the synapse"
        return self._panel([Line(RATES, mean)], "rate after the synapse (Hz)", title)


_END = {"pre": "sending", "post": "receiving"}


def outside(part: Part, side: str) -> set[str]:
    """Variables of the cell on one side that the rule reads and does not bring along."""
    added = part.data.get(side) or {}
    own = equations(added.get("equations"))
    code = {key: value for key, value in part.data.items() if key not in (*SIDES, "needs")}
    other = part.data.get("post" if side == "pre" else "pre") or {}
    read = of_side(words({"code": code, "other": other}), side)
    known = {*own, *(part.data.get("parameters") or {}), *BUILT_IN, *FUNCTIONS}
    names = words({key: value for key, value in added.items() if key != "equations"})
    for equation in own.values():
        names |= set(equation.expression.names) if equation.expression else set()
    read |= {n for n in names - known if not is_constant(n) and not keyword.iskeyword(n)}
    brought = {n for n in part.data.get("parameters") or {} if n in words(added) or n in names}
    return ((read - set(own) - brought) | set((part.data.get("needs") or {}).get(side, ()))) - set(BUILT_IN)


def _cell(reads: list[str], units: Mapping[str, str]) -> dict[str, Any]:
    lines, reset = [], ""
    initial: dict[str, str] = {}
    for name in reads:
        if name == "v" and units[name] == "volt":  # a spike, and back to the level at which it is held
            lines += ["v_held : volt", "dv/dt = (v_held - v)/(2*ms) : volt"]
            reset = "v = 30*mV"
            initial |= {"v_held": "0 mV", "v": "0 mV"}
        else:
            lines.append(f"{name} : {units[name]}")
            initial[name] = "0" if units[name] == "1" else f"0 {units[name]}"
    timed = "t > t_first - dt/2 and t < t_last and abs(t - t_first - gap*floor((t - t_first)/gap + 0.5)) < dt/2"
    cell = {
        "neuron": "paired",
        "parameters": {"gap": f"{GAP * 1e3:g} ms", "t_first": "0 ms", "t_last": "0 ms", "rate": "0 Hz"},
        "equations": "\n".join(["mark : 1", *lines]) + "\n",
        "threshold": f"({timed}) or rand() < rate*dt",
        "method": "euler",
    }
    return cell | ({"reset": reset} if reset else {}) | ({"initial": initial} if initial else {})


def pair(part: Part, units: Mapping[tuple[str, str], str], size: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Populations and projections of ``size`` pairs of cells that a rule fits."""
    sides = {side: {name: unit for (s, name), unit in units.items() if s == side} for side in SIDES}
    own = equations(part.data.get("equations"))
    declared = own.get("w")
    unit = "1" if declared is None else declared.unit
    silent = {
        "synapse": "silent",
        "equations": "mark : 1\n" if declared and declared.kind != "param" else f"w : {unit}\n",
    }
    populations = {side: {"neuron": _cell(list(sides[side]), sides[side]), "size": size} for side in SIDES}
    learned = {"from": "pre", "to": "post", "synapse": silent, "plasticity": part.content, "connect": "one_to_one"}
    return populations, {"learned": learned}


def _plan(part: Part, units: Mapping[tuple[str, str], str], size: int, dt: float) -> Plan:
    populations, projections = pair(part, units, size)
    return make_plan(populations, projections, dt=dt, library=part.library, root=part.root)


def fitting(part: Part) -> tuple[dict[tuple[str, str], str], tuple[float, float]]:
    """Units of what it reads, found by trying, for a rule does not say them; time step and length that fit."""
    reads = [(side, name) for side in SIDES for name in sorted(outside(part, side))]
    first: BrainsimError | None = None
    for times, units in itertools.product(TIMES, _choices(reads)):
        try:
            _plan(part, units, 2, times[0])
            return units, times
        except BrainsimError as error:
            first = first or error
    assert first is not None
    raise NoPicture(f"it cannot be tried on a pair of cells: {first.problems[0].message}")


def _choices(reads: list[tuple[str, str]]) -> Iterator[dict[tuple[str, str], str]]:
    seen = set()
    same = ([unit] * len(reads) for unit in LEVELS)
    names = sorted({name for _, name in reads})
    mixed = itertools.product(LEVELS, repeat=len(names)) if 1 < len(names) <= 3 else ()
    by_name = ([dict(zip(names, units, strict=True))[name] for _, name in reads] for units in mixed)
    for chosen in itertools.chain(same, by_name):
        if tuple(chosen) not in seen:
            seen.add(tuple(chosen))
            yield dict(zip(reads, chosen, strict=True))


def _weight(part: Part) -> tuple[str, float, float]:
    """Unit of the weight and the range it is kept in, read from the ``clip(.., low, high)`` of the code."""
    declared = equations(part.data.get("equations")).get("w")
    values = {}
    for name, value in (part.data.get("parameters") or {}).items():
        values[name] = float(parse_quantity(value).value)
    low, high = 0.0, 1.0
    for text in re.findall(r"\bw\s*=\s*(clip\(.*\))\s*$", "\n".join(_texts(part.data)), re.M):
        try:
            call = ast.parse(text, mode="eval").body
            bounds = [_value(node, values) for node in call.args[1:3]] if isinstance(call, ast.Call) else []
        except SyntaxError:
            continue
        if len(bounds) == 2 and None not in bounds and bounds[0] < bounds[1] < 1e6:
            low, high = bounds
    return (unit_name(declared.dims) if declared else "1"), low, high


def _value(node: ast.expr, values: Mapping[str, float]) -> Any:
    """A bound that is a number, a parameter, or one of them with a sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inside = _value(node.operand, values)
        return None if inside is None else -inside
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    return values.get(node.id) if isinstance(node, ast.Name) else None


def _texts(data: Any) -> Iterator[str]:
    for text in codes({key: data.get(key) for key in ("on_pre", "on_post", "every", "equations")}):
        yield from (re.sub(r"#.*", "", line).strip() for line in text.splitlines())


def _gap(x: NDArray[Any], y: Array) -> tuple[Array, Array]:
    """A curve that is not joined across zero, where it may jump."""
    at = int(np.searchsorted(x, 0.0))
    return np.insert(x, at, 0.0), np.insert(y, at, np.nan)


def _varies(y: Array, share: float = 1e-3) -> bool:
    y = y[np.isfinite(y)]
    return bool(len(y)) and float(np.ptp(y)) > share * float(np.abs(y).max()) and float(np.abs(y).max()) > 0


def _change_label(unit: str, largest: float) -> tuple[float, str]:
    if unit != "1":
        return label("change of w", unit, largest)
    power = int(np.clip(np.floor(np.log10(largest) / 3 + 1e-9) * 3, -15, 0)) if largest > 0 else 0
    raised = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    if largest >= 0.05:
        return 1.0, "change of w"
    return 10.0**-power, f"change of w (10{raised})"
