"""The words of Brian2's language: functions, constants, built-in variables, and names a model may not take."""

from __future__ import annotations

import ast
import builtins
import errno
import functools
import importlib.util
import keyword
import re
from pathlib import Path

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

#: Words of C++; a variable becomes a C++ variable of the same name.
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


#: Macros of the C headers every generated file includes, and functions the generated code calls by their C name.
_C = frozenset(
    """
    BUFSIZ BIG_ENDIAN LITTLE_ENDIAN BYTE_ORDER CHAR_BIT CHAR_MAX CHAR_MIN CLOCKS_PER_SEC EOF EXIT_FAILURE
    EXIT_SUCCESS FILENAME_MAX FOPEN_MAX FP_INFINITE FP_NAN FP_NORMAL FP_SUBNORMAL FP_ZERO HUGE_VAL HUGE_VALF HUGE_VALL
    INFINITY INT_MAX INT_MIN LLONG_MAX LLONG_MIN LONG_MAX LONG_MIN L_tmpnam MATH_ERREXCEPT MATH_ERRNO MAXFLOAT
    MB_CUR_MAX MB_LEN_MAX NAN NULL PATH_MAX RAND_MAX SCHAR_MAX SCHAR_MIN SEEK_CUR SEEK_END SEEK_SET SHRT_MAX SHRT_MIN
    SIZE_MAX TMP_MAX UCHAR_MAX UINT_MAX ULLONG_MAX ULONG_MAX USHRT_MAX errno math_errhandling
    acos asin atan fabs fmod pow size_t int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t
    """.split()  # noqa: SIM905
) | frozenset(errno.errorcode.values())
_C_PATTERN = re.compile(r"M_(1_PI|2_PI|2_SQRTPI|E|LN2|LN10|LOG2E|LOG10E|PI|PI_2|PI_4|SQRT1_2|SQRT2)[a-z]?\d*x?")
_CYTHON = frozenset(("DEF", "IF", "cdef", "cimport", "complex", "cpdef", "ctypedef", "include", "len", "range"))
#: What Brian2's objects and code templates call their own: a variable of this name hides it.
_BRIAN2 = frozenset(
    """
    active add_attribute add_dependency add_to_magic_network after_run assign_id before_run check_variable_write clock
    code_objects codeobj_class connect contained_objects custom_operation default_event equations event_codes
    event_driven events get_states id indices invalidates_magic_network method_choice multisynaptic_index name
    namespace numpy order post pre register_variable resetter resolve_all run run_at run_on_clock run_on_event
    run_regularly runner
    set_event_schedule set_states source spikes start state state_updater stop subexpression_updater summed_updaters
    target thresholder unregister_variable updaters user_equations variables verify_dependencies when
    c_data_type codeobj_name constant_or_scalar cpp_dtype denormals_code_lines eventspace_variable get_array_name
    hashdefine_lines load_namespace numpy_dtype openmp_pragma owner pathway pointers_lines prefs profiled scalar_code
    self support_code_lines user_headers variable_indices vector_code refractory N_incoming_post N_outgoing_pre
    """.split()  # noqa: SIM905
)
#: Units Brian2 reserves beyond those brainsim reads: mmetre2, Mliter, ...
_UNIT = re.compile(
    r"(?:da|[YZEPTGMkhdcmunpfazy])?(?:metre|meter|gramme|gram|second|ampere|amp|kelvin|mole|candle|hertz|newton|pascal|joule"
    r"|watt|coulomb|volt|farad|ohm|siemens|weber|tesla|henry|lumen|lux|becquerel|gray|sievert|katal|radian|steradian"
    r"|kilogramme|kilogram|mol|liter|litre|molar)[23]?|[cmu]?m[23]|kilogram(?:me)?[23]?|celsius"
)


def is_xi(name: str) -> bool:
    return name == "xi" or name.startswith("xi_")


def is_constant(name: str) -> bool:
    """Whether the language itself gives the name a value: ``pi``, ``mV``."""
    return name in CONSTANTS or name in UNITS


@functools.cache
def _sympified() -> frozenset[str]:
    """Names that mean something to SymPy or Python: Brian2's exact integrator reads a variable's name as an expression.

    ``E`` gives a wrong result without any message, ``S`` and ``beta`` crash; ``I``, the imaginary unit, comes out
    right. SymPy is not imported for this: it takes a second.
    """
    words = set(dir(builtins))
    spec = importlib.util.find_spec("sympy")
    if spec and spec.origin:
        for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                words |= set(ast.literal_eval(node.value))
    return frozenset(words - {"I"})


def refused_name(name: str, kind: str = "") -> str:
    """Why a model may not declare a variable or parameter of this name; an empty string if it may.

    For ``kind`` "diff", a variable with a differential equation, more names are taken.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
        return "a name is made of the letters a-z, digits and underscores, and starts with a letter"
    if name.startswith("_"):
        return "names that start with an underscore belong to Brian2"
    if name in UNITS or _UNIT.fullmatch(name):
        return f"{name} is a unit"
    if name in CONSTANTS:
        return f"{name} is a constant"
    if name in FUNCTIONS:
        return f"{name} is a function"
    if keyword.iskeyword(name):
        return f"{name} is a word of Python"
    if name in _CPP:
        return f"{name} is a word of C++, and the model is compiled"
    if name in _C or _C_PATTERN.fullmatch(name) or name in _CYTHON:
        return f"{name} has a meaning of its own in the compiled code"
    if name in BUILT_IN or is_xi(name) or name in _BRIAN2:
        return f"{name} has a meaning of its own in Brian2"
    if name.endswith(("_pre", "_post")):
        return f"the ending {name[name.rindex('_') :]} marks a variable of the cell on that side of a synapse"
    if name.endswith("_"):
        return "in Brian2 an underscore at the end reads the variable without its unit"
    if kind == "diff" and name in _sympified():
        return f"{name} is a name of SymPy, which would integrate the equation wrongly or not at all"
    return ""
