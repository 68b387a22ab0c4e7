"""Rewrites: what compiled code may do otherwise than Brian2's statements say, one module for each.

A module says when it is legal, raises or returns the reason when it is not, and makes the other code. Each can be
switched off: ``set_device("native", rewrites="-vectors,-exp")``, a mapping like ``{"exp": False}``, or the same text
in ``BRAINSIM_NATIVE_REWRITES``, which wins. ``none`` and ``all`` stand for all of them, ``exact`` for those whose
results are numpy's to the last bit. ``device.explain()`` says what was taken where, and why not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Name: what is done. The modules say when.
REWRITES = {
    "vectors": "loops over cells take several at a time, as many as fill a register",
    "fuse": "state update and threshold are one loop",
    "release": "refractory cells stand in a queue, so that times of spikes are read for those that leave it",
    "refractory": "refractory cells are found by one comparison of times",
    "exp": "exponentials are computed eight at a time, by our own function",
    "targets": "the cells that spikes reach are read in the order of arrival, in 16 bits if possible",
    "counts": "where every spike brings the same, the spikes that reach a cell are counted and added at once",
    "bitmaps": "the cells that counted spikes reach are read from bitmaps, 512 at a time",
    "carried": "spikes that are counted carry the cells that they reach along",
    "guards": "spikes are delivered to all cells, and refractory ones get their values back",
    "matrix": "the spikes that all-to-all connections bring in a step are taken together, eight synapses at a time",
    "unchanged": "rows of synapses whose change is zero are left as they are",
    "rows": "the synapses that a spike reaches are taken eight at a time",
    "blocks": "spikes are delivered to a part of the cells at a time, which stay in the cache",
    "traces": "what all synapses of a cell have in common is kept once, for the cell",
    "ordered": "values of synapses are read from a copy in the order of arrival",
    "binomial": "PoissonInput draws its numbers from a table",
}
#: Those after which the last bits of a result may differ from numpy's.
ROUNDING = frozenset({"exp", "traces", "counts"})


def chosen(option: str | Mapping[str, bool] | None = None) -> frozenset[str]:
    """The names of the rewrites that may be used.

    Parameters
    ----------
    option
        What :func:`brian2.set_device` was given; the environment variable goes on from there.

    Raises
    ------
    ValueError
        There is no rewrite of that name.
    """
    if isinstance(option, Mapping):
        option = ",".join(f"{'' if wanted else '-'}{name}" for name, wanted in option.items())
    names = set(REWRITES)
    for word in f"{option or ''},{os.environ.get('BRAINSIM_NATIVE_REWRITES', '')}".replace(" ", "").split(","):
        name = word.removeprefix("-")
        group = {"": set(), "all": set(REWRITES), "none": set(REWRITES), "exact": set(ROUNDING)}.get(name, {name})
        if not group <= set(REWRITES):
            raise ValueError(f"There is no rewrite '{name}': there are {', '.join(REWRITES)}, all, none and exact.")
        names = names - group if word.startswith("-") or name in ("none", "exact") else names | group
    return frozenset(names)


@dataclass
class Draft:
    """What is noted while the code of an object is made."""

    rewrites: frozenset[str]  # that may be used
    names: dict[Any, str] = field(default_factory=dict)  # of the arrays in the text
    no_release: str | None = None  # why refractory cells cannot stand in a queue, see refractory.py
    kept: frozenset[str] = frozenset()  # variables of synapses that cells keep, see traces.py
    written: set[Any] = field(default_factory=set)  # variables that its statements write
    access: Any = None  # what it reaches, see threads.py
    notes: dict[str, str | None] = field(default_factory=dict)  # rewrite: None if taken, or the reason why not


def rewritten(generator: Any, scalar: dict[str, Any], vector: dict[str, Any], draft: Draft) -> dict[str, Any]:
    """What the templates need of the rewrites for the code that is being made, by the name of the rewrite."""
    from brainsim.native.rewrites import delivery, matrix, vectors
    from brainsim.native.rewrites.expressions import NotLegal

    found: dict[str, Any] = {}
    if generator.template_name in vectors.TEMPLATES:
        try:
            if vectors.NAME not in draft.rewrites:
                raise NotLegal("switched off")
            ((name, block),) = vector.items()
            places, before = vectors.cells(generator, block)
            found["vectors"] = vectors.loop(generator, scalar[name], block, draft.rewrites, places)
            found["vectors"].before[:0] = before
            draft.notes.update(dict.fromkeys([vectors.NAME, *sorted(found["vectors"].used)]))
        except NotLegal as reason:
            draft.notes[vectors.NAME] = str(reason)
    if generator.reader is not None:
        (name,) = {*vector} - {"spike"}
        before = scalar[name] + vector.get("spike", [])
        found["delivery"], notes = delivery.rewrite(generator, before, vector[name], draft.rewrites)
        draft.notes.update(notes)
        try:
            if matrix.MATRIX not in draft.rewrites:
                raise NotLegal("switched off")
            if len(vector) > 1:
                raise NotLegal("traces are kept by cells")
            found["matrix"] = matrix.rewrite(generator, scalar[name], vector[name], draft.rewrites)
            found["delivery"].changes = []
            for other in (delivery.ROWS, delivery.GUARDS, delivery.COUNTS, delivery.BITMAPS, delivery.CARRIED):
                draft.notes.pop(other, None)
            draft.notes.update(dict.fromkeys([matrix.MATRIX, *sorted(found["matrix"].used)]))
        except NotLegal as reason:
            draft.notes[matrix.MATRIX] = str(reason)
    return found
