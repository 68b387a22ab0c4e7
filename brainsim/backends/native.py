"""What brainsim adds around its own Brian2 device: when it can be used, what it compiled, what went wrong.

The device compiles a network into this process (see ``brainsim.native``), so a plan runs on it as it does on
Brian2's runtime device: see :mod:`brainsim.backends.runtime`.
"""

from __future__ import annotations

import importlib
from importlib import metadata
from pathlib import Path
from types import ModuleType

from brainsim import brian
from brainsim.compose.plan import Connection, Group, Plan
from brainsim.errors import Problem, RunError

LOG = "compile.log"


def load() -> ModuleType:
    """The module of builds, with the device registered in Brian2. Brian2 is imported behind its guard first."""
    brian.load()
    return importlib.import_module("brainsim.native.build")


def outdated() -> str:
    """Why this release of Brian2 does not go with the device; empty if it does.

    The device reaches into Brian2's objects, so it is tried with each minor release before it is let loose on it.
    """
    try:
        version = metadata.version("brian2")
    except metadata.PackageNotFoundError:
        return ""  # told when Brian2 is imported
    if version.split(".")[:2] == ["2", "9"]:
        return ""
    return f"the native device goes with Brian2 2.9, here is {version}"


def refuses(plan: Plan) -> str:
    """Why the device cannot run a plan; empty if it can."""
    items: list[Group | Connection] = [*plan.groups, *plan.connections]
    for item in items:
        if item.method.startswith("gsl"):
            return f"{item.path} is integrated with {item.method}, and the native device has no GSL"
    return ""


def failure(error: BaseException, folder: Path | None) -> RunError | None:
    """The error for a library that could not be made, among what led to ``error``; None if that is not the reason."""
    build = load()
    link: BaseException | None = error
    while link is not None and not isinstance(link, build.BuildError):
        link = link.__cause__ or link.__context__
    if link is None:
        return None
    message, _, log = str(link).partition("\n\n")
    hint = ""
    if log and folder is not None:
        path = Path(folder) / LOG
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(log)
        hint = f"The whole log is in {path}."
    elif log:
        hint = "\n".join(log.splitlines()[:12])
    return RunError(Problem("backend", message, hint=hint))
