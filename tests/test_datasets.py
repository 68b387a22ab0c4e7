"""Samples are the published ones, come from wherever they are, and damaged files are told apart."""

import gzip
import hashlib
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from brainsim import datasets
from brainsim.datasets import idx, sources
from brainsim.errors import FitError, SetupError

DATA = os.environ.get("BRAINSIM_DATA", "")
needs_data = pytest.mark.skipif(
    not (Path(DATA) / "mnist" / "train-images-idx3-ubyte.gz").is_file() if DATA else True,
    reason="BRAINSIM_DATA does not name a folder with the full MNIST",
)
ALL = {"train": 60_000, "label": 10_000, "test": 10_000}


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine without any data."""
    monkeypatch.delenv("BRAINSIM_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def small(monkeypatch, folder: Path, rows: int = 5, **changes: bytes) -> Path:
    """A data set of a few images under the name mnist, nothing of it shipped; returns its folder."""
    folder.mkdir(parents=True)
    sums = {}
    for (split, kind), name in sources.FILES.items():
        n = rows if split == "train" else rows - 2
        body = np.arange(n * (784 if kind == "image" else 1)) % 10
        head = struct.pack(">IIII", 2051, n, 28, 28) if kind == "image" else struct.pack(">II", 2049, n)
        (folder / name).write_bytes(gzip.compress(head + body.astype(np.uint8).tobytes()))
        sums[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    full = sources.Source("mnist", {"train": rows, "test": rows - 2}, sums)
    known = sources.DATASETS["mnist"]
    made = sources.Dataset(known.title, known.classes, known.shape, "", "", known.where, full)
    monkeypatch.setitem(sources.DATASETS, "mnist", made)
    return folder


def test_the_shipped_subset_needs_no_data(nowhere):
    samples = datasets.load("mnist", {"train": 2000, "label": 1000, "test": 500})
    assert samples.images.shape == (2500, 784) and samples.images.dtype == np.uint8
    assert samples.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]  # as everybody knows them
    assert samples.labels[2000:2005].tolist() == [7, 2, 1, 0, 4]
    assert samples.splits == {
        "train": slice(0, 2000),
        "label": slice(0, 1000),
        "validation": slice(2000, 2000),
        "test": slice(2000, 2500),
    }
    assert (samples.classes, samples.shape, samples.source) == (10, (28, 28), "shipped")
    assert set(samples.checksums) == {f"mnist_subset/{name}" for name in sources.FILES.values()}


def test_licence_and_attribution_lie_beside_the_subset():
    text = (sources.HERE / "mnist_subset" / "LICENSE.txt").read_text()
    assert "CC BY-SA 3.0" in text and "LeCun" in text and "Cortes" in text and "1998" in text
    size = sum(path.stat().st_size for path in (sources.HERE / "mnist_subset").iterdir())
    assert size < 600_000


def test_label_rows_may_outnumber_training_rows(nowhere):
    samples = datasets.load("mnist", {"train": 3, "label": 7, "test": 2})
    assert len(samples.images) == 9 and samples.splits["test"] == slice(7, 9) and samples.splits["label"] == slice(0, 7)


def test_fewer_rows_are_the_first_rows(nowhere):
    some, more = (datasets.load("mnist", {"train": n, "test": n}) for n in (10, 20))
    np.testing.assert_array_equal(some.images[:10], more.images[:10])
    np.testing.assert_array_equal(some.images[10:], more.images[20:30])


def test_a_validation_split_follows_the_training_rows(nowhere):
    held = datasets.load("mnist", {"train": 30, "label": 40, "test": 20}, test_from="train")
    more = datasets.load("mnist", {"train": 60, "test": 20})
    assert (held.splits["train"], held.splits["test"]) == (slice(0, 30), slice(40, 60))
    np.testing.assert_array_equal(held.images, more.images[:60])
    np.testing.assert_array_equal(held.labels, more.labels[:60])
    with pytest.raises(SetupError, match="do not suffice"):
        datasets.load("mnist", {"train": 1900, "test": 101}, test_from="train")
    with pytest.raises(FitError, match="has 60,000 training samples, but 60,001"):
        datasets.load("mnist", {"train": 60_000, "test": 1}, test_from="train")


@needs_data
def test_the_subset_is_the_first_rows_of_the_full_set():
    full, part = datasets.load("mnist", ALL), datasets.load("mnist", {"train": 2000, "test": 500})
    assert full.source == "BRAINSIM_DATA" and part.source == "shipped"
    for split, rows in {"train": 2000, "test": 500}.items():
        first, own = full.splits[split].start, part.splits[split]
        np.testing.assert_array_equal(full.images[first : first + rows], part.images[own])
        np.testing.assert_array_equal(full.labels[first : first + rows], part.labels[own])


@needs_data
def test_full_mnist_is_complete():
    sources._known.clear()
    samples = datasets.load("mnist", ALL)
    train, test = samples.labels[samples.splits["train"]], samples.labels[samples.splits["test"]]
    assert np.bincount(train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@needs_data
def test_fashion_mnist():
    samples = datasets.load("fashion_mnist", {"train": 60_000, "test": 10_000})
    assert np.bincount(samples.labels).tolist() == [7000] * 10 and samples.class_names[9] == "Ankle boot"


def test_what_is_not_there_is_told_with_the_way_to_get_it(nowhere):
    with pytest.raises(SetupError) as caught:
        datasets.load("fashion_mnist", {"train": 1})
    text = str(caught.value)
    assert all(name in text for name in sources.FILES.values())
    assert "BRAINSIM_DATA" in text and "brainsim/datasets/fashion_mnist" in text and "zalandoresearch" in text
    with pytest.raises(SetupError, match="do not suffice"):
        datasets.load("mnist", {"train": 2001})


def test_more_than_there_is(nowhere):
    with pytest.raises(FitError, match=r"60,000 training samples, but 60,001"):
        datasets.load("mnist", {"train": 10, "label": 60_001})
    with pytest.raises(FitError, match=r"10,000 test samples"):
        datasets.check("mnist", {"test": 10_001})


@pytest.mark.parametrize(("name", "splits", "hint"), [
    ("mnits", {"train": 1}, "Did you mean mnist"), ("mnist", {"tets": 1}, "Did you mean test"),
])  # fmt: skip
def test_unknown_names_get_the_nearest(name, splits, hint):
    with pytest.raises(FitError, match=hint):
        datasets.load(name, splits)


def test_negative_counts_are_refused():
    with pytest.raises(FitError, match="not negative"):
        datasets.load("mnist", {"train": -1})


def test_brainsim_data_comes_before_the_cache(monkeypatch, nowhere):
    folder = small(monkeypatch, nowhere / "data" / "mnist")
    with pytest.raises(SetupError, match="not on this machine"):
        datasets.load("mnist", {"train": 5})
    monkeypatch.setenv("BRAINSIM_DATA", str(nowhere / "data"))
    assert datasets.load("mnist", {"train": 5, "test": 3}).source == "BRAINSIM_DATA"
    monkeypatch.delenv("BRAINSIM_DATA")
    cache = nowhere / "cache" / "brainsim" / "datasets"
    cache.mkdir(parents=True)
    folder.rename(cache / "mnist")
    assert datasets.load("mnist", {"train": 5, "test": 3}).source == "cache"


def test_only_the_files_of_the_splits_asked_for_are_needed(monkeypatch, nowhere):
    folder = small(monkeypatch, nowhere / "data" / "mnist")
    monkeypatch.setenv("BRAINSIM_DATA", str(nowhere / "data"))
    (folder / sources.FILES["test", "image"]).unlink()
    assert len(datasets.load("mnist", {"train": 4}).images) == 4
    with pytest.raises(SetupError, match=r"t10k-images-idx3-ubyte\.gz is missing"):
        datasets.load("mnist", {"train": 4, "test": 1})


def test_a_file_that_is_not_the_published_one(monkeypatch, nowhere):
    folder = small(monkeypatch, nowhere / "data" / "mnist")
    monkeypatch.setenv("BRAINSIM_DATA", str(nowhere / "data"))
    datasets.load("mnist", {"train": 5})  # remembered as good
    victim = folder / sources.FILES["train", "label"]
    victim.write_bytes(victim.read_bytes() + b"x")
    with pytest.raises(SetupError, match="is not the published file"):
        datasets.load("mnist", {"train": 5})


def test_checksums_are_remembered_until_the_file_changes(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"one")
    calls = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *a: calls.append(1) or digest(*a))
    assert sources.checksum(path) == sources.checksum(path) == hashlib.sha256(b"one").hexdigest()
    assert len(calls) == 1
    path.write_bytes(b"three")
    assert sources.checksum(path) == hashlib.sha256(b"three").hexdigest()


def packed(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(content))
    return path


GOOD = struct.pack(">IIII", 2051, 2, 2, 2) + bytes(8)


def test_a_good_file(tmp_path):
    assert idx.read(packed(tmp_path, GOOD), 3).shape == (2, 2, 2)
    assert idx.read(packed(tmp_path, GOOD), 3, rows=1).shape == (1, 2, 2)


@pytest.mark.parametrize(("content", "why"), [
    (b"", "inside the header"),
    (GOOD[:3], "inside the header"),
    (GOOD[:10], "inside the header"),
    (b"\x00\x00\x08\x01" + GOOD[4:], "magic number is 2049, not 2051"),
    (b"\x00\x00\x0d\x03" + GOOD[4:], "magic number"),
    (b"\x01" + GOOD[1:], "magic number"),
    (GOOD[:-1], "7 bytes of data where its header says 8"),
    (GOOD + b"x", "goes on after"),
    (struct.pack(">IIII", 2051, 2**32 - 1, 2**32 - 1, 2**32 - 1), "more than the"),
])  # fmt: skip
def test_malformed_content(tmp_path, content, why):
    with pytest.raises(SetupError, match=why):
        idx.read(packed(tmp_path, content), 3)


def test_too_few_rows(tmp_path):
    with pytest.raises(SetupError, match="2 rows, fewer than the 3"):
        idx.read(packed(tmp_path, GOOD), 3, rows=3)


def test_malformed_gzip(tmp_path):
    path = packed(tmp_path, GOOD)
    whole = path.read_bytes()
    for content in (b"hello", whole[:-12], whole[:12] + b"\xff" * 8 + whole[20:]):
        path.write_bytes(content)
        with pytest.raises(SetupError, match="not a data file"):
            idx.read(path, 3)
    with pytest.raises(SetupError, match="does not exist"):
        idx.read(tmp_path / "none.gz", 3)


def test_a_bomb_costs_no_more_than_its_header_allows(tmp_path):
    bomb = packed(tmp_path, struct.pack(">IIII", 2051, 10, 10, 10) + bytes(200_000_000))
    assert bomb.stat().st_size < 300_000
    tracemalloc.start()
    with pytest.raises(SetupError, match="goes on after"):
        idx.read(bomb, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000
