"""reward_loop: only the cue that dopamine follows gains; without dopamine nothing is learned."""

from __future__ import annotations

import numpy as np
import pytest

#: What this is the test of.
PARTS = ["region reward_loop"]


def changes(results) -> tuple[float, float]:
    """Mean change of the weights of cue A and of cue B."""
    both = [results.weights(f"cue_{cue}_to_striatum") for cue in "ab"]
    return tuple(float(np.mean(w.after["w"] - w.before["w"])) for w in both)


def test_the_rewarded_cue_gains_and_the_other_is_spared(simulate):
    for seed in (1, 2, 3):
        gain, spared = changes(simulate("reward_loop", seed=seed))
        assert gain > 0.2
        assert abs(spared) < 0.1 * gain


def test_reward_after_the_second_cue_teaches_that_one(simulate):
    later = {"stimuli.reward.pulse.start": "2.6 s", "stimuli.reward.pulse.stop": "2.7 s"}
    first, second = changes(simulate("reward_loop", set=later))
    assert second > 0.2
    assert first < 0.5 * second  # its mark has faded for two seconds


@pytest.mark.parametrize("override", [{"stimuli.reward.pulse.value": "0 Hz"}, {"dose": 0}])
def test_without_dopamine_nothing_is_learned(simulate, override):
    assert changes(simulate("reward_loop", set=override)) == (0, 0)
