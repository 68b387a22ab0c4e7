"""How weights change."""

from __future__ import annotations

from brainsim.spec.fields import Cite, Code, Event, Every, Method, Name, OnEvents, Spec, Value


class Needs(Spec):
    """Variables a rule expects in the cells it joins."""

    pre: list[Name] = []
    """Variables of the sending cell."""
    post: list[Name] = []
    """Variables of the receiving cell."""


class Addition(Spec):
    """What a rule adds to a cell it joins; equal additions merge."""

    equations: Code = ""
    """Brian2 equations of the cell."""
    events: dict[Name, Event] = {}
    """Named events of the cell."""
    on_spike: Code = ""
    """What a spike does to its cell, after the cell's own reset."""
    every: list[Every] = []
    """Code that runs on the cell at fixed times."""
    initial: dict[Name, Value] = {}
    """Initial values of the added variables."""


class Plasticity(Spec):
    """A plasticity file: the first line is ``plasticity: NAME``."""

    plasticity: Name
    """Name of the rule; the file has the same name."""
    extends: Name | None = None
    """Parent rule."""
    about: str = ""
    """One sentence that says what it is."""
    cite: Cite = []
    """Where it comes from."""
    needs: Needs = Needs()
    """What must be there for the rule to work: brought by cells or by other projections."""
    functions: list[Name] = []
    """Functions beyond Brian2's that its code calls, from the list brainsim has."""
    parameters: dict[Name, Value] = {}
    """Name -> value with unit."""
    equations: Code = ""
    """Brian2 equations of the synapse."""
    on_pre: OnEvents = ""
    """What the arrival of a presynaptic event does, after transmission."""
    on_post: OnEvents = ""
    """What a postsynaptic event does."""
    every: list[Every] = []
    """Code that runs on all synapses at fixed times."""
    initial: dict[Name, Value] = {}
    """Variable -> initial value."""
    pre: Addition = Addition()
    """What it adds to the sending cell."""
    post: Addition = Addition()
    """What it adds to the receiving cell."""
    method: Method | None = None
    """Integration method of the rule's own equations."""
