"""The words of Brian2's language: functions, constants, built-in variables, and names a model may not take."""

from __future__ import annotations

import keyword
import re

from brainsim.units import NONE, UNITS, Dims, parse_unit

#: Function -> number of arguments.
FUNCTIONS: dict[str, int] = {
    **dict.fromkeys(("exp", "log", "log10", "log1p", "expm1", "exprel", "sqrt", "abs", "sign", "floor", "ceil"), 1),
    **dict.fromkeys(("sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "int", "poisson"), 1),
    "clip": 3,
    "timestep": 2,
    "rand": 0,
    "randn": 0,
}
#: Functions that draw random numbers; Brian2 takes each of them once in an expression.
RANDOM = frozenset({"rand", "randn", "poisson"})
CONSTANTS = frozenset({"pi", "e", "inf"})

_SECOND = parse_unit("second")[1]
#: Variables Brian2 brings along, with their dimensions. No model may declare them.
BUILT_IN: dict[str, Dims] = {
    **dict.fromkeys(("t", "dt", "lastupdate", "lastspike", "refractory_until", "delay"), _SECOND),
    **dict.fromkeys(("i", "j", "N", "N_pre", "N_post", "N_incoming", "N_outgoing"), NONE),
    **dict.fromkeys(("not_refractory", "t_in_timesteps"), NONE),
}
#: ``xi`` is white noise: its variance over a time is that time.
XI: Dims = (0, 0, -0.5, 0, 0, 0, 0)

_CPP = frozenset(
    """
    alignas alignof and_eq asm atomic_cancel atomic_commit atomic_noexcept auto bitand bitor bool break case catch
    char char16_t char32_t char8_t class compl concept const const_cast consteval constexpr constinit continue
    co_await co_return co_yield decltype default delete do double dynamic_cast else enum explicit export extern
    false float for friend goto if inline int long mutable namespace new noexcept not_eq nullptr operator or_eq
    private protected public register reinterpret_cast requires return short signed sizeof static static_assert
    static_cast struct switch template this thread_local throw true try typedef typeid typename union unsigned
    using virtual void volatile wchar_t while xor xor_eq
    """.split()  # noqa: SIM905
)


def is_xi(name: str) -> bool:
    return name == "xi" or name.startswith("xi_")


def is_constant(name: str) -> bool:
    """Whether the language itself gives the name a value: ``pi``, ``mV``."""
    return name in CONSTANTS or name in UNITS


def refused_name(name: str) -> str:
    """Why a model may not declare a variable or parameter of this name; an empty string if it may."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
        return "a name is made of the letters a-z, digits and underscores, and starts with a letter"
    if name.startswith("_"):
        return "names that start with an underscore belong to Brian2"
    if name in UNITS:
        return f"{name} is a unit"
    if name in CONSTANTS:
        return f"{name} is a constant"
    if name in FUNCTIONS:
        return f"{name} is a function"
    if keyword.iskeyword(name):
        return f"{name} is a word of Python"
    if name in _CPP:
        return f"{name} is a word of C++, and the model is compiled"
    if name in BUILT_IN or is_xi(name) or name == "refractory":
        return f"{name} has a meaning of its own in Brian2"
    if name.endswith(("_pre", "_post")):
        return f"the ending {name[name.rindex('_') :]} marks a variable of the cell on that side of a synapse"
    return ""
