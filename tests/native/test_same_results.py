"""The same spikes and weights as Brian2's numpy, on networks without chance."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
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
