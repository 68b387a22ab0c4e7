"""Class-sum readout against cases that can be worked out by hand."""

import numpy as np
import pytest

from brainsim import readouts


def test_a_cell_belongs_to_the_class_with_most_spikes_per_presentation():
    # Class 0 is shown three times, class 1 once. Cell 0: 6 spikes for class 0 (2 a time), 3 for class 1 (3 a time).
    counts = np.array([[2, 5], [2, 5], [2, 5], [3, 0]])
    assert readouts.assign(counts, np.array([0, 0, 0, 1]), 2).tolist() == [1, 0]


def test_silent_cells_belong_to_no_class_and_ties_go_to_the_lowest():
    counts = np.array([[0, 1, 4], [0, 1, 1]])
    assert readouts.assign(counts, np.array([1, 2]), 3).tolist() == [readouts.SILENT, 1, 1]


def test_a_class_that_was_never_shown_gets_no_cell():
    assert readouts.assign(np.array([[1, 2], [3, 1]]), np.array([2, 1]), 4).tolist() == [1, 2]


def test_the_sum_decides_not_the_mean():
    # One cell of class 0 with 5 spikes, three of class 1 with 2 each: 5 against 6, by the mean 5 against 2.
    found = readouts.decide(np.array([[5, 2, 2, 2]]), np.array([0, 1, 1, 1]), 2)
    assert found.scores.tolist() == [[5, 6]] and found.predicted.tolist() == [1]


def test_ties_and_silence_are_told_apart():
    assigned = np.array([0, 1, readouts.SILENT])
    found = readouts.decide(np.array([[3, 1, 0], [2, 2, 0], [0, 0, 0], [0, 0, 7]]), assigned, 2)
    assert found.tied.tolist() == [False, True, True, True]
    assert found.silent.tolist() == [False, False, True, True]  # spikes of a cell without a class say nothing


def test_accuracy_with_ties_wrong_and_by_argmax():
    assigned_counts, assigned_labels = np.eye(2, dtype=int), np.array([0, 1])
    test = np.array([[3, 0], [1, 1], [0, 0], [0, 2], [2, 0]])
    labels = np.array([0, 0, 0, 1, 1])
    strict = readouts.class_sum(assigned_counts, assigned_labels, test, labels, 2)
    assert strict.accuracy == strict.accuracy_ties_wrong == pytest.approx(2 / 5)
    assert strict.accuracy_argmax == pytest.approx(4 / 5)
    assert (strict.n_test, strict.n_silent, strict.n_tied) == (5, 1, 1)
    assert strict.confusion.tolist() == [[1, 0], [1, 1]] and strict.undecided.tolist() == [2, 0]
    assert np.trace(strict.confusion) / strict.n_test == pytest.approx(strict.accuracy)
    plain = readouts.class_sum(assigned_counts, assigned_labels, test, labels, 2, ties="first")
    assert plain.accuracy == pytest.approx(4 / 5) and plain.confusion.tolist() == [[3, 0], [1, 1]]


def test_a_dead_network_scores_nothing_with_ties_wrong():
    zeros = np.zeros((10, 4), int)
    found = readouts.class_sum(zeros, np.arange(10) % 2, zeros, np.zeros(10, int), 2)
    assert found.accuracy_ties_wrong == 0.0
    assert found.accuracy_argmax == 1.0  # all samples happen to be class 0: why ties count as wrong
    assert found.n_silent == 10 and set(found.assigned) == {readouts.SILENT}


def test_the_learning_curve_never_scores_a_trial_that_gave_the_classes():
    # Random labels and one private cell a trial: perfect on itself, chance (here: silence) on any other trial.
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 400)
    curve = readouts.learning_curve(np.eye(400, dtype=int), labels, 10, points=7)
    assert len(curve) == 7 and all(accuracy == 0 for _, accuracy in curve)


def test_the_learning_curve_shows_when_learning_happened():
    labels = np.tile(np.arange(10), 60)
    counts = np.zeros((600, 10), int)
    counts[300:] = np.eye(10, dtype=int)[labels[300:]]  # cells tell the classes from trial 300 on
    curve = readouts.learning_curve(counts, labels, 10, points=11)
    assert [trials for trials, _ in curve] == list(range(100, 601, 50))
    # The block that ends at 350 is the first in which cells tell, but they had no class by then.
    assert [accuracy for _, accuracy in curve] == [0] * 6 + [1] * 5


def test_samples_at_the_seam_of_two_passes_are_not_scored_twice():
    labels = np.zeros(100, int)
    counts = np.ones((100, 1), int)
    same = np.concatenate([np.arange(50), np.arange(50)])
    assert readouts.learning_curve(counts, labels, 2, same, points=1) == []
    assert readouts.learning_curve(counts, labels, 2, np.arange(100), points=1) == [(100, 1.0)]


def test_too_few_trials_give_an_empty_curve_and_no_test_trials_no_number():
    assert readouts.learning_curve(np.ones((10, 2), int), np.zeros(10, int), 2) == []
    empty = readouts.class_sum(np.ones((1, 2), int), np.zeros(1, int), np.zeros((0, 2), int), np.zeros(0, int), 2)
    assert np.isnan(empty.accuracy) and empty.n_test == 0


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0], [0]])
def test_labels_that_do_not_fit_are_refused(labels):
    with pytest.raises(ValueError, match="labels"):
        readouts.assign(np.ones((2, 2), int), np.array(labels), 3)


def test_where_cells_stand_for_classes_nothing_is_learned():
    counts, labels = np.array([[3, 1, 0], [2, 2, 0], [0, 0, 5]]), np.array([0, 1, 2])
    assigned = readouts.fit("spike_count", counts, labels, 3)
    assert assigned.tolist() == [0, 1, 2]
    found = readouts.evaluate("spike_count", assigned, counts, labels, 3)
    assert (found.accuracy_ties_wrong, found.accuracy_argmax) == (2 / 3, 2 / 3)
    assert found.n_tied == 1
    # The course of learning needs no other block to give classes: each of two blocks is scored as it is.
    twice = np.tile(counts, (2, 1)), np.tile(labels, 2)
    assert readouts.learning_curve(*twice, 3, smallest=3, method="spike_count") == [(3, 2 / 3), (6, 2 / 3)]


def test_blocks_of_cells_count_together():
    found = readouts.spike_count(np.array([[2, 0, 1, 0], [0, 1, 3, 0], [1, 0, 0, 1], [0, 0, 0, 0]]), 2)
    assert found.scores.tolist() == [[2, 1], [1, 3], [1, 1], [0, 0]] and found.predicted.tolist() == [0, 1, 0, 0]
    assert found.tied.tolist() == [False, False, True, True] and found.silent.tolist() == [False] * 3 + [True]
    with pytest.raises(ValueError, match="4 cells cannot be shared by 3"):
        readouts.spike_count(np.zeros((1, 4), int), 3)


def test_the_earliest_spike_decides_and_two_in_one_step_tie():
    never = 100
    steps = np.array([[9, 100, 4, 100], [100, 2, 100, 3], [5, 100, 100, 5], [100, 100, 100, 100]])
    found = readouts.first_spike(steps, 2, never)
    assert found.predicted[:2].tolist() == [1, 0]
    assert found.tied.tolist() == [False, False, True, True] and found.silent.tolist() == [False] * 3 + [True]
    result = readouts.evaluate("first_spike", np.array([0, 0, 1, 1]), steps, np.array([1, 0, 0, 0]), 2, never=never)
    assert (result.accuracy_ties_wrong, result.accuracy_argmax) == (0.5, 1.0)
    assert (result.n_silent, result.n_tied) == (1, 1) and result.undecided.tolist() == [2, 0]


def test_a_population_vector_is_the_circular_mean():
    degrees = np.deg2rad([0, 90, 180, 270])
    angle, length = readouts.population_vector(
        np.array([[1, 1, 0, 0], [1, 0, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0]]), degrees
    )
    np.testing.assert_allclose(np.rad2deg(angle[:2]), [45, 315])
    np.testing.assert_allclose(length, [np.sqrt(0.5), np.sqrt(0.5), 0, 0], atol=1e-12)
    assert np.isnan(angle[3])
    # von Mises tuning: the mean of cosines of a full circle of cells gives the angle back exactly
    cells, asked = 2 * np.pi * np.arange(36) / 36, np.array([0.3, 2.0, 6.1])
    rates = np.exp(3 * np.cos(cells - asked[:, None]))
    np.testing.assert_allclose(readouts.population_vector(rates)[0], asked, atol=1e-6)
    np.testing.assert_allclose(readouts.centre_of_mass([[1, 3], [2, 0], [0, 0]], [10.0, 20.0]), [17.5, 10, np.nan])
    found = readouts.decide_population_vector(np.array([[0, 5, 1, 0], [1, 0, 1, 0], [0, 0, 0, 2]]), 4)
    assert found.predicted[[0, 2]].tolist() == [1, 3] and found.tied.tolist() == [False, True, False]
    half_way = readouts.decide_population_vector(np.array([[1, 1, 0, 0]]), 4)
    assert half_way.tied.tolist() == [True]


@pytest.mark.parametrize("shape", [(60, 8), (12, 30)])
@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_linear_weights_solve_the_normal_equations(shape, ridge):
    rng = np.random.default_rng(2)
    counts, labels = rng.poisson(3, shape), rng.integers(0, 3, shape[0])
    weights = readouts.fit_linear(counts, labels, 3, ridge=ridge)
    # The gradient of |Y - [X 1] W|^2 + ridge |W without the constant|^2 vanishes.
    x, y = np.column_stack([counts, np.ones(len(counts))]), np.eye(3)[labels]
    penalty = ridge * np.vstack([weights[:-1], np.zeros((1, 3))])
    np.testing.assert_allclose(x.T @ (y - x @ weights) - penalty, 0, atol=1e-8)


def test_a_linear_readout_hears_what_class_sums_cannot():
    # Class 1 is when exactly one of two cells is silent: with counts 0 to 3 the third cell says so, inversely.
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    counts = np.column_stack([rng.poisson(5, 400), 9 - 3 * labels + rng.integers(0, 2, 400)])
    known, asked = slice(0, 200), slice(200, 400)
    fitted = readouts.fit("linear", counts[known], labels[known], 2, ridge=1.0)
    found = readouts.evaluate("linear", fitted, counts[asked], labels[asked], 2)
    assert found.accuracy == 1.0 and found.assigned.size == 0
    assert readouts.class_sum(counts[known], labels[known], counts[asked], labels[asked], 2).accuracy < 0.7
    silent = readouts.decide_linear(np.zeros((1, 2), int), fitted)
    assert silent.tied.tolist() == [True] and silent.silent.tolist() == [True]
    curve = readouts.learning_curve(counts, labels, 2, points=3, method="linear")
    assert [accuracy for _, accuracy in curve] == [1.0] * 3
