"""One point of a sweep as a unit of work, and the engine that spreads points over processes.

A :class:`Job` is plain data: it can be sent anywhere, to a process or to another machine that sees the same folder.
What came of it is in its run folder and nowhere else, so an engine has nothing to bring back. Another engine (a queue
of a cluster) is one function like :func:`local`.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from brainsim.errors import BrainsimError
from brainsim.record.disk import write_atomically


@dataclass(frozen=True)
class Job:
    """A run that is to be done."""

    number: int
    experiment: str  # path, name or YAML text, as :func:`brainsim.run` takes it
    values: dict[str, Any]  # dotted path -> value
    library: tuple[str, ...]
    folder: Path  # where its run folder goes; nothing is there yet, unless it goes on
    resume: bool = False


#: Does all jobs with the function given, and yields the number of each that has ended, in any order.
Engine = Callable[[Sequence[Job], Callable[[Job], int]], Iterator[int]]


def do(job: Job) -> int:
    """Run one job; whatever happens is told in its folder. Returns its number."""
    from brainsim.runs.execute import run

    try:
        run(job.experiment, set=job.values, out=job.folder, library=job.library, resume=job.resume)
    except BrainsimError as error:
        _note(job.folder, [str(problem) for problem in error.problems])
    except Exception as error:  # a bug must not take the other points with it
        _note(job.folder, [f"{type(error).__name__}: {error}", traceback.format_exc()])
    return job.number


def status(folder: Path) -> dict[str, Any]:
    """``summary.json`` of a point; ``{"status": ""}`` if it has not begun.

    The status is ``complete``, ``failed``, ``stopped``, or ``running``, which is also what a killed process leaves.
    """
    try:
        found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        return found if isinstance(found, dict) and "status" in found else {"status": "running"}
    except FileNotFoundError:
        return {"status": "running" if folder.exists() else ""}
    except (OSError, ValueError):
        return {"status": "running"}


def local(jobs: Sequence[Job], do: Callable[[Job], int], workers: int = 1) -> Iterator[int]:
    """The engine of this machine: processes that stay, so that Brian2 is imported once in each.

    A process that dies (out of memory, a crash of compiled code) takes only the points with it that were under way.
    """
    if workers == 1:
        yield from map(do, jobs)
        return
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    todo = list(jobs)
    while todo:
        parallel = joblib.Parallel(n_jobs=min(workers, len(todo)), batch_size=1, return_as="generator_unordered")
        done: set[int] = set()
        try:
            # One thread each: the processes share the cores already.
            with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
                for number in parallel(map(partial(joblib.delayed(do)), todo)):
                    done.add(number)
                    yield number
        except TerminatedWorkerError:
            lost = [job for job in todo if job.number not in done and status(job.folder)["status"]]
            for job in lost:
                if status(job.folder)["status"] != "complete":
                    _note(job.folder, ["the process died (killed, out of memory, or a crash of compiled code)"])
                done.add(job.number)
                yield job.number
            if not lost:
                raise
        todo = [job for job in todo if job.number not in done]


def _note(folder: Path, problems: list[str]) -> None:
    """Write into the summary of a point that it failed, if the run has not done so itself."""
    found = status(folder)
    if found["status"] == "failed" and found.get("problems"):
        return
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**found, "status": "failed", "problems": problems}, indent=2, ensure_ascii=False)
    write_atomically(folder / "summary.json", text + "\n")
