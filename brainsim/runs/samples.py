"""The samples of a run: read, and encoded as its inputs ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from brainsim import datasets, encoders, readouts, seeds
from brainsim.compose.plan import Plan, Table
from brainsim.datasets import Samples
from brainsim.encoders import ENCODERS, Spikes, Trains
from brainsim.errors import FitError, Problem

#: Samples encoded at a time, so that exact times of all of them are never held at once.
CHUNK = 500
#: Most spikes of one table, at eight bytes each.
MAX_SPIKES = 200_000_000


def load(plan: Plan, root: Path) -> tuple[Samples | None, list[str]]:
    """The samples of a plan with what its tables show under ``encoded``, and notes; ``root`` is where paths start.

    Raises ``FitError`` if samples, encoders and populations do not go together, and what :mod:`brainsim.datasets`
    raises.
    """
    if plan.data is None:
        return None, []
    if plan.data.file:
        samples = datasets.load_file(root / plan.data.file, plan.data.splits, plan.data.file, plan.data.test_from)
    else:
        samples = datasets.load(plan.data.name, plan.data.splits, plan.data.test_from)
    if plan.readout is not None and not samples.classes:
        hint = "Add labels, or remove readout:."
        raise FitError(Problem("data", f"{samples.name} has no labels, so there is nothing to read out", hint=hint))
    if plan.readout is not None and readouts.READOUTS[plan.readout.name].blocks:
        size = next(group.size for group in plan.groups if group.path == plan.readout.path)
        if size % samples.classes:
            message = f"{plan.readout.name}: {size} cells of {plan.readout.path} cannot be shared by {samples.classes}"
            hint = f"Make its size a multiple of {samples.classes}, or use class_sum or linear."
            raise FitError(Problem("value", f"{message} classes in equal blocks", hint=hint))
    notes: list[str] = []
    encoded: dict[str, np.ndarray | Trains] = {}
    for table in plan.tables:
        _has(samples, table)
        if table.spikes or table.encode or table.field == "values":
            try:
                encoded[table.name] = _encoded(plan, samples, table)
            except ValueError as error:
                raise FitError(Problem("value", f"trial.inputs.{table.field}: {error}")) from None
            found = encoded[table.name]
            if isinstance(found, Trains):
                notes += found.notes(f"trial.inputs.{table.field}", "trial")
    return replace(samples, encoded=encoded), notes


def _has(samples: Samples, table: Table) -> None:
    """Raise ``FitError`` if the samples have no such field."""
    there = {
        "image": samples.images.shape[1] > 0,
        "values": samples.values is not None,
        "events": samples.events is not None,
        "label": samples.classes > 0,
    }
    if not there[table.field]:
        names = [name for name, found in there.items() if found]
        hint = f"It has {' and '.join(names)}." if names else ""
        raise FitError(Problem("data", f"{samples.name} has no {table.field} to show", hint=hint))


def _encoded(plan: Plan, samples: Samples, table: Table) -> np.ndarray | Trains:
    assert plan.trial is not None
    pieces: list[np.ndarray | Spikes | Trains] = []
    total = 0
    for piece in _pieces(plan, samples, table):
        width = piece.size if isinstance(piece, Spikes) else piece.shape[1]
        # Events name cells; that of the largest number in the data may be silent.
        if width != table.size and not (table.field == "events" and width < table.size):
            what = ", then ".join([table.field, *(encode.name for encode in table.encode)])
            message = f"{table.path} has {table.size} cells, but {what} is {width} numbers a sample"
            raise FitError(Problem("value", message, hint=f"Make its size {width}."))
        if isinstance(piece, Spikes):
            trains = replace(piece, size=table.size).on_grid(plan.dt, plan.trial.steps)
            total += len(trains)
            if total > MAX_SPIKES:
                message = f"the samples are more than {MAX_SPIKES:,} spikes"
                hint = "Show fewer samples, lower the rate, or let a cell such as poisson make them while it runs."
                raise FitError(Problem("limit", message, hint=hint))
            pieces.append(trains)
        else:
            pieces.append(piece)
    if not pieces:
        return Trains(np.array([2**63 - 1]), table.size, 0) if table.spikes else np.zeros((0, table.size))
    if table.spikes:
        return encoders.joined([piece for piece in pieces if isinstance(piece, Trains)])
    return np.concatenate([piece for piece in pieces if isinstance(piece, np.ndarray)])


def _pieces(plan: Plan, samples: Samples, table: Table) -> Iterator[np.ndarray | Spikes]:
    """What the encoders make of the samples, some rows at a time."""
    assert plan.trial is not None
    if table.field == "events":
        assert samples.events is not None
        yield samples.events
        return
    chain = [(ENCODERS[encode.name], dict(encode.parameters)) for encode in table.encode]
    drawn = any("rng" in encoder.needs for encoder, _ in chain)
    count = len(samples.labels)
    for start in range(0, count, 1 if drawn else CHUNK):
        rows = slice(start, start + (1 if drawn else CHUNK))
        made = samples.images[rows] / 255.0 if table.field == "image" else np.asarray(samples.values)[rows]
        rng = seeds.stream(plan.seed, f"trial.inputs.{table.field}.{_name(samples, start)}") if drawn else None
        given = {"duration": plan.trial.duration, "rng": rng}
        for encoder, parameters in chain:
            made = encoder.call(made, **parameters, **{name: given[name] for name in encoder.needs})
        if isinstance(made, np.ndarray) and made.ndim != 2:
            raise ValueError(f"values {made.shape[1:]} a sample need an encoder that takes them, such as ternary")
        yield made


def _name(samples: Samples, row: int) -> str:
    """``train.17``: a sample's spikes are its own, however many samples there are."""
    test = samples.splits["test"]
    return f"test.{row - test.start}" if test.start <= row < test.stop else f"train.{row}"
