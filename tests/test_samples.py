"""Samples on their way into a network: encoded, from files of one's own, and told when they do not fit."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import brainsim
from brainsim import datasets, encoders
from brainsim.errors import BrainsimError, FitError, SetupError
from brainsim.runs import samples
from brainsim.runs.prepare import prepare

DATA = os.environ.get("BRAINSIM_DATA", "")
needs_events = pytest.mark.skipif(
    not (DATA and (Path(DATA) / "nmnist_small" / "nmnist_1100.npz").is_file()),
    reason="BRAINSIM_DATA does not name a folder with nmnist_small",
)

RUN = """
experiment: shown
region:
  region: shown
  populations:
    retina: {neuron: recorded, size: 3}
    level: {neuron: {neuron: shows, inputs: {x: amp}, equations: "y = x : amp"}, size: 3}
    out: {neuron: {neuron: count, equations: "n : 1", threshold: n > 1.5, reset: n = 0}, size: 2}
  projections:
    wire:
      from: retina
      to: out
      synapse: {synapse: add, on_pre: n_post += 1}
      connect: all
data: {file: own.npz, train: 3, test: 2}
trial:
  duration: 50 ms
  inputs:
    values: INPUT
phases:
  train: {data: train, passes: 2, shuffle: true}
  test: {data: test, fresh: [cells]}
run: {dt: 0.5 ms, backend: numpy}
record: {spikes: [retina, out], state: {level: {variables: [x], every: 50 ms}}}
"""
LATENCY = "{to: retina.spike, encode: {name: latency, parameters: {t_max: 40 ms}}}"
VALUES = np.array([[1.0, 0.5, 0.0], [0.25, 0.0, 1.0], [0.5, 0.5, 0.5], [0.1, 0.9, 0.0], [0.0, 0.2, 0.3]])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with ``own.npz``: three training samples, then two for the test."""
    np.savez(tmp_path / "own.npz", values=VALUES, labels=np.array([0, 1, 0, 1, 0]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(entry: str, **changes: str) -> str:
    text = RUN.replace("INPUT", entry)
    if "level" not in entry:
        text = text.replace(", state: {level: {variables: [x], every: 50 ms}}", "")
        text = "\n".join(line for line in text.splitlines() if "    level:" not in line)
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def loaded(text: str):
    ready = prepare(text)
    return samples.load(ready.plan, ready.root)


def test_latencies_reach_the_network_on_numpy_native_and_in_the_script(folder):
    text = shown(LATENCY)
    results = brainsim.run(text, out=folder / "run")
    rows = results.trials["sample"]
    assert sorted(rows[:6]) == [0, 0, 1, 1, 2, 2] and rows[6:].tolist() == [3, 4]
    times, cells = results.spikes("retina")
    got = sorted((int(np.rint(t / 5e-4)), int(c)) for t, c in zip(times, cells, strict=True))
    first = 0.04 * (1 - VALUES)
    by_hand = [
        (100 * trial + int(np.rint(first[row, cell] / 5e-4)), cell)
        for trial, row in enumerate(rows)
        for cell in range(3)
        if VALUES[row, cell] > 0
    ]
    assert got == sorted(by_hand)
    native = brainsim.run(text, out=folder / "native", backend="native")
    for path in ("retina", "out"):
        for a, b in zip(results.spikes(path), native.spikes(path), strict=True):
            np.testing.assert_array_equal(a, b)
    assert len(results.spikes("out")[0]) > 5
    done = subprocess.run([sys.executable, "script.py"], cwd=results.folder, capture_output=True, text=True, check=True)
    assert f"spikes_retina: {len(times)} spikes" in done.stdout
    assert f"spikes_out: {len(results.spikes('out')[0])} spikes" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["cython", "cpp_standalone"])
def test_the_other_backends_show_the_same(backend, folder):
    text = shown(LATENCY)
    for a, b in zip(
        *(brainsim.run(text, out=folder / b, backend=b).spikes("out") for b in ("numpy", backend)), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    entry = "{to: level.x, encode: {name: constant_current, parameters: {I_max: 300 pA}}}"
    text = shown(entry).replace("neuron: recorded", "neuron: {name: recorded, parameters: {spike: 0}}")
    results = brainsim.run(text, out=folder / "levels", backend=backend)
    np.testing.assert_allclose(results.state("level", "x")[1], 3e-10 * VALUES[results.trials["sample"]], rtol=1e-12)


def test_currents_reach_a_cell_with_their_unit(folder):
    entry = "{to: level.x, encode: {name: constant_current, parameters: {I_max: 300 pA, I_min: 100 pA}}}"
    text = shown(entry).replace("neuron: recorded", "neuron: {name: recorded, parameters: {spike: 0}}")
    for backend in ("numpy", "native"):
        results = brainsim.run(text, out=folder / backend, backend=backend)
        _, x = results.state("level", "x")
        rows = results.trials["sample"]
        np.testing.assert_allclose(x, 1e-10 + 2e-10 * VALUES[rows], rtol=1e-12)  # at the first step of each trial


def test_one_encoder_after_another_is_the_code_of_bohte(folder):
    chain = "[{name: population, parameters: {m: 4}}, {name: latency, parameters: {t_max: 40 ms}}]"
    entry = f"{{to: retina.spike, encode: {chain}}}"
    found, _ = loaded(shown(entry).replace("size: 3", "size: 12"))
    by_hand = encoders.latency(encoders.population(VALUES, m=4), t_max=0.04).on_grid(5e-4, 100)
    assert found.encoded["values_from"] == by_hand


def test_a_parameter_can_be_set_from_outside(folder):
    made = prepare(shown(LATENCY), {"trial.inputs.values.encode.t_max": "20 ms"}).plan.tables[0]
    assert made.encode[0].parameters == (("t_max", 0.02),)


def test_the_spikes_of_a_sample_are_its_own(folder):
    """Random spikes of a sample stay the same when other samples are left out, and change with the seed."""
    text = shown("{to: retina.spike, encode: {name: poisson, parameters: {r_max: 200 Hz}}}")
    whole, part = (loaded(text.replace("train: 3, test: 2", f"train: {n}, test: 1"))[0] for n in (3, 1))
    other = loaded(text.replace("dt: 0.5 ms", "dt: 0.5 ms, seed: 2"))[0]
    keys = [found.encoded["values_from"] for found in (whole, part, other)]

    def steps(trains, sample):
        step, train = trains.keys[:-1] & (2**32 - 1), trains.keys[:-1] >> 32
        return [step[train == 3 * sample + cell].tolist() for cell in range(3)]

    assert steps(keys[0], 0) == steps(keys[1], 0) and steps(keys[0], 3) == steps(keys[1], 1)
    assert steps(keys[0], 0) != steps(keys[2], 0) and steps(keys[0], 0) != [[], [], []]


def test_late_spikes_are_told(folder):
    _, notes = loaded(shown(LATENCY.replace("40 ms", "80 ms")))
    assert notes == ["trial.inputs.values: 4 of 11 spikes come after the end of the trial and are left out."]


def test_events_of_ones_own(folder):
    np.savez("own.npz", times=[1e-3, 2e-3, 7e-3, 4e-3], cells=[0, 2, 2, 1], offsets=[0, 2, 3, 3, 3, 4])
    text = shown("x").replace("values: x", "events: retina.spike")
    results = brainsim.run(text.replace("passes: 2, shuffle: true", "passes: 1"), out=folder / "run")
    times, cells = results.spikes("retina")
    np.testing.assert_array_equal(np.rint(times / 5e-4), [2, 4, 114, 408])
    assert cells.tolist() == [0, 2, 2, 1]


def test_csv_with_words_for_classes(folder):
    Path("own.csv").write_text("a,label,b\n1,dog,2\n\n3,cat,4\n5,dog,6\n")
    found = datasets.load_file(Path("own.csv"), {"train": 1, "test": 2})
    np.testing.assert_array_equal(found.values, [[1, 2], [3, 4], [5, 6]])
    assert (found.labels.tolist(), found.class_names, found.classes) == ([1, 0, 1], ("cat", "dog"), 2)
    assert found.splits["test"] == slice(1, 3) and found.checksums.keys() == {"own.csv"}


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"values": np.zeros((5, 3)), "labels": np.zeros(4, int)}, "5 samples and 4 labels"),
        ({"values": np.zeros(5)}, r"values is float64 \(5,\)"),
        ({"values": np.array([[object()]])}, "Python objects"),
        ({"other": np.zeros(5)}, "it holds other"),
        ({"values": np.zeros((5, 3)), "images": np.zeros((5, 2, 2), np.uint8)}, "values and images"),
        ({"cells": np.zeros(3, int), "times": np.zeros(3)}, "no offsets"),
        ({"cells": np.zeros(3, int), "times": np.zeros(3), "offsets": np.array([0, 2])}, "must end with"),
        ({"values": np.zeros((5, 3)), "labels": np.full(5, -1)}, "labels go from -1"),
    ],
)
def test_files_that_are_no_samples(arrays, why, tmp_path):
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(SetupError, match=why):
        datasets.load_file(tmp_path / "own.npz", {"train": 1})


def test_damaged_files(tmp_path):
    for name, content in {"a.npz": b"no", "b.csv": b"a,b\n1\n", "c.csv": b"a,b\n1,x\n"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BrainsimError):
            datasets.load_file(tmp_path / name, {"train": 1})
    with pytest.raises(SetupError, match="there is no file"):
        datasets.load_file(tmp_path / "none.npz", {"train": 1})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: latency", "name: latencie", "latency"),
        ("t_max: 40 ms", "t_max: 40 mV", "t_max expects a time"),
        ("t_max: 40 ms", "t_mx: 40 ms", "latency has no parameter t_mx"),
        (", parameters: {t_max: 40 ms}", "", "latency needs t_max, a time"),
        ("to: retina.spike", "to: retina.spikes", "retina has no input spikes"),
        ("{name: latency, parameters: {t_max: 40 ms}}", "{name: rate, parameters: {r_max: 5 Hz}}",
         "makes of it is a rate"),
        ("{name: latency, parameters: {t_max: 40 ms}}", "[{name: poisson, parameters: {r_max: 5 Hz}}, population]",
         "no encoder can come after it"),
        ("values: {to", "events: {to", "events are spikes already"),
        ("file: own.npz", "file: ../own.npz", "leads out"),
        ("file: own.npz", "file: own.txt", "no file of samples"),
        ("file: own.npz", "file: own.npz, name: mnist", "a name and a file"),
        ("file: own.npz, ", "", "neither name nor file"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_by_check(old, new, message, folder):
    text = shown(LATENCY)
    assert old in text and brainsim.check(text) is not None
    with pytest.raises(BrainsimError) as caught:
        brainsim.check(text.replace(old, new))
    assert message in str(caught.value) and "Traceback" not in str(caught.value)
    assert all(problem.mark is not None for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size: 3", "size: 4", "retina has 4 cells, but values, then latency is 3 numbers a sample"),
        ("train: 3, test: 2", "train: 4, test: 2", "4 first and 2 last ones overlap"),
        ("values: {", "image: {", "own has no image to show"),
        (
            "{name: latency, parameters: {t_max: 40 ms}}",
            "{name: ternary, parameters: {theta: 1, every: 1 ms}}",
            "times",
        ),
        ("{name: latency, parameters: {t_max: 40 ms}}", "{name: phase, parameters: {slot: 7 ms}}", "takes 0.056 s"),
    ],
)
def test_what_does_not_fit_the_data_is_said_before_the_run(old, new, message, folder):
    with pytest.raises(FitError, match=message):
        loaded(shown(LATENCY).replace(old, new))


def test_values_from_zero_to_one_only(folder):
    np.savez("own.npz", values=2 * VALUES)
    with pytest.raises(FitError, match="values go from 0 to 1"):
        loaded(shown(LATENCY))


def test_a_readout_needs_labels(folder):
    np.savez("own.npz", values=VALUES)
    text = shown(LATENCY).replace("run: {", "readout: {name: class_sum, population: out, assign_from: train}\nrun: {")
    with pytest.raises(FitError, match="no labels"):
        loaded(text)


@needs_events
def test_recordings_of_an_event_camera():
    found = datasets.load("nmnist_small", {"train": 3, "test": 2})
    assert found.labels.tolist()[:3] == [5, 0, 4] and found.labels.tolist()[3:] == [7, 2]  # those of MNIST
    assert len(found.events) == 5 and found.events.size == 2 * 34 * 34 and found.events.times.max() < 0.34
    x, y, p = encoders.decode_events(found.events, shape=(34, 34))
    raw = np.load(Path(DATA) / "nmnist_small" / "nmnist_1100.npz")
    ends = raw["offsets"]
    for name, made in (("x", x), ("y", y), ("p", p)):
        np.testing.assert_array_equal(made[: ends[3]], raw[name][: ends[3]])
        np.testing.assert_array_equal(made[ends[3] :], raw[name][ends[1000] : ends[1002]])


def test_events_that_are_not_there(monkeypatch, tmp_path):
    monkeypatch.delenv("BRAINSIM_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(SetupError, match=r"(?s)N-MNIST, 1100 recordings is not on this machine.*nmnist_1100.npz"):
        datasets.load("nmnist_small", {"train": 1})
