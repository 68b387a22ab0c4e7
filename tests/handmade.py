"""Plans written by hand, and a recorder that keeps everything in memory."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import numpy as np

from brainsim.compose.plan import (
    Connection,
    Constant,
    Data,
    Event,
    Group,
    Initial,
    Line,
    Link,
    Pathway,
    Phase,
    Plan,
    Regular,
    Slice,
    Table,
    Trial,
    Watch,
    Wiring,
)  # fmt: skip
from brainsim.units import NONE, parse, parse_unit

VOLT, SECOND = parse_unit("volt")[1], parse_unit("second")[1]


class Memory:
    """The recorder of the contract, in memory."""

    def __init__(self):
        self.spike_parts = defaultdict(list)
        self.states = defaultdict(list)
        self.kept = {}
        self.flushes = 0

    def spikes(self, path, times, ids):
        self.spike_parts[path].append((np.array(times), np.array(ids)))

    def state(self, path, variable, unit, times, values, ids):
        self.states[path, variable].append((unit, np.array(times), np.array(values), ids))

    def weights(self, path, source_path, target_path, source, target, values):
        self.kept[path] = (source_path, target_path, source, target, values)

    def flush(self):
        self.flushes += 1

    def close(self):
        pass

    def times_ids(self, path):
        parts = self.spike_parts.get(path, [(np.zeros(0), np.zeros(0, int))])
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def lines(text: str) -> tuple[Line, ...]:
    return tuple(Line(line.strip()) for line in text.strip().splitlines())


def constants(**values: str) -> tuple[Constant, ...]:
    return tuple(Constant(name, parse(value)) for name, value in values.items())


def whole(name: str, size: int) -> Slice:
    return Slice(name, 0, size)


LIF = """
dv/dt = (E_L - v + I_syn)/tau_m : volt (unless refractory)
dI_exc/dt = -I_exc/tau_exc : volt
dI_inh/dt = -I_inh/tau_inh : volt
I_syn = I_exc + I_inh : volt
E_L : volt (shared, constant)
V_th : volt (shared, constant)
V_r : volt (shared, constant)
tau_m : second (shared, constant)
tau_exc : second (shared, constant)
tau_inh : second (shared, constant)
t_ref : second (shared, constant)
"""


def lif(name: str, path: str, size: int) -> Group:
    return Group(
        name=name,
        path=path,
        size=size,
        equations=lines(LIF),
        threshold="v > V_th",
        reset="v = V_r",
        refractory="t_ref",
        method="exact",
        constants=constants(
            E_L="-49 mV", V_th="-50 mV", V_r="-60 mV", tau_m="20 ms", tau_exc="5 ms", tau_inh="10 ms", t_ref="5 ms"
        ),
        initial=(Initial("v", "(-60*mV) + rand()*((-50*mV) - (-60*mV))", VOLT, f"{path}.v"),),
        cell="lif",
        about="Leaky integrate-and-fire cell.",
    )


def current(name, source, target, variable, weight, delay, p=0.1, seed_path=None) -> Connection:
    return Connection(
        name=name,
        path=name.replace("_", "."),
        source=source,
        target=target,
        wiring=Wiring("p", f"{seed_path or name}.connect", {"p": p}),
        equations=lines("w : volt (shared, constant)"),
        pathways=(Pathway("pre", "pre", "spike", f"{variable}_post += w", delay=delay),),
        constants=constants(w=weight),
        parts=("exponential",),
    )


def balanced(size=100, duration=0.1, seed=1) -> Plan:
    """A small network of excitatory and inhibitory cells with exponential currents and delays."""
    n_exc, n_inh = int(0.8 * size), size - int(0.8 * size)
    exc, inh = whole("net_exc", n_exc), whole("net_inh", n_inh)
    return Plan(
        name="balanced",
        about="Do the backends agree?",
        seed=seed,
        dt=1e-4,
        groups=(lif("net_exc", "net.exc", n_exc), lif("net_inh", "net.inh", n_inh)),
        connections=(
            current("net_ee", exc, exc, "I_exc", "1.62 mV", 1e-3),
            current("net_ei", exc, inh, "I_exc", "1.62 mV", None),
            current("net_ie", inh, exc, "I_inh", "-9 mV", 5e-4),
        ),
        watches=(
            Watch("spikes_net_exc", "spikes", "net_exc", "net.exc"),
            Watch("spikes_net_inh", "spikes", "net_inh", "net.inh"),
            Watch("state_net_exc", "state", "net_exc", "net.exc", ("v",), ("v",), ("volt",), every=1e-3, sample=3),
        ),
        phases=(Phase("run", duration),),
        notes=(),
    )


STDP = """
w : 1
dx/dt = -x/tau_x : 1 (event-driven)
dy/dt = -y/tau_y : 1 (event-driven)
tau_x : second (shared, constant)
tau_y : second (shared, constant)
A_plus : 1 (shared, constant)
A_minus : 1 (shared, constant)
kick : volt (shared, constant)
"""


def plastic(seed=3) -> Plan:
    """Two cells' worth of everything: STDP with delays per synapse, slices, heterogeneity, two phases."""
    senders = Group(
        name="senders",
        path="senders",
        size=40,
        equations=lines("dphase/dt = 1/period : 1\nperiod : second"),
        threshold="phase > 1",
        reset="phase = 0",
        method="euler",
        initial=(
            Initial("period", "(20*ms) + (10*ms)*rand()", SECOND, "senders.period"),
            Initial("phase", "0.5*i/N + 0.1*rand()", NONE, "senders.phase"),
        ),
    )
    cells = lif("cells", "cells", 10)
    rule = Connection(
        name="learned",
        path="learned",
        source=Slice("senders", 5, 40),
        target=Slice("cells", 2, 10),
        wiring=Wiring("p", "learned.connect", {"p": 0.7}),
        equations=lines(STDP),
        pathways=(
            Pathway(
                "pre", "pre", "spike", "I_exc_post += w*kick\nx += A_plus\nw = clip(w - y, 0, 3)",
                delays=Initial("delay", "(1*ms) + (2*ms)*rand()", SECOND, "learned.delay"),
            ),
            Pathway("post", "post", "spike", "y += A_minus\nw = clip(w + x, 0, 3)", delay=1e-3),
        ),
        regular=(Regular("learned_decay", "w = w*(1 - 0.01)", 1e-2),),
        constants=constants(tau_x="20 ms", tau_y="20 ms", A_plus="0.1", A_minus="0.11", kick="1 mV"),
        initial=(Initial("w", "0.5 + 0.5*rand()", NONE, "learned.w"),),
        plastic=True,
        saved=(("w", "w"),),
        parts=("exponential", "stdp"),
    )  # fmt: skip
    return Plan(
        name="plastic",
        about="Does learning agree?",
        seed=seed,
        dt=1e-4,
        groups=(senders, cells),
        connections=(rule,),
        watches=(
            Watch("spikes_senders", "spikes", "senders", "senders", start=5, stop=20),
            Watch("spikes_cells", "spikes", "cells", "cells"),
            Watch("state_learned", "state", "learned", "learned", ("w",), ("w",), ("1",), every=1e-2, sample=7),
        ),
        phases=(
            Phase("first", 0.1),
            Phase("again", 0.1, set=(("learned", Constant("A_plus", parse("0"))),), fresh=("cells", "senders")),
            Phase("last", 0.05),
        ),
    )


def clock(duration: float, steps: int) -> Group:
    return Group(
        name="trials",
        path="trials",
        size=1,
        equations=lines("trial : integer\ntrial_step : integer\nsample : integer"),
        regular=(
            Regular(
                "trials_next", "trial += 1\ntrial_step = -1\nsample = sample_order(trial)", duration, "start", -101
            ),
            Regular("trials_step", "trial_step += 1", duration / steps, "start", -100),
        ),
        initial=(Initial("trial", "-1", NONE, "trials.trial", integer=True),),
    )


def digits(n_in=784, n_out=100, train=10, test=5, passes=1, seed=1) -> Plan:
    """VDSP with its winner-take-all, as in the design's examples."""
    dt, steps = 5e-3, 70
    retina = Group(
        name="retina",
        path="retina",
        size=n_in,
        equations=lines(
            """J = scale*pixel + bias : 1
            v : 1
            dead : second
            pixel : 1
            sample : integer (linked)
            scale : 1 (shared, constant)
            bias : 1 (shared, constant)
            tau_m : second (shared, constant)
            t_ref : second (shared, constant)
            v_r : 1 (shared, constant)"""
        ),
        threshold="v > 1",
        reset="dead = t_ref + tau_m*log(1 - (v - 1)/(J - 1))\nv = v_r",
        regular=(
            Regular("retina_inputs", "pixel = image(sample, i)", dt * steps, "start", -99),
            Regular(
                "retina_every_0",
                "v += (J - v)*(1 - exp(-clip(dt - dead, 0*ms, dt)/tau_m))\ndead = clip(dead - dt, 0*ms, t_ref)",
                dt,
                "groups",
            ),
        ),
        constants=constants(scale="4", bias="0.5", tau_m="30 ms", t_ref="5 ms", v_r="-1"),
        initial=(Initial("v", "rand()", NONE, "retina.v"),),
        links=(Link("sample", "trials", "sample"),),
    )
    output = Group(
        name="output",
        path="output",
        size=n_out,
        equations=lines(
            """u : 1
            g : 1
            n : 1
            u_top : 1 (linked)
            t_win : second (linked)
            tau_m : second (shared, constant)
            tau_g : second (shared, constant)
            tau_n : second (shared, constant)
            t_hold : second (shared, constant)
            G : 1 (shared, constant)
            n_inc : 1 (shared, constant)"""
        ),
        threshold="u > 1 and u >= u_top",
        reset="n += n_inc",
        events=(Event("candidate", "u > 1", "before_thresholds", -1),),
        regular=(
            Regular(
                "output_every_0",
                "u = clip(u + (G*g - n - u)*(1 - exp(-dt/tau_m)), -1, 1000)*int(t - t_win > t_hold - 0.5*dt)\n"
                "g = g*exp(-dt/tau_g)\nn = n - n*dt/tau_n",
                dt,
                "groups",
            ),
        ),
        constants=constants(tau_m="30 ms", tau_g="5 ms", tau_n="1 s", t_hold="10 ms", G="5", n_inc="0.02"),
        links=(Link("u_top", "referee", "best"), Link("t_win", "referee", "t_win")),
    )
    referee = Group(
        name="referee",
        path="referee",
        size=1,
        equations=lines("best : 1\nt_win : second"),
        regular=(Regular("referee_every_0", "best = 0", dt, "start"),),
        initial=(Initial("t_win", "-10*second", SECOND, "referee.t_win"),),
    )
    vdsp = "w = clip(w + eta*(int(v_pre < 0)*(1 - w)*(exp(-v_pre) - 1) - int(v_pre > 0)*w*(exp(v_pre) - 1)), 0, 1)"
    learned = Connection(
        name="learned",
        path="learned",
        source=whole("retina", n_in),
        target=whole("output", n_out),
        wiring=Wiring("all", "learned.connect"),
        equations=lines("w : 1\neta : 1 (shared, constant)\nkick : 1 (shared, constant)"),
        pathways=(
            Pathway("pre", "pre", "spike", "g_post += (1 - exp(-dt/tau_g_post))*kick*w", "after_resets"),
            Pathway("post", "post", "spike", vdsp, "after_resets", -2, delay=dt),
        ),
        constants=constants(eta="0.003", kick=repr(0.05 * 784 / n_in)),
        initial=(Initial("w", "rand()", NONE, "learned.w"),),
        plastic=True,
        saved=(("w", "w"),),
        parts=("filtered", "vdsp"),
    )
    bids = Connection(
        name="bids",
        path="bids",
        source=whole("output", n_out),
        target=whole("referee", 1),
        wiring=Wiring("all", "bids.connect"),
        pathways=(
            Pathway(
                "pre_candidate", "pre", "candidate", "best_post = clip(u_pre, best_post, 1000)", "before_thresholds", 1
            ),
            Pathway("pre", "pre", "spike", "t_win_post = t"),
        ),
        parts=("bid",),
    )
    frozen = (("learned", Constant("eta", parse("0"))),)
    return Plan(
        name="digits",
        about="Does one layer learn digits without labels?",
        seed=seed,
        dt=dt,
        groups=(clock(dt * steps, steps), retina, output, referee),
        connections=(learned, bids),
        watches=(Watch("spikes_output", "spikes", "output", "output"),),
        phases=(
            Phase("train", data="train", passes=passes, shuffle=True, count=train),
            Phase("test", data="test", count=test, fresh=("retina", "output", "referee"), set=frozen),
        ),
        data=Data("synthetic", {"train": train, "test": test}),
        tables=(Table("image", "image"),),
        trial=Trial(dt * steps, steps, "trials", (("retina", "pixel", "image"),)),
    )


def images(plan: Plan, classes=10, side=28):
    """Samples that look a little like digits, and the order in which they are shown."""
    rng = np.random.default_rng(7)
    rows = sum(plan.data.splits.values())
    labels = rng.integers(0, classes, rows)
    pixels = side * side
    shapes = (rng.random((classes, pixels)) < 0.2) * rng.integers(100, 256, (classes, pixels))
    noise = (rng.random((rows, pixels)) < 0.02) * rng.integers(0, 256, (rows, pixels))
    shown = np.clip(shapes[labels] + noise, 0, 255).astype(np.uint8)
    order = np.concatenate([rng.permutation(rows)[: phase.count] for phase in plan.phases for _ in range(phase.passes)])
    return SimpleNamespace(images=shown, labels=labels), order.astype(np.int32)
