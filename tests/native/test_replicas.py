"""Replicas: runs of one network side by side, each as if it were alone."""

from __future__ import annotations

import re
from pathlib import Path

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms
from brunel import brunel

pytestmark = pytest.mark.compiled


@pytest.mark.parametrize("plasticity", [False, True])
def test_replicas_are_runs_alone(plasticity, shared):
    net, group, exc, spikes = brunel(plasticity=plasticity)
    net.run(5 * ms, namespace={})
    net.store()
    expected = []
    for seed in (3, 4, 5):
        net.restore()
        shared.prepare(net, namespace={}, seed=seed).step(300)
        expected.append([np.array(a) for a in (spikes.i, spikes.t_, group.v_, exc.w_)])
    net.restore()
    before = np.array(group.v_)
    replicas = shared.replicas(net, (3, 4, 5), namespace={})
    for _ in range(3):
        replicas.step(100)
    assert len(replicas) == 3
    for replica, values in zip(replicas, expected, strict=True):
        found = [replica.array(owner, name)
                 for owner, name in ((spikes, "i"), (spikes, "t"), (group, "v"), (exc, "w"))]  # fmt: skip
        for one, other in zip(found, values, strict=True):
            assert np.array_equal(one, other)
        assert replica.time() == pytest.approx(35e-3)
    assert not np.array_equal(expected[0][2], expected[1][2])
    assert np.array_equal(group.v_, before)
    assert net.t == 5 * ms
    net.run(1 * ms, namespace={})


def test_replicas_share_what_is_not_written(shared):
    net, group, exc, _ = brunel()
    one, other = shared.replicas(net, (1, 2), namespace={})
    assert np.shares_memory(one.array(exc, "w"), other.array(exc, "w"))
    with pytest.raises(ValueError, match="read-only"):
        one.array(exc, "w")[0] = 1
    one.array(group, "v")[:] = 0
    assert np.all(one.array(group, "v") == 0)
    assert not np.all(other.array(group, "v") == 0)


def test_replicas_of_traces(shared):
    """Traces that cells keep are each replica's own, and told to be somewhere else."""
    net, _, exc, spikes = brunel(plasticity=True, delays=False)
    (replica,) = shared.replicas(net, [1], namespace={})
    with pytest.raises(ValueError, match="-traces"):
        replica.array(exc, "apre")
    replica.step(200)
    found = [np.array(replica.array(exc, "w")), np.array(replica.array(spikes, "i"))]
    shared.prepare(net, namespace={}, seed=1).step(200)
    assert np.array_equal(found[0], exc.w_)
    assert np.array_equal(found[1], spikes.i)


def test_replicas_cannot_do_python(shared):
    net, *_ = brunel()
    net.add(b2.NetworkOperation(lambda: None))
    with pytest.raises(NotImplementedError, match="run by Python"):
        shared.replicas(net, [1], namespace={})


def test_the_documented_replicas(native, capsys):
    text = (Path(__file__).parents[2] / "docs" / "native.md").read_text()
    example = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "device.replicas" in block)
    exec(compile(example.replace('set_device("native")', ""), "native.md", "exec"), {})
    counts = [int(word) for word in re.findall(r"\d+", capsys.readouterr().out)]
    assert len(counts) == 8
    assert 0 < counts[0] < counts[-1]
