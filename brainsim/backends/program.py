"""The C++ program of a standalone run: its compiler, its makefile, its progress."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

from brainsim.backends.runtime import COMPILE_FLAGS
from brainsim.compose.plan import Plan
from brainsim.errors import Problem, SetupError

PROGRESS = "brainsim_progress.txt"


class Failed(Exception):
    """Compiling or running went wrong; ``log`` says how."""

    def __init__(self, what: str, log: Path):
        super().__init__(what)
        self.what, self.log = what, log


def find_compiler() -> str:
    """The C++ compiler command, ``$CXX`` first; empty if there is none."""
    named = os.environ.get("CXX", "").strip()
    if named:
        return named if shutil.which(shlex.split(named)[0]) else ""
    return next((name for name in ("g++", "c++", "clang++") if shutil.which(name)), "")


def compiler() -> str:
    """The C++ compiler command. Raises ``SetupError`` when it or make is missing."""
    found, make = find_compiler(), shutil.which("make")
    if found and make:
        return found
    missing = "make" if found else "a C++ compiler"
    raise SetupError(Problem("backend", f"cpp_standalone needs {missing}, and none was found.",
                             hint="Install one (on Debian: apt install g++ make), or use backend: numpy."))  # fmt: skip


def refuses(plan: Plan) -> str:
    """Why a program of its own cannot run a plan; empty if it can."""
    if plan.trial is not None and plan.trial.limit:
        return "cpp_standalone shows no sample again (trial.repeat_while): how long it runs is fixed when it starts"
    if plan.rounds > 1:
        return "cpp_standalone goes through its phases once (run.rounds): nothing is read out before it ends"
    if not plan.groups:
        return "cpp_standalone has nothing to compile: there are no cells"
    return ""


_MAKEFILE = """\
CXX = {compiler}
FLAGS = {flags} -I.
OBJECTS = {objects}

main: $(OBJECTS)
\t$(CXX) $(OBJECTS) -o main

# Most of the time of compiling small files goes into the same headers: read them once.
common.h.gch: common.h
\t$(CXX) $(FLAGS) -x c++-header common.h -o common.h.gch

%.o: %.cpp common.h.gch
\t$(CXX) $(FLAGS) -include common.h -c $< -o $@
"""
_COMMON = """\
#include <stdlib.h>
#include "objects.h"
#include "brianlib/common_math.h"
#include "brianlib/stdint_compat.h"
#include <cmath>
#include <climits>
#include <ctime>
#include <iostream>
#include <fstream>
"""


def compile_sources(place: Path, sources: list[str]) -> None:
    """Compile what Brian2 wrote to ``place`` into ``place/main``. Raises :class:`Failed`."""
    objects = " ".join(source.removesuffix(".cpp") + ".o" for source in sources)
    flags = " ".join(COMPILE_FLAGS)
    (place / "common.h").write_text(_COMMON)
    (place / "makefile").write_text(_MAKEFILE.format(compiler=compiler(), flags=flags, objects=objects))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    log = place / "compile.log"
    with open(log, "wb") as out:
        child = subprocess.Popen(
            ["make", "-j", str(cores), "main"],
            cwd=place,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")},
            start_new_session=True,
        )
        try:
            child.wait()
        except BaseException:
            os.killpg(child.pid, signal.SIGTERM)  # make and every compiler it started
            child.wait()
            raise
    if child.returncode != 0:
        raise Failed("The C++ compiler refused the generated code", log)


def progress_code(plan: Plan, built: Any) -> str:
    """C++ that writes model time and spike counts to a file about four times a second.

    It runs as the last object of each step. Brian2's own report reads the processor's clock before every
    object of every step, which costs more than small networks themselves.
    """
    counts = "".join(
        f' << " " << _array_{watch.name}_N[0]'
        for watch in plan.watches
        if watch.kind == "spikes" and watch.name in built.monitors
    )
    return f"""
#include <chrono>
#include <cstdio>
static void brainsim_write(double model_time)
{{
    using namespace brian;
    const std::string name = results_dir + "{PROGRESS}", part = name + ".part";
    {{
        std::ofstream file(part);
        file.precision(17);
        file << model_time{counts} << std::endl;
    }}
    std::rename(part.c_str(), name.c_str());
}}
static void brainsim_progress()
{{
    using clock = std::chrono::steady_clock;
    static long step = 0, look = 16;
    static clock::time_point last = clock::now();
    if (++step < look) return;
    const double seconds = std::chrono::duration<double>(clock::now() - last).count();
    // Look again after about 50 ms, whatever a step costs.
    static long before = 0;
    const double each = seconds/(step - before);
    look = step + 1 + (long)std::min(1e6, 0.05/std::max(each, 1e-9));
    if (seconds < 0.2) return;
    brainsim_write(brian::defaultclock.t[0]);
    last = clock::now();
    before = step;
}}
static void brainsim_last()
{{
    brainsim_write(brian::{built.network.name}.t);
}}
"""


def read_progress(results: Path) -> tuple[float | None, list[int]]:
    """Model time in seconds and spike counts the program last wrote; None before it did."""
    try:
        words = (results / PROGRESS).read_text().split()
        return float(words[0]), [int(word) for word in words[1:]]
    except (OSError, ValueError, IndexError):
        return None, []
