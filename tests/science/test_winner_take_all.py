"""winner_take_all, with wta_adapting, referee and bid: one winner, the strongest; then silence; then another's turn."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["region winner_take_all", "neuron wta_adapting", "neuron referee", "synapse bid"]

TEXT = """
experiment: contest
region:
  region: contest
  regions:
    layer: {{name: winner_take_all, parameters: {{n_cells: 20}}}}
  populations:
    drive: {{neuron: {{name: poisson, parameters: {{rate: 30 Hz}}}}, size: 100}}
  projections:
    input:
      from: drive
      to: layer.competitors
      synapse: {{name: filtered, parameters: {{kick: 0.4 ms}}}}
      connect: all
      initial: {{w: rand()}}
run: {{duration: 5 s, dt: {dt} ms, seed: 1}}
record: {{spikes: [layer.competitors], state: {{layer.competitors: {{variables: [u]}}}}}}
"""


@pytest.mark.parametrize("dt", [1, 5])
def test_one_winner_a_step_and_ten_milliseconds_of_silence(simulate, dt):
    times, _ = simulate(TEXT.format(dt=dt)).spikes("layer.competitors")
    steps = np.round(times * 1e3).astype(int)
    assert len(steps) > 50
    assert len(np.unique(steps)) == len(steps)
    # Ten milliseconds are the shortest, and with this drive some are nearly that short.
    assert 10 <= np.diff(steps).min() <= 20


@pytest.mark.parametrize("dt", [1, 5])
def test_strong_drive_fills_every_gap(simulate, dt):
    """With more drive than needed someone wins as soon as the ten milliseconds are over."""
    times, _ = simulate(TEXT.format(dt=dt), set={"input.synapse.kick": "20 ms"}).spikes("layer.competitors")
    assert np.diff(times) * 1e3 == pytest.approx(10)


def test_a_tired_cell_sinks_to_its_floor_and_no_further(simulate):
    """One cell, driven hard for 2 s: n is about 2 then; when the drive stops u falls towards -n but stays at -1."""
    text = TEXT.format(dt=5) + "stimuli: {on: {to: drive.rate, pulse: {start: 0 s, stop: 2 s, value: 30 Hz}}}\n"
    alone = {"input.synapse.kick": "20 ms", "layer.n_cells": 1, "run.duration": "2.5 s"}
    _, u = simulate(text.replace("rate: 30 Hz", "rate: 0 Hz"), set=alone).state("layer.competitors", "u")
    assert u.min() == -1


def test_the_winner_is_the_strongest(simulate):
    results = simulate(TEXT.format(dt=5))
    times, cells = results.spikes("layer.competitors")
    sampled, u = results.state("layer.competitors", "u")
    for time, cell in zip(times[:-1], cells[:-1], strict=True):
        # Recorded at the start of a step: the next sample still shows the potentials at the decision.
        at_decision = u[np.argmin(np.abs(sampled - time - 5e-3))]
        assert at_decision[cell] == at_decision.max() > 1


def test_adaptation_shares_the_wins(simulate):
    shares = []
    for override in ({}, {"layer.competitors.neuron.n_inc": 0}):
        _, cells = simulate(TEXT.format(dt=5), set=override).spikes("layer.competitors")
        counts = np.bincount(cells, minlength=20)
        shares.append(counts.max() / counts.sum())
    assert shares[0] < 0.8 * shares[1]
