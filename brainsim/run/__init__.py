"""From an experiment to a run folder: phases, folder, execute, results.

``brainsim.run`` is at once this package and the function that runs an experiment: importing a submodule binds
the package to that name, so the package is made callable rather than one hiding the other.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run an experiment; see :func:`brainsim.run.execute.run`."""
        from brainsim.run.execute import run

        return run(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable


def __getattr__(name: str) -> Any:
    if name == "Results":
        from brainsim.run.results import Results

        return Results
    raise AttributeError(f"module 'brainsim.run' has no attribute {name!r}")
