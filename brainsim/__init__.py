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
    from brainsim.run.execute import run
    from brainsim.run.prepare import check, plan
    from brainsim.run.results import Results
    from brainsim.run.results import open_folder as open

__version__ = "0.1.0"
__all__ = ["Results", "__version__", "check", "open", "plan", "run"]

#: Public name -> where it lives.
_LAZY = {
    "run": ("brainsim.run", None),  # the package itself can be called, see there
    "check": ("brainsim.run.prepare", "check"),
    "plan": ("brainsim.run.prepare", "plan"),
    "open": ("brainsim.run.results", "open_folder"),
    "Results": ("brainsim.run.results", "Results"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'brainsim' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    found = importlib.import_module(module)
    return found if attribute is None else getattr(found, attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
