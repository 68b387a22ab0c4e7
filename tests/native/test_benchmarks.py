"""The benchmark program: its rows, what it keeps and says of them, the page made from it; one row in the long tests."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
driver = pytest.importorskip("benchmarks.__main__")

from benchmarks import graphs, networks, page, peers, results  # noqa: E402


def device(median: float = 2.0, spikes: float = 100.0, **more: float) -> dict:
    values = {"seconds": 1.0, "images": 0, "median": median, "min": median / 2, "spikes": spikes, "megabytes": 10.0}
    return {**values, "build_megabytes": 20.0, "wall": median, **more}


def entry(part: str = "table", network: str = "net", **devices: dict) -> dict:
    devices = devices or {"cpp_standalone": device(6.0), "native": device()}
    return {"part": part, "network": network, "dtype": "float64", "rounds": 1, "differ": [], "load": 0.0} | {
        "devices": devices
    }


def test_a_row_shows_both_devices_and_whether_rates_differ():
    assert "| 6 s (3) | 2 s (1) | **3.0** (3.0) | 100 / 100 | 10 / 10 / 20 |" in page.row(entry())
    assert "**differ**" in page.row({**entry(), "differ": ["native"]})
    assert "**differ**" not in page.row({**entry(), "differ": ["nest"]})


def test_tasks_are_told_by_the_image():
    assert "| 6e+03 ms" not in page.row(entry()) and "| 60 ms (30) |" in page.row(
        entry(cpp_standalone=device(6.0, images=100), native=device(images=100))
    )


FAKE = """
import json, sys
print("something else")
print(json.dumps({"seconds": 1.0, "images": 0, "once": ONCE}), flush=True)
for number, _ in enumerate(sys.stdin):
    print(json.dumps({"cpu": 1.0 + number, "spikes": 4, "megabytes": 7.0}), flush=True)
"""


def test_devices_run_in_turn_and_peers_in_the_first_rounds():
    again, once = ([sys.executable, "-c", FAKE.replace("ONCE", text)] for text in ("False", "True"))
    measured = driver.measure({"native": again, "nest": once}, rounds=3, peer_rounds=2)
    assert measured["native"]["cpu"] == [1, 2, 3] and measured["native"]["median"] == 2
    assert measured["nest"]["cpu"] == [1, 1]  # started anew
    with pytest.raises(driver.Ended, match="it ended with status 3"):
        driver.measure({"native": [sys.executable, "-c", "raise SystemExit(3)"]}, rounds=1)


def test_rates_are_those_of_a_second():
    devices = {"cpp_standalone": device(), "native": device(spikes=191, seconds=2.0), "nest": device(spikes=120)}
    assert driver.rates_differ(devices) == ["nest"]
    assert driver.rates_differ(devices, 0.0) == ["native", "nest"]
    assert driver.rates_differ({"cpp_standalone": device(spikes=0)}) == ["cpp_standalone"]


def test_a_row_is_measured_again_when_sources_or_devices_changed(tmp_path):
    kept = results.Results(tmp_path / "bench.json")
    assert kept.on({"processor": "a"})
    kept.add(entry(), "state 1")
    kept = results.Results(tmp_path / "bench.json")
    both = ("cpp_standalone", "native")
    assert kept.on({"processor": "a"}) and kept.has("table", "net", "float64", both, "state 1")
    assert kept.has("table", "net", "float64", both, None)
    assert not kept.has("table", "net", "float64", both, "state 2")
    assert not kept.has("table", "net", "float64", (*both, "nest"), "state 1")
    assert not kept.has("table", "net", "float32", both, "state 1")
    assert not kept.has("sizes", "net", "float64", both, "state 1")
    assert not kept.on({"processor": "b"}) and not kept.of("table")


def test_sources_are_those_that_are_timed(monkeypatch, tmp_path):
    (tmp_path / "brainsim").mkdir()
    (tmp_path / "benchmarks").mkdir()
    monkeypatch.setattr(results, "ROOT", tmp_path)
    states = []
    for name in ("brainsim/a.cpp", "benchmarks/networks.py", "benchmarks/page.py", "brainsim/a.so"):
        (tmp_path / name).write_text("1")
        states.append(results.sources())
    assert states[0] != states[1] == states[2] == states[3]


def test_a_peer_that_is_not_there_is_told(monkeypatch, capsys):
    monkeypatch.setenv("PEERS_PYTHON", sys.executable)
    monkeypatch.setenv("PEERS_PYTHON_GENN", "/no/such/python")
    monkeypatch.setitem(driver.PEERS, "nest", peers.Peer("nest", "no_such_package", ("cuba",), ("float64",), ""))
    assert driver.found_peers("nest,genn") == {}
    said = capsys.readouterr().out
    assert "nest is left out: " in said and "has no no_such_package; PEERS_PYTHON names" in said
    assert "genn is left out: /no/such/python cannot be started" in said
    with pytest.raises(SystemExit, match="No such peer: nset"):
        driver.found_peers("nset")


def test_peers_have_rows_of_the_table():
    for peer in peers.PEERS.values():
        assert set(peer.networks) <= set(networks.NETWORKS)
        assert (ROOT / "benchmarks" / "peers" / f"{peer.name}.py").is_file()


def test_no_row_has_two_networks():
    with pytest.raises(ValueError, match="two rows called cuba"):
        networks.network(networks.cuba)


def test_graphs_have_the_published_sizes(monkeypatch):
    monkeypatch.setattr(graphs, "CELLS", 1250)
    monkeypatch.setattr(graphs, "EXCITATORY", 1000)
    exc, inh = graphs.brunel(delays=True)
    assert len(exc.pre) + len(inh.pre) == pytest.approx(156e3, rel=0.01)
    assert (exc.delay.min(), exc.delay.max()) == pytest.approx((0.5, 3.0))
    for part in (graphs.balanced(1000, conductances=True).exc, exc, inh):
        assert (np.diff(part.pre) >= 0).all()
    column = graphs.column(scale=0.1)
    assert len(column.v) == 7717 and len(column.synapses.pre) == pytest.approx(2.99e6, rel=0.01)


def test_the_page_has_every_section():
    text = page.PAGE.read_text()
    assert re.findall(r"<!-- measured: (\w+) -->", text) == list(page.SECTIONS)


def test_the_page_is_what_its_results_say():
    """Otherwise: python -m benchmarks.page"""
    measured = results.Results(page.DATA)
    assert page.PAGE.read_text() == page.text(page.PAGE.read_text(), measured)
    assert {row["network"] for row in measured.of("table")} <= set(networks.NETWORKS), "rows that are no more"
    for name in ("threads", "sizes"):
        if measured.of(name):
            assert f"made from {page.digest()}" in (page.PLOTS / f"{name}.svg").read_text()


def test_sections_come_from_entries(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "PLOTS", tmp_path)
    kept = results.Results(tmp_path / "bench.json")
    kept.on({"processor": "a", "flags of native": "-O3"})
    both = {"cpp_standalone": device(6.0, flags="-O2"), "native": device(python_megabytes=150.0)}
    kept.add(entry(**both, nest=device(20.0, version="3")), "")
    kept.add(entry("threads", **{"1": device(4.0), "2": device(2.0)}), "")
    kept.add(entry("sizes", "cuba@1000", **both), "")
    assert "20 s; 3.3; **10.0**" in page.peers(kept)
    assert "| net | 4 s | 2 s (2.0) |" in page.threads(kept)
    assert "| 1,000 | 0.1 | 600.00 ns; 750000.0 ns | 200.00 ns; 250000.0 ns | 3.0 |" in page.sizes(kept)
    assert "-O2" in page.machine(kept) and "150 MB" in page.machine(kept)
    assert page.plot(kept, "here") == ["threads", "sizes"]
    assert "made from here" in (tmp_path / "sizes.svg").read_text()


@pytest.mark.compiled
@pytest.mark.slow
def test_one_row(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "--rows", "cuba", "--types", "float64", "--rounds", "1"]
    command += ["--parts", "table", "--save", str(tmp_path / "bench.json")]
    for expected in ("| cuba | float64 |", "table cuba float64: there already"):
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr[-2000:]
        assert expected in result.stdout
