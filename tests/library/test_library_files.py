"""Every file of the library: it loads, says what it is and where it comes from, explains each number, and runs."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

import brainsim
from brainsim.errors import SetupError
from brainsim.library import Library
from brainsim.portrait import bench, cell, junction, parts
from brainsim.portrait import rule as learning

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("models", "plasticity", "regions", "configs")
FILES = sorted(path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.yaml"))


def of_kind(kind: str) -> list[str]:
    """Names of the files of one kind."""
    return [path.stem for path in FILES if (ROOT / path).read_text().startswith(f"{kind}:")]


def run(text: str, tmp_path: Path, **options):
    """50 ms on numpy."""
    return brainsim.run(text, backend="numpy", out=tmp_path / "run", **options)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_file_loads_and_says_what_it_is(path):
    kind = (ROOT / path).read_text().split(":")[0]
    tree = Library().part(kind, path.stem)
    assert len(tree.data["about"]) > 20
    assert "\n" not in tree.data["about"].strip()
    assert tree.data["cite"]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_parameter_has_a_comment(path):
    block = None  # indentation of the parameters block we are in
    for number, line in enumerate((ROOT / path).read_text().splitlines(), start=1):
        indent = len(line) - len(line.lstrip())
        if block is not None and line.strip() and indent <= block:
            block = None
        if block is not None and re.match(r"\s*[A-Za-z]\w*:", line):
            assert re.search(r"\S\s+# \S", line), f"{path}:{number} explains nothing: {line.strip()}"
        if re.match(r"\s*(parameters|inputs):\s*(#.*)?$", line):
            block = indent


CELLS = """
experiment: alone
region:
  region: alone
  populations:
    cell: {{neuron: {neuron}, size: 5}}
run: {{duration: 50 ms, dt: {dt} ms}}
record: {{spikes: [cell]}}
"""
#: In the place of the line ``run:`` of a text: two trials of 25 ms, the images shown to cells that nobody hears.
IN_TRIALS = """
data: {{name: mnist, train: 2}}
trial: {{duration: 25 ms, inputs: {{image: eye.pixel}}}}
phases: {{train: {{data: train}}}}
run: {{dt: {dt} ms}}
"""


def in_trials(text: str, dt: float) -> str:
    """The same experiment with trials."""
    eye = "  populations:\n    eye: {neuron: pixel_if, size: 5}"
    return re.sub(r"run: .*\n", IN_TRIALS.format(dt=dt), text).replace("  populations:", eye, 1)


def by_trial(part: parts.Part) -> bool:
    """Whether a part waits for trials, or counts their steps."""
    code = {key: value for key, value in part.data.items() if key not in ("about", "cite")}
    return re.search(r"\btrial(_start|_steps?)?\b|\brepeats\b", json.dumps(code, default=str)) is not None


@pytest.mark.parametrize("neuron", of_kind("neuron"))
def test_cell_runs_alone(neuron, tmp_path):
    part = parts.of_library("neuron", neuron, Library())
    text = CELLS.format(neuron=json.dumps(cell.alone(part)[0]), dt=0.05)
    if by_trial(part):
        text = in_trials(text, 1)
    if not part.data.get("threshold"):
        text = text.replace("record: {spikes: [cell]}", "")
    results = run(text, tmp_path)
    assert results.summary["status"] == "complete"


PAIR = """
experiment: pair
region:
  region: pair
  populations:
    source: {{neuron: {{name: poisson, parameters: {{rate: 100 Hz}}}}, size: 5}}
    target: {{neuron: {target}, size: 5}}
    dopamine: {{neuron: {{name: poisson, parameters: {{rate: 100 Hz}}}}, size: 5}}
  projections:
    tested: {{from: source, to: target, synapse: {synapse}, {rule} connect: all, delay: 1 ms}}
    {extra}
run: {{duration: 50 ms, dt: 0.1 ms}}
record: {{spikes: [target]}}
"""
#: Synapse -> the cells it may land on besides lif; bid and filtered belong to the winner-take-all.
TARGETS = {
    "pulse": ["bernoulli", "mcculloch_pitts"],
    "delta": ["lif", "lif_poisson", "vogels_abbott", "adex", "izhikevich", "hodgkin_huxley", "srm0", "mat"],
} | {
    synapse: ["lif", "adex"]
    for synapse in (
        *("exponential", "alpha", "double_exponential", "ampa", "gaba_a", "gaba_b", "nmda", "nmda_saturating"),
        *("tm_depressing", "tm_facilitating", "tsodyks_markram"),
        *("dopamine", "acetylcholine", "noradrenaline", "serotonin", "reward"),
    )
}


@pytest.mark.parametrize(("synapse", "target"), [(s, t) for s, targets in TARGETS.items() for t in targets])
def test_synapse_runs_between_cells(synapse, target, tmp_path):
    run(PAIR.format(synapse=synapse, target=target, rule="", extra=""), tmp_path)


@pytest.mark.parametrize("synapse", of_kind("synapse"))
def test_synapse_runs_on_a_cell_it_fits(synapse):
    """Found by what it needs: a passive cell, or one of the library that has its variables."""
    tried = bench.Bench(junction.fitting(parts.of_library("synapse", synapse, Library())).plan)
    tried.step(0.02)


@pytest.mark.parametrize("rule", of_kind("plasticity"))
def test_rule_runs(rule, tmp_path):
    part = parts.of_library("plasticity", rule, Library())
    if (part.data.get("needs") or {}) and by_trial(part):
        pytest.skip("it needs trials and cells of its own: it runs in its region below")
    if by_trial(part):
        text = in_trials(PAIR.format(synapse="ampa", target="lif", rule=f"plasticity: {rule},", extra=""), 0.1)
        assert "w" in run(text, tmp_path).weights("tested").after
        return
    units, (dt, _) = learning.fitting(part)
    populations, projections = learning.pair(part, units, 5)
    plan = bench.make_plan(populations, projections, dt=dt, library=part.library, root=part.root)
    tried = bench.Bench(plan)
    tried.step(0.05)
    assert len(tried.get("learned", "w")) == 5


#: Layers of the microcircuit that are left out where all of them would take ten seconds.
DEEP = {f"{layer}{kind}.size": 0 for layer in ("l4", "l5", "l6") for kind in "ei"}
#: Region -> settings that make it small, and the time step it is meant for.
SMALL = {
    "cortex_ei": ({"n_exc": 50, "n_inh": 20, "n_drive": 50}, 0.1),
    "winner_take_all": ({"n_cells": 5}, 5),
    "cuba": ({"n_exc": 80, "n_inh": 20}, 0.1),
    "coba": ({"n_exc": 80, "n_inh": 20}, 0.1),
    "brunel": ({"scale": 0.01, "K_exc": 20, "K_inh": 5}, 0.1),
    "potjans_diesmann": ({"scale": 0.005, **DEEP}, 0.1),
    "synfire_chain": ({"a": 5, "t_packet": "20 ms"}, 0.1),
    "ring_attractor": ({"scale": 0.03125}, 0.1),
    "liquid": ({"rate_in": "50 Hz"}, 0.1),
    "line_attractor": ({}, 0.1),
    "vdsp_layer": ({"n_pixels": 20, "n_cells": 5, "retina.neuron.pixel": 0.5}, 5),
    "diehl_cook": ({"n_pixels": 20, "n_cells": 5}, 0.5),
    "reward_loop": ({"n_cue": 5, "n_striatum": 5, "n_dopamine": 2}, 0.5),
    "stdp_competition": ({"n_exc": 50, "n_inh": 10}, 0.5),
    "vogels_balance": ({"scale": 0.01, "K_exc": 20, "K_inh": 5}, 0.1),
    "xor": ({"n_hidden": 5, "input.neuron.rate": "40 Hz", "critic.neuron.goal": 1}, 1),
    "desire_layers": ({"n_pixels": 9, "n_hidden1": 8, "n_hidden2": 7, "n_classes": 5}, 1),
}
#: Region -> what a trial shows to it.
SHOWN = {"desire_layers": "image: pixels.pixel, label: goal.goal", "diehl_cook": "image: input.pixel"}


@pytest.mark.parametrize("region", of_kind("region"))
def test_region_runs_at_a_small_size(region, tmp_path):
    parameters, dt = SMALL[region]
    text = f"experiment: small\nregion: {region}\nrun: {{duration: 50 ms, dt: {dt} ms}}\n"
    if region in SHOWN:
        text = re.sub(r"run: .*\n", IN_TRIALS.format(dt=dt), text).replace("image: eye.pixel", SHOWN[region])
    assert run(text, tmp_path, set=parameters).summary["status"] == "complete"


_BRUNEL = ("brunel", "brunel_sr", "brunel_si_fast", "brunel_si_slow")
#: Experiment -> what makes it short.
SHORT = {
    "digits_vdsp": {"data.train": 3, "data.label": 3, "data.test": 2, "n_cells": 5, "phases.train.passes": 1},
    **{
        name: {"data.train": 3, "data.label": 3, "data.test": 2, "n_cells": 5}
        for name in ("garg_2022", "garg_2022_frequency", "garg_2022_frequency_stdp")
    },
    "diehl_cook_2015": {"data.train": 2, "data.label": 1, "data.test": 1, "phases.train.passes": 1, "n_cells": 5},
    "digits_events": {"data.train": 3, "data.test": 2, "n_cells": 9},
    **{
        name: {"data.train": 3, "data.test": 2, "n_hidden1": 9, "n_hidden2": 9, "run.rounds": 1}
        for name in ("gerlinghoff_2022", "gerlinghoff_2022_fashion")
    },
    "gerlinghoff_2022_validated": {
        "data.train": 3,
        "data.validation": 2,
        "data.test": 2,
        "n_hidden1": 9,
        "n_hidden2": 9,
        "run.rounds": 1,
    },
    "digits_desire": {"data.train": 3, "data.test": 2, "n_hidden1": 9, "phases.train.passes": 1},
    **{name: {"scale": 0.11, "run.duration": "5 ms"} for name in _BRUNEL},
    "potjans_diesmann": {"scale": 0.02, "run.duration": "5 ms", **DEEP},
    "ring_attractor": {"scale": 0.03125, "run.duration": "20 ms"},
    "vogels_2011": {"scale": 0.025, "run.duration": "5 ms"},
    **dict.fromkeys(
        ("florian_2007_xor", "florian_2007_xor_trace"),
        {"n_hidden": 5, "trial.duration": "20 ms"}
        | {f"phases.{name}.passes": 1 for name in ("train", "label", "test")},
    ),
}


#: Experiment -> the data set it needs that does not ship.
ELSEWHERE = {"digits_events": "nmnist_small", "gerlinghoff_2022_fashion": "fashion_mnist"}


@pytest.mark.parametrize("experiment", of_kind("experiment"))
def test_experiment_runs(experiment, tmp_path):
    settings = SHORT.get(experiment, {"run.duration": "50 ms"})
    missing = ELSEWHERE.get(experiment)
    if missing and not (Path(os.environ.get("BRAINSIM_DATA", "")) / missing).is_dir():
        with pytest.raises(SetupError, match="is not on this machine"):
            run(experiment, tmp_path, set=settings)
        pytest.skip(f"BRAINSIM_DATA does not name a folder with {missing}")
    assert run(experiment, tmp_path, set=settings).summary["status"] == "complete"
