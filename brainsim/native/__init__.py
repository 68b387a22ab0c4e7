"""A Brian2 device that compiles networks into this process.

>>> import brainsim.native  # doctest: +SKIP
>>> set_device("native")  # doctest: +SKIP

The rest of the script is plain Brian2. See docs/native.md for what this device adds.
"""

from brainsim.native.build import BuildError, cache_folder, clear_cache
from brainsim.native.device import NativeDevice, native_device
from brainsim.native.simulate import Progress, simulate

__all__ = ["BuildError", "NativeDevice", "Progress", "cache_folder", "clear_cache", "native_device", "simulate"]
