"""What a flattened model is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from brainsim.encoders import Spikes
from brainsim.errors import Mark
from brainsim.source import Tree
from brainsim.spec import Experiment
from brainsim.units import Quantity


@dataclass(frozen=True)
class Part:
    """A neuron, synapse or rule at one place of use: parents merged, every override applied."""

    kind: str
    name: str
    spec: Any  # the checked Neuron, Synapse or Plasticity
    values: Mapping[str, Quantity]  # parameters, evaluated
    tree: Tree  # the merged content with the place each value came from


@dataclass(frozen=True)
class Population:
    """Cells of one kind at a path such as ``striatum.d1``."""

    path: str
    size: int
    neuron: Part
    initial: Mapping[str, Any]  # variable -> Quantity or code, on top of the neuron's own
    layout: Mapping[str, Any] | None
    tree: Tree  # content of the population entry


@dataclass(frozen=True)
class Ends:
    """One end of a projection: a population and the slice of it that takes part."""

    path: str
    start: int
    stop: int


@dataclass(frozen=True)
class Projection:
    """Synapses of one or several kinds on the same pairs."""

    path: str
    source: Ends
    target: Ends
    synapses: tuple[Part, ...]
    plasticity: Part | None
    connect: Mapping[str, Any]  # {"rule": "p", "p": 0.1, ...}: values are numbers, Quantities or code
    delay: Quantity | str | None  # str: code drawn per synapse
    learn_delay: Quantity | None
    port: str | None
    initial: Mapping[str, Any]  # variable -> Quantity, code or {"from": FOLDER}
    autapses: bool
    tree: Tree


@dataclass(frozen=True)
class Link:
    """``target`` variable of one population shows ``source`` variable of another."""

    target: tuple[str, str]  # (population path, variable)
    source: tuple[str, str]
    mark: Mark | None = None


@dataclass(frozen=True)
class Circuit:
    """The flattened model of one experiment. ``graph`` has population paths as nodes and projections as edges."""

    experiment: Experiment
    tree: Tree  # the experiment file
    populations: Mapping[str, Population]
    projections: Mapping[str, Projection]
    links: tuple[Link, ...]
    silent: tuple[Projection, ...] = ()  # a lesion took their source: only what the synapses are on the target stays
    trains: Mapping[str, Spikes] = field(default_factory=dict)  # stimulus -> the spike trains it plays
    notes: tuple[str, ...] = ()
    cite: tuple[str, ...] = ()
    resolved: Mapping[str, Any] = field(
        default_factory=dict
    )  # the experiment with every part in place, all values final
    history: Mapping[str, tuple[tuple[str, str], ...]] = field(
        default_factory=dict
    )  # dotted path -> ((value, origin), ...)
    graph: nx.MultiDiGraph = field(default_factory=nx.MultiDiGraph, compare=False)
