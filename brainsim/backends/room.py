"""Whether a run fits into this machine: refused with numbers before it fills memory or disk."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from brainsim.backends import cost
from brainsim.compose.plan import Plan
from brainsim.errors import Problem, SetupError


def memory() -> float:
    """Bytes of memory of this machine, or of the container it is; infinite if nobody says."""
    found = [float("inf")]
    with contextlib.suppress(AttributeError, OSError, ValueError):
        found.append(float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES"))
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            found.append(float(Path(path).read_text()))
    return min(size for size in found if size > 0)


def free_disk(folder: Path) -> float:
    """Bytes free where ``folder`` is or will be; infinite if nobody says."""
    try:
        folder = Path(folder).absolute()
        place = next((p for p in (folder, *folder.parents) if p.is_dir()), None)
        return float(shutil.disk_usage(place).free) if place else float("inf")
    except OSError:
        return float("inf")


def check(plan: Plan, folder: Path) -> None:
    """Raise ``SetupError`` if the plan cannot run here; results go to ``folder``."""
    needs = cost.needs(plan)
    for what, wanted, there, hint in (
        ("memory", [n.memory for n in needs], memory(), "Connect or record less, or use a larger machine."),
        ("disk", [n.disk for n in needs], free_disk(folder), "Record fewer members, or less often (sample:, every:)."),
    ):
        total = sum(wanted)
        if total <= there:
            continue
        words = "; ".join(n.words for n, size in zip(needs, wanted, strict=True) if size >= 0.2 * total)
        kept = "there are" if what == "memory" else "free are"
        message = f"the run needs at least {size_in_words(total)} of {what}, {kept} {size_in_words(there)} ({words})"
        raise SetupError(Problem("limit", message, hint=hint))


def size_in_words(bytes_: float) -> str:
    """``24 GB``."""
    for unit, scale in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if bytes_ >= scale:
            return f"{bytes_ / scale:,.3g} {unit}"
    return f"{bytes_ / 1e3:,.3g} kB"
