"""The rows of the page: which experiment, with which values, against which published number."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


@dataclass(frozen=True)
class Paper:
    """What a paper reports for the same measure."""

    value: str  # as printed, with its spread
    cite: str
    note: str = ""
    each: tuple[str, ...] = ()  # the values of the points of a sweep, in their order


@dataclass(frozen=True)
class Row:
    """One sweep and the number in it that is compared."""

    name: str
    title: str
    rule: str
    network: str
    data: str
    experiment: str
    measure: str  # column of the sweep's table
    paper: Paper
    topic: str = "Further"  # heading it stands below
    unit: str = ""
    scale: float = 1.0  # the measure is multiplied by it: 100 for per cent
    set: dict[str, Any] = field(default_factory=dict)
    over: dict[str, list[Any]] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)  # further columns -> what they are
    histogram: dict[str, Any] = field(default_factory=dict)  # of, low, high, bins: weights that are kept as counts
    hours: float = 0.0  # of one core, as measured once
    note: str = ""

    @property
    def further(self) -> list[str]:
        """Measures that a sweep's table does not have by itself: those that name a part of a run, or a condition."""
        return [name for name in (self.measure, *self.beside) if re.search(r"@|[<>]|^cv|^correlation", name)]

    @property
    def command(self) -> str:
        """What a user types for the same."""
        words = [f"brainsim sweep {self.experiment}"]
        words += [f"--set {_quoted(f'{path}={value}')}" for path, value in self.set.items()]
        words += [f"--over {_quoted(path + '=' + ','.join(map(str, vs)))}" for path, vs in self.over.items()]
        words += [f'--measure "{name}"' for name in self.further]
        return " ".join(words)


@dataclass(frozen=True)
class Figure:
    """A figure of the page, drawn from what rows have kept."""

    name: str
    topic: str
    about: str  # what it shows, below it
    rows: dict[str, str]  # row -> its name in the figure
    x: str = ""  # swept path, along the axis; without one the figure is of histograms
    phase: str = ""  # or the phase of a run in rounds whose accuracy is drawn by round
    x_unit: str = ""
    x_label: str = ""
    y_label: str = ""
    log: bool = False  # axis in powers of two
    level: dict[str, float] = field(default_factory=dict)  # words -> a line across


@dataclass(frozen=True)
class Stated:
    """A number that others state for the same job; nobody measured it here."""

    system: str
    job: str
    value: str
    cite: str


def figures() -> list[Figure]:
    """Figures of the page."""
    content = yaml.safe_load((HERE / "rows.yaml").read_text(encoding="utf-8"))
    return [Figure(name, **one) for name, one in (content.get("figures") or {}).items()]


def read() -> tuple[dict[str, Row], list[Stated]]:
    """Rows by name, and what rivals state."""
    content = yaml.safe_load((HERE / "rows.yaml").read_text(encoding="utf-8"))
    rows = {name: Row(name, **{**row, "paper": Paper(**row["paper"])}) for name, row in content["rows"].items()}
    return rows, [Stated(**one) for one in content["stated"]]


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text
