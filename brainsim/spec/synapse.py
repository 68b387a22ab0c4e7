"""What one synapse is."""

from __future__ import annotations

from brainsim.spec.fields import Cite, Code, Every, Method, Name, OnEvents, Spec, Value


class Post(Spec):
    """What a synapse adds to the cell it lands on."""

    equations: Code = ""
    """Brian2 equations of the cell."""
    current: Name | None = None
    """The variable among them that joins the cell's ``I_syn`` (or the port of the projection)."""
    initial: dict[Name, Value] = {}
    """Initial values of these variables."""


class Synapse(Spec):
    """A synapse file: the first line is ``synapse: NAME``."""

    synapse: Name
    """Name of the synapse; the file has the same name."""
    extends: Name | None = None
    """Parent synapse."""
    about: str = ""
    """One sentence that says what it is."""
    cite: Cite = []
    """Where it comes from."""
    parameters: dict[Name, Value] = {}
    """Name -> value with unit."""
    equations: Code = ""
    """Brian2 equations of the synapse itself."""
    on_pre: OnEvents = ""
    """What an event of the sending cell does."""
    on_post: OnEvents = ""
    """What an event of the receiving cell does."""
    every: list[Every] = []
    """Code that runs on all synapses at fixed times."""
    initial: dict[Name, Value] = {}
    """Variable -> initial value of the synapse."""
    post: Post = Post()
    """What it adds to the receiving cell."""
    method: Method | None = None
    """Integration method of the synapse's own equations."""
