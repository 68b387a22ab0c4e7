"""Deterministic networks that every device has to run alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brian2 as b2
import numpy as np
from brian2 import ms, mV


def cuba(cells: int = 400, duration: float = 0.1) -> dict[str, np.ndarray]:
    """The CUBA network of Vogels and Abbott, with a graph drawn here."""
    equations = """
        dv/dt = (ge + gi - (v + 49*mV)) / (20*ms) : volt (unless refractory)
        dge/dt = -ge / (5*ms) : volt
        dgi/dt = -gi / (10*ms) : volt
    """
    rng = np.random.default_rng(1)
    excitatory = int(0.8 * cells)
    group = b2.NeuronGroup(
        cells, equations, threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * ms, method="exact", name="cells"
    )
    group.v = (-60 + 10 * rng.random(cells)) * mV
    factor = min(1.0, 80 / cells) * cells / 80
    exc = b2.Synapses(group[:excitatory], group, on_pre="ge += we", namespace={"we": 1.62 * mV / factor}, name="exc")
    inh = b2.Synapses(group[excitatory:], group, on_pre="gi += wi", namespace={"wi": -9 * mV / factor}, name="inh")
    for synapses, count in ((exc, excitatory), (inh, cells - excitatory)):
        pre, post = np.nonzero(rng.random((count, cells)) < min(1.0, 80 / cells))
        synapses.connect(i=pre, j=post)
    spikes = b2.SpikeMonitor(group, name="spikes")
    b2.Network(group, exc, inh, spikes).run(duration * b2.second)
    return {"i": np.array(spikes.i), "t": np.array(spikes.t_), "v": np.array(group.v_)}


def stdp(duration: float = 0.2) -> dict[str, np.ndarray]:
    """Event-driven pair STDP with a delay for each synapse, in both directions."""
    rng = np.random.default_rng(2)
    source_times, source_cells = np.sort(rng.random(600) * duration), rng.integers(0, 30, 600)
    step = np.round(source_times / 1e-4).astype(int)
    _, first = np.unique(step * 1000 + source_cells, return_index=True)
    inputs = b2.SpikeGeneratorGroup(30, source_cells[first], step[first] * 1e-4 * b2.second, name="inputs")
    cells = b2.NeuronGroup(
        20, "dv/dt = -v / (10*ms) : 1 (unless refractory)", threshold="v > 1", reset="v = 0", refractory=2 * ms,
        method="exact", name="cells",
    )  # fmt: skip
    synapses = b2.Synapses(
        inputs,
        cells,
        """w : 1
        dapre/dt = -apre / (20*ms) : 1 (event-driven)
        dapost/dt = -apost / (20*ms) : 1 (event-driven)""",
        on_pre={"pre": "v_post += w; apre += 0.01; w = clip(w + apost, 0, 0.5)"},
        on_post="apost -= 0.0105; w = clip(w + apre, 0, 0.5)",
        name="synapses",
    )
    pre, post = np.nonzero(rng.random((30, 20)) < 0.7)
    order = rng.permutation(len(pre))
    synapses.connect(i=pre[order], j=post[order])
    synapses.w = rng.random(len(pre)) * 0.4
    synapses.pre.delay = rng.integers(0, 40, len(pre)) * 0.1 * ms
    synapses.post.delay = rng.integers(0, 25, len(pre)) * 0.1 * ms
    spikes = b2.SpikeMonitor(cells, name="spikes")
    weights = b2.StateMonitor(synapses, "w", record=[0, 5, 7], dt=1 * ms, name="weights")
    net = b2.Network(inputs, cells, synapses, spikes, weights)
    net.run(duration / 2 * b2.second)
    net.run(duration / 2 * b2.second)
    return {"i": np.array(spikes.i), "t": np.array(spikes.t_), "w": np.array(synapses.w), "w_t": np.array(weights.w)}


def vdsp(duration: float = 0.2) -> dict[str, np.ndarray]:
    """Voltage-dependent plasticity: custom events, scheduled code, lateral inhibition, a summed variable."""
    rng = np.random.default_rng(3)
    inputs = b2.NeuronGroup(
        40, "dv/dt = (drive - v) / (15*ms) : 1\ndrive : 1", threshold="v > 1", reset="v = -0.4", method="exact",
        name="inputs",
    )  # fmt: skip
    inputs.drive = 0.5 + 2 * rng.random(40)
    output = b2.NeuronGroup(
        8,
        """dv/dt = (8 * total - v) / (20*ms) : 1 (unless refractory)
        total : 1
        theta : 1""",
        threshold="v > 0.6 + theta",
        reset="v = 0; theta += 0.05",
        refractory="3*ms",
        events={"settle": "v > 0.4 and v < 0.45"},
        method="euler",
        name="output",
    )
    output.run_on_event("settle", "theta = theta * 0.999")
    output.run_regularly("theta = theta * 0.98", dt=5 * ms)
    synapses = b2.Synapses(
        inputs,
        output,
        """dx/dt = -x / (8*ms) : 1 (clock-driven)
        total_post = x * w / 40 : 1 (summed)
        w : 1""",
        on_pre="x += 1",
        on_post="w = clip(w + int(v_pre < 0) * 0.02 * (1 - w) + int(v_pre > 0) * (-0.015) * w, 0, 1)",
        method="exact",
        name="synapses",
    )
    synapses.connect()
    synapses.w = rng.random(320)
    lateral = b2.Synapses(output, output, on_pre={"hit": "v_post -= 0.3"}, on_event={"hit": "spike"}, name="lateral")
    lateral.connect(condition="i != j")
    lateral.hit.delay = 0.3 * ms
    spikes = b2.SpikeMonitor(output, name="spikes")
    events = b2.EventMonitor(output, "settle", variables=["theta"], name="events")
    rate = b2.PopulationRateMonitor(inputs, name="rate")
    b2.Network(b2.collect()).run(duration * b2.second)
    return {
        "i": np.array(spikes.i), "t": np.array(spikes.t_), "w": np.array(synapses.w), "theta": np.array(output.theta),
        "events": np.array(events.i), "event_theta": np.array(events.theta), "rate": np.array(rate.rate_),
    }  # fmt: skip


MODELS: dict[str, Callable[..., dict[str, Any]]] = {"cuba": cuba, "stdp": stdp, "vdsp": vdsp}
