"""vdsp_input, wta_adapting, filtered: each alone against its closed form."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["neuron vdsp_input", "neuron wta_adapting", "synapse filtered"]

INPUT = """
experiment: input
region:
  region: eye
  populations:
    retina: {{neuron: {{name: vdsp_input, parameters: {{pixel: {pixel}}}}}, size: 20}}
run: {{duration: 5 s, dt: 5 ms, seed: 1}}
record: {{spikes: [retina]}}
"""


@pytest.mark.parametrize("pixel", [0.3, 0.7, 1.0])
def test_input_rate_is_that_of_continuous_time(simulate, pixel):
    """The dead time kept inside the step makes the mean interval exact on a grid of 5 ms."""
    times, cells = simulate(INPUT.format(pixel=pixel)).spikes("retina")
    drive = 4 * pixel + 0.5
    interval = 5 + 30 * np.log((drive + 1) / (drive - 1))
    for cell in range(20):
        train = times[cells == cell] * 1e3
        assert (train[-1] - train[0]) / (len(train) - 1) == pytest.approx(interval, abs=5.1 / (len(train) - 1))


def test_a_black_pixel_is_silent(simulate):
    times, _ = simulate(INPUT.format(pixel=0)).spikes("retina")
    assert len(times) == 0


FILTER = """
experiment: filter
region:
  region: one
  regions:
    output: {{name: winner_take_all, parameters: {{n_cells: 1}}}}
  populations:
    pre: {{neuron: timed, size: 1, initial: {{t_spike: 20 ms}}}}
  projections:
    input: {{from: pre, to: output.competitors, synapse: filtered, connect: all, initial: {{w: {w}}}}}
run: {{duration: {duration} ms, dt: {dt} ms}}
record: {{spikes: [output.competitors], state: {{output.competitors: {{variables: [g, u, n]}}}}}}
"""


@pytest.mark.parametrize("dt", [1, 5])
def test_filtered_keeps_the_area_and_decays_with_tau_g(simulate, timed_cells, dt):
    times, g = simulate(FILTER.format(w=0.5, duration=100, dt=dt) + timed_cells).state("output.competitors", "g")
    assert g.sum() * dt == pytest.approx(0.5 * 0.25, rel=1e-6)
    since = times * 1e3 - 20
    decay = g[since > 0, 0]
    assert decay == pytest.approx(decay[0] * np.exp(-(since[since > 0] - dt) / 5), rel=1e-9)


def test_competitor_integrates_with_gain_and_tires(simulate, timed_cells):
    """One kick: u follows 5 g through a filter of 30 ms; if it fires, n grows by 0.02, which fades in 1 s."""
    results = simulate(FILTER.format(w=4, duration=100, dt=1) + timed_cells)
    _, g = results.state("output.competitors", "g")
    _, u = results.state("output.competitors", "u")
    expected = np.zeros(len(g))
    for step in range(1, len(g)):
        expected[step] = expected[step - 1] + (5 * g[step - 1, 0] - expected[step - 1]) * (1 - np.exp(-1 / 30))
    assert u[:, 0] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert 0.05 < u.max() < 1

    results = simulate(FILTER.format(w=100, duration=300, dt=1) + timed_cells)
    fired, _ = results.spikes("output.competitors")
    assert len(fired) > 0
    times, n = results.state("output.competitors", "n")
    expected_n = sum(0.02 * (1 - 1e-3) ** (np.round(times * 1e3 - t * 1e3) - 1) * (times > t + 1e-6) for t in fired)
    assert n[:, 0] == pytest.approx(expected_n, rel=1e-9, abs=1e-15)
