"""What a neuron does: its variables and spikes for a few constant inputs, and its rate against the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from brainsim.compose.plan import Plan
from brainsim.equations import Equation
from brainsim.expressions import RANDOM, is_xi
from brainsim.plots.panels import Line, Panel
from brainsim.plots.style import SERIES
from brainsim.portrait import ranges
from brainsim.portrait.bench import Array, Bench, Varied, group_of, make_plan, variables, vary
from brainsim.portrait.parts import NoPicture, Part, input_dims, label, unit_of, words, words_of
from brainsim.units import Dims, parse_unit, unit_name
from brainsim.units import parse as parse_quantity

CELL = "cell"
#: Cells, each with an input of its own.
SWEPT = 2 * (ranges.DECADES * ranges.PER_DECADE + 1) + 1
#: Spikes in a raster.
STROKES = 1500
#: Model time in seconds: search, rest before the input, with the input.
SEARCH, REST, SHOWN = 0.2, 0.1, 0.4
#: Of a cell that fires by itself, but seldom: spikes to wait for, and the longest times in seconds: search, shown.
FEW, LONG_SEARCH, LONG = 4, 0.4, 0.8
#: Marks above a trace that can still be told apart.
MARKS = 400
#: Estimated seconds of computation above which the times are made shorter.
BUDGET = 1.2

_AMP, _VOLT, _HERTZ, _SECOND = (parse_unit(unit)[1] for unit in ("amp", "volt", "Hz", "second"))
_PLAIN = parse_unit("1")[1]
#: The smallest input that is tried, in SI units; the largest is five decades above.
SMALLEST: dict[Dims, float] = {_AMP: 1e-12, _VOLT: 1e-5, _PLAIN: 1e-3, parse_unit("amp/meter**2")[1]: 1e-4}
#: What an input is held at, and how far it is swept, where nothing else is said.
LEVEL: dict[Dims, float] = {_HERTZ: 20.0, _PLAIN: 0.5, _VOLT: 10e-3, _AMP: 200e-12, _SECOND: 10e-3}
SWEEP: dict[Dims, float] = {_HERTZ: 100.0, _PLAIN: 1.0, _VOLT: 20e-3, _AMP: 500e-12, _SECOND: 50e-3}


@dataclass(frozen=True)
class Drive:
    """What is swept: an input, the constant drive, or the current of synapses."""

    name: str
    dims: Dims
    searched: bool  # the range is found by trying; otherwise it is that of ``SWEEP``

    @property
    def unit(self) -> str:
        return unit_name(self.dims)


def portrait(part: Part) -> list[Panel]:
    """Panels for a cell. Raises ``BrainsimError`` where it cannot be run by itself."""
    neuron, held = alone(part)
    found = _variables_of(part, neuron)
    drive = _drive(part, found)
    if drive is not None and drive.name not in found:
        raise NoPicture(f"nothing in one cell alone reads {drive.name}; others do")
    shown = observed(found, neuron)
    slow = _microseconds(neuron, found)
    dt = 0.05e-3 if sum(e.kind == "diff" for e in found.values()) >= 3 else 0.1e-3
    scale = float(np.clip(BUDGET * dt / (slow * 1e-6 * (SEARCH + REST + SHOWN)), 0.35, 1.0))
    cells = {CELL: {"neuron": neuron, "size": SWEPT if drive else 20}}
    plan = make_plan(cells, dt=dt, states={CELL: shown} if shown else None, library=part.library, root=part.root)
    if drive is None:
        return _moving(_source(plan, found, shown, held))
    bench = Bench(vary(plan, [Varied(CELL, drive.name, np.zeros(SWEPT))]))
    firing, given = bool(group_of(plan, CELL).threshold), (neuron.get("parameters") or {}).get(drive.name)
    base = float(parse_quantity(given).value) if drive.searched and given is not None else 0.0
    sweep = _Sweep(bench, drive, found, shown, firing, scale, _random(neuron), base)
    return _moving(sweep.panels(held))


def _moving(panels: list[Panel]) -> list[Panel]:
    """The panels, if anything happens in them. Raises ``NoPicture``."""
    curves = [np.asarray(line.y, float) for panel in panels for line in panel.lines]
    spikes = [panel.raster for panel in panels if panel.raster is not None and len(np.asarray(panel.raster[0]))]
    if not spikes and not any(len(y) and _largest(y - y[0]) > 0 for y in curves):
        raise NoPicture("nothing happens in one cell alone; it acts together with others")
    return panels


def _random(neuron: dict[str, Any]) -> bool:
    """Whether chance plays a part after the start."""
    names = words({key: value for key, value in neuron.items() if key != "initial"})
    return any(name in RANDOM or is_xi(name) for name in names)


def alone(part: Part) -> tuple[dict[str, Any], str]:
    """The neuron with its inputs filled in and nothing linked, and in words what was held."""
    data = part.content
    dims, words_ = input_dims(part), []
    use: dict[str, Any] = {"neuron": part.name}
    equations = []
    for line in str(data.get("equations", "")).splitlines():
        if "(linked)" in line.replace(" ", "").replace("\t", ""):
            words_.append(f"{line.split(':')[0].strip()} held at 0")
            line = line.split("(")[0]
        equations.append(line)
    use |= {key: value for key, value in data.items() if key not in ("neuron", "equations", "inputs")}
    if equations:
        use["equations"] = "\n".join(equations) + "\n"
    if dims:
        parameters = dict(use.get("parameters") or {})
        for name, d in dims.items():
            value, unit = LEVEL.get(d, 1.0), unit_name(d)
            parameters[name] = part.given.get(name) or (f"{value!r}" if unit == "1" else f"{value!r} {unit}")
        use["parameters"] = parameters
    return use, ", ".join(words_)


def _variables_of(part: Part, neuron: dict[str, Any]) -> dict[str, Equation]:
    plan = make_plan({CELL: {"neuron": neuron, "size": 1}}, dt=1e-4, library=part.library, root=part.root)
    return variables(plan, CELL)


def _drive(part: Part, found: dict[str, Equation]) -> Drive | None:
    free = [name for name in input_dims(part) if name not in part.given]
    if free:
        return Drive(free[0], input_dims(part)[free[0]], False)
    if "I_bias" in found and "shared" in found["I_bias"].flags:
        return Drive("I_bias", found["I_bias"].dims, True)
    used = words({key: value for key, value in part.data.items() if key != "parameters"})
    if "I_syn" in found and "I_syn" in used:
        return Drive("I_syn", found["I_syn"].dims, True)
    return None


def observed(found: dict[str, Equation], neuron: dict[str, Any]) -> list[str]:
    """The variables worth looking at: potentials, else those the threshold reads, else the first that change."""
    moving = {n: e for n, e in found.items() if e.kind == "diff" or (e.kind == "param" and not e.flags)}
    moving = {n: e for n, e in moving.items() if e.type == "float" and n not in (neuron.get("parameters") or {})}
    read = [name for name in moving if name in words({"threshold": neuron.get("threshold", "")})]
    potentials = [name for name in moving if moving[name].dims == _VOLT]
    first = ["v"] if "v" in moving else read[:1] or list(moving)[:1]
    alike = [n for n in potentials if first and moving[first[0]].dims == _VOLT] or [
        n for n in moving if moving[n].kind == "diff" and first and moving[n].dims == moving[first[0]].dims
    ]
    return list(dict.fromkeys([*first, *alike]))[:3]


def _microseconds(neuron: dict[str, Any], found: dict[str, Equation]) -> float:
    """About what a time step takes; it need not be exact, but the same everywhere."""
    stages = {"rk4": 4, "rk2": 2, "heun": 2, "milstein": 2}.get(str(neuron.get("method")), 1)
    changing = sum(e.kind == "diff" for e in found.values())
    others = sum(e.kind == "sub" for e in found.values())
    return 45.0 + 12.0 * stages * (changing + 0.7 * others) + 15.0 * len(neuron.get("every") or ())


# --- with an input ------------------------------------------------------------------------------------


@dataclass
class _Sweep:
    """The same cells twice: to find the range of the input, and to look at what happens in it."""

    bench: Bench
    drive: Drive
    found: dict[str, Equation]
    shown: Sequence[str]
    firing: bool
    scale: float
    random: bool
    base: float  # the value of the file
    longer: float = 0.0  # seconds that a cell must be shown which seldom fires by itself

    def panels(self, held: str) -> list[Panel]:
        low, high, onset = self.range()
        low, high = ranges.two_figures(low), ranges.two_figures(high)
        swept = np.linspace(low, high, SWEPT)
        chosen = ranges.three(swept, low, high, onset)
        swept += self.base  # what the file gives, if anything, is always there
        bench, drive = self.bench, self.drive
        length = max((1.0 if self.random else SHOWN) * self.scale, self.longer)
        rest = REST * self.scale
        if drive.searched:
            bench.reset(CELL)
            bench.set(CELL, drive.name, self.base)
        else:
            bench.set(CELL, drive.name, swept)
        bench.step(rest)
        start = bench.t
        bench.set(CELL, drive.name, swept)
        bench.step(length)
        trains = bench.trains(CELL, SWEPT, start)
        always = 0.98 * length / bench.plan.dt
        passive = all(len(train) == 0 or len(train) > always for train in trains) and any(map(len, trains))
        if self.firing and passive and not drive.searched:
            raise NoPicture("it passes on what it is given, a spike in every step in which that is high")
        rows: list[Panel] = []
        if self.shown and not (self.firing and self.still(start)):
            rows = self.traces(swept, chosen, start, 0.4 * rest, min(length, max(SHOWN, self.longer)))
        elif self.firing:
            rows = [_raster(trains, start, length, swept, drive)]
        curve = self.rates(trains, swept, start, length) if self.firing else self.steady(swept)
        if rows and held:
            rows[0] = replace(rows[0], title=f"{rows[0].title}; {held}")
        return [*rows, *([curve] if curve else [])]

    def range(self) -> tuple[float, float, float]:
        """Lowest and highest input that are worth drawing, and that at which something begins."""
        if not self.drive.searched:
            return 0.0, SWEEP.get(self.drive.dims, 1.0), 0.0
        bench = self.bench
        tried = ranges.grid(SMALLEST.get(self.drive.dims, 1e-3))
        bench.set(CELL, self.drive.name, self.base)
        bench.step(SEARCH / 2 * self.scale)
        bench.set(CELL, self.drive.name, tried + self.base)
        start = bench.t
        bench.step(SEARCH * self.scale)
        if self.firing:
            trains, length = bench.trains(CELL, SWEPT, start), SEARCH * self.scale
            by_itself = len(trains[SWEPT // 2])
            if 0 < by_itself < FEW:  # too few to compare with
                bench.step(LONG_SEARCH - length)
                trains, length = bench.trains(CELL, SWEPT, start), LONG_SEARCH
                self.longer = min(LONG, FEW * length / len(trains[SWEPT // 2]))
            found = ranges.of_spikes(tried, trains, start + length / 2, length / 2)
            if found is not None:
                return found
        ends = bench.state(CELL, self.shown[0])[1][-1] if self.shown else np.zeros(SWEPT)
        return ranges.of_ends(tried, ends)

    def still(self, start: float) -> bool:
        """Whether no variable moves, though there may be spikes."""
        courses = (self.bench.state(CELL, name) for name in self.shown)
        return not any(np.ptp(values[times >= start], axis=0).max() > 0 for times, values in courses)

    def traces(self, swept: Array, chosen: Sequence[int], start: float, before: float, length: float) -> list[Panel]:
        """A row for each input that was chosen, all to one scale."""
        names, found = self.shown, self.found
        panels = []
        values = {name: self.bench.state(CELL, name) for name in names}
        t = values[names[0]][0]
        late = (t >= start - before) & (t <= start + length)
        seen = np.array([v[late][:, chosen] for _, v in values.values()])  # [names, T, chosen]
        what = names[0] if len(names) == 1 else "potential" if found[names[0]].dims == _VOLT else "value"
        factor, y_label = label(what, unit_of(found[names[0]]), _largest(seen))
        for row, k in enumerate(chosen):
            several = len(names) > 1 and row == 0
            lines = [
                Line((t[late] - start) * 1e3, seen[n, :, row] * factor, name if several else "", SERIES[n])
                for n, name in enumerate(names)
            ]
            spikes = self.bench.trains(CELL, SWEPT, start - before)[k]
            panels.append(
                Panel(
                    lines,
                    x_label="time (ms)",
                    y_label=y_label if row == 1 else "",
                    title=words_of(self.drive.name, self.drive.unit, swept[k]),
                    ticks=_marks((spikes[spikes <= start + length] - start) * 1e3),
                    x_limits=(-before * 1e3, length * 1e3),
                    y_limits=_limits(seen * factor),
                    joined=row < len(chosen) - 1,
                    height=58,
                )
            )
        return panels

    def rates(self, trains: list[Array], swept: Array, start: float, length: float) -> Panel:
        """Rate from the intervals that end in the second half, and from the first interval where it differs."""
        late, first = np.zeros(SWEPT), np.full(SWEPT, np.nan)
        for k, train in enumerate(trains):
            gaps = np.diff(train)
            settled = gaps[train[1:] > start + length / 2]
            if self.random:
                late[k] = len(train) / length
            elif self.longer and len(settled) < FEW:  # bursts, or so few spikes that the first is not counted
                late[k] = max(len(train) - 1, 0) / length
            elif len(settled):
                late[k] = 1 / settled.mean()
            if len(gaps) and not self.random:
                first[k] = 1 / gaps[0]
        factor, x_label = label(self.drive.name, self.drive.unit, _largest(swept))
        differs = _largest(first - late) > 0.15 * max(late.max(), 1.0)
        lines = [Line(swept * factor, late, "later" if differs else "")]
        if differs:
            lines.insert(0, Line(swept * factor, first, "first interval", "inh"))
        return Panel(lines, x_label=x_label, y_label="rate (Hz)", from_zero=True, height=120)

    def steady(self, swept: Array) -> Panel | None:
        """The variables at the end against the input."""
        if not self.shown:
            return None
        ends = {name: self.bench.state(CELL, name)[1][-1] for name in self.shown}
        factor, x_label = label(self.drive.name, self.drive.unit, _largest(swept))
        several = len(self.shown) > 1
        name = "value" if several else self.shown[0]
        scale, y_label = label(name, unit_of(self.found[self.shown[0]]), max(_largest(v) for v in ends.values()))
        lines = [
            Line(swept * factor, value * scale, key if several else "", SERIES[k])
            for k, (key, value) in enumerate(ends.items())
        ]
        return Panel(lines, x_label=x_label, y_label=f"{y_label} at the end", height=120)


def _marks(times: Array) -> tuple[float, ...]:
    """Spikes as marks; where they are dense only as many as can be told apart."""
    return tuple(times[:: max(1, -(-len(times) // MARKS))])


def _limits(values: Array) -> tuple[float, float]:
    """Limits of an axis that hold all finite values."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _largest(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(np.abs(finite).max(initial=0.0))


# --- without an input ---------------------------------------------------------------------------------


def _raster(trains: list[Array], start: float, length: float, swept: Array, drive: Drive) -> Panel:
    """Spikes of cells with more and more input, in rows whose height is the input."""
    factor, words_ = label(drive.name, drive.unit, float(np.abs(swept).max()))
    every = range(0, len(trains), 3)
    spikes = sum(len(trains[k]) for k in every)
    shown = length * min(1.0, STROKES / max(spikes, 1))  # of cells that fire in most steps only the start
    some = [trains[k][trains[k] < start + shown] for k in every]
    rows = np.concatenate([np.full(len(train), swept[k] * factor) for k, train in zip(every, some, strict=True)])
    times = (np.concatenate(some) - start) * 1e3
    return Panel(
        raster=(times, rows), x_label="time (ms)", y_label=words_, x_limits=(0, shown * 1e3), height=150,
        title="spikes of one cell a row",
    )  # fmt: skip


def _source(plan: Plan, found: dict[str, Equation], shown: Sequence[str], held: str) -> list[Panel]:
    size, length = group_of(plan, CELL).size, 1.0
    bench = Bench(plan)
    bench.step(length)
    panels = []
    limits = (0.0, length * 1e3)
    trains = bench.trains(CELL, size)
    for number, name in enumerate(shown):
        t, v = bench.state(CELL, name)
        factor, words_ = label(name, unit_of(found[name]), _largest(v[:, 0]))
        ticks = tuple(trains[0] * 1e3) if number == 0 else ()
        panels.append(
            Panel([Line(t * 1e3, v[:, 0] * factor)], "time (ms)", words_, held if number == 0 else "", ticks,
                  x_limits=limits, joined=True, height=70)
        )  # fmt: skip
    if group_of(plan, CELL).threshold:
        times = np.concatenate(trains)
        some = trains[: max(1, size * STROKES // max(STROKES, len(times)))]
        rows = np.concatenate([np.full(len(train), k + 1) for k, train in enumerate(some)])
        panels.append(
            Panel(
                raster=(np.concatenate(some) * 1e3, rows),
                x_label="time (ms)",
                y_label="cell",
                x_limits=limits,
                joined=True,
                title=f"spikes of {len(some)} cells",
                height=110,
            )
        )
        width = 0.025
        counts, edges = np.histogram(times, np.arange(0, length + width / 2, width))
        middle = (edges[:-1] + edges[1:]) / 2 * 1e3
        panels.append(
            Panel([Line(middle, counts / (width * size))], "time (ms)", "rate (Hz)", "mean of all, in bins of 25 ms",
                  x_limits=limits, from_zero=True, height=70)
        )  # fmt: skip
    elif panels:
        panels[-1] = replace(panels[-1], joined=False)
    return panels
