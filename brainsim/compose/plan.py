"""The plan: everything a Brian2 network needs, as text and numbers.

A plan is what is left when no question about the model is open: final equations, values, seeds and
wiring of every object. ``script`` prints it, ``builder`` builds it; neither decides anything. All names
in it are final Brian2 names. Code and equations are Brian2's own language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from brainsim.encoders import Trains
from brainsim.errors import Mark
from brainsim.units import Quantity


@dataclass(frozen=True)
class Line:
    """One equation, with the place in the YAML it came from."""

    text: str
    mark: Mark | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Constant:
    """A parameter that lives on an object as a ``(shared, constant)`` variable.

    Its declaration is already among the object's equations; builder and script set the value.
    """

    name: str
    value: Quantity


@dataclass(frozen=True)
class Initial:
    """Initial values of one variable, drawn once in numpy from the stream named ``stream``.

    ``expression`` is Brian2 syntax in which every parameter is already a literal such as ``(-70*mV)``;
    the names left are ``i`` and ``N`` (groups), ``i``, ``j``, ``N_pre``, ``N_post`` and ``d`` (synapses), ``rand()``,
    ``randn()`` and variables initialised earlier on the same object.
    """

    variable: str
    expression: str
    dims: tuple[float, ...]  # the seven SI exponents the variable expects
    stream: str
    integer: bool = False
    saved: str = ""  # run folder whose final values are taken instead
    given: tuple[float, ...] = ()  # values in SI units that stand in a file instead
    mark: Mark | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Event:
    """A named event of a group (``spike`` is the threshold itself) and the code it runs on its cells."""

    name: str
    condition: str
    when: str = "thresholds"
    order: int = 0
    code: str = ""
    code_when: str = "resets"
    code_order: int = 0
    mark: Mark | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Regular:
    """Code that runs on all members at fixed times (Brian2's ``run_regularly``)."""

    name: str
    code: str
    period: float  # seconds
    when: str = "start"
    order: int = 0
    mark: Mark | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Link:
    """Brian2's linked variable: ``variable`` of this group shows ``source_variable`` of another."""

    variable: str
    source: str
    source_variable: str


@dataclass(frozen=True)
class Group:
    """A population: becomes one NeuronGroup."""

    name: str  # Brian2 name, e.g. cortex_exc
    path: str  # path in the model, e.g. cortex.exc
    size: int
    equations: tuple[Line, ...]
    threshold: str = ""
    reset: str | None = None  # "": a spike changes nothing, and that is meant
    refractory: str = ""
    method: str = ""
    events: tuple[Event, ...] = ()
    regular: tuple[Regular, ...] = ()
    constants: tuple[Constant, ...] = ()
    initial: tuple[Initial, ...] = ()
    links: tuple[Link, ...] = ()
    cell: str = ""  # name of the neuron part, for comments
    about: str = ""
    mark: Mark | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Pathway:
    """What runs on the synapses when an event arrives from one side."""

    name: str  # pre, pre_candidate, post, post_blame, ...
    side: str  # pre | post
    event: str  # spike or a named event of the group on that side
    code: str
    when: str = "synapses"
    order: int | None = None  # None: Brian2's own (-1 for pre, 1 for post)
    delay: float | None = None  # seconds, the same for all synapses
    delays: Initial | None = None  # or one drawn per synapse
    mark: Mark | None = field(default=None, compare=False)


@dataclass(frozen=True, eq=False)
class Wiring:
    """Which pairs are connected: drawn once in numpy (``connect.pairs``) from the stream ``stream``.

    ``rule`` is one of ``all``, ``one_to_one``, ``p``, ``in_degree``, ``out_degree``, ``number``, ``distance``,
    ``matrix``;
    ``options`` holds plain numbers and arrays only.
    """

    rule: str
    stream: str
    options: Mapping[str, Any] = field(default_factory=dict)
    autapses: bool = False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Wiring):
            return NotImplemented
        mine, theirs = self.options, other.options
        same = mine.keys() == theirs.keys() and all(np.array_equal(mine[k], theirs[k]) for k in mine)
        return same and (self.rule, self.stream, self.autapses) == (other.rule, other.stream, other.autapses)


@dataclass(frozen=True, eq=False)
class Places:
    """Where the cells of both slices are, arrays [cells, dimensions] in metres: what ``d`` in code follows from."""

    source_positions: np.ndarray
    target_positions: np.ndarray
    ring: float | None  # the length after which a ring closes
    dims: tuple[float, ...]  # of the distance

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Places):
            return NotImplemented
        same = (np.array_equal(getattr(self, k), getattr(other, k)) for k in ("source_positions", "target_positions"))
        return all(same) and (self.ring, self.dims) == (other.ring, other.dims)


@dataclass(frozen=True)
class Slice:
    """A population or a contiguous piece of one."""

    group: str  # Brian2 name of the group
    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Connection:
    """A projection (or one synapse of it): becomes one Synapses object."""

    name: str  # Brian2 name, e.g. cortex_to_d1
    path: str  # path in the model
    source: Slice
    target: Slice
    wiring: Wiring
    equations: tuple[Line, ...] = ()
    pathways: tuple[Pathway, ...] = ()
    regular: tuple[Regular, ...] = ()
    constants: tuple[Constant, ...] = ()
    initial: tuple[Initial, ...] = ()
    method: str = ""
    plastic: bool = False  # a rule changes it
    saved: tuple[tuple[str, str], ...] = ()  # (name in the results, Brian2 name) of what is saved before and after
    places: Places | None = None  # where initial values or delays depend on the distance
    parts: tuple[str, ...] = ()  # names of synapse and rule, for comments
    about: str = ""
    mark: Mark | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Encode:
    """An encoder by its name in ``encoders.ENCODERS``; parameters in SI units."""

    name: str
    parameters: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Table:
    """A field of the data as a Brian2 function ``name(sample, i)``; see ``functions.table``.

    For uint8 images the value is byte/255; for labels ``one_hot`` makes it 1 for the class of the sample. Spikes are
    read by ``name(sample, i, step)``: see :class:`Train`.
    """

    name: str
    field: str  # image | values | events | label
    one_hot: bool = False
    encode: tuple[Encode, ...] = ()
    spikes: bool = False
    size: int = 0  # cells it goes to, where their number must be that of the features
    path: str = ""  # of the population


@dataclass(frozen=True)
class Train:
    """Spike trains of a stimulus as a Brian2 function ``name(0, i, step)``: the first step from ``step`` on in which
    cell ``i`` has a spike; see ``encoders.next_spike``.
    """

    name: str
    trains: Trains


@dataclass(frozen=True)
class Watch:
    """What is recorded: spikes (or another event) of a group, or variables of a group or connection."""

    name: str  # Brian2 name of the monitor
    kind: str  # spikes | state
    target: str  # Brian2 name of the group or connection
    path: str  # path in the model, the name used in the results
    variables: tuple[str, ...] = ()  # Brian2 names
    labels: tuple[str, ...] = ()  # their names in the results
    units: tuple[str, ...] = ()  # Brian2 unit of each variable, e.g. volt
    event: str = "spike"
    every: float | None = None  # seconds between samples
    sample: int | None = None  # how many members, evenly spaced; None: all
    start: int = 0  # slice of the group that is recorded
    stop: int | None = None


@dataclass(frozen=True)
class Phase:
    """A stretch of the run. Without samples it is one stretch of ``duration``."""

    name: str
    duration: float = 0.0  # seconds, when there are no samples
    data: str = ""  # train | label | validation | test: a split of the data
    passes: int = 1
    shuffle: bool = False
    count: int = 0  # samples of the split; the phase lasts passes*count trials
    set: tuple[tuple[str, Constant], ...] = ()  # (object name, value); undone after the phase
    course: tuple[tuple[tuple[str, Constant], ...], ...] = ()  # the same by round, where values depend on it
    fresh: tuple[str, ...] = ()  # names of groups that start again from their initial values

    def changes(self, number: int = 0) -> tuple[tuple[str, Constant], ...]:
        """What the phase sets in round ``number``, from 0."""
        return self.course[number] if self.course else self.set


@dataclass(frozen=True)
class Trial:
    """How samples are shown: every ``steps`` steps of dt the next one."""

    duration: float  # seconds
    steps: int
    clock: str = "trials"  # Brian2 name of the one-cell group that counts them
    inputs: tuple[tuple[str, str, str], ...] = ()  # (group name, input variable, table name)
    limit: int = 0  # how often a sample may be shown again; the clock decides, see ``compose.course``


@dataclass(frozen=True)
class Readout:
    """How spikes of a group become decisions."""

    name: str
    path: str
    assign_from: str = ""  # empty for a readout that learns nothing
    ties: str = "wrong"
    parameters: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Data:
    """Which samples: the data set, or the file, and how many of each split."""

    name: str
    splits: Mapping[str, int] = field(default_factory=dict)
    file: str = ""
    test_from: str = "test"  # train: test samples are the training samples after those in use


@dataclass(frozen=True)
class Plan:
    """A whole experiment, ready to build."""

    name: str
    about: str
    seed: int
    dt: float  # seconds
    groups: tuple[Group, ...]
    connections: tuple[Connection, ...]
    watches: tuple[Watch, ...]
    phases: tuple[Phase, ...]
    backend: str = "auto"
    threads: int = 1
    dtype: str = "float64"
    rounds: int = 1  # how often the phases are gone through
    data: Data | None = None
    tables: tuple[Table, ...] = ()
    trains: tuple[Train, ...] = ()
    trial: Trial | None = None
    readout: Readout | None = None
    functions: tuple[str, ...] = ()  # names from the allow-list of ``functions``
    notes: tuple[str, ...] = ()
    cite: tuple[str, ...] = ()
    parameters: Mapping[str, tuple[str, str]] = field(default_factory=dict, compare=False)
    """Path of each parameter that code reads while the network runs -> (object name, Brian2 variable)."""
