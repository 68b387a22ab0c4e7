"""docs/library says what the files say, and its pictures show them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from brainsim.portrait import library

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "library"
HOW = "make docs writes it again"


@pytest.fixture(scope="module")
def ledger() -> dict:
    return library.read_ledger(FOLDER)


def test_every_page_is_what_the_files_say(ledger):
    pages = library.pages(ROOT, ledger)
    assert {path.name for path in FOLDER.glob("*.md")} == set(pages), HOW
    old = [name for name, text in pages.items() if (FOLDER / name).read_text(encoding="utf-8") != text]
    assert not old, f"{old}: {HOW}"


def test_every_picture_is_of_the_part_as_it_is_now(ledger):
    entries = library.entries(ROOT)
    assert not [entry.key for entry in library.stale(entries, ledger)], HOW
    assert set(ledger) <= {entry.key for entry in entries}, HOW
    drawn = {value["file"] for value in ledger.values() if "file" in value}
    assert {f"pictures/{path.name}" for path in (FOLDER / "pictures").iterdir()} == drawn, HOW
    assert all(value.get("file") or value["why"] for value in ledger.values())


def test_the_folder_stays_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) < 6e6


def test_a_changed_part_is_noticed(ledger):
    """The two tests above see a change of a number or of an equation, their text or their pictures."""
    entry = next(entry for entry in library.entries(ROOT) if entry.key == "neuron lif")
    data = json.loads(json.dumps(entry.data))
    data["parameters"]["C_m"] = "201 pF"
    changed = library.Entry(entry.kind, entry.name, entry.file, data, entry.parent, entry.cite, entry.notes)
    assert changed.hash != entry.hash
    assert library.stale([changed], {entry.key: {"hash": entry.hash}}) == [changed]


def test_comments_of_parameters_are_found():
    text = "neuron: x\nparameters:\n  a: 1 mV   # one: with # sign\n  b: {c: 1}\n  # alone\n\n  d: 2\n"
    text += "inputs:\n  r: Hz # in\nother: 1 # no\n"
    assert library.comments(text) == {"a": "one: with # sign", "r": "in"}
