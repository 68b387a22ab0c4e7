"""Cells, synapses and rules become the objects their text says, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

import brainsim
from brainsim import circuit, source
from brainsim.compose import compose, draws
from brainsim.errors import BrainsimError
from brainsim.library import Library

CELL = """
neuron: cell
parameters: {tau_m: 20 ms, E_L: -70 mV, V_th: -50 mV, unread: 3 ms}
equations: |
  dv/dt = (E_L - v + R*I_syn)/tau_m : volt
  R = 100*Mohm : ohm
threshold: v > V_th
reset: v = E_L
initial: {v: E_L}
"""
CURRENT = """
synapse: current
parameters: {tau_s: 5 ms, J: 10 pA}
equations: |
  w : 1
initial: {w: 1}
on_pre: I_s_post += w*J
post:
  equations: |
    dI_s/dt = -I_s/tau_s : amp
  current: I_s
"""
STDP = """
plasticity: pairs
parameters: {tau: 20 ms, A: 0.1}
equations: |
  w : 1
  dx/dt = -x/tau : 1 (event-driven)
on_pre: x += A
on_post: w += x
"""


def plan_of(region: str, *parts: str, experiment: str = "", run: str = "{duration: 10 ms}"):
    texts = [f"experiment: e\nregion: r\nrun: {run}\n{experiment}", f"region: r\n{region}", *parts]
    documents = source.parse("\n---\n".join(texts), "e.yaml")
    return compose(circuit.build(documents[0], Library(documents=documents[1:]), {}))


def lines(thing) -> list[str]:
    return [line.text for line in thing.equations]


def group(plan, name):
    return next(g for g in plan.groups if g.name == name)


def connection(plan, name):
    return next(c for c in plan.connections if c.name == name)


def problems(*args, **kwargs):
    with pytest.raises(BrainsimError) as caught:
        plan_of(*args, **kwargs)
    return caught.value.problems


def test_a_parameter_lands_only_where_code_reads_it():
    plan = plan_of("populations: {a: {neuron: cell, size: 2}}", CELL)
    assert "unread : second (shared, constant)" not in lines(group(plan, "a"))
    assert "tau_m : second (shared, constant)" in lines(group(plan, "a"))
    assert {c.name for c in group(plan, "a").constants} == {"tau_m", "E_L", "V_th"}


def test_a_port_without_projection_is_zero_in_the_dimension_of_the_cell():
    plan = plan_of("populations: {a: {neuron: cell, size: 2}}", CELL)
    assert "I_syn = 0*amp : amp" in lines(group(plan, "a"))


def test_currents_of_projections_add_up():
    region = """
populations: {a: {neuron: cell, size: 2}, b: {neuron: cell, size: 2}}
projections:
  one: {from: a, to: b, synapse: current, connect: all}
  two: {from: b, to: b, synapse: current, connect: all}
  slow: {from: a, to: b, synapse: {name: current, parameters: {tau_s: 50 ms}}, connect: all}
"""
    plan = plan_of(region, CELL, CURRENT)
    b = group(plan, "b")
    # The first two share their variables, the third has another time constant: its own are numbered.
    assert "I_syn = I_s + I_s_2 : amp" in lines(b)
    assert "dI_s/dt = -I_s/tau_s : amp" in lines(b)
    assert "dI_s_2/dt = -I_s_2/tau_s_2 : amp" in lines(b)
    assert connection(plan, "two").pathways[0].code == "I_s_post += w*J"
    assert connection(plan, "slow").pathways[0].code == "I_s_2_post += w*J"
    assert {c.name: c.value.value for c in b.constants}["tau_s_2"] == pytest.approx(0.05)
    assert not any("dI_s" in line for line in lines(group(plan, "a")))


def test_learning_runs_after_transmission_in_one_pathway():
    region = """
populations: {a: {neuron: cell, size: 2}}
projections:
  p: {from: a, to: a, synapse: current, plasticity: pairs, connect: all, delay: 2 ms}
"""
    p = connection(plan_of(region, CELL, CURRENT, STDP), "p")
    assert [(w.name, w.side, w.delay) for w in p.pathways] == [("pre", "pre", 0.002), ("post", "post", None)]
    assert p.pathways[0].code == "I_s_post += w*J\nx += A"
    assert lines(p).count("w : 1") == 1
    assert p.plastic and p.saved == (("w", "w"),)


def test_a_learn_delay_makes_the_delay_dendritic():
    region = """
populations: {a: {neuron: cell, size: 2}}
projections:
  p: {from: a, to: a, synapse: current, plasticity: pairs, connect: all, delay: 2 ms, learn_delay: 0 ms}
"""
    p = connection(plan_of(region, CELL, CURRENT, STDP), "p")
    assert [(w.code, w.delay) for w in p.pathways] == [("I_s_post += w*J", 0.002), ("x += A", None), ("w += x", None)]


def test_a_name_on_both_sides_is_renamed_on_the_synapse_and_kept_in_the_results():
    cell = CELL.replace("R = 100*Mohm : ohm", "R = 100*Mohm : ohm\n  w : 1")
    region = """
populations: {a: {neuron: cell, size: 2}}
projections:
  p: {from: a, to: a, synapse: current, plasticity: pairs, connect: all}
"""
    experiment = "record: {state: {p: {variables: [w]}}}"
    plan = plan_of(region, cell, CURRENT, STDP, experiment=experiment)
    p = connection(plan, "p")
    assert "w_syn : 1" in lines(p)
    assert p.pathways[0].code == "I_s_post += w_syn*J\nx += A"
    assert p.saved == (("w", "w_syn"),)
    assert p.initial[0].stream == "p.w"
    watch = plan.watches[0]
    assert (watch.variables, watch.labels) == (("w_syn",), ("w",))


def test_a_parameter_read_on_both_sides_lives_on_the_cell():
    synapse = CURRENT.replace("w*J", "w*J*(5*ms/tau_s)")
    region = (
        "populations: {a: {neuron: cell, size: 2}}\nprojections: {p: {from: a, to: a, synapse: current, connect: all}}"
    )
    p = connection(plan_of(region, CELL, synapse), "p")
    assert p.pathways[0].code == "I_s_post += w*J*(5*ms/tau_s_post)"
    assert "tau_s" not in {c.name for c in p.constants}


def test_a_parameter_that_starts_with_a_value_per_cell():
    cell = CELL.replace("initial: {v: E_L}", "initial: {tau_m: 10*ms + rand()*10*ms, v: E_L}")
    a = group(plan_of("populations: {a: {neuron: cell, size: 2}}", cell), "a")
    assert "tau_m : second (constant)" in lines(a)
    assert "tau_m" not in {c.name for c in a.constants}
    assert [i.variable for i in a.initial] == ["tau_m", "v"]


def test_a_stimulus_takes_the_place_of_a_parameter():
    cell = CELL.replace("R*I_syn", "R*(I_syn + I_bias)").replace("unread: 3 ms", "I_bias: 5 pA")
    experiment = "stimuli: {kick: {to: a.I_bias, pulse: {value: 50 pA, start: 1 ms, stop: 2 ms}}}"
    a = group(plan_of("populations: {a: {neuron: cell, size: 2}}", cell, experiment=experiment), "a")
    assert (
        "I_bias = kick_base + kick_value*int(timestep(t, dt) >= timestep(kick_start, dt)"
        " and timestep(t, dt) < timestep(kick_stop, dt)) : amp" in lines(a)
    )
    assert {c.name: c.value.value for c in a.constants}["kick_base"] == pytest.approx(5e-12)


NEEDY = """
plasticity: needy
needs: {post: [DA]}
equations: |
  w : 1
on_post: w += 0.1*DA_post
"""
LEVEL = """
synapse: level
parameters: {tau_D: 200 ms}
on_pre: DA_post += 1
post:
  equations: |
    dDA/dt = -DA/tau_D : 1
"""
LOOP = """
populations: {a: {neuron: cell, size: 2}, d: {neuron: cell, size: 1}}
projections:
  p: {from: a, to: a, synapse: current, plasticity: needy, connect: all}
"""


def test_what_a_rule_needs_may_come_from_any_projection():
    plan = plan_of(LOOP + "  reward: {from: d, to: a, synapse: level, connect: all}\n", CELL, CURRENT, NEEDY, LEVEL)
    assert "dDA/dt = -DA/tau_D : 1" in lines(group(plan, "a"))
    assert connection(plan, "p").pathways[1].code == "w += 0.1*DA_post"


def test_a_missing_need_names_the_rule_the_variable_and_the_population():
    found = [p for p in problems(LOOP, CELL, CURRENT, NEEDY) if p.kind == "needs"]
    assert len(found) == 1
    assert "p uses needy, which needs DA in a" in found[0].message
    assert "projection" in found[0].hint


def test_two_suppliers_of_a_need_that_differ_are_an_error():
    both = LOOP + (
        "  one: {from: d, to: a, synapse: level, connect: all}\n"
        "  two: {from: d, to: a, synapse: {name: level, parameters: {tau_D: 9 ms}}, connect: all}\n"
    )
    assert any(
        p.kind == "needs" and "several projections" in p.message for p in problems(both, CELL, CURRENT, NEEDY, LEVEL)
    )


def test_a_current_of_the_wrong_dimension_names_both_parts():
    volts = CURRENT.replace("amp", "volt").replace("10 pA", "1 mV")
    region = (
        "populations: {a: {neuron: cell, size: 2}}\nprojections: {p: {from: a, to: a, synapse: current, connect: all}}"
    )
    found = problems(region, CELL, volts)
    assert any(p.kind == "fit" and "current" in p.message and "cell" in p.message for p in found)


def test_an_event_driven_variable_read_at_other_times_is_an_error():
    rule = STDP + "every: [{each: dt, code: w += 0.1*x}]\n"
    region = """
populations: {a: {neuron: cell, size: 2}}
projections:
  p: {from: a, to: a, synapse: current, plasticity: pairs, connect: all}
"""
    found = problems(region, CELL, CURRENT, rule)
    assert any("event-driven" in p.message and "lastupdate" in p.hint for p in found)
    right = STDP.replace("event-driven)", "event-driven)\n  now = x*exp(-(t - lastupdate)/tau) : 1")
    plan_of(region, CELL, CURRENT, right + "every: [{each: dt, code: w += 0.1*now}]\n")


def test_a_rule_may_add_to_both_cells_and_equal_additions_merge():
    rule = """
plasticity: counts
pre:
  equations: |
    n : 1
  on_spike: n += 1
post:
  equations: |
    n : 1
  on_spike: n += 1
equations: |
  w : 1
on_post: w = n_pre/(1 + n_post)
"""
    region = """
populations: {a: {neuron: cell, size: 2}, b: {neuron: cell, size: 2}}
projections:
  p: {from: a, to: b, synapse: current, plasticity: counts, connect: all}
  q: {from: b, to: a, synapse: current, plasticity: counts, connect: all}
"""
    plan = plan_of(region, CELL, CURRENT, rule)
    for name in "ab":
        assert lines(group(plan, name)).count("n : 1") == 1
        assert group(plan, name).reset == "v = E_L\nn += 1"


def test_additions_at_other_times_are_other_additions():
    rule = """
plasticity: counts
parameters: {T_count: 2 ms}
post:
  equations: |
    n : 1
  every:
    - {each: T_count, code: n += 1}
equations: |
  w : 1
on_post: w = n_post
"""
    region = """
populations: {a: {neuron: cell, size: 2}, b: {neuron: cell, size: 2}}
projections:
  p: {from: a, to: b, synapse: current, plasticity: counts, connect: all}
  q: {from: a, to: b, synapse: current, plasticity: {name: counts, parameters: {T_count: 3 ms}}, connect: all}
  r: {from: a, to: b, synapse: current, plasticity: counts, connect: all}
"""
    plan = plan_of(region, CELL, CURRENT, rule)
    times = [(item.code, round(item.period * 1e3)) for item in group(plan, "b").regular]
    assert times == [("n += 1", 2), ("n_2 += 1", 3)]
    read = {name: connection(plan, name).pathways[-1].code for name in "pqr"}
    assert read == {"p": "w = n_post", "q": "w = n_2_post", "r": "w = n_post"}


@pytest.mark.parametrize("name", ["trial", "shown_post"])
def test_a_synapse_cannot_read_what_its_cell_only_shows(name):
    """Linked variables: Brian2 has no way from a synapse through a cell to a third group."""
    showing = "neuron: showing\nequations: |\n  shown : 1 (linked)\nthreshold: shown > 1\nreset: ''"
    rule = f"plasticity: reads\nequations: |\n  w : 1\non_post: w += {name}"
    region = """
populations:
  a: {neuron: {neuron: own, equations: "x : 1", inputs: {pixel: 1}, threshold: x > 1, reset: x = 0}, size: 2}
  b: {neuron: showing, size: 2}
projections: {p: {from: a, to: b, synapse: {synapse: plain, equations: "w : 1"}, plasticity: reads, connect: all}}
links: {b.shown: a.x}
"""
    found = problems(region, showing, rule)
    text = f"p: reads reads {name.removesuffix('_post')}, which the cells of b only show: a synapse cannot see it"
    assert [problem.message for problem in found] == [text]
    assert "post: {equations: 'seen : 1'" in found[0].hint


def test_a_part_that_runs_by_trials_is_checked_alone():
    text = "neuron: own\nequations: |\n  n : 1\nevery:\n  - {each: trial_start, code: n = 0}\n"
    assert brainsim.check(text) == ["needs what is around it: each: trial_start needs an experiment with trials"]


def test_a_source_without_spikes_is_an_error():
    silent = "neuron: silent\nequations: |\n  x : 1\n"
    region = """
populations: {s: {neuron: silent, size: 1}, a: {neuron: cell, size: 2}}
projections: {p: {from: s, to: a, synapse: current, connect: all}}
"""
    assert any("no spikes" in p.message for p in problems(region, silent, CELL, CURRENT))


def test_wrong_dimensions_point_at_the_line():
    cell = CELL.replace("(E_L - v + R*I_syn)/tau_m", "(E_L - v + R*I_syn)*tau_m")
    found = [p for p in problems("populations: {a: {neuron: cell, size: 2}}", cell) if p.kind == "dimension"]
    assert len(found) == 1 and found[0].mark is not None
    text = "\n---\n".join(
        [
            "experiment: e\nregion: r\nrun: {duration: 10 ms}\n",
            "region: r\npopulations: {a: {neuron: cell, size: 2}}",
            cell,
        ]
    )
    assert text.splitlines()[found[0].mark.line - 1].strip().startswith("dv/dt")


def test_the_plan_of_the_same_file_is_equal():
    region = (
        "populations: {a: {neuron: cell, size: 2}}\nprojections: {p: {from: a, to: a, synapse: current, connect: all}}"
    )
    assert plan_of(region, CELL, CURRENT) == plan_of(region, CELL, CURRENT)


RING = """
populations:
  a: {neuron: cell, size: 40, layout: {ring: 4 mm}}
  b: {neuron: cell, size: 20, layout: {ring: 4 mm}}
projections:
  near: {from: a, to: b, synapse: current, connect: {distance: 0.55 mm}}
  fading: {from: a, to: b, synapse: current, connect: {p: "exp(-d/(1*mm))"}}
"""


def test_connections_by_distance_go_the_short_way_round():
    plan = plan_of(RING, CELL, CURRENT)
    i, j = draws.pairs(connection(plan, "near"), seed=1)
    d = np.abs(i * 0.1 - j * 0.2)
    assert np.all(np.minimum(d, 4 - d) <= 0.55)
    assert len(i) == sum(
        min(abs(a * 0.1 - b * 0.2), 4 - abs(a * 0.1 - b * 0.2)) <= 0.55 for a in range(40) for b in range(20)
    )
    i, j = draws.pairs(connection(plan, "fading"), seed=1)
    d = np.abs(i * 0.1 - j * 0.2)
    assert 1.0 > np.minimum(d, 4 - d).mean() > 0.4  # exponential fading over 1 mm, cut at 2 mm: mean 0.69
    assert plan == plan_of(RING, CELL, CURRENT)


def test_weights_and_delays_may_depend_on_the_distance():
    """Cells 0.1 mm apart on a ring of 4 mm; without a layout on both sides there is no d."""
    region = RING.replace("connect: {distance: 0.55 mm}", "connect: all, initial: {w: exp(-d/mm)}, delay: d/(1*mm/ms)")
    plan = plan_of(region, CELL, CURRENT)
    near = connection(plan, "near")
    i, j = draws.pairs(near, seed=1)
    d = np.abs(i * 0.1 - j * 0.2)
    d = np.minimum(d, 4 - d)
    known = {"d": draws.separations(near, i, j)}
    weights = draws.values("near", near.initial[0], len(i), known, 1)
    np.testing.assert_allclose(weights.value, np.exp(-d))
    np.testing.assert_allclose(draws.delays(near, near.pathways[0].delays, len(i), known, plan).value, d * 1e-3)
    assert connection(plan, "fading").places is None
    assert plan == plan_of(region, CELL, CURRENT)
    with pytest.raises(BrainsimError, match="d is not known"):
        plan_of(region.replace("size: 20, layout: {ring: 4 mm}", "size: 20"), CELL, CURRENT)


def test_equations_of_several_files_must_not_run_in_a_circle():
    cell = CELL.replace("R = 100*Mohm : ohm", "R = 100*Mohm : ohm\n  a = I_x/amp : 1")
    synapse = CURRENT.replace(
        "dI_s/dt = -I_s/tau_s : amp", "dI_s/dt = -I_s/tau_s : amp\n    I_x = I_s*a : amp"
    ).replace("current: I_s", "current: I_x")
    region = (
        "populations: {a: {neuron: cell, size: 2}}\nprojections: {p: {from: a, to: a, synapse: current, connect: all}}"
    )
    assert any(p.kind == "cycle" for p in problems(region, cell, synapse))


def test_a_weight_that_learns_without_a_start_is_saved_from_zero():
    synapse = CURRENT.replace("initial: {w: 1}\n", "")
    region = """
populations: {a: {neuron: cell, size: 2}}
projections:
  p: {from: a, to: a, synapse: current, plasticity: pairs, connect: all}
"""
    p = connection(plan_of(region, CELL, synapse, STDP), "p")
    assert [(i.variable, i.expression) for i in p.initial] == [("w", "(0)")]
    assert p.saved == (("w", "w"),)


def test_weights_of_a_matrix_file_go_with_their_pairs(tmp_path):
    (tmp_path / "pairs.csv").write_text("source,target,weight\n1,0,2.5\n0,1,7\n0,2,1\n")
    region = """
populations: {a: {neuron: cell, size: 3}}
projections:
  p: {from: a, to: a, synapse: current, plasticity: pairs, connect: {matrix: pairs.csv, weight: weight}}
"""
    texts = ["experiment: e\nregion: r\nrun: {duration: 10 ms}\n", f"region: r\n{region}", CELL, CURRENT, STDP]
    documents = source.parse("\n---\n".join(texts), "e.yaml")
    p = compose(circuit.build(documents[0], Library(documents=documents[1:]), {}, tmp_path)).connections[0]
    i, j = draws.pairs(p, seed=1)
    w = draws.values(p.name, p.initial[0], len(i), {}, seed=1).value
    assert dict(zip(zip(i.tolist(), j.tolist(), strict=True), w.tolist(), strict=True)) == {
        (0, 1): 7,
        (0, 2): 1,
        (1, 0): 2.5,
    }


def test_a_lesion_of_the_source_leaves_the_receptors():
    region = LOOP + "  reward: {from: d, to: a, synapse: level, connect: all}\n"
    plan = plan_of(
        region.replace("d: {neuron: cell, size: 1}", "d: {neuron: cell, size: 0}"), CELL, CURRENT, NEEDY, LEVEL
    )
    assert "dDA/dt = -DA/tau_D : 1" in lines(group(plan, "a"))
    assert [g.name for g in plan.groups] == ["a"] and [c.name for c in plan.connections] == ["p"]
    assert any("reward" in note for note in plan.notes)
