"""Spikes -> decisions. Arrays in, arrays out; knows no network and no files.

The class-sum readout of Garg et al. (2022), Front Neurosci 16:983950: a cell belongs to the class it fires for
most, per presentation of that class; a sample belongs to the class whose cells fire most together. (The mean
per cell instead of the sum costs one to two points.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Class of a cell that never fired while classes were given.
SILENT = -1


@dataclass(frozen=True)
class Decisions:
    """What a population says about each of T samples of C classes."""

    scores: np.ndarray  # int64 [T, C]: spikes of the cells of each class
    predicted: np.ndarray  # int64 [T]: first class with the highest score
    tied: np.ndarray  # bool [T]: the highest score is not unique; a silent sample is tied as well
    silent: np.ndarray  # bool [T]: no cell that has a class fired


@dataclass(frozen=True)
class Readout:
    """Decisions about samples whose classes are known, and how many are right."""

    assigned: np.ndarray  # int64 [N]: class of each cell, or SILENT
    decisions: Decisions
    accuracy: float  # the figure that is reported first: by the rule for ties that was asked for
    accuracy_ties_wrong: float
    accuracy_argmax: float  # a tie goes to the lowest class
    n_test: int
    n_silent: int
    n_tied: int  # silent samples not counted
    confusion: np.ndarray  # int64 [C, C]: true class, predicted class; ties left out if they count as wrong
    undecided: np.ndarray  # int64 [C]: samples of each class left out of ``confusion``


def assign(counts: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Class of each cell: that with the most spikes per presentation.

    Dividing by how often a class was shown matters: without it frequent classes get more cells than they earn.

    Parameters
    ----------
    counts
        Spikes [T trials, N cells].
    labels
        Class of each trial [T].

    Returns
    -------
    int64 [N]; ``SILENT`` for a cell that never fired. Among equals the lowest class.
    """
    counts, labels = _checked(counts, labels, n_classes)
    sums = _one_hot(labels, n_classes).T @ counts  # [C, N]
    shown = np.bincount(labels, minlength=n_classes)
    rates = np.where(shown[:, None] > 0, sums / np.maximum(shown, 1)[:, None], 0.0)
    return np.where(counts.sum(axis=0) > 0, np.argmax(rates, axis=0), SILENT)


def decide(counts: np.ndarray, assigned: np.ndarray, n_classes: int) -> Decisions:
    """The class of each trial: that whose cells have the most spikes together.

    Parameters
    ----------
    counts
        Spikes [T, N].
    assigned
        Class of each cell [N], or ``SILENT``.
    """
    counts = np.asarray(counts)
    assigned = np.asarray(assigned)
    if counts.ndim != 2 or assigned.shape != counts.shape[1:]:
        raise ValueError(
            f"expected counts [T, N] and a class of each of N cells, got {counts.shape} and {assigned.shape}"
        )
    used = assigned != SILENT
    # Float products are exact below 2**53 spikes and, unlike integer ones, run at BLAS speed.
    scores = (counts[:, used].astype(float) @ _one_hot(assigned[used], n_classes)).astype(np.int64)
    top = scores.max(axis=1, keepdims=True)
    return Decisions(
        scores=scores,
        predicted=np.argmax(scores, axis=1),
        tied=(scores == top).sum(axis=1) > 1,
        silent=top[:, 0] == 0,
    )


def class_sum(
    assign_counts: np.ndarray,
    assign_labels: np.ndarray,
    test_counts: np.ndarray,
    test_labels: np.ndarray,
    n_classes: int,
    ties: str = "wrong",
) -> Readout:
    """Give cells a class on one set of trials and decide about another; see :func:`judge`."""
    return judge(assign(assign_counts, assign_labels, n_classes), test_counts, test_labels, n_classes, ties)


def one_cell_a_class(n_cells: int, n_classes: int) -> np.ndarray:
    """Class of each cell where a teacher has given them out: cell k has class k, further cells have none."""
    cells = np.arange(n_cells)
    return np.where(cells < n_classes, cells, SILENT)


def judge(
    assigned: np.ndarray, test_counts: np.ndarray, test_labels: np.ndarray, n_classes: int, ties: str = "wrong"
) -> Readout:
    """Decide about trials with cells that have a class.

    ``ties`` says what a tie counts as in ``accuracy`` and ``confusion``: ``wrong``, or ``first`` (the lowest of the
    classes that tie). Both figures are always there. No test trials: the accuracies are nan.
    """
    if ties not in ("wrong", "first"):
        raise ValueError(f"ties is wrong or first, not {ties!r}")
    test_counts, labels = _checked(test_counts, test_labels, n_classes)
    found = decide(test_counts, assigned, n_classes)
    hit = found.predicted == labels
    counted = ~found.tied if ties == "wrong" else np.ones(len(labels), bool)
    confusion = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(confusion, (labels[counted], found.predicted[counted]), 1)
    strict, plain = _mean(hit & ~found.tied), _mean(hit)
    return Readout(
        assigned=assigned,
        decisions=found,
        accuracy=strict if ties == "wrong" else plain,
        accuracy_ties_wrong=strict,
        accuracy_argmax=plain,
        n_test=len(labels),
        n_silent=int(found.silent.sum()),
        n_tied=int((found.tied & ~found.silent).sum()),
        confusion=confusion,
        undecided=np.bincount(labels[~counted], minlength=n_classes),
    )


def learning_curve(
    counts: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    samples: np.ndarray | None = None,
    points: int = 20,
    smallest: int = 50,
    assigned: np.ndarray | None = None,
) -> list[tuple[int, float]]:
    """How well the population could have been read out while it learned.

    The trials are cut into blocks; cells get their class on one block and are scored on the next, so no trial is
    ever judged by cells that it labelled itself. Both blocks see a network that is still changing, and a block is
    far smaller than a proper labelling phase: the curve is a lower estimate, for the course and not the level.

    Parameters
    ----------
    counts
        Spikes [T, N] in the order of the trials.
    labels
        Class of each trial [T].
    samples
        Which sample each trial showed [T]; trials whose sample is also in the block that gave the classes (at the
        seam of two passes) are then not scored.
    points
        About how many points the curve has.
    smallest
        No block is smaller.
    assigned
        Class of each cell [N], if it is fixed: then each block is scored as it is.

    Returns
    -------
    [(trials seen at the end of the scored block, accuracy with ties wrong)]; empty if there are not two blocks.
    """
    counts, labels = _checked(counts, labels, n_classes)
    size = max(smallest, -(-len(labels) // (points + 1)))
    curve = []
    if assigned is not None:
        for start in range(0, len(labels) - size + 1, size):
            block = slice(start, start + size)
            curve.append((start + size, judge(assigned, counts[block], labels[block], n_classes).accuracy_ties_wrong))
        return curve
    for start in range(0, len(labels) - 2 * size + 1, size):
        known, asked = slice(start, start + size), np.arange(start + size, start + 2 * size)
        if samples is not None:
            asked = asked[~np.isin(np.asarray(samples)[asked], np.asarray(samples)[known])]
        if asked.size:
            result = class_sum(counts[known], labels[known], counts[asked], labels[asked], n_classes)
            curve.append((start + 2 * size, result.accuracy_ties_wrong))
    return curve


def _checked(counts: np.ndarray, labels: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    counts, labels = np.asarray(counts), np.asarray(labels, dtype=np.int64)
    if counts.ndim != 2 or labels.shape != counts.shape[:1]:
        raise ValueError(f"expected counts [T, N] and labels [T], got {counts.shape} and {labels.shape}")
    if labels.size and not 0 <= labels.min() <= labels.max() < n_classes:
        raise ValueError(f"labels go from {labels.min()} to {labels.max()}, but there are {n_classes} classes")
    return counts, labels


def _one_hot(labels: np.ndarray, n_classes: int) -> np.ndarray:
    matrix = np.zeros((len(labels), n_classes))
    matrix[np.arange(len(labels)), labels] = 1.0
    return matrix


def _mean(hits: np.ndarray) -> float:
    return float(hits.mean()) if hits.size else float("nan")
