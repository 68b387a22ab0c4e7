"""binomial: the numbers of a PoissonInput from a table of the distribution instead of step by step.

Legal where the distribution of the rarer outcome has at most 32 values with a probability of 2^-33 or more.

The table is Walker's (1977), made by Vose's method (1991): 32 columns with the same probability, each of which belongs
to at most two values. A random column and a comparison with the share of its own value give a number. Shares are whole
numbers of 2^-27, so probabilities are right to 2^-32, and what has a smaller one never happens.
"""

from __future__ import annotations

import numpy as np

from brainsim.native.marks import real

NAME = "binomial"
COLUMNS, SHARES = 32, 2**27


def legal(n: int, p: float) -> str | None:
    values = len(weights(n, min(p, 1 - p)))
    return None if values <= COLUMNS else f"its table would be long: there are {values} numbers that happen"


def weights(n: int, p: float) -> list[int]:
    """The probabilities of 0, 1, ... in whole numbers of 2^-32, whose sum is 2^32 (cut off where that is no use)."""
    chance = total = (1 - p) ** n
    edges = [total]
    while 1 - total > 2.0**-33 and len(edges) <= min(n, COLUMNS):
        chance *= p / (1 - p) * (n - len(edges) + 1) / len(edges)
        total += chance
        edges.append(total)
    wholes = np.round(np.array(edges) * 2.0**32)
    wholes[-1] = 2.0**32
    return np.diff(wholes, prepend=0).astype(int).tolist()


def table(n: int, p: float) -> list[tuple[int, int]]:
    """For each column the share of the value that has its number, and the value that has the rest."""
    left = weights(n, p)
    left += [0] * (COLUMNS - len(left))
    columns = [(SHARES, column) for column in range(COLUMNS)]
    small = [column for column in range(COLUMNS) if left[column] < SHARES]
    large = [column for column in range(COLUMNS) if left[column] > SHARES]
    while small:
        column, other = small.pop(), large[-1]
        columns[column] = (left[column], other)
        left[other] -= SHARES - left[column]
        if left[other] <= SHARES:
            large.pop()
            if left[other] < SHARES:
                small.append(other)
    return columns


def code(n: int, p: float, name: str) -> str:
    """C++ functions: the number for element i, by call site or counted, and those of a vector."""
    entries = [real(64 * share + other) for share, other in table(n, min(p, 1 - p))]
    # Where hits are the more frequent outcome, misses are drawn.
    scalar = vector = ""
    if p > 0.5:
        scalar, vector = f"{real(n)} - ", f"native::lane_of<V>({real(n)}) - "
    return f"""
static inline const uint16_t* {name}_row(native::Draws& _draws, const int64_t _i, const uint64_t _draw)
{{
    return _draws.number(_i, _draw, &{entries[0]});  // {" ".join(entries[1:])}
}}
static inline double {name}(const int64_t _i, const uint64_t _draw)
{{
    return {scalar}*{name}_row(native::draws, _i, _draw);
}}
static inline double {name}(const int64_t _i) {{ return {name}(_i, native::draws.next(_i)); }}
template <class V> static inline V {name}_vector(native::Draws& _draws, const int64_t _i, const uint64_t _draw)
{{
    return {vector}native::widened<V>({name}_row(_draws, _i, _draw));
}}
"""
