"""The pages of docs/library: every part of a checkout with its equations, parameters and picture.

``python -m brainsim.portrait.library docs/library`` writes them; only parts that changed are drawn again. The text
follows from the files alone, so that a test can compare it; of pictures the test compares what they were made from.
"""

from __future__ import annotations

import ast
import hashlib
import json
import multiprocessing
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainsim import portrait
from brainsim.errors import BrainsimError
from brainsim.library import FOLDERS, Library, shipped_folder
from brainsim.portrait import parts

#: What was drawn from what: ``kind name`` -> hash, and the file or the reason why there is none.
LEDGER = "pictures.json"
PICTURES = "pictures"
#: Code of a part in the order in which it is shown.
CODE = ("equations", "threshold", "reset", "refractory", "on_pre", "on_post", "every", "events", "pre", "post",
        "needs", "ports", "initial", "method", "functions")  # fmt: skip
TITLES = {"neuron": "Neurons", "synapse": "Synapses", "plasticity": "Plasticity", "region": "Regions",
          "experiment": "Experiments"}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A part of the shipped library."""

    kind: str
    name: str
    file: Path  # relative to the root of the checkout
    data: Mapping[str, Any]  # merged with its parents
    parent: str
    cite: tuple[str, ...]
    notes: Mapping[str, tuple[str, str]]  # parameter -> what it means, and the ancestor that says so

    @property
    def key(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def page(self) -> str:
        return "-".join(self.file.parent.parts) + ".md"

    @property
    def picture(self) -> str:
        return f"{PICTURES}/{self.kind}-{self.name}.svg"

    @property
    def hash(self) -> str:
        """Changes when the part, or the way it is drawn, changes."""
        content = json.dumps([portrait.VERSION, self.kind, self.data], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def entries(root: Path) -> list[Entry]:
    """Every part in the checkout, by kind and page."""
    shelf, found = Library(), []
    for folder, kind in FOLDERS.items():
        for path in sorted((root / folder).rglob("*.yaml"), key=lambda p: (p.parent, p.name)):
            tree = shelf.part(kind, path.stem)
            chain = shelf.lineage(kind, tree)
            notes: dict[str, tuple[str, str]] = {}
            for each in chain:
                name = str(each.data[kind])
                own = shelf.path(kind, name)
                for parameter, note in comments(own.read_text(encoding="utf-8") if own else "").items():
                    notes[parameter] = note, name
            file = path.relative_to(root)
            parent = shelf.parent(kind, path.stem)
            found.append(Entry(kind, path.stem, file, tree.data, parent, shelf.citations(tree), notes))
    return found


def comments(text: str) -> dict[str, str]:
    """Parameter or input of a file -> the comment beside it."""
    found = {}
    for block in re.findall(r"^(?:parameters|inputs):.*\n((?:[ \t]+.*\n|\s*\n)*)", text + "\n", re.M):
        for name, note in re.findall(r"^\s+(\w+):\s[^#\n]*#\s*(.*?)\s*$", block, re.M):
            found[name] = note
    return found


def science_tests(root: Path) -> dict[str, list[str]]:
    """``kind name`` -> files of its science tests, by the ``PARTS`` they state."""
    found: dict[str, list[str]] = {}
    for path in sorted((root / "tests" / "science").glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(target, ast.Name) and target.id == "PARTS" for target in targets):
                for part in ast.literal_eval(node.value):  # type: ignore[attr-defined]
                    found.setdefault(part, []).append(path.name)
    return found


# --- text ---------------------------------------------------------------------------------------------


def pages(root: Path, ledger: Mapping[str, Any]) -> dict[str, str]:
    """File name -> text of every page; nothing is run."""
    found, tests = entries(root), science_tests(root)
    by_page: dict[str, list[Entry]] = {}
    for entry in found:
        by_page.setdefault(entry.page, []).append(entry)
    made = {name: _page(group, found, tests, ledger) for name, group in by_page.items()}
    return {"README.md": _index(by_page), **made}


_HEAD = "<!-- Made by python -m brainsim.portrait.library docs/library from the files themselves. -->\n"


def _index(by_page: Mapping[str, list[Entry]]) -> str:
    lines = [_HEAD, "# The library\n\n", "Every part that ships with brainsim; `brainsim list` says the same.\n"]
    kind = ""
    for page, group in by_page.items():
        if group[0].kind != kind:
            kind = group[0].kind
            lines.append(f"\n## {TITLES[kind]}\n")
        folder = group[0].file.parent.as_posix()
        lines.append(f"\n[`{folder}`]({page})\n\n| {kind} | what it is |\n|---|---|\n")
        lines += [f"| [{e.name}]({page}#{e.name}) | {_cell(str(e.data.get('about', '')))} |\n" for e in group]
    return "".join(lines)


def _page(group: list[Entry], found: list[Entry], tests: Mapping[str, list[str]], ledger: Mapping[str, Any]) -> str:
    folder = group[0].file.parent.as_posix()
    lines = [_HEAD, f"# {TITLES[group[0].kind]}: `{folder}`\n\n", "[All parts](README.md)\n"]
    lines.append("\n" + " · ".join(f"[{e.name}](#{e.name})" for e in group) + "\n")
    for entry in group:
        lines += _entry(entry, found, tests, ledger)
    return "".join(lines)


def _entry(
    entry: Entry, found: list[Entry], tests: Mapping[str, list[str]], ledger: Mapping[str, Any]
) -> Iterator[str]:
    up = "../" * 2
    yield f"\n## {entry.name}\n\n{_plain(str(entry.data.get('about', '')))}\n\n"
    facts = [f"[{entry.file.as_posix()}]({up}{entry.file.as_posix()})"]
    facts += [f"[{test}]({up}tests/science/{test})" for test in tests.get(entry.key, ())]
    alike = {e.name: e for e in found if e.kind == entry.kind}
    if entry.parent in alike:
        facts.append(f"extends {_link(alike[entry.parent])}")
    children = [_link(e) for e in alike.values() if e.parent == entry.name]
    if children:
        facts.append(f"extended by {', '.join(children)}")
    yield " · ".join(facts) + "\n"
    drawn = ledger.get(entry.key) or {}
    if drawn.get("file"):
        yield f"\n![What {entry.name} does]({drawn['file']})\n"
    elif drawn.get("why"):
        yield f"\nNo picture: {_plain(drawn['why'])}.\n"
    yield from _parameters(entry)
    if entry.kind == "region":
        yield from _circuit(entry.data)
    elif entry.kind != "experiment":
        yield "\n```yaml\n" + code(entry.data) + "```\n"
    cited = [c for c in entry.cite if c != "own"]
    if cited:
        yield "\n" + "".join(f"- {_plain(c)}\n" for c in cited)


def _parameters(entry: Entry) -> Iterator[str]:
    rows = [(name, str(value), name) for name, value in (entry.data.get("parameters") or {}).items()]
    rows += [
        (name, f"given, {unit}" if unit != 1 else "given", name)
        for name, unit in (entry.data.get("inputs") or {}).items()
    ]
    if not rows:
        return
    yield "\n| parameter | value | meaning |\n|---|---|---|\n"
    for name, value, key in rows:
        note, owner = entry.notes.get(key, ("", ""))
        inherited = f" ({owner})" if owner and owner != entry.name else ""
        yield f"| `{name}` | {_cell(value)} | {_cell(note)}{inherited} |\n"


def _circuit(data: Mapping[str, Any]) -> Iterator[str]:
    regions = data.get("regions") or {}
    if regions:
        yield "\n| region inside | |\n|---|---|\n"
        yield from (f"| {name} | {_cell(_use(use, 'region'))} |\n" for name, use in regions.items())
    populations = data.get("populations") or {}
    if populations:
        yield "\n| population | cells | neuron |\n|---|---|---|\n"
        for name, one in populations.items():
            yield f"| {name} | {_cell(str(one.get('size', '')))} | {_cell(_use(one.get('neuron'), 'neuron'))} |\n"
    projections = data.get("projections") or {}
    if projections:
        yield "\n| projection | from | to | synapse | rule | connect | delay |\n|---|---|---|---|---|---|---|\n"
        for name, one in projections.items():
            synapse, connect = one.get("synapse"), one.get("connect")
            names = " + ".join(_use(use, "synapse") for use in (synapse if isinstance(synapse, list) else [synapse]))
            how = ", ".join(f"{k} {v}" for k, v in connect.items()) if isinstance(connect, dict) else str(connect)
            cells = [name, one.get("from"), one.get("to"), names, _use(one.get("plasticity"), "plasticity"), how,
                     one.get("delay", "")]  # fmt: skip
            yield "| " + " | ".join(_cell(str("" if cell is None else cell)) for cell in cells) + " |\n"


def _use(use: Any, kind: str) -> str:
    """The name of a part in use, with the parameters it is given."""
    if not isinstance(use, Mapping):
        return "" if use is None else str(use)
    given = ", ".join(f"{key} {value}" for key, value in (use.get("parameters") or {}).items())
    name = str(use.get("name") or use.get(kind) or "")
    return f"{name} ({given})" if given and "name" in use else name


def code(data: Mapping[str, Any]) -> str:
    """The code of a part as YAML, as a person would write it."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    shown = {key: _trimmed(data[key]) for key in CODE if data.get(key) not in (None, "", {}, [])}
    return yaml.dump(shown, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=10_000) if shown else "{}\n"


def _trimmed(value: Any) -> Any:
    """Lines without blanks at their end, for which YAML would leave the block style."""
    if isinstance(value, str):
        lines = [line.rstrip() for line in value.split("\n")]
        return "\n".join(lines)
    if isinstance(value, Mapping):
        return {key: _trimmed(item) for key, item in value.items()}
    return [_trimmed(item) for item in value] if isinstance(value, list) else value


def _link(entry: Entry) -> str:
    return f"[{entry.name}]({entry.page}#{entry.name})"


def _plain(text: str) -> str:
    return re.sub(r"([<*_\[\]])", r"\\\1", " ".join(text.split()))


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


# --- pictures -----------------------------------------------------------------------------------------


def draw(key: str) -> tuple[str, str, str]:
    """(key, SVG, why there is none) of a part of the shipped library."""
    kind, name = key.split()
    try:
        if kind == "region":
            from brainsim.portrait import circuit

            return key, circuit.portrait(shipped_folder() / str(Library().path(kind, name))), ""
        made = portrait.picture(parts.of_library(kind, name, Library()))
    except BrainsimError as error:
        return key, "", error.problems[0].message
    return key, made.text(), made.why


def stale(found: Iterable[Entry], ledger: Mapping[str, Any]) -> list[Entry]:
    """Parts whose picture was made from something else, or not at all."""
    drawn = [entry for entry in found if entry.kind != "experiment"]
    return [entry for entry in drawn if (ledger.get(entry.key) or {}).get("hash") != entry.hash]


def write(root: Path, folder: Path, everything: bool = False, processes: int = 2) -> None:
    """Draw what is stale and write every page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PICTURES).mkdir(exist_ok=True)
    ledger = {} if everything else read_ledger(folder)
    found = entries(root)
    by_key = {entry.key: entry for entry in found}
    wanted = stale(found, ledger)
    ledger = {key: value for key, value in ledger.items() if key in by_key}
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for key, svg, why in pool.map(draw, [entry.key for entry in wanted]):
            entry = by_key[key]
            if svg:
                (folder / entry.picture).write_text(svg, encoding="utf-8")
            ledger[key] = {"hash": entry.hash, **({"file": entry.picture} if svg else {"why": why})}
            print(f"{key}: {why or 'drawn'}", flush=True)
    kept = {value.get("file") for value in ledger.values()}
    for path in (folder / PICTURES).glob("*.svg"):
        if f"{PICTURES}/{path.name}" not in kept:
            path.unlink()
    text = json.dumps(dict(sorted(ledger.items())), indent=1, ensure_ascii=False) + "\n"
    (folder / LEDGER).write_text(text, encoding="utf-8")
    written = pages(root, ledger)
    for path in folder.glob("*.md"):
        if path.name not in written:
            path.unlink()
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")


def read_ledger(folder: Path) -> dict[str, Any]:
    """What was drawn from what; empty where nothing has been drawn."""
    try:
        return json.loads((folder / LEDGER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    write(shipped_folder(), Path(arguments[0] if arguments else "docs/library"), "--all" in sys.argv)
