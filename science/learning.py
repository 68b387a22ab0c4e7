"""When something was learned, which a sweep's table does not say: ``python -m science.learning``.

It reads the sweeps that ``make science`` left below ``runs/science``, or the folders it is given, and writes
``science/results/learning.json``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import brainsim
from science.rows import RESULTS

#: Passes over which rates are averaged before they are compared.
WINDOW = 10
#: Largest weight of the distal reward experiment, and how near counts as saturated.
W_MAX, NEAR = 4.0, 0.01


def pattern_rates(results: brainsim.Results, phase: str) -> np.ndarray:
    """Output rate in Hz of the patterns 00, 01, 10, 11 in each pass of a phase of the XOR experiments [passes, 4]."""
    trials = results.trials
    mine = trials["phase"] == trials["phases"].index(phase)
    order = np.argsort(trials["sample"][mine] % 4, kind="stable").reshape(4, -1)
    return results.counts("output", phase)[:, 0][order].T / 0.5


def separated(rates: Sequence[float]) -> bool:
    """Florian's criterion: both patterns that differ give a higher rate than both others."""
    zeros, one, other, both = rates
    return bool(min(one, other) > max(zeros, both))


def xor(results: brainsim.Results) -> dict[str, Any]:
    """Epoch from which on the criterion holds while learning (means over ten), and whether it does when frozen."""
    rates = pattern_rates(results, "train")
    held = [separated(rates[k : k + WINDOW].mean(axis=0)) for k in range(len(rates) - WINDOW + 1)]
    lost = max((k for k, one in enumerate(held) if not one), default=-1)
    frozen = pattern_rates(results, "test").mean(axis=0)
    return {
        "from_epoch": lost + 1 + WINDOW if lost + 1 < len(held) else None,
        "frozen": separated(frozen),
        "rates_frozen_hz": [round(float(rate), 1) for rate in frozen],
        "accuracy_frozen": results.summary["readout"]["accuracy_argmax"],
    }


def distal_reward(results: brainsim.Results) -> dict[str, Any]:
    """Second in which the chosen synapse is first seen at its largest weight, and what became of it and the others."""
    times, weight = results.state("chosen", "w")
    there = np.flatnonzero(weight[:, 0] > W_MAX - NEAR)
    others = results.weights("learned").after["w"]
    return {
        "saturated_s": float(times[there[0]]) if len(there) else None,
        "share_of_time_saturated_after": float(np.mean(weight[there[0] :, 0] > W_MAX - NEAR)) if len(there) else None,
        "chosen_at_end": float(results.weights("chosen").after["w"][0]),
        "others_mean": float(others.mean()),
        "others_saturated": float(np.mean(others > W_MAX - NEAR)),
        "rewards": int(results.summary["populations"]["rewards"]["spikes"]),
    }


#: Beginning of an experiment's name -> what is looked for.
MEASURES: dict[str, Callable[[brainsim.Results], dict[str, Any]]] = {
    "florian_2007_xor": xor,
    "izhikevich_2007_distal_reward": distal_reward,
}


def main() -> None:
    """Write what is found in the folders of sweeps that are given."""
    sweeps = sorted(file.parent for file in Path("runs", "science").glob("*/sweep.json"))
    folders = [Path(text) for text in sys.argv[1:]] or sweeps
    kept: dict[str, list[dict[str, Any]]] = {}
    for folder in folders:
        sweep = brainsim.Sweep(folder)
        for number, row in enumerate(sweep.rows, start=1):
            if row["status"] != "complete":
                continue
            results = brainsim.open(sweep.point_folder(number))
            name = results.summary["experiment"]
            measure = next((one for start, one in MEASURES.items() if name.startswith(start)), None)
            if measure is not None:
                values = {path: row[path] for path in sweep.paths}
                kept.setdefault(name, []).append({"values": values} | measure(results))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "learning.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
