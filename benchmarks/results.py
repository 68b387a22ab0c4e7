"""What was measured, as a JSON file: one entry for each row, with the sources it was measured from."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
#: What a row depends on; the driver, this file and the page are no part of it.
SOURCES = ("brainsim", "models", "plasticity", "regions", "configs", "benchmarks")
OURS = ("__main__.py", "results.py", "page.py")

Entry = dict[str, Any]


def sources() -> str:
    """A hash of everything that is timed, in whatever commit it is."""
    digest = hashlib.sha256()
    for path in sorted(p for folder in SOURCES for p in (ROOT / folder).rglob("*") if p.is_file()):
        if path.suffix in (".py", ".cpp", ".hpp", ".yaml") and not (
            path.parent.name == "benchmarks" and path.name in OURS
        ):
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def commit() -> str:
    """The commit of this checkout, with a + if files differ from it; empty outside of git."""
    command = ["git", "describe", "--always", "--abbrev=10", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine() -> dict[str, str]:
    """What is measured on, and with what."""
    import brian2
    import numpy

    from brainsim.native import build

    about = {"processor": platform.machine(), "cores": str(os.cpu_count()), "system": platform.system()}
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line for line in lines if line.startswith("model name")]
        about["processor"] = names[0].partition(":")[2].strip() if names else about["processor"]
        flags = next((line.split() for line in lines if line.startswith("flags")), [])
        vectors = [name for name, flag in (("AVX2", "avx2"), ("AVX-512", "avx512f")) if flag in flags]
        about["vectors"] = ", ".join(vectors)
        pages = Path("/sys/kernel/mm/transparent_hugepage/enabled")
        about["huge pages"] = pages.read_text().partition("[")[2].partition("]")[0] if pages.exists() else ""
    compiler = build.find_compiler()
    about |= {"compiler": build.compiler_version(compiler), "flags of native": " ".join(build.flags())}
    about |= {"python": platform.python_version(), "brian2": brian2.__version__, "numpy": numpy.__version__}
    return about


def key(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    return entry["part"], entry["network"], entry["dtype"]


class Results:
    """Entries by part, network and type, written to a file whenever one is added."""

    def __init__(self, path: Path) -> None:
        self.path = path
        found = json.loads(path.read_text()) if path.exists() else {}
        self.machine: dict[str, str] = found.get("machine", {})
        self.entries: dict[tuple[str, str, str], Entry] = {key(entry): entry for entry in found.get("entries", ())}

    def on(self, here: dict[str, str]) -> bool:
        """Take this machine for that of the file; what another one measured is dropped, and False returned."""
        same = not self.entries or self.machine == here
        if not same:
            self.entries.clear()
        self.machine = here
        return same

    def has(self, part: str, network: str, dtype: str, devices: Iterable[str], state: str | None) -> bool:
        """Whether a row is there, with all devices, and (unless ``state`` is None) from these sources."""
        entry = self.entries.get((part, network, dtype))
        return bool(entry and set(devices) <= set(entry["devices"]) and state in (None, entry["sources"]))

    def add(self, entry: Entry, state: str) -> None:
        entry = {**entry, "sources": state, "commit": commit(), "date": time.strftime("%Y-%m-%d")}
        self.entries[key(entry)] = entry
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {"machine": self.machine, "entries": list(self.entries.values())}
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(content, indent=1) + "\n")
        part.replace(self.path)

    def of(self, part: str) -> list[Entry]:
        return [entry for (kind, _, _), entry in self.entries.items() if kind == part]
