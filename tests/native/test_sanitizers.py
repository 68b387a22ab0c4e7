"""Generated code under the address and undefined-behaviour sanitizers: thirty of Brian2's tests, and whole models."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.compiled, pytest.mark.slow]

HERE = Path(__file__).parent
MODELS = """
import sys, brian2
sys.path.insert(0, {here!r})
import brainsim.native
from native_models import MODELS
from test_counts import CASES, run

brian2.prefs.codegen.target = "numpy"
brian2.set_device("native")
for name, model in MODELS.items():
    print(name, {{key: value.shape for key, value in model().items()}})
for name in ("dense", "sparse", "many at once"):
    print(name, len(run(**CASES[name])))
"""


def sanitized(command: list[str], folder: Path) -> str:
    """Run a command whose generated code is checked; a report of either sanitizer ends it with an error."""
    compiler = os.environ.get("CXX", "g++").split()
    libraries = []
    # libstdc++ beside it: matplotlib's own throws before the sanitizer has found the real one.
    for name in ("libasan.so", "libstdc++.so"):
        found = subprocess.run([*compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=False)
        libraries.append(found.stdout.strip())
    if not Path(libraries[0]).is_absolute():
        pytest.skip("the compiler has no address sanitizer")
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(folder),
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python itself keeps memory to its end
        "BRAINSIM_NATIVE_FLAGS": "-fsanitize=address,undefined -fno-sanitize-recover=all -g",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    output = done.stdout[-4000:] + done.stderr[-4000:]
    assert done.returncode == 0, output
    assert "AddressSanitizer" not in output and "runtime error" not in output, output
    return done.stdout


def test_thirty_of_brian2s_tests(tmp_path):
    assert "30 passed" in sanitized([sys.executable, str(HERE / "run_brian2_suite.py"), "--fast"], tmp_path)


def test_whole_models(tmp_path):
    printed = sanitized([sys.executable, "-c", MODELS.format(here=str(HERE))], tmp_path)
    assert {line.split()[0] for line in printed.splitlines()} >= {"cuba", "stdp", "vdsp", "dense"}
