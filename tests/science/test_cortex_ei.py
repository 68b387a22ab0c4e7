"""cortex_ei: irregular, asynchronous firing at a few spikes a second, held down by inhibition, at any size."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["region cortex_ei"]


def rate(results, path: str = "exc", start: float = 0.1) -> float:
    """Mean rate in Hz after ``start``."""
    times, _ = results.spikes(path)
    return np.sum(times > start) / results.summary["populations"][path]["size"] / 0.4


def test_it_fires_irregularly_and_not_in_step(simulate):
    results = simulate("cortex_ei", set={"run.duration": "1 s"})
    times, cells = results.spikes("exc")
    times, cells = times[times > 0.1], cells[times > 0.1]
    assert len(times) / 400 / 0.9 == pytest.approx(
        8.4, abs=1.7
    )  # 8.4 Hz in the same network written for Brian2 by hand
    intervals = [np.diff(times[cells == cell]) for cell in range(400)]
    spread = np.mean([d.std() / d.mean() for d in intervals if len(d) >= 5])
    assert 0.6 < spread < 1.1
    counts = np.histogram(times, np.arange(0.1, 1.0, 1e-3))[0]
    assert counts.var() / counts.mean() < 10  # population bursts of all 400 cells would give hundreds


def test_inhibition_holds_it_down(simulate):
    assert rate(simulate("cortex_ei", set={"g_inh": "0 nS"})) > 50


def test_more_input_means_more_spikes_and_none_means_silence(simulate):
    assert rate(simulate("cortex_ei", set={"rate": "15 Hz"})) > 1.3 * rate(simulate("cortex_ei"))
    assert rate(simulate("cortex_ei", set={"rate": "0 Hz"})) < 0.1


def test_the_rate_does_not_depend_on_the_size(simulate):
    twice = simulate("cortex_ei", set={"n_exc": 800, "n_inh": 200, "n_drive": 400})
    assert rate(twice) == pytest.approx(rate(simulate("cortex_ei")), rel=0.25)
