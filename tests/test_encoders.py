"""Encoders against closed forms, and each read back by what stands beside it."""

import numpy as np
import pytest

from brainsim import encoders
from brainsim.encoders import NEVER, Spikes, next_spike
from brainsim.units import parse_unit

X = np.array([[0.0, 0.1, 0.35, 0.5], [0.75, 1.0, 0.004, 0.9]])

#: Encoder -> parameters, what the run gives, and how far off a value may be that was read back.
ROUND_TRIPS = {
    "rate": ({"r_max": 80.0, "r_min": 5.0}, {}, 1e-12),
    "constant_current": ({"I_max": 3e-10, "I_min": -1e-10}, {}, 1e-12),
    "population": ({"m": 6, "beta": 1.5}, {}, 1e-9),
    "regular": ({"r_max": 60.0, "r_min": 20.0}, {"duration": 0.35}, 1e-12),
    "latency": ({"t_max": 0.1, "t_min": 0.01}, {}, 1e-12),
    "phase": ({"slot": 1e-3, "bits": 8}, {"duration": 0.02}, 0.5 / 255 + 1e-12),
    "burst": ({"t_max": 0.05, "t_min": 0.002, "n_max": 5}, {}, 0.1 + 1e-12),
}


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_what_is_encoded_can_be_read_back(name):
    parameters, given, error = ROUND_TRIPS[name]
    encoder = encoders.ENCODERS[name]
    made = encoder.call(X, **parameters, **given)
    assert isinstance(made, Spikes) == (encoder.makes == "spikes")
    np.testing.assert_allclose(encoder.decode(made, **parameters), X, rtol=0, atol=error)


def test_bytes_survive_phase_coding_exactly():
    x = np.arange(256)[None, :] / 255
    spikes = encoders.phase(x, duration=0.016, slot=1e-3)
    np.testing.assert_array_equal(np.rint(encoders.decode_phase(spikes, slot=1e-3) * 255), np.rint(x * 255))
    # two whole periods in 16 ms; the first of 0b10000001 = 129 has its spikes in phases 0 and 7
    times, cells = spikes.sample(0)
    np.testing.assert_allclose(times[cells == 129], [0, 7e-3, 8e-3, 15e-3])


def test_regular_counts_round_rate_times_duration():
    spikes = encoders.regular(np.array([[0.0, 0.249, 0.251, 1.0]]), duration=0.2, r_max=10.0)
    assert spikes.counts().tolist() == [[0, 0, 1, 2]]
    np.testing.assert_allclose(spikes.sample(0)[0][-2:], [0.05, 0.15])


def test_poisson_counts_have_mean_and_variance_r_times_t():
    x = np.repeat([[0.1, 0.5, 1.0]], 4000, axis=0)
    spikes = encoders.poisson(x, rng=np.random.default_rng(1), duration=0.5, r_max=40.0)
    counts = spikes.counts()
    np.testing.assert_allclose(counts.mean(axis=0), [2, 10, 20], rtol=0.05)
    np.testing.assert_allclose(counts.var(axis=0), [2, 10, 20], rtol=0.1)
    # given the count, times are uniform: mean T/2, variance T^2/12
    np.testing.assert_allclose([spikes.times.mean(), spikes.times.var()], [0.25, 0.25 / 12], rtol=0.02)
    decoded = encoders.decode_poisson(spikes, duration=0.5, r_max=40.0)
    np.testing.assert_allclose(decoded.mean(axis=0), x[0], rtol=0.05)
    again = encoders.poisson(x, rng=np.random.default_rng(1), duration=0.5, r_max=40.0)
    np.testing.assert_array_equal(again.times, spikes.times)


def test_log_latency_is_when_a_leaky_cell_reaches_threshold():
    # dv/dt = (x - v)/tau from 0, by small Euler steps
    x, tau, theta, dt = np.array([[0.3, 0.6, 1.0]]), 0.02, 0.2, 1e-6
    v, t, crossed = np.zeros(3), 0.0, np.zeros(3)
    while not crossed.all():
        v, t = v + dt * (x[0] - v) / tau, t + dt
        crossed[(v >= theta) & (crossed == 0)] = t
    spikes = encoders.log_latency(x, tau=tau, theta=theta)
    np.testing.assert_allclose(spikes.times, crossed, rtol=1e-3)
    np.testing.assert_allclose(encoders.decode_log_latency(spikes, tau=tau, theta=theta), x, atol=1e-12)
    silent = encoders.log_latency(np.array([[0.2, 0.0]]), tau=tau, theta=theta)
    assert silent.counts().tolist() == [[0, 0]]
    assert encoders.decode_log_latency(silent, tau=tau, theta=theta).tolist() == [[0, 0]]


def test_a_burst_as_guo_et_al_have_it():
    # x = 0.6: ceil(5*0.6) = 3 spikes, intervals 52 - 0.6*50 = 22 ms; x = 0.1: one spike, after t_max; 1: 5, every 2 ms
    spikes = encoders.burst(np.array([[0.6, 0.1, 0.0, 1.0]]), t_max=0.052, t_min=0.002, n_max=5)
    assert spikes.counts().tolist() == [[3, 1, 0, 5]]
    times, cells = spikes.sample(0)
    np.testing.assert_allclose(times[cells == 0], [0.022, 0.044, 0.066])
    np.testing.assert_allclose(times[cells == 1], [0.052])
    np.testing.assert_allclose(times[cells == 3], np.arange(1, 6) * 0.002)


def test_receptive_fields_as_bohte_et_al_have_them():
    # m = 8 between -1 and 1: w = 2/6, centres -1 + (2i - 3)/2*w for i = 1..8, sigma = w/1.5
    width = 2 / 6
    centres = -1 + (2 * np.arange(1, 9) - 3) / 2 * width
    x = np.array([[-1.0, 0.37], [0.0, 1.0]])
    made = encoders.population(x, m=8, low=-1, high=1)
    assert made.shape == (2, 16)
    np.testing.assert_allclose(made[0, 8:], np.exp(-((0.37 - centres) ** 2) / (2 * (width / 1.5) ** 2)))
    np.testing.assert_allclose(encoders.decode_population(made, m=8, low=-1, high=1), x, atol=1e-12)


def test_changes_follow_the_signal_within_theta():
    every, theta = 1e-3, 0.05
    t = np.arange(300) * every
    x = np.stack([np.sin(2 * np.pi * 5 * t), t], axis=-1)[None]  # at most 0.032 a step
    spikes = encoders.ternary(x, theta=theta, every=every)
    levels = encoders.decode_ternary(spikes, x[:, 0], theta=theta, every=every, steps=300)
    assert np.abs(levels - x).max() <= theta
    up, down = spikes.counts()[0, 2:]
    assert (up, down) == (int(t[-1] / theta + 1e-9), 0)  # a ramp only goes up


def test_events_of_a_camera():
    x, y, t, p = [3, 0, 1], [1, 0, 4], [1e-3, 2e-3, 1e-6], [1, 0, 1]
    spikes = encoders.events(x, y, t, p, [0, 2, 3], shape=(5, 4))
    assert spikes.size == 40 and spikes.cells.tolist() == [27, 0, 37]
    np.testing.assert_array_equal(encoders.decode_events(spikes, shape=(5, 4)), [x, y, p])
    assert spikes.sample(1)[0].tolist() == [1e-6]
    with pytest.raises(ValueError, match="y is a number from 0 to 4"):
        encoders.events([0], [5], [0.0], [0], [0, 1], shape=(5, 4))


def test_times_go_to_the_nearest_step_and_two_in_one_are_one():
    times = np.array([1.04, 1.06, 1.09, 0.2, 5.0, 0.0]) * 1e-3
    spikes = Spikes(np.array([0, 4, 6]), times, np.array([0, 0, 0, 2, 1, 1]), 3)
    trains = spikes.on_grid(1e-4, 40)
    assert (len(trains), trains.late, trains.merged) == (4, 1, 1)
    asked = lambda sample, cell, step: int(next_spike(trains.keys, 3, sample, cell, step))  # noqa: E731
    assert [asked(0, 0, 0), asked(0, 0, 10), asked(0, 0, 11), asked(0, 0, 12)] == [10, 10, 11, NEVER]
    assert [asked(0, 1, 0), asked(0, 2, 2), asked(0, 2, 3)] == [NEVER, 2, NEVER]
    assert [asked(1, 0, 0), asked(1, 1, 0), asked(1, 1, 1), asked(1, 2, 0)] == [NEVER, 0, NEVER, NEVER]
    assert asked(0, 0, 10**12) == NEVER  # a step beyond what a table holds is not one of the next cell
    assert trains.notes("trains", "run") == [
        "trains: 1 of 6 spikes come after the end of the run and are left out.",
        "trains: 1 of 6 spikes share a time step with another spike of their cell; the two count as one.",
    ]


def test_the_next_spike_is_what_a_search_by_hand_finds():
    rng = np.random.default_rng(3)
    values = rng.random((4, 7))
    spikes = encoders.poisson(values, rng=rng, duration=0.1, r_max=100.0)
    trains = spikes.on_grid(1e-3)
    for sample in range(4):
        times, cells = spikes.sample(sample)
        for step in (0, 13, 57, 99, 101):
            steps = np.rint(times / 1e-3)
            by_hand = [min((int(s) for s in steps[cells == c] if s >= step), default=NEVER) for c in range(7)]
            assert next_spike(trains.keys, 7, sample, np.arange(7), step).tolist() == by_hand


def test_samples_one_after_another():
    whole = encoders.latency(X, t_max=0.1).on_grid(1e-4, 800)
    parts = [encoders.latency(X[k : k + 1], t_max=0.1).on_grid(1e-4, 800) for k in range(2)]
    assert encoders.joined(parts) == whole
    assert (encoders.joined(parts).late, whole.late, whole.samples) == (2, 2, 2)


def test_no_samples_and_no_spikes():
    spikes = encoders.latency(np.zeros((3, 2)), t_max=0.1)
    assert len(spikes) == 3 and spikes.counts().sum() == 0 and len(spikes.on_grid(1e-4)) == 0
    assert len(encoders.burst(np.zeros((0, 2)), t_max=0.1)) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: encoders.latency(np.array([[1.5]]), t_max=0.1), "from 0 to 1, got 1.5"),
        (lambda: encoders.latency(np.array([[np.nan]]), t_max=0.1), "finite"),
        (lambda: encoders.latency(np.ones(3), t_max=0.1), r"\[samples, features\]"),
        (lambda: encoders.phase(X, duration=0.007, slot=1e-3), "takes 0.008 s"),
        (lambda: encoders.population(X, m=2), "m is a whole number from 3"),
        (lambda: encoders.burst(X, t_max=0.1, n_max=2.5), "n_max is a whole number"),
        (lambda: encoders.ternary(X, theta=0.1, every=1e-3), r"\[samples, times, features\]"),
        (lambda: encoders.ternary(X[None], theta=0, every=1e-3), "theta"),
        (lambda: Spikes(np.array([0, 1]), np.array([-1.0]), np.array([0]), 1).on_grid(1e-3), "not before 0"),
        (lambda: Spikes(np.array([0, 1]), np.array([1.0]), np.array([1]), 1).on_grid(1e-3), "a cell is a number"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_encoder_says_what_it_takes():
    for name, encoder in encoders.ENCODERS.items():
        assert len(encoder.about) > 20, name
        assert set(encoder.needs) <= {"duration", "rng"}
        assert all(parse_unit(encoders.UNITS[parameter]) for parameter in encoder.parameters)
        assert encoder.makes == "spikes" or parse_unit(encoder.makes)
