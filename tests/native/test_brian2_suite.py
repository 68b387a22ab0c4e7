"""Brian2's own tests on the native device: thirty of them always, all of them (some minutes) in the long run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).with_name("run_brian2_suite.py")


def run(*arguments):
    result = subprocess.run([sys.executable, str(RUNNER), *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
    return result.stdout


@pytest.mark.compiled
def test_thirty_of_brian2s_tests():
    assert "30 passed" in run("--fast")


@pytest.mark.compiled
@pytest.mark.slow
def test_all_of_brian2s_tests():
    run()
