"""All-to-all connections: spikes of a step together give what they give one after the other, bit for bit."""

from __future__ import annotations

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms

from brainsim.builder import _function
from brainsim.functions import FUNCTIONS

pytestmark = [pytest.mark.compiled, pytest.mark.usefixtures("as_asked")]


class Model:
    """Generated spikes on both sides of a full matrix; several cells fire in most steps."""

    def __init__(self, rows=21, columns=13, on_pre="", on_post="", connect=True, delay=None, more="", **options):
        rng = np.random.default_rng(3)
        groups = []
        for name, size in (("a", rows), ("b", columns)):
            group = b2.NeuronGroup(
                size,
                """dx/dt = 0*Hz : 1 (unless refractory)
                y : 1
                word : integer
                now : boolean
                late : second""",
                threshold="fires(t, i) > 0.6",
                refractory="late",
                method="euler",
                name=name,
                namespace={"fires": b2.TimedArray(rng.random((200, size)), dt=0.1 * ms)},
            )
            group.x, group.y = rng.normal(0, 1, size), rng.normal(0, 1, size)
            group.word = rng.integers(0, 2**31, size) * (rng.random(size) < 0.5)
            group.late = rng.integers(0, 8, size) * 0.1 * ms
            groups.append(group)
        self.a, self.b = groups
        self.synapses = b2.Synapses(
            *groups, "w : 1\nu : 1", on_pre=on_pre or None, on_post=on_post or None, name="matrix",
            namespace=dict(options),
        )  # fmt: skip
        if connect is True:
            self.synapses.connect()
        else:
            self.synapses.connect(i=connect[0], j=connect[1])
        if delay is not None:
            (self.synapses.pre if on_pre else self.synapses.post).delay = delay * ms
        self.synapses.w = rng.normal(0, 1, len(self.synapses))
        self.net = b2.Network(*groups, self.synapses)

    def values(self):
        parts = [self.synapses.w, self.synapses.u, *(getattr(g, name) for g in (self.a, self.b) for name in "xy")]
        return np.concatenate([np.array(part[:]) for part in parts])


def taken(native):
    return {line.strip() for line in native.explain().splitlines()}


def chosen(rewrites):
    b2.set_device("native", rewrites=rewrites)


CODE = {
    "rows": {"on_pre": "y_post += w*y_pre"},
    "rows that are divided": {"on_pre": "y_post += w/(1 - 0.3*x_pre)\nu += y_post"},
    "rows to refractory cells": {"on_pre": "x_post += w"},
    "rows that change": {"on_pre": "y_post += w\nw = clip(w*0.99 + 0.01*x_post, -1, 1)"},
    "columns": {"on_post": "w = clip(w + 0.1*x_pre*y_post, -1, 1)"},
    "columns back": {"on_post": "y_pre += w*x_post"},
    "columns and their cells": {"on_post": "u += 0.1*w\ny_pre = clip(y_pre + u*x_post, -3, 3)"},
}


@pytest.mark.parametrize("size", [(21, 13), (8, 8), (16, 11), (9, 1000)])
@pytest.mark.parametrize("code", CODE)
def test_results_are_those_of_single_spikes_and_of_numpy(code, size, native, on_numpy):
    def run():
        model = Model(*size, **CODE[code])
        model.net.run(3 * ms)
        return model.values()

    together = run()
    assert "matrix" in taken(native)
    chosen("-matrix")
    one_by_one = run()
    assert "matrix not: switched off" in native.explain()
    np.testing.assert_array_equal(together, one_by_one)
    if "change" not in code and "their" not in code and "divided" not in code:
        # numpy does one statement for all spikes before the next one
        np.testing.assert_array_equal(together, on_numpy(run))


@pytest.mark.parametrize("size", [(21, 13), (8, 16), (16, 11), (70, 37), (37, 100)])
@pytest.mark.parametrize("code", CODE)
def test_results_in_float32_are_those_of_single_spikes(code, size, native):
    def run():
        model = Model(*size, **CODE[code])
        model.net.run(2 * ms)
        return model.values()

    b2.prefs.core.default_float_dtype = np.float32
    try:
        together = run()
        assert "matrix" in taken(native)
        chosen("-matrix")
        one_by_one = run()  # in which numbers written in the code are of 64 bits
        np.testing.assert_allclose(together, one_by_one, rtol=2e-5, atol=1e-5)
        if "0." not in str(CODE[code]):
            np.testing.assert_array_equal(together, one_by_one)
    finally:
        b2.prefs.core.default_float_dtype = np.float64


REASONS = {
    "connections are not all to all": {"connect": (np.arange(12), np.arange(12)), "on_pre": "y_post += w"},
    "delays differ": {"delay": np.linspace(0, 2, 273), "on_pre": "y_post += w"},
    "it writes 'y_pre', which several synapses share": {"on_pre": "y_pre += w"},
    "it writes 'y_post', which several synapses share": {"on_post": "y_post += w"},
    "a spike reaches few cells": {"columns": 3, "on_pre": "y_post += w"},
    "it draws random numbers": {"on_pre": "y_post += w*rand()"},
}


@pytest.mark.parametrize("reason", REASONS)
def test_it_says_why_not(reason, native):
    Model(**REASONS[reason]).net.run(0.5 * ms)
    assert f"matrix not: {reason}" in native.explain()


@pytest.mark.parametrize("side", ["on_pre", "on_post"])
def test_the_same_group_at_both_ends_is_left_alone_where_one_spike_could_change_another(side, native):
    group = b2.NeuronGroup(9, "v : 1", threshold="v > 0.5", reset="")
    code = "v_post += w*v_pre" if side == "on_pre" else "v_pre += w*v_post"
    synapses = b2.Synapses(group, group, "w : 1", **{side: code})
    synapses.connect()
    synapses.w = 0.1
    group.v = np.linspace(0, 1, 9)
    b2.Network(group, synapses).run(0.3 * ms)
    assert "matrix not: 'v_" in native.explain()


@pytest.mark.parametrize("code", [{"on_pre": "y_post += w*y_pre"}, {"on_post": "y_pre += w*x_post"}])
def test_spikes_on_their_way_are_stored_and_restored(code, native, on_numpy):
    def run():
        model = Model(delay=0.7, **code)
        model.net.run(1.2 * ms)
        model.net.store()
        model.net.run(1.5 * ms)
        first = model.values()
        model.net.restore()
        model.net.run(1.5 * ms)
        return np.array([first, model.values()])

    found = run()
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found, on_numpy(run))


def test_connections_made_later_are_seen(native, on_numpy):
    def run():
        model = Model(**CODE["columns back"])
        model.net.run(1 * ms)
        model.synapses.connect(i=0, j=0)
        model.synapses.w[-1] = 0.3
        model.net.run(1 * ms)
        return model.values()

    found = run()
    assert "connections are not all to all" in native.explain()
    np.testing.assert_array_equal(found, on_numpy(run))


# --- a copy in the order of the other side, see ordered.py ------------------------------------------------------------

KEPT = {
    "changed": {"on_post": "w = clip(w + 0.1*x_pre*y_post, -1, 1)"},
    "changed and read": {"on_post": {"change": "w = clip(w + 0.1*x_pre*y_post, -1, 1)", "read": "y_pre += w*x_post"}},
    "read and changed": {"on_post": {"a": "y_pre += w*x_post", "b": "u = w\nw = 0.9*w + 0.1*x_pre*y_post"}},
    "changed by words": {
        "on_post": {"read": "y_pre += w*x_post", "words": "w += y_post*paired_trace(word_pre, word_post, decay)"}
    },
    "changed twice": {"on_post": {"a": "w += 0.1*x_pre", "b": "w *= 0.9*y_post"}},
}


def kept_model(code, size=(21, 13), **options):
    return Model(*size, on_pre="y_post += 0.01*w", decay=0.75, paired_trace=_function(FUNCTIONS["paired_trace"]),
                 **KEPT[code], **options)  # fmt: skip


@pytest.mark.parametrize("size", [(21, 13), (8, 8), (9, 70)])
@pytest.mark.parametrize("code", KEPT)
def test_what_both_sides_use_is_kept_in_two_orders(code, size, native):
    def run():
        model = kept_model(code, size)
        model.synapses.delay = 0 * ms
        model.net.run(2 * ms)
        first = model.values()
        model.synapses.w[3:9] = "0.1*i"
        model.net.run(1 * ms)
        model.net.store()
        model.net.run(1 * ms)
        model.net.restore()
        third = model.values()
        model.net.run(0.7 * ms)
        return np.array([first, third, model.values()])

    together = run()
    assert {"ordered", "matrix"} <= taken(native)
    for others in ("-ordered", "-matrix", "none"):
        chosen(others)
        np.testing.assert_array_equal(together, run())


@pytest.mark.parametrize("code", ["changed", "changed and read"])
@pytest.mark.parametrize("python", [False, True])
def test_what_is_kept_in_two_orders_may_be_watched_and_changed(code, python, native):
    """By a monitor, by other code that reads it, by Python between runs, and on the way (then it is kept once)."""

    def run():
        model = kept_model(code)
        monitor = b2.StateMonitor(model.synapses, "w", record=[0, 5, 200])
        reader = model.synapses.run_regularly("u = w", dt=0.3 * ms)

        @b2.network_operation(dt=0.5 * ms)
        def turn():
            model.synapses.w[7] = -model.synapses.w[7]

        model.net.add(monitor, *[turn] * python, reader)
        for _ in range(3):
            model.net.run(0.7 * ms)
            model.synapses.w[11:20] += 0.1
        return np.concatenate([model.values(), monitor.w.ravel()])

    together = run()
    assert ("ordered" in taken(native)) != python
    chosen("none")
    np.testing.assert_array_equal(together, run())


def test_a_view_of_what_is_kept_in_two_orders(native):
    def run(device):
        model = kept_model("changed and read")
        device.prepare(model.net)
        view = device.array(model.synapses, "w")
        for step in range(20):
            view[step * 5] += 1
            device.step()
        return model.values()

    together = run(native)
    chosen("none")
    np.testing.assert_array_equal(together, run(native))


@pytest.mark.parametrize("where", ["on_pre", "every", "delays"])
def test_it_is_kept_once_where_others_change_it(where, native, on_numpy):
    def run():
        codes = {"on_pre": "w *= 0.99" if where == "on_pre" else "y_post += 0.01*w", **KEPT["changed"]}
        model = Model(**codes)
        if where == "every":
            model.synapses.run_regularly("w *= 0.99", dt=0.2 * ms)
            model.net.add(model.synapses.contained_objects[-1])
        if where == "delays":
            model.synapses.post.delay = "i*0.02*ms"
        model.net.run(1 * ms)
        return model.values()

    together = run()
    assert "ordered" not in taken(native)
    chosen("none")
    np.testing.assert_array_equal(together, run())


# --- functions prepared for eight cells -------------------------------------------------------------------------------

PAIRED = {"on_post": "w += rate*y_post*paired_trace(word_pre, word_post, decay)"}


@pytest.mark.parametrize(("rate", "zeros"), [(0.1, True), (np.inf, False)])
def test_synapses_without_a_change_are_left_out(rate, zeros, native, on_numpy):
    """Infinity times zero is no number, and stays so."""

    def run():
        model = Model(**PAIRED, rate=rate, decay=0.75, paired_trace=_function(FUNCTIONS["paired_trace"]))
        model.net.run(1 * ms)
        return model.values()

    found = run()
    assert {"matrix", "unchanged"} <= taken(native)
    np.testing.assert_array_equal(found, on_numpy(run))
    assert np.isfinite(found).all() == zeros
    chosen("-unchanged")
    np.testing.assert_array_equal(found, run())
    assert "unchanged" not in taken(native)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "code",
    [
        "w += y_post*paired_trace(word_pre, word_post, decay)",
        "w += rate*(y_post*(x_post*paired_trace(word_pre, word_post, decay)))",
        "w = clip(w + 0.1*u*x_pre*paired_trace(word_pre, word_post, decay), -1, 1)",  # u is a copy
        "w += x_pre*paired_trace(word_pre, word_post, decay)*y_post",
        "u = w\nw += u*paired_trace(word_pre, word_post, decay)\nu += int(now_post)*x_pre",
    ],
)
@pytest.mark.parametrize("size", [(21, 13), (16, 8), (9, 100)])
def test_columns_across_give_what_single_spikes_give(size, code, dtype, native):
    def run():
        model = Model(*size, on_post=code, rate=0.3, decay=0.75, paired_trace=_function(FUNCTIONS["paired_trace"]))
        model.synapses.u = np.linspace(-1, 1, len(model.synapses))
        model.b.now = np.arange(size[1]) % 3 == 0
        model.net.run(2 * ms)
        return model.values()

    b2.prefs.core.default_float_dtype = dtype
    try:
        found = run()
        assert "matrix" in taken(native)
        chosen("-unchanged")
        np.testing.assert_array_equal(found, run())
        chosen("-matrix")
        np.testing.assert_array_equal(found, run())
    finally:
        b2.prefs.core.default_float_dtype = np.float64


@pytest.mark.parametrize(("decay", "left_out"), [(0.75, True), (1e30, False)])
def test_nothing_is_changed_with_a_rate_of_zero(decay, left_out, native, on_numpy):
    """With a large decay the trace is infinite, and zero times that is no number."""

    def run():
        model = Model(**PAIRED, rate=0.0, decay=decay, paired_trace=_function(FUNCTIONS["paired_trace"]))
        model.net.run(1 * ms)
        return np.array(model.synapses.w)

    found = run()
    assert "unchanged" in taken(native)
    assert np.isfinite(found).all() == left_out
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(found, on_numpy(run))


def test_a_function_that_is_prepared_for_a_row_cannot_change_the_cell_of_the_row(native, on_numpy):
    def run():
        code = "w += x_pre*paired_trace(word_pre, word_post, decay)\nx_pre += 0.01*w"
        model = Model(on_post=code, decay=0.75, paired_trace=_function(FUNCTIONS["paired_trace"]))
        model.net.run(1 * ms)
        return model.values()

    together = run()
    assert "matrix not: it writes 'x_pre' and calls a function prepared for it" in native.explain()
    chosen("none")
    np.testing.assert_array_equal(together, run())


def test_a_change_that_is_not_zero_with_the_function_is_made(native, on_numpy):
    def run():
        code = "w += y_post*(0.1 + paired_trace(word_pre, word_post, decay))"
        model = Model(on_post=code, decay=0.75, paired_trace=_function(FUNCTIONS["paired_trace"]))
        model.net.run(1 * ms)
        return model.values()

    np.testing.assert_array_equal(run(), on_numpy(run))


@pytest.mark.parametrize("decay", [0.0, 0.75, 1.0, -0.5])
def test_paired_trace_for_eight_cells(decay, native, on_numpy):
    rng = np.random.default_rng(8)
    words = np.concatenate([[0, 1, 2**30, 2**31 - 1, -1], rng.integers(0, 2**31, 27)])

    def run():
        model = Model(32, 32, on_post="w = paired_trace(word_pre, word_post, decay)", decay=decay,
                      paired_trace=_function(FUNCTIONS["paired_trace"]))  # fmt: skip
        model.a.word = model.b.word = words
        model.net.run(2 * ms)
        return np.array(model.synapses.w)

    np.testing.assert_array_equal(run(), on_numpy(run))
    assert "matrix" in taken(native)


# --- what else came with learning networks ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 8, 9, 63, 64, 65, 128, 131])
def test_events_are_those_of_numpy(size, native, on_numpy):
    values = np.random.default_rng(size).random(size)

    def run():
        group = b2.NeuronGroup(size, "x : 1\ncount : 1", threshold="x > 0.4", reset="count += 1", refractory=0.2 * ms)
        group.x = values
        spikes = b2.SpikeMonitor(group)
        b2.Network(group, spikes).run(0.5 * ms)
        return np.concatenate([np.array(spikes.i), np.array(spikes.t_) * 1e5, np.array(group.count)])

    np.testing.assert_array_equal(run(), on_numpy(run))


def test_exp_where_it_is_multiplied_by_zero(native, on_numpy):
    x = np.concatenate([np.full(8, 0.5), np.full(8, -0.5), np.linspace(-3, 3, 13), [800.0, -800.0, np.inf, np.nan]])

    def run():
        group = b2.NeuronGroup(len(x), "x : 1\ny : 1\nz : 1")
        group.x = x
        group.run_regularly("y = 3 + int(x < 0)*(exp(-x) - 1)*2 - int(x > 0)*2*exp(x)")
        group.run_regularly("z = int(x > 0)*(2 + 1/(exp(x) - 1))")
        b2.Network(group).run(0.1 * ms)
        return np.array([group.y, group.z])

    found = run()
    assert "vectors" in native.explain()
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(found, on_numpy(run), rtol=1e-14)


def test_exp_of_clipped_values(native, on_numpy):
    x = np.concatenate([np.zeros(16), np.linspace(-1, 2, 9), np.zeros(8), np.ones(8), [0.3, np.nan, 0.3]])

    def run():
        group = b2.NeuronGroup(len(x), "x : 1\ny : 1")
        group.x = x
        group.run_regularly("y = exp(-clip(x, 0, 1))")
        b2.Network(group).run(0.2 * ms)
        return np.array(group.y)

    np.testing.assert_allclose(run(), on_numpy(run), rtol=4e-16)


def test_our_log_is_right_to_one_unit_in_the_last_place(native):
    rng = np.random.default_rng(2)
    x = np.concatenate([np.exp(rng.uniform(-700, 700, 50000)), 1 + rng.uniform(-0.5, 0.5, 50000)])
    x = np.concatenate([x, np.full(8, 1.0), [0.0, -0.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, 1e-310]])
    group = b2.NeuronGroup(len(x), "x : 1\ny : 1", threshold="True", reset="y = log(x)")
    group.x = x
    b2.Network(group).run(0.1 * ms)
    assert "vectors" in taken(native)
    with np.errstate(all="ignore"):
        exact = np.log(x.astype(np.longdouble)).astype(float)
    usual = np.isfinite(exact) & (exact != 0)
    assert np.max(np.abs(group.y[:][usual] - exact[usual]) / np.spacing(np.abs(exact[usual]))) <= 1.5
    np.testing.assert_array_equal(group.y[:][~usual], exact[~usual])
