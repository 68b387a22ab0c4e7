"""The benchmark program: what it says about a row, and (in the long tests) one row of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
benchmarks = pytest.importorskip("benchmarks.__main__")


def test_a_row_shows_both_devices_and_whether_rates_differ():
    device = {"median": 2.0, "min": 1.5, "spikes": 100.0, "megabytes": 10.0}
    row = {"network": "net", "dtype": "float64", "cpp_standalone": device, "native": device, "ratio": 1.0}
    assert "| **1.0** | 100 / 100 | 10 / 10 MB |" in benchmarks.line({**row, "same_rate": True})
    assert "**differ**" in benchmarks.line({**row, "same_rate": False})


@pytest.mark.compiled
@pytest.mark.slow
def test_one_row():
    command = [sys.executable, "-m", "benchmarks", "--rows", "cuba", "--types", "float64", "--rounds", "1"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "| cuba | float64 |" in result.stdout
