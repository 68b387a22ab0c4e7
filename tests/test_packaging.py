"""Wheel, sdist, editable install and checkout all find the library."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ("configs", "models", "plasticity", "regions")
#: What a copy for building leaves out: nothing that git would track.
ANYWHERE = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*_cache")
AT_THE_TOP = {".git", ".venv", "build", "dist", "runs", ".hypothesis", "docs"}

pytestmark = pytest.mark.xdist_group("packaging")


def run(command: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1", **environment}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def isolation() -> list[str]:
    """Build with the setuptools that is here if it can make wheels by itself, so that no network is needed."""
    import setuptools

    able = tuple(int(n) for n in setuptools.__version__.split(".")[:2]) >= (70, 1)
    return ["--no-isolation"] if able else []


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout: building writes into the tree it builds from."""
    copy = tmp_path_factory.mktemp("tree") / "brainsim"

    def left_out(folder: str, names: list[str]) -> set[str]:
        return set(ANYWHERE(folder, names)) | (AT_THE_TOP & set(names) if Path(folder) == ROOT else set())

    shutil.copytree(ROOT, copy, ignore=left_out)
    return copy


@pytest.fixture(scope="module")
def built(tree: Path) -> Path:
    """Folder with the sdist, and the wheel that was built from the sdist."""
    out = tree.parent / "dist"
    run([sys.executable, "-m", "build", *isolation(), "--outdir", str(out), str(tree)], cwd=tree)
    return out


@pytest.fixture(scope="module")
def installed(built: Path) -> Path:
    """Folder into which the wheel is installed."""
    folder = built.parent / "site"
    (wheel,) = built.glob("*.whl")
    run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), str(wheel)], cwd=built)
    return folder


def library_files() -> list[str]:
    """``regions/cortex/cortex_ei.yaml`` and so on, of the checkout."""
    return sorted(p.relative_to(ROOT).as_posix() for top in LIBRARY for p in (ROOT / top).rglob("*.yaml"))


def data_files() -> list[str]:
    """Files of the engine that are no code."""
    files = (p for p in (ROOT / "brainsim").rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc"))
    return sorted(p.relative_to(ROOT).as_posix() for p in files if "__pycache__" not in p.parts)


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_every_package_of_the_engine_is_listed():
    listed = setup_cfg()["options"]["packages"].split()
    found = {p.parent.relative_to(ROOT).as_posix().replace("/", ".") for p in (ROOT / "brainsim").rglob("*.py")}
    assert found == {name for name in listed if not name.startswith("brainsim.data.")}
    assert {f"brainsim.data.{top}" for top in LIBRARY} == {name for name in listed if name.startswith("brainsim.data.")}


def test_version_is_the_same_everywhere():
    import brainsim

    version = setup_cfg()["metadata"]["version"]
    assert brainsim.__version__ == version
    assert re.search(r"(?m)^version: (.*)$", (ROOT / "CITATION.cff").read_text())[1] == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_wheel_holds_the_library_and_the_data(built: Path):
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert library_files(), "the library is empty"
    assert not {f"brainsim/data/{name}" for name in library_files()} - names
    assert not set(data_files()) - names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"brainsim", next(t for t in tops if t.endswith(".dist-info"))}
    assert any(name.endswith("LICENSE") and ".dist-info/" in name for name in names)


def test_sdist_holds_the_library_and_the_tests(built: Path):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {*library_files(), *data_files(), "LICENSE", "Makefile", "README.md", "tests/conftest.py", ".ci/run"}
    assert not wanted - names


def test_installed_wheel_lists_what_the_checkout_lists(installed: Path, tmp_path: Path):
    command = [sys.executable, "-m", "brainsim", "list"]

    def names(path: Path) -> set[str]:
        lines = run(command, tmp_path, PYTHONPATH=str(path), COLUMNS="300").stdout.splitlines()
        return {line.split()[0] for line in lines if line.strip()}

    assert names(installed) == names(ROOT) >= {"lif", "stdp", "digits_vdsp"}


def test_installed_wheel_runs_an_experiment_elsewhere(installed: Path, tmp_path: Path):
    where = "import brainsim; print(brainsim.__file__)"
    assert str(installed) in run([sys.executable, "-c", where], tmp_path, PYTHONPATH=str(installed)).stdout
    command = ["-m", "brainsim", "run", "cortex_ei", "--backend", "numpy", "--set", "run.duration=50 ms"]
    done = run([sys.executable, *command, "--out", "here"], tmp_path, PYTHONPATH=str(installed))
    assert "complete" in done.stdout
    assert (tmp_path / "here" / "results.h5").stat().st_size > 0
    assert (tmp_path / "here" / "report.html").stat().st_size > 0


@pytest.mark.slow
@pytest.mark.compiled
def test_installed_wheel_learns_digits(installed: Path, tmp_path: Path):
    environment = {"PYTHONPATH": str(installed), "BRAINSIM_DATA": ""}
    command = [
        sys.executable,
        "-m",
        "brainsim",
        "run",
        "digits_vdsp",
        "--set",
        "phases.train.passes=1",
        "--out",
        "here",
    ]
    done = run(command, tmp_path, **environment)
    accuracy = float(re.search(r"Accuracy ([\d.]+) %", done.stdout)[1])
    assert accuracy > 60


def test_top_level_folders_are_no_import_packages(installed: Path, tmp_path: Path):
    for name in LIBRARY:
        done = subprocess.run(
            [sys.executable, "-c", f"import {name}"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(installed)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "ModuleNotFoundError" in done.stderr


def test_editable_install_finds_the_library(tree: Path, tmp_path: Path):
    """Its hooks know mapped packages, ``importlib.resources`` does not: so this makes and uses a real one."""
    if not isolation():
        pytest.skip("needs setuptools 70.1 or later, which the test extra installs")
    out = tmp_path / "out"
    out.mkdir()
    hook = f"from setuptools.build_meta import build_editable; build_editable({str(out)!r})"
    run([sys.executable, "-c", hook], cwd=tree)
    (wheel,) = out.glob("*.whl")
    site = tmp_path / "site"
    run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel)], cwd=tmp_path)
    code = (
        f"import site, sys; site.addsitedir({str(site)!r})\n"
        "import brainsim; from brainsim.library import Library\n"
        "print(brainsim.__file__); print(*[name for name, *_ in Library().names('neuron')])\n"
    )
    # -S would drop Brian2 with the rest; an editable install of the checkout itself comes later on the path.
    done = run([sys.executable, "-c", code], tmp_path, PYTHONPATH="")
    assert "lif" in done.stdout.split()
