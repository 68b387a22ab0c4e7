"""Does a science test notice a wrong number? ``python tests/science/mutate.py [part ...]`` tries every parameter.

For each part of the register (or those named, as ``lif``) each parameter in turn is made 20 % larger in a copy that
shadows the library, and the part's science test must fail. It takes minutes, so it is no test of the suite.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "library"))

from test_register import REGISTER, ROOT  # noqa: E402

#: Parameters whose exact value does not matter, and why.
INDIFFERENT = {
    ("adex", "V_peak"): "any potential in the upswing will do",
    ("adex_clopath", "V_peak"): "any potential in the upswing will do",
    ("izhikevich_2007_lts", "u_max"): "reached only under a lasting drive above 0.8 nA, where the cell fires in every step",
    ("stdp_triplet", "A2_plus"): "5e-10 in the paper: as good as none",
    ("winner_take_all", "n_cells"): "a size, set by the user",
    ("vdsp_layer", "n_cells"): "a size, set by the user",
    **{("cortex_ei", name): "a size, set by the user" for name in ("n_inh", "n_drive")},
    **{("cortex_ei", name): "chosen here; without inhibition a test fails" for name in ("k_inh", "g_inh")},
    **{("coba", name): "any kick that wakes it will do" for name in ("n_kick", "p_kick", "g_kick")},
    **{("reward_loop", f"n_{name}"): "a size, chosen here" for name in ("cue", "striatum", "dopamine")},
    **{
        ("reward_loop", name): "a strength, chosen here: the outcome must not hang on it"
        for name in ("w_start", "dose")
    },
}


def mutations(text: str):
    """(parameter, changed text) for each number in the ``parameters`` block of a part."""
    block = re.search(r"^parameters:.*?(?=^\S|\Z)", text, re.M | re.S)
    for match in re.finditer(r"^  (\w+): (-?[\d.]+(?:e-?\d+)?)(?= |$)", block[0] if block else "", re.M):
        start, stop = (block.start() + k for k in match.span(2))
        number = float(match[2])
        if number == 0:
            continue  # 20 % of nothing
        changed = number * 1.2
        if "." not in match[2] and changed >= 5:
            changed = round(changed)  # numbers of cells stay whole
        yield match[1], f"{text[:start]}{changed:g}{text[stop:]}"


def survives(tests: list[Path], name: str, text: str) -> bool:
    """Whether the tests pass with the changed part."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"{name}.yaml").write_text(text)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *map(str, tests)]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "BRAINSIM_TEST_LIBRARY": folder}, capture_output=True, check=False
        )
    return done.returncode == 0


def main(wanted: list[str]) -> int:
    """Number of parameters whose change went unnoticed."""
    unnoticed = 0
    for part in dict.fromkeys(part for parts in REGISTER.values() for part in parts):
        kind, name = part.split()
        if wanted and name not in wanted:
            continue
        tests = [HERE / test for test, parts in REGISTER.items() if part in parts]
        files = (p for f in ("models", "plasticity", "regions") for p in (ROOT / f).rglob(f"{name}.yaml"))
        path = next(p for p in files if p.read_text().startswith(f"{kind}:"))  # two kinds may share a name
        for parameter, text in mutations(path.read_text()):
            found = "noticed"
            if survives(tests, name, text):
                found = INDIFFERENT.get((name, parameter), "UNNOTICED")
                unnoticed += found == "UNNOTICED"
            print(f"{name}.{parameter}: {found}", flush=True)
    return unnoticed


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 100))
