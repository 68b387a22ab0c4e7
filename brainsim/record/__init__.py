"""Results on disk, in the layout of SONATA, written so that a crash costs seconds and never the run.

While a run lasts, what was recorded goes into small files of its own (segments): each is written under another
name, synced, renamed and only then listed in a manifest, which is replaced the same way. What the manifest lists
is therefore whole, whatever happens (HDF5 files that are written in place are unreadable after a SIGKILL). At the
end the segments become one ``results.h5``.
"""

from brainsim.record.disk import write_atomically
from brainsim.record.merging import merge, recover
from brainsim.record.reader import BUDGET, NotRecorded, Reader
from brainsim.record.recorder import Recorder
from brainsim.record.segments import listed

__all__ = ["BUDGET", "NotRecorded", "Reader", "Recorder", "listed", "merge", "recover", "write_atomically"]
