"""The engine is a one-way street, and the light verbs stay light."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from experiments import PAIR

import brainsim

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ROOT / "brainsim"

#: Each module imports only from those before it. Source and spec stand before the expressions: they need none.
ORDER = [
    "errors", "units", "source", "spec",
    "names", "guard", "places", "arithmetic", "expressions", "equations", "inherit",
    "encoders", "readouts",
    "library", "overrides", "circuit", "seeds", "connect", "brian", "functions", "compose", "draws", "script",
    "builder", "native", "backends", "datasets", "record", "provenance", "analysis", "runs", "estimates", "sweeps",
    "session", "plots", "portrait", "report", "cli",
]  # fmt: skip
#: The package itself (the Python API, imported lazily by its users) and ``python -m brainsim`` come last.
LAST = {"__init__", "__main__"}


def module_of(path: Path) -> str:
    """``brainsim/spec/neuron.py`` -> ``spec``."""
    return path.relative_to(ENGINE).parts[0].removesuffix(".py")


def imports_of(tree: ast.AST, own: str) -> set[str]:
    """Modules of the engine that a file imports or reaches through the package, also inside functions."""
    found = set()
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"relative import in {own}"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "brainsim":
            names = [f"brainsim.{node.attr}"]
        found |= {name.split(".")[1] for name in names if name.startswith("brainsim.")}
    # The package itself is light and lazy: its version and its place are nobody's module.
    return found - {own, "__version__", "__file__"}


def files() -> list[Path]:
    return sorted(p for p in ENGINE.rglob("*.py") if "data" not in p.relative_to(ENGINE).parts[:1])


def wrong_imports(module: str, imported: set[str]) -> list[str]:
    """Imports of ``module`` that point the wrong way."""
    if module in LAST:
        return []
    earlier = set(ORDER[: ORDER.index(module)]) if module != "native" else set()  # usable by any Brian2 script
    # The command line sits on top of everything, so it may use the package as its users do.
    allowed = earlier | ({"run", "plan", "check", "open", "sweep", "estimate"} if module == "cli" else set())
    return sorted(imported - allowed)


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(ENGINE)))
def test_imports_go_one_way(path: Path):
    module = module_of(path)
    assert module in ORDER or module in LAST, f"{module} has no place in the order of modules"
    source = path.read_text(encoding="utf-8")
    assert not wrong_imports(module, imports_of(ast.parse(source), module))


def test_the_check_itself_sees_a_wrong_import():
    inside = "def f():\n    from brainsim import run\n    import brainsim.compose.plan\n    brainsim.plan()\n"
    assert wrong_imports("units", imports_of(ast.parse(inside), "units")) == ["compose", "plan", "run"]
    assert not wrong_imports("circuit", imports_of(ast.parse("from brainsim.spec import Neuron"), "circuit"))


def test_nobody_imports_brian2_by_star_or_unguarded():
    """``import brian2`` executes a file of the working folder: only ``brian`` may, behind its guard."""
    ours = [path for path in files() if module_of(path) != "native"]  # that one is for scripts that use Brian2 anyway
    for path in ours:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
                assert not any(alias.name == "*" for alias in node.names), path
            if any(name.split(".")[0] == "brian2" for name in names):
                assert imports_guard(path), f"{path} imports brian2 without the guard of brainsim.brian"


def imports_guard(path: Path) -> bool:
    """Whether a file is the guard or imports it."""
    return module_of(path) == "brian" or "brain" + "sim.brian" in path.read_text(encoding="utf-8")


LIGHT = {
    "help": ["--help"],
    "help of a verb": ["run", "--help"],
    "list": ["list"],
    "structural check": ["check", "cortex_ei"],
    "graph": ["show", "cortex_ei", "--graph"],
    "cite": ["cite", "cortex_ei"],
    "schema": ["schema", "neuron"],
    "doctor": ["doctor"],
    "clean": ["clean", "--dry-run"],
}


@pytest.mark.parametrize("arguments", LIGHT.values(), ids=LIGHT.keys())
def test_light_verbs_import_neither_brian2_nor_matplotlib(arguments: list[str], tmp_path: Path):
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        f"sys.argv = ['brainsim', *{arguments!r}]\n"
        "from brainsim.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "heavy = {'brian2', 'matplotlib', 'sympy', 'scipy', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_is_light():
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "import brainsim\n"
        "heavy = {'brian2', 'matplotlib', 'pydantic', 'h5py', 'networkx'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_nothing_heavy_is_imported_before_it_is_used(tmp_path):
    code = """
import sys, brainsim
heavy = {"brian2", "matplotlib", "h5py", "numpy", "pydantic", "networkx"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert {"run", "check", "plan", "open", "Results"} <= set(dir(brainsim)) and brainsim.__version__ == "0.1.0"
brainsim.check(sys.argv[1]); brainsim.plan(sys.argv[1]); brainsim.Results
assert not {"brian2", "matplotlib"} & set(sys.modules)
import brainsim.runs.phases
assert callable(brainsim.run)
try: brainsim.nothing
except AttributeError: print("fine")
"""
    root = str(Path(brainsim.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-c", code, PAIR], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout == "fine\n", done.stderr
