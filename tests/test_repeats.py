"""A sample is shown again while a condition holds: which, how often, what the results and the readout make of it."""

import subprocess
import sys

import numpy as np
import pytest

import brainsim
from brainsim import backends
from brainsim.errors import BrainsimError, SetupError
from brainsim.runs import phases
from brainsim.runs.phases import Schedule

needs_compiler = pytest.mark.skipif(bool(backends.available()["native"]), reason="needs a C++ compiler")

#: A cell without a leak that fires x*(1 + repeats) times in a trial of 25 steps, and one that counts.
RUN = """
experiment: again
region:
  region: again
  populations:
    pace:
      neuron:
        neuron: paced
        inputs: {x: 1}
        equations: |
          n_fire = x*(1 + repeats) : 1
          v : 1
        threshold: v > 0.98
        reset: v -= 1
        every:
          - {each: trial_start, code: v = 0}
          - {each: dt, when: groups, code: v += n_fire/25}
      size: 2
    counter: {neuron: counter, size: 1}
  projections:
    count: {from: pace, to: counter, synapse: count, connect: all}
data: {file: own.npz, train: 3, test: 2}
trial: {duration: 25 ms, inputs: {values: pace.x}, repeat_while: counter.n < 5, limit: 3}
phases: {train: {data: train, passes: 2, shuffle: true}, test: {data: test, fresh: [cells]}}
readout: {name: spike_count, population: pace}
run: {dt: 1 ms, backend: numpy}
"""
#: Spikes a showing of each cell: five in all come with showing 3, 1, 5 (too late), 2, 2.
VALUES = np.array([[1, 1], [6, 1], [0, 1], [3, 0], [1, 2]], float)
LABELS = np.array([0, 0, 1, 0, 1])
SHOWINGS = [3, 1, 4, 2, 2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with ``own.npz``."""
    np.savez(tmp_path / "own.npz", values=VALUES, labels=LABELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ordered(results) -> list[int]:
    """Samples in the order in which they came, each once."""
    return results.trials["sample"][results.trials["repeat"] == 0].tolist()


@pytest.mark.parametrize("backend", ["numpy", pytest.param("native", marks=[pytest.mark.compiled, needs_compiler])])
def test_each_sample_is_shown_until_there_are_five_spikes_or_the_limit_is_reached(folder, backend):
    results = brainsim.run(RUN, out=folder / "run", backend=backend)
    trials, samples = results.trials, ordered(results)
    assert sorted(samples[:3]) == sorted(samples[3:6]) == [0, 1, 2]
    assert samples[6:] == [3, 4]
    assert trials["sample"].tolist() == [s for s in samples for _ in range(SHOWINGS[s])]
    assert trials["repeat"].tolist() == [k for s in samples for k in range(SHOWINGS[s])]
    assert trials["label"].tolist() == LABELS[trials["sample"]].tolist()
    assert np.bincount(trials["phase"]).tolist() == [16, 4]
    np.testing.assert_allclose(trials["start"], 0.025 * np.arange(20), atol=1e-12)
    # Also the cells know how often: each showing has more spikes than the one before.
    expected = VALUES[trials["sample"]] * (1 + trials["repeat"][:, None])
    np.testing.assert_array_equal(results.counts("pace"), expected)
    assert results.summary["model_time_s"] == pytest.approx(0.5)
    assert "6 samples were shown again, 2 as often as allowed" in (folder / "run/run.log").read_text()
    # The readout takes the last showing.
    found = brainsim.open(folder / "run")._reader.table("readout/test")[0]
    assert found["counts"].tolist() == [[6, 0], [2, 4]]
    assert results.summary["readout"]["n_test"] == 2
    assert results.summary["readout"]["accuracy"] == 1


def test_the_printed_script_shows_the_same(folder):
    results = brainsim.run(RUN, out=folder / "run")
    told = subprocess.run(
        [sys.executable, "script.py"], cwd=folder / "run", capture_output=True, text=True, check=True, timeout=120
    ).stdout
    assert f"spikes_pace: {len(results.spikes('pace')[0])} spikes" in told


def test_without_repeats_cells_read_zero_and_nothing_else_changes(folder):
    text = RUN.replace(", repeat_while: counter.n < 5, limit: 3", "")
    results = brainsim.run(text, out=folder / "run")
    assert "repeat" not in results.trials
    np.testing.assert_array_equal(results.counts("pace"), VALUES[results.trials["sample"]])


@pytest.mark.parametrize(
    ("condition", "variables"),
    [
        ("counter.few", "few = n < 5 : boolean"),
        ("counter.n < counter.n_few", ""),
        ("not (counter.n*mV >= counter.v_few)", "v_few = 5*mV : volt"),
    ],
)
def test_the_condition_may_read_what_the_cell_works_out(folder, condition, variables):
    cell = f"""{{neuron: counts, extends: counter, parameters: {{n_few: 5}}, equations: "{variables or "k : 1"}"}}"""
    text = RUN.replace("neuron: counter,", f"neuron: {cell},").replace("counter.n < 5", condition)
    assert len(brainsim.run(text, out=folder / "run").trials["start"]) == 20


def test_a_condition_that_never_ends_stops_at_the_limit(folder):
    results = brainsim.run(RUN.replace("counter.n < 5", "counter.n >= 0 or repeats > 7"), out=folder / "run")
    assert results.trials["repeat"].tolist() == [0, 1, 2, 3] * 8


def test_a_session_shows_again_too(folder):
    with brainsim.Session(RUN.replace("passes: 2, shuffle: true", "passes: 1"), backend="numpy") as session:
        session.step(75)
        assert session.view("counter.n")[0] == 6  # the third showing of the first sample
        session.step(1)
        assert session.view("pace.x").tolist() == [6, 1]


def test_what_came_of_a_run_that_was_stopped():
    """Trials that were not reached follow, each once."""
    trials = Schedule(*np.array([[7, 8, 9], [0, 0, 1], [0, 0, 0]], np.int32))
    found = phases.showings(trials, np.array([[0], [0], [1]]))
    assert found.order.tolist() == [7, 7, 8, 9]
    assert found.phase.tolist() == [0, 0, 0, 1]
    assert found.repeat.tolist() == [0, 1, 0, 0]
    assert found.last.tolist() == [False, True, True, True]
    assert phases.showings(trials).last.tolist() == [True] * 3
    assert phases.showings(Schedule(*(column[:0] for column in trials))).last.tolist() == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("counter.n", "conter.n", "there is no population conter"),
        ("counter.n", "counter.m", "counter has no variable m"),
        ("counter.n", "pace.v", "pace has 2 cells"),
        ("counter.n < 5", "n < 5", "nothing is called n"),
        ("counter.n < 5", "counter.n < 5*mV", "volt"),
        ("counter.n < 5", "counter.n", "is a condition, but counter.n is a number"),
        ("counter.n < 5", "-5", "is a condition"),
        ("counter.n < 5", "counter.n <", "a value is missing"),
        ("limit: 3", "limit: 0", "limit"),
        ("passes: 2", "passes: 9000000", "more than 1e+08"),
        ("counter, size: 1", "counter, size: 0", "there is no population counter"),
    ],
)
def test_what_is_wrong_is_told(folder, old, new, said):
    text = RUN.replace(old, new)
    assert text != RUN
    with pytest.raises(BrainsimError, match=said.replace("+", r"\+")):
        brainsim.plan(text)


@pytest.mark.skipif(bool(backends.available()["cpp_standalone"]), reason="needs a C++ compiler")
def test_a_program_of_its_own_is_refused(folder):
    with pytest.raises(SetupError, match="shows no sample again"):
        brainsim.run(RUN, out=folder / "run", backend="cpp_standalone")
