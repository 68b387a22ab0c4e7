"""synaptic_scaling, lif_intrinsic, weight_normalisation: the formula on recorded spikes, and the target is reached."""

from __future__ import annotations

import numpy as np
import pytest

from brainsim import backends

#: What this is the test of.
PARTS = [
    "plasticity synaptic_scaling",
    "plasticity weight_normalisation",
    "plasticity weight_normalisation_regular",
    "neuron lif_intrinsic",
]

SCALED = """
experiment: scaled
region:
  region: scaled
  populations:
    source: {neuron: {name: poisson, parameters: {rate: 50 Hz}}, size: 4}
    target: {neuron: {name: poisson, parameters: {rate: 40 Hz}}, size: 1}
  projections:
    learned:
      {from: source, to: target, synapse: silent, plasticity: synaptic_scaling, connect: all, initial: {w: 1 + i}}
run: {duration: 4 s, dt: 2 ms}
record: {spikes: [target]}
"""


def test_scaling_equals_an_independent_program(simulate, timed_cells):
    """As published: tau 100 s, beta 4e-5, gamma 1e-7 a second, from the wanted rate of 5 Hz on."""
    results = simulate(SCALED + timed_cells)
    times, _ = results.spikes("target")
    fired = np.zeros(2000)
    fired[np.rint(times / 2e-3).astype(int)] = 1
    rate, missing, factor = 5.0, 0.0, 1.0
    for step in range(2000):
        if step % 50 == 0:
            missing += 0.1 * (5 - rate)
            factor *= 1 + 0.1 * (4e-5 * (5 - rate) + 1e-7 * missing)
        rate = rate * np.exp(-2e-3 / 100) + fired[step] / 100
    weights = results.weights("learned")
    np.testing.assert_allclose(weights.after["w"], weights.before["w"] * factor, rtol=1e-12)
    assert factor < 1 - 1e-5


REACHED = """
experiment: reached
region:
  region: reached
  populations:
    source: {neuron: {name: poisson, parameters: {rate: 100 Hz}}, size: 20}
    target: {neuron: linear, size: 4}
  projections:
    learned:
      from: source
      to: target
      synapse: adds
      plasticity: {name: synaptic_scaling, parameters: {tau_a: 300 ms, r_0: 25 Hz, k_p: 0.04, k_i: 0.01 Hz}}
      connect: all
      initial: {w: (0.005 + 0.02*j)*(1 + i % 2)}
run: {duration: 16 s, dt: 2 ms}
record: {spikes: [target]}
---
neuron: linear
equations: |
  phase : 1
threshold: phase > 1
reset: phase -= 1
---
synapse: adds
equations: |
  w : 1
on_pre: phase_post += w
"""


def test_scaling_reaches_the_wanted_rate_and_keeps_ratios(simulate):
    """Four cells that start at 15 to 195 Hz end at 25 Hz; a weight twice another stays so. Larger gains, for speed."""
    results = simulate(REACHED)
    times, cells = results.spikes("target")
    rates = np.bincount(cells[times > 8].astype(int), minlength=4) / 8
    np.testing.assert_allclose(rates, 25, rtol=0.06)
    weights = results.weights("learned")
    w = np.zeros((20, 4))
    w[weights.source, weights.target] = weights.after["w"]
    np.testing.assert_allclose(w[1::2], 2 * w[::2], rtol=1e-9)


def test_scaled_weights_stay_between_zero_and_ten(simulate):
    at_most = simulate(REACHED, set={"learned.plasticity.r_0": "10 kHz", "run.duration": "2 s"}).weights("learned")
    assert at_most.after["w"].max() == 10
    at_least = simulate(REACHED, set={"learned.plasticity.k_p": 100, "run.duration": "1 s"}).weights("learned")
    assert at_least.after["w"].min() == 0


INTRINSIC = """
experiment: intrinsic
region:
  region: intrinsic
  populations:
    cell: {neuron: lif_intrinsic, size: 5, initial: {I_bias: 170*pA + i*40*pA, v: -70 mV, V_a: -6*mV + i*4*mV}}
run: {duration: 20 s, dt: 0.5 ms}
record: {spikes: [cell], state: {cell: {variables: [V_a], every: 1 s}}}
"""


def test_whatever_its_drive_the_cell_fires_ten_times_a_second(simulate):
    """Drives from below to far above threshold. Each spike raises the threshold by 0.1 mV, each second takes 1 mV."""
    results = simulate(INTRINSIC)
    times, cells = results.spikes("cell")
    counts = np.bincount(cells.astype(int), minlength=5)
    _, raised = results.state("cell", "V_a")
    # The book of the threshold: what it gained is 0.1 mV a spike less 0.1 mV times 10 Hz, up to the last second.
    early = np.bincount(cells[times < 19].astype(int), minlength=5)
    np.testing.assert_allclose(raised[19] - raised[0], 1e-4 * (early - 190), atol=2e-4)
    late = np.bincount(cells[times > 10].astype(int), minlength=5) / 10
    np.testing.assert_allclose(late, 10, rtol=0.06)
    assert counts.min() > 100


#: Two populations onto three cells; the second cell hears one of them only, the third hears silence.
SUMS = """
experiment: sums
region:
  region: sums
  populations:
    first: {neuron: timed, size: 6}
    second: {neuron: timed, size: 4}
    target: {neuron: timed, size: 3}
  projections:
    learned:
      {from: first, to: "target[0:2]", synapse: silent, plasticity: RULE, connect: all, initial: {w: rand()}}
    zero: {from: first, to: "target[2:3]", synapse: silent, plasticity: RULE, connect: all, initial: {w: 0}}
    other:
      {from: second, to: "target[0:1]", synapse: silent, plasticity: OTHER, connect: all, initial: {w: rand()}}
"""
TRIALS = """
data: {name: mnist, train: 2}
trial: {duration: 10 ms, inputs: {image: eye.pixel}}
phases: {train: {data: train}}
run: {dt: 1 ms}
record: {state: {learned: {variables: [w]}}}
"""
EYE = """
---
neuron: eye
inputs: {pixel: 1}
equations: "v : 1"
"""


def sums(results, name):
    weights = results.weights(name)
    return [np.bincount(weights.target, getattr(weights, when)["w"], 3) for when in ("before", "after")]


def test_sums_are_78_from_the_start_of_the_first_trial_on(simulate, timed_cells):
    """Projections with the same constant are summed together; those with another one are not."""
    text = SUMS.replace("    target:", "    eye: {neuron: eye, size: 784}\n    target:") + TRIALS + EYE + timed_cells
    rule = "weight_normalisation"
    for other, apart in ((rule, False), (f"{{name: {rule}, parameters: {{w_total: 2}}}}", True)):
        results = simulate(text.replace("RULE", rule).replace("OTHER", other))
        before, after = sums(results, "learned")
        beside_before, beside = sums(results, "other")
        if apart:
            np.testing.assert_allclose(after[:2], 78)
            np.testing.assert_allclose(beside[0], 2)
        else:
            np.testing.assert_allclose(after[0] / before[0], 78 / (before[0] + beside_before[0]))
            np.testing.assert_allclose(after[1], 78)
            np.testing.assert_allclose(after[0] + beside[0], 78)
        assert sums(results, "zero")[1][2] == 0
        weights = results.weights("learned")
        ratio = weights.after["w"] / weights.before["w"]
        np.testing.assert_allclose(ratio[weights.target == 1], ratio[weights.target == 1][0])


COMPILED = [
    pytest.mark.compiled,
    pytest.mark.skipif(bool(backends.available()["native"]), reason="needs a C++ compiler"),
]
REGULAR = "run: {duration: 250 ms, dt: 1 ms}\nrecord: {state: {learned: {variables: [w]}}}\n"


@pytest.mark.parametrize(
    "backend",
    [
        "numpy",
        pytest.param("native", marks=COMPILED),
        pytest.param("cpp_standalone", marks=[*COMPILED, pytest.mark.slow]),
        pytest.param("cython", marks=[*COMPILED, pytest.mark.slow]),
    ],
)
def test_at_regular_times_on_every_backend(simulate, timed_cells, backend):
    """A rule that changes weights between: they grow from the first normalisation to the next. Sum 1, every 100 ms."""
    grows = """
---
plasticity: grows
extends: weight_normalisation_regular
parameters: {T_grow: 10 ms}
every:
  - {each: T_grow, code: w += 0.01}
  - {each: T_norm, order: 2, code: w_sum_post += w}
  - {each: T_norm, order: 4, code: w = w*w_scale_post}
"""
    text = SUMS.replace("RULE", "grows").replace("OTHER", "{name: grows, parameters: {T_norm: 70 ms}}") + REGULAR
    results = simulate(text + timed_cells + grows, backend=backend)
    _, w = results.state("learned", "w")
    target = results.weights("learned").target
    total = w[:, target == 1].sum(axis=1)
    # 1, then 0.06 more every 10 ms.
    assert total[1] == pytest.approx(1)
    assert total[99] == pytest.approx(1 + 9 * 0.06)
    assert total[101] == pytest.approx(1)
    assert total[201] == pytest.approx(1)
    assert total[249] == pytest.approx(1 + 4 * 0.06)
    assert sums(results, "other")[1][0] == pytest.approx(1 + 3 * 0.04)
