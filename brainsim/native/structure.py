"""Which synapses a spike reaches, and when: runs of synapses by source and delay."""

from __future__ import annotations

import numpy as np

from brainsim.native.arrays import Stretches

#: How many synapses ahead delivery asks for values.
AHEAD = 40


def stable_order(*keys: np.ndarray) -> np.ndarray | None:
    """The order that sorts by the last key, then by the one before ...; None if everything is in order.

    Keys are whole numbers from 0. In pieces of 16 bits, which numpy sorts in a time proportional to their number.
    """
    if all(len(key) < 2 or bool((key[1:] >= key[:-1]).all()) for key in keys[-1:]) and len(keys) == 1:
        return None
    order: np.ndarray | None = None
    for key in keys:
        for shift in range(0, max(1, int(key.max(initial=0)).bit_length()), 16):
            piece = ((key >> shift) & 0xFFFF).astype(np.uint16)
            step = np.argsort(piece if order is None else piece[order], kind="stable")
            order = step if order is None else order[step]
    assert order is not None
    return None if bool((order[1:] > order[:-1]).all()) else order


def whole_steps(delays: np.ndarray, dt: float) -> np.ndarray:
    """Delays in time steps, rounded as Brian2 does."""
    return np.floor(np.asarray(delays, float) / dt + 0.5).astype(np.int64)


class Structure:
    """Synapses by source and delay.

    The synapses of one source with one delay are a *run*. They have *places* that follow one another, in the order of
    their numbers; places are ordered by source, then by delay.

    Parameters
    ----------
    sources : int array, shape (synapses,)
        The source of each synapse.
    steps : int array, shape (synapses,) or (1,)
        Its delay, in time steps.
    first, last : int
        Sources are numbered ``first <= source < last``.
    """

    synapse: np.ndarray | None  # the synapse at each place; None where that is its number

    def __init__(self, sources: np.ndarray, steps: np.ndarray, first: int, last: int) -> None:
        count = len(sources)
        one = steps.size == 0 or int(steps.min()) == int(steps.max())
        order = stable_order(sources) if one else stable_order(steps, sources)
        self.synapse = None
        if order is not None:
            room = np.zeros(count + AHEAD, np.int32)  # delivery looks a little ahead
            self.synapse = room[:count]
            self.synapse[:] = order
        if order is not None:
            sources = sources[order]
        if one:
            new = sources[1:] != sources[:-1]
        else:
            steps = steps if order is None else steps[order]
            new = (sources[1:] != sources[:-1]) | (steps[1:] != steps[:-1])
        begin = np.concatenate([np.zeros(min(count, 1), np.int64), np.nonzero(new)[0] + 1])
        delays = np.full(len(begin), int(steps.max(initial=0))) if one else steps[begin]
        self._set_runs(begin, sources[begin], delays, count, first, last)

    def _set_runs(
        self, begin: np.ndarray, sources: np.ndarray, steps: np.ndarray, count: int, first: int, last: int
    ) -> None:
        """Runs in order: where each begins, its source and its delay."""
        self.row = np.searchsorted(sources, np.arange(first, last + 1)).astype(np.int64)
        self.begin = np.append(begin, count).astype(np.int64)
        self.delay = steps.astype(np.int32)
        self.longest = int(steps.max(initial=0))

    @classmethod
    def of_stretches(cls, sources: Stretches, delays: Stretches, dt: float, first: int, last: int) -> Structure | None:
        """The same from packed arrays, where synapses are numbered by source and delay; None where they are not."""
        begin = np.union1d(sources.begin, delays.begin)[:-1]
        source = np.repeat(sources.values, np.diff(np.searchsorted(begin, sources.begin)))
        steps = np.repeat(whole_steps(delays.values, dt), np.diff(np.searchsorted(begin, delays.begin)))
        ahead, longer = np.diff(source), np.diff(steps)
        if not ((ahead > 0) | ((ahead == 0) & (longer >= 0))).all():
            return None
        new = np.append(True, (ahead > 0) | (longer > 0))  # delays that differ may be the same in steps
        made = cls.__new__(cls)
        made.synapse = None
        made._set_runs(begin[new], source[new], steps[new], int(sources.begin[-1]), first, last)
        return made

    def is_same(self, other: Structure) -> bool:
        """Whether runs and places are the same."""
        if self.synapse is None or other.synapse is None:
            same = self.synapse is other.synapse
        else:
            same = np.array_equal(self.synapse, other.synapse)
        pairs = (self.row, other.row), (self.begin, other.begin), (self.delay, other.delay)
        return same and all(np.array_equal(mine, its) for mine, its in pairs)

    def synapses(self, listed: np.ndarray) -> np.ndarray:
        """The numbers of the synapses in a list of the queue."""
        places = [np.arange(self.begin[e], self.begin[e + 1]) if e >= 0 else np.array([~e]) for e in listed]
        found = np.concatenate(places) if places else np.zeros(0, np.int64)
        return (found if self.synapse is None else self.synapse[found]).astype(np.int32)

    def listed(self, synapses: np.ndarray) -> np.ndarray:
        """A list for the queue: runs where all synapses of a run follow one another, and single ones."""
        places = np.asarray(synapses, np.int64)
        if len(places) == 0 or len(self.begin) == 1:
            return (~places).astype(np.int32)
        if self.synapse is not None:
            place = np.empty(len(self.synapse), np.int64)
            place[self.synapse] = np.arange(len(place))
            places = place[places]
        run = np.searchsorted(self.begin, places, side="right") - 1
        length = self.begin[run + 1] - self.begin[run]
        last = np.arange(len(places)) + length - 1
        following = np.concatenate([[0], np.cumsum(np.diff(places) == 1)])  # a run is one stretch of these
        within = last < len(places)
        whole = (places == self.begin[run]) & within
        whole[within] &= following[last[within]] - following[within] == length[within] - 1
        covered = np.zeros(len(places) + 1, np.int64)
        np.add.at(covered, np.nonzero(whole)[0], 1)
        np.add.at(covered, last[whole] + 1, -1)
        single = np.cumsum(covered[:-1]) == 0
        return np.where(whole, run, ~places)[whole | single].astype(np.int32)
