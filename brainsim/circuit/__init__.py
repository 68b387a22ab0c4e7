"""One graph of populations, projections and links out of nested regions."""

from brainsim.circuit.build import build, wrap
from brainsim.circuit.model import Circuit, Ends, Link, Part, Population, Projection

__all__ = ["Circuit", "Ends", "Link", "Part", "Population", "Projection", "build", "wrap"]
