"""Sweeps: points, workers, what fails, what is taken up again, one table."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

import brainsim
from brainsim import source
from brainsim.errors import FitError
from brainsim.runs import points
from brainsim.sweeps import table, work

CELLS = """
experiment: cells
region:
  region: cells
  parameters:
    n: 3                # cells
    n_2: 2*n            # follows n
  populations:
    cell: {neuron: {name: poisson, parameters: {rate: 100 Hz}}, size: n}
    more: {neuron: {name: poisson, parameters: {rate: 100 Hz}}, size: n_2}
run: {duration: 100 ms, dt: 1 ms, backend: numpy}
record: {spikes: [cell]}
"""
GRID = CELLS + "sweep: {run.seed: [1, 2, 3], cell.neuron.rate: [50 Hz, 200 Hz]}\n"


def expand(text: str, over=None) -> list[dict]:
    tree = source.parse(f"experiment: e\nsweep: {text}\n")[0]
    return [
        {path: given.value for path, given in point.items()} for point in points.points(tree.at(("sweep",)), over or {})
    ]


class TestPoints:
    def test_a_mapping_is_a_grid(self):
        assert expand("{a.b: [1, 2], c: [x, y]}") == [
            {"a.b": 1, "c": "x"}, {"a.b": 1, "c": "y"}, {"a.b": 2, "c": "x"}, {"a.b": 2, "c": "y"},
        ]  # fmt: skip

    def test_a_list_is_a_list_of_points(self):
        assert expand("[{a: 1, b: 10}, {a: 2, b: 20}]") == [{"a": 1, "b": 10}, {"a": 2, "b": 20}]

    def test_the_command_line_replaces_a_list_and_multiplies_with_the_rest(self):
        assert expand("{a: [1, 2], b: [7]}", {"a": ["5 ms", "3"]}) == [{"a": "5 ms", "b": 7}, {"a": 3, "b": 7}]
        assert expand("[{a: 1}, {a: 2}]", {"s": [1, 2]}) == [{"a": k, "s": s} for k in (1, 2) for s in (1, 2)]

    def test_equal_points_are_run_once(self):
        assert expand("{a: [1, 1, 2]}") == [{"a": 1}, {"a": 2}]
        assert expand("[{a: 1, b: 2}]", {"a": [3]}) == [{"b": 2, "a": 3}]

    @pytest.mark.parametrize(("text", "words"), [("{}", "nothing to sweep"), ("{a: []}", "no values for a")])
    def test_nothing_to_do_is_said(self, text, words):
        with pytest.raises(FitError, match=words):
            expand(text)

    def test_a_grid_that_explodes_is_refused(self):
        with pytest.raises(FitError, match=r"1,000,000 points; at most 100,000"):
            expand("{a: [1]}", {name: range(100) for name in "bcd"})


class TestCheck:
    def test_each_value_is_tried_and_every_problem_has_its_place(self):
        text = CELLS + "sweep: {cell.neuron.rate: [50 Hz, 5 mV], cell.neuron.rat: [1], n: [1, 2]}\n"
        with pytest.raises(FitError) as error:
            brainsim.check(text)
        problems = {(p.kind, p.mark.line, p.mark.column) for p in error.value.problems}
        assert ("unit", 13, 35) in problems
        assert {kind for kind, line, _ in problems} == {"unit", "path"}
        assert "Did you mean cell.neuron.rate?" in str(error.value)
        assert all(line == 13 for _, line, _ in problems)

    def test_a_sweep_that_fits_is_fine_and_a_single_run_leaves_it_aside(self, tmp_path):
        assert brainsim.check(GRID) == []
        results = brainsim.run(GRID, out=tmp_path / "one")
        assert results.summary["seed"] == 1
        assert "sweep" not in (tmp_path / "one" / "model.yaml").read_text()

    def test_wrong_shapes_are_told(self):
        with pytest.raises(brainsim.errors.FileError, match="list"):
            brainsim.check(CELLS + "sweep: {run.seed: 3}\n")

    def test_nothing_runs_if_one_value_does_not_fit(self, tmp_path):
        with pytest.raises(FitError):
            brainsim.sweep(CELLS, {"cell.neuron.rate": ["50 Hz", "fast"]}, out=tmp_path / "s")
        assert not (tmp_path / "s").exists()


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A grid of six points in two processes."""
    return brainsim.sweep(GRID, out=tmp_path_factory.mktemp("sweep") / "s", jobs=2)


class TestSweep:
    def test_all_points_ran_and_equal_single_runs(self, done, tmp_path):
        assert done.complete
        assert [row["status"] for row in done.rows] == ["complete"] * 6
        alone = brainsim.run(GRID, set={"run.seed": 2, "cell.neuron.rate": "200 Hz"}, out=tmp_path / "one")
        (row,) = (r for r in done.rows if (r["run.seed"], r["cell.neuron.rate"]) == (2, "200 Hz"))
        assert row["spikes[cell]"] == len(alone.spikes("cell")[0])
        np.testing.assert_array_equal(
            brainsim.open(done.point_folder(row["point"])).spikes("cell")[0], alone.spikes("cell")[0]
        )

    def test_the_table_is_tidy(self, done):
        with (done.folder / "table.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [int(row["point"]) for row in rows] == [1, 2, 3, 4, 5, 6]
        assert {row["cell.neuron.rate"] for row in rows} == {"50 Hz", "200 Hz"}
        with h5py.File(done.folder / "table.h5") as file:
            assert [float(row["spikes[cell]"]) for row in rows] == list(file["table/spikes[cell]"])
            assert file["table/cell.neuron.rate"].asstr()[0] == "50 Hz"

    def test_means_and_intervals_are_those_of_student(self, done):
        slow, fast = done.means
        assert (slow["cell.neuron.rate"], slow["n"]) == ("50 Hz", 3)
        counts = [row["spikes[cell]"] for row in done.rows if row["cell.neuron.rate"] == "50 Hz"]
        assert slow["spikes[cell]"] == pytest.approx(np.mean(counts))
        # t of two degrees of freedom at 97.5 %: 4.3027, from any table
        assert slow["spikes[cell].ci95"] == pytest.approx(4.3027 * np.std(counts, ddof=1) / math.sqrt(3), rel=1e-4)
        assert fast["spikes[cell]"] > 2 * slow["spikes[cell]"]

    def test_a_complete_sweep_has_nothing_left_to_do(self, done):
        ran = []
        again = brainsim.sweep(done.folder, engine=lambda jobs, do: iter(ran.extend(jobs) or ()))
        assert again.complete
        assert not ran

    def test_what_an_expression_follows_is_swept_with_it(self, tmp_path):
        found = brainsim.sweep(CELLS, {"n": [1, 4]}, out=tmp_path / "s", jobs=1)
        sizes = [brainsim.open(found.point_folder(k)).summary["populations"]["more"]["size"] for k in (1, 2)]
        assert sizes == [2, 8]


class TestFailure:
    TEXT = CELLS + "sweep: {run.backend: [numpy, numpy], run.seed: [1, 2]}\n"

    def test_failed_points_are_listed_kept_and_run_again(self, tmp_path, monkeypatch):
        from brainsim.runs import execute

        run = execute.run

        def fails(experiment, set=None, **options):
            if set["run.seed"] == 2:
                raise RuntimeError("no luck")
            return run(experiment, set=set, **options)

        monkeypatch.setattr(execute, "run", fails)
        found = brainsim.sweep(self.TEXT, out=tmp_path / "s", jobs=1)
        assert list(found.failed) == [2]
        assert found.failed[2][0] == "RuntimeError: no luck"
        assert [row["status"] for row in found.rows] == ["complete", "failed"]
        assert found.means[0]["n"] == 1
        assert "rate_hz[cell].ci95" not in found.means[0]
        monkeypatch.setattr(execute, "run", run)
        again = brainsim.sweep(tmp_path / "s", jobs=1)
        assert again.complete
        assert not again.failed
        assert (tmp_path / "s" / "points" / "2-attempt-1" / "summary.json").exists()

    def test_a_dead_process_takes_only_its_points_with_it(self, tmp_path):
        jobs = [work.Job(k, "", {}, (), tmp_path / str(k)) for k in range(1, 7)]
        ended = list(work.local(jobs, _dies_at_three, workers=2))
        assert sorted(ended) == [1, 2, 3, 4, 5, 6]
        states = [work.status(job.folder)["status"] for job in jobs]
        assert states[2] == "failed"
        assert "died" in work.status(jobs[2].folder)["problems"][0]
        assert states.count("complete") >= 4

    def test_a_changed_file_is_not_mixed_in(self, tmp_path):
        (tmp_path / "e.yaml").write_text(GRID.replace("experiment: cells", "experiment: e"))
        found = brainsim.sweep(tmp_path / "e.yaml", out=tmp_path / "s", engine=lambda jobs, do: iter(()))
        assert not found.complete
        (tmp_path / "e.yaml").write_text(GRID.replace("experiment: cells", "experiment: e").replace("n: 3", "n: 4"))
        with pytest.raises(FitError, match="changed since"):
            brainsim.sweep(tmp_path / "s")

    def test_folders_that_are_no_sweep(self, tmp_path, done):
        with pytest.raises(FitError, match="holds no sweep"):
            brainsim.Sweep(tmp_path)
        with pytest.raises(FitError, match="cannot change over"):
            brainsim.sweep(done.folder, {"run.seed": [1]})
        with pytest.raises(FitError, match="not empty"):
            brainsim.sweep(GRID, out=done.folder)


def _dies_at_three(job: work.Job) -> int:
    job.folder.mkdir()
    if job.number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    (job.folder / "summary.json").write_text(json.dumps({"status": "complete"}))
    return job.number


def test_means_leave_out_what_is_no_number():
    rows = [{"point": k, "run.seed": k, "status": "complete", "x": x} for k, x in ((1, 1.0), (2, 3.0))]
    (mean,) = table.means(rows, ["run.seed"])
    assert (mean["n"], mean["x"]) == (2, 2.0)
    assert mean["x.ci95"] == pytest.approx(12.706 * math.sqrt(2) / math.sqrt(2), rel=1e-4)


def brainsim_(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "brainsim", *arguments], capture_output=True, text=True, check=False, **options
    )


class TestCommand:
    def test_sweep_prints_means_and_where_the_tables_are(self, tmp_path):
        (tmp_path / "cells.yaml").write_text(GRID)
        ran = brainsim_("sweep", "cells.yaml", "--over", "n=2", "-j", "1", "--out", "s", cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr
        assert "50 Hz" in ran.stdout
        assert "table.csv" in ran.stdout
        assert "+-" in ran.stdout
        wrong = brainsim_("sweep", "cells.yaml", "--over", "n", cwd=tmp_path)
        assert wrong.returncode == 2
        assert "--over n is not PATH=A,B" in wrong.stderr

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
    def test_a_sweep_that_was_stopped_goes_on(self, tmp_path, how):
        (tmp_path / "cells.yaml").write_text(GRID)
        values = ["--set", "run.dt=0.1 ms", "--set", "run.duration=20 s", "--out", "s", "-j", "1"]
        command = [sys.executable, "-m", "brainsim", "sweep", "cells.yaml", "--over", "run.seed=1,2", *values]
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(600):
            if (tmp_path / "s" / "points" / "1" / "segments").exists():
                break
            time.sleep(0.1)
        process.send_signal(how)
        process.communicate()
        assert process.returncode in (130, -signal.SIGKILL)
        left = brainsim.Sweep(tmp_path / "s")
        assert not left.complete
        # Nobody waits for twenty seconds of model time a second time: the points are only counted.
        jobs = []
        brainsim.sweep(tmp_path / "s", engine=lambda work, do: iter(jobs.extend(work) or ()))
        assert [job.number for job in jobs] == [1, 2, 3, 4]
        assert (tmp_path / "s" / "points" / "1-attempt-1").exists()
