"""The manifest: which segments of a run are whole."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from brainsim.errors import Problem, RunError
from brainsim.record.disk import write_atomically

FOLDER = "segments"
MANIFEST = "manifest.json"
_NAME = re.compile(r"part-\d{6,}\.h5")


@dataclass(frozen=True)
class Segment:
    """One finished file."""

    file: str
    size: int
    sha256: str


def describe(path: Path) -> Segment:
    """Size and checksum of a segment that was just written."""
    with path.open("rb") as stream:
        return Segment(path.name, path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())


def write_manifest(folder: Path, segments: list[Segment]) -> None:
    """Replace the manifest in ``folder`` (the segments' own)."""
    content = {"format": 1, "segments": [asdict(segment) for segment in segments]}
    write_atomically(folder / MANIFEST, json.dumps(content, indent=1) + "\n")


def keep_only(run: Path, segments: list[Segment]) -> None:
    """Make these the segments of a run, and remove those that came later. Raises ``RunError`` if one is not whole."""
    folder = run / FOLDER
    write_manifest(folder, segments)
    listed(run)
    for path in folder.iterdir():
        if path.name not in (MANIFEST, *(segment.file for segment in segments)):
            path.unlink()


def listed(run: Path, verify: bool = True) -> list[Path]:
    """The segments of a run folder that its manifest lists, in the order they were written.

    Whatever else lies there (half a segment, one that was never listed) is no part of the run. ``verify`` compares
    sizes and checksums. No manifest: an empty list. Raises ``RunError`` if a listed segment is not as listed.
    """
    folder = run / FOLDER
    try:
        if (folder / MANIFEST).exists() and not (folder / MANIFEST).is_file():
            raise OSError("it is not an ordinary file")
        content = json.loads((folder / MANIFEST).read_text())
        segments = [Segment(**entry) for entry in content["segments"]]
        wrong = [s.file for s in segments if not _NAME.fullmatch(s.file)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(Problem("data", f"{run.name}/{FOLDER}/{MANIFEST} cannot be read: {error}")) from error
    for segment in segments if verify and not wrong else []:
        path = folder / segment.file
        if not path.is_file() or path.stat().st_size != segment.size or describe(path) != segment:
            wrong.append(segment.file)
    if wrong:
        raise RunError(
            Problem(
                "data",
                f"{run.name}: {', '.join(wrong[:5])} {'is' if len(wrong) == 1 else 'are'} not as the manifest lists",
                hint="The files were changed or damaged after they were written; nothing of the run was touched.",
            )
        )
    return [folder / segment.file for segment in segments]
