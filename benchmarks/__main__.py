"""Time networks on the native device and on C++ standalone, side by side.

    python -m benchmarks                                  everything that is not in the file of results yet
    python -m benchmarks --rows cuba,brunel --rounds 3    some networks
    python -m benchmarks --parts table --peers nest,genn  against other simulators as well
    python -m benchmarks.page                             write docs/performance.md from the results

Every row runs in rounds: one run of each device in turn, on one core, with one thread, so that a busy machine slows
all of them. A row that the file has from the same sources is not measured again, so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import results, tasks  # noqa: F401  (tasks adds its rows)
from benchmarks.networks import NETWORKS
from benchmarks.page import line
from benchmarks.peers import PEERS, Peer

OURS = ("cpp_standalone", "native")
#: Rates may differ by this much: random numbers differ, and the networks are chaotic.
TOLERANCE = 0.1
#: Networks for the plot of threads, and numbers of cells of CUBA for that of sizes.
THREADED = ("cuba_40000", "brunel", "brunel_delays", "column")
SIZES = (1000, 4000, 16000, 64000, 256000)


class Ended(Exception):
    """A process ended before it had answered."""


class Worker:
    """A process that holds one network on one device. Some can run it once only, and are started again."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        self._start()

    def _start(self) -> None:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        env = {**os.environ, **threads, "PYTHONHASHSEED": "0"}
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=results.ROOT
        )
        self.used = False

    def ready(self) -> None:
        """Wait until the network is built."""
        self.about = self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for answer in self.process.stdout:
            if answer.startswith("{"):  # others print what they like
                return json.loads(answer)
        raise Ended(f"it ended with status {self.process.wait()}: {' '.join(self.command)}")

    def go(self) -> dict[str, Any]:
        if self.used and self.about.get("once"):
            self.end()
            self._start()
            self.ready()
        self.used = True
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        self.process.communicate()


def device_command(network: str, device: str, dtype: str, core: str, threads: int = 1) -> list[str]:
    return [sys.executable, "-m", "benchmarks.worker", network, device, dtype, core, str(threads)]


def measure(commands: Mapping[str, Sequence[str]], rounds: int, peer_rounds: int = 1) -> dict[str, dict[str, Any]]:
    """Alternating runs of some workers: what they said of themselves, and of their runs."""
    workers: dict[str, Worker] = {}
    try:
        for name, command in commands.items():
            workers[name] = Worker(command)
        for worker in workers.values():  # they build side by side; nothing is timed before all are done
            worker.ready()
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
        for number in range(rounds):
            for name, worker in workers.items():
                if number < peer_rounds or name not in PEERS:
                    runs[name].append(worker.go())
    finally:
        for worker in workers.values():
            worker.end()
    measured = {}
    for name, each in runs.items():
        measured[name] = {
            **workers[name].about,
            "cpu": [run["cpu"] for run in each],
            "median": statistics.median(run["cpu"] for run in each),
            "min": min(run["cpu"] for run in each),
            "spikes": statistics.mean(run["spikes"] for run in each),
            "megabytes": each[0]["megabytes"],  # later rounds keep what put back the first state
        }
        if "wall" in each[0]:
            measured[name]["wall"] = statistics.median(run["wall"] for run in each)
    return measured


def rates_differ(devices: Mapping[str, Mapping[str, Any]], tolerance: float = TOLERANCE) -> list[str]:
    """The devices that had more or fewer spikes in a second of the model than the first, beyond the tolerance."""
    rates = {name: device["spikes"] / device["seconds"] for name, device in devices.items()}
    first = next(iter(rates.values()))
    return [name for name, rate in rates.items() if not first or abs(rate / first - 1) > tolerance]


def jobs(options: argparse.Namespace, peers: Mapping[str, Peer]) -> list[tuple[str, str, str, dict[str, list[str]]]]:
    """What to measure: part, network, type, and the command of each device."""
    listed = []
    rows, types, parts = (getattr(options, name).split(",") for name in ("rows", "types", "parts"))
    for name in rows if "table" in parts else ():
        for dtype in types:
            commands = {device: device_command(name, device, dtype, options.core) for device in OURS}
            for peer in peers.values():
                if (name, dtype) in peer.rows:
                    commands[peer.name] = peer.command(name, dtype, options.core)
            listed.append(("table", name, dtype, commands))
    for name in THREADED if "threads" in parts else ():
        if name in rows:
            counts = range(1, min(4, os.cpu_count() or 1) + 1)
            commands = {str(n): device_command(name, "native", types[0], "", n) for n in counts}
            listed.append(("threads", name, types[0], commands))
    for size in SIZES if "sizes" in parts and "cuba" in rows else ():
        name = f"cuba@{size}"
        commands = {device: device_command(name, device, types[0], options.core) for device in OURS}
        listed.append(("sizes", name, types[0], commands))
    return listed


def found_peers(wanted: str) -> dict[str, Peer]:
    """The peers that were asked for and can be started; a sentence for each that cannot."""
    found = {}
    for name in filter(None, wanted.split(",")):
        if name not in PEERS:
            raise SystemExit(f"No such peer: {name}; there are {', '.join(PEERS)}.")
        peer = PEERS[name]
        missing = peer.missing()
        if missing:
            print(f"{name} is left out: {missing}")
        else:
            found[name] = peer
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed, side by side.")
    parser.add_argument("--parts", default="table,threads,sizes", help="table, threads, sizes")
    parser.add_argument("--rows", default=",".join(NETWORKS), help="networks, separated by commas")
    parser.add_argument("--types", default="float64,float32", help="float64, float32 or both")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--core", default="", help="the core to stay on (not for the plot of threads)")
    parser.add_argument("--peers", default="", help=f"other simulators: {', '.join(PEERS)}")
    parser.add_argument("--peer-rounds", type=int, default=1, help="rounds with other simulators, the first ones")
    parser.add_argument("--save", type=Path, default=Path("runs/benchmarks.json"), help="the file of results")
    parser.add_argument("--again", action="store_true", help="measure rows that are there, too")
    parser.add_argument("--keep", action="store_true", help="keep rows of other sources instead of measuring them")
    options = parser.parse_args()
    unknown = set(options.rows.split(",")) - set(NETWORKS)
    if unknown:
        parser.error(f"no such network: {', '.join(sorted(unknown))}; there are {', '.join(NETWORKS)}")
    here, state = results.machine(), results.sources()
    kept = results.Results(options.save)
    print("; ".join(f"{name} {value}" for name, value in here.items()))
    if not kept.on(here):
        print(f"{options.save} was measured on another machine, or with other versions: it is begun anew.")
    failed = False
    for part, name, dtype, commands in jobs(options, found_peers(options.peers)):
        if not options.again and kept.has(part, name, dtype, commands, None if options.keep else state):
            print(f"{part} {name} {dtype}: there already")
            continue
        began = time.time()
        load = os.getloadavg()[0]
        try:
            devices = measure(commands, options.rounds, options.peer_rounds)
        except Ended as error:  # the others can be measured all the same
            print(f"{part} {name} {dtype}: {error}", flush=True)
            failed = True
            continue
        differ = rates_differ(devices, 0.0 if part == "threads" else TOLERANCE)
        entry = {"part": part, "network": name, "dtype": dtype, "rounds": options.rounds, "load": round(load, 1)}
        entry |= {"differ": differ, "devices": devices}
        kept.add(entry, state)
        failed |= bool(set(differ) - set(PEERS))
        print(f"{line(entry)}   ({time.time() - began:.0f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
