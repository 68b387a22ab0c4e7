"""Spike trains that are played: the times come out as they went in, on the nearest steps, and reach other cells."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

import brainsim
from brainsim.errors import BrainsimError

PARTS = ["neuron recorded"]

RUN = """
experiment: replay
region:
  region: replay
  populations:
    drive: {neuron: recorded, size: 4}
    count: {neuron: {neuron: counter, equations: "n : 1"}, size: 4}
  projections:
    wire: {from: drive, to: count, synapse: {synapse: plus_one, on_pre: n_post += 1}, connect: one_to_one, delay: 1 ms}
stimuli:
  trains: {to: drive.spike, STIMULUS}
run: {duration: 20 ms, dt: 0.1 ms, backend: numpy}
record: {spikes: [drive], state: {count: {variables: [n]}}}
"""
TIMES = "times: {0: [0 ms, 5 ms, 5.1 ms], 2: [19.9 ms, 7.04 ms, 7 ms, 20 ms], 3: [0.006 s]}"
STEPS = {0: [0, 50, 51], 1: [], 2: [70, 199], 3: [60]}  # round(t/dt), once each, within the run


def replay(stimulus: str) -> str:
    return RUN.replace("STIMULUS", stimulus)


def steps(results) -> dict[int, list[int]]:
    times, cells = results.spikes("drive")
    return {cell: np.rint(times[cells == cell] / 1e-4).astype(int).tolist() for cell in range(4)}


def test_trains_come_out_as_they_went_in_and_are_sent_on(simulate):
    results = simulate(replay(TIMES))
    assert steps(results) == STEPS
    times, n = results.state("count", "n")  # recorded at the start of a step; a spike is counted 1 ms after it
    for cell, fired in STEPS.items():
        by_hand = [sum(k + 10 < step for k in fired) for step in range(len(times))]
        assert n[:, cell].tolist() == by_hand
    said = "\n".join(results.summary["notes"])
    assert "1 of 8 spikes come after the end of the run" in said and "1 of 8 spikes share a time step" in said
    assert "sets a threshold but" not in said


def test_a_file_says_the_same_as_times_in_place(simulate, tmp_path, monkeypatch):
    rows = "time [ms],cell\n5,0\n0,0\n5.1,0\n19.9,2\n7.04,2\n7,2\n20,2\n6,3\n"
    (tmp_path / "trains.csv").write_text(rows)
    with h5py.File(tmp_path / "trains.h5", "w") as file:
        for name, shift in (("other", 1.0), ("drive", 0.0)):
            group = file.create_group(f"spikes/{name}")
            group["timestamps"] = np.array([5, 0, 5.1, 19.9, 7.04, 7, 20, 6]) + shift
            group["timestamps"].attrs["units"] = "milliseconds"
            group["node_ids"] = np.array([0, 0, 0, 2, 2, 2, 2, 3], np.uint64)
    monkeypatch.chdir(tmp_path)
    assert steps(simulate(replay("file: trains.csv"))) == STEPS
    assert steps(simulate(replay("file: trains.h5, population: drive"))) == STEPS
    (tmp_path / "seconds.csv").write_text("cell,time (s)\n3,0.006\n")
    assert steps(simulate(replay("file: seconds.csv"))) == {0: [], 1: [], 2: [], 3: [60]}


def test_a_run_can_be_played_back(tmp_path, monkeypatch):
    noisy = "experiment: noisy\nregion: {region: noisy, populations: {drive: {neuron: {name: poisson, parameters: "
    noisy += "{rate: 400 Hz}}, size: 4}}}\nrun: {duration: 20 ms, backend: numpy}\nrecord: {spikes: [drive]}\n"
    first = brainsim.run(noisy, out=tmp_path / "noisy")
    monkeypatch.chdir(tmp_path)
    again = brainsim.run(replay("file: noisy/results.h5"), out=tmp_path / "again")
    assert len(first.spikes("drive")[0]) > 15
    for a, b in zip(first.spikes("drive"), again.spikes("drive"), strict=True):
        np.testing.assert_array_equal(a, b)


def test_every_backend_and_the_script_play_the_same(simulate, tmp_path):
    """A thousand spikes of forty cells, so that the table lies beside the script, and a cell that starts again."""
    rng = np.random.default_rng(0)
    times = {cell: np.sort(rng.choice(2000, 25, replace=False)) for cell in range(40)}
    listed = ", ".join(f"{cell}: [{', '.join(f'{0.1 * k:.1f} ms' for k in train)}]" for cell, train in times.items())
    text = replay(f"times: {{{listed}}}").replace("size: 4", "size: 40").replace("20 ms, dt", "200 ms, dt")
    results = simulate(text)
    fired, cells = results.spikes("drive")
    assert {c: np.rint(fired[cells == c] / 1e-4).astype(int).tolist() for c in range(40)} == {
        c: train.tolist() for c, train in times.items()
    }
    native = simulate(text, backend="native")
    for a, b in zip(results.spikes("drive"), native.spikes("drive"), strict=True):
        np.testing.assert_array_equal(a, b)
    script = results.folder / "script.py"
    check = f"import runpy, numpy as np\nfound = runpy.run_path({str(script)!r})['network']['spikes_drive']\n"
    check += f"np.savez({str(tmp_path / 'script.npz')!r}, t=np.rint(found.t / 1e-4 / found.t.dim ** 0), i=found.i)\n"
    check = check.replace(" / found.t.dim ** 0", "").replace("found.t / 1e-4", "np.asarray(found.t) / 1e-4")
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, cwd=results.folder)
    saved = np.load(tmp_path / "script.npz")
    order = np.lexsort((saved["i"], saved["t"]))
    np.testing.assert_array_equal(saved["t"][order], np.rint(fired / 1e-4))
    np.testing.assert_array_equal(saved["i"][order], cells)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["cython", "cpp_standalone"])
def test_the_other_backends_play_the_same(simulate, backend):
    assert steps(simulate(replay(TIMES), backend=backend)) == STEPS


@pytest.mark.parametrize(
    ("stimulus", "kind", "message", "hint"),
    [
        ("times: {4: [1 ms]}", "value", "no cell 4 in drive, which has 4", "0 to 3"),
        ("times: {0: [1 mV]}", "unit", "expects a time", "20 ms"),
        ("times: {0: [-1 ms]}", "value", "must not be negative", ""),
        ("times: {x: [1 ms]}", "value", "no cell x", "0 to 3"),
        ("times: {0: [1 ms]}, constant: 1", "key", "times and constant", "Keep times"),
        ("constant: 0, population: a", "key", "population belongs to a file", "Add file"),
        ("file: trans.csv", "path", "there is no file", "trains.csv"),
        ("file: ../trains.csv", "path", "leads out", "below the folder"),
        ("file: bad.csv", "key", "has no a column time", "time [ms],cell"),
        ("file: volts.csv", "unit", "no unit of time", "time [ms],cell"),
        ("file: far.csv", "value", "cell must be a whole number from 0 to 3", ""),
        ("file: early.csv", "value", "not before 0", ""),
        ("file: no.h5", "path", "there is no file", "two.h5"),
        ("file: two.h5", "key", "holds a, b", "population: NAME"),
        ("file: two.h5, population: c", "name", "no spikes of c", ""),
        ("file: two.h5, population: a", "value", "cells 0 to 7", "at least 8"),
        ("file: text.h5", "data", "no HDF5 file", ""),
    ],
)
def test_what_is_wrong_is_said_without_a_run(stimulus, kind, message, hint, tmp_path, monkeypatch):
    (tmp_path / "trains.csv").write_text("time [ms],cell\n1,0\n")
    (tmp_path / "bad.csv").write_text("t,cell\n1,0\n")
    (tmp_path / "volts.csv").write_text("time [mV],cell\n1,0\n")
    (tmp_path / "far.csv").write_text("time [ms],cell\n1,4\n")
    (tmp_path / "early.csv").write_text("time [ms],cell\n-1,0\n")
    (tmp_path / "text.h5").write_text("no")
    with h5py.File(tmp_path / "two.h5", "w") as file:
        for name in "ab":
            file[f"spikes/{name}/timestamps"] = [1.0, 2.0]
            file[f"spikes/{name}/node_ids"] = [0, 7]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BrainsimError) as caught:
        brainsim.check(replay(stimulus))
    found = caught.value.problems
    assert [p.kind for p in found] == [kind] and message in found[0].message and hint in found[0].hint
    assert found[0].mark is not None
