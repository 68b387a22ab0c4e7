"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from brainsim.errors import Problem, SetupError


class _Disk:
    """A file object for h5py that never fails in h5py's hands.

    An HDF5 file whose last flush failed cannot be closed, and takes the process down when it ends. So the first
    error is kept, later writes go nowhere, and whoever wrote asks for the error afterwards.
    """

    def __init__(self, path: Path):
        self.file = path.open("w+b")
        self.error: OSError | None = None
        self.seek, self.tell, self.read = self.file.seek, self.file.tell, self.file.read
        self.readinto = self.file.readinto

    def _guard(self, action: Any, *args: Any) -> Any:
        if self.error is None:
            try:
                return action(*args)
            except OSError as error:
                self.error = error
        return None

    def write(self, data: Any) -> int:
        self._guard(self.file.write, data)
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        self._guard(self.file.truncate, size)
        return size or 0

    def flush(self) -> None:
        self._guard(self.file.flush)

    def sync(self) -> None:
        self._guard(self.file.flush)
        self._guard(os.fsync, self.file.fileno())

    def close(self) -> None:
        # Python's own buffer may still hold what did not fit.
        self._guard(self.file.close)
        with contextlib.suppress(OSError):
            self.file.close()


@contextlib.contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file that appears under ``path`` once the block has ended well.

    Raises ``SetupError`` if the disk fails; the old file, if there was one, is then still there.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        disk = _Disk(temporary)
    except OSError as error:
        raise failed(path, error) from error
    try:
        with uninterrupted():
            try:
                with h5py.File(disk, "w") as file:
                    file.attrs["magic"] = 0x0A7A  # SONATA's
                    file.attrs["version"] = (0, 1)
                    yield file
            except (OSError, RuntimeError, ValueError, KeyError):
                if disk.error is None:  # else it is only a consequence
                    raise
            disk.sync()
            disk.close()
            if disk.error is not None:
                raise failed(path, disk.error) from disk.error
            try:
                os.replace(temporary, path)
                sync_folder(path.parent)
            except OSError as error:
                raise failed(path, error) from error
    finally:
        disk.close()
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write a small file so that a reader sees the old one or the new one. Raises ``SetupError`` if the disk fails."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise failed(path, error) from error


def sync_folder(folder: Path) -> None:
    """A rename is only safe once the folder itself is on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync folders
            raise
    finally:
        os.close(handle)


def failed(path: Path, error: OSError) -> SetupError:
    """What a user is told when the disk fails."""
    why = error.strerror or str(error)
    hint = "What was written before is safe."
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint += " Make room, or choose a folder on another disk with --out."
    return SetupError(Problem("path", f"could not write {path.name} in {path.parent.name}: {why}", hint=hint))


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait until a file is finished; it is then handled as it would have been."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.default_int_handler)
        if seen and callable(before):
            before(*seen[-1])
