"""Run folders made by hand, in the layout that runs write, for tests of what reads them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from brainsim.record import Recorder

LIF = {
    "neuron": "lif",
    "parameters": {"V_th": "20 mV", "V_r": "10 mV", "tau_m": "20 ms"},
    "equations": "dv/dt = -v/tau_m : volt (unless refractory)\n",
    "threshold": "v > V_th",
    "reset": "v = V_r",
}
DELTA = {"synapse": "delta", "equations": "w : volt\n", "on_pre": "v_post += w"}
AMPA = {
    "synapse": "ampa",
    "parameters": {"E_ampa": "0 mV", "tau_ampa": "5 ms"},
    "equations": "w : 1\n",
    "on_pre": "g_ampa_post += w*g_max",
    "post": {
        "equations": "dg_ampa/dt = -g_ampa/tau_ampa : siemens\nI_ampa = g_ampa*(E_ampa - v) : amp\n",
        "current": "I_ampa",
    },
}
GABA = {
    "synapse": "gaba_a",
    "parameters": {"E_gaba": "-80 mV", "tau_gaba": "10 ms"},
    "equations": "w : 1\n",
    "on_pre": "g_gaba_post += w*g_max",
    "post": {
        "equations": "dg_gaba/dt = -g_gaba/tau_gaba : siemens\nI_gaba = g_gaba*(E_gaba - v) : amp\n",
        "current": "I_gaba",
    },
}
DOPAMINE = {
    "synapse": "dopamine",
    "on_pre": "DA_post += DA_inc",
    "post": {"equations": "dDA/dt = -DA/tau_DA : 1\n"},
}
CITE = ["Garg et al. (2022) Front Neurosci 16:983950", "Brunel (2000) J Comput Neurosci 8:183", "own"]


def brunel_model() -> dict[str, Any]:
    w = "0.1 mV"
    pair = {
        "exc_exc": ("exc", "exc", w),
        "exc_inh": ("exc", "inh", w),
        "inh_exc": ("inh", "exc", "-0.5 mV"),
        "inh_inh": ("inh", "inh", "-0.5 mV"),
    }
    return {
        "experiment": "brunel",
        "grammar": 1,
        "about": "Does strong inhibition make a sparse random network fire irregularly?",
        "cite": CITE[1:2],
        "region": {
            "region": "brunel",
            "populations": {"exc": {"neuron": LIF, "size": 800}, "inh": {"neuron": LIF, "size": 200}},
            "projections": {
                name: {
                    "from": a,
                    "to": b,
                    "synapse": DELTA,
                    "connect": {"in_degree": 80},
                    "delay": "1.5 ms",
                    "initial": {"w": value},
                }
                for name, (a, b, value) in pair.items()
            },
        },
        "run": {"duration": "1 s", "dt": "0.1 ms", "seed": 1, "backend": "numpy"},
        "record": {"spikes": ["exc", "inh"], "state": {"exc": {"variables": ["v"], "sample": 3}}},
    }


def digits_model(n_cells: int = 100) -> dict[str, Any]:
    vdsp = {"plasticity": "vdsp", "parameters": {"eta": 0.003, "t_read": "5 ms"}}
    filtered = {"synapse": "filtered", "on_pre": {"spike": {"code": "g_post += kick*w", "when": "after_resets"}}}
    return {
        "experiment": "digits_vdsp",
        "grammar": 1,
        "about": "Does one layer learn handwritten digits without labels?",
        "region": {
            "region": "vdsp_layer",
            "populations": {
                "retina": {"neuron": {"neuron": "vdsp_input"}, "size": 784},
                "output": {"neuron": {"neuron": "wta_adapting"}, "size": n_cells},
                "referee": {"neuron": {"neuron": "referee"}, "size": 1},
            },
            "links": {"output.u_top": "referee.best", "output.t_win": "referee.t_win"},
            "projections": {
                "learned": {
                    "from": "retina",
                    "to": "output",
                    "synapse": filtered,
                    "plasticity": vdsp,
                    "connect": "all",
                    "initial": {"w": "rand()"},
                },
                "bids": {
                    "from": "output",
                    "to": "referee",
                    "synapse": {"synapse": "bid", "on_pre": {"candidate": "best_post = u_pre"}},
                    "connect": "all",
                },
            },
        },
        "data": {"name": "mnist", "train": 2000, "label": 2000, "test": 500},
        "trial": {"duration": "350 ms", "inputs": {"image": "retina.pixel"}},
        "phases": {"train": {"data": "train", "passes": 3}, "label": {"data": "label"}, "test": {"data": "test"}},
        "readout": {"name": "class_sum", "population": "output", "assign_from": "label", "ties": "wrong"},
        "run": {"dt": "5 ms", "seed": 1, "backend": "auto"},
    }


def reward_model() -> dict[str, Any]:
    """Regions in regions, both signs, a modulator and a rule."""
    cell = {"neuron": "lif", "parameters": {"V_th": "-50 mV"}}
    ei = {
        "region": "cortex_ei",
        "populations": {
            "drive": {"neuron": {"neuron": "poisson"}, "size": 500},
            "exc": {"neuron": cell, "size": 800},
            "inh": {"neuron": cell, "size": 200},
        },
        "projections": {
            "input": {"from": "drive", "to": "exc", "synapse": AMPA, "connect": "one_to_one"},
            "exc_exc": {"from": "exc", "to": "exc", "synapse": AMPA, "connect": {"p": 0.1}},
            "exc_inh": {"from": "exc", "to": "inh", "synapse": AMPA, "connect": {"p": 0.1}},
            "inh_exc": {"from": "inh", "to": "exc", "synapse": GABA, "connect": {"p": 0.1}},
        },
    }
    striatum = {
        "region": "striatum",
        "populations": {
            "d1": {"neuron": cell, "size": 100},
            "d2": {"neuron": cell, "size": 100},
            "fsi": {"neuron": cell, "size": 20},
        },
        "projections": {
            "d1_d2": {"from": "d1", "to": "d2", "synapse": GABA, "connect": {"p": 0.2}},
            "d2_d1": {"from": "d2", "to": "d1", "synapse": GABA, "connect": {"p": 0.2}},
            "fsi_d1": {"from": "fsi", "to": "d1", "synapse": GABA, "connect": {"p": 0.5}},
            "fsi_d2": {"from": "fsi", "to": "d2", "synapse": GABA, "connect": {"p": 0.5}},
        },
    }
    midbrain = {
        "region": "midbrain",
        "populations": {"dopamine": {"neuron": cell, "size": 20}, "gaba": {"neuron": cell, "size": 20}},
        "projections": {"stop": {"from": "gaba", "to": "dopamine", "synapse": GABA, "connect": "all"}},
    }
    learned = {
        "from": "cortex.exc",
        "synapse": AMPA,
        "plasticity": {"plasticity": "r_stdp"},
        "connect": {"p": 0.4},
        "delay": "2 ms",
    }
    return {
        "experiment": "reward_loop",
        "about": "Does phasic dopamine strengthen the rewarded cortico-striatal pathway?",
        "region": {
            "region": "reward_loop",
            "regions": {
                "cortex": ei,
                "striatum": striatum,
                "midbrain": midbrain,
            },
            "projections": {
                "cortex_to_d1": {**learned, "to": "striatum.d1"},
                "cortex_to_d2": {**learned, "to": "striatum.d2"},
                "cortex_to_fsi": {"from": "cortex.exc", "to": "striatum.fsi", "synapse": AMPA, "connect": {"p": 0.2}},
                "reward_d1": {"from": "midbrain.dopamine", "to": "striatum.d1", "synapse": DOPAMINE, "connect": "all"},
                "reward_d2": {"from": "midbrain.dopamine", "to": "striatum.d2", "synapse": DOPAMINE, "connect": "all"},
                "d1_to_da": {"from": "striatum.d1", "to": "midbrain.gaba", "synapse": GABA, "connect": {"p": 0.2}},
            },
        },
        "run": {"duration": "4 s", "dt": "0.1 ms", "seed": 1},
    }  # fmt: skip


def poisson(
    rng: np.random.Generator, size: int, rate: float, start: float, stop: float, dt: float = 1e-4
) -> tuple[np.ndarray, np.ndarray]:
    """Independent Poisson cells on the grid of dt: sorted times [s] and cells."""
    n = rng.poisson(size * rate * (stop - start))
    times = np.floor(rng.uniform(start, stop, n) / dt) * dt
    order = np.argsort(times, kind="stable")
    return times[order], rng.integers(0, size, n)[order]


def digit_images(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Blurred seven-segment digits, jittered: (n, 28, 28) in 0..1 and their classes."""
    segments = {
        "a": (4, 7, 9, 19),
        "g": (12, 16, 9, 18),
        "d": (22, 24, 9, 18),
        "f": (5, 14, 8, 11),
        "b": (5, 14, 17, 20),
        "e": (14, 24, 8, 11),
        "c": (14, 24, 17, 20),
    }
    on = ["abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgecd", "abc", "abcdefg", "abcdfg"]
    labels = rng.integers(0, 10, n)
    images = np.zeros((n, 28, 28))
    for k, label in enumerate(labels):
        for segment in on[label]:
            top, bottom, left, right = segments[segment]
            images[k, top:bottom, left:right] = 1
        images[k] = np.roll(images[k], rng.integers(-2, 3, 2), (0, 1))
        for axis in (0, 1):
            images[k] = (np.roll(images[k], 1, axis) + images[k] * 2 + np.roll(images[k], -1, axis)) / 4
    return images, labels


def write(
    folder: Path,
    model: Mapping[str, Any],
    summary: Mapping[str, Any],
    *,
    spikes: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    states: Mapping[tuple[str, str], tuple[str, np.ndarray, np.ndarray, Any]] | None = None,
    edges: Mapping[str, dict[str, Any]] | None = None,
    trials: Mapping[str, Any] | None = None,
    assigned: np.ndarray | None = None,
) -> Path:
    """Write a run folder: ``states`` maps (path, variable) to (unit, times [s], values [T, N], members)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.yaml").write_text(yaml.safe_dump(dict(model), sort_keys=False, allow_unicode=True))
    (folder / "script.py").write_text(
        '"""A Brian2 script."""\n\nfrom brian2 import NeuronGroup, ms\n\nG = NeuronGroup(10, "v : 1")  # cells\n'
    )
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "provenance.json").write_text(json.dumps(PROVENANCE))
    (folder / "run.log").write_text("started\n")
    recorder = Recorder(folder)
    for path, (times, ids) in (spikes or {}).items():
        recorder.spikes(path, times, ids)
    for (path, variable), (unit, times, values, ids) in (states or {}).items():
        recorder.state(path, variable, unit, times, values, ids)
    for path, edge in (edges or {}).items():
        recorder.weights(
            path, edge["from"], edge["to"], edge["source"], edge["target"], {"w": (edge["before"], edge["after"])}
        )
    if trials:
        columns = {key: np.asarray(trials[key]) for key in ("phase", "sample", "label", "start")}
        recorder.table("trials", columns, {"phase.names": trials["names"], "start.units": "ms"})
    if assigned is not None:
        recorder.table("readout", {"assigned": assigned})
    recorder.finish()
    return folder


PROVENANCE = {
    "brainsim": "0.1.0",
    "python": "3.11.9",
    "versions": {"brian2": "2.9.0", "numpy": "2.3.5", "h5py": "3.16.0"},
    "platform": "Linux x86_64",
    "cpu": {"model": "Example CPU @ 3.00 GHz", "cores": 4},
    "compiler": "g++ 12.2.0",
    "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
    "configuration": {"sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
    "seed": 1,
    "started": "2025-01-02T03:04:05+00:00",
    "wall_s": 41.3,
    "cpu_s": 77.9,
}


def brunel(folder: Path, status: str = "complete") -> Path:
    rng = np.random.default_rng(1)
    spikes = {"exc": poisson(rng, 800, 38.0, 0, 1.0), "inh": poisson(rng, 200, 40.0, 0, 1.0)}
    time = np.arange(0, 1.0, 1e-3)
    v = np.clip(10 + 8 * rng.standard_normal((1000, 3)).cumsum(axis=0) / 8, 0, 20) * 1e-3
    summary = {
        "experiment": "brunel",
        "seed": 1,
        "backend": "numpy",
        "status": status,
        "model_time_s": 1.0,
        "populations": populations({"exc": 800, "inh": 200}, spikes, 1.0),
        "times": {"build_s": 0.8, "compile_s": 0.0, "run_s": 3.9, "wall_s": 5.1},
        "notes": [],
        "cite": CITE[1:2],
    }
    return write(
        folder,
        brunel_model(),
        summary,
        spikes=spikes,
        states={("exc", "v"): ("volt", time, v, np.array([0, 400, 799]))},
    )


def populations(sizes: Mapping[str, int], spikes: Mapping[str, Any], duration: float) -> dict[str, Any]:
    """As in summary.json; ``None`` where spikes were not recorded."""
    found = {}
    for path, size in sizes.items():
        n = len(spikes[path][0]) if path in spikes else None
        found[path] = {"size": size, "spikes": n, "rate_hz": None if n is None else n / size / duration}
    return found


def digits(folder: Path, n_cells: int = 100, n_train: int = 600, status: str = "complete", **changes: Any) -> Path:
    rng = np.random.default_rng(2)
    images, labels = digit_images(400, rng)
    assigned = np.sort(rng.permutation(np.arange(n_cells) % 10))[rng.permutation(n_cells)]
    after = np.empty((n_cells, 784))
    for cell in range(n_cells):
        alike = images[labels == assigned[cell]]
        mean = alike[rng.integers(0, len(alike), 4)].mean(axis=0).ravel()
        after[cell] = np.clip(0.08 + 0.85 * mean + 0.06 * rng.standard_normal(784), 0, 1)
    assigned = assigned.astype(np.int64)
    assigned[n_cells - 1] = -1
    before = rng.random((n_cells, 784))
    i, j = (a.ravel() for a in np.meshgrid(np.arange(784), np.arange(n_cells), indexing="ij"))
    names = ["train", "label", "test"]
    counts = [n_train, n_train // 3, n_train // 4]
    trials = sum(counts)
    duration = trials * 0.35
    phase = np.repeat(np.arange(3), counts)
    confusion = np.zeros((10, 10), int)
    truth = rng.integers(0, 10, 500)
    guess = np.where(rng.random(500) < 0.8, truth, rng.integers(0, 10, 500))
    np.add.at(confusion, (truth, guess), 1)
    spikes = {
        "output": poisson(rng, n_cells, 0.45, 0, duration, 5e-3),
        "retina": poisson(rng, 784, 7.0, max(0, duration - 40), duration, 5e-3),
    }
    blocks = np.linspace(n_train / 10, n_train, 10).round().astype(int)
    summary = {
        "experiment": "digits_vdsp",
        "seed": 1,
        "backend": "cpp_standalone",
        "status": status,
        "model_time_s": duration,
        "populations": populations({"retina": 784, "output": n_cells, "referee": 1}, spikes, duration),
        "readout": {
            "accuracy_ties_wrong": 0.784, "accuracy_argmax": 0.79, "n_test": 500, "n_silent": 3, "n_tied": 5,
            "confusion": confusion.tolist(), "classes": [str(k) for k in range(10)],
            "learning_curve": [[int(b), float(0.78 - 0.6 * np.exp(-b / (n_train / 5)))] for b in blocks],
        },
        "times": {"build_s": 1.2, "compile_s": 14.0, "run_s": 12.4, "wall_s": 29.5},
        "notes": ["auto chose cpp_standalone: 2,100 s of model time and 885 cells"],
        "cite": CITE[:1],
    }  # fmt: skip
    summary.update(copy.deepcopy(changes))
    weights = {"before": before.T.ravel(), "after": after.T.ravel()}
    table = {"phase": phase, "names": names, "start": np.arange(trials) * 350.0}
    table |= {"sample": rng.integers(0, 2500, trials), "label": rng.integers(0, 10, trials)}
    return write(
        folder,
        digits_model(n_cells),
        summary,
        spikes=spikes,
        edges={"learned": {"from": "retina", "to": "output", "source": i, "target": j, **weights}},
        trials=table,
        assigned=assigned,
    )


def reward(folder: Path, status: str = "complete") -> Path:
    rng = np.random.default_rng(3)
    sizes = {
        "cortex.drive": 500,
        "cortex.exc": 800,
        "cortex.inh": 200,
        "striatum.d1": 100,
        "striatum.d2": 100,
        "striatum.fsi": 20,
        "midbrain.dopamine": 20,
        "midbrain.gaba": 20,
    }
    hz = dict(zip(sizes, (10, 4, 9, 1.5, 0.8, 12, 4, 8), strict=True))
    spikes = {p: poisson(rng, n, hz[p], 0, 4.0) for p, n in sizes.items()}
    t = np.arange(0, 4.0, 0.1)
    w = 2 + rng.random((1, 50)) + np.outer(t / 4, rng.normal(0.6, 0.3, 50))
    da = np.exp(-((np.arange(0, 4, 0.01)[:, None] - 1.2) ** 2) / 0.02) * np.array([[0.5, 0.6]])
    summary = {
        "experiment": "reward_loop", "seed": 1, "backend": "cython", "status": status, "model_time_s": 4.0,
        "populations": populations(sizes, spikes, 4.0),
        "times": {"build_s": 2.0, "compile_s": 9.0, "run_s": 6.1, "wall_s": 18.0},
        "notes": ["cortex.spare has size 0: it and what touches it are left out"],
        "cite": ["Schultz, Dayan & Montague (1997) Science 275:1593", "Izhikevich (2007) Cereb Cortex 17:2443"],
    }  # fmt: skip
    states = {
        ("cortex_to_d1", "w"): ("1", t, w, (np.arange(50), np.arange(50))),
        ("striatum.d1", "DA"): ("1", np.arange(0, 4, 0.01), da, np.array([0, 99])),
    }
    n = 32000
    edge = {"from": "cortex.exc", "to": "striatum.d1"}
    edge |= {"source": rng.integers(0, 800, n), "target": rng.integers(0, 100, n)}
    edge |= {"before": 2 + rng.random(n), "after": np.clip(2 + rng.random(n) + rng.normal(0.5, 0.4, n), 0, 5)}
    return write(folder, reward_model(), summary, spikes=spikes, states=states, edges={"cortex_to_d1": edge})
