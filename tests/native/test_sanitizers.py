"""Generated code under sanitizers: thirty of Brian2's tests, and whole models; threads under the one for races."""

from __future__ import annotations

import os
import shutil
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


RACES = """
import sys, brian2
sys.path.insert(0, {here!r})
import brainsim.native
from brainsim.native import threads, unit

threads.PIECE = 8
brian2.prefs.codegen.target = "numpy"
brian2.set_device("native", threads=3)
if {wrong!r}:  # every thread does the part of the first
    text = unit._text
    unit._text = lambda name: text(name).replace("Part{{number, count}}", "Part{{0, count}}")
from native_models import MODELS
from brunel import brunel, results_of_brunel

for model in MODELS.values():
    model()
for plasticity in (False, True):
    for delays in (False, True):
        results_of_brunel(plasticity=plasticity, delays=delays)
net, *_ = brunel()
brainsim.native.native_device.replicas(net, (1, 2, 3), namespace={{}}).step(100)
print("the end")
"""


@pytest.mark.parametrize("wrong", [False, True])
def test_threads(wrong, tmp_path):
    """No races; and they are found if there are some."""
    compiler = os.environ.get("CXX", "g++").split()
    libraries = []
    for name in ("libtsan.so", "libstdc++.so"):
        found = subprocess.run([*compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=False)
        libraries.append(found.stdout.strip())
    if not Path(libraries[0]).is_absolute():
        pytest.skip("the compiler has no thread sanitizer")
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(tmp_path),
        "LD_PRELOAD": " ".join(libraries),
        "TSAN_OPTIONS": "ignore_noninstrumented_modules=1 halt_on_error=1 exitcode=66",
        "OPENBLAS_NUM_THREADS": "1",
        "BRAINSIM_NATIVE_FLAGS": "-fsanitize=thread -g -O1",
    }
    # A fixed layout of memory: the sanitizer does not know all the others.
    fixed = ["setarch", "-R"] if shutil.which("setarch") else []
    code = RACES.format(here=str(HERE), wrong=wrong)
    done = subprocess.run([*fixed, sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    output = done.stdout[-2000:] + done.stderr[-4000:]
    if wrong:
        assert done.returncode != 0 and "data race" in done.stderr, output
    else:
        assert done.returncode == 0 and "the end" in done.stdout and "data race" not in output, output
