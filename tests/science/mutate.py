"""Does a science test notice a wrong number? Each parameter of each part is made 20 % larger, and a test must fail.

``python tests/science/mutate.py --update`` tries what has changed since the last time, two parts at once, and writes
``mutations.json`` after each part: stopped, it goes on where it was. ``mutate.py lif adex`` tries these parts and
writes nothing. ``tests/library/test_register.py`` compares the ledger with the files.

A mutant is a copy of the part in a folder that shadows the library. It only counts as noticed if a test fails on what
came out: a mutant that is no valid model, or that a network refuses, is tried with another number instead, and the
part as it is must pass. Quick tests go first, and of them those that name the part.

What is tried are the numbers under ``parameters`` in the file of the part itself: none that a child inherits, none
that are given by an expression, and neither initial values nor numbers inside equations.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import multiprocessing
import multiprocessing.connection
import os
import re
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LEDGER = HERE / "mutations.json"
FOLDERS = ("models", "plasticity", "regions")
PROCESSES = 2
#: Seconds after which a mutant that does not come to an end is given up.
PATIENCE = 900

#: Parameters whose exact value does not matter, and why.
INDIFFERENT = {
    ("adex", "V_peak"): "any potential in the upswing will do",
    ("adex_clopath", "V_peak"): "any potential in the upswing will do",
    ("traub_miles", "V_spike"): "any potential in the upswing will do",
    ("pinsky_rinzel", "V_spike"): "any potential in the upswing will do",
    ("izhikevich_2007_fs", "v_peak"): "the upswing passes it within one step",
    ("izhikevich_2007_lts", "u_max"): "reached only under a lasting drive above 0.8 nA, where it fires in every step",
    ("stdp_triplet", "A2_plus"): "5e-10 in the paper: as good as none",
    ("line_attractor", "n_cells"): "a size, set by the user",
    ("line_attractor", "E_L"): "only differences of potentials count",
    ("pulse_packet", "t_spike"): "drawn for each cell",
    ("liquid", "a"): "a unit: only lam, which is a multiple of it, counts against it",
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

NOTICED, UNNOTICED = "noticed", "unnoticed"
#: How a try ends: exit codes of pytest, and our own.
PASSED, FAILED, NONE_CHOSEN, INVALID, LATE = 0, 1, 5, 71, 72


@dataclass(frozen=True)
class Part:
    """A part, its file and the tests of it."""

    kind: str
    name: str
    file: Path
    tests: tuple[Path, ...]

    @property
    def key(self) -> str:
        return f"{self.kind} {self.name}"

    def documents(self) -> list[dict[str, Any]]:
        """What stands in the file; the first is the part."""
        from brainsim import source

        return [tree.data for tree in source.read(self.file)]

    def hash(self) -> str:
        """Changes when a number, an equation or the code of a test changes; not with words."""
        documents = [{k: v for k, v in d.items() if k not in ("about", "cite")} for d in self.documents()]
        made = hashlib.sha256(json.dumps(documents, default=str).encode())
        for test in self.tests:
            made.update(_code(test).encode())
        return made.hexdigest()[:16]

    def numbers(self) -> dict[str, str]:
        """Parameter -> value, of those that can be made wrong by 20 %."""
        found = {}
        for name, value in (self.documents()[0].get("parameters") or {}).items():
            text = str(value)
            match = _NUMBER.fullmatch(text)
            if match and _is_quantity(text) and float(match[1]) != 0:
                found[name] = text
        return found


_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(.*)")


@functools.cache
def _code(test: Path) -> str:
    """The lines of a test that are no comment."""
    lines = [line.rstrip() for line in test.read_text(encoding="utf-8").splitlines()]
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))


def _is_quantity(text: str) -> bool:
    from brainsim.units import parse

    try:
        parse(text)
    except ValueError:
        return False
    return True


def parts_of(test: Path) -> list[str]:
    """The ``PARTS`` a science test names, read without running it."""
    for node in ast.parse(test.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "PARTS" for target in targets):
            return ast.literal_eval(node.value)
    raise AssertionError(f"{test.name} does not say what it is the test of: PARTS = ['neuron lif']")


def register() -> dict[str, list[str]]:
    """Science test -> the parts it is the test of."""
    return {path.name: parts_of(path) for path in sorted(HERE.glob("test_*.py"))}


def parts() -> list[Part]:
    """Every part of the checkout."""
    tests = register()
    found = []
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.yaml")):
        kind = path.read_text(encoding="utf-8").split(":")[0]
        mine = tuple(HERE / test for test, named in tests.items() if f"{kind} {path.stem}" in named)
        found.append(Part(kind, path.stem, path, mine))
    return found


def read_ledger() -> dict[str, Any]:
    """``kind name`` -> its hash and what became of each parameter."""
    return json.loads(LEDGER.read_text(encoding="utf-8")) if LEDGER.exists() else {}


def trouble(part: Part, ledger: dict[str, Any]) -> str:
    """What is wrong with the entry of a part; empty if nothing."""
    entry = ledger.get(part.key)
    if entry is None:
        return "has not been tried"
    if entry["hash"] != part.hash():
        return "has changed, or its tests have, since it was tried"
    wrong = [name for name in part.numbers() if entry["parameters"].get(name) not in _allowed(part, name)]
    return f"may be wrong in {', '.join(wrong)} without a test that fails" if wrong else ""


def _allowed(part: Part, parameter: str) -> tuple[str, ...]:
    reason = INDIFFERENT.get((part.name, parameter))
    return (NOTICED,) if reason is None else (NOTICED, reason)


# --- one try ------------------------------------------------------------------------------------------


def mutants(part: Part, parameter: str) -> Iterator[list[dict[str, Any]]]:
    """The documents of the file with another number: 20 % more, 20 % less; of a whole number also the next ones."""
    match = _NUMBER.fullmatch(part.numbers()[parameter])
    assert match is not None
    number, rest = float(match[1]), match[2]
    whole = re.fullmatch(r"[-+]?\d+", match[1]) is not None and not rest.strip()
    tried = [number * 1.2, number * 0.8]
    if whole:  # sizes and counts stay whole
        tried = [float(round(value)) for value in tried if round(value) != number] or tried
        tried += [number + 1, number - 1, number * 1.2]
    for value in dict.fromkeys(tried):
        documents = part.documents()
        text = f"{int(value)}" if whole and value == int(value) else f"{value:.10g}"
        documents[0]["parameters"][parameter] = f"{text}{rest}" if rest else float(text) if "." in text else int(text)
        yield documents


class _Plugin:
    """For pytest: tests that name the part first; and whether a test failed because the model was refused."""

    def __init__(self, name: str) -> None:
        self.name, self.refused = name, False

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items.sort(key=lambda item: re.search(rf"(?<![a-z0-9]){self.name}(?![a-z0-9])", item.name) is None)

    def pytest_exception_interact(self, node: Any, call: Any, report: Any) -> None:
        from brainsim.errors import FileError, FitError

        if call.excinfo is not None and isinstance(call.excinfo.value, FileError | FitError):
            self.refused = True


def _attempt(part: Part, documents: list[dict[str, Any]] | None, arguments: Sequence[str], folder: str) -> None:
    """In a process of its own: run tests with a mutant, or with the part as it is; the exit code is the answer."""
    import pytest
    import yaml

    out = os.open(f"{folder}/log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(ROOT)
    if documents is not None:
        (Path(folder) / "shadow").mkdir(exist_ok=True)
        (Path(folder) / "shadow" / f"{part.name}.yaml").write_text(yaml.safe_dump_all(documents, sort_keys=False))
        os.environ["BRAINSIM_TEST_LIBRARY"] = f"{folder}/shadow"
    plugin = _Plugin(part.name)
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={folder}/tmp"]
    code = int(pytest.main([*options, *arguments, *map(str, part.tests)], plugins=[plugin]))
    sys.stdout.flush()
    os._exit(INVALID if plugin.refused else code)


Try = tuple[list[dict[str, Any]] | None, list[str]]


def study(
    part: Part, passed: dict[tuple[Path, ...], bool], only: Sequence[str] = ()
) -> Generator[Try, int, dict[str, str]]:
    """Asks for one try after the other, is sent how it ended, and returns what became of each parameter.

    ``passed`` keeps which tests pass with the parts as they are: a family has one file of tests.
    """
    if not part.tests:
        return {"": "there is no test of it"}
    if part.tests not in passed:
        as_it_is = yield None, ["-m", "not slow"]
        if as_it_is == NONE_CHOSEN:
            as_it_is = yield None, ["-m", "slow"]
        passed[part.tests] = as_it_is == PASSED
    if not passed[part.tests]:
        return {"": "its tests do not pass as it is"}
    found = {}
    for parameter in only or part.numbers():
        if (part.name, parameter) in INDIFFERENT:
            found[parameter] = INDIFFERENT[part.name, parameter]
            continue
        found[parameter] = "no other number makes a valid model"
        for documents in mutants(part, parameter):
            outcome = yield from _tried(part, documents)
            if outcome != "refused":
                found[parameter] = outcome
                break
    return found


def _tried(part: Part, documents: list[dict[str, Any]]) -> Generator[Try, int, str]:
    for arguments in (["-m", "not slow"], ["-m", "slow"]):
        code = yield documents, arguments
        if code == FAILED:
            return NOTICED
        if code == INVALID:
            return "refused"
        if code not in (PASSED, NONE_CHOSEN):
            return "it did not come to an end" if code == LATE else f"pytest ended with {code}"
    return UNNOTICED


# --- all of them --------------------------------------------------------------------------------------


def results(
    wanted: Sequence[Part],
    processes: int = PROCESSES,
    only: Sequence[str] = (),
    passed: dict[tuple[Path, ...], bool] | None = None,
) -> Iterator[tuple[Part, dict[str, str]]]:
    """Each part and what became of its parameters (or of ``only`` these), as they are done."""
    _warm()
    context = multiprocessing.get_context("fork")  # everything is imported once
    waiting = list(wanted)[::-1]
    passed = {} if passed is None else passed
    running: dict[Any, tuple[Any, Part, Any, float, tempfile.TemporaryDirectory[str]]] = {}

    def go_on(part: Part, job: Any, answer: int | None) -> dict[str, str] | None:
        try:
            documents, arguments = job.send(answer)
        except StopIteration as done:
            return done.value
        folder = tempfile.TemporaryDirectory(prefix="mutate-", ignore_cleanup_errors=True)
        process = context.Process(target=_attempt, args=(part, documents, arguments, folder.name))
        process.start()
        running[process.sentinel] = process, part, job, time.monotonic(), folder
        return None

    while waiting or running:
        while waiting and len(running) < processes:
            part = waiting.pop()
            found = go_on(part, study(part, passed, only), None)
            if found is not None:
                yield part, found
        for sentinel in _ended(running):
            process, part, job, _, folder = running.pop(sentinel)
            process.join()
            code = process.exitcode
            folder.cleanup()
            found = go_on(part, job, code if code is not None and code >= 0 else LATE)
            if found is not None:
                yield part, found


def _ended(running: dict[Any, Any]) -> list[Any]:
    """Processes that are done; those that take too long are ended."""
    ended = multiprocessing.connection.wait(list(running), timeout=5)
    for process, _, _, begun, _ in running.values():
        if time.monotonic() - begun > PATIENCE:
            process.kill()
    return list(ended)


def _warm() -> None:
    """Import what every test needs, so that the processes that are split off have it."""
    import contextlib
    import io

    import matplotlib  # noqa: F401
    import pytest
    import scipy.integrate
    import scipy.optimize  # noqa: F401

    from brainsim import brian, runs  # noqa: F401
    from brainsim.runs import execute, results  # noqa: F401

    brian.load()
    with tempfile.TemporaryDirectory() as empty, contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--collect-only", f"--rootdir={empty}", empty])


def main(arguments: list[str]) -> int:
    """Number of parts with something unnoticed, at most 100."""
    update, everything = "--update" in arguments, "--all" in arguments
    names = [word for word in arguments if not word.startswith("-")]
    ledger, known = read_ledger(), parts()
    gone = set(ledger) - {part.key for part in known}
    wanted = [part for part in known if not names or part.name in names or part.key in names]
    if update and not everything:
        wanted = [part for part in wanted if trouble(part, ledger)]
    bad = 0
    hashes = {part.key: part.hash() for part in wanted}  # as they are now: what changes meanwhile stays stale
    for part, found in results(wanted):
        for parameter, outcome in found.items():
            print(f"{part.key}{'.' if parameter else ''}{parameter}: {outcome}", flush=True)
        wrong = [p for p, outcome in found.items() if outcome not in _allowed(part, p)]
        bad += bool(wrong)
        if update and "" not in found:
            ledger = {key: value for key, value in read_ledger().items() if key not in gone}
            ledger[part.key] = {"hash": hashes[part.key], "parameters": found}
            text = json.dumps(dict(sorted(ledger.items())), indent=1, ensure_ascii=False) + "\n"
            LEDGER.write_text(text, encoding="utf-8")
    print(f"{len(wanted)} parts tried, {bad} with something a test does not notice")
    return min(bad, 100)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
