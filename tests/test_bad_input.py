"""Broken files: each must be refused with its place, what is wrong, and the next step.

A case changes one piece of a file that is right. ``@`` marks, in the replacement, the place the error must
name; it is removed before the file is written. Position, message and hint are asserted apart.
"""

from __future__ import annotations

import time

import pytest

import brainsim
from brainsim.errors import BrainsimError

BASE = """\
experiment: small
grammar: 1
about: A small network that is right.
region: net
set: {ee.delay: 2 ms}
stimuli:
  kick: {to: exc.I_bias, pulse: {value: 50 pA, start: 10 ms, stop: 20 ms}}
run: {duration: 50 ms, dt: 0.1 ms, seed: 3}
record:
  spikes: [exc]
  state:
    ee: {variables: [w, mark], every: 10 ms}
---
region: net
about: Two populations and a learning projection.
parameters:
  n: 8                # cells of exc
  n_inh: n/4          # cells of inh
populations:
  exc:
    neuron: {name: cell, parameters: {E_L: -72 mV}}
    size: n
  inh: {neuron: cell, size: n_inh}
projections:
  ee:
    from: exc
    to: exc
    synapse: ex
    plasticity: rule
    connect: {p: 0.5}
    delay: 1 ms
  ei: {from: exc, to: inh, synapse: ex, connect: all}
---
neuron: cell
about: Leaky integrate-and-fire cell.
parameters:
  C_m: 200 pF
  g_L: 10 nS
  E_L: -70 mV
  V_th: -50 mV
  t_ref: 2 ms
  I_bias: 0 pA
equations: |
  dv/dt = (g_L*(E_L - v) + I_syn + I_bias)/C_m : volt (unless refractory)
threshold: v > V_th
reset: v = E_L
refractory: t_ref
method: exponential_euler
initial: {v: E_L}
---
synapse: ex
about: Exponential current.
parameters:
  tau_s: 5 ms
  J: 20 pA
equations: |
  w : 1
initial: {w: 1}
on_pre: I_ex_post += w*J
post:
  equations: |
    dI_ex/dt = -I_ex/tau_s : amp
  current: I_ex
---
plasticity: rule
about: Marks pairs.
parameters:
  tau_c: 100 ms
  A: 0.1
  T: 10 ms
equations: |
  w : 1
  dx/dt = -x/tau_c : 1 (event-driven)
  mark = x*exp(-(t - lastupdate)/tau_c) : 1
on_pre: x += A
on_post: w = clip(w + x, 0, 5)
every:
  - {each: T, code: "w = clip(w + 0.001*mark, 0, 5)"}
"""

# name, what is replaced, by what (@ marks the place), kind, part of the message, part of the hint
CASES = [
    ("unknown key", "threshold: v > V_th", "@treshold: v > V_th", "key", "treshold", "threshold"),
    ("unknown key in projection", "    delay: 1 ms", "    @dely: 1 ms", "key", "dely", "delay"),
    ("unknown key in run", "seed: 3", "@sed: 3", "key", "sed", "seed"),
    ("duplicate key", "  g_L: 10 nS\n", "  g_L: 10 nS\n  @g_L: 11 nS\n", "key", "g_L", ""),
    ("wrong unit", "E_L: -72 mV", "E_L: @-72 ms", "unit", "a voltage", ""),
    ("no such unit", "  C_m: 200 pF", "  C_m: @200 pFF", "unit", "pFF", "pF"),
    ("missing unit at use", "E_L: -72 mV", "E_L: @-72", "unit", "a voltage", ""),
    ("unit in code", "w = clip(w + x, 0, 5)", "w = clip(w + 5 @ms, 0, 5)", "syntax", "operator", "5*ms"),
    ("unknown neuron", "inh: {neuron: cell,", "inh: {neuron: @cel,", "part", "cel", "cell"),
    ("unknown synapse", "synapse: ex, connect", "synapse: @exx, connect", "part", "exx", "ex"),
    ("unknown rule", "plasticity: rule\n    connect", "plasticity: @rules\n    connect", "part", "rules", "rule"),
    ("unknown region", "region: net\nset", "region: @nett\nset", "part", "nett", "net"),
    ("cyclic extends", "neuron: cell\n", "neuron: cell\nextends: @cell\n", "cycle", "cell", ""),
    ("cyclic regions", "populations:\n  exc:", "regions: {me: @net}\npopulations:\n  exc:", "cycle", "net", ""),
    ("C++ keyword", "  w : 1\n  dx", "  w : 1\n  @double : 1\n  dx", "name", "double", ""),
    ("name of a unit", "  w : 1\n  dx", "  w : 1\n  @mV : 1\n  dx", "name", "mV", ""),
    ("name with _post", "  w : 1\n  dx", "  w : 1\n  @w_post : 1\n  dx", "name", "w_post", ""),
    ("undeclared name", "- v) + I_syn + I_bias", "- v) + I_syn + @I_bas", "name", "I_bas", "I_bias"),
    ("undeclared in code", "on_pre: x += A", "on_pre: x += @AA", "name", "AA", "A"),
    ("typo on the left", "on_pre: I_ex_post += w*J", "on_pre: @I_exx_post += w*J", "name", "I_exx_post", "I_ex_post"),
    ("bare cell variable", "w = clip(w + x, 0, 5)", "w = clip(w + @I_ex/J, 0, 5)", "name", "I_ex", "I_ex_post"),
    ("dimension of a sum", "(E_L - v) + I_syn", "(E_L - v) + C_m + I_syn", "dimension", "current", ""),
    ("dimension of code", "w = clip(w + x, 0, 5)", "w = clip(w + x*J, 0, 5)", "dimension", "", ""),
    ("scaled unit in equations", ": amp\n", ": @pA\n", "unit", "pA", "amp"),
    ("negative size", "size: n_inh", "size: @-3", "value", "-3", ""),
    ("fraction as size", "size: n_inh", "size: @2.5", "value", "2.5", ""),
    ("size with a unit", "size: n_inh", "size: @3 mV", "unit", "", ""),
    ("dt nan", "dt: 0.1 ms", "dt: @.nan", "", "", ""),
    ("dt zero", "dt: 0.1 ms", "dt: @0 ms", "value", "0 ms", ""),
    ("dt in volts", "dt: 0.1 ms", "dt: @0.1 mV", "unit", "time", ""),
    ("delay below dt", "delay: 2 ms}", "delay: @0.05 ms}", "value", "0.05 ms", "0.1 ms"),
    ("delay no multiple", "delay: 2 ms}", "delay: @0.25 ms}", "value", "0.25 ms", "0.2 ms"),
    ("negative delay", "delay: 2 ms}", "delay: @-1 ms}", "value", "-1 ms", ""),
    ("event-driven read bare", "0.001*mark", "0.001*@x", "value", "event-driven", "lastupdate"),
    ("event-driven recorded", "variables: [w, mark]", "variables: @[w, x]", "value", "event-driven", "lastupdate"),
    ("power tower", "on_pre: x += A", "on_pre: x += 9**9**9**9", "limit", "power", "name"),
    ("code injection", "on_pre: x += A", "on_pre: x += __import__('os')", "syntax", "expression", ""),
    ("attribute", "on_pre: x += A", "on_pre: x += A@.real", "syntax", "", ""),
    ("tag", "about: Marks pairs.", "about: @!!python/object/apply:os.system [ls]", "", "", ""),
    ("merge key", "about: Marks pairs.", "about: Marks pairs.\n@<<: {a: 1}", "", "<<", "extends"),
    ("path outside", "connect: all}", "connect: {matrix: @../../secret.csv}}", "path", "secret.csv", ""),
    ("absolute path", "connect: all}", "connect: {matrix: @/etc/passwd}}", "path", "passwd", ""),
    ("unknown population", "to: inh,", "to: @inhh,", "", "inhh", "inh"),
    ("slice too long", "{from: exc, to", "{from: @'exc[0:80]', to", "value", "80", ""),
    ("probability above one", "connect: {p: 0.5}", "connect: {p: @1.5}", "value", "1.5", ""),
    ("two ways to connect", "connect: {p: 0.5}", "connect: @{p: 0.5, in_degree: 3}", "", "", ""),
    ("unknown way to connect", "connect: all}", "connect: @al}", "value", "al", "all"),
    ("no such override", "set: {ee.delay: 2 ms}", "set: {@ee.dely: 2 ms}", "path", "ee.dely", "ee.delay"),
    ("stimulus to nothing", "{to: exc.I_bias", "{to: @exc.I_bia", "name", "I_bia", "I_bias"),
    ("two stimuli of one parameter", "  kick: {to: exc.I_bias",
     "  first: {to: exc.neuron.I_bias, constant: 1 pA}\n  kick: {to: @exc.I_bias",
     "value", "stimulus first and stimulus kick both feed exc.I_bias", "a list of pulses"),
    ("unknown method", "method: exponential_euler", "method: @exponential_eular", "value", "exponential_eular",
     "exponential_euler"),
    ("stimulus of wrong unit", "value: 50 pA", "value: @50 mV", "unit", "a current", ""),
    ("record nothing", "spikes: [exc]", "spikes: [@exd]", "name", "exd", "exc"),
    ("unknown variable recorded", "variables: [w, mark]", "variables: [w, @marc]", "name", "marc", "mark"),
    ("unknown parameter at use", "parameters: {E_L: -72 mV}", "parameters: {@E_LL: -72 mV}", "", "E_LL", "E_L"),
    ("unknown region parameter", "n_inh: n/4 ", "n_inh: @nn/4 ", "name", "nn", "n"),
    ("cyclic parameters", "  n: 8  ", "  n: @n_inh*4  ", "cycle", "n", ""),
    ("current that does not fit", "current: I_ex", "current: @I_e", "name", "I_e", "I_ex"),
    ("old grammar", "grammar: 1", "grammar: @7", "value", "", "1"),
    ("negative seed", "seed: 3", "seed: @-3", "value", "", ""),
    ("unknown backend", "seed: 3", "backend: @gpu", "value", "numpy, cython", "auto"),
    ("duration below dt", "duration: 50 ms", "duration: @0.01 ms", "value", "less than the time step", "0.1 ms"),
    ("endless duration", "duration: 50 ms", "duration: @1e9 s", "limit", "1e+13 steps", "shorter"),
    ("absurd duration", "duration: 50 ms", "duration: @1e300 s", "limit", "1e+304 steps", "units"),
    ("delay of an age", "    delay: 1 ms", "    learn_delay: @1e9 s", "limit", "1,000,000 steps", "shorter"),
    ("sampling below dt", "every: 10 ms", "every: @0.01 ms", "value", "less than", "The least is 0.1 ms"),
    ("parameter called t", "  tau_s: 5 ms", "  @t: 5 ms", "name", "meaning of its own in Brian2", "t_0"),
    ("parameter called N", "  tau_c: 100 ms", "  tau_c: 100 ms\n  @N: 3", "name", "Brian2", "N_0"),
    ("parameter called self", "  g_L: 10 nS\n", "  g_L: 10 nS\n  @self: 3\n", "name", "Brian2", "self_0"),
    ("parameter called double", "  g_L: 10 nS\n", "  g_L: 10 nS\n  @double: 3\n", "name", "C++", "double_0"),
    ("variable called numpy", "dI_ex/dt = -I_ex/tau_s : amp", "dI_ex/dt = -I_ex/tau_s : amp\n    @numpy : 1", "name",
     "Brian2", ""),
    ("no duration", "run: {duration: 50 ms, dt", "@run: {dt", "key", "how long", "duration"),
    ("unclosed bracket", "spikes: [exc]\n  state:", "spikes: [exc\n  state@:", "syntax", "line 10", "]"),
    ("tab", "  n: 8", "@\tn: 8", "syntax", "tab", "spaces"),
]  # fmt: skip


def broken(old: str, new: str) -> tuple[str, tuple[int, int | None]]:
    """The file with ``old`` replaced, and the line and column of the mark."""
    assert BASE.count(old) >= 1, old
    text = BASE.replace(old, new, 1)
    index = text.find("@")
    if index < 0:  # no mark: only the line counts
        return text, (BASE.count("\n", 0, BASE.index(old)) + 1, None)
    text = text.replace("@", "", 1)
    return text, (text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index)))


def problems_of(text: str, tmp_path) -> list:
    file = tmp_path / "small.yaml"
    file.write_text(text)
    began = time.monotonic()
    with pytest.raises(BrainsimError) as caught:
        brainsim.check(str(file))
    assert time.monotonic() - began < 60, "refusing must not hang"
    assert caught.value.exit_code == 2
    return list(caught.value.problems)


def test_the_file_they_start_from_is_right(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(BASE)
    brainsim.check(str(file))


@pytest.mark.parametrize("case", CASES, ids=[c[0] for c in CASES])
def test_broken_file(case, tmp_path):
    _, old, new, kind, message, hint = case
    text, place = broken(old, new)
    problems = problems_of(text, tmp_path)
    told = "\n".join(str(p) for p in problems)
    at = [p for p in problems if p.mark and p.mark.line == place[0] and place[1] in (None, p.mark.column)]
    assert at, f"nothing points at {place}:\n{told}"
    assert any(p.mark.file.endswith("small.yaml") for p in at)
    if kind:
        assert kind in {p.kind for p in at}, told
    assert any(message in p.message for p in at), told
    assert any(hint in p.hint for p in at), told
    assert all(p.hint for p in at), f"no next step:\n{told}"
    assert "Traceback" not in told and "pydantic" not in told


def test_a_period_that_is_no_multiple_of_dt(tmp_path):
    text, _ = broken("  T: 10 ms", "  T: 10.05 ms@")
    problems = problems_of(text, tmp_path)
    assert any("multiple" in p.message and "10" in p.hint for p in problems)
    assert any(BASE.splitlines()[p.mark.line - 1].strip().startswith("- {each: T") for p in problems if p.mark)


def test_a_missing_need_points_at_the_projection(tmp_path):
    text = BASE.replace("parameters:\n  tau_c", "needs: {post: [DA]}\nparameters:\n  tau_c")
    found = [p for p in problems_of(text, tmp_path) if p.kind == "needs"]
    assert len(found) == 1 and "ee uses rule, which needs DA in exc" in found[0].message
    assert BASE.splitlines()[found[0].mark.line - 1].strip() == "plasticity: rule"
    assert "dopamine" in found[0].hint, "the library has a synapse that brings DA: name it"


def test_a_missing_unit_is_told_where_it_is_missing(tmp_path):
    found = problems_of(BASE.replace("V_th: -50 mV", "V_th: -50"), tmp_path)
    assert found[0].kind == "dimension" and "V_th" in found[0].message
    assert "V_th is -50" in found[0].hint and "small.yaml:40" in found[0].hint


def test_all_problems_of_a_stage_at_once(tmp_path):
    text = BASE.replace("threshold:", "treshold:").replace("    delay: 1 ms", "    dely: 1 ms")
    problems = problems_of(text, tmp_path)
    assert {"treshold", "dely"} <= {word for p in problems for word in p.message.replace("'", " ").split()}


BOMBS = {
    "nested brackets": "experiment: bomb\nregion: " + "[" * 50_000,
    "nested braces": "experiment: bomb\nregion: " + "{a: " * 20_000,
    "nested dashes": "experiment: bomb\nregion:\n" + "- " * 30_000,
    "alias bomb": "experiment: bomb\na: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{chr(98 + k)}: &{chr(98 + k)} [{', '.join(['*' + chr(97 + k)] * 9)}]\n" for k in range(8)),
    "long line": "experiment: bomb\nabout: " + "x" * 11_000_000,
    "many keys": "experiment: bomb\n" + "".join(f"k{k}: 1\n" for k in range(300_000)),
    "nested parentheses": "neuron: bomb\nequations: |\n  x = " + "(" * 5_000 + "1" + ")" * 5_000 + " : 1\n",
    "many minus signs": "neuron: bomb\nequations: |\n  x = " + "-" * 9_000 + "1 : 1\n",
    "not text": "\x00\x01\x02",
    "empty": "",
    "a list": "- 1\n- 2\n",
    "a number": "3",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_end_fast(name, tmp_path):
    file = tmp_path / "bomb.yaml"
    file.write_text(BOMBS[name])
    began = time.monotonic()
    with pytest.raises(BrainsimError) as caught:
        brainsim.check(str(file))
    assert time.monotonic() - began < 60
    assert caught.value.exit_code == 2
    assert all(p.hint for p in caught.value.problems)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BrainsimError) as caught:
        brainsim.check(str(tmp_path / "nothing.yaml"))
    assert caught.value.exit_code == 2
    with pytest.raises(BrainsimError) as caught:
        brainsim.check("digits_vdps")
    assert "digits_vdsp" in str(caught.value)
