"""What is run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from brainsim.spec.fields import Cite, Code, Name, PartUse, Path, Spec, Value


class Pulse(Spec):
    """A value for a while."""

    value: Value
    """What is added during the pulse."""
    start: Value = "0 ms"
    """When it begins."""
    stop: Value | None = None
    """When it ends; the end of the run if left out."""


class Stimulus(Spec):
    """What an experiment feeds into an input or a parameter of a population."""

    to: Path
    """``cortex.drive.rate``: population, then the input or parameter."""
    constant: Value | None = None
    """A fixed value."""
    pulse: Pulse | list[Pulse] | None = None
    """One pulse or several, on top of ``constant`` or of the parameter's own value."""
    times: dict[str, list[Value]] | None = None
    """Spike times by cell, ``{0: [5 ms, 20 ms]}``: the input is 1 in the step of a spike, else 0; see ``recorded``."""
    file: str | None = None
    """The same from a file: CSV with the columns ``time [ms]`` and ``cell``, or HDF5 in the SONATA layout."""
    population: str | None = None
    """Whose spikes are taken from an HDF5 file, where it holds several populations."""


class Data(Spec):
    """Which samples."""

    name: Name | None = None
    """Name of the data set: ``mnist``, ``fashion_mnist``, ``nmnist_small``."""
    file: str | None = None
    """Or a file of one's own: CSV with a column ``label``, or npz with ``values``, ``images`` or events."""
    train: int = Field(0, ge=0)
    """Number of training samples, from the first."""
    label: int = Field(0, ge=0)
    """Number of training samples used to give cells a class, from the first."""
    validation: int = Field(0, ge=0)
    """Number of validation samples: the training samples that follow those of ``train`` and ``label``. The best round
    is chosen on them."""
    test: int = Field(0, ge=0)
    """Number of test samples, from the first; in a file of one's own the last."""
    test_from: Literal["test", "train"] = "test"
    """``train`` takes the training samples that follow those of all other splits for test samples: a validation
    split, on which learning rates and the like are chosen without a look at the test set."""


EncoderName = Literal[
    "rate", "constant_current", "population",
    "poisson", "regular", "latency", "log_latency", "phase", "burst", "ternary",
]  # fmt: skip


class Encode(Spec):
    """An encoder with its parameters."""

    name: EncoderName
    """Which one."""
    parameters: dict[Name, Value] = {}
    """Name -> value with unit: ``{t_max: 100 ms}``."""


class Input(Spec):
    """Where a field of the data goes, and how it is encoded on the way."""

    to: Path
    """``retina.spike``: population, then its input."""
    encode: EncoderName | Encode | list[EncoderName | Encode]
    """An encoder by name or with ``parameters``; of a list each takes the values the one before it makes."""


class Trial(Spec):
    """How one sample is shown."""

    duration: Value
    """Time per sample."""
    inputs: dict[Literal["image", "values", "events", "label"], Path | Input]
    """Field of the data -> input of a population: ``{image: retina.pixel}``, or ``{image: {to: ..., encode: ...}}``."""
    repeat_while: Code | None = None
    """A condition, looked at when a sample has been shown; while it holds, the same sample is shown again. It reads
    variables of populations of one cell, by their paths: ``counter.n < 5``. Code of cells knows ``repeats``, how often
    the sample was shown before. The readout takes the last showing."""
    limit: int = Field(10, ge=1)
    """With ``repeat_while``: how often a sample is shown again at most."""


class Phase(Spec):
    """A pass over samples."""

    data: Literal["train", "label", "validation", "test"]
    """The split that is shown."""
    passes: int = Field(1, ge=1)
    """How often."""
    shuffle: bool = False
    """Whether the order is drawn anew for each pass."""
    fresh: list[Path] = []
    """``cells``, or populations, that start again from their initial values."""
    set: dict[Path, Value] = {}
    """Parameters that differ in this phase; they return afterwards. A value may be an expression with ``round``, which
    counts from 0: ``{learned.plasticity.eta: 1e-5*exp(-0.04*round)}``."""


class Readout(Spec):
    """How spikes become decisions."""

    name: Literal["class_sum", "class_mean", "linear", "spike_count", "first_spike", "population_vector"]
    """``class_sum``, ``class_mean`` and ``linear`` learn from the phase ``assign_from``; in the others cells stand for
    classes."""
    parameters: dict[Name, Value] = {}
    """Name -> value: ``{ridge: 10}`` of ``linear``."""
    population: Path
    """Whose spikes are counted."""
    assign_from: Name = "label"
    """Phase a readout learns from: its spikes give each cell a class, or weights."""
    ties: Literal["wrong", "first"] = "wrong"
    """What a tie counts as in the figure that is reported first."""


class State(Spec):
    """Variables recorded over time."""

    variables: list[Name]
    """Their names."""
    every: Value | None = None
    """Time between samples; dt if left out."""
    sample: int | None = Field(None, ge=1)
    """How many members, evenly spaced; all if left out."""


class Record(Spec):
    """What is recorded."""

    spikes: list[Path] = []
    """Populations (or slices) whose spikes are kept. Those of the readout's population are kept too, in a run of
    several rounds those of the last round."""
    state: dict[Path, State] = {}
    """Population or projection -> variables over time."""


class Run(Spec):
    """How it is run."""

    duration: Value | None = None
    """Model time, of a round; not with ``phases``, whose trials add up to it."""
    dt: Value = "0.1 ms"
    """Time step."""
    seed: int = Field(default=1, ge=0, le=2**32 - 1)
    """All random numbers follow from it."""
    backend: Literal["auto", "numpy", "cython", "cpp_standalone", "native"] = "auto"
    """``auto`` chooses by the size of the job and says what it chose."""
    threads: int = Field(default=1, ge=1, le=64)
    """How many threads share the work of a time step; on ``native`` alone. Results are the same for any number."""
    dtype: Literal["float64", "float32"] = "float64"
    """Numbers of cells and synapses; ``float32`` takes half the memory, and compiled code goes through it faster."""
    rounds: int = Field(1, ge=1, le=100_000)
    """How often ``phases`` (or ``duration``) are gone through, one round after the other. After a round there is a
    checkpoint, and what its phases read out: accuracy by round."""


class Experiment(Spec):
    """An experiment file: the first line is ``experiment: NAME``."""

    experiment: Name
    """Name of the experiment; the file has the same name."""
    grammar: Literal[1] = 1
    """Version of this grammar."""
    extends: Name | None = None
    """Parent experiment."""
    about: str = ""
    """The question it asks, in one sentence."""
    cite: Cite = []
    """Where it comes from."""
    region: PartUse
    """What is run: a region by name, with parameters, or written in place."""
    set: dict[str, Value] = {}
    """Dotted path -> value: ``{cortex_to_d1.plasticity.eta: 2 Hz}``."""
    stimuli: dict[Name, Stimulus] = {}
    """What is fed in."""
    data: Data | None = None
    """Samples to learn from."""
    trial: Trial | None = None
    """How a sample is shown."""
    phases: dict[Name, Phase] = {}
    """Passes over the samples, in this order."""
    readout: Readout | None = None
    """How spikes become decisions."""
    run: Run = Field(default_factory=lambda: Run.model_validate({}))
    """Duration, time step, seed, backend."""
    record: Record = Record()
    """What is kept."""
    sweep: dict[Path, list[Value]] | list[dict[Path, Value]] = {}
    """Values to be tried, by dotted path, with ``brainsim sweep``: a mapping of lists is a grid (every combination), a
    list of mappings is a list of points. ``brainsim run`` leaves it aside."""
