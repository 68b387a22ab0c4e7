"""Large arrays of pairs as synapses, in little memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2.synapses.synapses import Synapses

from brainsim.native import arrays
from brainsim.native.arrays import pieces


def connect(device: Any, synapses: Synapses, i: Any, j: Any) -> bool:
    """Make one synapse of each pair ``(i, j)``, as Brian2 does; False if that is not for us.

    It is for us where these are the first synapses, and so many that Brian2's copies of the pairs matter.
    """
    ends = (i, synapses.source, "pre", "outgoing"), (j, synapses.target, "post", "incoming")
    if not all(isinstance(cells, np.ndarray) and cells.ndim == 1 and cells.dtype.kind == "i" for cells, *_ in ends):
        return False
    if len(i) != len(j) or len(i) < arrays.PACKED_FROM or len(synapses) or synapses.multisynaptic_index is not None:
        return False
    if any(int(cells.min()) < 0 or int(cells.max()) >= len(group) for cells, group, *_ in ends):
        return False  # Brian2 has words for it
    synapses._connect_called = True
    for cells, _, side, way in ends:
        first = int(synapses.variables["_source_offset" if side == "pre" else "_target_offset"].get_value())
        device.arrays[synapses.variables[f"_synaptic_{side}"]].fill(cells, first)
        count = synapses.variables[f"N_{way}"]
        count.resize(synapses.variables[f"N_{side}"].item() + first)
        for piece in pieces(len(cells)):
            count.get_value()[first:] += np.bincount(cells[piece], minlength=len(count.get_value()) - first)
    synapses._resize(len(i))
    return True
