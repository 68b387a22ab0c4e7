"""Brian2's own tests on the native device.

    python tests/native/run_brian2_suite.py            # every test that Brian2 calls standalone-compatible
    python tests/native/run_brian2_suite.py --fast     # the thirty that are part of the normal tests
    python tests/native/run_brian2_suite.py -- -k synapses -x     # arguments for pytest

Tests named in ``brian2_exceptions.txt`` are left out, each for the reason given there. Generated code is compiled
without optimisation: compiling is most of the time this takes.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent


def listed(name: str) -> list[str]:
    """The test names in a file: the first word of each line that is not a comment."""
    lines = (HERE / name).read_text().splitlines()
    return [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Brian2's own tests on the native device.")
    parser.add_argument("--fast", action="store_true", help="only the tests of the normal test run")
    parser.add_argument("--all", action="store_true", help="also the tests that Brian2 runs on its runtime device only")
    parser.add_argument("--device", default="native", help="another device, to compare with")
    parser.add_argument("--optimised", action="store_true", help="compile as for users")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    options = parser.parse_args(arguments)
    if not options.optimised:
        os.environ["BRAINSIM_NATIVE_FLAGS"] = "-O0 " + os.environ.get("BRAINSIM_NATIVE_FLAGS", "")

    import brian2
    import pytest
    from brian2.tests import PreferencePlugin
    from brian2.utils.logger import LOG_LEVELS, BrianLogger

    brian2.prefs.reset_to_defaults()
    brian2.prefs["codegen.target"] = "numpy"
    BrianLogger.console_handler.setLevel(LOG_LEVELS["WARNING"])
    plugin = PreferencePlugin(brian2.prefs)
    plugin.device = options.device
    plugin.device_options = {"directory": None, "with_output": False} if options.device != "native" else {}
    folder = Path(brian2.__file__).parent
    common = [
        "-c",
        str(folder / "tests" / "pytest.ini"),
        "--confcutdir",
        str(folder),
        "--quiet",
        "-p",
        "no:cacheprovider",
    ]
    common += ["-p", "brainsim.native"]  # registers the device, in every process
    if options.fast:
        chosen = [f"{folder}/{name}" for name in listed("brian2_fast.txt")]
        status = pytest.main([*chosen, *common, *options.pytest], plugins=[plugin])
    else:
        left_out = [f"--deselect={name}" for name in listed("brian2_exceptions.txt")]
        kind = "not standalone_only and not codegen_independent" if options.all else "standalone_compatible"
        marks = f"{kind} and not gsl and not long"
        rootdir = ["--rootdir", str(folder)]
        status = pytest.main(
            [str(folder), *common, *rootdir, *left_out, "-m", marks, *options.pytest], plugins=[plugin]
        )
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
