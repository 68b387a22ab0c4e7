"""Who is connected to whom."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from brainsim.spec.fields import Cite, Name, PartUse, Path, Spec, Value


class Layout(Spec):
    """Where the cells of a population are; distances are in the same unit."""

    line: Value | None = None
    """Length of a line with evenly spaced cells."""
    ring: Value | None = None
    """Circumference of a ring with evenly spaced cells."""
    grid: list[Value] | None = None
    """Width and height of a grid: as many rows and columns as fit the size."""
    points: str | list[Value] | None = None
    """CSV file with one row of coordinates (in metres) a cell; or a list of one to three lengths, code that may use
    ``i`` and ``N``: ``[(i % 3)*mm, i//3*mm]``."""

    @model_validator(mode="after")
    def _one(self) -> Layout:
        if sum(v is not None for v in (self.line, self.ring, self.grid, self.points)) != 1:
            raise ValueError("a layout has exactly one of line, ring, grid, points")
        return self


class Population(Spec):
    """Cells of one kind."""

    neuron: PartUse
    """The kind of cell."""
    size: Value
    """How many; 0 is a lesion: the population and what touches it vanish."""
    initial: dict[Name, Value] = {}
    """Initial values that differ from those of the neuron file."""
    layout: Layout | None = None
    """Where the cells are, for connections that depend on distance."""


class Connect(Spec):
    """Which pairs are connected."""

    p: Value | None = None
    """Probability of each pair; with ``layout`` an expression over the distance ``d``."""
    in_degree: Value | None = None
    """Number of sources of each target."""
    out_degree: Value | None = None
    """Number of targets of each source."""
    number: Value | None = None
    """Number of synapses in all, drawn from all pairs."""
    multapses: bool = False
    """Whether the same pair may be drawn more than once; with ``p``, as many synapses are drawn as leave each pair
    connected with probability ``p``."""
    distance: Value | None = None
    """Connect pairs closer than this."""
    matrix: str | None = None
    """CSV file with columns source, target and, if wanted, weight."""
    weight: str | None = None
    """Column of the matrix file that holds the weight ``w``."""

    @model_validator(mode="after")
    def _one(self) -> Connect:
        given = [k for k in ("in_degree", "out_degree", "number", "matrix") if getattr(self, k) is not None]
        if self.p is not None or self.distance is not None:
            given.append("p or distance")
        if len(given) != 1:
            raise ValueError("connect takes exactly one of p, in_degree, out_degree, number, distance, matrix")
        return self


class Projection(Spec):
    """Synapses from one population to another."""

    source: Path = Field(alias="from")
    """Sending population, or a slice of one: ``cortex.exc[0:80]``."""
    target: Path = Field(alias="to")
    """Receiving population, or a slice of one."""
    synapse: PartUse | list[PartUse]
    """The kind of synapse; a list puts several on the same pairs."""
    plasticity: PartUse | None = None
    """The rule that changes it."""
    connect: str | Connect
    """``all``, ``one_to_one``, or one of ``{p: 0.1}``, ``{in_degree: 80}``, ``{out_degree: 80}``, ``{number: 2000}``,
    ``{distance: 1 mm}``, ``{matrix: FILE}``."""
    delay: Value | None = None
    """Time from a spike to its arrival: a value, or code drawn per synapse (``1*ms + rand()*ms``), with
    ``layout`` also of the distance ``d``."""
    learn_delay: Value | None = None
    """Time from a presynaptic spike to the moment learning sees it; by default when it arrives."""
    port: Name | None = None
    """The current of the receiving cell it joins, when not ``I_syn``."""
    initial: dict[Name, Value | dict[str, Any]] = {}
    """Variable -> initial value: a value, code, or ``{from: RUN_FOLDER}`` to reuse the values an earlier run
    ended with. Code may use ``i``, ``j``, ``N_pre``, ``N_post`` and, with ``layout``, the distance ``d``."""
    autapses: bool = False
    """Whether a cell may connect to itself."""


class Region(Spec):
    """A region file: the first line is ``region: NAME``. A circuit is a region that contains regions."""

    region: Name
    """Name of the region; the file has the same name."""
    extends: Name | None = None
    """Parent region."""
    about: str = ""
    """One sentence that says what it is."""
    cite: Cite = []
    """Where it comes from."""
    parameters: dict[Name, Value] = {}
    """Name -> value, or an expression over the other parameters."""
    regions: dict[Name, PartUse] = {}
    """Regions inside this one."""
    populations: dict[Name, Population] = {}
    """The cells."""
    projections: dict[Name, Projection] = {}
    """The synapses."""
    links: dict[Path, Path] = {}
    """``output.u_top: referee.best``: a (linked) variable shows a variable of another population."""
