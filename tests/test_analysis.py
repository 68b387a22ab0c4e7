"""Numbers from spikes and weights, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainsim import analysis


def clock(size: int, period: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
    """Cells that fire every ``period`` seconds, each at its own phase; sorted by time."""
    times = np.concatenate([np.arange(k / size * period, stop, period) for k in range(size)])
    ids = np.concatenate([np.full(len(np.arange(k / size * period, stop, period)), k) for k in range(size)])
    order = np.argsort(times, kind="stable")
    return times[order], ids[order]


@pytest.mark.parametrize(("value", "expected"), [(0.03, 0.05), (1, 1), (1.01, 2), (6, 10), (0.2, 0.2), (99, 100)])
def test_nice_steps(value, expected):
    assert analysis.nice(value) == pytest.approx(expected)


@given(st.floats(1e-9, 1e9))
def test_nice_is_the_smallest_step_that_is_enough(value):
    step = analysis.nice(value)
    mantissa = step / 10.0 ** np.floor(np.log10(step) + 1e-9)
    assert min(abs(mantissa - m) for m in (1, 2, 5, 10)) < 1e-6
    assert value * (1 - 1e-6) <= step <= 2.5 * value * (1 + 1e-6)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_nice_refuses_what_has_no_step(value):
    with pytest.raises(ValueError):
        analysis.nice(value)


def test_mean_and_cell_rates():
    assert analysis.mean_rate(300, 10, 2.0) == 15.0
    assert np.isnan(analysis.mean_rate(3, 0, 1.0)) and np.isnan(analysis.mean_rate(3, 1, 0.0))
    np.testing.assert_allclose(analysis.cell_rates([0, 0, 2], 4, 0.5), [4, 0, 2, 0])


def test_binned_rates_of_a_clock():
    times, _ = clock(10, 0.1, 1.0)
    edges, rates = analysis.binned_rates(times, 10, 0.0, 1.0, 0.2)
    np.testing.assert_allclose(edges, [0, 0.2, 0.4, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(rates, 10.0)


def test_a_spike_on_an_edge_belongs_to_the_bin_that_starts_there():
    dt = 1e-4
    times = np.array([2000, 4000, 6000, 8000]) * dt  # 6000*1e-4 is 0.6000000000000001
    _, rates = analysis.binned_rates(times, 1, 0.0, 1.0, 0.2)
    np.testing.assert_allclose(rates, [0, 5, 5, 5, 5])


def test_the_last_bin_may_be_narrower_and_still_shows_a_rate():
    times = np.arange(0.005, 0.25, 0.01)  # 100 Hz
    edges, rates = analysis.binned_rates(times, 1, 0.0, 0.25, 0.1)
    np.testing.assert_allclose(edges, [0, 0.1, 0.2, 0.25])
    np.testing.assert_allclose(rates, 100.0)


@given(st.lists(st.floats(0, 0.999), max_size=50), st.floats(0.01, 0.5))
def test_bins_hold_every_spike_once(times, width):
    edges, rates = analysis.binned_rates(times, 2, 0.0, 1.0, width)
    assert (rates * np.diff(edges)).sum() * 2 == pytest.approx(len(times))


def test_binned_rates_of_nothing():
    with pytest.raises(ValueError):
        analysis.binned_rates([], 1, 1.0, 1.0, 0.1)


def test_cv_of_a_clock_is_0_and_of_a_poisson_process_1():
    cv = analysis.isi_cv(*clock(5, 0.01, 1.0), 6)
    np.testing.assert_allclose(cv[:5], 0, atol=1e-9)
    assert np.isnan(cv[5])
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.exponential(0.01, 40_000))
    assert analysis.isi_cv(times, np.zeros(40_000, int), 1)[0] == pytest.approx(1, abs=0.02)


def test_cv_closed_forms():
    # Intervals a, b, a, b, ...: sd = |a - b|/2, mean = (a + b)/2.
    times = np.concatenate([[0], np.cumsum(np.tile([0.01, 0.03], 50))])
    assert analysis.isi_cv(times, np.zeros(101, int), 1)[0] == pytest.approx(0.5)
    # A gamma process of order k has CV 1/sqrt(k).
    times = np.cumsum(np.random.default_rng(2).gamma(4, 0.01, 40_000))
    assert analysis.isi_cv(times, np.zeros(40_000, int), 1)[0] == pytest.approx(0.5, abs=0.01)


def test_cv_needs_enough_intervals_and_does_not_mix_cells():
    times, ids = [0, 1, 2, 3, 10, 10.5, 11.5], [0, 0, 0, 0, 1, 1, 1]
    cv = analysis.isi_cv(times, ids, 2)
    assert cv[0] == 0 and np.isnan(cv[1])
    assert analysis.isi_cv(times, ids, 2, least=2)[1] == pytest.approx(0.25 / 0.75)
    # The order in which spikes come does not matter.
    np.testing.assert_array_equal(analysis.isi_cv(times[::-1], ids[::-1], 2), cv)


def test_cells_outside_the_population_are_refused():
    with pytest.raises(ValueError, match="population of 2"):
        analysis.isi_cv([0.0], [2], 2)


def test_histograms_share_bins_and_hold_every_weight():
    found = analysis.weight_histogram(np.linspace(0, 2, 100), np.linspace(-1, 0, 50), bins=30)
    assert found.edges[0] == -1 and found.edges[-1] == 2 and len(found.edges) == 31
    assert found.after.sum() == 100 and found.before.sum() == 50
    assert found.before[12:].sum() == 0


def test_histogram_of_equal_weights_has_a_width():
    found = analysis.weight_histogram([0.3, 0.3, np.nan])
    assert found.edges[0] < 0.3 < found.edges[-1] and found.after.sum() == 2 and found.before is None


def test_receptive_fields_put_each_weight_where_its_source_is():
    source, target = np.array([0, 5, 5, 3]), np.array([0, 1, 1, 1])
    fields = analysis.receptive_fields(source, target, [1.0, 2.0, 0.5, -1.0], 3, (2, 3))
    assert fields.shape == (3, 2, 3)
    assert fields[0, 0, 0] == 1 and fields[1, 1, 2] == 2.5 and fields[1, 1, 0] == -1
    assert np.isfinite(fields).sum() == 3 and np.isnan(fields[2]).all()
    with pytest.raises(ValueError):
        analysis.receptive_fields([6], [0], [1.0], 1, (2, 3))


def test_tile_keeps_the_order_of_reading():
    fields = np.arange(3)[:, None, None] * np.ones((3, 2, 2))
    sheet = analysis.tile(fields, columns=2, gap=1)
    assert sheet.shape == (5, 5)
    assert sheet[0, 0] == 0 and sheet[0, 3] == 1 and sheet[3, 0] == 2
    assert np.isnan(sheet[2]).all() and np.isnan(sheet[:, 2]).all() and np.isnan(sheet[3:, 3:]).all()


def test_class_accuracy_counts_undecided_samples_as_wrong():
    accuracy = analysis.class_accuracy([[3, 1, 0], [0, 2, 2], [0, 0, 0]])
    np.testing.assert_allclose(accuracy[:2], [0.75, 0.5])
    assert np.isnan(accuracy[2])
    np.testing.assert_allclose(analysis.class_accuracy([[2, 0, 2], [0, 1, 0]]), [0.5, 1.0])


def test_wilson_interval():
    low, high = analysis.wilson(8, 10)  # the textbook case
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert analysis.wilson(0, 10)[0] == 0 and analysis.wilson(10, 10)[1] == pytest.approx(1)
    assert np.isnan(analysis.wilson(0, 0)).all()


@given(st.integers(1, 5000), st.integers(1, 200))
def test_evenly_spaced_members(size, count):
    members = analysis.evenly(size, count)
    assert len(members) == min(size, count) == len(set(members))
    assert members[0] == 0 and (count == 1 or members[-1] == size - 1)
    if len(members) > 2:
        assert np.ptp(np.diff(members)) <= 1


def test_a_raster_leaves_out_cells_and_never_single_spikes():
    times, ids = clock(50, 0.01, 1.0)
    rows = analysis.raster_rows(times, ids, 50, 0.2, 0.6, cells=40, points=500)
    assert len(rows.times) <= 500 and 5 <= len(rows.cells) < 40
    for rank, cell in enumerate(rows.cells):
        inside = times[(ids == cell) & (times >= 0.2) & (times <= 0.6)]
        np.testing.assert_array_equal(rows.times[rows.row == rank], inside)


def test_a_short_run_is_shown_whole_and_a_long_one_in_whole_trials():
    assert analysis.window(0.8, [1e6]) == (0.0, 0.8)
    assert analysis.window(8.0, [10.0]) == (0.0, 8.0)
    start, stop = analysis.window(700.0, [300.0], trial=0.35)
    assert stop == 700.0 and (stop - start) / 0.35 == pytest.approx(round((stop - start) / 0.35))
    assert (stop - start) * 300 <= 2500
    start, stop = analysis.window(100.0, [2000.0])
    assert stop == 100.0 and 0.1 <= stop - start <= 2500 / 2000
    assert analysis.window(0.0, []) == (0.0, 0.0)


def test_an_envelope_keeps_peaks():
    times = np.arange(0, 10, 1e-4)
    values = np.full(len(times), -65.0)
    values[[12_345, 77_777]] = 30.0
    values[50_001] = -90.0
    t, v = analysis.envelope(times, values, limit=200)
    assert len(t) <= 200 and (np.diff(t) > 0).all()
    assert (v == 30).sum() == 2 and (v == -90).sum() == 1
    assert times[12_345] in t
    np.testing.assert_array_equal(analysis.envelope(times[:50], values[:50])[1], values[:50])
