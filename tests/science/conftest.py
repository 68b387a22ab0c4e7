"""Fixtures of the science tests: run a small network written in the test, read back times and traces.

A science test asks whether a part of the library does what its paper says; it names numbers from the paper, never
from the YAML file, so that a wrong number in the file fails. ``mutate.py`` beside this file tries that: it puts a copy
of the part with one parameter off by 20 % into a folder that shadows the library.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import brainsim

#: Cells that fire once, at a time given for each, and a synapse that does nothing: for tests of learning rules.
TIMED_CELLS = """
---
neuron: timed
parameters:
  t_spike: 0 ms       # when it fires, for each cell
threshold: abs(t - t_spike) < 0.5*dt
initial:
  t_spike: -1 s       # never
---
synapse: silent
equations: |
  w : 1
initial: {w: 1}
"""


def shadow() -> tuple[Path, ...]:
    """Folders searched before the library: the one ``mutate.py`` makes."""
    folder = os.environ.get("BRAINSIM_TEST_LIBRARY")
    return (Path(folder),) if folder else ()


@pytest.fixture
def make_plan() -> Callable[..., Any]:
    """``make_plan(experiment, set={...})``: everything decided, nothing built."""
    return lambda experiment, **options: brainsim.plan(experiment, library=shadow(), **options)


@pytest.fixture
def simulate(tmp_path: Path) -> Callable[..., Any]:
    """``simulate(yaml_text_or_name, set={...})`` runs on numpy in a folder of its own and returns the results."""
    numbers = itertools.count()

    def call(experiment: str, **options: Any) -> Any:
        options.setdefault("backend", "numpy")
        return brainsim.run(experiment, out=tmp_path / f"run{next(numbers)}", library=shadow(), **options)

    return call


@pytest.fixture
def timed_cells() -> str:
    """YAML documents to append to an experiment: the cell ``timed`` and the synapse ``silent``."""
    return TIMED_CELLS
