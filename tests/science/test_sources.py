"""regular, inhomogeneous_poisson, poisson_refractory: times, rates, modulation and irregularity in closed form."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["neuron regular", "neuron inhomogeneous_poisson", "neuron poisson_refractory"]

TEXT = """
experiment: source
region:
  region: cells
  populations:
    source: {neuron: NEURON, size: 500}
run: {duration: 2 s, dt: 0.5 ms, seed: 1}
record: {spikes: [source]}
"""


@pytest.mark.parametrize("phase", [0, 0.25, 1])
def test_regular_fires_on_the_nearest_step(simulate, phase):
    text = TEXT.replace("NEURON", "{name: regular, parameters: {rate: 30 Hz}}").replace("500", "2")
    times, cells = simulate(text, set={"source.neuron.phase": phase}).spikes("source")
    expected = (np.arange(61) + phase) / 30
    expected = expected[expected < 2 - 0.26e-3]  # the last step begins at 1.9995 s
    for cell in (0, 1):
        found = times[cells == cell]
        assert len(found) == len(expected)
        assert np.max(np.abs(found - expected)) < 0.2501e-3


def test_a_regular_source_follows_its_rate_and_stops(simulate):
    pulse = "stimuli: {on: {to: source.rate, pulse: {start: 0.5 s, stop: 1 s, value: 40 Hz}}}\n"
    text = TEXT.replace("NEURON", "{name: regular, parameters: {rate: 0 Hz}}").replace("500", "1")
    times, _ = simulate(text + pulse).spikes("source")
    np.testing.assert_allclose(times, 0.5 + np.arange(20) / 40, atol=0.26e-3)


def test_inhomogeneous_poisson_follows_the_sine(simulate):
    times, _ = simulate(TEXT.replace("NEURON", "inhomogeneous_poisson")).spikes("source")
    exposure = 500 * 2.0
    assert len(times) / exposure == pytest.approx(20, abs=4 * np.sqrt(20 / exposure))
    # Fourier component at 8 Hz of r_0 + r_1 sin(2 pi f t + phase): its error is sqrt(2 N) over the exposure
    component = 2 * np.sum(np.exp(-2j * np.pi * 8 * times)) / exposure
    assert abs(component) == pytest.approx(15, abs=0.8)
    assert np.angle(component * 1j) == pytest.approx(0.5, abs=0.06)


def test_a_rate_below_zero_is_none(simulate):
    settings = {"source.neuron.r_0": "0 Hz", "source.neuron.r_1": "40 Hz", "source.neuron.phase": 0}
    times, _ = simulate(TEXT.replace("NEURON", "inhomogeneous_poisson"), set=settings).spikes("source")
    assert len(times) == pytest.approx(40 / np.pi * 1000, rel=0.05)
    assert np.all(np.sin(2 * np.pi * 8 * times) > -1e-9)


def test_dead_time_makes_the_train_more_regular(simulate):
    neuron = "{name: poisson_refractory, parameters: {rate: 100 Hz}}"
    times, cells = simulate(TEXT.replace("NEURON", neuron)).spikes("source")
    intervals = np.concatenate([np.diff(times[cells == cell]) for cell in range(500)]) * 1e3
    assert len(times) / 1000 == pytest.approx(100, rel=0.01)
    assert intervals.min() == pytest.approx(2, abs=1e-6)
    p = 0.5 / (10 - 2 + 0.5)  # of a spike in a step that is not dead
    cv = 0.5 * np.sqrt(1 - p) / p / 10
    assert cv == pytest.approx(1 - 100 * 2e-3, abs=0.03)  # what it is without steps
    assert intervals.std() / intervals.mean() == pytest.approx(cv, abs=0.015)  # a run of 2 s cuts off the longest
    assert np.mean(intervals < 2.1) == pytest.approx(p, rel=0.1)
