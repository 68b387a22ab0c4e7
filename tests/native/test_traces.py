"""Traces kept by cells: the values of event-driven equations, whoever looks at them."""

from __future__ import annotations

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms

from brainsim.native.rewrites import traces

pytestmark = [pytest.mark.compiled, pytest.mark.usefixtures("as_asked")]
PAIR = """w : 1
    dapre/dt = -apre / taupre : 1 (event-driven)
    dapost/dt = -apost / (15*ms) : 1 (event-driven)"""
MARKED = PAIR + "\ndc/dt = -c / (40*ms) : 1 (event-driven)"


@pytest.fixture(autouse=True)
def for_small_networks(monkeypatch):
    monkeypatch.setattr(traces, "fewest", 0)


class Model:
    """Two groups of generated spikes and plastic synapses between them; ``where`` parts of the code can be given."""

    def __init__(self, equations=PAIR, on_pre=None, on_post=None, delay=0.7, cells=12, more=()):
        rng = np.random.default_rng(11)
        inputs = []
        for name in ("a", "b"):
            step, cell = np.nonzero(rng.random((800, cells)) < 0.02)
            inputs.append(b2.SpikeGeneratorGroup(cells, cell, step * 0.1 * ms, name=name))
        taken = b2.NeuronGroup(cells, "x : 1", name="taken")
        self.synapses = b2.Synapses(
            *inputs,
            equations,
            on_pre=on_pre or "w = clip(w + apost, 0, 1); apre += 0.02; w = clip(w - 0.1*apre, 0, 1)",
            on_post=on_post or "apost = 0.9 * apost - 0.021; w = clip(w + apre, 0, 1)",
            delay={"pre": delay * ms} if np.isscalar(delay) else None,
            namespace={"taupre": 20 * ms},
            name="plastic",
        )
        pre, post = np.nonzero(rng.random((cells, cells)) < 0.6)
        self.synapses.connect(i=pre, j=post)
        if not np.isscalar(delay):
            self.synapses.pre.delay = rng.choice(delay, len(pre)) * ms
        self.synapses.w = rng.random(len(pre))
        self.net = b2.Network(*inputs, taken, self.synapses, *more)

    def values(self, time=None):
        """Weights, and traces as they are at the network's time."""
        s, now = self.synapses, self.net.t_
        decayed = [getattr(s, name + "_")[:] * np.exp((s.lastupdate_[:] - now) / tau)
                   for name, tau in (("apre", 0.02), ("apost", 0.015), ("c", 0.04)) if name in s.variables]  # fmt: skip
        return np.array([s.w_[:], *decayed])


def compare(native, on_numpy, run, taken=True):
    expected, found = on_numpy(run), run()
    reasons = [step.codeobject.rewrites.get("traces", "") for step in native._session.steps if step.codeobject]
    assert (None in reasons) == taken, reasons
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)
    return [reason for reason in reasons if reason]


def test_pair_rule_in_two_runs_with_a_look_between(native, on_numpy):
    def run():
        model = Model()
        model.net.run(30 * ms)
        before = model.values()
        model.net.run(50 * ms)
        return np.array([before, model.values()])

    compare(native, on_numpy, run)


def test_what_a_spike_and_its_synapses_both_read(native, on_numpy):
    def run():
        model = Model(
            PAIR + "\ngain : 1 (shared, constant)",
            on_pre="w = clip(w + (1 - exp(-gain)) * apost + exp(-2*gain) * apre / 50, 0, 1);"
            " apre += (1 - exp(-gain)) * exp(-2*gain) * (1 - apre)",
        )
        model.synapses.gain = 0.3
        model.net.run(50 * ms)
        return model.values()

    compare(native, on_numpy, run)


def test_store_and_restore(native, on_numpy):
    def run():
        model = Model()
        model.net.run(30 * ms)
        model.net.store()
        model.net.run(10 * ms)
        model.net.restore()
        model.net.run(20 * ms)
        return model.values()

    compare(native, on_numpy, run)


def test_values_set_alike_for_all_synapses_of_a_cell(native, on_numpy):
    def run():
        model = Model()
        model.net.run(5 * ms)
        model.synapses.apre = "0.01 * (i % 5)"
        model.synapses.apost = 0.3
        model.synapses.lastupdate = 3 * ms
        model.net.run(30 * ms)
        return model.values()

    compare(native, on_numpy, run)


def test_marks_that_synapses_keep_themselves(native, on_numpy):
    def run():
        model = Model(MARKED, "apre += 0.02; c += apost", "apost -= 0.021; c += apre; w += 0.1 * c")
        model.net.run(60 * ms)
        return model.values()

    compare(native, on_numpy, run)
    assert "traces of c not: 'plastic_pre' changes it by 'apost'" in native.explain()


def test_what_decayed_long_ago_is_still_a_number(native, on_numpy):
    """Synapses with times of their own, and a trace that has been through thousands of its time constants since."""

    def run():
        model = Model(
            MARKED.replace("15*ms", "0.01*ms"), "apre += 0.02; c += apost; w += 0.1 * c", "apost -= 0.021; c += apre"
        )
        found = []
        for _ in range(2):
            model.net.run(40 * ms)
            found.append(np.array([model.synapses.w_[:], model.synapses.apost_[:] * 0]))
        return np.array(found)

    compare(native, on_numpy, run)


def watching(model, look):
    def watch():
        look(model.values())

    return watch


def test_steps_and_python_see_present_values(native):
    found = []
    for rewrites in ("all", "-traces"):
        b2.set_device("native", rewrites=rewrites)
        seen = []
        model = Model()
        model.net.add(b2.NetworkOperation(watching(model, seen.append), dt=7 * ms))
        native.prepare(model.net)
        native.step(100)
        seen.append(model.values())
        model.synapses.apre, model.synapses.apost = 0.1, -0.1
        model.synapses.lastupdate = model.net.t
        native.step(200)
        seen.append(model.values())
        found.append(np.array(seen))
    np.testing.assert_allclose(*found, rtol=1e-10, atol=1e-13)


def test_values_of_their_own_between_steps_are_an_error(native):
    model = Model()
    native.prepare(model.net)
    native.step(10)
    model.synapses.apre = np.arange(len(model.synapses))
    with pytest.raises(RuntimeError, match=r"values of 'apre' of their own.*prepare again"):
        native.step()
    native.prepare(model.net)
    native.step(10)


REFUSED = {
    "own values": (lambda: setattr_after(Model()), "of their own"),
    "delays": (lambda: Model(delay=[0.1, 0.5]).net, "arrive at different times"),
    "monitor": (lambda: monitored(), "'watch' uses them"),
    "by synapse": (lambda: Model(on_pre="apre += 0.1 * w; w += 0.01 * apost").net, "changes it by 'w'"),
    "both sides": (lambda: Model(on_post="apre += 0.1; apost -= 0.02; w += 0.1*apre").net, "both sides"),
    "random": (lambda: Model(on_pre="apre += rand(); w += 0.01 * apost").net, "changes it by 'rand'"),
    "time constant": (lambda: own_constants(), "mentions 'tau'"),
}


def setattr_after(model):
    model.synapses.apre = np.arange(len(model.synapses))
    return model.net


def monitored():
    model = Model()
    model.net.add(b2.StateMonitor(model.synapses, "apre", record=[0, 3], name="watch"))
    return model.net


def own_constants():
    model = Model(PAIR.replace("(15*ms)", "tau") + "\ntau : second")
    model.synapses.tau = 10 * ms
    return model.net


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_legal(case, native):
    make, reason = REFUSED[case]
    net = make()
    native.prepare(net)
    native.step(50)
    assert reason in native.explain()


def test_few_synapses_for_a_cell(native, monkeypatch):
    monkeypatch.setattr(traces, "fewest", 20)
    native.prepare(Model().net)
    assert "fewer than 20 synapses" in native.explain()


def test_spikes_on_their_way_to_synapses_that_are_new(native, on_numpy):
    def run():
        model = Model(delay=3.0)
        model.net.run(20 * ms)
        model.synapses.connect(i=np.arange(12), j=0)
        model.net.run(30 * ms)
        return model.values()

    compare(native, on_numpy, run, taken=False)
    assert "spikes are on their way" in native.explain()


def test_two_networks_side_by_side(native):
    models = [Model(), Model()]
    sessions = [native.prepare(model.net) for model in models]
    for session in sessions * 2:
        session.step(100)
    alone = Model()
    native.prepare(alone.net)
    native.step(200)
    for model in models:
        assert model.synapses.apre_[:].any()
        np.testing.assert_allclose(model.values(), alone.values(), rtol=1e-10, atol=1e-13)
