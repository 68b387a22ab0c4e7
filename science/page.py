"""docs/science.md out of rows.yaml and results/*.json: no number on it is written by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from science.rows import RESULTS, Row, read

PAGE = Path(__file__).resolve().parent.parent / "docs" / "science.md"

_HEAD = """# Learning rules against their papers

This page is written by `make science` from the files in `science/`: `rows.yaml` says what is run, `results/` holds what
came out, with seeds, versions and machine. Every number here was measured by the command beside it, except those marked
*stated*. A mean has half of its 95 % confidence interval over seeds (Student's t) behind it, and the number of seeds.
Where a sample ends in a tie, it counts as wrong in the figures "ties wrong".
"""


def write() -> None:
    """Write the page."""
    PAGE.write_text(text(), encoding="utf-8")


def text() -> str:
    """The page."""
    rows, stated = read()
    parts = [_HEAD]
    lines = ["| what | network | data | here | paper | a run | command |", "|---|---|---|---|---|---|---|"]
    for row in rows.values():
        lines += _lines(row, _result(row.name))
    parts.append("\n".join(lines) + "\n")
    notes = [f"- **{row.title}**: {row.note}" for row in rows.values() if row.note]
    parts += ["## Notes\n", "\n".join(notes) + "\n"] if notes else []
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
    """One line for each point that is not a seed."""
    paper = f"{row.paper.value} ({row.paper.cite}{'; ' + row.paper.note if row.paper.note else ''})"
    head = f"| {row.title} | {row.network} | {row.data} "
    if result is None:
        return [f"{head}| not run yet | {paper} | | `{row.command}` |"]
    lines = []
    for mean in result["means"]:
        varied = ", ".join(f"{path} {mean[path]}" for path in row.over if path != "run.seed")
        here = _number(mean, row.measure, row)
        besides = [f"{words} {_number(mean, name, row)}" for name, words in row.beside.items() if name in mean]
        here += f" (n = {mean['n']})" + "".join(f"; {one}" for one in besides)
        if stopped := sum(bool(point.get("stopped")) for point in result["points"]):
            here += f"; {stopped} of {len(result['points'])} runs not finished"
        took = f"{mean['run_s']:.3g} s, {result['backend']['name']}" if mean.get("run_s") else ""
        where = head if not varied else f"| {row.title}, {varied} | {row.network} | {row.data} "
        lines.append(f"{where}| {here} | {paper} | {took} | `{result['command']}` |")
    return lines


def _number(mean: dict[str, Any], name: str, row: Row) -> str:
    """``85.7 +- 0.6 %``; unit and scale are those of the measure, and of measures of its kind."""
    alike = _kind(name) == _kind(row.measure)
    scale, unit = (row.scale, row.unit) if alike else (1.0, "")
    value, ci = mean[name] * scale, mean.get(f"{name}.ci95")
    spread = f" +- {ci * scale:.2g}" if ci is not None else ""
    return f"{value:.4g}{spread}{' ' + unit if unit else ''}"


def _kind(measure: str) -> str:
    """``accuracy`` of ``accuracy_argmax``, ``rate`` of ``rate_hz[exc]``."""
    return re.split(r"[_\[]", measure)[0]
