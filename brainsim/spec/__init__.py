"""The five kinds of file, as frozen pydantic models. Knows no task and no Brian2."""

from brainsim.spec.experiment import Experiment
from brainsim.spec.fields import Spec
from brainsim.spec.neuron import Neuron
from brainsim.spec.plasticity import Plasticity
from brainsim.spec.region import Region
from brainsim.spec.synapse import Synapse

#: Kind of file -> its model, in the order in which they build on each other.
KINDS: dict[str, type[Spec]] = {
    "neuron": Neuron,
    "synapse": Synapse,
    "plasticity": Plasticity,
    "region": Region,
    "experiment": Experiment,
}

__all__ = ["KINDS", "Experiment", "Neuron", "Plasticity", "Region", "Synapse"]
