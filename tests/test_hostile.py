"""What an enemy, an accident or a bare machine does: nothing is run from a folder, nothing fills the machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import brainsim
from brainsim.backends import cost, room
from brainsim.errors import FitError, RunError, SetupError

RUN = """\
experiment: small
region:
  region: pair
  populations:
    one: {neuron: {name: lif, parameters: {I_bias: 500 pA}}, size: 40}
    two: {neuron: lif, size: 40}
  projections:
    forth: {from: one, to: two, synapse: ampa, connect: all, delay: 1 ms}
run: {duration: 20 ms, backend: numpy}
record: {spikes: [one]}
"""


def test_what_does_not_fit_into_memory_is_refused_with_numbers(tmp_path):
    values = {"one.size": 20_000, "two.size": 20_000, "run.duration": "1 s"}
    with pytest.raises(SetupError) as caught:
        many = {"one.size": 10**6, "two.size": 10**6}
        brainsim.run(RUN, set=many, out=tmp_path / "many")
    told = caught.value.problems[0]
    assert "44 TB of memory" in told.message and "forth: about 1,000,000,000,000 synapses" in told.message
    assert told.hint and caught.value.exit_code == 3
    assert not (tmp_path / "many").exists()
    recording = RUN.replace("spikes: [one]", "state: {forth: {variables: [w]}}").replace(
        "connect: all", "connect: {p: 0.1}"
    )
    with pytest.raises(SetupError, match=r"forth: 400,040,000,000 values of w are recorded"):
        brainsim.run(recording, set=values, out=tmp_path / "state")
    kept = {**values, "record.state.forth.sample": 10}
    assert sum(need.disk for need in cost.needs(brainsim.plan(recording, set=kept))) < 1e6


def test_a_full_disk_is_foreseen(tmp_path, monkeypatch):
    recording = RUN.replace("spikes: [one]", "state: {one: {variables: [v]}}")
    monkeypatch.setattr(room, "free_disk", lambda folder: 1e4)
    with pytest.raises(SetupError, match=r"64.3 kB of disk, free are 10 kB \(one: 8,040 values of v"):
        brainsim.run(recording, out=tmp_path / "out")


@pytest.mark.parametrize(
    ("delay", "told"),
    [("1*ms*randn()", "a delay of -"), ("1e9*second*rand()", "1,000,000 steps"), ("1*ms - i*ms", "-38 ms")],
)
def test_drawn_delays_are_held_against_their_range(delay, told, tmp_path):
    with pytest.raises(FitError) as caught:
        brainsim.run(RUN.replace("delay: 1 ms", f"delay: {delay}"), out=tmp_path / "out")
    problem = caught.value.problems[0]
    assert told in problem.message and problem.mark.line == 8 and problem.hint


@pytest.mark.parametrize("name", ["int", "min", "print", "every_10_steps", "first_two", "network", "class", "N"])
def test_populations_may_have_any_name_in_the_script(name, tmp_path):
    text = RUN.replace("one", name).replace("connect: all", "connect: {p: 0.5}")
    results = brainsim.run(text, out=tmp_path / "out")
    script = (tmp_path / "out" / "script.py").read_text()
    found: dict = {}
    exec(compile(script, "script.py", "exec"), found)
    assert len(found["monitor"].t) == len(results.spikes(name)[0]) > 0


def test_units_of_negative_powers_are_ones_brian2_reads(tmp_path):
    cell = "{neuron: bath, parameters: {c: 2 mM, k: 3 mole/second**2}, equations: 'dv/dt = c*meter**3/k/second**3 : 1'}"
    text = f"experiment: bath\nregion: {{region: r, populations: {{one: {{neuron: {cell}, size: 1}}}}}}\n"
    brainsim.run(text + "run: {duration: 1 ms, backend: numpy}", out=tmp_path / "out")
    assert "second**-2*mole" in (tmp_path / "out" / "script.py").read_text()


def test_pipes_are_not_waited_for(tmp_path):
    (tmp_path / "small.yaml").write_text(RUN.replace("connect: all", "connect: {matrix: pairs.csv}"))
    os.mkfifo(tmp_path / "pairs.csv")
    with pytest.raises(FitError, match="not an ordinary file"):
        brainsim.check(tmp_path / "small.yaml")
    folder = tmp_path / "run"
    (folder / "segments").mkdir(parents=True)
    os.mkfifo(folder / "summary.json")
    os.mkfifo(folder / "segments" / "manifest.json")
    with pytest.raises(RunError, match="not an ordinary file"):
        _ = brainsim.open(folder).summary
    with pytest.raises(RunError, match="not an ordinary file"):
        brainsim.open(folder).spikes("one")


def test_a_table_with_an_endless_column_name(tmp_path):
    (tmp_path / "small.yaml").write_text(RUN.replace("connect: all", "connect: {matrix: pairs.csv}"))
    (tmp_path / "pairs.csv").write_text(f"source,target,{'x' * 200_000}\n1,2,3\n")
    with pytest.raises(FitError, match="field larger than"):
        brainsim.check(tmp_path / "small.yaml")


def test_nothing_in_the_working_folder_is_run(tmp_path, brainsim_command):
    (tmp_path / "small.yaml").write_text(RUN)
    trap = f"open({str(tmp_path / 'run')!r} + __name__, 'w').close()\n"
    for name in ("numpy", "yaml", "typer", "rich", "h5py", "brian2", "sympy", "matplotlib", "jinja2", "script"):
        (tmp_path / f"{name}.py").write_text(trap)
    (tmp_path / "brian_preferences").write_text(trap)
    # Not code, but it would start LaTeX.
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfont.size: 70\n")
    done = brainsim_command("run", "small.yaml", "--out", "out", PATH="/nowhere")
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.glob("run*")) and "No raster" not in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.skipif(sys.version_info[:3] == (3, 13, 0), reason="this Python fails itself to import from such a folder")
def test_a_working_folder_that_is_gone(tmp_path, root):
    (tmp_path / "small.yaml").write_text(RUN)
    code = (
        "import os, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone');"
        "from brainsim.cli.main import _attempt; sys.exit(_attempt(sys.argv[1:], False))"
    )
    env = {**os.environ, "PYTHONPATH": str(root), "NO_COLOR": "1"}
    for arguments, wanted in ((("check",), 0), (("run", "--no-report"), 3), (("show", "--script", "--out", "x.py"), 3)):
        command = [sys.executable, "-c", code, arguments[0], str(tmp_path / "small.yaml"), *arguments[1:]]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == wanted, done.stderr
        assert "error[bug]" not in done.stderr


def test_without_a_compiler_no_folder_is_made(tmp_path, brainsim_command):
    (tmp_path / "small.yaml").write_text(RUN)
    for backend in ("cython", "cpp_standalone"):
        done = brainsim_command("run", "small.yaml", "--backend", backend, "--out", "out", PATH="/nowhere", CXX="")
        assert done.returncode == 3 and "no C++ compiler" in done.stderr
        assert not (tmp_path / "out").exists()


def test_a_stimulus_takes_no_name_of_the_cell():
    cell = (
        "{neuron: cell, parameters: {I: 0 pA, g_value: 7 mV, g_2_1_start: 3}, equations: 'v = I*ohm + g_value : volt'}"
    )
    text = f"experiment: named\nregion: {{region: r, populations: {{one: {{neuron: {cell}, size: 1}}}}}}\n"
    text += "stimuli: {g: {to: one.I, pulse: {value: 5 pA, start: 1 ms}}}\nrun: {duration: 2 ms}"
    values = {constant.name: str(constant.value) for constant in brainsim.plan(text).groups[0].constants}
    assert values["g_value"] == "7 mV" and values["g_3_value"] == "5 pA"
