"""Where results come from: enough to tell two runs apart and to repeat one.

Nothing here trusts the folder a model lies in, and no absolute path leaves this module.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import brainsim
from brainsim import seeds
from brainsim.compose.plan import Plan
from brainsim.provenance.checkout import git, output

#: Packages whose versions may change numbers.
PACKAGES = (
    "brian2",
    "numpy",
    "scipy",
    "sympy",
    "cython",
    "h5py",
    "networkx",
    "pydantic",
    "pyyaml",
    "jinja2",
    "setuptools",
)


def versions() -> dict[str, str | None]:
    """Versions of Python, brainsim and what it builds on, without importing any of it; None: not installed."""
    found: dict[str, str | None] = {"python": platform.python_version(), "brainsim": brainsim.__version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def machine() -> dict[str, Any]:
    """Operating system, processor, cores and compiler."""
    allowed = getattr(os, "sched_getaffinity", None)
    return {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "cores_allowed": len(allowed(0)) if allowed else os.cpu_count(),
        "compiler": compiler(),
    }


def cpu_model() -> str:
    """Name of the processor."""
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(errors="replace"), re.M)
        if found:
            return found[1].strip()
    if sys.platform == "darwin":
        return output(["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]) or platform.processor()
    return platform.processor()


@functools.cache
def compiler() -> str | None:
    """First line of ``c++ --version``; None if there is no compiler."""
    command = (os.environ.get("CXX") or "c++").split()[0]
    found = shutil.which(command) or shutil.which("g++") or shutil.which("clang++")
    line = (output([found, "--version"]) or "").splitlines() if found else []
    return line[0] if line else None


def config_hash(resolved: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a configuration: the order of keys does not matter, any value does."""
    text = json.dumps(resolved, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_jsonable)
    return hashlib.sha256(text.encode()).hexdigest()


def streams(plan: Plan) -> list[str]:
    """Names of all streams of random numbers a plan draws from."""
    names = {initial.stream for group in plan.groups for initial in group.initial}
    for connection in plan.connections:
        names |= {connection.wiring.stream, *(initial.stream for initial in connection.initial)}
        names |= {pathway.delays.stream for pathway in connection.pathways if pathway.delays is not None}
    for phase in plan.phases:
        names |= {f"phases.{phase.name}.{k}" for k in range(plan.rounds * phase.passes) if phase.shuffle and phase.data}
    return sorted(names)


def seed_tree(plan: Plan) -> dict[str, Any]:
    """The seed, the words every stream is made of, and the seed of Brian2's own noise."""
    return {
        "seed": plan.seed,
        "noise": seeds.noise_seed(plan.seed),
        "streams": seeds.describe(plan.seed, streams(plan)),
    }


def shown(path: Path | str) -> str:
    """A path for others to read: relative to the working folder if it lies in it, else only its name."""
    path = Path(path)
    with contextlib.suppress(ValueError, OSError, RuntimeError):
        path = path.expanduser()
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    return path.name


def command_line(arguments: Sequence[str] | None = None) -> list[str]:
    """The command that was given, absolute paths shortened."""
    given = list(sys.argv if arguments is None else arguments)
    return [_shortened(item, program=k == 0) for k, item in enumerate(given)]


def _shortened(item: str, program: bool = False) -> str:
    if program:
        return Path(item).name
    head, equals, value = item.partition("=")
    if equals and _is_absolute(value):
        return f"{head}={shown(value)}"
    return shown(item) if _is_absolute(item) else item


def _is_absolute(text: str) -> bool:
    return text.startswith(("/", "~")) or bool(re.match(r"[A-Za-z]:[\\/]", text))


def without_home(value: Any) -> Any:
    """The same content with the user's home folder as ``~`` in every text."""
    home = str(Path.home())
    if isinstance(value, Mapping):
        return {key: without_home(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_home(item) for item in value]
    return value.replace(home, "~") if isinstance(value, str) and len(home) > 1 else value


def collect(
    plan: Plan,
    resolved: Mapping[str, Any],
    *,
    experiment: Path | None,
    files: Iterable[tuple[Path, str]],
    data: Mapping[str, Any] | None,
    overrides: Mapping[str, str],
    backend: Mapping[str, Any],
    times: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything that goes into ``provenance.json``.

    Parameters
    ----------
    experiment
        The file that was run; None for text.
    files
        (path, SHA-256) of every file of a library that was read.
    data
        Name, counts, checksums and licence of the samples.
    overrides
        What was set from outside the file: dotted path -> value.
    backend
        ``name`` and ``reason``.
    times
        ``start``, ``end``, ``wall_s``, ``cpu_s``.
    """
    content = {
        "experiment": plan.name,
        "file": None if experiment is None else shown(experiment),
        "command": command_line(),
        "set": dict(overrides),
        "versions": versions(),
        "machine": machine(),
        "git": {
            "experiment": git(experiment.parent) if experiment is not None else None,
            "brainsim": git(Path(brainsim.__file__).parent) if _is_checkout() else None,
        },
        "config_sha256": config_hash(resolved),
        "seeds": seed_tree(plan),
        "backend": dict(backend),
        "data": dict(data) if data else None,
        "library": {shown_part(path): digest for path, digest in files},
        "times": dict(times),
    }
    return without_home(content)


def _is_checkout() -> bool:
    """An installed brainsim may lie below somebody else's repository, as an environment in a project does."""
    return (Path(brainsim.__file__).resolve().parents[1] / ".git").exists()


def shown_part(path: Path) -> str:
    """A library file as ``plasticity/stdp.yaml``: shipped ones by their place in the library."""
    package = Path(brainsim.__file__).resolve().parent
    for root in (package / "data", package.parent):
        with contextlib.suppress(ValueError):
            return path.resolve().relative_to(root).as_posix()
    return shown(path)


def _jsonable(value: Any) -> Any:
    for convert in ("tolist", "model_dump"):
        if hasattr(value, convert):
            return getattr(value, convert)()
    return str(value)
