"""stdp_competition: numbers of Song, Miller & Abbott (2000), two kinds of synapses, and a rate that is held."""

from __future__ import annotations

import numpy as np
import pytest

from brainsim import backends

#: What this is the test of.
PARTS = ["region stdp_competition"]

compiled = pytest.mark.compiled
needs_compiler = pytest.mark.skipif(bool(backends.available()["native"]), reason="needs a C++ compiler")


def test_cell_and_inputs_are_those_of_the_paper(make_plan):
    """1000 + 200 inputs at 10 Hz; tau 20 ms, -70, -54 and -60 mV; conductances of 0.015 and 0.05 of the leak, 5 ms."""
    plan = make_plan("song_2000")
    groups = {g.path: (g.size, {c.name: c.value.value for c in g.constants}) for g in plan.groups}
    assert {path: size for path, (size, _) in groups.items()} == {"exc": 1000, "inh": 200, "cell": 1}
    cell = groups["cell"][1]
    assert [cell[name] for name in ("E_L", "V_th", "V_r")] == pytest.approx([-0.070, -0.054, -0.060])
    assert cell["C_m"] / cell["g_L"] == pytest.approx(0.020)
    assert [value for name, value in cell.items() if name.startswith("tau_")] == pytest.approx([0.005, 0.005])
    assert cell["E_gaba"] == pytest.approx(-0.070)
    values = {(c.path, k.name): k.value.value for c in plan.connections for k in c.constants}
    assert values["learned", "g_max"] / cell["g_L"] == pytest.approx(0.015)
    assert values["inhibition", "g_max"] / cell["g_L"] == pytest.approx(0.05)
    assert cell["g_L"] == pytest.approx(10e-9)
    for path in ("exc", "inh"):
        assert groups[path][1]["rate"] == pytest.approx(10)


@compiled
@needs_compiler
def test_weights_part_and_the_rate_stays_in_bounds(simulate):
    """Four times the input, started at the largest weights: less than half more output, and hardly a weight between."""
    output = {}
    for rate in (20, 40):
        results = simulate("song_2000", set={"rate": f"{rate} Hz", "run.duration": "600 s"}, backend="native")
        times, _ = results.spikes("cell")
        assert np.sum(times < 2) / 2 > 100, "at the start it fires far faster"
        output[rate] = np.sum(times > 400) / 200
        shares = np.histogram(results.weights("learned").after["w"], [0, 0.2, 0.8, 1])[0] / 1000
        assert shares[0] > 0.3 and shares[2] > 0.05
        assert shares[1] < 0.5 * shares[[0, 2]].sum()
    assert output[40] / output[20] < 1.4
