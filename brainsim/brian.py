"""Brian2, imported so that nothing in the user's folder is run. The only module that imports it.

``import brian2`` reads ``~/.brian/user_preferences`` and then ``brian_preferences`` in the working folder,
evaluating what stands there as Python. The second may come with somebody's model, so the import happens
in an empty folder of our own. It also takes over Ctrl-C, uncaught exceptions and Python's warnings, writes
a log file and copies the running script; all of that is declined here.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from brainsim.errors import Problem, SetupError

_OURS = "logging.file_log = False\nlogging.save_script = False\n"
_lock = threading.Lock()
_notes: list[str] = []


def load() -> ModuleType:
    """The module ``brian2``. Raises :class:`SetupError` where it is not installed."""
    with _lock:
        module = sys.modules.get("brian2")
        if module is None:
            module = _import()
        return module


def notes() -> tuple[str, ...]:
    """What the user should know about how Brian2 was loaded."""
    return tuple(_notes)


def _import() -> ModuleType:
    try:
        here: str | None = os.getcwd()
    except OSError:  # the folder is gone
        here = None
    if here and os.path.lexists(os.path.join(here, "brian_preferences")):
        _notes.append("The file brian_preferences in the working folder was not read: it would run as code.")
    hook, interrupt = sys.excepthook, signal.getsignal(signal.SIGINT)
    shown = warnings.showwarning
    with tempfile.TemporaryDirectory(prefix="brainsim-import-") as empty:
        Path(empty, "brian_preferences").write_text(_OURS)
        os.chdir(empty)
        try:
            module = importlib.import_module("brian2")
        except ImportError as error:
            raise SetupError(
                Problem("backend", f"Brian2 cannot be imported: {error}", hint="pip install brian2")
            ) from error
        finally:
            os.chdir(here or tempfile.gettempdir())
            sys.excepthook = hook
            with contextlib.suppress(ValueError, TypeError):  # not the main thread; or a handler set in C
                signal.signal(signal.SIGINT, interrupt)
    # An error leaves objects that were never run; that is no news.
    module.BrianLogger.suppress_name("unused_brian_object")
    logging.captureWarnings(False)
    warnings.showwarning = shown
    _detach(logging.getLogger("py.warnings"))
    return module


def _detach(logger: logging.Logger) -> None:
    for handler in list(logger.handlers):
        logger.removeHandler(handler)


class _Collector(logging.Handler):
    def __init__(self, found: list[str]):
        super().__init__(logging.WARNING)
        self.found = found

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        if record.name.endswith("unused_brian_object"):  # left by an error or an interrupt
            return
        if text not in self.found and not _is_maximum(text):
            self.found.append(text)


def _is_maximum(warning: str) -> bool:
    """Whether Brian2 warns of an order that cannot matter: ``best = clip(mine, best, 1000)`` keeps the largest."""
    code = re.search(r"may not be well-defined.*Abstract code: '(.*)'$", warning)
    return code is not None and bool(re.fullmatch(r"(\w+) = clip\(\w+, \1, [\d.e+]+\)", code[1]))


@contextlib.contextmanager
def quiet() -> Iterator[list[str]]:
    """Brian2 prints nothing inside; its warnings are collected in the list that is yielded."""
    load()
    logger = logging.getLogger("brian2")
    found: list[str] = []
    collector, before = _Collector(found), list(logger.handlers)
    _detach(logger)
    logger.addHandler(collector)
    try:
        yield found
    finally:
        logger.removeHandler(collector)
        for handler in before:
            logger.addHandler(handler)


@contextlib.contextmanager
def preferences(**values: Any) -> Iterator[None]:
    """Set Brian2 preferences (``__`` for a dot) and put back what was there before."""
    prefs = load().prefs
    names = {name.replace("__", "."): value for name, value in values.items()}
    before = {name: prefs[name] for name in names}
    try:
        for name, value in names.items():
            prefs[name] = value
        yield
    finally:
        for name, value in before.items():
            prefs[name] = value


@contextlib.contextmanager
def device(name: str, **options: Any) -> Iterator[Any]:
    """Brian2's device ``name`` inside; afterwards the one before, and the default clock as it was."""
    brian2 = load()
    devices = importlib.import_module("brian2.devices.device")
    brian2.set_device(name, **options)
    dt = brian2.defaultclock.dt
    active = devices.get_device()
    try:
        yield active
    finally:
        if name != "runtime":
            active.reinit()  # else its arrays live on, and the next run could not start
            active.activate()
        brian2.defaultclock.dt = dt  # Brian2 hands it on to the device it goes back to
        devices.reset_device()


@contextlib.contextmanager
def own_clock() -> Iterator[None]:
    """What is made inside gets a default clock of its own, which later networks of the device do not change."""
    brian2 = load()
    active = brian2.get_device()
    before = active.defaultclock
    active.defaultclock = brian2.Clock(dt=before.dt, name="defaultclock")
    try:
        yield
    finally:
        active.defaultclock = before


class Interrupt:
    """Ctrl-C inside the ``with``: a running network ends its step and stops, anything else is interrupted.

    Python drops an interrupt that falls into a destructor; :meth:`check` raises it later.
    """

    def __init__(self) -> None:
        self.asked = False
        self.network = load().Network

    def __enter__(self) -> Interrupt:
        self.main = threading.current_thread() is threading.main_thread()
        if self.main:
            self.before = signal.signal(signal.SIGINT, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        if self.main:
            signal.signal(signal.SIGINT, self.before)

    def _stop(self, number: int, frame: Any) -> None:
        second, self.asked = self.asked, True
        if second or not self.network._globally_running:
            raise KeyboardInterrupt
        self.network._globally_stopped = True

    def check(self) -> None:
        """Raise ``KeyboardInterrupt`` if Ctrl-C was pressed before."""
        if self.asked:
            raise KeyboardInterrupt
