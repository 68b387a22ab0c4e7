"""Vectors of other widths, as other processors have them, give the same bits.

Only exp has other last bits where the processor has no fused multiplication and addition (x86-64-v2).
"""

from __future__ import annotations

import platform
from pathlib import Path

import brian2 as b2
import numpy as np
import pytest
from brian2 import Hz, ms
from native_models import MODELS
from test_rewrites import FUNCTIONS

pytestmark = [
    pytest.mark.compiled,
    pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the flags are those of x86"),
]
WIDTHS = ["x86-64-v3", "x86-64-v2"]


def without_exp(march):
    if march == "x86-64-v2":
        b2.set_device("native", rewrites="-exp")


def narrow(monkeypatch, march):
    if march == "x86-64-v3" and "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor has no AVX2")
    monkeypatch.setenv("BRAINSIM_NATIVE_FLAGS", f"-O1 -march={march}")


def expressions(dtype):
    """Functions of numbers, truth values and random numbers, for full vectors and a rest; events of 75 cells."""
    b2.prefs.core.default_float_dtype = dtype
    try:
        equations = "\n".join(f"r{n} : 1" for n in range(len(FUNCTIONS))) + "\nx : 1\ny : 1\nk : integer\nz : 1"
        equations += "\ndv/dt = (x - v) / (10*ms) + y * xi * ms**-0.5 : 1 (unless refractory)\nflag : boolean"
        group = b2.NeuronGroup(
            75, equations, threshold="v > 0.3", reset="v = 0", refractory=0.5 * ms, method="euler", name="cells"
        )
        rng = np.random.default_rng(1)
        group.x, group.y, group.k = rng.normal(0, 2, 75), rng.normal(0, 1, 75), np.arange(75)
        code = "\n".join(f"r{n} = {text}" for n, text in enumerate(FUNCTIONS))
        group.run_regularly(code + "\nflag = x > y and not flag\nz = z + rand() + randn() * int(flag)", name="code")
        drive = b2.PoissonInput(group[3:60], "z", 100, 30 * Hz, weight=0.3)
        spikes = b2.SpikeMonitor(group)
        b2.seed(4)
        b2.Network(group, drive, spikes).run(3 * ms)
        values = {name: np.array(group.state(name)) for name in ("z", "v", "flag", "lastspike", "not_refractory")}
        values.update({f"r{n}": np.array(group.state(f"r{n}")) for n in range(len(FUNCTIONS))}, i=np.array(spikes.i))
        assert len(values["i"]) > 50
        return values
    finally:
        b2.prefs.core.default_float_dtype = np.float64


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("march", WIDTHS)
def test_expressions_and_random_numbers(march, dtype, native, monkeypatch):
    without_exp(march)
    expected = expressions(dtype)
    narrow(monkeypatch, march)
    for name, values in expressions(dtype).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("march", WIDTHS)
def test_networks(march, name, native, monkeypatch):
    without_exp(march)
    expected = MODELS[name]()
    narrow(monkeypatch, march)
    for key, values in MODELS[name]().items():
        np.testing.assert_array_equal(values, expected[key], err_msg=key)


@pytest.mark.parametrize("march", WIDTHS)
@pytest.mark.parametrize(("dtype", "ulps"), [(np.float64, 1.5), (np.float32, 2)])
def test_exp_is_as_right_as_elsewhere(march, dtype, ulps, native, monkeypatch):
    narrow(monkeypatch, march)
    b2.prefs.core.default_float_dtype = dtype
    try:
        large = 700 if dtype is np.float64 else 80
        rng = np.random.default_rng(5)
        x = np.concatenate([rng.uniform(-large, large, 3000), rng.uniform(-1, 1, 3000), [1000, -1000, np.inf, -np.inf]])
        group = b2.NeuronGroup(len(x), "x : 1\ny : 1", name="cells")
        group.x = x
        group.run_regularly("y = exp(x)", name="code")
        b2.Network(group).run(0.1 * ms)
        with np.errstate(over="ignore"):
            exact = np.exp(np.array(group.x[:], dtype).astype(np.longdouble)).astype(dtype)
        usual = np.isfinite(exact) & (exact != 0)
        assert np.max(np.abs(group.y[:][usual] - exact[usual]) / np.spacing(exact[usual])) <= ulps
        np.testing.assert_array_equal(group.y[:][~usual], exact[~usual])
    finally:
        b2.prefs.core.default_float_dtype = np.float64
