"""Which sample is shown when, and which spikes belong to it."""

import numpy as np
import pytest

from brainsim import datasets, seeds
from brainsim.compose.plan import Data, Phase, Plan, Trial
from brainsim.errors import FitError
from brainsim.runs import phases


def plan_of(*stages: Phase, seed: int = 1, steps: int = 7, dt: float = 1e-4) -> Plan:
    trial = Trial(steps * dt, steps)
    return Plan("p", "", seed, dt, (), (), (), stages, data=Data("mnist", {}), trial=trial)


@pytest.fixture
def samples():
    return datasets.load("mnist", {"train": 50, "label": 20, "test": 10})


class TestSchedule:
    def test_phases_follow_one_another(self, samples):
        order, phase, _ = phases.schedule(
            plan_of(Phase("train", data="train", passes=2, count=3), Phase("test", data="test", count=2)), samples
        )
        assert order.tolist() == [0, 1, 2, 0, 1, 2, 50, 51] and order.dtype == np.int32
        assert phase.tolist() == [0] * 6 + [1] * 2

    def test_each_pass_is_shuffled_anew_from_a_stream_of_its_own(self, samples):
        order, _, _ = phases.schedule(plan_of(Phase("go", data="train", passes=2, shuffle=True, count=50)), samples)
        first, second = order[:50], order[50:]
        assert sorted(first) == sorted(second) == list(range(50)) and first.tolist() != second.tolist()
        for number, part in enumerate((first, second)):
            expected = seeds.stream(1, f"phases.go.{number}").permutation(np.arange(50, dtype=np.int32))
            np.testing.assert_array_equal(part, expected)

    def test_a_new_phase_changes_no_other(self, samples):
        train = Phase("train", data="train", passes=1, shuffle=True, count=50)
        alone = phases.schedule(plan_of(train), samples).order
        behind = phases.schedule(plan_of(Phase("x", data="test", shuffle=True, count=9), train), samples).order[9:]
        np.testing.assert_array_equal(alone, behind)
        assert phases.schedule(plan_of(train, seed=2), samples).order.tolist() != alone.tolist()

    def test_more_than_there_is(self, samples):
        with pytest.raises(FitError, match="phase test shows 11 samples of test, but there are 10"):
            phases.schedule(plan_of(Phase("test", data="test", count=11)), samples)

    def test_without_samples(self):
        order, phase, _ = phases.schedule(plan_of(Phase("run", duration=1.0)), None)
        assert len(order) == len(phase) == 0


class TestCounts:
    def test_spikes_on_a_boundary_belong_to_the_trial_that_begins(self):
        # k*dt is no exact number: 3*0.1 ms is a little more, 0.7 ms/0.1 ms a little less than whole.
        steps, dt, trials = 7, 1e-4, 2000
        at = np.arange(trials) * steps
        first, last = at * dt, (at + steps - 1) * dt
        table = phases.counts([(first, np.zeros(trials)), (last, np.ones(trials))], 2, 0, trials, steps, dt)
        assert (table == 1).all() and table.dtype == np.int32

    def test_only_the_trials_asked_for(self):
        times = np.arange(10) * 1e-3
        table = phases.counts([(times, np.arange(10) % 3)], 3, 4, 3, 1, 1e-3)
        assert table.tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]

    def test_against_a_loop(self):
        rng = np.random.default_rng(0)
        steps, cells = rng.integers(0, 60, 500), rng.integers(0, 4, 500)
        expected = np.zeros((12, 4), int)
        for step, cell in zip(steps, cells, strict=True):
            expected[step // 5, cell] += 1
        pieces = [(steps[k::3] * 1e-3, cells[k::3]) for k in range(3)]
        np.testing.assert_array_equal(phases.counts(pieces, 4, 0, 12, 5, 1e-3), expected)

    def test_nothing(self):
        assert phases.counts([], 3, 0, 2, 5, 1e-3).tolist() == [[0] * 3] * 2
