"""Many runs of one experiment: points, workers, one table."""

from brainsim.sweeps.folder import Sweep, sweep

__all__ = ["Sweep", "sweep"]
