"""Shared fixtures: the checkout, a folder of one's own, and the command line as a user runs it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

Command = Callable[..., "subprocess.CompletedProcess[str]"]

# A shell starts what runs in the background deaf to Ctrl-C, which some tests send. Brian2 keeps what it finds here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def frozen_objects() -> None:
    """Brian2 collects garbage before each run: half the time of the tests, if it looks at all that was imported."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def brainsim_command(tmp_path: Path) -> Command:
    """``brainsim_command("run", "x.yaml")`` in a folder of its own, as a child process."""

    def call(*arguments: str, cwd: Path = tmp_path, timeout: float = 120, **environment: str):
        env = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "200", **environment}
        return subprocess.run(
            [sys.executable, "-m", "brainsim", *arguments],
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return call
