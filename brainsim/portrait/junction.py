"""What a synapse does: the answer of a cell to one spike, and to ten of them at 20 Hz."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from brainsim.compose.plan import Plan
from brainsim.equations import Equation
from brainsim.errors import BrainsimError
from brainsim.expressions import RANDOM, is_xi
from brainsim.names import BUILT_IN, FUNCTIONS, is_constant
from brainsim.plots.panels import Line, Panel
from brainsim.portrait.bench import Array, Bench, Varied, make_plan, variables, vary
from brainsim.portrait.cell import alone
from brainsim.portrait.parts import NoPicture, Part, equations, label, of_library, of_side, unit_of, words
from brainsim.units import Dims, parse_unit

FIRST, GAP, COUNT, LENGTH = 50e-3, 50e-3, 10, 0.7  # seconds
REST = -65.0  # mV; the potential at which a cell is held
HIGHER = -40.0  # mV; where the current depends on the potential
#: Fires at ``t_first`` and every ``gap`` from then on.
TIMED = "t > t_first - dt/2 and abs(t - t_first - gap*floor((t - t_first)/gap + 0.5)) < dt/2"
COPIES = 20  # of a synapse that draws random numbers

#: Passive cells without a threshold by what their input current is; all have a time constant of 20 ms.
PASSIVE: dict[Dims, tuple[str, dict[str, str], str]] = {
    parse_unit(unit)[1]: (text, parameters, rest)
    for unit, text, parameters, rest in (
        ("amp", "dv/dt = (g_L*(E_L - v) + I_syn)/C_m : volt", {"C_m": "200 pF", "g_L": "10 nS"}, "mV"),
        ("volt", "dv/dt = (E_L - v + I_syn)/tau_m : volt", {"tau_m": "20 ms"}, "mV"),
        ("1", "dv/dt = (I_syn - v)/tau_m : 1", {"tau_m": "20 ms"}, ""),
        (
            "amp/meter**2",
            "dv/dt = (g_L*(E_L - v) + I_syn)/C_m : volt",
            {"C_m": "1 uF/cm**2", "g_L": "0.05 mS/cm**2"},
            "mV",
        ),
        ("volt/second", "dv/dt = (E_L - v)/tau_m + I_syn : volt", {"tau_m": "20 ms"}, "mV"),
        ("1/second", "dv/dt = -v/tau_m + I_syn : 1", {"tau_m": "20 ms"}, ""),
    )
}
#: Units a variable of the sender may have, and the value it is given.
LEVELS = {"1": "0.5", "Hz": "50*Hz", "volt": "10*mV", "amp": "100*pA", "second": "10*ms"}


@dataclass(frozen=True)
class Trial:
    """A network that fits together: a plan, and what to look at in which population."""

    plan: Plan
    populations: dict[str, Any]  # as in a region
    projections: dict[str, Any]
    shown: dict[str, tuple[str, ...]]  # population -> variables
    words: dict[str, str]  # population -> what is said about it


def portrait(part: Part) -> list[Panel]:
    """Panels for a synapse. Raises ``NoPicture`` where no cell is found that it fits."""
    return _run(part, fitting(part))


def fitting(part: Part) -> Trial:
    """The first network in which it fits: passive cells, cells of the library, cells that have what it needs."""
    first: BrainsimError | None = None
    for make in _attempts(part):
        try:
            return make()
        except BrainsimError as error:
            first = first or error
    why = first.problems[0].message if first else "nothing in it acts on a cell"
    raise NoPicture(f"it cannot be tried by itself: {why}")


def outside(part: Part) -> set[str]:
    """Variables of the receiving cell it uses and does not bring along."""
    post = part.data.get("post") or {}
    own = equations(post.get("equations"))
    code = {key: value for key, value in part.data.items() if key != "post"}
    used = of_side(words(code), "post")
    known = {*own, *(part.data.get("parameters") or {}), *BUILT_IN, *FUNCTIONS}
    for equation in own.values():
        if equation.expression is not None:
            used |= {n for n in equation.expression.names if not is_constant(n) and n not in known}
    return used - set(own) - set(BUILT_IN)


def sender(part: Part, unit: str, size: int) -> tuple[dict[str, Any], list[Varied]]:
    """Cells that fire once, and cells that fire in a train, with the variables and events a synapse asks of them."""
    needed = of_side(words(part.data), "pre") - set(BUILT_IN)
    lines, reset = [], ""
    if "v" in needed:  # a spike of about a millisecond
        lines.append(f"dv/dt = ({REST:g}*mV - v)/(1*ms) : volt")
        reset = "v = 30*mV"
    steady = bool(part.data.get("on_pre"))
    for name in sorted(needed - {"v"}):
        value = LEVELS[unit]
        if not steady:  # nothing happens at a spike: what it reads steps up and down
            value = f"{value}*int(t >= t_first)*int(t < t_last)*int((t - t_first)/gap - floor((t - t_first)/gap) < 0.5)"
        lines.append(f"{name} = {value} : {unit}")
    cell: dict[str, Any] = {
        "neuron": "sender",
        "parameters": {"gap": f"{GAP * 1e3:g} ms", "t_first": "0 ms", "t_last": "0 ms"},
        "equations": "\n".join(["mark : 1", *lines]) + "\n",
        "threshold": f"{TIMED} and t < t_last",
        "method": "euler",
    }
    if reset:
        cell |= {"reset": reset, "initial": {"v": f"{REST:g} mV"}}
    given = part.data.get("on_pre")
    events = [name for name in given if name != "spike"] if isinstance(given, dict) else []
    if events:
        cell["events"] = {name: {"if": cell["threshold"]} for name in events}
    train = np.arange(size) >= size // 2
    return cell, [
        Varied("sender", "t_first", np.full(size, FIRST)),
        Varied("sender", "t_last", np.where(train, FIRST + (COUNT - 0.5) * GAP, FIRST + 0.5 * GAP)),
    ]


def passive(dims: Dims, extra: Mapping[str, str], held: float | None = None) -> dict[str, Any]:
    """A cell without a threshold; ``held`` at a potential (mV) it only shows its current."""
    text, parameters, unit = PASSIVE[dims]
    rest = f"{REST if held is None else held:g} mV" if unit else "0"
    if held is not None:
        text = f"v : {'volt' if unit else '1'}\ncurrent_in = I_syn : {_UNITS[dims]}"
        parameters = {}
    lines = [text, *(f"{name} : {u}" for name, u in extra.items())]
    cell: dict[str, Any] = {
        "neuron": "passive",
        "parameters": {**parameters, **({"E_L": f"{REST:g} mV"} if "E_L" in text else {})},
        "equations": "\n".join(lines) + "\n",
        "initial": {"v": rest},
        "method": "euler",
    }
    return {key: value for key, value in cell.items() if value}


_UNITS = {parse_unit(u)[1]: u for u in ("amp", "volt", "1", "amp/meter**2", "volt/second", "1/second")}


def _random(part: Part) -> bool:
    return any(name in RANDOM or is_xi(name) for name in words({**part.data, "initial": {}}))


def _attempts(part: Part) -> Iterator[Any]:
    """Ways to try it, the simplest first: passive cells, cells of the library, cells that have what it needs."""
    post = part.data.get("post") or {}
    own = equations(post.get("equations"))
    current = post.get("current")
    needed = outside(part)
    units = list(LEVELS) if of_side(words(part.data), "pre") - {"v"} - set(BUILT_IN) else ["1"]
    size = 2 * (COPIES if _random(part) else 1)
    written = _written(part, own)
    for unit in units:
        if needed <= {"v"}:
            if current:
                dims = own[current].dims if current in own else parse_unit("amp")[1]
                if dims in PASSIVE:
                    yield lambda u=unit, d=dims: _passive_trial(part, u, size, d, current)
            else:
                for dims in list(PASSIVE)[:3:2]:
                    yield lambda u=unit, d=dims: _passive_trial(part, u, size, d, None, written)
            continue
        for name, _, _ in part.library.names("neuron"):
            yield lambda u=unit, n=name: _library_trial(
                part, u, size, n, needed, written or ((current,) if current else ())
            )
        extra = dict.fromkeys(sorted(needed - {"v"}), "1")
        yield lambda u=unit, e=extra: _passive_trial(part, u, size, next(iter(PASSIVE)), current, written, e)


def _written(part: Part, own: Mapping[str, Equation]) -> tuple[str, ...]:
    """Variables of the receiving cell that a spike changes, or that are summed there."""
    found = []
    for text in (part.data.get("on_pre"), part.data.get("on_post"), part.data.get("equations")):
        pieces = text.values() if isinstance(text, dict) else [text]
        for piece in pieces:
            code = piece.get("code") if isinstance(piece, dict) else piece
            found += re.findall(r"(\w+)_post\s*[-+*/]?=(?!=)", str(code or ""))
    return tuple(dict.fromkeys(found)) or tuple(n for n, e in own.items() if e.kind == "diff")


def _passive_trial(
    part: Part, unit: str, size: int, dims: Dims, current: str | None, written: tuple[str, ...] = (),
    extra: Mapping[str, str] | None = None,
) -> Trial:  # fmt: skip
    more = dict(extra or {})
    shown: dict[str, tuple[str, ...]]
    if current is None:
        populations = {"free": passive(dims, more)}
        shown = {"free": written or ("v",)}
        return _trial(part, unit, size, populations, shown, {"free": ""})
    volts = bool(PASSIVE[dims][2])
    populations = {"held": passive(dims, more, REST if volts else 0.0), "free": passive(dims, more)}
    shown = {"held": (current,), "free": ("v",)}
    said = {"held": f"cell held at {REST:g} mV" if volts else "cell held at 0", "free": "passive cell, 20 ms"}
    if volts and re.search(r"\bv\b", str((part.data.get("post") or {}).get("equations"))):
        populations["higher"] = passive(dims, more, HIGHER)
        shown["higher"] = (current,)
        said["higher"] = f"{HIGHER:g} mV"
    return _trial(part, unit, size, populations, shown, said)


def _library_trial(
    part: Part, unit: str, size: int, name: str, needed: set[str], written: tuple[str, ...]
) -> Trial:  # fmt: skip
    neuron = alone(of_library("neuron", name, part.library))[0]
    plan = make_plan({"cell": {"neuron": neuron, "size": 1}}, dt=1e-4, library=part.library, root=part.root)
    missing = needed - set(variables(plan, "cell"))
    if missing:
        raise NoPicture(f"no neuron of the library has {', '.join(sorted(missing))}")
    return _trial(part, unit, size, {"free": neuron}, {"free": written}, {"free": f"on {name}"})


def _trial(
    part: Part, unit: str, size: int, cells: Mapping[str, Any], shown: dict[str, tuple[str, ...]],
    said: dict[str, str],
) -> Trial:  # fmt: skip
    first, varied = sender(part, unit, size)
    populations: dict[str, Any] = {"sender": {"neuron": first, "size": size}}
    projections = {}
    for path, cell in cells.items():
        populations[path] = {"neuron": cell, "size": size}
        projections[f"to_{path}"] = {"from": "sender", "to": path, "synapse": part.content, "connect": "one_to_one"}
    plan = make_plan(
        populations, projections, dt=0.1e-3, states=shown, every=0.2e-3, library=part.library, root=part.root
    )
    return Trial(vary(plan, varied), populations, projections, shown, said)


def _run(part: Part, trial: Trial) -> list[Panel]:
    bench = Bench(trial.plan)
    bench.step(LENGTH)
    read: dict[tuple[str, str], tuple[Array, Array]] = {
        (path, name): bench.state(path, name) for path, names in trial.shown.items() for name in names
    }
    span = max(_span(t - FIRST, v[:, : v.shape[1] // 2].mean(axis=1)) for t, v in read.values())
    steady = bool(part.data.get("on_pre")) or "v" in of_side(words(part.data), "pre")
    what = ("spike", "spikes") if steady else ("step of what it reads", "steps")
    one = _Course(f"one {what[0]}", False, (-0.08 * span, span), (0.0,))
    ten = _Course(f"ten {what[1]} at 20 Hz", True, (-15e-3, LENGTH - FIRST), tuple(np.arange(COUNT) * GAP * 1e3))
    found = []
    for course in (one, ten):
        shown = [
            _panel(trial, read, path, name, course)
            for path, names in trial.shown.items() if path != "higher" for name in names
        ]  # fmt: skip
        moving = [p for p in shown if any(np.ptp(np.asarray(line.y)) > 0 for line in p.lines)]
        found += _joined(moving, course.words)
    if not found:
        raise NoPicture("nothing changes in the cell it lands on, alone and at rest")
    return found


@dataclass(frozen=True)
class _Course:
    """What the sender does."""

    words: str
    train: bool
    limits: tuple[float, float]
    arrows: tuple[float, ...]


def _panel(
    trial: Trial, read: Mapping[tuple[str, str], tuple[Array, Array]], path: str, name: str, course: _Course
) -> Panel:
    t, v = read[path, name]
    seen = (t - FIRST >= course.limits[0]) & (t - FIRST <= course.limits[1])
    half = v.shape[1] // 2
    cells = slice(half, None) if course.train else slice(0, half)
    curves = [("", v[seen][:, cells])]
    if path == "held" and "higher" in trial.shown:
        curves = [(trial.words["higher"], read["higher", name][1][seen][:, cells]), (f"{REST:g} mV", curves[0][1])]
    own = name == "v" and path == "free"
    if own:  # what a spike adds, not the potential it starts from
        curves = [(words_, values - v[0, cells]) for words_, values in curves]
    unit = unit_of(variables(trial.plan, path)[name])
    largest = max(float(np.nanmax(np.abs(values), initial=0.0)) for _, values in curves)
    factor, y_label = label(f"Δ{name}" if own else name, unit, largest)
    ms = (t[seen] - FIRST) * 1e3
    lines = []
    if half > 1:  # by chance: a few of them behind their mean
        lines = [Line(ms, curves[-1][1][:, k] * factor, role="soft", faint=True) for k in range(4)]
    for number, (words_, values) in enumerate(curves):
        last = number == len(curves) - 1
        mean = f"mean of {half}" if half > 1 and last and not words_ else words_
        lines.append(Line(ms, values.mean(axis=1) * factor, mean, "exc" if last else "inh"))
    return Panel(
        lines, "time from the first spike (ms)", y_label, trial.words[path], arrows=course.arrows,
        x_limits=(course.limits[0] * 1e3, course.limits[1] * 1e3), height=78,
    )  # fmt: skip


def _joined(shown: list[Panel], words_: str) -> list[Panel]:
    return [
        replace(p, joined=k < len(shown) - 1, title=", ".join(w for w in (words_ if k == 0 else "", p.title) if w))
        for k, p in enumerate(shown)
    ]


def _span(t: Array, y: Array) -> float:
    """Seconds after a spike in which nearly all of the answer happens."""
    change = np.abs(y - y[0])
    if not change.max() > 0:
        return 0.05
    last = t[np.flatnonzero(change > 0.04 * change.max())[-1]]
    return float(np.clip(1.25 * last, 0.04, LENGTH - FIRST))
