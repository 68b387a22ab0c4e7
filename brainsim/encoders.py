"""Values -> spikes, or values -> other values. Arrays in, arrays out; knows no network and no files.

Encoders take ``values`` [samples, features], numbers from 0 to 1, and make either values again (``population``,
``constant_current``, ``rate``) or :class:`Spikes`. Times are exact, in seconds from the start of a sample;
:meth:`Spikes.on_grid` puts them on the time steps of a run. What reads an encoding back stands beside it.

>>> spikes = latency(np.array([[1.0, 0.5, 0.0]]), t_max=0.1)
>>> spikes.times.tolist(), spikes.cells.tolist()
([0.0, 0.05], [0, 1])
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: A time step that no run reaches.
NEVER = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Spikes:
    """Spike trains of some samples: those of sample k are ``offsets[k]:offsets[k + 1]`` of times and cells."""

    offsets: np.ndarray  # int64 [samples + 1]
    times: np.ndarray  # float64 [spikes], seconds from the start of the sample
    cells: np.ndarray  # int32 [spikes]
    size: int  # number of cells

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def sample(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """(times, cells) of one sample."""
        piece = slice(self.offsets[k], self.offsets[k + 1])
        return self.times[piece], self.cells[piece]

    def trains(self) -> np.ndarray:
        """``sample*size + cell`` of each spike, int64 [spikes]."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets)) * self.size + self.cells

    def counts(self) -> np.ndarray:
        """Spikes of each cell, int64 [samples, cells]."""
        return np.bincount(self.trains(), minlength=len(self) * self.size).reshape(len(self), self.size)

    def first(self) -> np.ndarray:
        """Time of the first spike of each cell, float [samples, cells]; infinite where there is none."""
        found = np.full(len(self) * self.size, np.inf)
        np.minimum.at(found, self.trains(), self.times)
        return found.reshape(len(self), self.size)

    def on_grid(self, dt: float, steps: int = NEVER) -> Trains:
        """The spikes in time steps, a spike at time t in step ``round(t/dt)``.

        Two of a cell in one step are one; those from step ``steps`` on are left out; the result counts both. Raises
        ``ValueError`` for a time before 0, a cell that is not there, or more trains than a table can hold.
        """
        if self.times.size and not (np.isfinite(self.times).all() and self.times.min() >= 0):
            raise ValueError("a spike time is finite and not before 0")
        if self.cells.size and not 0 <= self.cells.min() <= self.cells.max() < self.size:
            raise ValueError(f"a cell is a number from 0 to {self.size - 1}")
        if len(self) * self.size >= NEVER:
            raise ValueError(f"{len(self):,} samples of {self.size:,} cells are more trains than a table can hold")
        step = np.rint(self.times / dt)
        shown = step < min(steps, NEVER)
        keys = np.unique((self.trains()[shown] << 32) + step[shown].astype(np.int64))
        late = int(step.size - shown.sum())
        keys = np.append(keys, np.int64(2**63 - 1))
        return Trains(keys, self.size, len(self), late, step.size - late - keys.size + 1)


@dataclass(frozen=True, eq=False)
class Trains:
    """Spike trains in time steps, one sorted number a spike, so that the next spike of a cell is one search away."""

    keys: np.ndarray  # int64 [spikes + 1]: (sample*size + cell)*2**32 + step, and 2**63 - 1 at the end
    size: int  # number of cells
    samples: int = 1
    late: int = 0  # spikes left out because the run, or the trial, was over
    merged: int = 0  # spikes left out because their cell has another in the same step

    def __len__(self) -> int:
        return len(self.keys) - 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trains):
            return NotImplemented
        return self.size == other.size and np.array_equal(self.keys, other.keys)

    __hash__ = None  # type: ignore[assignment]

    def notes(self, what: str, end: str) -> list[str]:
        """What the user should know about spikes that were left out; ``end`` is what was over."""
        total, found = len(self) + self.late + self.merged, []
        if self.late:
            found.append(f"{what}: {self.late:,} of {total:,} spikes come after the end of the {end} and are left out.")
        if self.merged:
            text = "share a time step with another spike of their cell; the two count as one."
            found.append(f"{what}: {self.merged:,} of {total:,} spikes {text}")
        return found


def next_spike(keys, size, sample, cell, step):
    """First step from ``step`` on in which a cell fires in a sample; 2**31 - 1, which no run reaches, if there is none.

    ``keys`` are sorted, one a spike, (sample*size + cell)*2**32 + step, with 2**63 - 1 at the end.
    """
    start = (np.asarray(sample, np.int64) * size + cell) << 32
    found = keys[np.searchsorted(keys, start + np.minimum(step, 2**31 - 1))] - start
    return np.where(found < 2**31, found, 2**31 - 1)


def joined(pieces: Sequence[Trains]) -> Trains:
    """The samples of one after those of the other. Raises ``ValueError`` for more trains than a table can hold."""
    size, samples = pieces[0].size, [piece.samples for piece in pieces]
    if sum(samples) * size >= NEVER:
        raise ValueError(f"{sum(samples):,} samples of {size:,} cells are more trains than a table can hold")
    starts = np.cumsum([0, *samples[:-1]]) * size
    keys = [piece.keys[:-1] + (int(start) << 32) for piece, start in zip(pieces, starts, strict=True)]
    late, merged = sum(piece.late for piece in pieces), sum(piece.merged for piece in pieces)
    return Trains(np.concatenate([*keys, pieces[-1].keys[-1:]]), size, sum(samples), late, merged)


# -- rates --------------------------------------------------------------------------------------------


def rate(values: np.ndarray, *, r_max: float, r_min: float = 0.0) -> np.ndarray:
    """Rates in Hz, linear in the value: what a cell that reads a rate, such as ``poisson``, is fed."""
    return r_min + _unit(values) * (r_max - r_min)


def decode_rate(rates: np.ndarray, *, r_max: float, r_min: float = 0.0) -> np.ndarray:
    """The values of :func:`rate`."""
    return (np.asarray(rates) - r_min) / (r_max - r_min)


def constant_current(values: np.ndarray, *, I_max: float, I_min: float = 0.0) -> np.ndarray:
    """Currents in amperes, linear in the value and constant as long as the sample is shown."""
    return I_min + _unit(values) * (I_max - I_min)


def decode_constant_current(currents: np.ndarray, *, I_max: float, I_min: float = 0.0) -> np.ndarray:
    """The values of :func:`constant_current`."""
    return (np.asarray(currents) - I_min) / (I_max - I_min)


def poisson(
    values: np.ndarray, *, rng: np.random.Generator, duration: float, r_max: float, r_min: float = 0.0
) -> Spikes:
    """Spikes at random times, at a rate linear in the value: a Poisson process (Dayan & Abbott 2001, ch. 1.4)."""
    rates = rate(values, r_max=r_max, r_min=r_min)
    counts = rng.poisson(rates * duration)
    return _spikes(counts, duration * rng.random(int(counts.sum())))


def decode_poisson(spikes: Spikes, *, duration: float, r_max: float, r_min: float = 0.0) -> np.ndarray:
    """The most likely values: spikes over the duration. Off by sqrt(rate/duration)/(r_max - r_min) (SD)."""
    return decode_rate(spikes.counts() / duration, r_max=r_max, r_min=r_min)


def regular(values: np.ndarray, *, duration: float, r_max: float, r_min: float = 0.0) -> Spikes:
    """Evenly spaced spikes at a rate linear in the value; the first after half an interval, so counts round r*T."""
    rates = rate(values, r_max=r_max, r_min=r_min)
    counts = np.floor(rates * duration + 0.5).astype(np.int64)
    return _spikes(counts, (_number(counts) + 0.5) / np.repeat(rates.ravel(), counts.ravel()))


def decode_regular(spikes: Spikes, *, r_max: float, r_min: float = 0.0) -> np.ndarray:
    """The values, from the first spike of each cell alone; a silent cell had a rate of 0."""
    return decode_rate(0.5 / spikes.first(), r_max=r_max, r_min=r_min)


# -- times --------------------------------------------------------------------------------------------


def latency(values: np.ndarray, *, t_max: float, t_min: float = 0.0) -> Spikes:
    """One spike a feature, the earlier the larger the value, linear: t_min for 1, t_max towards 0; 0 is silent.

    Time to first spike (Thorpe, Fize & Marlot 1996; Johansson & Birznieks 2004).
    """
    x = _unit(values)
    return _spikes((x > 0).astype(np.int64), t_max - x[x > 0] * (t_max - t_min))


def decode_latency(spikes: Spikes, *, t_max: float, t_min: float = 0.0) -> np.ndarray:
    """The values of :func:`latency`."""
    first = spikes.first()
    return np.where(np.isfinite(first), (t_max - first) / (t_max - t_min), 0.0)


def log_latency(values: np.ndarray, *, tau: float, theta: float) -> Spikes:
    """One spike a feature, when a leaky cell with the value as its drive reaches ``theta``: tau*log(x/(x - theta)).

    Values up to ``theta`` are silent. Gerstner & Kistler (2002) Spiking Neuron Models, ch. 4.1.
    """
    x = _unit(values)
    fires = x > theta
    return _spikes(fires.astype(np.int64), tau * np.log(x[fires] / (x[fires] - theta)))


def decode_log_latency(spikes: Spikes, *, tau: float, theta: float) -> np.ndarray:
    """The values of :func:`log_latency`; 0 where a cell was silent."""
    first = spikes.first()
    return np.where(np.isfinite(first), theta / -np.expm1(-np.where(np.isfinite(first), first, tau) / tau), 0.0)


def phase(values: np.ndarray, *, duration: float, slot: float, bits: int = 8) -> Spikes:
    """The binary digits of the value as spikes: phase k of each period stands for 2**-(k + 1), the largest first.

    A period has ``bits`` phases of ``slot`` seconds, and as many whole periods are played as fit. Weighted spikes of
    Kim, Kim, Huh, Lee & Choi (2018) Neurocomputing 311:373. Rounds to 2**bits levels.
    """
    x = _unit(values)
    bits = _whole(bits, "bits", 1, 30)
    periods = int(duration / (bits * slot) + 1e-9)
    if periods < 1:
        raise ValueError(f"a period of {bits} phases takes {bits * slot:g} s, but a sample is shown for {duration:g} s")
    levels = np.rint(x * (2**bits - 1)).astype(np.int64)
    digits = (levels[..., None] >> np.arange(bits)[::-1]) & 1  # [samples, features, bits]
    digits = np.tile(digits, periods)
    times = np.broadcast_to(np.arange(bits * periods) * slot, digits.shape)
    return _spikes(digits.sum(axis=-1), times[digits == 1])


def decode_phase(spikes: Spikes, *, slot: float, bits: int = 8) -> np.ndarray:
    """The values of :func:`phase`, from its first period."""
    number = np.rint(spikes.times / slot).astype(np.int64)
    first = number < bits
    weights = 2.0 ** (bits - 1 - number[first])
    levels = np.bincount(spikes.trains()[first], weights, minlength=len(spikes) * spikes.size)
    return levels.reshape(len(spikes), spikes.size) / (2**bits - 1)


def burst(values: np.ndarray, *, t_max: float, t_min: float = 2e-3, n_max: int = 5) -> Spikes:
    """A burst a feature: the larger the value, the more spikes and the closer together; 0 is silent.

    ceil(n_max*x) spikes at intervals of t_max - x*(t_max - t_min), a single one after t_max. Guo, Fouda, Eltawil &
    Salama (2021) Front Neurosci 15:638474; there intervals are whole milliseconds, here the run's time step rounds.
    """
    x = _unit(values)
    n_max = _whole(n_max, "n_max", 1, 1_000_000)
    counts = np.ceil(np.round(n_max * x, 9)).astype(np.int64)
    intervals = np.where(counts > 1, t_max - x * (t_max - t_min), t_max)
    return _spikes(counts, (_number(counts) + 1) * np.repeat(intervals.ravel(), counts.ravel()))


def decode_burst(spikes: Spikes, *, t_max: float, t_min: float = 2e-3, n_max: int = 5) -> np.ndarray:
    """The values of :func:`burst`: from the interval; a single spike says no more than up to 1/n_max, half is given."""
    counts, first = spikes.counts(), spikes.first()
    found = (t_max - np.where(counts > 1, first, t_max)) / (t_max - t_min)
    return np.where(counts > 1, found, np.where(counts == 1, 0.5 / n_max, 0.0))


# -- populations --------------------------------------------------------------------------------------


def population(values: np.ndarray, *, m: int, low: float = 0.0, high: float = 1.0, beta: float = 1.5) -> np.ndarray:
    """Each value as the responses, 0 to 1, of ``m`` cells with Gaussian receptive fields between low and high.

    Centres low + (2k - 1)/2 * w for k = 0 ... m - 1 and width w/beta, with w = (high - low)/(m - 2): Bohte, Kok & La
    Poutre (2002) Neurocomputing 48:17. Followed by ``latency`` it is their code. Cell k of feature f is f*m + k.
    """
    x = _finite(values)
    centres, sigma = _fields(m, low, high, beta)
    return np.exp(-0.5 * ((x[..., None] - centres) / sigma) ** 2).reshape(len(x), -1)


def decode_population(
    responses: np.ndarray, *, m: int, low: float = 0.0, high: float = 1.0, beta: float = 1.5
) -> np.ndarray:
    """The values of :func:`population`: the ratio of the two strongest neighbours has the value in closed form."""
    centres, sigma = _fields(m, low, high, beta)
    a = np.asarray(responses, float).reshape(len(responses), -1, int(m))
    pairs = a[..., :-1] * a[..., 1:]
    k = np.argmax(pairs, axis=-1)[..., None]
    left, right = (np.take_along_axis(a, at, axis=-1)[..., 0] for at in (k, k + 1))
    middle = 0.5 * (centres[k] + centres[k + 1])[..., 0]
    return middle + sigma**2 / (centres[1] - centres[0]) * np.log(right / left)


def _fields(m: float, low: float, high: float, beta: float) -> tuple[np.ndarray, float]:
    m = _whole(m, "m", 3, 1_000_000)
    if not high > low or not beta > 0:
        raise ValueError("high is above low, and beta above 0")
    width = (high - low) / (m - 2)
    return low + (np.arange(m) - 0.5) * width, width / beta


# -- changes and events -------------------------------------------------------------------------------


def ternary(values: np.ndarray, *, theta: float, every: float) -> Spikes:
    """Changes of signals [samples, times, features], one value every ``every`` seconds: up (+1), down (-1) or none (0).

    A signal that leaves its last level by ``theta`` or more fires its up or its down cell, and the level follows by
    theta: delta modulation, the step-forward code of Petro, Kasabov & Kiss (2020) IEEE Trans Neural Netw Learn Syst
    31:370. The first value is the first level. Feature f has the cells 2*f (up) and 2*f + 1 (down).
    """
    x = np.asarray(values, float)
    if x.ndim != 3 or not np.isfinite(x).all():
        raise ValueError(f"expected finite values [samples, times, features], got {x.shape}")
    if not theta > 0:
        raise ValueError("theta is above 0")
    samples, steps, features = x.shape
    fired = np.zeros((samples, features, 2, steps), bool)
    level = x[:, 0] if steps else None
    for step in range(1, steps):
        change = x[:, step] - level
        up, down = change >= theta, change <= -theta
        level = level + theta * (up.astype(float) - down)
        fired[:, :, 0, step], fired[:, :, 1, step] = up, down
    flat = fired.reshape(samples, 2 * features, steps)
    return _spikes(flat.sum(axis=-1), np.broadcast_to(np.arange(steps) * every, flat.shape)[flat])


def decode_ternary(spikes: Spikes, first: np.ndarray, *, theta: float, every: float, steps: int) -> np.ndarray:
    """The levels of :func:`ternary`, [samples, steps, features]: within theta of a signal that changes by no more than
    theta a step. ``first`` are the first values [samples, features].
    """
    at = np.rint(spikes.times / every).astype(np.int64) + steps * spikes.trains()
    fired = np.bincount(at, minlength=len(spikes) * spikes.size * steps).reshape(len(spikes), -1, 2, steps)
    change = theta * np.cumsum(fired[:, :, 0] - fired[:, :, 1], axis=-1)
    return np.asarray(first)[:, None, :] + np.moveaxis(change, -1, 1)


def events(
    x: np.ndarray, y: np.ndarray, t: np.ndarray, p: np.ndarray, offsets: np.ndarray, *, shape: tuple[int, int]
) -> Spikes:
    """Events of a camera as spikes: pixel (x, y), time t in seconds, polarity p (1 is ON), recordings by ``offsets``.

    The cell is (p*height + y)*width + x, with ``shape`` = (height, width): first all OFF pixels, then all ON pixels, as
    in N-MNIST (Orchard, Jayawant, Cohen & Thakor 2015, Front Neurosci 9:437).
    """
    height, width = shape
    x, y, p = (np.asarray(a).astype(np.int64) for a in (x, y, p))
    for name, a, end in (("x", x, width), ("y", y, height), ("p", p, 2)):
        if a.size and not 0 <= a.min() <= a.max() < end:
            raise ValueError(f"{name} is a number from 0 to {end - 1}")
    cells = ((p * height + y) * width + x).astype(np.int32)
    return Spikes(np.asarray(offsets, np.int64), np.asarray(t, float), cells, 2 * height * width)


def decode_events(spikes: Spikes, *, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(x, y, p) of the events of :func:`events`."""
    height, width = shape
    return spikes.cells % width, spikes.cells // width % height, spikes.cells // (width * height)


# -- by name ------------------------------------------------------------------------------------------

#: Dimension of each parameter, as a Brian2 unit.
UNITS = {
    **dict.fromkeys(("r_max", "r_min"), "hertz"),
    **dict.fromkeys(("I_max", "I_min"), "amp"),
    **dict.fromkeys(("t_max", "t_min", "tau", "slot", "every"), "second"),
    **dict.fromkeys(("theta", "bits", "n_max", "m", "low", "high", "beta"), "1"),
}


@dataclass(frozen=True)
class Encoder:
    """An encoder as an experiment names it."""

    call: Callable[..., Any]
    decode: Callable[..., Any]
    makes: str  # spikes, or the unit of the values
    parameters: dict[str, float | None]  # name -> default, None if it must be given
    needs: tuple[str, ...]  # what the run gives: duration, rng

    @property
    def about(self) -> str:
        """Its first sentence."""
        return (self.call.__doc__ or "").partition("\n")[0]


def _encoder(call: Callable[..., Any], decode: Callable[..., Any], makes: str = "spikes") -> Encoder:
    given = [p for p in inspect.signature(call).parameters.values() if p.kind is p.KEYWORD_ONLY]
    parameters = {p.name: None if p.default is p.empty else p.default for p in given if p.name in UNITS}
    return Encoder(call, decode, makes, parameters, tuple(p.name for p in given if p.name not in UNITS))


#: What ``encode:`` of an experiment may name.
ENCODERS: dict[str, Encoder] = {
    "rate": _encoder(rate, decode_rate, "hertz"),
    "constant_current": _encoder(constant_current, decode_constant_current, "amp"),
    "population": _encoder(population, decode_population, "1"),
    "poisson": _encoder(poisson, decode_poisson),
    "regular": _encoder(regular, decode_regular),
    "latency": _encoder(latency, decode_latency),
    "log_latency": _encoder(log_latency, decode_log_latency),
    "phase": _encoder(phase, decode_phase),
    "burst": _encoder(burst, decode_burst),
    "ternary": _encoder(ternary, decode_ternary),
}


# -- shared -------------------------------------------------------------------------------------------


def _finite(values: np.ndarray) -> np.ndarray:
    x = np.asarray(values, float)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"expected finite values [samples, features], got {x.shape}")
    return x


def _unit(values: np.ndarray) -> np.ndarray:
    x = _finite(values)
    if x.size and not 0 <= x.min() <= x.max() <= 1:
        raise ValueError(f"values go from 0 to 1, got {x.min():g} to {x.max():g}")
    return x


def _whole(value: float, name: str, least: int, most: int) -> int:
    if value != int(value) or not least <= value <= most:
        raise ValueError(f"{name} is a whole number from {least} to {most:,}, got {value:g}")
    return int(value)


def _number(counts: np.ndarray) -> np.ndarray:
    """0, 1, 2 ... for the spikes of each cell, cell after cell."""
    flat = counts.ravel()
    return np.arange(flat.sum()) - np.repeat(np.cumsum(flat) - flat, flat)


def _spikes(counts: np.ndarray, times: np.ndarray) -> Spikes:
    """Spikes from how many each cell has [samples, cells] and their times, cell after cell."""
    samples, size = counts.shape
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts.sum(axis=1))])
    cells = np.repeat(np.tile(np.arange(size, dtype=np.int32), samples), counts.ravel())
    return Spikes(offsets, np.asarray(times, float), cells, size)
