"""Time networks on the native device and on C++ standalone, side by side.

    python -m benchmarks                                  every row, float64 and float32
    python -m benchmarks --rows cuba,brunel --rounds 3    some of them
    python -m benchmarks --core 2 --save benchmarks/results

Every row runs in rounds: one run of each device in turn, on one core, with one thread, so that a busy machine slows
both. The table shows medians of CPU seconds for each second of the model.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import tasks  # noqa: F401  (adds its rows)
from benchmarks.networks import NETWORKS

DEVICES = ("cpp_standalone", "native")
#: Rates of the two devices may differ by this much: their random numbers differ, and the networks are chaotic.
TOLERANCE = 0.1


class Worker:
    """A process that holds one network on one device."""

    def __init__(self, name: str, device: str, dtype: str, core: str) -> None:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name, device, dtype, core],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **threads},
        )  # fmt: skip

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"A benchmark ended with status {self.process.wait()}.")
        return json.loads(line)

    def go(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self) -> None:
        self.process.communicate()


def measure(name: str, dtype: str, rounds: int, core: str) -> dict[str, Any]:
    """Alternating runs of one network on both devices."""
    workers = {}
    for device in DEVICES:
        workers[device] = Worker(name, device, dtype, core)
        workers[device].answer()
    runs: dict[str, list[dict[str, Any]]] = {device: [] for device in DEVICES}
    for _ in range(rounds):
        for device, worker in workers.items():
            runs[device].append(worker.go())
    for worker in workers.values():
        worker.end()
    row: dict[str, Any] = {"network": name, "dtype": dtype, "rounds": rounds}
    for device, results in runs.items():
        row[device] = {
            "median": statistics.median(run["cpu"] for run in results),
            "min": min(run["cpu"] for run in results),
            "spikes": statistics.mean(run["spikes"] for run in results),
            "megabytes": max(run["megabytes"] for run in results),
        }
    standalone, native = (row[device] for device in DEVICES)
    row["ratio"] = standalone["median"] / native["median"]
    row["same_rate"] = abs(native["spikes"] / standalone["spikes"] - 1) <= TOLERANCE if standalone["spikes"] else False
    return row


HEAD = """| network | type | C++ standalone | native | ratio | spikes/s | memory |
|---|---|---|---|---|---|---|"""


def line(row: dict[str, Any]) -> str:
    standalone, native = (row[device] for device in DEVICES)
    rates = f"{standalone['spikes']:.0f} / {native['spikes']:.0f}" + ("" if row["same_rate"] else " **differ**")
    return (
        f"| {row['network']} | {row['dtype']} | {standalone['median']:.4g} s (min {standalone['min']:.4g}) "
        f"| {native['median']:.4g} s (min {native['min']:.4g}) | **{row['ratio']:.1f}** | {rates} "
        f"| {standalone['megabytes']:.0f} / {native['megabytes']:.0f} MB |"
    )


def machine() -> dict[str, str]:
    """What was measured on, and with what."""
    import brian2
    import numpy

    from brainsim.native import build

    model = platform.machine()
    if Path("/proc/cpuinfo").exists():
        names = [text for text in Path("/proc/cpuinfo").read_text().splitlines() if text.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    versions = {"python": platform.python_version(), "brian2": brian2.__version__, "numpy": numpy.__version__}
    return {"processor": model, "compiler": build.compiler_version(build.find_compiler()), **versions}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed, side by side.")
    parser.add_argument("--rows", default=",".join(NETWORKS), help="networks, separated by commas")
    parser.add_argument("--types", default="float64,float32", help="float64, float32 or both")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--core", default="", help="the core to stay on")
    parser.add_argument("--save", help="a file name without its ending: .json and .md are written")
    options = parser.parse_args()
    unknown = set(options.rows.split(",")) - set(NETWORKS)
    if unknown:
        parser.error(f"no such network: {', '.join(sorted(unknown))}; there are {', '.join(NETWORKS)}")
    about = machine()
    print("; ".join(f"{key} {value}" for key, value in about.items()))
    print(f"CPU seconds for each second of the model, medians of {options.rounds} alternating rounds.\n\n{HEAD}")
    rows = []
    for name in options.rows.split(","):
        for dtype in options.types.split(","):
            rows.append(measure(name, dtype, options.rounds, options.core))
            print(line(rows[-1]), flush=True)
    if options.save:
        Path(f"{options.save}.json").write_text(json.dumps({"machine": about, "rows": rows}, indent=1) + "\n")
        Path(f"{options.save}.md").write_text("\n".join([HEAD, *map(line, rows)]) + "\n")
    return 0 if all(row["same_rate"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
