"""Runs of several rounds: what each round reads out, the rounds named best and chosen, and going on from a checkpoint.

A run that was stopped and went on has to give the same bits as one that was not.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

import brainsim
from brainsim.errors import FitError, RunError
from brainsim.record import checkpoint
from brainsim.runs import phases, rounds
from brainsim.runs.prepare import prepare

FROZEN = "{w1.plasticity.eta: 0, w2.plasticity.eta: 0, w3.plasticity.eta: 0}"
DIGITS = f"""
experiment: rounds_digits
region: {{name: desire_layers, parameters: {{n_hidden1: 20, n_hidden2: 15, n_epoch: 8, eta: 1e-3, k: 0}}}}
data: {{name: mnist, train: 4, validation: 2, test: 2}}
trial: {{duration: 25 ms, inputs: {{image: pixels.pixel, label: goal.goal}}}}
phases:
  train: {{data: train, shuffle: true}}
  validate: {{data: validation, set: {FROZEN}}}
  test: {{data: test, set: {FROZEN}}}
readout: {{name: spike_count, population: output}}
run: {{dt: 1 ms, seed: 2, rounds: 3}}
"""
#: Spikes with delays, noise, and plasticity that is on its way when a round ends.
NOISE = """
experiment: rounds_noise
region:
  region: noise
  populations:
    drive: {neuron: {name: poisson, parameters: {rate: 200 Hz}}, size: 20}
    cells: {neuron: lif_background, size: 10}
  projections:
    learned: {from: drive, to: cells, synapse: delta, plasticity: stdp, connect: all,
              delay: 7 ms, initial: {w: 0.5 + rand()}}
run: {duration: 40 ms, dt: 0.5 ms, seed: 3, rounds: 3}
record: {spikes: [cells, drive], state: {cells: {variables: [v], every: 5 ms}}}
"""


class Stop:
    """Progress that acts as Ctrl-C would after some rounds, in the middle of the next."""

    def __init__(self, after: int):
        self.after, self.words = after, []

    def __call__(self, model_time, total, rates):
        if len(self.words) >= self.after:
            raise KeyboardInterrupt

    def told(self, words):
        self.words.append(words)


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(rounds, "CHECKPOINT_SECONDS", 0.0)


def same(a, b):
    """Whether two runs left the same spikes, states, weights and accuracies."""
    assert a.spike_paths == b.spike_paths and a.weight_paths == b.weight_paths and a.spike_paths
    for path in a.spike_paths:
        for mine, its in zip(a.spikes(path), b.spikes(path), strict=True):
            np.testing.assert_array_equal(mine, its)
    for path, variable in a.state_paths:
        for mine, its in zip(a.state(path, variable), b.state(path, variable), strict=True):
            np.testing.assert_array_equal(mine, its)
    for path in a.weight_paths:
        mine, its = a.weights(path), b.weights(path)
        assert mine.after.keys() == its.after.keys()
        for name in mine.after:
            np.testing.assert_array_equal(mine.after[name], its.after[name])
            np.testing.assert_array_equal(mine.before[name], its.before[name])
    assert a.summary["readout"] == b.summary["readout"]
    assert a.summary["populations"] == b.summary["populations"]


@pytest.mark.parametrize(
    ("text", "backend"),
    [
        pytest.param(DIGITS, "numpy", id="digits-numpy", marks=pytest.mark.slow),
        pytest.param(NOISE, "numpy", id="noise-numpy"),
        pytest.param(DIGITS, "native", id="digits-native", marks=pytest.mark.compiled),
        pytest.param(NOISE, "native", id="noise-native", marks=pytest.mark.compiled),
    ],
)
def test_a_run_that_goes_on_equals_one_that_was_not_stopped(tmp_path, text, backend):
    values = {"run.backend": backend, "run.dtype": "float32" if backend == "native" else "float64"}
    whole = brainsim.run(text, set=values, out=tmp_path / "whole")
    stop = Stop(1)
    stopped = brainsim.run(text, set=values, out=tmp_path / "part", progress=stop)
    assert stopped.status == "stopped" and stopped.summary["rounds"] == {"planned": 3, "done": 1}
    assert stop.words[0].startswith("round 1 of 3")
    twice = brainsim.run(tmp_path / "part", resume=True, progress=Stop(1))
    assert twice.status == "stopped" and twice.summary["rounds"]["done"] == 2
    again = brainsim.run(tmp_path / "part", resume=True)
    assert again.status == "complete" and len(again.provenance["resumed"]) == 2
    same(whole, again)
    learned = whole.weights(whole.weight_paths[0])
    assert np.mean(learned.after["w"] != learned.before["w"]) > 0.05
    assert not (tmp_path / "part" / "checkpoint.h5").exists() and not (tmp_path / "whole" / "checkpoint.h5").exists()


def test_each_round_is_read_out_and_the_last_is_on_top(tmp_path):
    results = brainsim.run(DIGITS, set={"run.backend": "numpy"}, out=tmp_path / "run")
    readout, trials = results.summary["readout"], results.trials
    assert readout["rounds"].keys() == {"train", "validate", "test"}
    assert all(len(one["accuracy_ties_wrong"]) == 3 for one in readout["rounds"].values())
    assert trials["round"].tolist() == [0] * 8 + [1] * 8 + [2] * 8
    for name in ("train", "validate", "test"):  # the last round's spikes are kept: decide by hand
        counts = results.counts("output", name)
        mine = (trials["phase"] == trials["phases"].index(name)) & (trials["round"] == 2)
        top = counts.max(axis=1, keepdims=True)
        right = (counts.argmax(axis=1) == trials["label"][mine]) & ((counts == top).sum(axis=1) == 1)
        assert readout["rounds"][name]["accuracy_ties_wrong"][2] == right.mean()
    assert readout["accuracy"] == readout["rounds"]["test"]["accuracy_ties_wrong"][2]
    assert results.spikes("output")[0].min() >= 0.4  # of 0.6 s
    assert results.summary["populations"]["output"]["spikes"] > len(results.spikes("output")[0])
    everything = brainsim.run(
        DIGITS + "record: {spikes: [output]}\n", set={"run.backend": "numpy"}, out=tmp_path / "all"
    )
    assert everything.summary["populations"]["output"]["spikes"] == len(everything.spikes("output")[0])
    assert everything.summary["readout"] == readout


def test_rounds_are_passes_with_tests_between(tmp_path):
    """Weights after three rounds are those of three passes: orders are drawn by the number of the pass."""
    once = {"run.backend": "numpy", "hidden1.neuron.p_drop": 0, "hidden2.neuron.p_drop": 0}
    text = DIGITS.replace("  validate: {data: validation, set: " + FROZEN + "}\n", "")
    text = text.replace("  test: {data: test, set: " + FROZEN + "}\n", "")
    three = brainsim.run(text, set=once, out=tmp_path / "rounds")
    passes = brainsim.run(text, set=once | {"run.rounds": 1, "phases.train.passes": 3}, out=tmp_path / "passes")
    np.testing.assert_array_equal(three.weights("w1").after["w"], passes.weights("w1").after["w"])
    np.testing.assert_array_equal(three.trials["sample"], passes.trials["sample"])


def test_best_and_chosen_round():
    curve = [{"validate": {"accuracy_ties_wrong": v}, "test": {"accuracy_ties_wrong": t}}
             for v, t in ((0.3, 0.5), (0.6, 0.4), (0.6, 0.7))]  # fmt: skip
    for one in curve:
        for numbers in one.values():
            numbers |= {"accuracy_argmax": 0.0, "n_silent": 0, "n_tied": 0}
    found = rounds.summary(prepare(DIGITS).plan, curve)
    assert (found["best"]["round"], found["best"]["accuracy_ties_wrong"]) == (2, 0.7)
    assert (found["chosen"]["round"], found["chosen"]["accuracy_ties_wrong"]) == (1, 0.4)  # the first of equals
    assert "last 10" not in found
    found = rounds.summary(prepare(DIGITS).plan, curve[:1] + 5 * curve[1:])  # the last ten are five of each
    assert found["last 10"]["accuracy_ties_wrong"] == pytest.approx((0.4 + 0.7) / 2)


def test_values_may_depend_on_the_round():
    text = DIGITS.replace(
        "train: {data: train, shuffle: true}",
        "train: {data: train, set: {w1.plasticity.eta: eta*exp(-0.5*round), w2.plasticity.eta: 2e-5}}",
    )
    train = prepare(text).plan.phases[0]
    for number in range(3):
        changes = {owner: constant.value.value for owner, constant in train.changes(number)}
        assert changes["w1"] == pytest.approx(1e-3 * np.exp(-0.5 * number)) and changes["w2"] == 2e-5
    for wrong, words in (("1/round", "round"), ("eta*rounds", "rounds"), ("eta*round*ms", "eta")):
        with pytest.raises(FitError, match=words):
            prepare(text.replace("eta*exp(-0.5*round)", wrong))


def test_validation_samples_follow_those_of_the_training():
    plan = prepare(DIGITS).plan
    from brainsim import datasets

    samples = datasets.load("mnist", plan.data.splits)
    full = datasets.load("mnist", {"train": 6})
    assert samples.splits["validation"] == slice(4, 6) and samples.splits["test"] == slice(6, 8)
    np.testing.assert_array_equal(samples.images[4:6], full.images[4:6])
    trials = phases.schedule(plan, samples)
    assert set(trials.order[trials.phase == 1]) == set(range(4, 6))
    held = datasets.load("mnist", plan.data.splits, test_from="train")
    np.testing.assert_array_equal(held.images[6:], datasets.load("mnist", {"train": 8}).images[6:])


def test_a_checkpoint_that_is_damaged_or_of_another_experiment_is_refused(tmp_path):
    values = {"run.backend": "numpy"}
    brainsim.run(DIGITS, set=values, out=tmp_path / "part", progress=Stop(1))
    file = tmp_path / "part" / "checkpoint.h5"
    with pytest.raises(RunError, match="not of this experiment"):
        brainsim.run(DIGITS, set=values | {"eta": 2e-3}, out=tmp_path / "part", resume=True)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match="cannot be read"):
        brainsim.run(tmp_path / "part", resume=True)
    file.write_bytes(whole)
    with h5py.File(file, "r+") as found:  # a bit of the weights
        data = found["state/network/w1/w/0"]
        offset = data.id.get_chunk_info(0).byte_offset if data.chunks else data.id.get_offset()
    wrong = bytearray(whole)
    wrong[offset + 100] ^= 1
    file.write_bytes(wrong)
    with pytest.raises(RunError, match="cannot be read"):
        brainsim.run(tmp_path / "part", resume=True)
    file.write_bytes(whole)
    with h5py.File(file, "r+") as found:
        del found["state"]
        found["state"] = h5py.ExternalLink("/etc/hostname", "/")
    with pytest.raises(RunError, match="a link, which is refused"):
        brainsim.run(tmp_path / "part", resume=True)
    file.unlink()
    with pytest.raises(RunError, match="holds no checkpoint"):
        brainsim.run(tmp_path / "part", resume=True)


def test_what_a_checkpoint_holds_comes_back(tmp_path):
    state = {"a": (np.arange(3, dtype=np.float32), 3), "b": {"none": None, "list": [b"\x00\xff", "word", True, 2.5]},
             "empty": np.zeros((0, 2), np.int32), "scalar": np.float64(7)}  # fmt: skip
    checkpoint.write(tmp_path, checkpoint.Checkpoint("m", "numpy", ".", 2, 1.5, [], {"p": 3}, [{}], {}, state))
    found = checkpoint.read(tmp_path)
    assert (found.rounds, found.totals) == (2, {"p": 3})
    assert found.state["b"] == state["b"] and found.state["a"][1] == 3 and found.state["scalar"] == 7
    assert found.state["a"][0].dtype == np.float32 and found.state["empty"].shape == (0, 2)


@pytest.mark.slow
def test_a_killed_command_goes_on(tmp_path, brainsim_command, root):
    (tmp_path / "rounds_digits.yaml").write_text(DIGITS.replace("rounds: 3", "rounds: 60"))
    command = [sys.executable, "-m", "brainsim", "run", "rounds_digits.yaml", "--backend", "numpy", "--out", "part"]
    child = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)})
    file = tmp_path / "part" / "checkpoint.h5"
    until = time.monotonic() + 60
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    found = brainsim_command("run", "part", "--resume", timeout=300)
    assert found.returncode == 0, found.stderr
    summary = json.loads((tmp_path / "part" / "summary.json").read_text())
    assert summary["status"] == "complete" and summary["rounds"] == {"planned": 60, "done": 60}
    again = brainsim_command("run", "part", "--resume")
    assert again.returncode == 1 and "is complete" in again.stderr


def test_the_printed_script_goes_through_all_rounds(tmp_path):
    text = DIGITS.replace("shuffle: true", "shuffle: true, set: {w1.plasticity.eta: 1e-3*exp(-0.5*round)}")
    text = text.replace("  validate: {data: validation, set: " + FROZEN + "}\n", "").replace("rounds: 3", "rounds: 2")
    results = brainsim.run(text, set={"run.backend": "numpy"}, out=tmp_path / "run")
    found = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path / "run", capture_output=True, text=True, check=True
    )
    assert f": {results.summary['populations']['output']['spikes']} spikes" in found.stdout


def test_a_sweep_goes_on_where_its_points_were_stopped(tmp_path):
    values = {"run.backend": "numpy"}
    found = brainsim.sweep(DIGITS, {"run.seed": [1]}, values, tmp_path / "sweep", jobs=1)
    point = found.point_folder(1)
    kept = brainsim.open(point)
    row = found.rows[0]
    readout = kept.summary["readout"]
    assert row["accuracy_ties_wrong[best]"] == readout["best"]["accuracy_ties_wrong"] and row["rounds"] == 3
    assert row["round[chosen]"] == readout["chosen"]["round"] + 1
    (tmp_path / "aside").mkdir()
    point.rename(tmp_path / "aside" / "1")
    brainsim.run(DIGITS, set={**values, "run.seed": 1}, out=point, progress=Stop(2))
    again = brainsim.sweep(tmp_path / "sweep", jobs=1)
    assert again.complete and not list(point.parent.glob("*attempt*"))
    same(brainsim.open(tmp_path / "aside" / "1"), brainsim.open(point))
    assert len(brainsim.open(point).provenance["resumed"]) == 1
