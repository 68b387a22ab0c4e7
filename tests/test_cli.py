"""The command line as a user meets it: exit codes, streams, messages."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import brainsim
from brainsim.cli import console, main, progress
from brainsim.cli import run as run_verb
from brainsim.errors import FileError, Mark, Problem, RunError, SetupError

ROOT = Path(__file__).resolve().parent.parent

SMALL = """\
experiment: small
grammar: 1
about: Forty cells that inhibit each other.
region:
  region: pair
  populations:
    exc: {neuron: {name: lif, parameters: {I_bias: 300 pA}}, size: 30}
    inh: {neuron: {name: lif, parameters: {I_bias: 300 pA}}, size: 10}
  projections:
    excite: {from: exc, to: inh, synapse: ampa, connect: {p: 0.2}, delay: 1 ms}
    inhibit: {from: inh, to: exc, synapse: gaba_a, connect: {p: 0.2}}
run: {duration: 50 ms, backend: numpy}
record: {spikes: [exc, inh]}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def attempt(arguments: list[str], debug: bool = False) -> int:
    return main._attempt(arguments, debug)


class TestErrors:
    """What each kind of failure looks like; the engine is replaced by one that fails in the wanted way."""

    def fail_with(self, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
        def fail(*_, **__):
            raise error

        monkeypatch.setattr(run_verb, "run", fail)

    def test_problems_name_the_place_the_hint_and_the_count(self, monkeypatch, capsys):
        first = Problem("unit", "tau_c expects a time, got 1 mV", Mark("r_stdp.yaml", 21, 10), "Write 1 ms.")
        second = Problem("needs", "no projection brings DA")
        self.fail_with(monkeypatch, FileError([first, second]))
        assert attempt(["run", "x"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.splitlines() == [
            "r_stdp.yaml:21:10: error[unit]: tau_c expects a time, got 1 mV",
            "    Write 1 ms.",
            "error[needs]: no projection brings DA",
            "2 problems; nothing was built.",
        ]

    def test_long_messages_are_not_folded(self, monkeypatch, capsys):
        self.fail_with(monkeypatch, FileError(Problem("value", "word " * 100, Mark("a.yaml", 1, 2))))
        monkeypatch.setenv("COLUMNS", "40")
        attempt(["run", "x"])
        assert len(capsys.readouterr().err.splitlines()) == 2

    def test_square_brackets_are_no_markup(self, monkeypatch, capsys):
        self.fail_with(monkeypatch, FileError(Problem("path", "[bold]exc[0:3][/bold] [/]")))
        attempt(["run", "x"])
        assert "[bold]exc[0:3][/bold] [/]" in capsys.readouterr().err

    @pytest.mark.parametrize(("error", "code"), [(RunError, 1), (FileError, 2), (SetupError, 3)])
    def test_exit_codes(self, monkeypatch, capsys, error, code):
        self.fail_with(monkeypatch, error(Problem("backend", "it broke")))
        assert attempt(["run", "x"]) == code
        assert ("nothing was built" in capsys.readouterr().err) == (error is FileError)

    def test_a_bug_is_one_sentence_without_traceback(self, monkeypatch, capsys):
        self.fail_with(monkeypatch, ZeroDivisionError("division by zero"))
        assert attempt(["run", "x"]) == 1
        err = capsys.readouterr().err
        assert "ZeroDivisionError: division by zero" in err
        assert "bug in brainsim" in err and "--debug" in err
        assert "Traceback" not in err

    def test_debug_shows_the_traceback(self, monkeypatch, capsys):
        self.fail_with(monkeypatch, FileError(Problem("value", "wrong")))
        assert attempt(["run", "x"], debug=True) == 2
        assert "Traceback" in capsys.readouterr().err
        self.fail_with(monkeypatch, ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            attempt(["run", "x"], debug=True)

    def test_ctrl_c_is_one_line(self, monkeypatch, capsys):
        self.fail_with(monkeypatch, KeyboardInterrupt())
        assert attempt(["run", "x"]) == 130
        assert capsys.readouterr().err == "Interrupted.\n"


class TestUsage:
    def test_unknown_verb_names_the_nearest(self, capsys):
        assert attempt(["shwo", "x"]) == 2
        out, err = capsys.readouterr()
        assert "'show'" in err and not out

    def test_unknown_option_names_the_nearest(self, capsys):
        assert attempt(["run", "x", "--sed", "3"]) == 2
        assert "--seed" in capsys.readouterr().err

    def test_missing_argument(self, capsys):
        assert attempt(["run"]) == 2
        assert "EXPERIMENT" in capsys.readouterr().err

    @pytest.mark.parametrize("item", ["run.seed", "=3", "run.seed 3"])
    def test_set_without_equals(self, capsys, item):
        assert attempt(["run", "cortex_ei", "--set", item]) == 2
        err = capsys.readouterr().err
        assert "PATH=VALUE" in err and item in err

    def test_set_keeps_later_equals_signs(self):
        assert run_verb.overrides(["a.b=x == 2", " c = 1 ms "]) == {"a.b": "x == 2", "c": "1 ms"}

    def test_version(self, capsys):
        assert attempt(["--version"]) == 0
        assert capsys.readouterr().out == f"brainsim {brainsim.__version__}\n"

    @pytest.mark.parametrize("verb", ["run", "check", "show", "list", "cite", "report", "schema"])
    def test_every_verb_has_help(self, capsys, verb):
        assert attempt([verb, "--help"]) == 0
        assert "--help" in capsys.readouterr().out

    def test_debug_is_allowed_anywhere(self, brainsim_command):
        assert brainsim_command("--debug", "schema", "neuron").returncode == 0
        assert brainsim_command("schema", "neuron", "--debug").returncode == 0

    def test_help_is_fast(self, brainsim_command):
        def once() -> float:
            begin = time.monotonic()
            assert brainsim_command("--help").returncode == 0
            return time.monotonic() - begin

        # About 0.2 s on an idle machine; the bound only says that nothing heavy was imported.
        assert min(once() for _ in range(3)) < 1.0


class TestBrowse:
    def test_list_names_every_kind(self, brainsim_command):
        done = brainsim_command("list")
        assert done.returncode == 0, done.stderr
        for name in ("lif", "ampa", "stdp", "vdsp_layer", "digits_vdsp"):
            assert re.search(rf"(?m)^{name}\s", done.stdout), name

    @pytest.mark.parametrize("kind", ["neuron", "neurons"])
    def test_list_of_one_kind(self, brainsim_command, kind):
        done = brainsim_command("list", kind)
        assert re.search(r"(?m)^lif\s", done.stdout)
        assert not re.search(r"(?m)^ampa\s", done.stdout)

    def test_list_of_no_kind(self, brainsim_command):
        done = brainsim_command("list", "nueron")
        assert done.returncode == 2
        assert "Did you mean neuron?" in done.stderr

    def test_list_finds_own_parts(self, brainsim_command, tmp_path: Path):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "slow_lif.yaml").write_text(
            "neuron: slow_lif\nextends: lif\nabout: A slow one.\nparameters: {g_L: 2 nS}\n"
        )
        done = brainsim_command("list", "neuron", "--library", "mine")
        assert re.search(r"(?m)^slow_lif < lif\s+A slow one\.", done.stdout)

    def test_list_of_parts_with_every_word(self, brainsim_command):
        done = brainsim_command("list", "--kind", "synapse", "conductance", "FAST")
        assert re.search(r"(?m)^ampa\s", done.stdout)
        assert not re.search(r"(?m)^(delta|nmda|lif)\s", done.stdout)
        done = brainsim_command("list", "neurons", "poisson")
        assert re.search(r"(?m)^lif_poisson < lif\s", done.stdout), done.stderr
        done = brainsim_command("list", "zebra")
        assert (done.returncode, done.stdout) == (0, "") and "zebra" in done.stderr

    def test_schema_is_json_with_documentation(self, brainsim_command):
        made = json.loads(brainsim_command("schema", "plasticity").stdout)
        assert made["properties"]["needs"]["description"]
        assert "from" in json.loads(brainsim_command("schema", "region").stdout)["$defs"]["Projection"]["properties"]

    def test_cite(self, brainsim_command):
        done = brainsim_command("cite", "digits_vdsp")
        assert done.returncode == 0, done.stderr
        assert "Garg" in done.stdout

    def test_check_fine(self, brainsim_command, small: Path):
        done = brainsim_command("check", str(small), "cortex_ei")
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(": fine\n") == 2

    def test_check_reports_all_files(self, brainsim_command, small: Path, tmp_path: Path):
        (tmp_path / "one.yaml").write_text("neuron: one\nabout: x\nequation: |\n  v : 1\n")
        (tmp_path / "two.yaml").write_text("synapse: two\nabout: x\nparameters: {tau: 5 mss}\n")
        done = brainsim_command("check", "one.yaml", str(small), "two.yaml")
        assert done.returncode == 2
        assert re.search(r"(?m)one\.yaml:3:1: error\[key\]", done.stderr)
        assert "equations" in done.stderr
        assert re.search(r"(?m)two\.yaml:3:\d+: error\[unit\]", done.stderr)
        assert done.stderr.rstrip().endswith("2 problems; nothing was built.")
        assert "Traceback" not in done.stderr

    def test_unknown_experiment_names_the_nearest(self, brainsim_command):
        done = brainsim_command("run", "digit_vdsp")
        assert done.returncode == 2
        assert "digits_vdsp" in done.stderr


class TestShow:
    def test_graph_names_cells_and_projections(self, brainsim_command, small: Path):
        done = brainsim_command("show", str(small), "--graph")
        assert done.returncode == 0, done.stderr
        assert re.search(r"(?m)^exc\s+30\s+lif", done.stdout)
        assert re.search(r"(?m)^excite\s+exc\s+inh\s+.*ampa.*1 ms", done.stdout)

    def test_equations_are_the_final_ones(self, brainsim_command, small: Path):
        done = brainsim_command("show", str(small), "--equations")
        assert "dv/dt" in done.stdout and "I_ampa" in done.stdout and "g_ampa_post" in done.stdout

    def test_why_prints_the_chain_in_order(self, brainsim_command, small: Path):
        done = brainsim_command("show", str(small), "--why", "exc.neuron.I_bias", "--set", "exc.neuron.I_bias=310 pA")
        assert done.returncode == 0, done.stderr
        places = [done.stdout.index(value) for value in ("0 pA", "300 pA", "310 pA")]
        assert places == sorted(places)

    def test_why_says_what_an_expression_comes_to(self, brainsim_command):
        done = brainsim_command("show", "brunel", "--why", "exc.size", "--set", "scale=0.2")
        first, last = done.stdout.splitlines()
        assert first.startswith("n_exc ") and last.split() == ["2000", "what", "it", "comes", "to"]
        done = brainsim_command("show", "brunel", "--why", "scale", "--set", "scale=0.2")
        assert done.stdout.splitlines()[-1].split() == ["0.2", "command", "line"]

    def test_why_of_a_value_nobody_gave(self, brainsim_command, small: Path):
        done = brainsim_command("show", str(small), "--why", "inhibit.delay")
        assert (done.returncode, done.stdout.strip()) == (0, "not given"), done.stderr

    def test_graph_says_how_distance_connects(self, brainsim_command, small: Path):
        text = SMALL.replace("size: 30}", "size: 30, layout: {ring: 1 mm}}").replace("10}", "10, layout: {ring: 1 mm}}")
        small.write_text(text.replace("{p: 0.2}, delay", "{distance: 0.2 mm, p: 0.5}, delay"))
        done = brainsim_command("show", str(small), "--graph")
        assert "p 0.5, distance" in done.stdout, done.stderr

    def test_nothing_shown_stands_for_something_else(self, brainsim_command):
        done = brainsim_command("show", "brunel")
        assert "initial:" in done.stdout and "*id" not in done.stdout

    def test_a_wrong_value_of_the_command_line_has_no_line(self, brainsim_command, small: Path):
        done = brainsim_command("check", str(small), "--set", "exc.siz=3")
        assert done.stderr.startswith("command line: error[path]: exc.siz")

    def test_why_of_no_path(self, brainsim_command, small: Path):
        done = brainsim_command("show", str(small), "--why", "exc.neuron.I_bais")
        assert done.returncode == 2
        assert "I_bias" in done.stderr

    def test_script_goes_to_a_file(self, brainsim_command, small: Path, tmp_path: Path):
        done = brainsim_command("show", str(small), "--script", "--out", "script.py")
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        compile((tmp_path / "script.py").read_text(), "script.py", "exec")

    def test_a_part(self, brainsim_command):
        done = brainsim_command("show", "r_stdp")
        assert done.returncode == 0, done.stderr
        assert "tau_c" in done.stdout and "A_plus" in done.stdout  # own, and from its parent

    def test_a_picture_of_a_part(self, brainsim_command, tmp_path: Path):
        done = brainsim_command("show", "lif", "--out", "lif.svg", "--set", "E_L=-65 mV")
        assert done.returncode == 0, done.stderr
        assert "I_bias" in (tmp_path / "lif.svg").read_text()
        done = brainsim_command("show", "lif", "--out", "lif.png", "--set", "E_l=-65 mV")
        assert done.returncode == 2 and "Did you mean E_L?" in done.stderr

    def test_why_there_is_no_picture(self, brainsim_command, tmp_path: Path):
        (tmp_path / "still.yaml").write_text("neuron: still\nequations: |\n  v : 1\n")
        done = brainsim_command("show", "still.yaml", "--out", "still.svg")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("There is no picture of still: ") and not (tmp_path / "still.svg").exists()

    def test_unknown_part(self, brainsim_command):
        done = brainsim_command("show", "r_stpd")
        assert done.returncode == 2
        assert "r_stdp" in done.stderr

    def test_broken_pipe_is_quiet(self, tmp_path: Path):
        command = f"{sys.executable} -m brainsim schema region | head -n 1"
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "{"
        assert done.stderr == ""


class TestRun:
    def test_says_what_came_out_and_where(self, brainsim_command, small: Path, tmp_path: Path):
        done = brainsim_command("run", str(small), "--seed", "7", "--out", "here", "--raster")
        assert done.returncode == 0, done.stderr
        assert re.search(r"small: complete, 0\.05 s of model time on numpy, seed 7", done.stdout)
        assert re.search(r"(?m)^exc\s+30\s+[\d,]+\s+[\d.]+ Hz", done.stdout)
        assert "here" in done.stdout and "report.html" in done.stdout
        assert re.search(r"[\u2801-\u28ff]", done.stdout)
        assert (tmp_path / "here" / "report.html").exists()
        assert json.loads((tmp_path / "here" / "summary.json").read_text())["seed"] == 7

    def test_no_report_and_report(self, brainsim_command, small: Path, tmp_path: Path):
        assert brainsim_command("run", str(small), "--out", "here", "--no-report").returncode == 0
        assert not (tmp_path / "here" / "report.html").exists()
        done = brainsim_command("report", "here")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "here" / "report.html").exists()
        assert brainsim_command("report", "here", "--raster", "raster.png").returncode == 0
        assert (tmp_path / "raster.png").read_bytes().startswith(b"\x89PNG")

    def test_report_of_no_run(self, brainsim_command):
        done = brainsim_command("report", "nowhere")
        assert done.returncode == 2
        assert "nowhere" in done.stderr and "Traceback" not in done.stderr

    def test_set(self, brainsim_command, small: Path):
        done = brainsim_command("run", str(small), "--set", "run.duration=20 ms", "--set", "exc.size=12", "--no-report")
        assert "0.02 s" in done.stdout
        assert re.search(r"(?m)^exc\s+12\s", done.stdout)

    def test_unknown_backend(self, brainsim_command, small: Path):
        done = brainsim_command("run", str(small), "--backend", "nunpy")
        assert done.returncode == 2
        assert "numpy" in done.stderr

    @pytest.mark.parametrize("later", [0.0, 3.0], ids=["before the first step", "while running"])
    def test_ctrl_c_keeps_what_there_is(self, small: Path, tmp_path: Path, later: float):
        env = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        arguments = ["run", str(small), "--set", "run.duration=1000 s", "--out", "here"]
        child = subprocess.Popen(
            [sys.executable, "-m", "brainsim", *arguments], cwd=tmp_path, env=env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        for _ in range(1000):
            time.sleep(0.05)
            if (tmp_path / "here" / "run.log").exists():
                break
        time.sleep(later)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
        assert child.returncode == 130
        assert "Traceback" not in err
        assert err.count("Interrupted.") == 1
        assert json.loads((tmp_path / "here" / "summary.json").read_text())["status"] == "stopped"


class TestProgress:
    def test_a_short_run_is_quiet(self, capsys):
        with progress.Progress("x") as shown:
            shown(0.5, 1.0, {"exc": 3.0})
        assert capsys.readouterr() == ("", "")

    def test_plain_lines_where_there_is_no_terminal(self, capsys, monkeypatch):
        clock = iter([0.0, 1.0, 11.0, 11.0, 12.0, 21.5, 21.5, 22.0, 23.0])
        monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
        with progress.Progress("x") as shown:  # 0
            shown(1.0, 10.0, {})  # at 1
            shown(3.0, 10.0, {"exc": 4.0})  # at 11
            shown(3.1, 10.0, {"exc": 4.0})  # at 12
            shown(5.0, 10.0, {"exc": 4.25})  # at 21.5
        lines = capsys.readouterr().err.splitlines()
        assert lines == [
            "x: 3 of 10 s model time, 35 s left, exc 4 Hz",
            "x: 5 of 10 s model time, 26 s left, exc 4.25 Hz",
        ]

    def test_a_bar_on_a_terminal_and_none_left_behind(self, small: Path, tmp_path: Path):
        code = (
            "import time\nfrom brainsim.cli.progress import Progress\n"
            "with Progress('walk') as p:\n"
            "    for i in range(20):\n        time.sleep(0.1); p(i / 20, 1.0, {'exc': 5.0})\n"
        )
        reader, writer = pty.openpty()
        env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}
        child = subprocess.Popen([sys.executable, "-c", code], stderr=writer, env=env, cwd=tmp_path)
        child.wait(timeout=30)
        os.close(writer)
        shown = b""
        while True:
            try:
                block = os.read(reader, 65536)
            except OSError:
                break
            if not block:
                break
            shown += block
        text = shown.decode()
        assert "walk" in text and "model time" in text and "exc 5 Hz" in text and "left" in text
        assert "\x1b[2K" in text  # erased at the end
        assert "\x1b[3" not in text  # NO_COLOR

    @pytest.mark.parametrize(("seconds", "text"), [(3.21, "3.2 s"), (45, "45 s"), (125, "2:05 min"), (3725, "1:02 h")])
    def test_durations(self, seconds, text):
        assert progress.duration(seconds) == text


def test_tables_fold_in_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    text = console.table(("name", "about"), [("lif", "Leaky integrate-and-fire cell with a long description")])
    assert max(len(line) for line in text.splitlines()) <= 30
    assert "description" in text


def test_tables_in_a_file_have_a_line_a_row(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    text = console.table(("name", "about"), [("lif", "word " * 100), ("x", "y")], right=("name",))
    assert [line.split()[0] for line in text.splitlines()] == ["name", "lif", "x"]
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_show_refuses_endings_it_cannot_draw(tmp_path):
    for ending in ("pdf", "JPG"):
        ran = subprocess.run(
            [sys.executable, "-m", "brainsim", "show", "lif", "--out", f"lif.{ending}"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 2
        assert f"show cannot write .{ending.lower()}" in ran.stderr
        assert "lif.svg" in ran.stderr
        assert not list(tmp_path.iterdir())
