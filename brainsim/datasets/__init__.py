"""Data sets: labelled images, camera events, and files of one's own; checked and never downloaded.

>>> samples = load("mnist", {"train": 100, "label": 50, "test": 20})
>>> samples.images.shape, samples.splits["test"]
((120, 784), slice(100, 120, None))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from brainsim import encoders
from brainsim.datasets import arrays, idx, sources
from brainsim.datasets.sources import DATASETS
from brainsim.encoders import Spikes
from brainsim.errors import FitError, Problem, SetupError, suggest

__all__ = ["DATASETS", "Samples", "check", "load", "load_file"]
#: Splits an experiment may ask for -> the split of the data set its rows come from.
SPLITS = {"train": "train", "label": "train", "validation": "train", "test": "test"}


@dataclass(frozen=True)
class Samples:
    """Labelled samples, in the order of the data set: images, values or events, whichever it has."""

    name: str
    images: np.ndarray  # uint8 [rows, pixels], 0 is background; no pixels where samples are no images
    labels: np.ndarray  # int32 [rows]
    shape: tuple[int, int]  # height and width of an image
    splits: Mapping[str, slice]  # train | label | validation | test -> rows; label and train both start at row 0
    classes: int  # number of classes
    class_names: tuple[str, ...]
    checksums: Mapping[str, str]  # file the rows came from -> SHA-256
    licence: str
    cite: str = ""
    source: str = field(default="", compare=False)  # shipped | BRAINSIM_DATA | cache | file
    values: np.ndarray | None = None  # float64 [rows, features] or [rows, times, features]
    events: Spikes | None = None
    encoded: Mapping[str, Any] = field(default_factory=dict)  # what a run shows: table -> float64 or encoders.Trains


def load(name: str, splits: Mapping[str, int], test_from: str = "test") -> Samples:
    """The first ``splits[split]`` samples of each split of a data set.

    Parameters
    ----------
    name
        ``mnist``, ``fashion_mnist`` or ``nmnist_small``.
    splits
        Split (``train``, ``label``, ``validation``, ``test``) -> how many samples, from the first. ``label`` rows are
        training rows, ``validation`` rows the training rows after both.
    test_from
        ``train``: test rows are the training rows after those of the other splits, not the data set's test rows.

    Raises
    ------
    FitError
        No such data set or split, or more samples asked for than there are.
    SetupError
        The files are not on this machine, or are damaged.
    """
    wanted = _counts(splits)
    counts = _taken(wanted, test_from)
    known = sources.dataset(name)
    folder, source = sources.find(name, counts)
    if known.files:
        return _recordings(name, folder, _slices(splits, wanted["train"]), counts)
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    sums: dict[str, str] = {}
    for split, count in counts.items():
        if count:
            image, label = (sources.FILES[split, kind] for kind in ("image", "label"))
            pixels = idx.read(folder / image, 3, count, limit=count * known.shape[0] * known.shape[1])
            if pixels.shape[1:] != known.shape:
                raise SetupError(
                    Problem("data", f"{image} holds images of {pixels.shape[1:]} pixels, not {known.shape}")
                )
            images.append(pixels.reshape(count, -1))
            labels.append(idx.read(folder / label, 1, count))
            sums |= {f"{source.folder}/{file}": source.sums[file] for file in (image, label)}
    pixels_per_image = known.shape[0] * known.shape[1]
    label_array = np.concatenate([*labels, np.zeros(0, np.uint8)]).astype(np.int32)
    if label_array.size and label_array.max() >= len(known.classes):
        raise SetupError(
            Problem("data", f"{known.title} has a label {label_array.max()} but {len(known.classes)} classes")
        )
    return Samples(
        name=name,
        images=images[0] if len(images) == 1 else np.concatenate([*images, np.zeros((0, pixels_per_image), np.uint8)]),
        labels=label_array,
        shape=known.shape,
        splits=_slices(splits, wanted["train"]),
        classes=len(known.classes),
        class_names=known.classes,
        checksums=sums,
        licence=known.licence,
        cite=known.cite,
        source=_origin(folder),
    )


def _slices(splits: Mapping[str, int], train: int) -> dict[str, slice]:
    """Rows of each split: ``train`` training rows first, the last of them those of ``validation``, then the test."""
    count = {split: int(splits.get(split, 0)) for split in SPLITS}
    first = {"validation": train - count["validation"], "test": train}
    return {split: slice(first.get(split, 0), first.get(split, 0) + n) for split, n in count.items()}


def _recordings(name: str, folder: Path, splits: Mapping[str, slice], counts: Mapping[str, int]) -> Samples:
    """Recordings of an event camera: one file of arrays, training recordings first."""
    known = sources.dataset(name)
    file, rows = known.files[0], known.full.rows
    found = arrays.read(folder / file)
    take = np.r_[0 : counts["train"], rows["train"] : rows["train"] + counts["test"]]
    ends = found["offsets"]
    within = np.concatenate([np.zeros(0, np.int64), *(np.arange(ends[k], ends[k + 1]) for k in take)])
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(ends)[take])])
    x, y, p, t = (found[key][within] for key in ("x", "y", "p", "t_us"))
    return Samples(
        name=name,
        images=np.zeros((len(take), 0), np.uint8),
        labels=found["label"][take].astype(np.int32),
        shape=known.shape,
        splits=splits,
        classes=len(known.classes),
        class_names=known.classes,
        checksums={f"{known.full.folder}/{file}": known.full.sums[file]},
        licence=known.licence,
        cite=known.cite,
        source=_origin(folder),
        events=encoders.events(x, y, t * 1e-6, p, offsets, shape=known.shape),
    )


def load_file(path: Path, splits: Mapping[str, int], shown: str = "", test_from: str = "test") -> Samples:
    """Samples of one's own, from a CSV file or an npz file; ``shown`` is the name used in messages.

    CSV: a header; the column ``label``, if there is one, holds classes (numbers or words), every other column is a
    feature. npz, without pickled objects: ``values`` [rows, features] or [rows, times, features], or ``images`` (uint8
    [rows, height, width]), or the events ``times`` (s), ``cells`` and ``offsets`` [rows + 1]; and ``labels`` [rows].
    Training and label samples are the first rows, test samples the last; or, with ``test_from="train"``, those that
    follow the training samples.

    Raises
    ------
    FitError
        More samples asked for than there are, or rows that would be training and test samples at once.
    SetupError
        The file is not there, or is none of these.
    """
    counts, shown = _counts(splits), shown or path.name
    found = arrays.read(path, shown)
    labels, names = arrays.classes(found)
    rows = arrays.rows(found, shown)
    if counts["train"] + counts["test"] > rows:
        text = f"{shown} has {rows:,} samples; {counts['train']:,} first and {counts['test']:,} last ones overlap"
        raise FitError(Problem("data", text, hint="Lower data.train, data.label or data.test."))
    first = counts["train"] if test_from == "train" else rows - counts["test"]
    take = np.r_[0 : counts["train"], first : first + counts["test"]]
    images = found.get("images")
    values = found.get("values")
    events = None
    if "cells" in found:
        ends = np.asarray(found["offsets"], np.int64)
        within = np.concatenate([np.zeros(0, np.int64), *(np.arange(ends[k], ends[k + 1]) for k in take)])
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(ends)[take])])
        cells = found["cells"].astype(np.int32)
        events = Spikes(offsets, found["times"][within].astype(float), cells[within], int(cells.max(initial=-1)) + 1)
    return Samples(
        name=path.stem,
        images=np.zeros((len(take), 0), np.uint8) if images is None else images[take].reshape(len(take), -1),
        labels=labels[take],
        shape=(1, 0) if images is None else (images.shape[1], images.shape[2]),
        splits=_slices(splits, counts["train"]),
        classes=len(names),
        class_names=names,
        checksums={shown: sources.checksum(path)},
        licence="",
        source="file",
        values=None if values is None else values[take].astype(float),
        events=events,
    )


def check(name: str, splits: Mapping[str, int]) -> None:
    """Raise what :func:`load` would raise for wrong names, counts and missing files, without reading images."""
    sources.find(name, _counts(splits))


def _counts(splits: Mapping[str, int]) -> dict[str, int]:
    """Rows needed of each split of the data set itself."""
    counts = {"train": 0, "test": 0}
    held = int(splits.get("validation", 0))
    for split, count in splits.items():
        if split not in SPLITS:
            raise FitError(Problem("data", f"a data set has no split {split}", hint=suggest(split, SPLITS, "split")))
        if count < 0:
            raise FitError(Problem("value", f"data.{split} is {count}; a number of samples is not negative"))
        counts[SPLITS[split]] = max(counts[SPLITS[split]], int(count) if split != "validation" else 0)
    return counts | {"train": counts["train"] + held}


def _taken(wanted: Mapping[str, int], test_from: str) -> dict[str, int]:
    """Rows to be taken of each split of the data set."""
    return {"train": wanted["train"] + wanted["test"], "test": 0} if test_from == "train" else dict(wanted)


def _origin(folder: Path) -> str:
    if folder.parent == sources.HERE:
        return "shipped"
    return "cache" if folder.parent == sources.cache() else "BRAINSIM_DATA"
