"""What is recorded comes back, whatever happens to the process, the disk or the file."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from brainsim.errors import RunError, SetupError
from brainsim.record import Reader, Recorder, listed, merge, recover, write_atomically
from brainsim.record.merging import merged_spikes

PACKAGE = str(Path(__file__).parents[1])


def in_child(code: str, *arguments: object, **options) -> subprocess.Popen:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": PACKAGE}, text=True, **options)


def fill(recorder: Recorder, segments: int = 3) -> None:
    for k in range(segments):
        recorder.spikes("a.exc", [k + 0.2, k + 0.1, k + 0.2], [5, 1, 2])
        recorder.spikes("a.silent", [], [])
        recorder.state("a.exc", "v", "volt", [k + 0.0, k + 0.5], np.array([[1.0, 2], [3, 4]]) + 10 * k, [0, 7])
        recorder.flush()
    recorder.weights("a_to_b", "a.exc", "b", [0, 1, 1], [0, 0, 1], {"w": (np.zeros(3), np.array([1.0, 2, 3]))})


def test_the_file_has_the_layout_of_sonata(tmp_path):
    recorder = Recorder(tmp_path)
    fill(recorder)
    recorder.state("a_to_b", "w", "1", [0.0, 0.1, 0.2], np.arange(6.0).reshape(3, 2), ([0, 1], [3, 4]))
    assert recorder.finish() == tmp_path / "results.h5"
    with h5py.File(tmp_path / "results.h5") as file:
        spikes = file["spikes/a.exc"]
        assert spikes["timestamps"].dtype == np.float64 and spikes["node_ids"].dtype == np.uint64
        assert spikes["timestamps"].attrs["units"] == "ms"
        assert spikes["timestamps"][:3].tolist() == [100, 200, 200] and spikes["node_ids"][:3].tolist() == [1, 2, 5]
        assert h5py.check_enum_dtype(spikes.attrs.get_id("sorting").dtype)["by_time"] == spikes.attrs["sorting"]
        assert file["spikes/a.silent/timestamps"].shape == (0,)
        report = file["report/a.exc.v"]
        assert report["data"].attrs["units"] == "volt" and report["data"].shape == (6, 2)
        assert report["mapping/time"].attrs["units"] == "ms" and report["mapping/time"][:].tolist() == [0, 3000, 500]
        assert report["mapping/node_ids"][:].tolist() == [0, 7]
        assert report["mapping/index_pointers"][:].tolist() == [0, 1, 2]
        assert file["report/a_to_b.w/mapping/source_ids"][:].tolist() == [0, 1]
        edges = file["edges/a_to_b"]
        assert edges["source_node_id"].attrs["node_population"] == "a.exc"
        assert edges["target_node_id"].attrs["node_population"] == "b"
        assert edges["0/w"][:].tolist() == [1, 2, 3] and edges["0/w_before"][:].tolist() == [0, 0, 0]
        assert edges["edge_group_index"][:].tolist() == [0, 1, 2] and not edges["edge_type_id"][:].any()
        assert file.attrs["magic"] == 0x0A7A
    assert not (tmp_path / "segments").exists()


def test_large_arrays_are_compressed_in_chunks(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.spikes("a", np.arange(200_000) * 1e-4, np.zeros(200_000, int))
    recorder.state("a", "v", "volt", np.arange(500) * 1e-3, np.zeros((500, 300)), np.arange(300))
    recorder.finish()
    for name in ("spikes/a/timestamps", "report/a.v/data"):
        with h5py.File(tmp_path / "results.h5") as file:
            dataset = file[name]
            assert dataset.compression == "gzip" and dataset.shuffle and dataset.chunks
            assert dataset.id.get_storage_size() < dataset.nbytes / 2


def test_segments_read_like_the_whole(tmp_path):
    recorder = Recorder(tmp_path)
    fill(recorder)
    recorder.table("trials", {"phase": [0, 0]}, {"phase.names": ["train"]})
    recorder.flush()
    assert len(listed(tmp_path)) == 4

    def everything():
        reader = Reader(tmp_path)
        report, edges = reader.report("a.exc", "v"), reader.edges("a_to_b")
        return [*reader.spikes("a.exc"), report.times_ms, report.values, edges.source, edges.values["w"]]

    before = everything()
    recorder.finish()
    for one, other in zip(before, everything(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert Reader(tmp_path).names("spikes") == ["a.exc", "a.silent"]


@pytest.mark.parametrize("size", [4, 100, 10**6])
def test_spikes_of_overlapping_segments_are_merged_in_bounded_pieces(tmp_path, size):
    rng = np.random.default_rng(3)
    recorder, all_times, all_cells = Recorder(tmp_path), [], []
    for k in range(7):
        n = int(rng.integers(0, 400))
        # Coarse times give many ties; every third segment lies within the others.
        times, cells = rng.integers(0, 50, n) * 0.5 + (k % 3) * 10, rng.integers(0, 30, n)
        recorder.spikes("a", times, cells)
        recorder.flush()
        all_times.append(times), all_cells.append(cells)
    times, cells = np.concatenate(all_times), np.concatenate(all_cells)
    order = np.lexsort((cells, times))
    pieces = list(merged_spikes(listed(tmp_path), "a", size))
    np.testing.assert_array_equal(np.concatenate([p[0] for p in pieces]), times[order] * 1000)
    np.testing.assert_array_equal(np.concatenate([p[1] for p in pieces]), cells[order])
    assert max(len(p[0]) for p in pieces) <= max(size, 4) * 7


def test_a_segment_is_written_when_enough_has_gathered(tmp_path):
    recorder = Recorder(tmp_path, limit=1600)
    recorder.spikes("a", np.arange(1000) * 1e-3, np.arange(1000))
    assert len(listed(tmp_path)) == 10
    recorder.finish()
    _, cells = Reader(tmp_path).spikes("a")
    np.testing.assert_array_equal(cells, np.arange(1000))
    assert recorder.totals == {"a": 1000}


def test_tables_before_and_after_the_end(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.spikes("a", [0.1], [3])
    recorder.table("trials", {"sample": np.arange(3), "phase": [0, 0, 1]}, {"phase.names": ["train", "test"]})
    recorder.finish()
    recorder.table("readout", {"assigned": [1, -1]}, {"ties": "wrong"})
    recorder.table("readout/test", {"counts": np.eye(2, dtype=np.int32)})
    recorder.finish()
    reader = Reader(tmp_path)
    columns, attrs = reader.table("trials")
    assert columns["sample"].tolist() == [0, 1, 2] and list(attrs["phase.names"]) == ["train", "test"]
    assert reader.table("readout")[0]["assigned"].tolist() == [1, -1] and reader.table("readout")[1]["ties"] == "wrong"
    assert reader.table("readout/test")[0]["counts"].tolist() == [[1, 0], [0, 1]]
    assert reader.spikes("a")[1].tolist() == [3]
    assert reader.table("nothing") == ({}, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["results.h5"]
    with pytest.raises(RunError):
        recorder.spikes("a", [1.0], [1])


def test_irregular_samples_keep_their_times(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.state("a", "v", "volt", [0.0, 0.1, 0.5], np.zeros((3, 1)), [0])
    recorder.finish()
    np.testing.assert_allclose(Reader(tmp_path).report("a", "v").times_ms, [0, 100, 500])


@pytest.mark.parametrize("call", [
    lambda r: r.spikes("a", [1.0, 2.0], [1]),
    lambda r: r.state("a", "v", "volt", [1.0], np.zeros((2, 2)), [0, 1]),
    lambda r: r.weights("p", "a", "b", [0, 1], [0], {"w": (None, np.zeros(2))}),
])  # fmt: skip
def test_shapes_that_do_not_fit_are_refused(tmp_path, call):
    with pytest.raises(ValueError, match=r"expected|fit|values for"):
        call(Recorder(tmp_path))


WRITER = """
    import sys, numpy as np
    from brainsim.record import Recorder
    recorder = Recorder(sys.argv[1])
    print("ready", flush=True)
    for k in range(100_000):
        recorder.spikes("a", k + np.arange(1000) * 1e-3, np.arange(1000))
        recorder.state("a", "v", "volt", [float(k)], np.full((1, 2000), k), np.arange(2000))
        recorder.flush()
"""


@pytest.mark.parametrize("seed", range(8))
def test_what_the_manifest_lists_survives_sigkill(tmp_path, seed):
    child = in_child(WRITER, tmp_path, stdout=subprocess.PIPE)
    assert child.stdout.readline() == "ready\n"
    time.sleep(random.Random(seed).uniform(0.05, 0.5))
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    # A half-written file and a whole one that was never listed are no part of the run.
    (tmp_path / "segments" / "part-900000.h5.tmp").write_bytes(b"half")
    (tmp_path / "segments" / "part-900000.h5").write_bytes(b"unlisted")
    count = len(listed(tmp_path))
    if not count:  # killed before the first segment was listed: nothing is claimed
        return
    times, _ = Reader(tmp_path).spikes("a")
    assert len(times) == 1000 * count
    recover(tmp_path)
    after = Reader(tmp_path)
    np.testing.assert_array_equal(after.spikes("a")[0], times)
    np.testing.assert_allclose(times, np.concatenate([k * 1000 + np.arange(1000) for k in range(count)]))
    assert after.report("a", "v").values[:, 0].tolist() == list(range(count))


def test_enough_is_written_for_the_test_above_to_mean_something(tmp_path):
    child = in_child(WRITER, tmp_path, stdout=subprocess.PIPE)
    child.stdout.readline()
    time.sleep(1.0)
    child.kill()
    child.wait()
    child.stdout.close()
    assert len(listed(tmp_path)) > 3


def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path):
    # RLIMIT_FSIZE makes real writes fail in the middle of a file, as a full disk does.
    code = """
        import os, resource, signal, sys, numpy as np
        from brainsim.errors import SetupError
        from brainsim.record import Recorder
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        recorder = Recorder(sys.argv[1])
        recorder.spikes("a", [0.5], [1]); recorder.flush()
        recorder.spikes("a", 1 + np.arange(100_000) * 1e-4, np.arange(100_000))
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        for attempt in range(2):
            try: recorder.flush()
            except SetupError as error:
                print(len(error.problems), "part-000001.h5" in str(error), "Make room" in str(error))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(os.listdir(sys.argv[1] + "/segments"))
        recorder.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
        try: recorder.finish()
        except SetupError as error: print("results.h5" in str(error))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        recorder.finish()
    """
    child = in_child(code, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    lines = out.splitlines()
    assert lines[:2] == ["1 True True"] * 2 and lines[3] == "True"
    assert "part-000000.h5" in lines[2] and "manifest.json" in lines[2] and "part-000001" not in lines[2]
    assert len(Reader(tmp_path).spikes("a")[0]) == 100_001


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError) as caught:
        Recorder(tmp_path / "file" / "run")
    assert len(caught.value.problems) == 1
    with pytest.raises(SetupError):
        write_atomically(tmp_path / "nowhere" / "x.json", "{}")


def test_a_damaged_segment_is_named(tmp_path):
    recorder = Recorder(tmp_path)
    fill(recorder)
    victim = tmp_path / "segments" / "part-000001.h5"
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    with pytest.raises(RunError, match=r"part-000001\.h5"):
        recover(tmp_path)
    assert victim.exists() and not (tmp_path / "results.h5").exists()


@pytest.mark.parametrize("name", ["../../secret.h5", "/etc/passwd", "part-1.h5.tmp"])
def test_a_manifest_cannot_point_elsewhere(tmp_path, name):
    (tmp_path / "segments").mkdir()
    entry = {"file": name, "size": 1, "sha256": "0" * 64}
    (tmp_path / "segments" / "manifest.json").write_text(json.dumps({"segments": [entry]}))
    with pytest.raises(RunError):
        listed(tmp_path, verify=False)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"segments": [1]}', '{"segments": [{"file": "part-000000.h5"}]}'])
def test_a_broken_manifest_is_an_error_of_ours(tmp_path, text):
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "manifest.json").write_text(text)
    with pytest.raises(RunError, match="manifest"):
        listed(tmp_path)


def test_there_may_be_nothing_to_recover(tmp_path):
    with pytest.raises(RunError, match="neither"):
        recover(tmp_path)


class TestForeignFiles:
    """A results file from elsewhere is read within bounds."""

    def reader(self, folder: Path, write, budget: int = 10**6) -> Reader:
        with h5py.File(folder / "results.h5", "w") as file:
            write(file)
        return Reader(folder, budget=budget)

    def spikes(self, file: h5py.File, times, **options) -> None:
        file.create_dataset("spikes/a/timestamps", data=times, **options)
        file.create_dataset("spikes/a/node_ids", data=np.zeros(np.shape(times), np.uint64))

    def test_a_bomb_is_refused_before_it_is_read(self, tmp_path):
        def write(file):
            file.create_dataset("spikes/a/timestamps", (10**12,), "f8", chunks=(1000,), compression="gzip")
            file.create_dataset("spikes/a/node_ids", (10**12,), "u8", chunks=(1000,), compression="gzip")

        with pytest.raises(RunError, match="allowed at once"):
            self.reader(tmp_path, write).spikes("a")

    def test_a_large_chunk_is_refused_even_for_one_number(self, tmp_path):
        def write(file):
            self.spikes(file, np.zeros(1), maxshape=(None,), chunks=(10**8,))

        with pytest.raises(RunError, match="allowed at once"):
            list(self.reader(tmp_path, write).spike_pieces("a"))

    @pytest.mark.parametrize("link", [h5py.SoftLink("/elsewhere"), h5py.ExternalLink("other.h5", "/spikes/a")])
    def test_links_are_refused(self, tmp_path, link):
        with h5py.File(tmp_path / "other.h5", "w") as other:
            self.spikes(other, np.zeros(1))

        def write(file):
            self.spikes(file.create_group("elsewhere"), np.zeros(1))
            file.create_group("spikes")["a"] = link

        with pytest.raises(RunError, match="is a link"):
            self.reader(tmp_path, write).spikes("a")

    def test_storage_outside_the_file_is_refused(self, tmp_path):
        (tmp_path / "raw").write_bytes(bytes(80))

        def write(file):
            file.create_dataset("spikes/a/timestamps", (10,), "f8", external=[(str(tmp_path / "raw"), 0, 80)])
            file.create_dataset("spikes/a/node_ids", (10,), "u8")

        with pytest.raises(RunError, match="plain array"):
            self.reader(tmp_path, write).spikes("a")

    def test_text_where_numbers_belong_is_refused(self, tmp_path):
        def write(file):
            self.spikes(file, ["x", "y"])

        with pytest.raises(RunError, match="plain array"):
            self.reader(tmp_path, write).spikes("a")

    def test_no_hdf5_at_all(self, tmp_path):
        (tmp_path / "results.h5").write_bytes(b"hello" * 100)
        with pytest.raises(RunError, match="no HDF5"):
            Reader(tmp_path).spikes("a")

    def test_a_truncated_file(self, tmp_path):
        recorder = Recorder(tmp_path)
        fill(recorder)
        path = recorder.finish()
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(RunError):
            Reader(tmp_path).spikes("a.exc")

    def test_an_unknown_path_gets_the_nearest(self, tmp_path):
        recorder = Recorder(tmp_path)
        fill(recorder)
        recorder.finish()
        with pytest.raises(RunError, match=r"Did you mean a\.exc"):
            Reader(tmp_path).spikes("a.ex")
        with pytest.raises(RunError, match="no weights"):
            Reader(tmp_path).edges("b")


def test_memory_of_a_merge_is_bounded(tmp_path):
    code = """
        import resource, sys, numpy as np
        from brainsim.record import Recorder
        recorder = Recorder(sys.argv[1])
        for k in range(30):
            recorder.spikes("a", k + np.arange(300_000) * 1e-6, np.arange(300_000))
            recorder.flush()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        recorder.finish()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    child = in_child(code, tmp_path, stdout=subprocess.PIPE)
    grown = int(child.communicate(timeout=120)[0])
    # 30 segments of 4.8 MB; all at once, with sorting, would take some 400 MB.
    assert grown < 120_000


def test_ctrl_c_waits_for_the_file(tmp_path):
    code = """
        import os, signal, sys
        from brainsim.record.disk import new_hdf5
        from pathlib import Path
        try:
            with new_hdf5(Path(sys.argv[1]) / "x.h5") as file:
                os.kill(os.getpid(), signal.SIGINT)
                file["a"] = 1
        except KeyboardInterrupt:
            print("stopped", (Path(sys.argv[1]) / "x.h5").exists())
    """
    child = in_child(code, tmp_path, stdout=subprocess.PIPE)
    assert child.communicate(timeout=60)[0] == "stopped True\n"


def test_merge_without_segments_gives_an_empty_file(tmp_path):
    assert merge(tmp_path).is_file() and Reader(tmp_path).names("spikes") == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
