"""Rewrites on and off give the same results, and the device says which it took."""

from __future__ import annotations

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms
from native_models import MODELS

from brainsim.native import rewrites

pytestmark = [pytest.mark.compiled, pytest.mark.usefixtures("as_asked")]


@pytest.mark.parametrize("off", ["none", *(f"-{name}" for name in rewrites.REWRITES)])
@pytest.mark.parametrize("name", MODELS)
def test_results_do_not_depend_on_rewrites(name, off, native):
    found = []
    for chosen in ("all", off):
        b2.set_device("native", rewrites=chosen)
        found.append(MODELS[name]())
    for key, values in found[0].items():
        if values.dtype.kind == "i":
            np.testing.assert_array_equal(found[1][key], values, err_msg=key)
        else:
            np.testing.assert_allclose(found[1][key], values, rtol=1e-10, atol=1e-13, err_msg=key)


def test_choosing(monkeypatch):
    everything = frozenset(rewrites.REWRITES)
    assert rewrites.chosen() == rewrites.chosen("all") == everything
    assert rewrites.chosen("none") == frozenset()
    assert rewrites.chosen("exact") == everything - rewrites.ROUNDING
    assert rewrites.chosen("-exp, -vectors") == rewrites.chosen({"exp": False, "vectors": False})
    assert rewrites.chosen("none,vectors") == {"vectors"}
    monkeypatch.setenv("BRAINSIM_NATIVE_REWRITES", "-exp")
    assert rewrites.chosen() == everything - {"exp"}
    with pytest.raises(ValueError, match=r"no rewrite 'vecters': there are .*vectors"):
        rewrites.chosen("-vecters")


def test_the_device_says_what_it_took(native):
    group = b2.NeuronGroup(10, "dv/dt = -v / ms : 1\nw : 1 (linked)", threshold="v > 1", reset="v = 0", method="exact")
    other = b2.NeuronGroup(10, "x : 1")
    group.w = b2.linked_var(other, "x", index=np.arange(10)[::-1])
    group.run_regularly("v = w")
    net = b2.Network(group, other)
    native.prepare(net)
    text = native.explain()
    assert "\n       vectors\n" in text
    assert "\n       vectors not: 'w' is reached through '" in text


def test_a_condition_that_all_cells_share_is_a_whole_number(native):
    """Input that is on for a part of the time; the row of Diehl and Cook's digits."""
    counts = []
    for chosen in ("all", "none"):
        b2.set_device("native", rewrites=chosen)
        b2.seed(1)
        equations = "p = 0.5 * int(step < 5) : 1\nstep : integer (shared)"
        group = b2.NeuronGroup(20, equations, threshold="rand() < p")
        group.run_regularly("step += 1")
        spikes = b2.SpikeMonitor(group)
        net = b2.Network(group, spikes)
        net.run(1 * ms)
        assert "is open" not in native.explain()
        counts.append(np.bincount(np.round(spikes.t / b2.defaultclock.dt).astype(int), minlength=10))
    np.testing.assert_array_equal(*counts)
    assert counts[0][:4].all() and not counts[0][5:].any()


FUNCTIONS = ["exp(x)", "sqrt(abs(x))", "x**2", "x**3", "x**4", "abs(x) ** 2.5", "clip(x, -0.5, abs(y))", "sign(x)"]
FUNCTIONS += ["tanh(x)", "exprel(x)", "log(abs(x))", "-x / (1 + y**2)", "floor(x * 3)", "int(x)", "int(x > y)"]
FUNCTIONS += ["i * x", "x * 2 - k", "int(x > 0 and not (y < 0.3)) * x"]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_expressions_in_vectors_are_those_of_numpy(dtype, native, on_numpy):
    """13 cells: one whole vector and a rest. numpy's own exp may be wrong by a unit in the last place."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 2, 13), rng.normal(0, 1, 13)

    def run():
        b2.prefs.core.default_float_dtype = dtype
        try:
            equations = "\n".join(f"r{n} : 1" for n in range(len(FUNCTIONS))) + "\nx : 1\ny : 1\nk : integer"
            group = b2.NeuronGroup(13, equations)
            group.x, group.y, group.k = x, y, np.arange(13)
            group.run_regularly("\n".join(f"r{n} = {text}" for n, text in enumerate(FUNCTIONS)))
            b2.Network(group).run(0.1 * ms)
            return np.array([getattr(group, f"r{n}")[:] for n in range(len(FUNCTIONS))])
        finally:
            b2.prefs.core.default_float_dtype = np.float64

    found, expected = run(), on_numpy(run)
    tolerance = 1e-6 if dtype == np.float32 else 1e-15
    for text, mine, its in zip(FUNCTIONS, found, expected, strict=True):
        np.testing.assert_allclose(mine, its, rtol=tolerance, err_msg=text)


def test_our_exp_of_float32_is_right_to_two_units_in_the_last_place(native):
    b2.prefs.core.default_float_dtype = np.float32
    try:
        x = np.concatenate([np.linspace(-103, 90, 100001), [np.nan, np.inf, -np.inf, 0.0]]).astype(np.float32)
        group = b2.NeuronGroup(len(x), "x : 1\ny : 1")
        group.x = x
        group.run_regularly("y = exp(x)")
        b2.Network(group).run(0.1 * ms)
        found = group.y[:]
    finally:
        b2.prefs.core.default_float_dtype = np.float64
    assert found.dtype == np.float32
    exact = np.exp(x.astype(float))
    normal = (exact > 1.3e-38) & (exact < 3.4e38)
    assert np.max(np.abs(found[normal] - exact[normal]) / np.spacing(exact[normal].astype(np.float32))) <= 2
    np.testing.assert_allclose(found[~normal], exact.astype(np.float32)[~normal], rtol=1e-6, atol=1e-42)


def test_our_exp_is_right_to_one_unit_in_the_last_place(native):
    x = np.concatenate([np.linspace(-750, 720, 100001), [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-300]])
    group = b2.NeuronGroup(len(x), "x : 1\ny : 1")
    group.x = x
    group.run_regularly("y = exp(x)")
    b2.Network(group).run(0.1 * ms)
    with np.errstate(over="ignore"):
        exact = np.exp(x.astype(np.longdouble)).astype(float)
    normal = (exact > 1e-307) & np.isfinite(exact)
    assert np.max(np.abs(group.y[:][normal] - exact[normal]) / np.spacing(exact[normal])) <= 1.5
    np.testing.assert_allclose(group.y[:][~normal], exact[~normal], rtol=0, atol=1e-322)


@pytest.mark.parametrize("exposed", [False, True])
def test_values_in_the_order_of_arrival_follow_their_originals(exposed, native):
    results = []
    for chosen in ("all", "-ordered"):
        b2.set_device("native", rewrites=chosen)
        source = b2.SpikeGeneratorGroup(8, np.tile(np.arange(8), 20), np.repeat(np.arange(20), 8) * ms)
        target = b2.NeuronGroup(8, "x : 1")
        synapses = b2.Synapses(source, target, "w : 1", on_pre="x_post += w")
        synapses.connect()
        synapses.delay = np.arange(64) * 7 % 10 * 0.1 * ms
        synapses.w = np.arange(64)
        raw = native.array(synapses, "w") if exposed else None
        net = b2.Network(source, target, synapses)
        native.prepare(net)
        assert ("\n       ordered\n" in native.explain()) == (chosen == "all")
        seen = []
        for number in range(6):
            native.step(30)
            seen.append(np.array(target.x[:]))
            if exposed:
                raw[:] = (raw + number) % 17
            elif number == 2:
                synapses.w["i == 3"] = "0.25 * j"
            else:
                synapses.w = (synapses.w[:] + number) % 17
        results.append(np.array(seen))
    np.testing.assert_array_equal(*results)


def test_what_learns_is_not_copied(native):
    source = b2.SpikeGeneratorGroup(3, [0, 1], [0, 1] * ms)
    target = b2.NeuronGroup(3, "x : 1", threshold="x > 1", reset="x = 0")
    synapses = b2.Synapses(source, target, "w : 1", on_pre="x_post += w", on_post="w += 1")
    synapses.connect()
    synapses.pre.delay = [1, 0, 1, 0, 1, 0, 1, 0, 1] * ms
    native.prepare(b2.Network(source, target, synapses))
    assert "\n       ordered\n" not in native.explain()


# --- loops over synapses ----------------------------------------------------------------------------------------------


def synapses_with_a_rule(target=slice(None), **options):
    rng = np.random.default_rng(11)
    group = b2.NeuronGroup(30, "x : 1\nflag : boolean\nnumber : integer", name="cells")
    group.x, group.flag, group.number = rng.normal(0, 1, 30), rng.random(30) > 0.5, rng.integers(-3, 4, 30)
    synapses = b2.Synapses(group, group[target], "w : 1\nu : 1\nk : integer", name="plastic", **options)
    synapses.connect(p=0.5, n=2) if target == slice(None) else synapses.connect()
    synapses.w = rng.normal(0, 1, len(synapses))
    return group, synapses


@pytest.mark.parametrize("target", [slice(None), slice(7, 19)])
@pytest.mark.parametrize(
    "code",
    [
        "w = clip(w + 0.1*x_pre*(x_post - 0.2), -1, 1)",
        "u = w*number_post\nw += int(flag_pre)*u",
        "k = int(flag_post) + number_pre\nw = w/(2 + sin(x_post*k))",
        "u += i - j + N_pre",
    ],
)
def test_loops_over_synapses_read_the_cells_at_their_ends(code, target, native, on_numpy):
    def run():
        b2.seed(4)
        group, synapses = synapses_with_a_rule(target)
        synapses.run_regularly(code, dt=0.1 * ms)
        group.run_regularly("x = -x", dt=0.2 * ms)
        b2.Network(group, synapses).run(1 * ms)
        return np.concatenate([synapses.w[:], synapses.u[:], synapses.k[:]])

    found = run()
    assert "vectors" in {line.strip() for line in native.explain().splitlines()}
    assert "vectors not" not in native.explain()
    np.testing.assert_array_equal(found, on_numpy(run))


def test_loops_over_synapses_may_not_write_to_cells(native, on_numpy):
    def run():
        b2.seed(4)
        group, synapses = synapses_with_a_rule()
        synapses.run_regularly("x_post = 3", dt=0.1 * ms)
        b2.Network(group, synapses).run(0.2 * ms)
        return np.array(group.x)

    found = run()
    assert "vectors not: it writes 'x_post', which several synapses share" in native.explain()
    np.testing.assert_array_equal(found, on_numpy(run))
