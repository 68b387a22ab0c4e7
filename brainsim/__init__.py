"""brainsim: declare a brain in YAML, check it, run it, look at what it did.

>>> import brainsim
>>> results = brainsim.run("digits_vdsp", set={"data.train": 500}, seed=2)  # doctest: +SKIP
>>> times, cells = results.spikes("output")  # doctest: +SKIP

Nothing heavy is imported until it is used: ``import brainsim`` loads neither Brian2, nor matplotlib, nor h5py.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brainsim.estimates import Estimate, estimate
    from brainsim.runs.execute import run
    from brainsim.runs.prepare import check, plan
    from brainsim.runs.results import Results
    from brainsim.runs.results import open_folder as open
    from brainsim.session import Session
    from brainsim.sweeps import Sweep, sweep

__version__ = "0.1.0"
__all__ = [
    "Estimate",
    "Results",
    "Session",
    "Sweep",
    "__version__",
    "check",
    "estimate",
    "open",
    "plan",
    "run",
    "sweep",
]

#: Public name -> where it lives.
_LAZY = {
    "run": ("brainsim.runs.execute", "run"),
    "check": ("brainsim.runs.prepare", "check"),
    "plan": ("brainsim.runs.prepare", "plan"),
    "open": ("brainsim.runs.results", "open_folder"),
    "Results": ("brainsim.runs.results", "Results"),
    "Session": ("brainsim.session", "Session"),
    "Estimate": ("brainsim.estimates", "Estimate"),
    "estimate": ("brainsim.estimates", "estimate"),
    "Sweep": ("brainsim.sweeps", "Sweep"),
    "sweep": ("brainsim.sweeps", "sweep"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'brainsim' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
