"""From an experiment to a run folder and back."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from experiments import ECHO, PAIR

import brainsim
from brainsim import backends, datasets, source
from brainsim.errors import FileError, FitError, RunError, SetupError
from brainsim.runs.folder import RunFolder, model_yaml
from brainsim.runs.prepare import find


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestFolder:
    def test_results_are_never_written_over(self, tmp_path):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.txt").write_text("years of work")
        with pytest.raises(FitError) as caught:
            RunFolder("x", tmp_path / "mine")
        assert caught.value.problems[0].kind == "path" and "not empty" in str(caught.value)
        assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]

    def test_an_empty_folder_may_be_used(self, tmp_path):
        (tmp_path / "new").mkdir()
        assert RunFolder("x", tmp_path / "new").path == tmp_path / "new"
        assert RunFolder("x", tmp_path / "deep" / "er").path.is_dir()

    @pytest.mark.parametrize("out", ["file", "file/below"])
    def test_a_file_in_the_way(self, tmp_path, out):
        (tmp_path / "file").write_text("")
        with pytest.raises(FitError) as caught:
            RunFolder("x", tmp_path / out)
        assert caught.value.problems[0].kind == "path"

    def test_runs_in_the_same_second_get_their_own(self):
        paths = [RunFolder("x").path for _ in range(4)]
        assert len(set(paths)) == 4 and all(path.parent.name == "runs" for path in paths)

    def test_a_file_called_runs(self, tmp_path):
        (tmp_path / "runs").write_text("")
        with pytest.raises(FitError, match="runs is a file"):
            RunFolder("x")

    def test_json_has_no_numbers_that_are_none(self, tmp_path):
        folder = RunFolder("x", tmp_path / "r")
        folder.write_json("a.json", {"x": float("nan"), "y": np.float64(2), "z": np.arange(2), "p": Path("q")})
        assert json.loads((tmp_path / "r" / "a.json").read_text()) == {"x": None, "y": 2.0, "z": [0, 1], "p": "q"}

    @pytest.mark.parametrize("text", [
        "no", "yes", "on", "1e-3", "010", "0x1F", "0o17", "null", "~", "true", "True", ".nan", "1_000", "2 ms", "a: b",
        "- x", "# x", "x # y", " lead", "trail ", "", "'", '"', "\t", "a\nb", "a\n b\n", "\n", "x  \ny", "12:30:00",
        "2001-01-01", "=", "<<", "&a", "*a", "!t", "%d", "@x", "`x", "{", "[", "é", "1.5", ".5", "+3",
        "dv/dt = -v/tau : 1\n",
    ])  # fmt: skip
    def test_model_yaml_says_the_same(self, text):
        content = {"experiment": "x", "values": [text, {"k": text}], "number": 1e-05, "flag": True, "none": None}
        assert source.parse(model_yaml(content, "x"))[0].data == content

    def test_model_yaml_keeps_the_order_and_says_how_to_rerun(self):
        same = {"b": 1}
        text = model_yaml({"z": 1, "a": same, "m": same}, "demo")
        assert text.startswith("# demo") and "brainsim run model.yaml" in text.splitlines()[1]
        assert "&" not in text and text.index("z:") < text.index("a:") < text.index("m:")


class TestFind:
    def test_path_name_text_and_run_folder(self, tmp_path):
        (tmp_path / "pair.yaml").write_text(PAIR)
        tree, library, path = find("pair.yaml")
        assert path == Path("pair.yaml") and tree.data["experiment"] == "pair"
        assert library.part("neuron", "cell").data["neuron"] == "cell"
        assert find(PAIR)[2] is None and find(PAIR)[0].data == tree.data
        assert find("pair", [tmp_path])[0].data == tree.data
        (tmp_path / "model.yaml").write_text(PAIR.split("---")[0])
        assert find(tmp_path)[0].data["experiment"] == "pair"

    def test_unknown_names_get_the_nearest(self, tmp_path):
        (tmp_path / "pair.yaml").write_text(PAIR)
        with pytest.raises(FileError, match="Did you mean pair"):
            find("pari", [tmp_path])
        with pytest.raises(FileError, match="there is no file"):
            find("nowhere/pair.yaml")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    (folder / "pair.yaml").write_text(PAIR)
    return brainsim.run(folder / "pair.yaml", set={"run.dt": "0.2 ms"}, out=folder / "run")


class TestRun:
    def test_the_folder_holds_everything(self, pair):
        names = {path.name for path in pair.folder.iterdir()}
        assert names == {"model.yaml", "script.py", "results.h5", "summary.json", "provenance.json", "run.log"}
        assert pair.status == "complete"
        log = (pair.folder / "run.log").read_text().splitlines()
        assert "run of pair begins" in log[0] and "run ends: complete" in log[-1]

    def test_results(self, pair):
        times, cells = pair.spikes("a")
        assert len(times) > 10 and set(cells) == {0, 1, 2} and (np.diff(times) >= 0).all()
        steps = times / 2e-4
        np.testing.assert_array_equal(times, np.rint(steps) * 2e-4)  # the very numbers of the clock
        assert pair.spike_paths == ["a", "b", "silent"] and len(pair.spikes("silent")[0]) == 0
        at, v = pair.state("b", "v")
        assert v.shape == (100, 2) and at[:3].tolist() == [0.0, 0.001, 0.002] and pair.state_unit("b", "v") == "1"
        assert pair.trials == {} and pair.readout == {}
        with pytest.raises(KeyError, match="Did you mean"):
            pair.spikes("slient")
        with pytest.raises(KeyError, match="of projections that learn"):
            pair.weights("ab")
        with pytest.raises(RunError, match="no trials"):
            pair.counts("a")

    def test_summary(self, pair):
        summary = pair.summary
        assert (summary["experiment"], summary["seed"], summary["backend"]) == ("pair", 3, "numpy")
        assert summary["model_time_s"] == pytest.approx(0.1) and summary["dt_s"] == pytest.approx(2e-4)
        entry = summary["populations"]["a"]
        assert entry["size"] == 3 and entry["spikes"] == len(pair.spikes("a")[0])
        assert entry["rate_hz"] == pytest.approx(entry["spikes"] / 3 / 0.1)
        assert summary["populations"]["silent"]["spikes"] == 0
        assert {"load_s", "build_s", "compile_s", "run_s", "save_s", "total_s"} <= set(summary["times"])

    def test_provenance(self, pair):
        found = pair.provenance
        assert found["file"] == "pair.yaml" and found["set"] == {"run.dt": "0.2 ms"}
        assert found["backend"]["name"] == "numpy" and "numpy" in found["backend"]["reason"]
        assert "a.v" in found["seeds"]["streams"] and found["times"]["cpu_s"]["total"] > 0
        assert found["times"]["wall_s"]["total"] >= found["times"]["wall_s"]["run"] > 0
        text = (pair.folder / "provenance.json").read_text()
        assert str(Path.home()) + "/" not in text and str(pair.folder.parent) not in text

    def test_the_resolved_model_gives_the_same_again(self, pair, tmp_path):
        again = brainsim.run(pair.folder / "model.yaml", out=tmp_path / "again")
        for path in pair.spike_paths:
            for one, other in zip(pair.spikes(path), again.spikes(path), strict=True):
                np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(pair.state("b", "v")[1], again.state("b", "v")[1])
        assert again.provenance["config_sha256"] == pair.provenance["config_sha256"]

    def test_auto_is_pinned(self, pair):
        assert source.read(pair.folder / "model.yaml", any_name=True)[0].data["run"]["backend"] == "numpy"

    def test_another_seed_is_another_run(self, pair, tmp_path):
        other = brainsim.run(PAIR, seed=4, set={"run.dt": "0.2 ms"}, out=tmp_path / "other")
        assert other.summary["seed"] == 4 and other.spikes("a")[0].tolist() != pair.spikes("a")[0].tolist()
        assert other.provenance["file"] is None

    def test_progress_is_told(self, tmp_path):
        seen = []
        brainsim.run(PAIR, out=tmp_path / "p", progress=lambda now, total, rates: seen.append((now, total)))
        assert seen and seen[-1] == (pytest.approx(0.1), pytest.approx(0.1))

    @pytest.mark.parametrize(("change", "kind"), [
        ({"run.sede": 3}, None), ({"run.duration": "-1 s"}, None), ({"run.backend": "gpu"}, None),
    ])  # fmt: skip
    def test_a_wrong_model_leaves_no_folder(self, tmp_path, change, kind):
        with pytest.raises((FileError, FitError)):
            brainsim.run(PAIR, set=change, out=tmp_path / "none")
        assert not (tmp_path / "none").exists()

    def test_data_that_is_missing_leaves_no_folder(self, tmp_path, monkeypatch):
        monkeypatch.delenv("BRAINSIM_DATA", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        with pytest.raises(SetupError, match="not on this machine"):
            brainsim.run(ECHO, set={"data.name": "fashion_mnist"}, out=tmp_path / "none")
        assert not (tmp_path / "none").exists()


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    return brainsim.run(ECHO, out=tmp_path_factory.mktemp("echo") / "run")


class TestTrials:
    def test_every_spike_is_in_its_trial(self, echo):
        trials = echo.trials
        assert trials["phases"] == ["train", "label", "test"]
        assert np.bincount(trials["phase"]).tolist() == [120, 40, 30]
        expected = 30 * np.eye(10, dtype=int)[trials["label"]]  # 30 steps a trial, one cell
        np.testing.assert_array_equal(echo.counts("out"), expected)
        np.testing.assert_array_equal(echo.counts("out", "test"), expected[160:])
        np.testing.assert_allclose(trials["start"], np.arange(190) * 0.003)
        with pytest.raises(FitError, match="Did you mean label"):
            echo.counts("out", "labl")

    def test_labels_are_those_of_the_samples_shown(self, echo):
        data = np.load(echo.folder / "samples.npz")
        np.testing.assert_array_equal(data["order"], echo.trials["sample"])
        np.testing.assert_array_equal(data["labels"][data["order"]], echo.trials["label"])
        assert data["images"].dtype == np.uint8 and len(data["images"]) == 90

    def test_a_population_that_knows_is_read_out_rightly(self, echo):
        readout = echo.summary["readout"]
        assert readout["accuracy_ties_wrong"] == readout["accuracy_argmax"] == 1.0
        assert (readout["n_test"], readout["n_silent"], readout["phase"]) == (30, 0, "test")
        assert np.trace(readout["confusion"]) == 30
        assert echo.readout["assigned"].tolist() == list(range(10))
        assert readout["learning_curve"] and readout["learning_curve"][-1][1] == 1.0

    def test_provenance_names_the_data(self, echo):
        data = echo.provenance["data"]
        assert data["name"] == "mnist" and data["splits"] == {"train": 60, "label": 40, "validation": 0, "test": 30}
        assert all(len(digest) == 64 for digest in data["sha256"].values()) and "CC BY-SA" in data["licence"]
        assert {"phases.train.0", "phases.train.1"} <= set(echo.provenance["seeds"]["streams"])

    def test_the_resolved_model_gives_the_same_again(self, echo, tmp_path):
        again = brainsim.run(echo.folder, out=tmp_path / "again")
        np.testing.assert_array_equal(again.spikes("out")[0], echo.spikes("out")[0])
        assert again.summary["readout"] == echo.summary["readout"]


@dataclass
class Outcome:
    completed: bool = True
    stopped_at: float = 0.0
    backend: str = "numpy"
    build_seconds: float = 0.0
    compile_seconds: float = 0.0
    run_seconds: float = 0.0
    notes: tuple = ()


class TestWhenItGoesWrong:
    def run(self, monkeypatch, folder, act, text=ECHO):
        def fake(plan, backend, samples, order, recorder, progress, place, **more):
            recorder.spikes(plan.watches[0].path, [0.001, 0.002], [0, 1])
            return act(recorder)

        monkeypatch.setattr(backends, "run", fake)
        return brainsim.run(text, out=folder / "run")

    def test_an_unknown_failure_is_one_sentence_and_the_log_has_the_rest(self, monkeypatch, tmp_path):
        def act(recorder):
            raise ZeroDivisionError("something deep inside\nwith details")

        with pytest.raises(RunError) as caught:
            self.run(monkeypatch, tmp_path, act)
        assert len(caught.value.problems) == 1 and "something deep inside" in str(caught.value)
        assert "Traceback" not in str(caught.value) and "run.log" in str(caught.value)
        assert "Traceback" in (tmp_path / "run" / "run.log").read_text()
        left = brainsim.open(tmp_path / "run")
        assert left.status == "failed" and "something deep" in left.summary["problems"][0]
        assert left.spikes("out")[1].tolist() == [0, 1]  # what was recorded is kept
        assert (tmp_path / "run" / "model.yaml").is_file()

    def test_our_own_errors_pass(self, monkeypatch, tmp_path):
        def act(recorder):
            raise SetupError([])

        with pytest.raises(SetupError):
            self.run(monkeypatch, tmp_path, act)
        assert brainsim.open(tmp_path / "run").status == "failed"

    def test_ctrl_c_keeps_what_there_is(self, monkeypatch, tmp_path):
        def act(recorder):
            raise KeyboardInterrupt

        results = self.run(monkeypatch, tmp_path, act)
        assert results.status == "stopped" and results.spikes("out")[1].tolist() == [0, 1]
        assert "run ends: stopped" in (results.folder / "run.log").read_text()

    def test_a_backend_that_stopped_has_the_trials_that_ended(self, monkeypatch, tmp_path):
        # 120 training trials of 3 ms; the label phase is cut short, so that there is no accuracy.
        results = self.run(monkeypatch, tmp_path, lambda recorder: Outcome(False, 0.4))
        assert results.status == "stopped" and results.summary["model_time_s"] == pytest.approx(0.4)
        assert len(results.trials["phase"]) == 133
        assert "accuracy_argmax" not in results.summary["readout"] and results.summary["readout"]["learning_curve"]

    def test_a_disk_that_fails_at_the_end_leaves_the_segments(self, monkeypatch, tmp_path):
        from brainsim.record import merging

        def no_space(*_):
            raise SetupError([])

        def act(recorder):
            recorder.flush()
            monkeypatch.setattr(merging, "merge", no_space)
            return Outcome(stopped_at=0.57)

        with pytest.raises(SetupError):
            self.run(monkeypatch, tmp_path, act)
        left = brainsim.open(tmp_path / "run")
        assert left.status == "failed" and left.spikes("out")[1].tolist() == [0, 1]

    def test_a_run_that_was_killed_can_be_opened(self, tmp_path):
        from brainsim.record import Recorder

        recorder = Recorder(tmp_path / "run")
        recorder.spikes("a", [0.5], [3])
        recorder.flush()
        left = brainsim.open(tmp_path / "run")
        assert left.status == "running" and left.spikes("a")[1].tolist() == [3] and left.summary == {}

    def test_what_is_no_run_folder(self, tmp_path):
        with pytest.raises(FitError, match="holds no run"):
            brainsim.open(tmp_path)
        with pytest.raises(FitError, match="is no folder"):
            brainsim.open(tmp_path / "nowhere")
        (tmp_path / "summary.json").write_text("[" * 10)
        with pytest.raises(RunError, match=r"summary\.json"):
            _ = brainsim.open(tmp_path).summary


class TestSavedWeights:
    """``initial: {w: {from: RUN}}`` goes on where an earlier run ended."""

    TEXT = PAIR.replace("initial: {w: 0.2 + 0.1*rand()}", "initial: {w: {from: first}}")

    def kept(self, folder: Path, source_ids=(0, 0, 1, 1, 2, 2)):
        from brainsim.record import Recorder

        recorder = Recorder(folder / "first")
        after = np.arange(6) / 100
        recorder.weights("a_to_b", "a", "b", source_ids, [0, 1] * 3, {"w": (np.zeros(6), after)})
        recorder.finish()
        return after

    def test_values_of_the_same_synapses(self, tmp_path):
        from brainsim.runs.prepare import prepare
        from brainsim.runs.weights import saved_values

        after = self.kept(tmp_path)
        found = saved_values(prepare(self.TEXT).plan, tmp_path)
        np.testing.assert_array_equal(found["a_to_b", "w"], after)

    def test_other_synapses_are_refused(self, tmp_path):
        self.kept(tmp_path, source_ids=(0, 1, 2, 0, 1, 2))
        with pytest.raises(FitError, match="not those of this run"):
            brainsim.run(self.TEXT, out=tmp_path / "run")

    def test_a_run_that_is_not_there(self, tmp_path):
        with pytest.raises(FitError, match="is no folder"):
            brainsim.run(self.TEXT, out=tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_check_takes_parts_and_experiments(tmp_path):
    assert brainsim.check(PAIR) == []
    docs = PAIR.split("---\n")
    assert brainsim.check(docs[1]) == [] and brainsim.check(docs[2]) == []
    with pytest.raises(FitError, match="in an experiment only"):
        brainsim.check(docs[2], set={"x": 1})
    with pytest.raises((FileError, FitError)):
        brainsim.check(PAIR.replace("tau: 10 ms", "tau: 10 mV"))


def test_a_readout_of_cells_that_have_their_class_needs_no_labelling_phase(tmp_path):
    """Ten cells, of which cell 3 alone fires: every 3 among the test samples is right, and nothing else."""
    text = """
experiment: taught
region:
  region: taught
  populations:
    cell:
      neuron: {neuron: third, inputs: {pixel: 1}, equations: "v : 1", threshold: i == 3 and rand() < 0.5}
      size: 10
data: {name: mnist, test: 20}
trial: {duration: 10 ms, inputs: {image: cell.pixel}}
phases: {test: {data: test}}
readout: {name: spike_count, population: cell}
run: {dt: 1 ms, backend: numpy}
record: {spikes: [cell]}
"""
    summary = brainsim.run(text, out=tmp_path / "run").summary["readout"]
    labels = datasets.load("mnist", {"test": 20}).labels
    assert summary["accuracy_ties_wrong"] == np.mean(labels == 3) > 0
    assert summary["cells_of_class"] == [1] * 10
