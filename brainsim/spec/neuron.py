"""What one cell is."""

from __future__ import annotations

from brainsim.spec.fields import Cite, Code, Event, Every, Method, Name, Spec, Value


class Neuron(Spec):
    """A neuron file: the first line is ``neuron: NAME``."""

    neuron: Name
    """Name of the cell; the file has the same name."""
    extends: Name | None = None
    """Parent neuron: mappings merge key by key, equations variable by variable, the rest is replaced."""
    about: str = ""
    """One sentence that says what it is."""
    cite: Cite = []
    """Where it comes from."""
    parameters: dict[Name, Value] = {}
    """Name -> value with unit. A parameter that also stands under ``initial`` becomes a value per cell."""
    inputs: dict[Name, str] = {}
    """Name -> unit (``Hz``, ``1``) of what an experiment, a stimulus or a trial fills in."""
    ports: list[Name] | dict[Name, Name] = []
    """Further currents beside ``I_syn`` that projections may target: ``[I_dend]``, or ``{I_dend: v_d}`` if synapses
    that land there see the potential ``v_d`` where they say ``v``."""
    equations: Code = ""
    """Brian2 equations."""
    threshold: Code = ""
    """Condition of a spike."""
    reset: Code | None = None
    """What a spike does to its cell; ``""`` says that it does nothing."""
    refractory: Code = ""
    """Refractory period: a parameter, a time in code (``2*ms``), or a condition."""
    method: Method | None = None
    """Integration method, as Brian2 names them."""
    events: dict[Name, Event] = {}
    """Named events beside the spike."""
    every: list[Every] = []
    """Code that runs at fixed times."""
    initial: dict[Name, Value] = {}
    """Variable -> initial value: a value, or code that may use ``rand()``, ``randn()``, ``i``, ``N``."""
