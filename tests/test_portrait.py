"""Portraits: what is drawn follows from what a part is made of, also for a part of one's own."""

from __future__ import annotations

import numpy as np
import pytest

from brainsim import portrait
from brainsim.errors import FitError
from brainsim.plots.panels import Panel
from brainsim.portrait import cell, junction, parts, rule


def read(text: str, **values: str):
    return parts.read(text, values)


def curve(panel: Panel, number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    line = panel.lines[number]
    return np.asarray(line.x, float), np.asarray(line.y, float)


LIF = """
neuron: own_lif
parameters: {tau_m: 20 ms, R: 100 Mohm, V_th: 20 mV, %s}
equations: |
  dv/dt = (R*(I_syn %s) - v)/tau_m : volt
threshold: v > V_th
reset: v = 0*mV
method: exact
"""


@pytest.mark.parametrize(
    "text", [LIF % ("I_bias: 0 pA", "+ I_bias"), LIF % ("t_ref: 0 ms", "")], ids=["I_bias", "synaptic current"]
)
def test_rate_of_a_cell_is_the_closed_form(text):
    *traces, rates = cell.portrait(read(text))
    assert len(traces) == 3 and traces[-1].x_label == "time (ms)" and rates.y_label == "rate (Hz)"
    current, rate = curve(rates)  # pA
    assert rates.x_label in ("I_bias (pA)", "I_syn (pA)")
    high = current > 1.2 * 200  # rheobase 20 mV / 100 Mohm
    assert high.sum() > 20 and (rate[current < 195] == 0).all()
    expected = 1 / (20e-3 * np.log(current[high] / (current[high] - 200)))
    np.testing.assert_allclose(rate[high], expected, rtol=0.04)


def test_a_cell_that_fires_by_itself_is_shown_around_its_drive():
    *_, rates = cell.portrait(read(LIF % ("I_bias: 300 pA", "+ I_bias")))
    current, rate = curve(rates)
    assert current.min() < 200 < 300 < current.max() and rate[0] == 0 and rate[-1] > rate[len(rate) // 2] > 10


def test_a_unit_without_spikes_shows_where_it_ends():
    text = "neuron: own_rate\nequations: |\n  dr/dt = (tanh(I_syn) - r)/(10*ms) : 1\n"
    *_, ends = cell.portrait(read(text))
    x, y = curve(ends)
    np.testing.assert_allclose(y, np.tanh(x), atol=0.01)


def test_a_source_with_an_input_is_swept_and_without_shown():
    source = "neuron: own_source\ninputs: {rate: Hz}\nthreshold: rand() < rate*dt\n"
    raster, rates = cell.portrait(read(source))
    x, y = curve(rates)
    assert raster.raster is not None and abs(np.polyfit(x, y, 1)[0] - 1) < 0.1
    alone = cell.portrait(read(source, rate="80 Hz"))
    assert abs(curve(alone[-1])[1].mean() - 80) < 10


def test_a_synapse_is_shown_on_a_cell_that_fits_its_current():
    text = """
synapse: own_current
parameters: {J: 10 pA, tau: 10 ms}
equations: "w : 1"
initial: {w: 1}
on_pre: I_own_post += w*J
post: {equations: "dI_own/dt = -I_own/tau : amp", current: I_own}
"""
    one, potential, train, _ = junction.portrait(read(text))
    t, current = curve(one)
    after = t > 1
    np.testing.assert_allclose(current[after], 10 * np.exp(-t[after] / 10), rtol=0.03, atol=0.02)  # steps of 0.1 ms
    t, v = curve(potential)
    # C = 200 pF, 20 ms: alpha-like with peak J tau tau_m/(C (tau_m - tau)) (1/2 - 1/4)
    assert abs(v.max() - 10 * 10 * 20 / (200 * 10) * 0.25 * 1e3) < 3 and t[v.argmax()] == pytest.approx(13.9, abs=0.5)
    assert len(train.arrows) == 10


def test_a_synapse_with_memory_shows_it_in_the_train():
    text = """
synapse: own_depressing
equations: |
  dx/dt = (1 - x)/(500*ms) : 1 (event-driven)
initial: {x: 1}
on_pre: |
  v_post += x*mV
  x -= 0.5*x
"""
    *_, train = junction.portrait(read(text))
    t, v = curve(train)
    steps = [v[(t > at) & (t < at + 2)].max() - v[t < at - 0.3][-1] for at in (0, 150)]
    assert steps[1] < 0.5 * steps[0]


RULE = """
plasticity: own_rule
parameters: {A: 0.01, tau: 10 ms}
equations: |
  w : 1
  dx/dt = -x/tau : 1 (event-driven)
on_pre: x += 1
on_post: w = clip(w + A*x%s, 0, 5)
initial: {w: 1}
"""


def test_window_of_a_rule_is_the_closed_form():
    first, *_ = rule.portrait(read(RULE % ""))
    t, change = curve(first)
    assert first.y_label == "change of w (10⁻³)" and first.x_label.startswith("t_post")
    late, early = t > 0, t < 0
    np.testing.assert_allclose(change[late], 10 * np.exp(-t[late] / 10), rtol=1e-6)
    assert (change[early] == 0).all()


def test_what_a_rule_reads_is_an_axis_whatever_its_unit():
    for name, unit in (("DA_post", "DA_post"), ("(u_post/mV)", "u_post (mV)"), ("(f_pre/Hz)", "f_pre (Hz)")):
        shown = rule.portrait(read(RULE % f"*{name}"))
        assert unit in [panel.x_label for panel in shown], name


def test_reasons_are_given():
    still = portrait.draw("neuron: still\nequations: |\n  v : 1\n")
    assert still.figure is None and still.text() == "" and "alone" in still.why
    trials = portrait.draw("plasticity: t\nequations: |\n  w : 1\nevery:\n- {each: trial_start, code: w = 0}\n")
    assert "trial_start" in trials.why


def test_wrong_values_are_refused():
    with pytest.raises(FitError, match="no parameter V_t"):
        parts.read("lif", {"V_t": "1 mV"})
    with pytest.raises(FitError, match="V_th of lif is in volt"):
        parts.read("lif", {"V_th": "1 nA"})


def test_the_same_part_gives_the_same_text():
    assert portrait.draw("poisson").text() == portrait.draw("poisson").text()


def test_a_region_is_its_circuit():
    text = portrait.draw("vdsp_layer").text()
    assert text.startswith("<svg xmlns") and "competitors" in text and "var(" not in text
