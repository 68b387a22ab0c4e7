"""Which commit a folder is at, asked without trusting it.

``git status`` runs programs that the configuration of a repository names (filters, fsmonitor), and a repository may
have come with a model from anywhere. So the commit is read from its files, and git sees none of its configuration.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def git(folder: Path | str) -> dict[str, Any] | None:
    """``commit`` of the checkout a folder is in, and whether it is ``dirty``; None if it is in none.

    Dirty means that files git tracks were changed since; None where that cannot be told.
    """
    folder = Path(folder).resolve()
    for root in (folder, *folder.parents):
        if (root / ".git").exists():
            break
    else:
        return None
    try:
        own, common = _git_folders(root)
        commit = _commit(own, common)
    except (OSError, ValueError):
        return None
    return {"commit": commit, "dirty": _dirty(root, own, common, commit)} if commit else None


def _git_folders(root: Path) -> tuple[Path, Path]:
    """Folders of HEAD and index, and of objects and branches; they differ in a worktree."""
    own = root / ".git"
    if own.is_file():
        own = (root / own.read_text().removeprefix("gitdir:").strip()).resolve()
    common = own / "commondir"
    return own, (own / common.read_text().strip()).resolve() if common.is_file() else own


def _commit(own: Path, common: Path) -> str:
    head = (own / "HEAD").read_text().strip()
    if head.startswith("ref:"):
        ref = head.removeprefix("ref:").strip()
        if not re.fullmatch(r"refs/[\w./+@-]+", ref) or ".." in ref:
            return ""
        for folder in (own, common):
            with contextlib.suppress(OSError):
                return _sum((folder / ref).read_text())
        packed = (common / "packed-refs").read_text() if (common / "packed-refs").is_file() else ""
        head = next((line.split()[0] for line in packed.splitlines() if line.endswith(f" {ref}")), "")
    return _sum(head)


def _sum(text: str) -> str:
    text = text.strip()
    return text if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text) else ""


def _dirty(root: Path, own: Path, common: Path, commit: str) -> bool | None:
    """Whether files that git tracks differ from the commit; git gets the data of the repository and nothing else."""
    program = shutil.which("git")
    if program is None or not (own / "index").is_file():
        return None
    with tempfile.TemporaryDirectory(prefix="brainsim-git-") as temporary:
        fake = Path(temporary)
        (fake / "refs").mkdir()
        (fake / "objects").mkdir()
        (fake / "HEAD").write_text(commit + "\n")
        (fake / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
        try:
            shutil.copyfile(own / "index", fake / "index")
        except OSError:
            return None
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        environment |= {
            "GIT_DIR": str(fake),
            "GIT_WORK_TREE": str(root),
            "GIT_OBJECT_DIRECTORY": str(common / "objects"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        command = [program, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all"]
        found = output(command, environment, root)
    return None if found is None else bool(found.strip())


def output(
    command: Sequence[str], environment: Mapping[str, str] | None = None, where: Path | None = None
) -> str | None:
    """What a program prints; None if it fails or takes longer than ten seconds."""
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=where,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout
