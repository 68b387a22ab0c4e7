"""One seed, a tree of independent streams of random numbers by name.

The stream of a name depends on the seed and on that name alone: adding a region, a projection or a variable changes
no other stream. The functions are printed into stand-alone scripts, so each needs numpy and hashlib only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """Random numbers for one purpose, independent of those for every other name."""
    words = np.frombuffer(hashlib.sha256(name.encode()).digest(), dtype="<u4")
    return np.random.default_rng(np.random.SeedSequence([seed, *words.tolist()]))


def noise_seed(seed: int) -> int:
    """The seed of the noise Brian2 draws during a run, from 0 to 2**31 - 1."""
    words = np.frombuffer(hashlib.sha256(b"noise").digest(), dtype="<u4")
    return int(np.random.SeedSequence([seed, *words.tolist()]).generate_state(1)[0]) >> 1


def describe(seed: int, names: Iterable[str]) -> dict[str, list[int]]:
    """The tree as it goes into the provenance: name -> the entropy words of its ``SeedSequence``."""
    hashes = {name: hashlib.sha256(name.encode()).digest() for name in sorted(set(names))}
    return {name: [seed, *np.frombuffer(digest, dtype="<u4").tolist()] for name, digest in hashes.items()}
