"""docs/science.md out of rows.yaml and results/*.json: no number in its tables is written by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from science import figures
from science.rows import RESULTS, Row, read

PAGE = Path(__file__).resolve().parent.parent / "docs" / "science.md"

_HEAD = """# Learning rules against their papers

This page is written by `make science` from the files in `science/`: `rows.yaml` says what is run, `results/` holds what
came out, with seeds, versions and machine. Every number in its tables was measured by the command that stands
[below](#what-it-takes), except those marked *stated*. A mean has half of its 95 % confidence interval over seeds
(Student's t) behind it, and the number of seeds. Where a sample ends in a tie, it counts as wrong in the figures "ties
wrong".
"""
_COST = """## What it takes

Spikes are those of all cells; a synaptic event is the arrival of one spike at one synapse. Both were counted in a short
run of the same experiment (`python -m science.activity`), so they are those of cells that have learned little. Times
are wall time on the machine and backend that `results/` names, which did other work as well.
"""


def write() -> None:
    """Write the page."""
    PAGE.write_text(text(), encoding="utf-8")


def text() -> str:
    """The page."""
    rows, stated = read()
    parts = [_HEAD]
    for topic in dict.fromkeys(row.topic for row in rows.values()):
        mine = [row for row in rows.values() if row.topic == topic]
        parts.append(f"## {topic}\n")
        lines = ["| what | network | data | here | paper |", "|---|---|---|---|---|"]
        for row in mine:
            lines += _lines(row, _result(row.name))
        parts.append("\n".join(lines) + "\n")
        for figure in figures.figures():
            if figure.topic == topic and figures.file(figure).exists():
                parts.append(f"![{figure.about}](images/{figures.file(figure).name})\n\n{figure.about}\n")
        notes = [f"- **{row.title}**: {row.note}" for row in mine if row.note]
        parts += ["\n".join(notes) + "\n"] if notes else []
    parts += [_COST, "\n".join(_costs(rows)) + "\n"]
    if stated:
        parts.append("## Stated by others, not measured here\n")
        parts.append(
            "\n".join(
                ["| system | job | accuracy | where |", "|---|---|---|---|"]
                + [f"| {one.system} | {one.job} | *stated* {one.value} | {one.cite} |" for one in stated]
            )
            + "\n"
        )
    return "\n".join(parts)


def _result(name: str) -> dict[str, Any] | None:
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def _lines(row: Row, result: dict[str, Any] | None) -> list[str]:
    """One line for each point that is not a seed; what they have in common stands in the first."""
    where = f"{row.paper.cite}{'; ' + row.paper.note if row.paper.note else ''}"
    paper = f"{row.paper.value} ({where})"
    if result is None:
        return [f"| {row.title} | {row.network} | {row.data} | not run yet | {paper} |"]
    lines = []
    for mean, value in zip(result["means"], row.paper.each or ("",) * len(result["means"]), strict=True):
        varied = ", ".join(f"{path} {mean[path]}" for path in row.over if path != "run.seed")
        here = _number(mean, row.measure, row)
        besides = [f"{words} {_number(mean, name, row)}" for name, words in row.beside.items() if name in mean]
        here += (f" (n = {mean['n']})" if "run.seed" in row.over else "") + "".join(f"; {one}" for one in besides)
        if stopped := sum(bool(point.get("stopped")) for point in result["points"]):
            here += f"; {stopped} of {len(result['points'])} runs not finished"
        what = f"{row.title}, {varied}" if varied else row.title
        said = paper if not lines else ""
        if value:
            said = f"{value} ({where})" if not lines else value
        rest = f"{row.network} | {row.data} | {here} | {said}" if not lines else f"| | {here} | {said}"
        lines.append(f"| {what} | {rest} |")
    return lines


def _costs(rows: dict[str, Row]) -> list[str]:
    """A line a row: activity, times, command."""
    counted = _result("activity") or {}
    lines = [
        "| what | spikes | synaptic events | time | backend | a run | command |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows.values():
        result, activity = _result(row.name), counted.get(row.name)
        per = {"sample": "a sample", "s": "a second"}[activity["per"]] if activity else ""
        spikes = f"{_short(activity['spikes'])} {per}" if activity else ""
        events = f"{_short(activity['synaptic_events'])} {per}" if activity else ""
        took = [mean["run_s"] for mean in result["means"] if mean.get("run_s")] if result else []
        run = sum(took) / len(took) if took else None
        each = f"{_time(run / activity['whole'])} {per}" if run and activity else ""
        backend = result["backend"]["name"] if result else ""
        command = result["command"] if result else row.command
        lines.append(
            f"| {row.title} | {spikes} | {events} | {each} | {backend} | {_time(run) if run else ''} | `{command}` |"
        )
    return lines


def _short(number: float) -> str:
    """``194 thousand``."""
    for size, word in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if number >= size:
            return f"{number / size:.3g}{word}"
    return f"{number:.3g}"


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.2g} ms"


def _number(mean: dict[str, Any], name: str, row: Row) -> str:
    """``85.7 +- 0.6 %``; unit and scale are those of the measure, and of measures of its kind."""
    alike = _kind(name) == _kind(row.measure)
    scale, unit = (row.scale, row.unit) if alike else (1.0, "")
    if _kind(name) == "share":
        scale, unit = 100.0, "%"
    value, ci = mean[name] * scale, mean.get(f"{name}.ci95")
    spread = f" +- {ci * scale:.2g}" if ci is not None else ""
    return f"{value:.4g}{spread}{' ' + unit if unit else ''}"


def _kind(measure: str) -> str:
    """``accuracy`` of ``accuracy_argmax``, ``rate`` of ``rate_hz[exc]``."""
    return re.split(r"[_\[]", measure)[0]
