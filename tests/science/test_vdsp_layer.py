"""vdsp_layer: a short lesson without labels, and most of the digits it can hold are told apart."""

from __future__ import annotations

import numpy as np

#: What this is the test of.
PARTS = ["region vdsp_layer"]

SMALL = {"n_cells": 20, "data.label": 150, "data.test": 100, "phases.train.passes": 1}


def test_a_short_lesson_is_well_above_chance(simulate):
    """20 cells, 150 images, a larger step of learning: measured 47 and 49 %; chance is 10 %."""
    results = simulate("digits_vdsp", set={**SMALL, "data.train": 150, "learned.plasticity.eta": 0.01})
    assert results.summary["readout"]["accuracy_ties_wrong"] >= 0.35
    weights = results.weights("learned")
    after = np.zeros((784, 20))
    after[weights.source, weights.target] = weights.after["w"]
    # The rim is black in every image: cells that learned have unlearned it against the middle.
    picture = after.mean(axis=1).reshape(28, 28)
    assert picture[10:18, 10:18].mean() > 1.5 * picture[:2].mean()


def test_without_learning_it_is_near_chance(simulate):
    """The same layer with its random weights: measured 8 and 19 %."""
    results = simulate("digits_vdsp", set={**SMALL, "data.train": 1, "learned.plasticity.eta": 0})
    assert results.summary["readout"]["accuracy_ties_wrong"] <= 0.27
