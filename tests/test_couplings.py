"""Couplings that act in every step, and ports that say which potential a synapse sees."""

from __future__ import annotations

import numpy as np
import pytest

import brainsim
from brainsim import circuit, source
from brainsim.backends import cost
from brainsim.compose import compose
from brainsim.errors import BrainsimError
from brainsim.library import Library

CELL = """
neuron: cell
parameters: {tau_m: 20 ms, R: 100 Mohm, E_L: -70 mV}
ports: {I_dend: v_d}
equations: |
  dv/dt = (E_L - v + R*I_syn)/tau_m : volt
  dv_d/dt = (E_L - v_d + R*I_dend)/tau_m : volt
threshold: v > 0*mV
initial: {v: E_L + i*10*mV, v_d: E_L}
"""
COUPLED = """
synapse: coupled
parameters: {g: 1 nS}
equations: |
  w : 1
  I_c_post = w*g*(v_pre - v_post) : amp (summed)
initial: {w: 1}
post:
  equations: |
    I_c : amp
  current: I_c
"""
CONDUCTANCE = """
synapse: conductance
parameters: {tau: 5 ms}
on_pre: g_s_post += 1*nS
post:
  equations: |
    dg_s/dt = -g_s/tau : siemens
    I_s = g_s*(0*mV - v) : amp
  current: I_s
"""
CURRENT = """
synapse: current
parameters: {tau_s: 5 ms}
on_pre: I_e_post += 10*pA
post:
  equations: |
    dI_e/dt = -I_e/tau_s : amp
  current: I_e
"""
TWICE = """
populations: {a: {neuron: cell, size: 2}}
projections:
  p: {from: a, to: a, synapse: coupled, connect: all}
  q: {from: a, to: a, synapse: {name: coupled, parameters: {g: 3 nS}}, connect: all}
"""


def text_of(
    region: str, *parts: str, run: str = "{duration: 10 ms, dt: 0.1 ms, backend: numpy}", more: str = ""
) -> str:
    return "\n---\n".join([f"experiment: e\nregion: r\nrun: {run}\n{more}", f"region: r\n{region}", *parts])


def plan_of(region: str, *parts: str):
    documents = source.parse(text_of(region, *parts), "e.yaml")
    return compose(circuit.build(documents[0], Library(documents=documents[1:]), {}))


def lines(thing) -> list[str]:
    return [line.text for line in thing.equations]


def test_each_projection_sums_into_a_variable_of_its_own(tmp_path):
    plan = plan_of(TWICE, CELL, COUPLED)
    assert "I_syn = I_c + I_c_2 : amp" in lines(plan.groups[0])
    assert "I_c_post = w*g*(v_pre - v_post) : amp (summed)" in lines(plan.connections[0])
    assert "I_c_2_post = w*g*(v_pre - v_post) : amp (summed)" in lines(plan.connections[1])
    more = "record: {state: {a: {variables: [v, I_syn]}}}"
    results = brainsim.run(text_of(TWICE, CELL, COUPLED, more=more), out=tmp_path / "run")
    times, v = results.state("a", "v")
    apart = (v[:, 1] - v[:, 0]) * 1e3
    # both currents are 4 nS times the difference, so it decays with tau_m/(1 + 2*0.4)
    np.testing.assert_allclose(apart, 10 * np.exp(-times * 1e3 * 1.8 / 20), rtol=2e-2)
    _, current = results.state("a", "I_syn")
    np.testing.assert_allclose(current.sum(axis=1), 0, atol=1e-18)


def test_a_lesion_of_the_other_side_leaves_no_current(tmp_path):
    region = """
populations: {a: {neuron: cell, size: 2}, b: {neuron: cell, size: 0}}
projections: {p: {from: b, to: a, synapse: coupled, connect: all}}
"""
    more = "record: {state: {a: {variables: [I_syn]}}}"
    results = brainsim.run(text_of(region, CELL, COUPLED, more=more), out=tmp_path / "run")
    assert np.all(results.state("a", "I_syn")[1] == 0)


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("I_c : amp\n", "I_c : volt\n", "I_c of a is a voltage, but coupled sums a current into it", "same unit"),
        ("I_c : amp\n", "I_c = 0*amp : amp\n", "coupled says what it is", "Declare I_c : amp without"),
        ("I_c_post", "I_cc_post", "sums into I_cc of a, but cell has no I_cc", "Did you mean I_c?"),
        ("I_c : amp\n", "I_c : amp\n    x_post = 1 : 1 (summed)\n", "but these are equations of a cell", "synapse"),
        ("w : 1\n", "w : 1\n  v_post = E_post : volt (summed)\n", "cell says what it is", "Declare v : volt"),
        (
            "w : 1\n",
            "w : 1\n  dx/dt = -x/(5*ms) : 1 (event-driven)\n  n_post = x : 1 (summed)\n",
            "x is event-driven: it is only right at a spike",
            "clock-driven",
        ),
    ],
)
def test_a_sum_that_goes_wrong_is_refused_with_its_place(old, new, message, hint):
    region = TWICE.split("  q:")[0]
    cell = CELL.replace("equations: |", "equations: |\n  n : 1\n  E = 0*mV : volt")
    with pytest.raises(BrainsimError) as caught:
        plan_of(region, cell, COUPLED.replace(old, new))
    found = [p for p in caught.value.problems if message in p.message]
    assert found and hint in found[0].hint and found[0].mark is not None


def test_two_sums_into_one_variable_of_a_cell_are_refused():
    cell = CELL.replace("equations: |", "equations: |\n  n : 1")
    synapse = "synapse: s\nequations: |\n  n_post = 1 : 1 (summed)"
    region = TWICE.replace("coupled", "s").replace("{name: s, parameters: {g: 3 nS}}", "s")
    with pytest.raises(BrainsimError, match="q and p both sum into n of a"):
        plan_of(region, cell, synapse)


def test_a_delay_of_what_has_none_is_refused():
    with pytest.raises(BrainsimError, match="p has a delay, but coupled couples its cells in every step"):
        plan_of(TWICE.replace("synapse: coupled,", "synapse: coupled, delay: 1 ms,"), CELL, COUPLED)


def test_sums_count_when_a_backend_is_chosen():
    plan = plan_of(TWICE, CELL, COUPLED)
    without = plan_of(TWICE, CELL, COUPLED.replace("  I_c_post = w*g*(v_pre - v_post) : amp (summed)\n", ""))
    assert cost.numpy_seconds(plan) > cost.numpy_seconds(without)
    assert cost.code_objects(plan) == cost.code_objects(without) + 2


TWO_PLACES = """
populations: {a: {neuron: cell, size: 2}}
projections:
  soma: {from: a, to: a, synapse: SYNAPSE, connect: all}
  dend: {from: a, to: a, synapse: SYNAPSE, connect: all, port: I_dend}
"""


def test_a_synapse_on_a_port_sees_the_potential_of_that_place():
    equations = lines(plan_of(TWO_PLACES.replace("SYNAPSE", "conductance"), CELL, CONDUCTANCE).groups[0])
    assert "I_s = g_s*(0*mV - v) : amp" in equations
    assert "I_s_2 = g_s_2*(0*mV - v_d) : amp" in equations
    assert "I_syn = I_s : amp" in equations
    assert "I_dend = I_s_2 : amp" in equations


def test_equal_currents_on_two_ports_stay_apart():
    plan = plan_of(TWO_PLACES.replace("SYNAPSE", "current"), CELL, CURRENT)
    assert {"I_syn = I_e : amp", "I_dend = I_e_2 : amp"} <= set(lines(plan.groups[0]))
    assert [c.pathways[0].code for c in plan.connections] == ["I_e_post += 10*pA", "I_e_2_post += 10*pA"]


def test_code_of_a_synapse_on_a_port_means_the_potential_there():
    plan = plan_of(TWO_PLACES.replace("SYNAPSE", "kick"), CELL, "synapse: kick\non_pre: v_post += 1*mV")
    assert [c.pathways[0].code for c in plan.connections] == ["v_post += 1*mV", "v_d_post += 1*mV"]
    plan = plan_of(TWO_PLACES.replace("SYNAPSE", "coupled"), CELL, COUPLED)
    assert "I_c_2_post = w*g*(v_pre - v_d_post) : amp (summed)" in lines(plan.connections[1])


def test_a_port_without_its_potential_is_refused():
    with pytest.raises(BrainsimError, match="port I_dend: cell has no variable v_e") as caught:
        plan_of(TWICE, CELL.replace("I_dend: v_d", "I_dend: v_e"), COUPLED)
    assert "Did you mean v_d?" in str(caught.value)
