"""Functions whose C++ text would hold values: here the values are read from the table of numbers instead.

``@real(...)@`` in the text of a function stands for an entry of that table, see codeobject.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.input.binomial import BinomialFunction
from brian2.input.timedarray import TimedArray, _find_K

from brainsim.native.marks import real
from brainsim.native.rewrites import binomial


def _binomial(n: int, p: float, use_normal: bool, name: str) -> tuple[str, dict[str, Any]]:
    n, p = int(n), float(p)
    if use_normal:
        mean, deviation = n * p, np.sqrt(n * p * (1 - p))
        code = f"""
static double {name}(const int _i) {{ return {real(mean)} + {real(deviation)} * _randn(_i); }}
static double {name}(const int _i, const uint64_t _draw)
{{
    return {real(mean)} + {real(deviation)} * _randn(_i, _draw);
}}
template <class V> static V {name}_vector(native::Draws& _draws, const int _i, const uint64_t _draw)
{{
    const native::lane_of<V> mean = {real(mean)}, deviation = {real(deviation)};
    return mean + deviation * _randn_vector<V>(_draws, _i, _draw);
}}
"""
        return code, {"_randn": DEFAULT_FUNCTIONS["randn"]}
    if binomial.NAME in rewrites_in_use() and binomial.legal(n, p) is None:
        return binomial.code(n, p, name), {}
    # By inversion, for the rarer of the two outcomes. The sum of all terms can end a little below 1: draw again.
    rare = min(p, 1 - p)
    limit = min(float(n), n * rare + 10 * np.sqrt(n * rare * (1 - rare) + 1))
    code = f"""
static double {name}(const int _i)
{{
    const double trials = {real(n)}, none = {real((1 - rare) ** n)}, odds = {real(rare / (1 - rare))};
    double hits = 0, chance = none, left = _rand(_i);
    while (left > chance) {{
        hits += 1;
        if (hits > {real(limit)}) {{
            hits = 0, chance = none, left = _rand(_i);
        }} else {{
            left -= chance;
            chance *= odds * (trials - hits + 1) / hits;
        }}
    }}
    return {real(float(p > 0.5))} ? trials - hits : hits;
}}
static double {name}(const int _i, const uint64_t) {{ return {name}(_i); }}
"""
    return code, {"_rand": DEFAULT_FUNCTIONS["rand"]}


def _timed_array_1d(values: np.ndarray, dt: float, name: str) -> Callable[[Any], str]:
    def code(owner: Any) -> str:
        factor = _find_K(owner.clock.dt_, dt)
        return f"""
static inline double {name}(const double t)
{{
    const double factor = {real(factor)}, last = {real(len(values) - 1)};
    const double step = std::trunc((t / ({real(dt)} / factor) + 0.5) / factor);
    return _namespace{name}_values[int64_t(step < 0 ? 0 : step > last ? last : step)];
}}
"""

    return code


def _timed_array_2d(values: np.ndarray, dt: float, name: str) -> Callable[[Any], str]:
    def code(owner: Any) -> str:
        factor = _find_K(owner.clock.dt_, dt)
        return f"""
static inline double {name}(const double t, const int64_t i)
{{
    const double factor = {real(factor)}, last = {real(values.shape[0] - 1)};
    const int64_t columns = int64_t({real(values.shape[1])});
    if (i < 0 || i >= columns) return NAN;
    const double step = std::trunc((t / ({real(dt)} / factor) + 0.5) / factor);
    return _namespace{name}_values[int64_t(step < 0 ? 0 : step > last ? last : step) * columns + i];
}}
"""

    return code


def rewrites_in_use() -> frozenset[str]:
    from brainsim.native.device import native_device

    return native_device.rewrites


def register() -> None:
    """For all arrays and inputs created from now on."""
    BinomialFunction.implementations["native"] = _binomial
    TimedArray.implementations["native"] = (_timed_array_1d, _timed_array_2d)
