"""Reads gzipped idx files, the format of MNIST, without trusting them.

An idx file is: two zero bytes, a type byte (8: unsigned byte), the number of dimensions, one big-endian
32-bit size a dimension, then the bytes. The header is read first and bounds everything after it, so a
gzip bomb costs no more memory than the header is allowed to ask for.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from brainsim.errors import Problem, SetupError

#: No single file may unpack to more than this many bytes (full MNIST: 47 million).
LIMIT = 512 * 2**20
_UNSIGNED_BYTE = 8


def read(path: Path, ndim: int, rows: int | None = None, limit: int = LIMIT) -> np.ndarray:
    """The array in a gzipped idx file of unsigned bytes.

    Parameters
    ----------
    path
        The file.
    ndim
        Dimensions expected: 3 for images (rows, height, width), 1 for labels.
    rows
        Only the first so many; what follows is then not looked at. ``None``: all, and the file must end there.
    limit
        Largest result in bytes.

    Returns
    -------
    uint8 array, read-only, its first axis the rows.

    Raises
    ------
    SetupError
        The file is missing, no gzip, no idx of this kind, shorter or longer than its header says, too large, or
        has fewer rows than asked for.
    """
    try:
        with gzip.open(path, "rb") as stream:
            return _read(stream, path.name, ndim, rows, limit)
    except FileNotFoundError:
        raise _bad(path.name, "it does not exist") from None
    except EOFError:
        raise _bad(path.name, "it ends too early (a download that broke off?)") from None
    except (OSError, zlib.error) as error:  # BadGzipFile is an OSError
        raise _bad(path.name, f"it cannot be unpacked ({error})") from None


def _read(stream: gzip.GzipFile, name: str, ndim: int, rows: int | None, limit: int) -> np.ndarray:
    magic = stream.read(4)
    if len(magic) < 4:
        raise _bad(name, "it ends inside the header")
    zero, kind, found = struct.unpack(">HBB", magic)
    if zero != 0 or kind != _UNSIGNED_BYTE or found != ndim:
        wanted = _UNSIGNED_BYTE * 256 + ndim
        raise _bad(name, f"its magic number is {int.from_bytes(magic, 'big')}, not {wanted}")
    sizes = stream.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise _bad(name, "it ends inside the header")
    shape = struct.unpack(f">{ndim}I", sizes)
    if rows is not None:
        if rows > shape[0]:
            raise _bad(name, f"it has {shape[0]:,} rows, fewer than the {rows:,} needed")
        shape = (rows, *shape[1:])
    total = math.prod(shape)  # Python integers: no overflow
    if total > limit:
        raise _bad(name, f"its header asks for {total:,} bytes, more than the {limit:,} allowed")
    data = stream.read(total)
    if len(data) < total:
        raise _bad(name, f"it has {len(data):,} bytes of data where its header says {total:,}")
    if rows is None and stream.read(1):
        raise _bad(name, f"it goes on after the {total:,} bytes of data its header says")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _bad(name: str, why: str) -> SetupError:
    return SetupError(
        Problem("data", f"{name} is not a data file that can be used: {why}", hint="Put a fresh copy in its place.")
    )
