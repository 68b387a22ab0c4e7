"""Excitation, inhibition and random drive: a network for threads, replicas and sanitizers."""

from __future__ import annotations

import brian2 as b2
import numpy as np
from brian2 import Hz, ms, mV


def brunel(plasticity=False, delays=True, cells=200):
    """Excitation, inhibition, random drive; synapses in the order of their targets."""
    rng = np.random.default_rng(1)
    group = b2.NeuronGroup(
        cells, "dv/dt = -v / (20*ms) : volt (unless refractory)", threshold="v > 20*mV", reset="v = 10*mV",
        refractory=2 * ms, method="exact", name="cells",
    )  # fmt: skip
    group.v = 20 * rng.random(cells) * mV
    border = int(0.8 * cells)
    drives = [
        b2.PoissonInput(group[:border], "v", 1000, 20 * Hz, weight=0.2 * mV),
        b2.PoissonInput(group[border:], "v", 900, 20 * Hz, weight=0.2 * mV),
    ]
    model, on_pre, on_post = "w : volt", "v_post += w", None
    if plasticity:
        model += """
        dapre/dt = -apre / (20*ms) : volt (event-driven)
        dapost/dt = -apost / (20*ms) : volt (event-driven)"""
        on_pre = "v_post += w; apre += 0.01*mV; w = clip(w + apost, 0*mV, 0.6*mV)"
        on_post = "apost -= 0.0105*mV; w = clip(w + apre, 0*mV, 0.6*mV)"
    exc = b2.Synapses(group[:border], group, model, on_pre=on_pre, on_post=on_post, method="exact", name="exc")
    inh = b2.Synapses(group[border:], group, on_pre="v -= 1.5*mV", name="inh")
    for synapses, count in ((exc, border), (inh, cells - border)):
        pre, post = np.nonzero(rng.random((count, cells)) < 0.3)
        synapses.connect(i=pre, j=post)
        synapses.pre.delay = rng.integers(5, 31, len(pre)) * 0.1 * ms if delays else 1.5 * ms
    exc.w = 0.3 * mV * rng.random(len(exc))
    spikes = b2.SpikeMonitor(group, name="spikes")
    return b2.Network(group, *drives, exc, inh, spikes), group, exc, spikes


def results_of_brunel(**kwds):
    net, group, exc, spikes = brunel(**kwds)
    net.run(50 * ms)
    return [spikes.i, spikes.t_, group.v_, exc.w_]
