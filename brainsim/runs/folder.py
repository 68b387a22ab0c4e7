"""The folder of one run: made once, never written over."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from brainsim.errors import FitError, Problem
from brainsim.record.disk import failed, write_atomically

RUNS = "runs"


class RunFolder:
    """A run folder and its log.

    Parameters
    ----------
    experiment
        Name of the experiment, for ``runs/<experiment>-<date>-<time>``.
    out
        The folder instead; it may exist but must be empty.
    again
        ``out`` is the folder of a run that goes on.

    Raises
    ------
    FitError
        ``out`` holds something, or is no folder.
    SetupError
        The disk does not take it.
    """

    def __init__(self, experiment: str, out: str | os.PathLike[str] | None = None, again: bool = False):
        self.path = (
            Path(out) if again and out else make_folder(experiment, None if out is None else Path(out), "run.log")
        )
        self._began = time.perf_counter()
        if not again:
            self.log(f"run of {experiment} begins")

    def log(self, text: str) -> None:
        """Add lines to ``run.log``, each with the time of day and the seconds since the beginning."""
        head = (
            f"{datetime.now().astimezone().isoformat(timespec='seconds')} {time.perf_counter() - self._began:10.2f} s  "
        )
        try:
            with (self.path / "run.log").open("a", encoding="utf-8") as file:
                file.writelines(f"{head}{line}\n" for line in text.splitlines())
        except OSError as error:
            raise failed(self.path / "run.log", error) from error

    def write_text(self, name: str, text: str) -> None:
        """Write a file whole or not at all."""
        write_atomically(self.path / name, text)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write JSON; what is not a finite number becomes ``null``."""
        self.write_text(name, json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def read_json(self, name: str) -> dict[str, Any]:
        """A file that :meth:`write_json` wrote; empty if it is not there or damaged."""
        try:
            found = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_arrays(self, name: str, **arrays: np.ndarray) -> None:
        """Write a compressed ``.npz``."""
        temporary = self.path / (name + ".tmp")
        try:
            with temporary.open("wb") as file:
                np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path / name)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise failed(self.path / name, error) from error


def make_folder(name: str, out: Path | None, log: str) -> Path:
    """A new folder: ``out``, which must be empty, or ``runs/<name>-<date>-<time>``. ``log`` is the first file in it."""
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            # Taking a name of our own in it settles which of two runs with the same --out has it.
            if any(out.iterdir()):
                raise FitError(
                    Problem("path", f"{out} is not empty", hint="Choose another --out; results are never written over.")
                )
            (out / log).open("x").close()
        except FileExistsError:
            reason = "is used by another run" if out.is_dir() else "is a file, not a folder"
            raise FitError(Problem("path", f"{out} {reason}", hint="Choose another --out.")) from None
        except NotADirectoryError:
            raise FitError(Problem("path", f"{out} lies below a file", hint="Choose another --out.")) from None
        except OSError as error:
            raise failed(out, error) from error
        return out
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    number = 1
    while True:
        path = Path(RUNS) / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.parent.mkdir(exist_ok=True)
            path.mkdir()  # fails if it is there: two runs in one second get two folders
            return path
        except FileExistsError:
            if not path.parent.is_dir():
                raise FitError(
                    Problem("path", f"{RUNS} is a file, not a folder", hint="Move it, or use --out.")
                ) from None
            number += 1
        except OSError as error:
            raise failed(path, error) from error


def plain(value: Any) -> Any:
    """The same content in JSON's own types."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


class _Dumper(yaml.SafeDumper):
    """YAML as a person would write it: blocks for code, no anchors, and text that YAML 1.2 reads as text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    from brainsim.source import scalar

    style = "|" if "\n" in value else None
    if style is None and scalar(value) != value:  # PyYAML follows YAML 1.1 and would leave 1e-3 bare
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def model_yaml(resolved: Mapping[str, Any], name: str) -> str:
    """``model.yaml``: an experiment with everything in place, and how to run it again."""
    head = (
        f"# {name} as it was run: every part in place, every value final.\n"
        "# Run it again, here or anywhere else:  brainsim run model.yaml\n"
    )
    return head + yaml.dump(plain(resolved), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
