"""VDSP on patches of the image, and in two layers: ``python -m science.patches`` writes ``results/vdsp_patches.json``.

Four groups of 100 cells that compete each see 20 x 20 of the 28 x 28 pixels, one from each corner; all 400 cells are
read out together. A second layer of 400 cells sees what they fire and learns by the same rule when they have learned.
Values were chosen on images of the training set that were not learned from (:data:`CHOSEN_FROM`).
"""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import brainsim
from science.rows import RESULTS

FOLDER = Path("runs") / "science" / "vdsp_patches"
WIDTH, SIDE, CELLS = 28, 20, 100
CORNERS = [(0, 0), (0, WIDTH - SIDE), (WIDTH - SIDE, 0), (WIDTH - SIDE, WIDTH - SIDE)]
#: Input gain, adaptation and learning rate of the groups, and of the second layer.
FIRST = {"G": 6, "n_inc": 0.01, "eta": 0.002}
SECOND = {"G": 120, "n_inc": 0.03, "eta": 0.03}
SEEDS = (1, 2, 3)
#: Accuracy in %, ties wrong, after 10,000 images, on 5,000 others of the training set, seed 1.
CHOSEN_FROM = {
    "whole image, 400 cells": {"gain 3": 77.3, "gain 4": 80.0, "gain 5": 79.9, "gain 6": 80.8, "gain 7": 81.7},
    "whole image, 400 cells, n_inc 0.02": {
        "gain 4, eta 0.0045": 84.0,
        "gain 4, eta 0.008": 87.5,
        "gain 5, eta 0.008": 84.8,
    },
    "side 14": {"gain 10": 73.7, "gain 16": 74.6},
    "side 18": {"gain 4": 78.9, "gain 5": 83.7, "gain 6": 84.2, "gain 7": 83.9, "gain 10": 80.0, "gain 14": 80.5},
    "side 18, gain 10": {"n_inc 0.03": 78.9, "eta 0.004": 78.3},
    "side 20": {"gain 5": 86.7, "gain 6": 87.0, "gain 9": 81.7},
    "side 20, gain 7": {"n_inc 0.02": 83.0},
    "side 20, n_inc 0.02": {"gain 5, eta 0.004": 86.9, "gain 6, eta 0.004": 85.7, "gain 6, eta 0.008": 85.7},
    "side 22": {"gain 5": 85.8, "gain 6": 83.4},
    "side 24": {"gain 5.5": 83.7},
}
#: Between the layers: as the input cells of VDSP (vdsp_input), but driven by what the spikes of the first add up to.
RELAY = {
    "neuron": "relay",
    "equations": "I : 1\ng : 1\nv : 1\ndead : second\n",
    "parameters": {"tau_m": "30 ms", "t_ref": "5 ms", "tau_g": "100 ms", "kick": 1, "bias": 0.5},
    "every": [
        {
            "each": "dt",
            "when": "groups",
            "code": "g = g*exp(-dt/tau_g) + kick*I\n"
            "I = 0\n"
            "v += (g + bias - v)*(1 - exp(-clip(dt - dead, 0*ms, dt)/tau_m))\n"
            "dead = clip(dead - dt, 0*ms, t_ref)\n",
        }
    ],
    "threshold": "v > 1",
    "reset": "dead = t_ref\nv = -1\n",
    "initial": {"v": "rand()"},
}


def tables() -> None:
    """Pairs of pixel and cell, in CSV files beside the experiments."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for number, (top, left) in enumerate(CORNERS):
        seen = (WIDTH * (top + np.arange(SIDE))[:, None] + left + np.arange(SIDE)).ravel()
        with open(FOLDER / f"patch{number}.csv", "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["source", "target"])
            rows.writerows((pixel, cell) for pixel in seen for cell in range(CELLS))


def experiment(data: dict[str, Any], first: dict[str, Any] = FIRST, second: dict[str, Any] | None = None) -> Path:
    """The file of an experiment that trains the groups, then the second layer if its values are given."""
    names = [f"patch{k}" for k in range(len(CORNERS))]
    populations: dict[str, Any] = {
        "retina": {"neuron": "vdsp_input", "size": WIDTH * WIDTH},
        # passes on what any cell fires
        "all": {"neuron": RELAY if second else "mcculloch_pitts", "size": CELLS * len(CORNERS)},
    }
    regions = {name: {"name": "winner_take_all", "parameters": {"n_cells": CELLS}} for name in names}
    learned = {"synapse": "filtered", "plasticity": "vdsp", "initial": {"w": "rand()"}}
    projections, values = {}, {}
    for k, name in enumerate(names):
        cells = f"{name}.competitors"
        projections[f"see{k}"] = {"from": "retina", "to": cells, "connect": {"matrix": f"{name}.csv"}, **learned}
        projections[f"tell{k}"] = {"from": cells, "to": f"all[{k * CELLS}:{(k + 1) * CELLS}]", "synapse": "pulse",
                                   "connect": "one_to_one"}  # fmt: skip
        values |= {f"{cells}.neuron.G": first["G"], f"{cells}.neuron.n_inc": first["n_inc"]}
        values |= {f"see{k}.plasticity.eta": first["eta"]}
    groups_rest = {f"see{k}.plasticity.eta": 0 for k in range(len(CORNERS))}
    rest, phases = groups_rest, {"train": {"data": "train", "shuffle": True}}
    if second:
        regions["deep"] = {"name": "winner_take_all", "parameters": {"n_cells": CELLS * len(CORNERS)}}
        projections["think"] = {"from": "all", "to": "deep.competitors", "connect": "all", **learned}
        values |= {"deep.competitors.neuron.G": second["G"], "deep.competitors.neuron.n_inc": second["n_inc"]}
        values |= {"think.plasticity.eta": second["eta"]}
        rest = {**groups_rest, "think.plasticity.eta": 0}
        phases["train"]["set"] = {"think.plasticity.eta": 0}
        phases["deepen"] = {"data": "train", "shuffle": True, "set": groups_rest}
    for phase in ("label", "test"):
        phases[phase] = {"data": phase, "fresh": ["cells"], "set": rest}
    name = "vdsp_two_layers" if second else "vdsp_patches"
    content = {
        "experiment": name,
        "grammar": 1,
        "about": "Do cells that see a part of the image learn better than cells that see all of it?",
        "region": {"region": "patches", "populations": populations, "regions": regions, "projections": projections},
        "set": values,
        "data": {"name": "mnist", **data},
        "trial": {"duration": "350 ms", "inputs": {"image": "retina.pixel"}},
        "phases": phases,
        "readout": {"name": "class_sum", "population": "deep.competitors" if second else "all",
                    "assign_from": "label", "ties": "wrong"},
        "run": {"dt": "5 ms", "seed": 1, "backend": "native"},
    }  # fmt: skip
    tables()
    file = FOLDER / f"{name}.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def accuracy(file: Path, seed: int) -> tuple[dict[str, Any], brainsim.Results]:
    """What a run of the file got."""
    results = brainsim.run(file, seed=seed, out=FOLDER / f"{file.stem}-{seed}-{time.strftime('%Y%m%d-%H%M%S')}")
    found = results.summary["readout"]
    point = {"seed": seed, "run_s": round(results.summary["times"]["run_s"], 1)}
    point |= {name: found[name] for name in ("accuracy_ties_wrong", "accuracy_argmax")}
    print(file.stem, point, flush=True)
    return point, results


def main() -> None:
    """Run all seeds and keep what came out."""
    whole = {"train": 60000, "label": 60000, "test": 10000}
    held_out = {"train": 10000, "label": 10000, "test": 5000, "test_from": "train"}
    points = [accuracy(experiment(whole), seed) for seed in SEEDS]
    content = {
        "command": "python -m science.patches",
        "points": [point for point, _ in points],
        "after_10000": [accuracy(experiment(held_out), seed)[0] for seed in SEEDS],
        "two_layers_after_10000": [accuracy(experiment(held_out, second=SECOND), seed)[0] for seed in SEEDS],
        "chosen_from": CHOSEN_FROM,
        "versions": points[-1][1].provenance["versions"],
        "machine": points[-1][1].provenance["machine"],
        "day": time.strftime("%Y-%m-%d"),
    }
    (RESULTS / "vdsp_patches.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
