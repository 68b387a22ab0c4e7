"""Where the files of a data set are looked for, and whether they are the published ones."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from brainsim.errors import FitError, Problem, SetupError, suggest

HERE = Path(__file__).parent
#: The four files of an idx data set: (split, field) -> name.
FILES = {
    ("train", "image"): "train-images-idx3-ubyte.gz",
    ("train", "label"): "train-labels-idx1-ubyte.gz",
    ("test", "image"): "t10k-images-idx3-ubyte.gz",
    ("test", "label"): "t10k-labels-idx1-ubyte.gz",
}


@dataclass(frozen=True)
class Source:
    """One place that can serve a data set, or the first rows of it."""

    folder: str  # name of the folder
    rows: Mapping[str, int]  # split -> number of samples
    sums: Mapping[str, str]  # file -> SHA-256


@dataclass(frozen=True)
class Dataset:
    """A data set: what is in it, who made it and which files it consists of."""

    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int]
    licence: str
    cite: str
    where: str  # how to get the files
    full: Source
    shipped: Source | None = None
    files: tuple[str, ...] = ()  # where the data set is not the four idx files: all its files, for every split

    def needed(self, splits: list[str]) -> list[str]:
        """Names of the files that hold these splits."""
        return list(self.files) or [file for (split, _), file in FILES.items() if split in splits]


_DIGITS = tuple("0123456789")
_GARMENTS = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
_ALL = {"train": 60_000, "test": 10_000}


def _sums(train_images: str, train_labels: str, test_images: str, test_labels: str) -> dict[str, str]:
    return dict(zip(FILES.values(), (train_images, train_labels, test_images, test_labels), strict=True))


DATASETS = {
    "mnist": Dataset(
        title="MNIST",
        classes=_DIGITS,
        shape=(28, 28),
        licence="CC BY-SA 3.0, Y. LeCun and C. Cortes",
        cite="LeCun, Bottou, Bengio & Haffner (1998) Proc IEEE 86:2278",
        where="any mirror of the original MNIST",
        full=Source(
            "mnist",
            _ALL,
            _sums(
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
        shipped=Source(
            "mnist_subset",
            {"train": 2_000, "test": 500},
            _sums(
                "750662c1088380a463030e0667f3f588c04b64ce0b94db052d91efbf11281c49",
                "7f4b553342b6b128aa996290b81805c7b344e662af569cd8aeaded8e599a38c8",
                "4fb033ac49621ffb23557df5d81c082c8a56336b3b76ce845c0ddcaaaec299e2",
                "58f68b157d53451c304c693c10fc827d368b4cd0cbe53b39acf5e507818d59ba",
            ),
        ),
    ),
    "fashion_mnist": Dataset(
        title="Fashion-MNIST",
        classes=_GARMENTS,
        shape=(28, 28),
        licence="MIT, Zalando SE",
        cite="Xiao, Rasul & Vollgraf (2017) arXiv 1708.07747",
        where="https://github.com/zalandoresearch/fashion-mnist",
        full=Source(
            "fashion_mnist",
            _ALL,
            _sums(
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
    ),
    "nmnist_small": Dataset(
        title="N-MNIST, 1100 recordings",
        classes=_DIGITS,
        shape=(34, 34),
        licence="CC BY-SA 4.0, G. Orchard and others",
        cite="Orchard, Jayawant, Cohen & Thakor (2015) Front Neurosci 9:437",
        where="the first 1000 training and 100 test recordings of N-MNIST, as arrays x, y, p, t_us, offsets, label",
        full=Source(
            "nmnist_small",
            {"train": 1_000, "test": 100},
            {"nmnist_1100.npz": "d83856ddf93f6da7092cc0e8f89d57a58266cf9be7d82ca593424db2841dd259"},
        ),
        files=("nmnist_1100.npz",),
    ),
}


def dataset(name: str) -> Dataset:
    """The data set of this name. Raises ``FitError`` with the nearest name."""
    if name not in DATASETS:
        raise FitError(Problem("data", f"there is no data set {name}", hint=suggest(name, DATASETS, "data set")))
    return DATASETS[name]


def cache() -> Path:
    """The user's own folder of data sets, ``~/.cache/brainsim/datasets`` or below ``$XDG_CACHE_HOME``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says that a relative path is to be ignored.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "brainsim" / "datasets"


def find(name: str, counts: Mapping[str, int]) -> tuple[Path, Source]:
    """The folder that serves ``counts`` samples (``{"train": 2000, "test": 500}``), its files checked.

    The shipped subset comes first: it equals the first rows of the full set, so the result does not depend on
    what else the machine has. Raises ``FitError`` if more is asked than exists, ``SetupError`` if the files
    are not there or are not the published ones.
    """
    known = dataset(name)
    for split, count in counts.items():
        if count > known.full.rows[split]:
            text = f"{known.title} has {known.full.rows[split]:,} {'training' if split == 'train' else split} samples"
            raise FitError(Problem("data", f"{text}, but {count:,} are asked for", hint=f"Lower data.{split}."))
    splits = [split for split, count in counts.items() if count]
    shipped = known.shipped
    if shipped and all(counts[split] <= shipped.rows[split] for split in splits):
        folder = HERE / shipped.folder
        return _verify(folder, shipped, known.needed(splits)), shipped
    root = os.environ.get("BRAINSIM_DATA", "")
    for base in [Path(root)] if root else []:
        if any((base / known.full.folder / file).exists() for file in known.needed(splits)):
            return _verify(base / known.full.folder, known.full, known.needed(splits)), known.full
    own = cache() / known.full.folder
    if any((own / file).exists() for file in known.needed(splits)):
        return _verify(own, known.full, known.needed(splits)), known.full
    served = (
        f" (the {shipped.rows['train']:,} training and {shipped.rows['test']} test samples that ship do not suffice)"
        if shipped
        else ""
    )
    them = "it" if len(known.files) == 1 else "them"
    raise SetupError(
        Problem(
            "data",
            f"{known.title} is not on this machine{served}",
            hint=f"Get {', '.join(known.files or FILES.values())} from {known.where} "
            f"and put {them} into {_home(cache())}/{known.full.folder}, or into a folder "
            f"{known.full.folder} below the one named by BRAINSIM_DATA.",
        )
    )


def _home(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)


def _verify(folder: Path, source: Source, files: list[str]) -> Path:
    for file in files:
        try:
            found = checksum(folder / file)
        except OSError as error:
            why = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            text = f"{_home(folder)}/{file} {why}"
            hint = "All files are needed; put it beside the others."
            raise SetupError(Problem("data", text, hint=hint)) from None
        if found != source.sums[file]:
            sums = f"SHA-256 {found[:12]}..., expected {source.sums[file][:12]}..."
            text = f"{_home(folder)}/{file} is not the published file ({sums})"
            raise SetupError(Problem("data", text, hint="Put a fresh copy in its place."))
    return folder


_known: dict[tuple[str, int, int], str] = {}


def checksum(path: Path) -> str:
    """SHA-256 of a file, remembered within the process for as long as its time and size stay the same."""
    stat = path.stat()
    key = (str(path.resolve()), stat.st_mtime_ns, stat.st_size)
    if key not in _known:
        with path.open("rb") as stream:
            _known[key] = hashlib.file_digest(stream, "sha256").hexdigest()
    return _known[key]
