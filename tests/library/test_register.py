"""Each part of the library has a science test, and each science test still belongs to a part."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCIENCE = ROOT / "tests" / "science"


def _parts_of(test: Path) -> list[str]:
    """The ``PARTS`` a science test names, read without running it."""
    for node in ast.parse(test.read_text()).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "PARTS" for target in targets):
            return ast.literal_eval(node.value)
    raise AssertionError(f"{test.name} does not say what it is the test of: PARTS = ['neuron lif']")


#: Science test -> the parts it is the test of. ``tests/science/mutate.py`` reads this too.
REGISTER = {path.name: _parts_of(path) for path in sorted(SCIENCE.glob("test_*.py"))}


def parts() -> list[str]:
    """``kind name`` of every part in the checkout."""
    files = [path for folder in ("models", "plasticity", "regions") for path in (ROOT / folder).rglob("*.yaml")]
    return sorted(f"{path.read_text().split(':')[0]} {path.stem}" for path in files)


@pytest.mark.parametrize("part", parts())
def test_part_has_a_science_test(part):
    tests = [name for name, tested in REGISTER.items() if part in tested]
    assert tests, f'{part}: write tests/science/test_{part.split()[1]}.py with PARTS = ["{part}"]'
    assert all(part.split()[1] in (SCIENCE / name).read_text() for name in tests)


def test_tests_name_parts_that_exist():
    assert {part for tested in REGISTER.values() for part in tested} <= set(parts())
