"""One seed, streams by name."""

from __future__ import annotations

import hashlib
import inspect
import subprocess
import sys

import numpy as np

from brainsim import seeds


def test_a_stream_depends_on_seed_and_name_only():
    alone = seeds.stream(1, "cortex.exc.v").random(5)
    seeds.stream(1, "a new region").random(100)
    np.testing.assert_array_equal(seeds.stream(1, "cortex.exc.v").random(5), alone)
    others = [seeds.stream(2, "cortex.exc.v"), seeds.stream(1, "cortex.exc.w"), seeds.stream(1, "cortex.exc.v ")]
    for other in others:
        assert not np.any(other.random(5) == alone)


def test_streams_are_what_they_were():
    """A change here changes every published result: never without a new version of the grammar."""
    assert seeds.stream(1, "cortex_to_d1.connect").integers(0, 10**9, 3).tolist() == GOLDEN
    words = np.frombuffer(hashlib.sha256(b"cortex_to_d1.connect").digest(), dtype="<u4").tolist()
    by_hand = np.random.default_rng(np.random.SeedSequence([1, *words]))
    assert by_hand.integers(0, 10**9, 3).tolist() == GOLDEN


GOLDEN = [85760760, 208556376, 947616480]


def test_the_tree_for_the_provenance_rebuilds_the_streams():
    names = ["b.connect", "a.v", "b.connect"]
    tree = seeds.describe(7, names)
    assert list(tree) == ["a.v", "b.connect"]
    assert all(type(word) is int and 0 <= word < 2**32 for words in tree.values() for word in words)
    for name, words in tree.items():
        rebuilt = np.random.default_rng(np.random.SeedSequence(words))
        np.testing.assert_array_equal(rebuilt.random(3), seeds.stream(7, name).random(3))
    assert seeds.describe(7, [*names, "new"])["a.v"] == tree["a.v"]


def test_the_seed_of_the_noise():
    found = {seeds.noise_seed(seed) for seed in range(100)}
    assert len(found) == 100
    assert all(0 <= seed < 2**31 for seed in found), "fits every generator Brian2 hands it to"
    assert seeds.noise_seed(3) == seeds.noise_seed(3)


def test_the_functions_stand_alone():
    """Scripts print their source: numpy and hashlib must be all they need."""
    code = (
        "import hashlib\nimport numpy as np\n" + inspect.getsource(seeds.stream) + inspect.getsource(seeds.noise_seed)
    )
    code += "print(stream(1, 'x').random(), noise_seed(1))"
    out = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == [str(seeds.stream(1, "x").random()), str(seeds.noise_seed(1))]
