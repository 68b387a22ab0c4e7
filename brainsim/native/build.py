"""From C++ source to a shared library, once: the compiler and the cache.

A library is kept under the hash of everything that decides about its contents (source, flags, compiler, processor),
in a file whose name also holds the hash of its own bytes: ``<what it is made of>-<what is in it>.so``. It is written
aside, flushed and renamed, so that a file under its final name is whole; if it was damaged since, that shows when it
is read, and it is made again. Any number of processes can do this at once.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

logger = logging.getLogger(__name__)

#: No -ffast-math and no contraction: results are those of numpy, whatever the compiler makes of the loops.
DEFAULT_FLAGS = (
    "-std=c++17",
    "-O3",
    "-march=native",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fPIC",
    "-fvisibility=hidden",
    "-shared",
    "-w",
)


class BuildError(RuntimeError):
    """No library could be made."""


@dataclass(frozen=True)
class Extras:
    """What user functions ask for in addition."""

    defines: tuple[str, ...] = ()
    include_dirs: tuple[str, ...] = ()
    library_dirs: tuple[str, ...] = ()
    runtime_library_dirs: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def flags(self) -> list[str]:
        return [
            *(f"-D{define}" for define in self.defines),
            *(f"-I{folder}" for folder in self.include_dirs),
            *(f"-L{folder}" for folder in self.library_dirs),
            *(f"-Wl,-rpath,{folder}" for folder in self.runtime_library_dirs),
            *(f"-l{library}" for library in self.libraries),
        ]


@dataclass
class Statistics:
    """What this process compiled and what it found ready."""

    compiled: int = 0
    found: int = 0
    seconds: float = 0.0
    damaged: list[str] = field(default_factory=list)


statistics = Statistics()


def cache_folder() -> Path:
    """Where libraries are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "brainsim" / "native"


def clear_cache() -> int:
    """Delete everything we keep; returns how many libraries that were."""
    for folder in cache_folder().glob("build-*"):  # left by a compilation that was killed
        shutil.rmtree(folder, ignore_errors=True)
    for path in cache_folder().glob("equations-*"):  # see integrators.py
        path.unlink(missing_ok=True)
    libraries = list(cache_folder().glob("*.so"))
    for path in libraries:
        path.unlink(missing_ok=True)
    return len(libraries)


def find_compiler() -> tuple[str, ...]:
    """The C++ compiler to use: ``$CXX`` (which may be a command with arguments), or the first one that exists."""
    chosen = os.environ.get("CXX")
    for command in [shlex.split(chosen)] if chosen else [["g++"], ["clang++"], ["c++"]]:
        path = shutil.which(command[0])
        if path:
            return (path, *command[1:])
    what = f"CXX names '{chosen}', which is not a program here" if chosen else "none of g++, clang++, c++ was found"
    raise BuildError(f"The native device needs a C++ compiler: {what}. Install one, or use another backend.")


@functools.cache
def compiler_version(compiler: tuple[str, ...]) -> str:
    """What the compiler says about itself."""
    try:
        answer = subprocess.run([*compiler, "--version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"The C++ compiler '{' '.join(compiler)}' does not run: {error}") from error
    return answer.stdout.partition("\n")[0]


@functools.cache
def processor() -> str:
    """What -march=native depends on."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        wanted = ("vendor_id", "cpu family", "model\t", "stepping", "flags", "Features", "CPU part")
        lines = []
        for line in file:
            if not line.strip():
                break  # the first core speaks for all
            if line.startswith(wanted):
                lines.append(line)
        if lines:
            return "".join(lines)
    return f"{platform.machine()} {platform.processor()}"


def flags() -> tuple[str, ...]:
    """The compiler's flags; ``BRAINSIM_NATIVE_FLAGS`` adds to them (e.g. ``-O0``, or a sanitizer)."""
    return (*DEFAULT_FLAGS, *shlex.split(os.environ.get("BRAINSIM_NATIVE_FLAGS", "")))


def library(source: str, extras: Extras = Extras()) -> Path:
    """The path of a library made from ``source``: from the cache, or compiled now."""
    compiler = find_compiler()
    key = _key(source, compiler, extras)
    folder = cache_folder()
    for path in folder.glob(f"{key}-*.so"):
        if _is_whole(path):
            statistics.found += 1
            return path
        statistics.damaged.append(path.name)
        logger.warning("A cached library was damaged and is made again: %s", path.name)
        with contextlib.suppress(OSError):
            path.unlink()
    start = time.perf_counter()
    with _work_folder(folder) as work:
        made = _compile(compiler, source, extras, work)
        path = _publish(made, source, key, folder)
    statistics.compiled += 1
    statistics.seconds += time.perf_counter() - start
    return path


def _key(source: str, compiler: tuple[str, ...], extras: Extras) -> str:
    digest = hashlib.sha256()
    parts = [source, *compiler, compiler_version(compiler), processor(), sys.platform, *flags(), *extras.flags()]
    for name in extras.sources:
        parts += [name, Path(name).read_text(errors="replace")]
    for part in parts:
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:32]


def _content_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _is_whole(path: Path) -> bool:
    try:
        return path.stem.rpartition("-")[2] == _content_hash(path.read_bytes())
    except OSError:
        return False


@contextlib.contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """A folder for one compilation: in the cache, or a temporary one if the cache cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        work = tempfile.mkdtemp(prefix="build-", dir=folder)
    except OSError:
        work = tempfile.mkdtemp(prefix="brainsim-native-")
    try:
        yield Path(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _compile(compiler: tuple[str, ...], source: str, extras: Extras, work: Path) -> Path:
    made = work / "model.so"
    try:
        (work / "model.cpp").write_text(source)
        sources = ["model.cpp", *map(os.path.abspath, extras.sources)]
        command = [*compiler, *flags(), *sources, "-o", "model.so", *extras.flags()]
        result = subprocess.run(command, cwd=work, capture_output=True, text=True)
    except OSError as error:
        raise BuildError(f"Could not compile the model: {error}") from error
    if result.returncode != 0:
        text = result.stderr.strip() or f"the compiler ended with status {result.returncode}"
        errors = [line for line in text.splitlines() if "error" in line.lower()]
        raise BuildError(
            f"Could not compile the model with {os.path.basename(compiler[0])}: "
            f"{(errors or text.splitlines())[0]}\n\n{text[:5000]}"
        )
    return made


def _publish(made: Path, source: str, key: str, folder: Path) -> Path:
    """Move a finished library to where all processes find it, in one step."""
    try:
        with open(made, "rb+") as file:
            data = file.read()
            os.fsync(file.fileno())
        path = folder / f"{key}-{_content_hash(data)}.so"
        os.replace(made, path)
        return path
    except OSError as error:
        # A full or read-only disk: this process can do without the cache.
        logger.warning("The library could not be kept in the cache: %s", error)
        kept = Path(tempfile.mkdtemp(prefix="brainsim-native-")) / "model.so"
        try:
            shutil.copyfile(made, kept)
        except OSError as second:
            raise BuildError(f"Could not write the compiled model: {second}") from second
        return kept
