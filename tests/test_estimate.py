"""What a run would take, told before it runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import brainsim

TEXT = """
experiment: two
region:
  region: two
  parameters:
    n: 100              # cells
  populations:
    source: {neuron: {name: poisson, parameters: {rate: 20 Hz}}, size: n}
    target: {neuron: lif, size: 50}
  projections:
    forward: {from: source, to: target, synapse: ampa, plasticity: stdp, connect: {p: 0.5}}
run: {duration: 2 s, dt: 0.5 ms, backend: numpy}
record: {spikes: [source]}
sweep: {run.seed: [1, 2, 3, 4]}
"""


def test_sizes_are_those_of_the_model():
    found = brainsim.estimate(TEXT)
    assert (found.cells, found.synapses, found.steps, found.model_time) == (150, 2500, 4000, 2.0)
    assert (found.points, found.objects, found.probe, found.compile_time) == (4, 0, 0.0, 0.0)
    assert found.total_time == pytest.approx(4 * (found.build_time + found.run_time))
    larger = brainsim.estimate(TEXT, set={"n": 1_000_000})
    assert larger.synapses == 25_000_000
    # At least two variables of eight bytes a synapse, and two indices of four.
    assert larger.memory - found.memory > 24 * 25e6
    assert larger.run_time > 100 * found.run_time
    assert larger.disk > 100 * found.disk


def test_the_full_column_is_told_to_fit():
    """Measured on the native device: 3.9 GB at most and 14 bytes a synapse, built in half a minute to a minute."""
    whole = {"scale": 1, "run.backend": "native"}
    found = brainsim.estimate("potjans_diesmann", set=whole)
    assert found.synapses == pytest.approx(2.989e8, rel=1e-3)
    assert 3.2e9 < found.memory < 4.8e9
    assert 15 < found.build_time < 90
    assert brainsim.estimate("potjans_diesmann", set={**whole, "run.dtype": "float32"}).memory < found.memory - 1.1e9
    assert brainsim.estimate("potjans_diesmann", set={**whole, "run.backend": "numpy"}).memory > 2 * found.memory


def test_samples_and_compiled_backends():
    found = brainsim.estimate("digits_vdsp", over={"run.seed": range(5)})
    assert found.trials == 3 * 2000 + 2000 + 500
    assert found.model_time == pytest.approx(found.trials * 0.35)
    assert found.synapses == 78_400 + 100  # images to output, and each cell's bid
    assert found.points == 5
    assert found.objects > 10
    assert found.compile_time > 0


def test_a_probe_runs_a_piece_and_nothing_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = brainsim.estimate(TEXT, set={"run.duration": "2000 s"}, probe=True)
    assert 0 < found.probe < 200
    assert found.run_time > 0
    assert not list(tmp_path.iterdir())


def test_a_probe_leaves_out_the_time_to_begin(monkeypatch):
    """A run that takes a second to begin and then 0.1 s for a second of the model, with 50 spikes in it."""
    from brainsim import estimates

    def piece(self, share):
        model = max(0.02, share * 2000.0)
        return estimates._Piece(model, 1.0 + 0.1 * model, 50.0 * model)

    monkeypatch.setattr(estimates._Probe, "run", piece)
    found = brainsim.estimate(TEXT, set={"run.duration": "2000 s"}, probe=True)
    assert found.run_time == pytest.approx(201.0, rel=1e-6)
    assert 2000 * 50 * 16 < found.disk < 2000 * 50 * 16 + 1e6
    assert found.probe < 100


def test_only_the_last_round_keeps_the_spikes_of_the_readout():
    """In digits_desire they are recorded, in gerlinghoff_2022 nobody asks for them."""
    for name, grows in (("digits_desire", True), ("gerlinghoff_2022", False)):
        once, often = (brainsim.estimate(name, set={"run.rounds": rounds}) for rounds in (1, 50))
        assert often.steps == 50 * once.steps
        assert (often.disk > 1.5 * once.disk) == grows


def test_a_probe_shows_some_samples_of_each_phase():
    few = {"data.train": 400, "data.label": 300, "data.test": 200, "n_cells": 10, "run.backend": "numpy"}
    found = brainsim.estimate("digits_vdsp", set=few, probe=True)
    assert found.trials == 1700
    assert 15 * 0.35 <= found.probe < 1700 * 0.35


def test_the_verb_needs_no_brian2():
    code = (
        "import sys; from brainsim.cli.main import main; sys.argv = ['brainsim', 'estimate', 'brunel']\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "assert 'brian2' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "15,625,000" in ran.stdout
