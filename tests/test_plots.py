"""Figures: circuits drawn from a model, rasters as text and as files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import run_folders

from brainsim import plots
from brainsim.runs.results import Results

# ---- the circuit ----


def test_signs_come_from_equations_and_values_and_not_from_names():
    diagram = plots.read_diagram(run_folders.reward_model())
    sign = {arrow.path: arrow.sign for arrow in diagram.arrows}
    assert sign["cortex.exc_exc"] == "exc" and sign["striatum.fsi_d1"] == "inh" and sign["reward_d1"] == "other"
    role = {node.path: node.role for node in diagram.nodes}
    assert role == {
        "cortex.drive": "exc", "cortex.exc": "exc", "cortex.inh": "inh", "striatum.d1": "inh", "striatum.d2": "inh",
        "striatum.fsi": "inh", "midbrain.dopamine": "other", "midbrain.gaba": "inh",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "values", "expected"),
    [
        ("w", {"w": "0.1 mV"}, "exc"),
        ("w", {"w": "-0.5 mV"}, "inh"),
        ("w*J", {"w": 1, "J": "-90 pA"}, "inh"),
        ("-w*J", {"w": 1, "J": "-90 pA"}, "exc"),
        ("(1 - exp(-dt/tau_g_post))*kick/dt*w", {"w": "rand()", "kick": "0.25 ms"}, "exc"),
        ("w", {"w": "-g*J", "g": 5, "J": "0.1 mV"}, "inh"),
        ("w", {"w": "2 + rand()"}, "exc"),
        ("w", {"w": "randn()"}, "other"),
        ("w", {"w": 0}, "other"),
        ("w.__class__", {"w": 1}, "other"),
        ("9**9**9**9*w", {"w": 1}, "other"),
        ("w", {"w": "a", "a": "w"}, "other"),
    ],
)
def test_sign_of_a_synapse(code, values, expected):
    synapse = {"synapse": "s", "parameters": values, "on_pre": f"v_post += {code}"}
    model = {
        "region": "r",
        "populations": {"a": {"neuron": "x", "size": 1}, "b": {"neuron": "x", "size": 1}},
        "projections": {"p": {"from": "a", "to": "b[0:1]", "synapse": synapse, "connect": "all"}},
    }
    (arrow,) = plots.read_diagram(model).arrows
    assert arrow.sign == expected


def test_lesions_and_parts_by_name_are_drawn_as_far_as_they_are_known():
    model = {
        "region": "r",
        "populations": {"a": {"neuron": "lif", "size": 2}, "gone": {"neuron": "lif", "size": 0}},
        "projections": {"p": {"from": "a", "to": "gone", "synapse": "ampa"}, "q": {"from": "a", "to": "nowhere"}},
        "regions": {"c": "by_name"},
    }
    diagram = plots.read_diagram(model)
    assert [node.path for node in diagram.nodes] == ["a"] and diagram.arrows == ()
    assert plots.read_diagram({"experiment": "x", "region": "by_name"}) == plots.Diagram((), ())
    assert plots.circuit_svg(plots.Diagram((), ())) == ""


def boxes(svg: str, kind: str) -> list[tuple[float, float, float, float]]:
    pattern = {"node": r'<g class="node[^>]*><title>[^<]*</title><rect ', "region": r'<rect class="region" '}[kind]
    found = re.findall(pattern + r'x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)"', svg)
    return [(float(x), float(y), float(x) + float(w), float(y) + float(h)) for x, y, w, h in found]


def apart(a, b) -> bool:
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def within(a, b) -> bool:
    return a[0] >= b[0] and a[1] >= b[1] and a[2] <= b[2] and a[3] <= b[3]


def networks():
    rng = np.random.default_rng(4)
    yield plots.read_diagram(run_folders.brunel_model())
    yield plots.read_diagram(run_folders.digits_model())
    yield plots.read_diagram(run_folders.reward_model())
    for count, arrows in ((1, 1), (2, 6), (9, 20), (20, 60)):
        paths = [f"{'abc'[k % 3]}.{'xy'[k % 2]}.p{k}" if k % 4 else f"single{k}" for k in range(count)]
        nodes = tuple(plots.Node(path, 10, "lif", "exc") for path in paths)
        ends = rng.integers(0, count, (arrows, 2))
        rules = ["rule" if k % 3 == 0 else "" for k in range(arrows)]
        yield plots.Diagram(
            nodes,
            tuple(plots.Arrow(f"e{k}", paths[a], paths[b], "inh", "syn", rules[k]) for k, (a, b) in enumerate(ends)),
        )


@pytest.mark.parametrize("diagram", list(networks()), ids=lambda d: f"{len(d.nodes)}-{len(d.arrows)}")
@pytest.mark.parametrize("room", [880, 350])
def test_a_circuit_is_drawn_without_overlap(diagram, room):
    svg = plots.circuit_svg(diagram, room=room)
    nodes, regions = boxes(svg, "node"), boxes(svg, "region")
    assert len(nodes) == len(diagram.nodes)
    assert svg.count('<g class="edge') == len(diagram.arrows)
    assert all(apart(a, b) for k, a in enumerate(nodes) for b in nodes[:k])
    assert all(apart(a, b) or within(a, b) or within(b, a) for k, a in enumerate(regions) for b in regions[:k])
    assert all(apart(node, region) or within(node, region) for node in nodes for region in regions)
    x, y, width, height = (float(v) for v in re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', svg).groups())
    assert all(within(box, (x, y, x + width, y + height)) for box in nodes + regions)
    labels = re.findall(r'<text class="label \w+" x="([-\d.]+)" y="([-\d.]+)">([^<]+)<', svg)
    areas = [(float(a) - 3.2 * len(t), float(b) - 9, float(a) + 3.2 * len(t), float(b) + 1) for a, b, t in labels]
    assert all(apart(a, b) for k, a in enumerate(areas) for b in areas[:k])
    assert all(apart(a, b) for a in areas for b in nodes)


def test_what_an_arrow_does_shows_without_colour():
    for sign, mark in (("exc", "head"), ("inh", "bar"), ("other", "open"), ("link", "ring")):
        diagram = plots.Diagram((plots.Node("a", 1), plots.Node("b", 1)), (plots.Arrow("p", "a", "b", sign, "s", ""),))
        svg = plots.circuit_svg(diagram)
        assert f'class="{mark}"' in svg and svg.count('class="edge ' + sign) == 1
    plastic = plots.Arrow("p", "a", "b", "exc", "s", "stdp")
    svg = plots.circuit_svg(plots.Diagram(diagram.nodes, (plastic,)))
    assert 'class="edge exc plastic"' in svg and ">stdp</text>" in svg


# ---- figures apart from the page ----


def test_raster_text_fits_the_width_and_names_what_it_shows():
    rng = np.random.default_rng(1)
    spikes = {
        "cortex.exc": run_folders.poisson(rng, 400, 5, 0, 0.5),
        "cortex.inh": run_folders.poisson(rng, 100, 20, 0, 0.5),
    }
    text = plots.raster_text(spikes, {"cortex.exc": 400, "cortex.inh": 100}, 0.0, 0.5)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert "cortex.exc" in text and "cortex.inh" in text and " Hz" in text
    assert re.search(r"0 +100 +200 +300 +400 +500 ms", lines[-1])
    plain = plots.raster_text(spikes, {"cortex.exc": 400, "cortex.inh": 100}, 0.0, 0.5, ascii_only=True)
    assert plain.isascii() and max(map(len, plain.splitlines())) <= 80


def test_raster_text_puts_dots_where_spikes_are():
    text = plots.raster_text({"p": ([0.0, 0.0999], [0, 3])}, {"p": 4}, 0.0, 0.1, lines=1)
    row = text.splitlines()[0]
    inside = row[row.index("│") + 1 : row.rindex("│")]
    # Cell 0 is the top left dot of the first character, cell 3 the lower right one of the last.
    assert inside[0] == "\u2801" and inside[-1] == "\u2880" and not inside[1:-1].strip()
    assert "5 Hz" in row


def test_raster_text_of_silence_and_long_names():
    name = "a_region_with_a_long_name.a_population_with_a_long_name"
    text = plots.raster_text({name: ([], [])}, {name: 10}, 0.0, 30.0)
    assert "…" in text and "0 Hz" in text and max(map(len, text.splitlines())) <= 80 and text.rstrip().endswith(" s")
    with pytest.raises(ValueError):
        plots.raster_text({}, {}, 1.0, 1.0)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_states_without_numbers_are_a_gap_and_no_warning():
    values = np.ones((50, 10))
    values[20:] = np.nan
    shown = plots.State("cell", "v", "volt", np.arange(50) * 1e-3, values, ())
    plots.states([shown])


def test_text_raster_and_import_need_no_matplotlib():
    code = (
        "import sys\nfrom brainsim import plots, analysis\n"
        "plots.raster_text({'p': ([0.1], [0])}, {'p': 1}, 0, 1)\n"
        "assert 'matplotlib' not in sys.modules and 'brian2' not in sys.modules"
    )
    root = Path(__file__).resolve().parent.parent
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, timeout=60)


def test_raster_png_at_twice_the_resolution_and_no_global_state(tmp_path):
    results = Results(run_folders.brunel(tmp_path / "run"))
    before = "matplotlib.pyplot" in sys.modules  # by Brian2, if a test before this one imported it
    file = plots.raster_png(results, tmp_path / "raster.png", width=700)
    data = file.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and abs(int.from_bytes(data[16:20], "big") - 1400) < 80
    assert ("matplotlib.pyplot" in sys.modules) == before
    import matplotlib

    assert matplotlib.rcParams["svg.fonttype"] == "path"  # ours are undone


def test_drawings_follow_the_colours_of_the_page():
    figure = plots.weights(np.linspace(0, 1, 50), np.linspace(0, 2, 50))
    svg = plots.svg(figure, "w")
    assert "var(--exc)" in svg and "var(--inh)" in svg and "var(--sans)" in svg
    assert not re.search(r"#[0-9a-f]{6}", svg.lower().replace("#000000", "")), "a colour that a dark page cannot change"
    assert "http" not in svg and "<metadata" not in svg
