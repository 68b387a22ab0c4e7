"""What is shown while a run lasts."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from brainsim.cli.console import _console, tell

_PATIENCE = 1.0  # seconds before anything is shown
_PLAIN_EVERY = 10.0  # seconds between lines when stderr is no terminal


def duration(seconds: float) -> str:
    """``1:02:03``, ``2:03``, ``45 s``, ``3.2 s``."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"
    return f"{minutes // 60}:{minutes % 60:02d} h"


def rates_text(rates: Mapping[str, float], most: int = 3) -> str:
    """``exc 4.2 Hz, inh 9.8 Hz``; the first few populations."""
    return ", ".join(f"{path} {rate:.3g} Hz" for path, rate in list(rates.items())[:most])


class Progress:
    """Called by the backends with model time, its total and rates; a bar on a terminal, else a line now and then.

    Nothing appears in the first second, so a short run stays quiet.
    """

    def __init__(self, name: str):
        self.name = name
        self.began = self.said = time.monotonic()
        self.ran: float | None = None  # when model time began to move: building is no part of the estimate
        self.bar: Any = None
        self.task: Any = None
        self.lock = threading.Lock()
        self.timer: threading.Timer | None = None
        self.terminal = _console(True).is_terminal
        self.words = ""  # about the last round
        self.room = 0  # columns for the note, right of the bar

    def __enter__(self) -> Progress:
        if self.terminal:
            # The bar starts by itself, so that a long compilation is not a dead terminal.
            self.timer = threading.Timer(_PATIENCE, self._open)
            self.timer.daemon = True
            self.timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.timer:
            self.timer.cancel()
        with self.lock:
            self.terminal = False
            if self.bar:
                self.bar.stop()

    def __call__(self, model_time: float, total: float, rates: Mapping[str, float]) -> None:
        now = time.monotonic()
        if self.ran is None and model_time > 0:
            self.ran = now
            self.first = model_time
        if self.bar:
            note = self._note(model_time, total, rates)[: self.room]
            self.bar.update(self.task, total=total, completed=model_time, note=note)
        elif not self.terminal and now - self.said >= _PLAIN_EVERY:
            self.said = now
            tell(f"{self.name}: {self._note(model_time, total, rates)}")

    def told(self, words: str) -> None:
        """A round is over."""
        self.words = words

    def phase(self, what: str) -> None:
        """Something without model time, such as writing the report."""
        if self.bar:
            self.bar.update(self.task, note=what)

    def _note(self, model_time: float, total: float, rates: Mapping[str, float]) -> str:
        words = [f"{model_time:.4g} of {total:.4g} s model time"]
        gone = time.monotonic() - (self.ran or self.began)
        if self.ran and model_time > self.first and gone > 0.5:
            words.append(f"{duration(gone * (total - model_time) / (model_time - self.first))} left")
        if self.words:
            words.insert(0, self.words)
        elif rates:
            words.append(rates_text(rates))
        return ", ".join(words)

    def _open(self) -> None:
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        with self.lock:
            if not self.terminal:  # the run ended meanwhile
                return
            console = _console(True)
            wide = max(8, console.width // 5)
            self.room = max(0, console.width - wide - len(self.name) - 2)
            bar = Bar(
                TextColumn("{task.fields[name]}", markup=False),
                BarColumn(bar_width=wide, pulse_style="dim"),
                TextColumn("{task.fields[note]}", markup=False),
                console=console,
                transient=True,
                refresh_per_second=4,
            )
            self.task = bar.add_task("", total=None, name=self.name, note="building")
            bar.start()
            self.bar = bar


class Steps:
    """Called with how many of many things are done; a bar on a terminal, else a line now and then."""

    def __init__(self, name: str, what: str):
        self.name, self.what = name, what
        self.began = self.said = time.monotonic()
        self.before: int | None = None  # done before we began
        self.bar: Any = None

    def __enter__(self) -> Steps:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar:
            self.bar.stop()

    def __call__(self, done: int, total: int, failed: int) -> None:
        if self.before is None:
            self.before = done
            if _console(True).is_terminal:
                self._open(total)
        words = f"{done} of {total} {self.what}" + (f", {failed} failed" if failed else "")
        if done > self.before and done < total:
            left = (time.monotonic() - self.began) * (total - done) / (done - self.before)
            words += f", {duration(left)} left"
        if self.bar:
            self.bar.update(self.task, completed=done, note=words)
        elif time.monotonic() - self.said >= _PLAIN_EVERY:
            self.said = time.monotonic()
            tell(f"{self.name}: {words}")

    def _open(self, total: int) -> None:
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(), TextColumn("{task.fields[note]}", markup=False))
        self.bar = Bar(*columns, console=_console(True), transient=True)
        self.task = self.bar.add_task("", total=total, note="")
        self.bar.start()
