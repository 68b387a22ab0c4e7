"""The cache of the native device as files: what of it is ours, how much it is, and away with it.

The folder is that of ``brainsim.native.build``, which cannot be imported without Brian2; a test compares the two.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from pathlib import Path
from typing import NamedTuple

#: Libraries, solved equations, folders of a compilation; anything else in the folder is not ours.
_OURS = re.compile(r"[0-9a-f]{32}-[0-9a-f]{32}\.so|equations-\w+\.(txt|tmp)|build-\w+")
#: A folder of a compilation that is younger belongs to a compiler at work, in seconds.
_AT_WORK = 3600.0


class Entry(NamedTuple):
    """A file, or the folder of a compilation that was killed."""

    path: Path
    size: int  # bytes


def folder() -> Path:
    """Where libraries are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "brainsim" / "native"


def entries() -> list[Entry]:
    """Everything in the cache that we made and nobody works on."""
    found = []
    with contextlib.suppress(OSError):
        for path in sorted(folder().iterdir()):
            if not _OURS.fullmatch(path.name) or path.is_symlink():
                continue
            with contextlib.suppress(OSError):  # another process may remove it at any time
                if not path.is_dir():
                    found.append(Entry(path, path.stat().st_size))
                elif path.name.startswith("build-") and time.time() - path.stat().st_mtime > _AT_WORK:
                    inside = [item.lstat().st_size for item in path.rglob("*")]
                    found.append(Entry(path, sum(inside)))
    return found


def remove(found: list[Entry]) -> list[Entry]:
    """Delete entries; returns those that could not be deleted. A process that has loaded a library keeps it."""
    kept = []
    for entry in found:
        try:
            if entry.path.is_dir():
                shutil.rmtree(entry.path)
            else:
                entry.path.unlink(missing_ok=True)
        except OSError:
            kept.append(entry)
    return kept
