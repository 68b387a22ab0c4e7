"""Every part in a few networks, on numpy and compiled: what draws nothing at random comes out the same.

The networks are put together from whatever the library holds: each kind of cell alone with its inputs filled in, each
synapse on a cell it fits, each rule on a pair of cells. Parts that differ in nothing but numbers are one, for numbers
are not in what is compiled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainsim import backends
from brainsim.compose.plan import Phase, Plan
from brainsim.errors import BrainsimError
from brainsim.expressions import RANDOM, is_xi
from brainsim.library import Library
from brainsim.portrait import bench, cell, junction, parts, rule

ROOT = Path(__file__).resolve().parents[2]
SIZE, DT, LENGTH = 5, 0.1e-3, 20e-3
#: What of a part is compiled.
NOT_CODE = ("about", "cite", "extends", "parameters", "neuron", "synapse", "plasticity")
#: Slots of the networks: kind, and whether chance plays a part after the start.
NETWORKS = [(kind, chance) for kind in ("neuron", "synapse", "plasticity") for chance in (False, True)]
LONG = [("neuron", False), ("synapse", False)]


def by_chance(data: Any) -> bool:
    return any(name in RANDOM or is_xi(name) for name in parts.words({**data, "initial": {}}))


def drawing(neuron: Any) -> bool:
    """Whether a cell is one of chance; those of a pair would draw, at a rate that is 0 here."""
    return neuron["neuron"] != "paired" and by_chance(neuron)


def kinds() -> dict[tuple[str, bool], list[parts.Part]]:
    """Parts by network, one for each code."""
    shelf, seen = Library(), set()
    found: dict[tuple[str, bool], list[parts.Part]] = {key: [] for key in NETWORKS}
    for kind in ("neuron", "synapse", "plasticity"):
        for name, _, _ in shelf.names(kind):
            part = parts.of_library(kind, name, shelf)
            code = json.dumps({k: v for k, v in part.data.items() if k not in NOT_CODE}, sort_keys=True, default=str)
            if (kind, code) not in seen:
                seen.add((kind, code))
                found[kind, by_chance(part.data)].append(part)
    return found


@dataclass
class Network:
    """Populations and projections of many parts side by side, their names with the part in front."""

    populations: dict[str, Any] = field(default_factory=dict)
    projections: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, part: parts.Part) -> None:
        if any(name.startswith("trial") for name in parts.words(part.data)):
            self.left_out[part.name] = "it reads the trial"
            return
        try:
            populations, projections = ALONE[part.kind](part)
            plan(Network(populations, projections))
        except BrainsimError as error:
            self.left_out[part.name] = error.problems[0].message
            return
        for path, one in populations.items():
            self.populations[f"{part.name}_{path}"] = {**one, "size": SIZE}
        for path, one in projections.items():
            ends = {end: f"{part.name}_{one[end]}" for end in ("from", "to")}
            self.projections[f"{part.name}_{path}"] = {**one, **ends}


def one_cell(part: parts.Part) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"cell": {"neuron": cell.alone(part)[0], "size": SIZE}}, {}


def one_synapse(part: parts.Part) -> tuple[dict[str, Any], dict[str, Any]]:
    trial = junction.fitting(part)
    sender = trial.populations["sender"]["neuron"]
    sender["parameters"] |= {"gap": "3 ms", "t_first": "2 ms", "t_last": "100 ms"}
    return trial.populations, trial.projections


def one_rule(part: parts.Part) -> tuple[dict[str, Any], dict[str, Any]]:
    populations, projections = rule.pair(part, rule.fitting(part)[0], SIZE)
    for side, first in (("pre", "2 ms"), ("post", "4 ms")):
        given = {"gap": "5 ms", "t_first": first, "t_last": "100 ms"}
        populations[side]["neuron"]["parameters"] |= given
    return populations, projections


ALONE = {"neuron": one_cell, "synapse": one_synapse, "plasticity": one_rule}


def plan(network: Network) -> Plan:
    """With every spike, and every variable of every cell each millisecond."""
    options: dict[str, Any] = {"dt": DT, "library": Library(), "root": ROOT}
    first = bench.make_plan(network.populations, network.projections, **options)
    known = parts.words([network.populations, network.projections])  # not what the engine numbered
    states = {
        path: names
        for path in network.populations
        if (names := [n for n, e in bench.variables(first, path).items() if n in known and "shared" not in e.flags])
    }
    made = bench.make_plan(network.populations, network.projections, states=states, every=1e-3, **options)
    return replace(made, watches=bench.spike_watches(made), phases=(Phase("run", LENGTH),))


class Memory:
    """A recorder that keeps what comes."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, ...], list[np.ndarray]] = {}

    def spikes(self, path, times, cells):
        self.found.setdefault((path, "spikes"), []).append(np.stack([np.rint(np.asarray(times) / DT), cells]))

    def state(self, path, label, unit, times, values, ids):
        self.found.setdefault((path, label), []).append(np.asarray(values))

    def weights(self, path, before, after, source, target, pairs):
        for label, (_, value) in pairs.items():
            self.found.setdefault((path, label), []).append(np.asarray(value))

    def flush(self):
        pass


def result(made: Plan, backend: str, folder: Path) -> dict[tuple[str, ...], np.ndarray]:
    memory = Memory()
    outcome = backends.run(made, backend, recorder=memory, folder=folder)
    assert outcome.completed
    return {key: np.concatenate(pieces, axis=-1 if key[1] == "spikes" else 0) for key, pieces in memory.found.items()}


@pytest.fixture(scope="module")
def library() -> dict[tuple[str, bool], list[parts.Part]]:
    return kinds()


def compare(found: list[parts.Part], chance: bool, backend: str, folder: Path) -> None:
    if not found:
        pytest.skip("the library has no such part")
    network = Network()
    for part in found:
        network.add(part)
    # What needs trials runs compiled with the circuit it belongs to.
    others = {name: why for name, why in network.left_out.items() if "trial" not in why}
    assert not others
    made = plan(network)
    compiled, numpy = result(made, backend, folder), result(made, "numpy", folder)
    assert compiled.keys() == numpy.keys() and len(numpy) >= len(found) - len(network.left_out)
    wrong = []
    random = [path for path, one in network.populations.items() if drawing(one["neuron"])]
    for key, values in numpy.items():
        other = compiled[key]
        if chance or key[0] in random:
            same = key[1] == "spikes" or values.shape == other.shape
        elif key[1] == "spikes":
            same = values.shape == other.shape and (values == other).all()
        else:
            scale = np.nanmax(np.abs(values), initial=0.0) or 1.0
            same = np.allclose(values, other, rtol=1e-9, atol=1e-9 * scale, equal_nan=True)
        if not same:
            wrong.append(".".join(key))
    assert not wrong


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("kind", "chance"),
    # All cells, or all synapses, in one network take a minute of compiling.
    [pytest.param(*one, marks=pytest.mark.slow) if one in LONG else one for one in NETWORKS],
)
def test_native_gives_what_numpy_gives(library, kind, chance, tmp_path):
    if backends.available()["native"]:
        pytest.skip(backends.available()["native"])
    compare(library[kind, chance], chance, "native", tmp_path)


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize(("kind", "chance"), NETWORKS)
def test_cpp_standalone_gives_what_numpy_gives(library, kind, chance, tmp_path):
    if backends.available()["cpp_standalone"]:
        pytest.skip(backends.available()["cpp_standalone"])
    compare(library[kind, chance], chance, "cpp_standalone", tmp_path)
