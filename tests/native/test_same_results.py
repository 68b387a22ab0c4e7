"""The same spikes and weights as Brian2's numpy, on networks without chance."""

from __future__ import annotations

import os
import subprocess
import sys

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms
from native_models import MODELS

pytestmark = pytest.mark.compiled


@pytest.mark.parametrize("name", MODELS)
def test_results_are_those_of_numpy(name, native, on_numpy):
    expected = on_numpy(MODELS[name])
    found = MODELS[name]()
    assert len(expected["i"]) > 20
    for key, values in expected.items():
        if values.dtype.kind == "i":
            np.testing.assert_array_equal(found[key], values, err_msg=key)
        else:
            np.testing.assert_allclose(found[key], values, rtol=1e-12, atol=1e-14, err_msg=key)


def test_timed_arrays_are_those_of_numpy(native, on_numpy):
    def run():
        flat = b2.TimedArray(np.arange(7.0), dt=0.3 * ms)
        wide = b2.TimedArray(np.arange(21.0).reshape(7, 3), dt=0.17 * ms)
        group = b2.NeuronGroup(3, "x = flat(t) : 1\ny = wide(t, i) : 1", namespace={"flat": flat, "wide": wide})
        monitor = b2.StateMonitor(group, ["x", "y"], record=True)
        b2.Network(group, monitor).run(3 * ms)
        return np.array(monitor.x), np.array(monitor.y)

    for found, expected in zip(run(), on_numpy(run), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_float32(native, on_numpy):
    def run():
        b2.prefs.core.default_float_dtype = np.float32
        try:
            group = b2.NeuronGroup(
                10, "dv/dt = (1.5 - v) / (10*ms) : 1 (unless refractory)", threshold="v > 1", reset="v = 0",
                refractory=2 * ms, method="exact",
            )  # fmt: skip
            monitor = b2.StateMonitor(group, "v", record=[3])
            spikes = b2.SpikeMonitor(group)
            group.v = "0.1 * i"
            synapses = b2.Synapses(group, group, "w : 1", on_pre="v += w")
            synapses.connect(condition="i != j")
            synapses.w = 0.01
            synapses.delay = "1*ms + 0.1*ms*j"
            b2.Network(group, monitor, spikes, synapses).run(50 * ms)
            assert group.v.dtype == np.float32
            return np.array(monitor.v), np.array(spikes.i)
        finally:
            b2.prefs.core.default_float_dtype = np.float64

    for found, expected in zip(run(), on_numpy(run), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_gap_junctions_and_shared_variables(native, on_numpy):
    def run():
        group = b2.NeuronGroup(
            12, "dv/dt = (1.2 + 0.1 * i / N - v + gap) / (10*ms) : 1\ngap : 1\ntotal : 1 (shared)", threshold="v > 1",
            reset="v = 0", method="euler",
        )  # fmt: skip
        gaps = b2.Synapses(group, group, "w : 1\ngap_post = w * (v_pre - v_post) : 1 (summed)")
        gaps.connect(condition="abs(i - j) == 1")
        gaps.w = 0.2
        group.run_regularly("total = total + 1", dt=1 * ms)
        counts = b2.Synapses(group, group, "n : 1 (shared)", on_pre="v_post -= 0.001")
        counts.connect(j="i")
        spikes = b2.SpikeMonitor(group)
        b2.Network(group, gaps, counts, spikes).run(60 * ms)
        return (
            np.array(spikes.i),
            np.array(spikes.t_),
            np.array(group.v),
            np.array(group.variables["total"].get_value()),
        )

    for found, expected in zip(run(), on_numpy(run), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_functions_without_cpp_are_run_by_numpy(native, on_numpy):
    @b2.check_units(x=1, result=1)
    def bend(x):
        return np.minimum(x, 0.4)

    def run():
        group = b2.NeuronGroup(
            9, "dv/dt = (1.3 - v + bend(v)) / (10*ms) : 1", threshold="v > 1", reset="v = 0.1 * bend(v)",
            method="euler", namespace={"bend": bend},
        )  # fmt: skip
        group.v = "0.1 * i"
        synapses = b2.Synapses(group, group, "w : 1", on_pre="v_post += w * bend(i / 10.0)", namespace={"bend": bend})
        synapses.connect(condition="i != j")
        synapses.w = 0.02
        synapses.delay = "0.1*ms * (i + j)"
        spikes = b2.SpikeMonitor(group)
        net = b2.Network(group, synapses, spikes)
        net.run(30 * ms)
        net.run(10 * ms)
        return np.array(spikes.i), np.array(group.v)

    for found, expected in zip(run(), on_numpy(run), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert "Python" in native.explain()


def test_code_object_class_chosen_by_the_user(native, on_numpy):
    def run():
        group = b2.NeuronGroup(6, "dv/dt = 1.1 / (10*ms) : 1", threshold="v > 1", reset="v = 0", method="euler")
        group.v = "0.15 * i"
        synapses = b2.Synapses(group, group, on_pre="v_post += 0.01", codeobj_class=b2.NumpyCodeObject)
        synapses.connect()
        synapses.delay = "0.2*ms * j"
        monitor = b2.StateMonitor(group, "v", record=True, codeobj_class=b2.NumpyCodeObject)
        b2.Network(group, synapses, monitor).run(30 * ms)
        return (np.array(monitor.v),)

    for found, expected in zip(run(), on_numpy(run), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


STANDALONE = """
import sys, numpy, brian2
sys.path.insert(0, {tests!r})
from native_models import {name}

brian2.prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O1", "-ffp-contract=off"]
brian2.prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]
brian2.set_device("cpp_standalone", directory={folder!r}, with_output=False)
numpy.savez({result!r}, **{name}())
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cuba", "vdsp"])  # stdp has two runs
def test_results_are_those_of_cpp_standalone(name, native, tmp_path):
    result = str(tmp_path / "result.npz")
    tests = os.path.dirname(__file__)
    code = STANDALONE.format(tests=tests, name=name, folder=str(tmp_path / "standalone"), result=result)
    subprocess.run([sys.executable, "-c", code], check=True)
    with np.load(result) as expected:
        for key, values in MODELS[name]().items():
            np.testing.assert_array_equal(values, expected[key], err_msg=key)
