"""brunel: rate of the asynchronous irregular state against Brunel's mean-field theory, and the paper's four states."""

from __future__ import annotations

import math

import numpy as np
import pytest

from brainsim import backends

#: What this is the test of.
PARTS = ["region brunel"]


def cell_rate(mu: float, sigma: float) -> float:
    """Rate in Hz at mean ``mu`` and spread ``sigma`` in mV: Brunel (2000) eq. 21 with tau 20 ms, t_ref 2 ms."""
    x = np.linspace((10 - mu) / sigma, (20 - mu) / sigma, 4001)
    y = np.array([math.exp(a * a) * math.erfc(-a) if a > -5 else 1 / (math.sqrt(math.pi) * -a) for a in x])
    area = np.sum((y[1:] + y[:-1]) / 2) * (x[1] - x[0])
    return 1 / (0.002 + 0.020 * math.sqrt(math.pi) * area)


def network_rate(g: float, eta: float) -> float:
    """The rate that reproduces itself: eq. 26 with 1000 + 250 inputs of 0.1 mV and -g 0.1 mV, and 1000 from outside."""
    outside = eta * 20 / (0.1 * 1000 * 0.020)
    low, high = 0.01, 499.0
    for _ in range(50):
        rate = (low + high) / 2
        mu = 1000 * 0.1 * 0.020 * (outside + rate * (1 - 0.25 * g))
        sigma = 0.1 * math.sqrt(1000 * 0.020 * (outside + rate * (1 + 0.25 * g**2)))
        low, high = (rate, high) if cell_rate(mu, sigma) > rate else (low, rate)
    return rate


def rhythm(results, start: float, stop: float) -> tuple[float, float]:
    """Frequency in Hz of the strongest rhythm of the excitatory population above 8 Hz, and its spread over its mean.

    Both of the rate in bins of 1 ms; the spectrum is averaged over stretches of 200 ms, so it resolves 5 Hz.
    """
    times, _ = results.spikes("exc")
    rate = np.histogram(times, np.arange(round(start * 1e3), round(stop * 1e3) + 1) * 1e-3)[0].astype(float)
    pieces = [rate[k : k + 200] for k in range(0, len(rate) - 199, 100)]
    power = np.mean([np.abs(np.fft.rfft((piece - piece.mean()) * np.hanning(200))) ** 2 for piece in pieces], axis=0)
    frequency = np.fft.rfftfreq(200, 1e-3)
    return float(frequency[frequency > 8][np.argmax(power[frequency > 8])]), float(rate.std() / rate.mean())


def activity(results, start: float, stop: float) -> tuple[float, float]:
    """Mean rate in Hz and mean CV of the intervals of single excitatory cells."""
    times, cells = results.spikes("exc")
    kept = (times > start) & (times < stop)
    times, cells = times[kept], cells[kept]
    size = results.summary["populations"]["exc"]["size"]
    intervals = [np.diff(times[cells == cell]) for cell in range(0, size, 5)]
    spreads = [d.std() / d.mean() for d in intervals if len(d) >= 5]
    return len(times) / size / (stop - start), float(np.mean(spreads))


def test_full_size_is_that_of_the_paper(make_plan):
    """10,000 and 2,500 cells; a tenth of each reaches every cell, after 1.5 ms; inhibition is g times as strong."""
    plan = make_plan("brunel")
    assert {group.path: group.size for group in plan.groups} == {"exc": 10_000, "inh": 2_500}
    for connection in plan.connections:
        excites = connection.path.startswith("exc")
        assert connection.wiring.options["in_degree"] == (1000 if excites else 250)
        jump = next(constant.value.value for constant in connection.constants if constant.name == "J")
        assert jump == pytest.approx(0.1e-3 if excites else -0.5e-3)
        assert [p.delay for p in connection.pathways] == pytest.approx([1.5e-3])


def test_theory_gives_the_rate_of_the_paper():
    """Figure 8C: 37.7 Hz in the simulations for g = 5, eta = 2 (quoted from memory); the theory gives 37.9."""
    assert network_rate(5, 2) == pytest.approx(37.9, abs=0.2)


@pytest.mark.parametrize(("g", "eta"), [(5, 2), (6, 2)])
def test_asynchronous_irregular_rate_matches_mean_field(simulate, g, eta):
    """A fifth of the cells with all their inputs: correlations cost a few per cent of the rate (measured: 3 to 5 %)."""
    other = {name: value for name, value, usual in (("g", g, 5), ("eta", eta, 2)) if value != usual}
    results = simulate("brunel", set={"scale": 0.2, "run.duration": "400 ms", **other})
    rate, spread = activity(results, 0.1, 0.4)
    assert rate == pytest.approx(network_rate(g, eta), rel=0.08)
    assert 0.3 < spread < 0.7


def test_weak_inhibition_fires_fast_and_regularly(simulate):
    """g = 3: excitation wins and cells fire near 1/t_ref with hardly any spread."""
    results = simulate("brunel", set={"scale": 0.11, "run.duration": "120 ms", "g": 3})
    rate, spread = activity(results, 0.05, 0.12)
    assert rate > 200
    assert spread < 0.1


compiled = pytest.mark.compiled
needs_compiler = pytest.mark.skipif(bool(backends.available()["native"]), reason="needs a C++ compiler")


@compiled
@needs_compiler
def test_a_fifth_of_the_cells_shows_both_rhythms(simulate):
    """Fast: the population runs near 180 Hz and cells at a third of that. Slow: volleys near 20 Hz, few cells join."""
    small = {"scale": 0.2, "run.duration": "700 ms"}
    fast = simulate("brunel_si_fast", set=small, backend="native")
    (rate, spread), (frequency, _) = activity(fast, 0.2, 0.7), rhythm(fast, 0.2, 0.7)
    assert rate == pytest.approx(60.7, rel=0.2)
    assert spread > 0.75
    assert frequency == pytest.approx(180, rel=0.12)
    slow = simulate("brunel_si_slow", set=small, backend="native")
    (rate, _), (frequency, depth) = activity(slow, 0.2, 0.7), rhythm(slow, 0.2, 0.7)
    assert rate == pytest.approx(5.5, rel=0.5)
    assert 10 <= frequency <= 30
    assert depth > 2.5


#: State -> rate and rhythm in Hz of the simulations of figure 8 (from copies of its caption; not re-read in the paper).
FIGURE_8 = {
    "brunel": (37.7, None),
    "brunel_si_fast": (60.7, 180),
    "brunel_si_slow": (5.5, 22),
}


@pytest.mark.slow
@compiled
@needs_compiler
def test_full_size_has_the_four_states_of_figure_8(simulate):
    """Measured, seed 1: 37.8 Hz; 60.9 Hz at 180 Hz; 5.5 Hz at 20 Hz; depth of modulation 0.55, 0.96, 2.1."""
    depths = {}
    for state, (wanted, beat) in FIGURE_8.items():
        results = simulate(state, set={"run.duration": "1 s"}, backend="native")
        (rate, spread), (frequency, depths[state]) = activity(results, 0.2, 1.0), rhythm(results, 0.2, 1.0)
        assert rate == pytest.approx(wanted, rel=0.08)
        assert beat is None or frequency == pytest.approx(beat, abs=max(5, 0.05 * beat))
        assert spread > (0.3 if state == "brunel" else 0.45)
    assert depths["brunel"] < 0.7 < depths["brunel_si_fast"] < 1.5 < depths["brunel_si_slow"]
    regular = simulate("brunel_sr", set={"run.duration": "400 ms"}, backend="native")
    (rate, spread), (frequency, depth) = activity(regular, 0.2, 0.4), rhythm(regular, 0.2, 0.4)
    assert rate > 250 and spread < 0.02
    assert depth > 0.7, "cells fire in step"
    assert frequency > rate, "in more than one cluster"
