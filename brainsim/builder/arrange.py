"""Synapses in the order in which spikes reach them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Synapses that are put in order at a time, about: their values stay in the cache.
PIECE = 50_000


def by_arrival(i: np.ndarray, delay: np.ndarray, dt: float, columns: Sequence[np.ndarray]) -> None:
    """Put the synapses of each source in the order of their delays, in place.

    ``i`` holds the sources, sorted; ``delay`` and all ``columns`` have a value for each synapse, of which those with
    the same source and delay stay in their order. Delays, in seconds, become whole numbers of time steps ``dt``.
    """
    cells = int(i[-1]) + 1 if len(i) else 0
    begin = np.searchsorted(i, np.arange(cells + 1))
    first = 0
    while first < cells:
        last = max(first + 1, int(np.searchsorted(begin, begin[first] + PIECE, side="right")) - 1)
        piece = slice(begin[first], begin[last])
        steps = np.floor(delay[piece] / dt + 0.5).astype(np.int64)
        key = (i[piece].astype(np.int64) - first) * (int(steps.max(initial=0)) + 1) + steps
        # numpy sorts 16 bits in a time proportional to their number.
        order = np.argsort(key.astype(np.uint16) if key.max(initial=0) < 2**16 else key, kind="stable")
        delay[piece] = steps[order] * dt
        for column in columns:
            column[piece] = column[piece][order]
        first = last
