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


def test_where_a_teacher_gave_classes_out_cell_k_has_class_k():
    assigned = readouts.one_cell_a_class(4, 3)
    assert assigned.tolist() == [0, 1, 2, readouts.SILENT]
    counts, labels = np.array([[3, 1, 0, 9], [2, 2, 0, 0], [0, 0, 5, 0]]), np.array([0, 1, 2])
    found = readouts.judge(assigned, counts, labels, 3)
    assert (found.accuracy_ties_wrong, found.accuracy_argmax) == (2 / 3, 2 / 3)
    assert found.n_tied == 1
    # The course of learning needs no other block to give classes: each of two blocks is scored as it is.
    curve = readouts.learning_curve(np.tile(counts, (2, 1)), np.tile(labels, 2), 3, smallest=3, assigned=assigned)
    assert curve == [(3, 2 / 3), (6, 2 / 3)]
