"""Measures by name, against spikes and weights that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

import brainsim
from brainsim import analysis
from brainsim.errors import FitError

# One cell fires every 10 ms, one every 20 ms; another is silent for a second and then regular.
RUN = """
experiment: known
region:
  region: known
  populations:
    two: {neuron: {name: regular, parameters: {phase: 0.5}}, size: 2}
    late: {neuron: {name: regular, parameters: {phase: 0.5}}, size: 1}
  projections:
    learned: {from: two, to: late, synapse: silent, plasticity: grow, connect: all, initial: {w: 0.1*i}}
stimuli:
  two: {to: two.rate, constant: 100 Hz}
  late: {to: late.rate, pulse: {value: 50 Hz, start: 1 s}}
run: {duration: 2 s, dt: 1 ms, backend: numpy}
record: {spikes: ["two", late], state: {learned: {variables: [w], every: 100 ms}}}
---
plasticity: grow
equations: "w : 1"
on_pre: w += 0.01
---
synapse: silent
equations: "w : 1"
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return brainsim.run(RUN, out=tmp_path_factory.mktemp("known") / "run")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate_hz[two]", 100),
        ("rate_hz[late]", 25),
        ("rate_hz[late]@last 1 s", 50),
        ("rate_hz[late]@last 500 ms", 50),
        ("rate_hz[late]@first 1 s", 0),
        ("rate_hz[late]@last 9 s", 25),
        ("cv[two]", 0),
        ("cv[late]@first 1 s", math.nan),
        ("correlation[two]", 1),
        ("mean[learned.w]", 2.05),  # 200 spikes each, from 0 and 0.1
        ("sd[learned.w]", 0.05),
        ("share[learned.w > 2.05]", 0.5),
        ("share[ learned.w <= 3 ]", 1),
        ("time_to[learned.w >= 1.05]", 1.0),  # the means are 0.05 after 0 s, 0.15 after 100 ms, ...
        ("time_to[learned.w > 9]", math.nan),
    ],
)
def test_measures_of_a_known_run(results, name, value):
    assert results.measure(name) == pytest.approx(value, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rate[two]", "Did you mean rate_hz"),
        ("rate_hz", "there is no measure rate_hz"),
        ("rate_hz[tow]", "Did you mean two"),
        ("rate_hz[two]@last 5 mV", "not a time"),
        ("rate_hz[two]@last year", "no value"),
        ("rate_hz[two > 3]", "no measure"),
        ("mean[learned.v]", "Did you mean learned.w"),
        ("mean[learned.w]@last 1 s", "no measure"),
        ("share[learned.w]", "no measure"),
        ("share[learned.w > big]", "no value"),
        ("time_to[two.v > 1]", "keeps no course of two.v"),
    ],
)
def test_what_cannot_be_measured_is_told_before_anything_is_run(results, name, words, tmp_path):
    with pytest.raises(FitError, match=words):
        results.measure(name)
    with pytest.raises(FitError, match=words):
        brainsim.sweep(RUN, {"run.seed": [1]}, out=tmp_path / "sweep", measures=[name])
    assert not (tmp_path / "sweep").exists()


def test_a_sweep_has_them_as_columns_also_afterwards(tmp_path):
    found = brainsim.sweep(RUN, {"run.seed": [1, 2]}, out=tmp_path / "s", jobs=1, measures=["rate_hz[late]@last 1 s"])
    assert [row["rate_hz[late]@last 1 s"] for row in found.rows] == [50, 50]
    again = brainsim.sweep(found.folder, measures=["time_to[learned.w > 9]", "share[learned.w > 2.05]"])
    assert again.means[0]["share[learned.w > 2.05]"] == 0.5
    assert "rate_hz[late]@last 1 s" not in again.rows[0]
    assert "time_to[learned.w > 9]" not in again.rows[0]  # never: a gap


def test_mean_correlation_is_that_of_numpy():
    rng = np.random.default_rng(3)
    shared = rng.random(2000) < 0.1
    fired = (rng.random((5, 2000)) < 0.1) | shared
    fired[4] = False  # is left out
    cells, steps = np.nonzero(fired)
    counts = fired.reshape(5, 400, 5).sum(axis=2)[:4]
    expected = np.corrcoef(counts)[np.triu_indices(4, 1)].mean()
    assert expected > 0.3
    found = analysis.mean_correlation(steps * 1e-3, cells, 5, 2.0, 5e-3)
    assert found == pytest.approx(expected, rel=1e-9)
    assert math.isnan(analysis.mean_correlation([], [], 3, 1.0, 0.005))
