"""line_attractor: pulses add up and their sum stays; detuned, it leaks or runs away as theory says."""

from __future__ import annotations

import numpy as np
import pytest

from brainsim import backends
from brainsim.compose import draws
from brainsim.units import Quantity

#: What this is the test of.
PARTS = ["region line_attractor"]

pytestmark = [
    pytest.mark.compiled,
    pytest.mark.skipif(bool(backends.available()["native"]), reason="needs a C++ compiler"),
]


def rate(results) -> np.ndarray:
    """Mean rate of the cells in Hz in bins of 100 ms."""
    times, _ = results.spikes("cells")
    return np.histogram(times, np.arange(0, 3.05, 0.1))[0] / 100 / 0.1


def between(rates: np.ndarray, start: float, stop: float) -> float:
    """Mean of bins from ``start`` to ``stop`` seconds."""
    return float(rates[round(start * 10) : round(stop * 10)].mean())


def test_pulses_add_up_and_every_level_stays(simulate):
    """A pulse of 1000 spikes of 0.2 pA is 200 pA more, or 50 Hz: 1/(20 ms) for each current of threshold, 200 pA."""
    steps = []
    for first in (250, 350, 400):
        change = {"stimuli.up.pulse.0.value": f"{first} Hz"}
        rates = rate(simulate("line_attractor", set=change, backend="native"))
        levels = [(between(rates, a, a + 0.2), between(rates, b - 0.2, b)) for a, b in ((0.5, 1), (1.4, 2), (2.4, 3))]
        for begin, end in levels:
            assert 90 < begin < 260
            assert end == pytest.approx(begin, rel=0.04), "a level stays"
        steps.append((levels[1][0] - levels[0][1], levels[1][1] - levels[2][0]))
    # Chance moves a single step by about 2 Hz, and the level leaks a little while it is reached.
    assert np.mean(steps, axis=0) == pytest.approx([50, 50], abs=6)


@pytest.mark.parametrize("feedback", [0.9, 1.1])
def test_detuned_it_leaks_or_runs_away_as_one_minus_feedback_says(simulate, feedback):
    """Between pulses the rate changes by (feedback - 1)/(100 ms) of itself, but for a small constant."""
    quiet = {f"stimuli.{key}.value": "0 Hz" for key in ("up.pulse.1", "down.pulse")}
    change = {"feedback": feedback, "run.duration": "1.2 s", **quiet}
    rates = rate(simulate("line_attractor", set=change, backend="native"))[:12]
    slope = (between(rates, 0.7, 0.8) - between(rates, 0.5, 0.6)) / 0.2
    # The bias holds the straight line through the rates 0.04 of a threshold current, 2 Hz, above zero.
    assert slope == pytest.approx((feedback - 1) / 0.1 * between(rates, 0.5, 0.8), rel=0.1)


def test_bias_puts_the_rate_on_a_straight_line_through_zero(make_plan):
    """A leaky cell follows 1/ln(x/(x - 1)), about x - 1/2 - 1/(12 x): half a threshold current, and a little more."""
    plan = make_plan("line_attractor")
    cells = next(group for group in plan.groups if group.path == "cells")
    bias = next(initial for initial in cells.initial if initial.variable == "I_bias")
    drawn = draws.values("cells", bias, 40_000, {"i": Quantity(np.zeros(40_000))}, 1).value / 200e-12
    x = np.linspace(2, 3, 11)
    assert drawn.mean() == pytest.approx(0.5 + np.mean(x - 0.5 - 1 / np.log(x / (x - 1))), abs=0.004)
    assert drawn.std() == pytest.approx(0.1, rel=0.05)
