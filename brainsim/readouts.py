"""Spikes -> decisions. Arrays in, arrays out; knows no network and no files.

Two learn from labelled trials. ``class_sum``, Garg et al. (2022) Front Neurosci 16:983950: a cell belongs to the class
it fires for most, per presentation of that class; a sample belongs to the class whose cells fire most together. (The
mean per cell instead of the sum costs one to two points.) ``linear``: ridge regression of the classes on the counts.

Three learn nothing, because cells stand for classes. In ``spike_count`` (most spikes) and ``first_spike`` (earliest
spike) they do so in equal blocks, in the order of the classes; in ``population_vector`` around a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

#: Class of a cell that never fired while classes were given.
SILENT = -1


@dataclass(frozen=True)
class Decisions:
    """What a population says about each of T samples of C classes."""

    scores: np.ndarray  # [T, C]: what speaks for each class, such as the spikes of its cells
    predicted: np.ndarray  # int64 [T]: first class with the highest score
    tied: np.ndarray  # bool [T]: the highest score is not unique; a silent sample is tied as well
    silent: np.ndarray  # bool [T]: no cell that has a class fired
    angle: np.ndarray = field(default_factory=lambda: np.zeros(0))  # [T] radians, of ``population_vector`` only


@dataclass(frozen=True)
class Readout:
    """Decisions about samples whose classes are known, and how many are right."""

    assigned: np.ndarray  # int64 [N]: class of each cell, or SILENT; [0] where cells have none
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


def judge(
    assigned: np.ndarray, test_counts: np.ndarray, test_labels: np.ndarray, n_classes: int, ties: str = "wrong"
) -> Readout:
    """Decide about trials with cells that have a class; ``ties`` as for :func:`score`."""
    test_counts, labels = _checked(test_counts, test_labels, n_classes)
    return score(decide(test_counts, assigned, n_classes), labels, n_classes, ties, assigned)


def blocks(n_cells: int, n_classes: int) -> np.ndarray:
    """Class of each cell where equal blocks stand for the classes in their order, as a teacher gives them out.

    Raises ``ValueError`` if the cells cannot be shared equally.
    """
    if n_cells < 1 or n_cells % n_classes:
        raise ValueError(f"{n_cells} cells cannot be shared by {n_classes} classes in equal blocks")
    return np.repeat(np.arange(n_classes), n_cells // n_classes)


def spike_count(counts: np.ndarray, n_classes: int) -> Decisions:
    """The class whose block of cells has the most spikes; counts [T, N], N a multiple of the classes."""
    return decide(counts, blocks(np.shape(counts)[1], n_classes), n_classes)


def first_spike(steps: np.ndarray, n_classes: int, never: int) -> Decisions:
    """The class whose block of cells has the first spike; ``steps`` [T, N] of it, ``never`` for no spike.

    Two classes that are first in the same step tie.
    """
    steps = np.asarray(steps, np.int64)
    size = len(blocks(steps.shape[1], n_classes)) // n_classes
    first = steps.reshape(len(steps), n_classes, size).min(axis=2)
    return _decisions(-first, first.min(axis=1) >= never)


def fit_linear(counts: np.ndarray, labels: np.ndarray, n_classes: int, *, ridge: float = 1.0) -> np.ndarray:
    """Weights [N + 1, C] whose product with (counts, 1) comes nearest to 1 for the class shown and 0 for the others.

    Least squares with the penalty ``ridge`` times the squared weights, that of the constant excepted; 0 is ordinary
    least squares, and of many solutions the smallest (Hoerl & Kennard 1970, Technometrics 12:55).
    """
    counts, labels = _checked(counts, labels, n_classes)
    if not len(counts):
        return np.zeros((counts.shape[1] + 1, n_classes))
    x, y = counts.astype(float), _one_hot(labels, n_classes)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean_x, y - mean_y
    if ridge > 0:  # of two equal systems the smaller
        wide = x.shape[0] < x.shape[1]
        gram = x @ x.T if wide else x.T @ x
        gram[np.diag_indices_from(gram)] += ridge
        weights = x.T @ np.linalg.solve(gram, y) if wide else np.linalg.solve(gram, x.T @ y)
    else:
        weights = np.linalg.lstsq(x, y, rcond=None)[0]
    return np.vstack([weights, mean_y - mean_x @ weights])


def decide_linear(counts: np.ndarray, weights: np.ndarray) -> Decisions:
    """The class with the largest weighted sum of counts [T, N]; weights [N + 1, C], the last row a constant."""
    counts = np.asarray(counts)
    return _decisions(counts @ weights[:-1] + weights[-1], counts.sum(axis=1) == 0)


def population_vector(counts: np.ndarray, preferred: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Circular mean of preferred angles, weighted by spikes: (angle [T] from 0 to 2 pi, length [T] from 0 to 1).

    Parameters
    ----------
    counts
        Spikes [T, N].
    preferred
        Angle in radians for which each cell fires most [N]; by default cell k of N prefers 2 pi k/N.

    Georgopoulos, Schwartz & Kettner (1986) Science 233:1416. Without spikes the angle is nan and the length 0.
    """
    counts = np.asarray(counts, float)
    if preferred is None:
        preferred = 2 * np.pi * np.arange(counts.shape[1]) / max(counts.shape[1], 1)
    total = counts.sum(axis=1)
    vector = counts @ np.exp(1j * np.asarray(preferred)) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, np.mod(np.angle(vector), 2 * np.pi), np.nan), np.abs(vector)


def centre_of_mass(counts: np.ndarray, preferred: np.ndarray) -> np.ndarray:
    """Mean of preferred values [N] on a line, weighted by spikes [T, N]; nan without spikes."""
    counts = np.asarray(counts, float)
    total = counts.sum(axis=1)
    return np.where(total > 0, counts @ np.asarray(preferred) / np.where(total > 0, total, 1.0), np.nan)


def decide_population_vector(counts: np.ndarray, n_classes: int) -> Decisions:
    """The class nearest to the population vector; cells and classes are spread evenly, class k at 2 pi k/C."""
    angle, length = population_vector(counts)
    scores = length[:, None] * np.cos(np.nan_to_num(angle)[:, None] - 2 * np.pi * np.arange(n_classes) / n_classes)
    # Rounded, so that a vector that vanishes or lies half way is a tie and no matter of the last bits.
    made = _decisions(np.round(scores, 9), np.asarray(counts).sum(axis=1) == 0)
    return replace(made, angle=angle)


@dataclass(frozen=True)
class Method:
    """A readout as an experiment names it; ``data`` are spike counts [T, N], or first steps."""

    decide: Callable[[np.ndarray, np.ndarray, int, int], Decisions]  # (data, what was fitted, classes, never)
    fit: Callable[..., np.ndarray] | None = None  # (data, labels, classes, **parameters)
    reads: str = "counts"  # or first_step: the step of each cell's first spike, ``never`` if it has none
    blocks: bool = False  # cells stand for classes in equal blocks
    parameters: Mapping[str, float] = field(default_factory=dict)  # name -> default


#: What ``readout:`` of an experiment may name.
READOUTS: dict[str, Method] = {
    "class_sum": Method(lambda data, assigned, n, never: decide(data, assigned, n), assign),
    "linear": Method(lambda data, weights, n, never: decide_linear(data, weights), fit_linear, parameters={"ridge": 1}),
    "spike_count": Method(lambda data, _, n, never: spike_count(data, n), blocks=True),
    "first_spike": Method(lambda data, _, n, never: first_spike(data, n, never), reads="first_step", blocks=True),
    "population_vector": Method(lambda data, _, n, never: decide_population_vector(data, n)),
}


def fit(name: str, data: np.ndarray, labels: np.ndarray, n_classes: int, **parameters: float) -> np.ndarray:
    """What a readout learns from trials whose class is known: classes of cells or weights; nothing for some.

    For those whose cells stand for classes, the class of each cell.
    """
    method = READOUTS[name]
    if method.fit is not None:
        return method.fit(data, labels, n_classes, **parameters)
    return blocks(np.shape(data)[1], n_classes) if method.blocks else np.zeros(0, np.int64)


def evaluate(
    name: str,
    fitted: np.ndarray,
    data: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    ties: str = "wrong",
    never: int = 2**31 - 1,
) -> Readout:
    """Decide about trials with any readout of ``READOUTS``, after :func:`fit`.

    Parameters
    ----------
    fitted
        What :func:`fit` gave.
    data
        Spike counts [T, N]; for ``first_spike`` the step of each cell's first spike, ``never`` if it has none.
    labels
        Class of each trial [T].
    """
    data, labels = _checked(data, labels, n_classes)
    made = READOUTS[name].decide(data, fitted, n_classes, never)
    return score(made, labels, n_classes, ties, fitted if fitted.ndim == 1 else np.zeros(0, np.int64))


def score(found: Decisions, labels: np.ndarray, n_classes: int, ties: str, assigned: np.ndarray) -> Readout:
    """How many decisions are right.

    ``ties`` says what a tie counts as in ``accuracy`` and ``confusion``: ``wrong``, or ``first`` (the lowest of the
    classes that tie). Both figures are always there. No test trials: the accuracies are nan.
    """
    if ties not in ("wrong", "first"):
        raise ValueError(f"ties is wrong or first, not {ties!r}")
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
    method: str = "class_sum",
    never: int = 2**31 - 1,
    parameters: Mapping[str, float] | None = None,
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
    method, never, parameters
        The readout, as for :func:`fit` and :func:`evaluate`. Of one that learns nothing each block is scored as it is.

    Returns
    -------
    [(trials seen at the end of the scored block, accuracy with ties wrong)]; empty if there are not two blocks.
    """
    counts, labels = _checked(counts, labels, n_classes)
    size = max(smallest, -(-len(labels) // (points + 1)))
    curve = []
    if READOUTS[method].fit is None:
        fitted = fit(method, counts, labels, n_classes)
        for start in range(0, len(labels) - size + 1, size):
            block = slice(start, start + size)
            result = evaluate(method, fitted, counts[block], labels[block], n_classes, never=never)
            curve.append((start + size, result.accuracy_ties_wrong))
        return curve
    for start in range(0, len(labels) - 2 * size + 1, size):
        known, asked = slice(start, start + size), np.arange(start + size, start + 2 * size)
        if samples is not None:
            asked = asked[~np.isin(np.asarray(samples)[asked], np.asarray(samples)[known])]
        if asked.size:
            fitted = fit(method, counts[known], labels[known], n_classes, **(parameters or {}))
            result = evaluate(method, fitted, counts[asked], labels[asked], n_classes, never=never)
            curve.append((start + 2 * size, result.accuracy_ties_wrong))
    return curve


def _decisions(scores: np.ndarray, silent: np.ndarray) -> Decisions:
    """The class with the highest score; a silent trial ties as well."""
    top = scores.max(axis=1, keepdims=True)
    return Decisions(scores, np.argmax(scores, axis=1), ((scores == top).sum(axis=1) > 1) | silent, silent)


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
