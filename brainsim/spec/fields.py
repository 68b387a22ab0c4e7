"""Shapes that several kinds of file share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

#: A name: letters, digits, underscores, not starting with a digit or an underscore.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=60)]
#: A dotted path: ``striatum.d1``; with a slice where cells are meant: ``cortex.exc[0:80]``.
Path = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][\w.]*(\[\s*\d*\s*:\s*\d*\s*\])?$", max_length=300)]
#: ``20 ms``, ``0.5 nS``, ``3``; in regions and experiments also an expression over parameters.
Value = bool | int | float | str
#: Brian2 code.
Code = Annotated[str, StringConstraints(max_length=100_000)]
#: A part by name, by ``{name: ..., parameters: {...}}``, or its whole content in place.
PartUse = str | dict[str, Any]
#: Brian2's integration methods.
Method = Literal["exact", "linear", "independent", "exponential_euler", "euler", "rk2", "rk4", "heun", "milstein"]
Slot = Annotated[str, StringConstraints(pattern=r"^(before_|after_)?(start|groups|thresholds|synapses|resets|end)$")]


class Spec(BaseModel):
    """Base of every spec: frozen, and unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        populate_by_name=True,
        coerce_numbers_to_str=True,  # a unit ``1`` or the code ``0`` is text here, a number to YAML
    )


class Every(Spec):
    """Code that runs at fixed times."""

    each: str
    """``dt``, ``trial_start``, or the name of a parameter that is a time."""
    code: Code
    """Brian2 code, run on every member."""
    when: Slot = "start"
    """Slot of the time step in which it runs."""
    order: int = 0
    """Order within the slot."""


class Event(Spec):
    """A named event of a cell, as Brian2's custom events."""

    condition: Code = Field(alias="if")
    """The event happens in each step in which this is true."""
    when: Slot = "thresholds"
    """Slot in which the condition is tested."""
    order: int = 0
    """Order within the slot."""
    code: Code = ""
    """What happens to the cells that have the event."""


class OnEvent(Spec):
    """What a synapse does when an event arrives."""

    code: Code
    """Brian2 code, run on the synapses of the cells that had the event."""
    delay: Value | None = None
    """Time from the event to the code: a time, or a parameter that is one."""
    when: Slot = "synapses"
    """Slot of the time step in which it runs."""
    order: int | None = None
    """Order within the slot; by default transmission (-1) comes before learning on a post spike (1)."""
    if_has: str | None = None
    """``pre.feedback``: left out where that cell has no such variable."""


#: Code, or event -> code or :class:`OnEvent`. Bare code means the event ``spike``.
OnEvents = Code | dict[Name, Code | OnEvent]

Cite = list[str]
Kind = Literal["neuron", "synapse", "plasticity", "region", "experiment"]
