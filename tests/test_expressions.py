"""Expressions and statements: what gets through, where errors are, Brian2's dimensions, numpy's values."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainsim.errors import FileError, Mark
from brainsim.expressions import dims_of, parse, parse_code, undeclared
from brainsim.names import BUILT_IN, FUNCTIONS
from brainsim.units import NONE, UNITS, DimensionError, Quantity, parse_unit
from brainsim.units import parse as quantity


def problem(text: str, reader=parse, **options):
    """The one problem of a wrong text."""
    with pytest.raises(FileError) as caught:
        reader(text, **options)
    (found,) = caught.value.problems
    return found


# --- what is refused, and where -------------------------------------------------------------------------

REFUSED = [
    # text, kind, column, words of the message, words of the hint
    ("9**9**9**9", "limit", 4, "power in an exponent", "name of its own"),
    ("x**21", "limit", 4, "at most 20", "exp"),
    ("x**-21", "limit", 4, "at most 20", ""),
    ("x**(7*3)", "limit", 5, "at most 20", ""),
    ("2**(x**2)", "limit", 5, "power in an exponent", ""),
    ("((9**20)**20)**20", "limit", 1, "too large", ""),
    ("(a + b + c + d + f + g)**20", "limit", 1, "2,000 terms", ""),
    ("*".join(f"(a{k} + b{k})" for k in range(20)), "limit", 1, "2,000 terms", ""),
    ("1e999", "limit", 1, "too large", ""),
    ("12345678901234567", "limit", 1, "too large", ""),
    ("(" * 5000, "limit", 66, "64 brackets", ""),
    ("-" * 9000 + "x", "limit", 66, "64 brackets or signs", ""),
    ("-" * 10_000 + "x", "limit", 1, "10,000 characters", ""),
    ("x+" * 4900 + "x", "limit", 1, "", "name of its own"),
    ("x+" * 250 + "x", "limit", 1, "200 operators", "name of its own"),
    ("__import__('os')", "syntax", 12, "'", "no text"),
    ("__import__(os)", "name", 1, "__import__ is not a function", ""),
    ("__builtins__", "name", 1, "underscore", "Brian2"),
    ("a.b", "syntax", 2, ". does not belong", "v_pre"),
    ("(1).real", "syntax", 4, ". does not belong", ""),
    ("x[0]", "syntax", 2, "[ does not belong", "indices"),
    ("{x}", "syntax", 1, "{ does not belong", "templating"),
    ("(a := 3)", "syntax", 4, ": does not belong", ""),
    ("await x", "syntax", 1, "await", ""),
    ("lambda: 3", "syntax", 1, "lambda", ""),
    ("f'{x}'", "syntax", 2, "'", "no text"),
    ('"text"', "syntax", 1, '"', "no text"),
    ("b'x'", "syntax", 2, "'", ""),
    ("a < b < c", "syntax", 9, "chain of comparisons", "a < b and b < c"),
    ("1 if a else b", "syntax", 3, "if does not belong", "int(c)*a"),
    ("[x for x in y]", "syntax", 1, "[", ""),
    ("µ + 1", "syntax", 1, "µ", "Write u"),
    ("größe", "syntax", 3, "ö", "a-z"),
    ("ａ + 1", "syntax", 1, "ａ", "a-z"),  # Python would read it as a plain a
    ("a\0b", "syntax", 2, "\\x00", ""),
    ("", "syntax", 1, "missing here", ""),
    ("   # only a comment", "syntax", 1, "missing here", ""),
    ("20 ms", "syntax", 4, "missing between 20 and ms", "20*ms"),
    ("20ms", "syntax", 1, "20ms is not a number", "20*ms"),
    ("a b", "syntax", 3, "missing between a and b", ""),
    ("2(x)", "syntax", 2, "missing between 2 and (", ""),
    ("(x)(y)", "syntax", 4, "missing between ) and (", ""),
    ("a +", "syntax", 4, "missing after +", ""),
    ("a + * b", "syntax", 5, "missing between + and *", ""),
    ("a, b", "syntax", 2, "comma", "0.5"),
    ("0,5", "syntax", 2, "comma", "0.5"),
    ("(a", "syntax", 1, "never closed", ""),
    ("a)", "syntax", 2, "closes nothing", ""),
    ("()", "syntax", 2, "missing between ( and )", ""),
    ("007", "syntax", 1, "start with 0", "7"),
    ("0x10", "syntax", 1, "not a number", ""),
    ("1_000", "syntax", 1, "not a number", ""),
    ("1j", "syntax", 1, "not a number", ""),
    ("a ^ b", "syntax", 3, "^", "**"),
    ("a && b", "syntax", 3, "&", "Write and"),
    ("!a", "syntax", 1, "!", "Write not"),
    ("a = b", "syntax", 3, "=", "=="),
    ("a is b", "syntax", 3, "is does not belong", "=="),
    ("true", "syntax", 1, "true", "True"),
    ("None", "syntax", 1, "None", ""),
    ("a\\\nb", "syntax", 2, "\\", "brackets"),
    ("exq(x)", "name", 1, "exq is not a function", "Did you mean exp?"),
    ("exp(1, 2)", "syntax", 1, "one argument, got 2", ""),
    ("rand(3)", "syntax", 1, "no argument, got 1", ""),
    ("clip(x, 0)", "syntax", 1, "3 arguments, got 2", ""),
    ("exp(x=3)", "syntax", 6, "=", ""),
    ("exp(*a)", "syntax", 5, "missing between ( and *", ""),
    ("1 + rand", "syntax", 5, "rand is a function", "rand(...)"),
    ("x > 0 and 3", "value", 11, "3 is a number", "Compare"),
    ("not 4*x", "value", 5, "4*x is a number", ""),
    ("-(x > 0)", "value", 1, "sign", "int"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "column", "message", "hint"), REFUSED, ids=[r[0][:25] for r in REFUSED])
def test_refused_with_place_and_next_step(text, kind, column, message, hint):
    start = time.perf_counter()
    found = problem(text)
    assert time.perf_counter() - start < 60  # no hang
    assert (found.kind, found.mark) == (kind, Mark("<expression>", 1, column))
    assert message in found.message
    assert hint in found.hint


@given(st.text(alphabet="()+-*/%<>=!.,:;'\"[]{}#@ \n\0xyµ019e_ifnotandlambda", max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_text_gives_a_value_or_our_own_error(text):
    for reader in (parse, parse_code):
        try:
            reader(text)
        except FileError as error:
            assert all(p.mark for p in error.problems)


ACCEPTED = [
    "v > V_th",
    "E_L + rand()*(V_th - E_L)",
    "-70*mV",
    "x**2",
    "x**-0.5",
    "x**(1/3)",
    "2**x",
    "q**((T - 24)/10)",
    "a != b",
    "not (a < b) or c",
    "exp (x)",
    "+x",
    "- -x",
    ".5 + 1. + 1e-3",
    "(a +\n  b)",
    "a +  # why\n  b",
    "exp(-(v + 1*mV)/mV)",
    "int(x > 0)*2",
    "(x > 0) == (y > 0)",
    "True",
    "clip(u, -1, 1000)",
    "timestep(t, dt)",
    "+".join(["x"] * 190),
    "(x**2 + y**2)**0.5",
    "x//2 % 3",
    "inf",
    "w_post*x_pre",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_accepted(text):
    assert parse(text).names is not None


def test_names_calls_and_extra_functions():
    found = parse("E_L + 3*mV*exp(x) + f(pi, y)", extra={"f": 2})
    assert found.names == {"E_L", "x", "y"}
    assert found.calls == {"exp", "f"}
    assert problem("f(x)", extra={"f": 2}).message == "f takes 2 arguments, got 1"
    assert problem("f + 1", extra={"f": 2}).hint == "Write f(...)."


def test_places_in_the_file():
    lines = (Mark("a.yaml", 7, 5), Mark("a.yaml", 8, 9))
    found = parse("a +\nb*gL", lines)
    assert found.text == "a + b*gL"
    assert (found.mark, found.mark_of("b"), found.mark_of("gL")) == (lines[0], lines[1], Mark("a.yaml", 8, 11))
    assert problem("a +  # comment\n  b * * c", lines=lines).mark == Mark("a.yaml", 8, 15)
    (unknown,) = undeclared(found, ["a", "b", "g_L"])
    assert (unknown.kind, unknown.mark, unknown.hint) == ("name", Mark("a.yaml", 8, 11), "Did you mean g_L?")
    assert undeclared(found, ["a", "b", "gL"]) == []


def test_more_lines_than_places():
    r"""A line break written as an escape, code: "a = 1\\nb = = 2": two lines of text on one of the file."""
    assert problem("a = 1\nb = = 2", parse_code, lines=(Mark("a.yaml", 3, 10),)).mark == Mark("a.yaml", 3, 10 + 11)


def test_rename_and_substitute():
    found = parse("w*(x + w_max) - exp(w)*w", (Mark("f", 2, 3),))
    new = found.rename({"w": "weight", "exp": "sin", "x": "w"})
    assert new.text == "weight*(w + w_max) - exp(weight)*weight"
    assert new.mark_of("w_max") == Mark("f", 2, 3 + 7), "a place in the file does not move when a name grows"
    assert new.names == {"weight", "w", "w_max"}
    assert found.rename({"nothing": "y"}) is found
    put = found.substitute({"w": "-70*mV"})
    assert put.text == "(-70*mV)*(x + w_max) - exp((-70*mV))*(-70*mV)"
    assert put.names == {"x", "w_max"}
    assert parse("x**n").substitute({"n": "2"}).text == "x**(2)"
    assert parse("2*ms*x").rename({"ms": "y"}).text == "2*ms*x"


# --- dimensions -----------------------------------------------------------------------------------------

KNOWN = {
    "v": "volt",
    "E": "volt",
    "g": "siemens",
    "I": "amp",
    "tau": "second",
    "x": "1",
    "y": "1",
    "n": "1",
    "t": "second",
    "dt": "second",
}
DIMS = {name: parse_unit(unit)[1] for name, unit in KNOWN.items()}

TABLE = [
    "v", "v + E", "v + 0", "0 + v", "v - x", "g*(E - v)", "g*(E - v) + I", "v*g/I", "x + 1", "x + mV", "v**2",
    "v**0.5", "v**x", "v**n", "v**(1/3)", "v**-1", "v**(-(1 + 1))", "x**y", "x**v", "2**v", "exp(v)", "exp(v/E)",
    "log(x)", "sqrt(v)", "sqrt(v*v) + v", "abs(v)", "abs(v) + x", "sign(v)", "sign(v) + 1", "floor(v)",
    "floor(v) + v", "ceil(v) + 1", "clip(v, 0, 1)", "clip(v, E, E)", "clip(x, 0, 1)", "clip(v, 0*mV, E)",
    "clip(dt - tau, 0*ms, dt)", "int(v > E)", "int(v)", "int(x)", "int(v > 0)", "v > E", "v > 0", "v > 0*mV",
    "x > 0", "v == E", "v != x", "v > E and x > 0", "v > E and x > v", "not (v > x)", "not (v > E)", "v % E",
    "v % x", "x % 2", "v // E", "x // 2", "v // x", "-v", "-v + E", "+v - E", "rand()*v", "rand() + v", "randn()",
    "poisson(x)", "poisson(x/tau*dt)", "poisson(x/tau)", "timestep(t, dt)", "timestep(x, dt)", "timestep(t, v)",
    "exprel(v/E)", "exprel(v)", "tanh(x)", "arctan(v)", "pi*v + e*v", "inf + x", "inf + v", "True", "mV/ms",
    "mV/ms*tau + v", "nS*mV + I", "1/second", "exp(-(t - tau)/tau)", "v*(x > 0)", "(v > E) + v",
    "volt**(1/2)*volt**(1/2) + v", "tau**-0.5*tau**0.5 + x", "x/0 + v", "v**2.5/v**1.5 + E", "(v*v)**0.5 + v",
    "(x > 0) + x",
]  # fmt: skip


@pytest.mark.parametrize("text", TABLE)
def test_dimensions_are_those_of_brian2(text):
    """Brian2's own check and ours agree on what is right, and on the dimensions."""
    import brian2
    from brian2.core.functions import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS
    from brian2.core.namespace import DEFAULT_UNITS
    from brian2.core.variables import Constant, Variable
    from brian2.parsing.expressions import parse_expression_dimensions

    base = {
        "volt": brian2.volt,
        "siemens": brian2.siemens,
        "amp": brian2.amp,
        "second": brian2.second,
        "1": brian2.Unit(1),
    }
    variables = {name: Variable(name, dimensions=base[unit].dim, scalar=False) for name, unit in KNOWN.items()}
    variables |= DEFAULT_FUNCTIONS | DEFAULT_CONSTANTS
    variables |= {name: Constant(name, dimensions=unit.dim, value=float(unit)) for name, unit in DEFAULT_UNITS.items()}
    try:
        theirs = parse_expression_dimensions(text, variables)._dims
    except (brian2.DimensionMismatchError, SyntaxError):
        theirs = None
    expression = parse(text)
    try:
        ours = dims_of(expression, DIMS)
    except FileError as error:
        assert [p.kind for p in error.problems] == ["dimension"]
        assert error.problems[0].mark
        ours = None
    if text == "2**v":  # Brian2 lets it pass and fails when it runs
        theirs = None
    assert (ours is None) == (theirs is None)
    if ours is not None:
        assert tuple(ours) == pytest.approx(tuple(theirs))


def test_every_function_has_brian2s_number_of_arguments():
    from brian2.core.functions import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS

    assert {name: len(f._arg_units) for name, f in DEFAULT_FUNCTIONS.items()} == FUNCTIONS
    assert {"pi", "e", "inf"} == {n for n in DEFAULT_CONSTANTS if n.isalpha()}


def test_dimension_errors_say_where_and_what_next():
    lines = (Mark("a.yaml", 4, 3),)
    with pytest.raises(FileError) as caught:
        dims_of(parse("x + g*(v - 0)", lines), DIMS)
    (found,) = caught.value.problems
    assert (found.kind, found.mark) == ("dimension", Mark("a.yaml", 4, 10))
    assert found.message == "cannot subtract v, a voltage, and 0, a plain number"
    assert "0*volt" in found.hint
    with pytest.raises(FileError) as caught:
        dims_of(parse("g*(E_L - v)", lines), {**DIMS, "EL": DIMS["v"]})
    (found,) = caught.value.problems
    assert (found.kind, found.mark, found.hint) == ("name", Mark("a.yaml", 4, 6), "Did you mean EL?")


def test_nested_clips_are_inferred_in_no_time():
    text = "x"
    for _ in range(60):
        text = f"clip({text}, 0, 1)"
    start = time.perf_counter()
    assert dims_of(parse(text), DIMS) == NONE
    assert time.perf_counter() - start < 60  # no hang


def test_white_noise_and_built_ins():
    assert dims_of(parse("xi*tau**0.5 + xi_2*tau**0.5"), DIMS) == NONE
    assert dims_of(parse("exp(-(t - lastupdate)/tau)"), {**DIMS, **BUILT_IN}) == NONE


# --- values ---------------------------------------------------------------------------------------------


def test_values_equal_numpys_to_the_last_bit():
    rng = np.random.default_rng(1)
    v, w = rng.normal(-0.06, 0.01, 1000), rng.random(1000)
    values = {
        "v": Quantity(v, DIMS["v"]),
        "w": Quantity(w),
        "E_L": quantity("-70 mV"),
        "n": Quantity(np.arange(1000)),
        "k": quantity(3),
    }
    cases = {
        "E_L + w*(v - E_L)": -70 * 0.001 + w * (v - -70 * 0.001),
        "exp(-(v - E_L)/(3.7*mV))": np.exp(-(v - -70 * 0.001) / (3.7 * 0.001)),
        "w**k + w**2 + w**0.5": w**3 + w**2 + w**0.5,
        "clip(w, 0.2, 0.3)": np.clip(w, 0.2, 0.3),
        "int(w > 0.5)*w + (w <= 0.1)": (w > 0.5).astype(float) * w + (w <= 0.1),
        "n % 7 + n//3 - n**-2": np.arange(1000.0) % 7 + np.arange(1000.0) // 3 - np.where(np.arange(1000) == 0, 0, 1.0)
        / np.maximum(np.arange(1000.0), 1) ** 2,
        "abs(sin(w)) + floor(10*w) + sign(w - 0.5)": np.abs(np.sin(w)) + np.floor(10 * w) + np.sign(w - 0.5),
        "log10(w) + log1p(w) + expm1(w) + arctan(w)": np.log10(w) + np.log1p(w) + np.expm1(w) + np.arctan(w),
        "20*ms/(0.1*ms)": 20 * 0.001 / (0.1 * 0.001),
    }  # fmt: skip
    values["n"] = Quantity(np.arange(1000) + 1)
    cases["n % 7 + n//3 - n**-2"] = np.arange(1, 1001.0) % 7 + np.arange(1, 1001.0) // 3 - np.arange(1, 1001.0) ** -2
    for text, expected in cases.items():
        np.testing.assert_array_equal(parse(text).evaluate(values).value, expected, err_msg=text)


def test_values_of_conditions_and_scalars():
    true = parse("a > 1 and not (a == 3) or False").evaluate({"a": quantity(2)})
    assert true.value is True and true.dims == NONE
    assert type(parse("4*n").evaluate({"n": Quantity(20)}).value) is float
    both = parse("a > 1 and a < 3").evaluate({"a": Quantity(np.array([1, 2, 3]))})
    assert both.value.tolist() == [False, True, False]
    assert parse("int(a)").evaluate({"a": Quantity(np.array([-1.5, 2.7]))}).value.tolist() == [-1, 2]
    assert parse("exprel(a)").evaluate({"a": Quantity(np.array([0.0, 1.0]))}).value.tolist() == [1.0, np.expm1(1.0)]


def test_values_keep_their_dimensions():
    found = parse("2*sqrt(v*v)").evaluate({"v": quantity("3 mV")})
    assert (found.value, found.dims) == (pytest.approx(0.006), UNITS["mV"][1])
    assert parse("v**n").evaluate({"v": quantity("2 volt"), "n": quantity(2)}).dims == parse_unit("volt**2")[1]
    with pytest.raises(FileError) as caught:
        parse("v + 1", (Mark("a", 2, 2),)).evaluate({"v": quantity("3 mV")})
    assert (caught.value.problems[0].kind, caught.value.problems[0].mark) == ("dimension", Mark("a", 2, 2))
    assert not isinstance(caught.value, DimensionError)


def test_random_functions_come_from_the_caller():
    rng, same = np.random.default_rng(5), np.random.default_rng(5)
    found = parse("w0 + rand() - rand()").evaluate({"w0": quantity(2)}, {"rand": lambda: rng.random(4)})
    first, second = same.random(4), same.random(4)
    np.testing.assert_array_equal(found.value, 2.0 + first - second, "drawn from left to right")
    with pytest.raises(FileError) as caught:
        parse("1 + rand()").evaluate({})
    assert caught.value.problems[0].mark.column == 5
    assert parse("twice(w0)", extra={"twice": 1}).evaluate({"w0": quantity(2)}, {"twice": lambda a: 2 * a}).value == 4


@pytest.mark.parametrize(
    "text", ["1/(a - a)", "log(a - a)", "sqrt(-a)", "exp(1000*a)", "a % (a - a)", "(-a)**0.5", "1e300*1e300"]
)
def test_values_that_are_not_finite_are_errors(text):
    with pytest.raises(FileError) as caught:
        parse(text).evaluate({"a": quantity(2)})
    assert caught.value.problems[0].kind == "value"


def test_infinity_may_be_meant():
    assert parse("-inf").evaluate({}).value == -np.inf
    assert parse("1/(1 + exp(1000*a))").evaluate({"a": quantity(2)}).value == 0


def test_integers_neither_hang_nor_wrap_around():
    text = "n"
    for _ in range(40):
        text = f"({text})**20"
    start = time.perf_counter()
    with pytest.raises(FileError):
        parse(text).evaluate({"n": Quantity(9)})
    assert parse("n*n").evaluate({"n": Quantity(np.array([2**40]))}).value.tolist() == [2.0**80]
    assert time.perf_counter() - start < 60  # no hang


def test_as_a_function_of_bare_numbers():
    near = parse("exp(-d**2/(2*(0.1*mm)**2))").function("d")
    np.testing.assert_array_equal(
        near(np.array([0.0, 1e-4])), np.exp(-(np.array([0.0, 1e-4]) ** 2) / (2 * (0.1 * 0.001) ** 2))
    )


# --- statements -----------------------------------------------------------------------------------------


def test_statements():
    code = "x += A_plus  # trace\nw = clip(w -\n  y, 0, w_max); g_post -= w*(1 - x)\n\ny /= a + b"
    found = parse_code(code, tuple(Mark("f", line, 5) for line in (3, 4, 5, 6, 7)))
    assert [s.text for s in found] == [
        "x += A_plus",
        "w = clip(w - y, 0, w_max)",
        "g_post -= w*(1 - x)",
        "y /= (a + b)",
    ]
    assert [(s.target, s.op) for s in found] == [("x", "+="), ("w", "="), ("g_post", "-="), ("y", "/=")]
    assert [s.mark for s in found] == [Mark("f", 3, 5), Mark("f", 4, 5), Mark("f", 5, 5 + 16), Mark("f", 7, 5)]
    assert found[1].expression.mark_of("y") == Mark("f", 5, 7)
    assert found[2].rename({"w": "w_1", "g_post": "h_post"}).text == "h_post -= w_1*(1 - x)"
    assert found[2].substitute({"x": "3"}).text == "g_post -= w*(1 - (3))"
    assert parse_code("") == parse_code("# nothing\n") == ()


STATEMENTS = [
    ("if x > 0:\n  v = 1", "syntax", (1, 1), "if is not part", "int(c)*a"),
    ("v", "syntax", (1, 1), "v is not an assignment", "v = ..."),
    ("v == 3", "syntax", (1, 1), "not an assignment", "== compares"),
    ("a.b = 3", "syntax", (1, 1), "not an assignment", ""),
    ("v **= 2", "syntax", (1, 3), "**=", "v = v**(...)"),
    ("v := 2", "syntax", (1, 3), ":=", "Write ="),
    ("v = ", "syntax", (1, 4), "missing here", ""),
    ("v = w = 3", "syntax", (1, 7), "=", "one ="),
    ("w = 1\n  v = (1 + \nx = 3", "syntax", (2, 7), "never closed", ""),
    ("dt = 3*ms", "name", (1, 1), "dt cannot be assigned", ""),
    ("mV = 3", "name", (1, 1), "is a unit", ""),
    ("double = 3", "name", (1, 1), "C++", ""),
    ("v = rand() - rand()", "value", (1, 5), "only once", "variable of its own"),
    ("import os", "syntax", (1, 1), "import is not part", ""),
    ("def f(): pass", "syntax", (1, 1), "def is not part", ""),
]


@pytest.mark.parametrize(("text", "kind", "place", "message", "hint"), STATEMENTS, ids=[s[0] for s in STATEMENTS])
def test_wrong_statements(text, kind, place, message, hint):
    with pytest.raises(FileError) as caught:
        parse_code(text)
    found = caught.value.problems[0]
    assert (found.kind, (found.mark.line, found.mark.column)) == (kind, place)
    assert message in found.message
    assert hint in found.hint


def test_all_wrong_statements_at_once():
    with pytest.raises(FileError) as caught:
        parse_code("x = 1 +\ny = 2\nz = a.b")
    assert [p.mark.line for p in caught.value.problems] == [1, 3]


def test_brian2_checks_the_text_we_give_it():
    """Brian2 takes `w *= a + b` for w*a + b when it checks dimensions, and refuses two draws in one statement."""
    import brian2
    from brian2.core.functions import DEFAULT_FUNCTIONS
    from brian2.core.variables import Variable
    from brian2.equations.unitcheck import check_units_statements
    from brian2.parsing.sympytools import str_to_sympy

    variables = {"v": Variable("v", dimensions=brian2.volt.dim, scalar=False), "a": Variable("a", scalar=False)}
    with pytest.raises(brian2.DimensionMismatchError):
        check_units_statements("v *= a + 1", variables)
    check_units_statements(parse_code("v *= a + 1")[0].text, variables)
    with pytest.raises(NotImplementedError):
        str_to_sympy("rand() - rand()", DEFAULT_FUNCTIONS)
