"""The measured parts of docs/performance.md, made from JSON, so that no number on that page is written by hand.

    python -m benchmarks.page                         write page and plots again from docs/performance.json
    python -m benchmarks.page runs/benchmarks.json    take these results, which replaces docs/performance.json

What stands between ``<!-- measured: NAME -->`` and ``<!-- end -->`` is written; all else on the page stays.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.results import ROOT, Entry, Results

DATA = ROOT / "docs" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"
PLOTS = ROOT / "docs" / "images"
_SECTION = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

OURS = ("cpp_standalone", "native")
COLOURS = {"cpp_standalone": "#9a5b13", "native": "#0b6e99"}
NAMES = {"cpp_standalone": "C++ standalone", "native": "native"}


# --- numbers ----------------------------------------------------------------------------------------------------------


def _per(device: dict[str, Any], which: str = "median") -> tuple[float, str]:
    """Time for a second of the model in s, or for an image in ms, and which of them."""
    if device["images"]:
        return 1e3 * device[which] / device["images"], "ms"
    return device[which] / device["seconds"], "s"


def _time(device: dict[str, Any]) -> str:
    value, unit = _per(device)
    return f"{value:.3g} {unit} ({_per(device, 'min')[0]:.3g})"


def _ratio(entry: Entry, which: str = "median") -> float:
    standalone, native = (entry["devices"][name][which] for name in OURS)
    return standalone / native


def _rates(entry: Entry) -> str:
    both = [entry["devices"][name]["spikes"] / entry["devices"][name]["seconds"] for name in OURS]
    return " / ".join(f"{rate:,.0f}" for rate in both) + (" **differ**" if set(entry["differ"]) & set(OURS) else "")


def row(entry: Entry) -> str:
    """A line of the table."""
    standalone, native = (entry["devices"][name] for name in OURS)
    memory = f"{standalone['megabytes']:.0f} / {native['megabytes']:.0f} / {native['build_megabytes']:.0f}"
    return (
        f"| {entry['network']} | {entry['dtype']} | {_time(standalone)} | {_time(native)} | **{_ratio(entry):.1f}** "
        f"({_ratio(entry, 'min'):.1f}) | {_rates(entry)} | {memory} |"
    )


def line(entry: Entry) -> str:
    """What is said of an entry when it was measured."""
    if entry["part"] == "table":
        peers = [f"{name} {_time(device)}" for name, device in entry["devices"].items() if name not in OURS]
        return " ".join([row(entry), *peers]) + (f" rates differ: {entry['differ']}" if entry["differ"] else "")
    times = {name: device.get("wall", 0.0) for name, device in entry["devices"].items()}
    if entry["part"] == "sizes":
        times = {name: device["median"] for name, device in entry["devices"].items()}
    said = ", ".join(f"{name}: {value:.3g} s" for name, value in times.items())
    return f"{entry['part']} {entry['network']} {entry['dtype']}: {said}" + (" **differ**" if entry["differ"] else "")


# --- sections ---------------------------------------------------------------------------------------------------------


def machine(results: Results) -> str:
    if not results.entries:
        return "Not measured."
    about = dict(results.machine)
    native = about.pop("flags of native", "")
    entries = list(results.entries.values())
    flags = {d["flags"] for e in entries for name, d in e["devices"].items() if name == "cpp_standalone"}
    python = [d["python_megabytes"] for e in entries for name, d in e["devices"].items() if name == "native"]
    loads = [entry["load"] for entry in entries]
    lines = [
        f"- {'; '.join(f'{name} {value}' for name, value in about.items() if value)}.",
        *(f"- Flags of C++ standalone: `{each}`." for each in sorted(flags)),
        f"- Flags of native: `{native}`.",
        f"- Commits {', '.join(sorted({entry['commit'] for entry in entries}))}, measured on "
        f"{', '.join(sorted({entry['date'] for entry in entries}))}; {_range([e['rounds'] for e in entries])} rounds; "
        f"load of the machine when a row began: {_range(loads)}.",
    ]
    if python:
        lines.append(f"- Python, Brian2 and numpy take {_range([round(p) for p in python])} MB of the native process.")
    return "\n".join(lines)


def _range(values: list[Any]) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"


def table(results: Results) -> str:
    head = "| network | type | C++ standalone | native | ratio | spikes/s | memory, MB |\n|---|---|---|---|---|---|---|"
    return "\n".join([head, *map(row, results.of("table"))])


def peers(results: Results) -> str:
    measured = [e for e in results.of("table") if set(e["devices"]) & set(PEERS)]
    if not measured:
        return "Not measured."
    names = [name for name in PEERS if any(name in entry["devices"] for entry in measured)]
    versions = {n: next(e["devices"][n]["version"] for e in measured if n in e["devices"]) for n in names}
    lines = [
        f"| network | type | {' | '.join(f'{name} {versions[name]}' for name in names)} |",
        "|---|---|" + "---|" * len(names),
    ]
    for entry in measured:
        cells = []
        for name in names:
            device = entry["devices"].get(name)
            if device is None:
                cells.append("")
                continue
            standalone, native = (device["median"] / entry["devices"][our]["median"] for our in OURS)
            rate = ", rate differs" if name in entry["differ"] else ""
            cells.append(f"{_per(device)[0]:.3g} s; {standalone:.2g}; **{native:.1f}**{rate}")
        lines.append(f"| {entry['network']} | {entry['dtype']} | {' | '.join(cells)} |")
    notes = [f"- {name}: {PEERS[name].differs}." for name in names]
    return "\n".join([*lines, "", *notes])


def threads(results: Results) -> str:
    entries = results.of("threads")
    if not entries:
        return "Not measured."
    counts = list(entries[0]["devices"])
    lines = [
        f"| network | {' | '.join(f'{n} thread' + 's' * (n != '1') for n in counts)} |",
        "|---|" + "---|" * len(counts),
    ]
    for entry in entries:
        walls = {n: entry["devices"][n]["wall"] / entry["devices"][n]["seconds"] for n in counts}
        cells = [f"{wall:.3g} s" + (f" ({walls['1'] / wall:.1f})" if n != "1" else "") for n, wall in walls.items()]
        lines.append(f"| {entry['network']} | {' | '.join(cells)} |" + (" **differ**" if entry["differ"] else ""))
    return "\n".join([*lines, "", "![Speed with threads](images/threads.svg)"])


def _costs(entry: Entry, name: str) -> tuple[int, float, float]:
    """Cells, and nanoseconds for each step of a cell and for each event (a spike reaches 80 cells)."""
    device, cells = entry["devices"][name], int(entry["network"].partition("@")[2])
    steps = device["seconds"] / 1e-4 * cells
    return cells, 1e9 * device["median"] / steps, 1e9 * device["median"] / (80 * device["spikes"])


def sizes(results: Results) -> str:
    entries = results.of("sizes")
    if not entries:
        return "Not measured."
    lines = ["| cells | spikes/s a cell | C++ standalone | native | ratio |", "|---|---|---|---|---|"]
    for entry in entries:
        costs = [_costs(entry, name) for name in OURS]
        device = entry["devices"]["native"]
        rate = device["spikes"] / device["seconds"] / costs[0][0]
        cells = " | ".join(f"{step:.2f} ns; {event:.1f} ns" for _, step, event in costs)
        lines.append(f"| {costs[0][0]:,} | {rate:.2g} | {cells} | {_ratio(entry):.1f} |")
    return "\n".join([*lines, "", "![Cost against size](images/sizes.svg)"])


SECTIONS: dict[str, Callable[[Results], str]] = {
    "machine": machine, "table": table, "peers": peers, "threads": threads, "sizes": sizes,
}  # fmt: skip


# --- plots ------------------------------------------------------------------------------------------------------------


def _axes() -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams.update({"svg.hashsalt": "brainsim", "font.size": 9})
    figure, axes = plt.subplots(figsize=(5.2, 3.4), layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Any, name: str, state: str) -> None:
    figure.savefig(PLOTS / f"{name}.svg", metadata={"Date": None, "Description": f"made from {state}"})
    path = PLOTS / f"{name}.svg"
    path.write_text("\n".join(text.rstrip() for text in path.read_text().splitlines()) + "\n")


def plot(results: Results, state: str) -> list[str]:
    """Draw what was measured; returns the names of the plots."""
    drawn = []
    if entries := results.of("threads"):
        figure, axes = _axes()
        for entry in entries:
            counts = [int(n) for n in entry["devices"]]
            walls = [device["wall"] for device in entry["devices"].values()]
            axes.plot(counts, [walls[0] / wall for wall in walls], marker="o", ms=4, label=entry["network"])
        axes.plot(counts, counts, color="0.75", lw=1, ls="--", label="as many times")
        axes.set(xlabel="threads", ylabel="times as fast as one thread", xticks=counts)
        axes.legend(frameon=False)
        _save(figure, "threads", state)
        drawn.append("threads")
    if entries := results.of("sizes"):
        figure, axes = _axes()
        for name in OURS:
            cells, step, event = zip(*(_costs(entry, name) for entry in entries), strict=True)
            axes.plot(cells, step, marker="o", ms=4, color=COLOURS[name], label=f"{NAMES[name]}, step of a cell")
            axes.plot(cells, event, marker="s", ms=4, color=COLOURS[name], ls="--", label=f"{NAMES[name]}, event")
        axes.set(xscale="log", yscale="log", xlabel="cells of CUBA", ylabel="CPU time in all for each, ns")
        axes.legend(frameon=False)
        _save(figure, "sizes", state)
        drawn.append("sizes")
    return drawn


# --- page -------------------------------------------------------------------------------------------------------------


def digest(path: Path = DATA) -> str:
    """What plots say they were made from."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def text(page: str, results: Results) -> str:
    """The page with the measured parts written anew."""

    def section(match: re.Match[str]) -> str:
        return f"{match[1]}{SECTIONS[match[2]](results)}\n{match[3]}"

    return _SECTION.sub(section, page)


def main() -> None:
    if len(sys.argv) > 1:
        shutil.copyfile(sys.argv[1], DATA)
    results = Results(DATA)
    PAGE.write_text(text(PAGE.read_text(), results))
    for name in plot(results, digest()):
        print(PLOTS / f"{name}.svg")
    print(PAGE)


if __name__ == "__main__":
    main()
