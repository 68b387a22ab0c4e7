"""docs/science.md holds what science/results holds, and every row can be run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import brainsim
from brainsim.runs import points
from brainsim.runs.prepare import check_points

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from science import page, rows  # noqa: E402

ROWS, STATED = rows.read()


def test_the_page_is_current():
    assert page.PAGE.read_text() == page.text(), "python -m science --page"


@pytest.mark.parametrize("name", ROWS)
def test_a_row_fits_its_experiment_and_its_result(name):
    row = ROWS[name]
    check_points(row.experiment, points.points(None, row.over), row.set)
    file = rows.RESULTS / f"{name}.json"
    if file.exists():
        found = json.loads(file.read_text())
        assert found["command"] == row.command, "the row has changed since it was run: make science"
        assert len(found["points"]) == len(points.points(None, row.over))
        assert all(point[row.measure] is not None for point in found["points"])


def test_what_others_state_is_marked():
    assert page.text().count("*stated*") >= len(STATED) > 0


def test_the_verb_of_a_row_is_the_sweep():
    assert brainsim.estimate("digits_vdsp", over=ROWS["vdsp_100"].over).points == 5
    assert "--over run.seed=1,2,3,4,5" in ROWS["vdsp_100"].command
