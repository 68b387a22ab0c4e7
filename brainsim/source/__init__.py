"""A guarded reader of YAML: plain data with a file, line and column for every key and value.

Nothing is built before the event stream has passed the limits, so that a hostile file ends in a
:class:`~brainsim.errors.FileError` at once. Scalars follow YAML 1.2 (``no`` is text, ``010`` is ten, ``1e-3`` a
number); tags, directives, merge keys and duplicate keys are refused.
"""

from brainsim.source.files import read, within
from brainsim.source.reader import MAX_ALIASES, MAX_DEPTH, MAX_NODES, parse
from brainsim.source.scalars import scalar
from brainsim.source.text import MAX_BYTES
from brainsim.source.tree import KINDS, Path_, Tree, identify

__all__ = [
    "KINDS",
    "MAX_ALIASES",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "Path_",
    "Tree",
    "identify",
    "parse",
    "read",
    "scalar",
    "within",
]
