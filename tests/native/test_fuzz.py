"""Random small networks give the same spikes and weights on the native device as on numpy and on cpp_standalone.

No random number is drawn in a run; graphs, delays, weights and inputs are drawn here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms
from brian2.devices.device import reset_device, set_device
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

MODELS = {
    "exact": "dv/dt = (drive - v) / (10*ms) : 1{0}\ndrive : 1",
    "euler": "dv/dt = (drive - v + 0.1 * sin(v)) / (10*ms) : 1{0}\ndu/dt = (v - u) / (30*ms) : 1\ndrive : 1",
    "rk2": "dv/dt = (drive - v**2 * 0.3 - u) / (10*ms) : 1{0}\ndu/dt = (0.2 * v - u) / (30*ms) : 1\ndrive : 1",
    "exponential_euler": "dv/dt = (drive - v + x) / (8*ms) : 1{0}\nx = clip(v, 0, 0.2) : 1\ndrive : 1",
}
RULES = {
    "fixed": ("w : 1", "v_post += w", None),
    "pair": (
        """w : 1
        da/dt = -a / (20*ms) : 1 (event-driven)
        db/dt = -b / (15*ms) : 1 (event-driven)""",
        "v_post += w; a += 0.02; w = clip(w + b, 0, 0.6)",
        "b -= 0.021; w = clip(w + a, 0, 0.6)",
    ),
    # No statement reads what another synapse writes in the same event: Brian2 leaves the order of those open.
    "driven": (
        "w : 1",
        "w = clip(w + 0.01 * int(drive_post > 1), 0, 0.6); v_post += w",
        "w = clip(w - 0.01 * drive_pre, 0, 1)",
    ),
    "clocked": ("w : 1\ndg/dt = -g / (5*ms) : 1 (clock-driven)", "g += 0.3; v_post += w * g; w *= 0.999", "g -= 0.1"),
}

networks = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "method": st.sampled_from(sorted(MODELS)),
        "rule": st.sampled_from(sorted(RULES)),
        "cells": st.integers(1, 40),
        "density": st.floats(0, 1),
        "delays": st.sampled_from(["none", "one", "each"]),
        "refractory": st.sampled_from([None, 0.5, 3.0]),
        "subgroup": st.booleans(),
        "regularly": st.booleans(),
        "dt": st.sampled_from([0.1, 0.05, 0.2]),
        "runs": st.lists(st.integers(1, 300), min_size=1, max_size=3),
    }
)


def run(what):
    rng = np.random.default_rng(what["seed"])
    b2.defaultclock.dt = what["dt"] * ms
    cells = what["cells"]
    equations = MODELS[what["method"]].format(" (unless refractory)" if what["refractory"] else "")
    refractory = {"refractory": what["refractory"] * ms} if what["refractory"] else {}
    group = b2.NeuronGroup(
        cells, equations, threshold="v > 1", reset="v = 0", method=what["method"], name="cells", **refractory
    )
    group.v = rng.random(cells)
    group.drive = 0.5 + 1.5 * rng.random(cells)
    if what["regularly"]:
        group.run_regularly("drive = 0.9 * drive + 0.1 * v", dt=2 * ms, name="regularly")
    source = group[: max(1, cells // 2)] if what["subgroup"] else group
    model, on_pre, on_post = RULES[what["rule"]]
    synapses = b2.Synapses(source, group, model, on_pre=on_pre, on_post=on_post, method="exact", name="synapses")
    pre, post = np.nonzero(rng.random((len(source), cells)) < what["density"])
    order = rng.permutation(len(pre))
    synapses.connect(i=pre[order].astype(int), j=post[order].astype(int)) if len(pre) else synapses.connect("False")
    synapses.w = rng.random(len(synapses)) * 0.3
    if what["delays"] == "one":
        synapses.pre.delay = 1.3 * ms
    elif what["delays"] == "each":
        synapses.pre.delay = rng.random(len(synapses)) * 5 * ms
        if on_post:
            synapses.post.delay = rng.random(len(synapses)) * 3 * ms
    spikes = b2.SpikeMonitor(group, variables=["drive"], name="spikes")
    states = b2.StateMonitor(group, "v", record=[0], dt=1 * ms, name="states")
    net = b2.Network(group, synapses, spikes, states)
    for steps in what["runs"]:
        net.run(steps * 0.2 * ms, namespace={})
    return [np.array(a) for a in (spikes.i, spikes.t_, spikes.drive, states.v, states.t_, synapses.w, group.v)]


@pytest.mark.compiled
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(what=networks)
def test_random_networks(what):
    found = []
    target = b2.prefs.codegen.target
    for device in ("runtime", "native"):
        b2.prefs.codegen.target = "numpy"
        set_device(device)
        try:
            found.append(run(what))
        finally:
            b2.defaultclock.dt = 0.1 * ms
            reset_device()
            b2.prefs.codegen.target = target
    for expected, got in zip(*found, strict=True):
        if expected.dtype.kind == "i":
            np.testing.assert_array_equal(got, expected)
        else:
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


STANDALONE = """
import json, sys, numpy, brian2
sys.path.insert(0, {tests!r})
from test_fuzz import run

brian2.prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O1", "-ffp-contract=off"]
brian2.prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]
brian2.set_device("cpp_standalone", directory={folder!r}, with_output=False)
numpy.savez({result!r}, *run(json.loads({what!r})))
"""


def drawn(number: int) -> dict:
    """A network of the same kinds, drawn without hypothesis: each of them costs a compilation of ten seconds."""
    rng = np.random.default_rng(number)
    return {
        "seed": number,
        "method": sorted(MODELS)[number % len(MODELS)],
        "rule": sorted(RULES)[(number // 2) % len(RULES)],
        "cells": int(rng.integers(2, 40)),
        "density": float(rng.uniform(0.2, 1)),
        "delays": ["none", "one", "each"][number % 3],
        "refractory": [None, 0.5, 3.0][(number // 3) % 3],
        "subgroup": bool(rng.integers(2)),
        "regularly": bool(rng.integers(2)),
        "dt": [0.1, 0.2][number % 2],
        "runs": [int(rng.integers(50, 300))],  # cpp_standalone builds for one run
    }


@pytest.mark.compiled
@pytest.mark.slow
@pytest.mark.parametrize("number", range(12))
def test_random_networks_against_cpp_standalone(number, native, tmp_path):
    what, result = drawn(number), str(tmp_path / "result.npz")
    values = {"tests": os.path.dirname(__file__), "folder": str(tmp_path / "standalone"), "result": result}
    subprocess.run([sys.executable, "-c", STANDALONE.format(what=json.dumps(what), **values)], check=True)
    found = run(what)
    with np.load(result) as expected:
        for got, name in zip(found, expected.files, strict=True):
            np.testing.assert_allclose(got, expected[name], rtol=1e-9, atol=1e-12, err_msg=name)
