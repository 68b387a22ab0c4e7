"""Initial values that an earlier run left: ``initial: {w: {from: runs/NAME}}``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from brainsim.compose.plan import Connection, Group, Plan
from brainsim.errors import BrainsimError, FitError, Problem, Problems
from brainsim.runs.results import Results


def saved_values(plan: Plan, root: Path) -> dict[tuple[str, str], np.ndarray]:
    """(name of the object, Brian2 variable) -> final values of the earlier run, SI units.

    ``root`` is the folder relative paths start from. Raises ``FitError`` if a run is not there or its synapses are
    not these.
    """
    found: dict[tuple[str, str], np.ndarray] = {}
    problems = Problems()
    items: list[Group | Connection] = [*plan.groups, *plan.connections]
    for item in items:
        for initial in item.initial:
            if not initial.saved:
                continue
            try:
                found[item.name, initial.variable] = _values(item, initial.variable, initial.saved, root, plan.seed)
            except BrainsimError as error:
                for problem in error.problems:
                    text = f"{item.path}: initial values of {initial.variable}: {problem.message}"
                    problems.add(problem.kind, text, initial.mark, problem.hint)
    problems.raise_any(FitError)
    return found


def _values(item: Group | Connection, variable: str, folder: str, root: Path, seed: int) -> np.ndarray:
    if not isinstance(item, Connection):
        raise FitError(Problem("data", "runs keep the variables of synapses only, not of cells"))
    from brainsim.compose.draws import pairs

    kept = Results(root / folder).weights(item.path)
    label = {brian: name for name, brian in item.saved}.get(variable, variable)
    if label not in kept.after:
        raise FitError(Problem("data", f"{folder} keeps no {label} of {item.path}"))
    i, j = pairs(item, seed)
    ends = i + item.source.start, j + item.target.start
    same = all(np.array_equal(mine, theirs) for mine, theirs in zip(ends, (kept.source, kept.target), strict=True))
    if not same:
        hint = "Both runs need the same sizes, connect and run.seed."
        raise FitError(Problem("value", f"the synapses of {folder} are not those of this run", hint=hint))
    return kept.after[label]
