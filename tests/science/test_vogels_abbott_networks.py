"""cuba, coba: rates against the same networks written for Brian2 by hand, and the numbers of the benchmarks.

The hand-written programs, in the benchmarks' own units (CUBA in volts), gave between 0.2 s and 1 s with seeds 1, 2, 3:

    CUBA  exc 5.53 5.45 6.22 Hz   inh 5.60 5.52 5.73 Hz   CV 0.49 0.50 0.51
    COBA  exc 18.5 18.0 18.1 Hz   inh 18.9 18.8 18.6 Hz   CV 1.60 1.57 1.58

Both fire asynchronously: counts of all cells in 1 ms vary little more than those of independent cells would.
"""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["region cuba", "region coba"]


def activity(results, start: float, stop: float) -> tuple[float, float, float]:
    """Rate of excitatory and inhibitory cells in Hz, and mean CV of the intervals of excitatory cells."""
    rates = {}
    for path, size in (("exc", 3200), ("inh", 800)):
        times, _ = results.spikes(path)
        rates[path] = np.sum((times > start) & (times <= stop)) / size / (stop - start)
    times, cells = results.spikes("exc")
    kept = times > start
    order = np.argsort(cells[kept], kind="stable")
    trains = np.split(times[kept][order], np.cumsum(np.bincount(cells[kept], minlength=3200))[:-1])
    spreads = [np.std(d) / np.mean(d) for d in map(np.diff, trains) if len(d) >= 5]
    return rates["exc"], rates["inh"], float(np.mean(spreads))


def synchrony(results) -> float:
    """Variance over mean of the number of excitatory spikes in 1 ms: 1 for independent cells, 3200 for all at once."""
    times, _ = results.spikes("exc")
    counts = np.histogram(times, np.arange(0.2, 1.0005, 1e-3))[0]
    return float(counts.var() / counts.mean())


def test_cuba_keeps_itself_going_at_the_benchmarks_rate(simulate):
    results = simulate("cuba")
    exc, inh, spread = activity(results, 0.2, 1.0)
    assert 1.2 < synchrony(results) < 3  # 1.8 to 1.9 with seeds 1 to 3
    assert exc == pytest.approx(5.7, abs=0.65)
    assert inh == pytest.approx(5.6, abs=0.65)
    assert 0.42 < spread < 0.58


def test_coba_is_kicked_awake_and_stays_irregular(simulate):
    results = simulate("coba")
    exc, inh, spread = activity(results, 0.2, 1.0)
    assert 2 < synchrony(results) < 6  # 3.4 to 3.7 with seeds 1 to 3
    assert exc == pytest.approx(18.2, abs=1.5)
    assert inh == pytest.approx(18.8, abs=1.5)
    assert 1.45 < spread < 1.7


def test_coba_is_silent_without_the_kick(simulate):
    times, _ = simulate("coba", set={"stimuli.start.pulse.value": "0 Hz", "run.duration": "100 ms"}).spikes("exc")
    assert len(times) == 0


@pytest.mark.parametrize(
    ("network", "excitation", "inhibition"),
    [
        ("cuba", {"J": 0.27e-9 * 60e-3}, {"J": -4.5e-9 * 20e-3}),
        ("coba", {"g_max": 6e-9}, {"g_max": 67e-9}),
    ],
)
def test_weights_and_sparseness_are_those_of_the_benchmarks(make_plan, network, excitation, inhibition):
    """Brette et al. (2007): 3200 + 800 cells, p = 0.02; 6 and 67 nS, or 0.27 and 4.5 nS times the driving force."""
    plan = make_plan(network)
    for connection in plan.connections:
        if connection.path == "kick_to_exc":
            continue
        wanted = excitation if connection.path.startswith("exc") else inhibition
        constants = {constant.name: constant.value.value for constant in connection.constants}
        for name, value in wanted.items():
            assert constants[name] == pytest.approx(value)
        assert connection.wiring.options["p"] == pytest.approx(0.02)
    assert {group.path: group.size for group in plan.groups if group.path != "kick"} == {"exc": 3200, "inh": 800}
