"""poisson: rate, irregularity and independence of the source."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["neuron poisson"]

TEXT = """
experiment: source
region:
  region: cells
  populations:
    source: {neuron: {name: poisson, parameters: {rate: 40 Hz}}, size: 500}
run: {duration: 2 s, dt: 0.5 ms, seed: 1}
record: {spikes: [source]}
"""


def test_rate_is_as_set(simulate):
    times, _ = simulate(TEXT).spikes("source")
    expected = 40 * 500 * 2
    assert len(times) == pytest.approx(expected, abs=4 * np.sqrt(expected))


def test_intervals_are_exponential_and_cells_are_independent(simulate):
    times, cells = simulate(TEXT).spikes("source")
    intervals = np.concatenate([np.diff(times[cells == cell]) for cell in range(500)])
    # Short trains favour short intervals a little; the step takes a little from the spread.
    assert intervals.std() / intervals.mean() == pytest.approx(1, abs=0.05)
    assert np.mean(intervals > 25e-3) == pytest.approx(np.exp(-1), abs=0.02)
    counts = np.histogram2d(cells, times, bins=[np.arange(501) - 0.5, np.linspace(0, 2, 21)])[0]
    assert counts.var() / counts.mean() == pytest.approx(1, abs=0.1)  # Fano factor
    summed = counts.sum(axis=0)
    assert summed.var() / summed.mean() < 3  # cells do not fire together


def test_a_stimulus_fills_in_the_rate(simulate):
    pulse = "stimuli: {on: {to: source.rate, pulse: {start: 0.5 s, stop: 1 s, value: 80 Hz}}}\n"
    times, _ = simulate(TEXT.replace("40 Hz", "0 Hz") + pulse).spikes("source")
    assert times.min() >= 0.5
    assert times.max() < 1.0
    assert len(times) == pytest.approx(80 * 500 * 0.5, abs=4 * np.sqrt(20000))
