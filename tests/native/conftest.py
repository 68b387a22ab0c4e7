import os

import brian2
import pytest
from brian2.devices.device import previous_devices, reset_device, set_device

import brainsim.native
from brainsim.backends.native import outdated
from brainsim.native import threads

#: The device goes with one minor release of Brian2; on another Python there may be a newer one.
collect_ignore_glob = ["test_*.py"] if outdated() else []


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Libraries of these tests go to a folder of their own."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    patch.setenv("BRAINSIM_NATIVE_FLAGS", "-O1")
    if "BRAINSIM_NATIVE_THREADS" in os.environ:  # then everything is shared that can be
        patch.setattr(threads, "PIECE", 8)
    yield
    patch.undo()


@pytest.fixture
def as_asked(monkeypatch):
    """For tests of the rewrites they ask for, whatever the environment wants of all."""
    monkeypatch.delenv("BRAINSIM_NATIVE_REWRITES", raising=False)


@pytest.fixture
def one_thread(monkeypatch):
    """For tests of what is not done with threads."""
    monkeypatch.delenv("BRAINSIM_NATIVE_THREADS", raising=False)


@pytest.fixture
def native():
    """The native device, set, and Brian2's own one after the test."""
    target = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    set_device("native")
    brian2.defaultclock.dt = 0.1 * brian2.ms
    yield brainsim.native.native_device
    reset_device("runtime")
    previous_devices.clear()
    brian2.prefs.codegen.target = target


@pytest.fixture
def on_numpy():
    """Run a function on Brian2's runtime device."""

    def call(function, *args, **kwds):
        target = brian2.prefs.codegen.target
        brian2.prefs.codegen.target = "numpy"
        set_device("runtime")
        brian2.defaultclock.dt = 0.1 * brian2.ms
        try:
            return function(*args, **kwds)
        finally:
            reset_device()
            brian2.prefs.codegen.target = target

    return call


@pytest.fixture
def shared(as_asked, one_thread, native, monkeypatch):
    """The device, with everything shared that can be: also what has few cells, and takes no time."""
    monkeypatch.setattr(threads, "PIECE", 16)  # the most elements that a vector takes
    brian2.seed(1)
    yield native
    native.threads = 1
