"""The state of a run in one HDF5 file, from which it goes on: plain arrays and numbers, nothing that is executed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from brainsim.errors import Problem, RunError
from brainsim.record.disk import new_hdf5
from brainsim.record.reader import BUDGET
from brainsim.record.segments import Segment

FILE = "checkpoint.h5"
_FORMAT = 1


@dataclass
class Checkpoint:
    """A run between two rounds."""

    model: str  # hash of the experiment, so that no other goes on from it
    backend: str
    root: str  # where the files are that the experiment names
    rounds: int  # that are finished
    seconds: float  # wall time they took
    segments: list[Segment]  # of what was recorded
    totals: dict[str, int]  # path -> spikes so far
    curve: list[dict[str, Any]]  # what each round read out
    versions: dict[str, str | None] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)  # of the network and its random numbers


def write(run: Path, point: Checkpoint) -> None:
    """Write ``checkpoint.h5``: whole, or the one before stays. Raises ``SetupError`` if the disk fails."""
    about = {**vars(point), "segments": [asdict(one) for one in point.segments], "format": _FORMAT}
    state = about.pop("state")
    text = json.dumps(about).encode()
    with new_hdf5(run / FILE) as file:
        file.attrs["sha256"] = hashlib.sha256(text).hexdigest()
        file.create_dataset("about", data=np.frombuffer(text, np.uint8))
        _put(file, "state", state)


def read(run: Path) -> Checkpoint:
    """The checkpoint of a run. Raises ``RunError`` if there is none, or if it is damaged."""
    path = run / FILE
    if not path.is_file():
        hint = "It was stopped in its first round, has no run.rounds, or is no run: run it anew."
        raise RunError(Problem("path", f"{run} holds no {FILE} to go on from", hint=hint))
    try:
        with h5py.File(path, "r") as file:
            text = _member(file, "about")[...].tobytes()
            if file.attrs["sha256"] != hashlib.sha256(text).hexdigest():
                raise ValueError("its checksum is wrong")
            about = json.loads(text)
            if about.pop("format") != _FORMAT:
                raise ValueError("it was written by another version of brainsim")
            about["segments"] = [Segment(**entry) for entry in about["segments"]]
            return Checkpoint(**about, state=_get(_member(file, "state")))
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(
            Problem("data", f"{path} cannot be read: {words}", hint="The run has to begin anew, in another folder.")
        ) from error


def _put(group: h5py.Group, name: str, value: Any) -> None:
    """Dictionaries and lists become groups, all else datasets; ``kind`` says what it was."""
    if isinstance(value, Mapping | tuple | list):
        inner = group.create_group(name, track_order=True)
        inner.attrs["kind"] = "dict" if isinstance(value, Mapping) else type(value).__name__
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in items:
            _put(inner, str(key), item)
        return
    array = np.asarray(0 if value is None else np.frombuffer(value, np.uint8) if isinstance(value, bytes) else value)
    if isinstance(value, str):
        array = np.frombuffer(value.encode(), np.uint8)
    elif array.dtype.kind not in "biuf":
        raise TypeError(f"{group.name}/{name}: a {type(value).__name__} cannot be kept in a checkpoint")
    # A checksum for each piece: damage is found when it is read.
    whole = {"fletcher32": True} if array.ndim and array.size else {}
    inner = group.create_dataset(name, data=array, **whole)
    inner.attrs["kind"] = "array" if isinstance(value, np.ndarray | np.generic) else type(value).__name__


def _member(group: h5py.Group, name: str) -> Any:
    """What a group holds under a name. A file may come from anywhere: nothing outside it is read, nor what is huge."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is missing, or a link, which is refused")
    found = group[name]
    if isinstance(found, h5py.Dataset):
        if found.dtype.kind not in "biuf" or found.external or found.is_virtual:
            raise ValueError(f"{name} is no plain array of numbers in this file")
        if found.size * found.dtype.itemsize > BUDGET:
            raise ValueError(f"{name} is larger than the {BUDGET:,} bytes allowed")
    return found


def _get(item: Any) -> Any:
    kind = item.attrs["kind"]
    if isinstance(item, h5py.Group):
        if kind == "dict":
            return {key: _get(_member(item, key)) for key in item}
        values = [_get(_member(item, str(k))) for k in range(len(item))]
        return tuple(values) if kind == "tuple" else values
    value = item[()]
    makers = {
        "NoneType": lambda: None,
        "bytes": value.tobytes,
        "str": lambda: value.tobytes().decode(),
        "bool": lambda: bool(value),
        "int": lambda: int(value),
        "float": lambda: float(value),
        "array": lambda: value,
    }
    return makers[kind]()
