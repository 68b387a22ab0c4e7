"""Other simulators, for whoever has them: ``make bench PEERS=nest,annarchy,genn``.

Each runs in an interpreter of its own choice: ``PEERS_PYTHON`` names it, or ``PEERS_PYTHON_NEST`` for one of them
(without both it is this one). That interpreter needs numpy and the simulator, not brainsim.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

BALANCED = ("cuba", "coba", "cuba_40000")


@dataclass(frozen=True)
class Peer:
    """A simulator, the rows it has, and what is not the same there."""

    name: str
    package: str
    networks: tuple[str, ...]
    types: tuple[str, ...]
    differs: str

    @property
    def rows(self) -> set[tuple[str, str]]:
        return {(network, dtype) for network in self.networks for dtype in self.types}

    @property
    def python(self) -> str:
        own = os.environ.get(f"PEERS_PYTHON_{self.name.upper()}")
        return own or os.environ.get("PEERS_PYTHON") or sys.executable

    def missing(self) -> str:
        """Why it cannot be used, as a sentence; empty if it can."""
        try:
            found = subprocess.run(
                [self.python, "-c", f"import {self.package}"], capture_output=True, text=True, timeout=120
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{self.python} cannot be started ({error})."
        if found.returncode == 0:
            return ""
        return f"{self.python} has no {self.package}; PEERS_PYTHON names the interpreter that has it."

    def command(self, network: str, dtype: str, core: str) -> list[str]:
        return [self.python, "-m", f"benchmarks.peers.{self.name}", network, dtype, core]


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "nest",
            "nest",
            (*BALANCED, "brunel", "brunel_delays", "brunel_stdp", "column"),
            ("float64",),
            "its wheel, built for any x86-64; coba with an adaptive Runge-Kutta method (iaf_cond_exp has no other); "
            "in brunel_stdp delays are dendritic, so pairs of spikes lie 1.5 ms apart from ours",
        ),
        Peer(
            "genn",
            "pygenn",
            (*BALANCED, "coba_euler", "brunel", "brunel_stdp", "column"),
            ("float64", "float32"),
            "its single-threaded CPU backend with -O3 -ffast-math -march=native; in brunel_stdp cells keep the traces, "
            "which is how GeNN writes it; random drive by inversion of one uniform number",
        ),
        Peer(
            "annarchy",
            "ANNarchy",
            (*BALANCED, "coba_euler"),
            ("float64",),
            "one thread, -O3 -march=native; cuba with exponential Euler instead of the exact solution",
        ),
    )
}
