"""How much a row has to do: ``python -m science.activity [ROW ...]`` writes ``science/results/activity.json``.

A short run of the row's experiment with the spikes of all its populations recorded. A synaptic event is the arrival of
one spike at one synapse.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import brainsim
from brainsim.compose.draws import pairs
from brainsim.compose.plan import Plan
from brainsim.runs.prepare import find
from science.rows import RESULTS, Row, read

#: Samples of each phase, or seconds of model time, that are counted.
SAMPLES, SECONDS = 200, 2.0


def count(row: Row) -> dict[str, Any]:
    """Spikes and synaptic events for each sample (or second), and how many of those a whole run has."""
    values = row.set | {path: listed[0] for path, listed in row.over.items()}
    whole = brainsim.plan(row.experiment, values)
    trials = whole.rounds * sum(phase.passes * phase.count for phase in whole.phases if phase.data)
    seconds = whole.rounds * sum(phase.duration for phase in whole.phases if not phase.data)
    cells = [g.path for g in whole.groups if g.threshold and (whole.trial is None or g.name != whole.trial.clock)]
    text = f"experiment: counted\nextends: {row.experiment}\nrecord: {{spikes: {json.dumps(cells)}}}\n"
    if trials:
        short = {f"data.{phase.data}": min(phase.count, SAMPLES) for phase in whole.phases if phase.data}
        short |= {f"phases.{phase.name}.passes": 1 for phase in whole.phases if phase.data}
    else:
        short = {"run.duration": f"{min(seconds, SECONDS)} s"}
    if whole.rounds > 1:
        short["run.rounds"] = 1
    path = find(row.experiment)[2]
    # What an experiment names by file lies beside it, and beside a text lies the working folder.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(path.parent if path else "."):
        results = brainsim.run(text, set={**values, **short}, out=Path(folder) / "run")
        plan = brainsim.plan(text, {**values, **short})
        # A sample that is shown again counts once, with all its showings.
        repeat = results.trials.get("repeat", np.zeros(len(results.trials.get("start", ()))))
        shown = int((repeat == 0).sum()) if trials else float(results.summary["model_time_s"])
        spikes = {path: results.spikes(path)[1].astype(int) for path in cells}
    return {
        "per": "sample" if trials else "s",
        "counted": shown,
        "spikes": sum(map(len, spikes.values())) / shown,
        "synaptic_events": events(plan, spikes) / shown,
        "whole": trials or seconds,
    }


def events(plan: Plan, spikes: dict[str, np.ndarray]) -> int:
    """Arrivals at synapses by the spikes given: of each cell as many as it has synapses."""
    paths = {group.name: group.path for group in plan.groups}
    total = 0
    for one in plan.connections:
        if not any(path.side == "pre" and path.event == "spike" for path in one.pathways):
            continue
        fan_out = np.bincount(pairs(one, plan.seed)[0], minlength=one.source.size)
        cells = spikes.get(paths[one.source.group], np.zeros(0, int)) - one.source.start
        total += int(fan_out[cells[(cells >= 0) & (cells < one.source.size)]].sum())
    return total


def main() -> None:
    """Count the rows that are named, or all."""
    rows, _ = read()
    file = RESULTS / "activity.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for name in sys.argv[1:] or rows:
        kept[name] = count(rows[name])
        print(name, kept[name], flush=True)
        kept = {name: kept[name] for name in rows if name in kept}
        file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
