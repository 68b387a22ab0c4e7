"""Sessions: the same network stepped from Python on every backend, and its memory."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import brainsim
from brainsim import backends, brian, session
from brainsim.errors import FitError, RunError, SetupError

QUIET = {"rate": "0 Hz", "exc.neuron.I_bias": "260 pA", "inh.neuron.I_bias": "260 pA"}
DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "closed-loop.md"
MISSING = backends.available()


def on(name: str):
    marks = [pytest.mark.skipif(bool(MISSING[name]), reason=MISSING[name])]
    return pytest.param(name, marks=[*marks, pytest.mark.compiled] if name != "numpy" else marks)


BOTH = [on("native"), on("numpy")]
#: Cython compiles each of a dozen objects by itself: two minutes.
ALL = [*BOTH, pytest.param("cython", marks=[*on("cython").marks, pytest.mark.slow])]


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.mark.parametrize("backend", ALL)
def test_a_session_gives_the_spikes_of_a_run(backend, tmp_path):
    results = brainsim.run("cortex_ei", set={**QUIET, "run.duration": "60 ms"}, backend="numpy", out=tmp_path / "run")
    expected = results.spikes("exc")
    state, prefs = np.random.get_state()[1].copy(), brian.load().prefs["codegen.target"]
    with brainsim.Session("cortex_ei", set=QUIET, backend=backend) as run:
        parts = []
        for amount in (1, 39, 0.01, np.int64(40), np.float64(0.03)):
            run.step(amount)
            parts.append(run.spikes("exc"))
        assert run.t == pytest.approx(0.06, abs=1e-12)
        v = run.view("exc.v")
    cells, times = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    order = np.lexsort((cells, np.rint(times / 2.5e-4)))
    assert len(cells) > 100
    np.testing.assert_array_equal(cells[order], expected[1])
    np.testing.assert_allclose(times[order], expected[0], atol=1e-12)
    assert v.shape == (400,) and -0.1 < v.min() < v.max() < 0  # still ours after the end
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    b2 = brian.load()
    assert b2.prefs["codegen.target"] == prefs and b2.get_device() is b2.all_devices["runtime"]


@pytest.mark.parametrize("backend", BOTH)
def test_views_are_memory(backend):
    with brainsim.Session("cortex_ei", set=QUIET, backend=backend) as run:
        bias, rate, v = run.view("exc.neuron.I_bias"), run.view("drive.rate"), run.view("exc.v")
        assert bias[:] == pytest.approx(260e-12) and rate[:] == 0
        assert np.shares_memory(run.view("exc.I_bias"), bias)
        run.step(0.1)
        slow = run.rate("exc")
        bias[:] = 400e-12
        rate[0] = 50
        v[:] = -0.07
        run.step(1)
        assert v.max() < -0.06
        run.step(0.1)
        assert run.rate("exc") > 2 * slow > 0
        assert run.rate("drive") == pytest.approx(50, rel=0.2)


@pytest.mark.parametrize("backend", BOTH)
def test_weights_and_samples(backend):
    small = {"data.train": 4, "data.label": 2, "data.test": 2}
    with brainsim.Session("digits_vdsp", set=small, backend=backend) as run:
        weights, eta, pixels = run.view("learned.w"), run.view("learned.plasticity.eta"), run.view("retina.pixel")
        before = weights.copy()
        run.step(70)
        assert weights.shape == (78400,) and not np.array_equal(weights, before)
        first = pixels.copy()
        eta[:] = 0
        before[:] = weights
        run.step(70)
        np.testing.assert_array_equal(weights, before)
        assert not np.array_equal(first, pixels) and pixels.max() <= 1
        with pytest.raises(FitError, match="is linked"):
            run.view("output.competitors.u_top")


@pytest.mark.parametrize("backend", BOTH)
def test_rates_and_spikes_count_each_spike_once(backend, monkeypatch):
    monkeypatch.setattr(session, "UNREAD", 10)
    with brainsim.Session("cortex_ei", set=QUIET, backend=backend) as run:
        assert run.rate("exc") == 0
        total = 0
        for number in range(20):
            run.step(40)
            in_step = run.rate("exc") * 400 * 0.01
            if number % 2:
                total += len(run.spikes("exc")[0])
                assert len(run.spikes("exc")[0]) == 0
                assert run.rate("exc") * 400 * 0.01 == pytest.approx(in_step)
        run.spikes("exc")
        assert total > 200
        rates = [run.rate("inh")]
        for _ in range(10):  # never taken: old ones are forgotten, the rate is not touched
            run.step(0.02)
            rates.append(run.rate("inh"))
        assert max(rates) > 5 and len(run.spikes("inh")[0]) < 100


def test_two_sessions_and_a_run_at_once(tmp_path):
    backend = "numpy" if MISSING["native"] else "native"
    with (
        brainsim.Session("cortex_ei", set=QUIET, backend=backend) as one,
        brainsim.Session("cortex_ei", set={**QUIET, "run.dt": "0.5 ms"}, backend=backend) as two,
        brainsim.Session("cortex_ei", set=QUIET, backend="numpy") as three,
    ):
        one.step(10)
        brainsim.run("cortex_ei", set={"run.duration": "5 ms", "run.dt": "0.1 ms"}, backend="numpy", out=tmp_path / "r")
        two.step(10)
        three.step(300)
        one.step(290)
        two.step(140)
        assert [each.t for each in (one, two, three)] == pytest.approx([0.075, 0.075, 0.075])
        ours, theirs = one.spikes("exc"), three.spikes("exc")
        assert len(ours[0]) > 100 and len(two.spikes("exc")[0]) > 100
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.mark.parametrize("backend", BOTH)
def test_noise_follows_the_seed(backend):
    def spikes(seed):
        with (
            brainsim.Session("cortex_ei", seed=seed, backend=backend) as run,
            brainsim.Session("cortex_ei", seed=7, backend=backend) as other,
        ):
            run.step(200)
            np.random.rand(3)
            other.step(seed)
            run.step(200)
            return run.spikes("exc")[1]

    first, again, other = spikes(1), spikes(1), spikes(2)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.compiled
@pytest.mark.skipif(bool(MISSING["native"]), reason=MISSING["native"])
def test_a_call_costs_microseconds():
    with brainsim.Session(
        "cortex_ei", set={**QUIET, "n_exc": 10, "n_inh": 10, "k_exc": 2, "k_inh": 2}, backend="native"
    ) as run:
        v = run.view("exc.v")

        def loop(calls, steps):
            start = time.perf_counter()
            for _ in range(calls):
                run.step(steps)
                run.rate("exc")
                v[0]
            return time.perf_counter() - start

        single = min(loop(1000, 1) for _ in range(10))
        at_once = min(loop(1, 1000) for _ in range(10))
        assert (single - at_once) / 1000 < 15e-6  # 1 to 2 us on a quiet machine


@pytest.mark.parametrize("backend", BOTH)
def test_ctrl_c_leaves_a_session_that_can_go_on(backend):
    with brainsim.Session("cortex_ei", set=QUIET, backend=backend) as run:
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            run.step(10**9)
        timer.join()
        reached = run.t
        run.step(4)
        assert run.t == pytest.approx(reached + 0.001) and reached > 0


# --- what is refused ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quiet():
    with brainsim.Session("cortex_ei", set=QUIET, backend="numpy") as run:
        yield run


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("exc.w", "no variable exc.w", "exc.v"),
        ("exk.v", "no variable exk.v", "exc.v"),
        ("exc.I_syn", "computed where it is needed", "exc."),
        ("drive.rat", "no variable drive.rat", "drive.rate"),
        ("exc_to_inh.synapse.gmax", "no variable", "g_max"),
        ("", "no variable", ""),
    ],
)
def test_names_of_views(quiet, path, message, hint):
    with pytest.raises(FitError) as caught:
        quiet.view(path)
    assert message in str(caught.value) and hint in caught.value.problems[0].hint


def test_names_of_populations(quiet):
    for call in (quiet.spikes, quiet.rate):
        with pytest.raises(FitError, match="no population exd"):
            call("exd")


@pytest.mark.parametrize("amount", [-1, 0.0001, "much", float("nan"), float("inf")])
def test_steps_that_are_none(quiet, amount):
    before = quiet.t
    with pytest.raises(FitError):
        quiet.step(amount)
    assert quiet.t == before


def test_a_closed_session():
    with brainsim.Session("cortex_ei", set=QUIET, backend="numpy") as run:
        pass
    with pytest.raises(RunError, match="closed"):
        run.step()


def test_backends_that_cannot_be_stepped(monkeypatch):
    for name in ("cpp_standalone", "nativ"):
        with pytest.raises(SetupError, match="cannot be stepped") as caught:
            brainsim.Session("cortex_ei", backend=name)
        assert "native" in caught.value.problems[0].hint
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with brainsim.Session("cortex_ei", set=QUIET, backend="auto") as run:
        assert run.backend == "numpy" and "compiler" in run.reason


# --- the document ---------------------------------------------------------------------------------------


def test_the_example_of_the_document_holds_its_target(capsys, monkeypatch, tmp_path):
    (code,) = re.findall(r"(?ms)^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"))
    assert len(code.splitlines()) <= 30
    if MISSING["native"]:
        code = code.replace("range(1, 501)", "range(1, 101)")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(DOCUMENT), "exec"), {})
    rates = [float(found) for found in re.findall(r"cells ([\d.]+) Hz", capsys.readouterr().out)]
    assert rates and rates[-1] == pytest.approx(20, abs=4)
    assert list(tmp_path.iterdir()) == []
