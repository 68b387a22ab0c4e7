"""docs/science.md holds what science/results holds, and every row can be run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import brainsim
from brainsim.runs import points
from brainsim.runs.prepare import check_points

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from science import activity, figures, page, rows  # noqa: E402

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
        assert len(row.paper.each) in (0, len(found["means"]))
        assert all(point[row.measure] is not None for point in found["points"])


def test_every_figure_that_can_be_drawn_is_on_the_page():
    for figure in figures.figures():
        assert set(figure.rows) <= set(ROWS)
        assert figure.topic in {row.topic for row in ROWS.values()}
        if figures.can_be_drawn(figure, figures.results(figure)):
            assert figures.file(figure).exists(), "python -m science --page"
            assert f"](images/{figures.file(figure).name})" in page.text()


def test_a_spike_has_as_many_synaptic_events_as_its_cell_has_synapses():
    """Twelve cells project to all of five, but only six of them; two spikes of the sixth, one of the seventh."""
    text = """
experiment: some
region:
  region: some
  populations: {a: {neuron: lif, size: 12}, b: {neuron: lif, size: 5}}
  projections: {half: {from: "a[3:9]", to: b, synapse: ampa, connect: all}}
run: {duration: 1 ms}
"""
    plan = brainsim.plan(text)
    spikes = {"a": np.array([2, 5, 5, 6, 9]), "b": np.array([0])}
    assert activity.events(plan, spikes) == 15


def test_what_others_state_is_marked():
    assert page.text().count("*stated*") >= len(STATED) > 0


def test_the_verb_of_a_row_is_the_sweep():
    assert brainsim.estimate("digits_vdsp", over=ROWS["vdsp_100"].over).points == 5
    assert "--over run.seed=1,2,3,4,5" in ROWS["vdsp_100"].command
