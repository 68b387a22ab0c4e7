"""Data sets: labelled images, checked and never downloaded.

>>> samples = load("mnist", {"train": 100, "label": 50, "test": 20})
>>> samples.images.shape, samples.splits["test"]
((120, 784), slice(100, 120, None))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from brainsim.datasets import idx, sources
from brainsim.datasets.sources import DATASETS
from brainsim.errors import FitError, Problem, SetupError, suggest

__all__ = ["DATASETS", "Samples", "check", "load"]
#: Splits an experiment may ask for -> the split of the data set its rows come from.
SPLITS = {"train": "train", "label": "train", "test": "test"}


@dataclass(frozen=True)
class Samples:
    """Labelled images, in the order of the data set."""

    name: str
    images: np.ndarray  # uint8 [rows, pixels], 0 is background
    labels: np.ndarray  # int32 [rows]
    shape: tuple[int, int]  # height and width of an image
    splits: Mapping[str, slice]  # train | label | test -> rows; label and train both start at row 0
    classes: int  # number of classes
    class_names: tuple[str, ...]
    checksums: Mapping[str, str]  # file the rows came from -> SHA-256
    licence: str
    cite: str = ""
    source: str = field(default="", compare=False)  # shipped | BRAINSIM_DATA | cache


def load(name: str, splits: Mapping[str, int]) -> Samples:
    """The first ``splits[split]`` samples of each split of a data set.

    Parameters
    ----------
    name
        ``mnist`` or ``fashion_mnist``.
    splits
        Split (``train``, ``label``, ``test``) -> how many samples, from the first. ``label`` rows are training rows.

    Raises
    ------
    FitError
        No such data set or split, or more samples asked for than there are.
    SetupError
        The files are not on this machine, or are damaged.
    """
    counts = _counts(splits)
    known = sources.dataset(name)
    folder, source = sources.find(name, counts)
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
        splits={
            split: slice(counts["train"], counts["train"] + n) if split == "test" else slice(0, n)
            for split, n in ((split, int(splits.get(split, 0))) for split in SPLITS)
        },
        classes=len(known.classes),
        class_names=known.classes,
        checksums=sums,
        licence=known.licence,
        cite=known.cite,
        source=_origin(folder),
    )


def check(name: str, splits: Mapping[str, int]) -> None:
    """Raise what :func:`load` would raise for wrong names, counts and missing files, without reading images."""
    sources.find(name, _counts(splits))


def _counts(splits: Mapping[str, int]) -> dict[str, int]:
    """Rows needed of each split of the data set itself."""
    counts = {"train": 0, "test": 0}
    for split, count in splits.items():
        if split not in SPLITS:
            raise FitError(Problem("data", f"a data set has no split {split}", hint=suggest(split, SPLITS, "split")))
        if count < 0:
            raise FitError(Problem("value", f"data.{split} is {count}; a number of samples is not negative"))
        counts[SPLITS[split]] = max(counts[SPLITS[split]], int(count))
    return counts


def _origin(folder: Path) -> str:
    if folder.parent == sources.HERE:
        return "shipped"
    return "cache" if folder.parent == sources.cache() else "BRAINSIM_DATA"
