"""binomial: the numbers of a PoissonInput from a table of the distribution instead of step by step.

Legal where the mean of the rarer outcome is at most 20, so that the table is short.

A table holds the distribution function in steps of 2^-32; a number is how many of its entries a random word of 32 bits
exceeds. Probabilities are right to 2^-32, and what has a smaller one never happens.
"""

from __future__ import annotations

import numpy as np

from brainsim.native.marks import real

NAME = "binomial"
_LONGEST_MEAN = 20.0


def legal(n: int, p: float) -> str | None:
    mean = n * min(p, 1 - p)
    return None if mean <= _LONGEST_MEAN else f"its table would be long: the mean is {mean:.3g}"


def thresholds(n: int, p: float) -> list[float]:
    """How large a word has to be to exceed 0, 1, ...: a multiple of eight of them."""
    chance = (1 - p) ** n
    total = chance
    found: list[float] = []
    while len(found) < n and 1 - total > 2.0**-33:
        found.append(min(max(np.ceil(total * 2.0**32) - 1, 0.0), 2.0**32 - 1))
        hits = len(found)
        chance *= p / (1 - p) * (n - hits + 1) / hits
        if chance < 2.0**-60:
            break
        total += chance
    return found + [2.0**32 - 1] * (-len(found) % 8 or 8 * (not found))


def code(n: int, p: float, name: str) -> str:
    """C++ functions: the number for element i, by call site or counted, and eight at once."""
    table = thresholds(n, min(p, 1 - p))
    offset, factor = (float(n), -1.0) if p > 0.5 else (0.0, 1.0)
    rest = " ".join(real(value) for value in table[1:])
    return f"""
static inline const double* {name}_row(native::Draws& _draws, const int64_t _i, const uint64_t _draw)
{{
    return _draws.exceeded(_i, _draw, &{real(table[0])}, {len(table)});  // {rest}
}}
static inline double {name}(const int64_t _i, const uint64_t _draw)
{{
    return {real(offset)} + {real(factor)} * *{name}_row(native::draws, _i, _draw);
}}
static inline double {name}(const int64_t _i) {{ return {name}(_i, native::draws.next(_i)); }}
static inline native::Doubles {name}_vector(native::Draws& _draws, const int64_t _i, const uint64_t _draw)
{{
    return {real(offset)} + {real(factor)} * native::load<native::Doubles>({name}_row(_draws, _i, _draw));
}}
"""
