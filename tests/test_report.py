"""The report: each section exactly when its data is there, nothing from outside, everything escaped."""

from __future__ import annotations

import html.parser
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import run_folders

from brainsim import plots, report
from brainsim.errors import BrainsimError
from brainsim.runs.results import Results

SECTIONS = {
    "circuit", "activity", "raster", "rates", "populations", "learning", "curve", "confusion", "weights", "fields",
    "variables", "configuration", "bibliography", "provenance",
}  # fmt: skip
#: What stands in a page may only point into it, or carry its data along.
REFERENCES = {"src", "href", "xlink:href", "srcset", "data", "poster", "action", "formaction", "background"}
VOID = {"meta", "link", "br", "img", "hr", "input", "source"}


class Page(html.parser.HTMLParser):
    """What a browser would see: ids, texts, references; and whether tags close in order."""

    def __init__(self, file: Path):
        super().__init__(convert_charrefs=True)
        self.raw = file.read_text(encoding="utf-8")
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.references: list[tuple[str, str]] = []
        self.labels: list[str] = []
        self.headings: list[int] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(self.raw)
        assert not self.open, f"never closed: {self.open}"

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in REFERENCES:
                self.references.append((tag, value))
            if name == "aria-label":
                self.labels.append(value)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open and self.open.pop() == tag, f"</{tag}> out of order"

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "title"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words)).replace("\u00a0", " ")

    @property
    def sections(self) -> set[str]:
        return SECTIONS & set(self.ids)


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Page:
    return Page(report.write(run_folders.digits(tmp_path_factory.mktemp("runs") / "digits")))


@pytest.fixture(scope="module")
def brunel(tmp_path_factory) -> Page:
    return Page(report.write(run_folders.brunel(tmp_path_factory.mktemp("runs") / "brunel")))


@pytest.fixture(scope="module")
def reward(tmp_path_factory) -> Page:
    return Page(report.write(run_folders.reward(tmp_path_factory.mktemp("runs") / "reward")))


@pytest.fixture(params=["digits", "brunel", "reward"])
def page(request) -> Page:
    return request.getfixturevalue(request.param)


# ---- what is there ----


def test_each_section_is_there_exactly_when_it_has_something_to_show(digits, brunel, reward):
    always = {"circuit", "activity", "raster", "rates", "populations", "configuration", "bibliography", "provenance"}
    assert digits.sections == always | {"learning", "curve", "confusion", "weights", "fields"}
    assert brunel.sections == always | {"variables"}
    assert reward.sections == always | {"weights", "variables"}
    assert not any(re.search(r"No (circuit|raster|rates)", p.text) for p in (digits, brunel, reward))


def test_navigation_leads_to_every_section_and_nowhere_else(page):
    linked = {value[1:] for tag, value in page.references if tag == "a"}
    assert linked and linked <= set(page.ids)
    assert linked == page.sections - {"raster", "rates", "populations", "curve", "confusion", "fields"}


def test_key_numbers(digits):
    assert "78.4 %" in digits.text and "79.0 %" in digits.text
    assert "392 of 500 test samples" in digits.text and "95 % interval 74.6–81.8 %" in digits.text
    assert "chance 10 %" in digits.text
    assert "cpp_standalone" in digits.text and "29.5 s" in digits.text and "950 trials" in digits.text
    assert "auto chose cpp_standalone" in digits.text
    assert "Complete" in digits.text


def test_table_of_rates_and_regularity(brunel):
    row = re.search(r"exc 800 ([\d,]+) ([\d.]+) 100.0 % ([\d.]+) (\d+)", brunel.text)
    assert row, brunel.text
    assert int(row[1].replace(",", "")) == pytest.approx(800 * 38, rel=0.03)
    assert float(row[2]) == pytest.approx(38, rel=0.03)
    assert float(row[3]) == pytest.approx(0.97, abs=0.04)  # Poisson; a little under 1 for about 37 intervals
    assert row[4] == "800"


def test_weights_before_and_after(reward):
    assert re.search(r"before 2\.50 ± 0\.28\d 2 3", reward.text)
    assert re.search(r"after 3\.00 ± 0\.4\d\d", reward.text)
    assert "cortex.exc to striatum.d1, 32,000 synapses" in reward.text


def test_confusion_matrix_shows_counts_and_accuracy_of_each_class(tmp_path):
    readout = {"n_test": 9, "accuracy_ties_wrong": 5 / 9, "accuracy_argmax": 6 / 9, "classes": ["cat", "dog"]}
    readout |= {"confusion": [[3, 1], [2, 2]], "undecided": [1, 0], "learning_curve": []}
    page = Page(report.write(run_folders.digits(tmp_path / "run", n_cells=10, n_train=40, readout=readout)))
    assert "cat 3 1 1 60.0 %" in page.text and "dog 2 2 · 50.0 %" in page.text
    assert "no decision" in page.text and "curve" not in page.ids and "chance 50 %" in page.text


def test_classes_with_long_names_go_by_number_where_there_is_no_room(tmp_path):
    readout = {"n_test": 5, "accuracy_ties_wrong": 0.6, "classes": ["T-shirt/top", "Trouser"]}
    readout |= {"confusion": [[2, 1], [1, 1]], "undecided": [0, 0], "learning_curve": [[50, None], [100, 0.5]]}
    page = Page(report.write(run_folders.digits(tmp_path / "run", n_cells=10, n_train=40, readout=readout)))
    assert "0 T-shirt/top 2 1 66.7 %" in page.text and '<abbr title="1 Trouser">1</abbr>' in page.raw
    assert "0: T-shirt/top, 1: Trouser." in page.text
    assert "curve" in page.ids and "50 % after 100 trials" in " ".join(page.labels)


def test_recorded_variables_have_units_and_members(brunel, reward):
    assert "v (mV)" in brunel.text and all(f"cell {k}" in brunel.text for k in (0, 400, 799))
    assert "w, 50 members" in reward.text and "middle 80 %" in reward.text and "DA" in reward.text


def test_fields_carry_the_class_of_each_cell(digits):
    sheet = digits.raw[digits.raw.index('<svg class="fields"') :]
    sheet = sheet[: sheet.index("</figure>")]
    labels = re.findall(r'<text x="[\d.]+" y="\d+">([^<]+)</text>', sheet)
    assert len(labels) == 100 and labels == [*sorted(labels[:-1]), "–"]
    assert sheet.count("<image ") == 10 and sheet.count("data:image/png;base64,") == 10
    assert re.search(r"<title>cell \d+, class 7</title>", sheet)


def test_configuration_script_and_bibliography(digits):
    assert "model.yaml" in digits.text and re.search(r"experiment\s*:\s*digits_vdsp", digits.text)
    assert "NeuronGroup" in digits.text and "# cells" in digits.text
    assert "Front Neurosci 16:983950" in digits.text
    assert "versions.brian2" in digits.text and "2.9.0" in digits.text


def test_bibliography_comes_from_the_model_if_the_summary_has_none(tmp_path):
    model = run_folders.brunel_model()
    model["region"]["cite"] = ["A <b>bold</b> paper", "own"]
    folder = run_folders.write(tmp_path / "run", model, {"experiment": "x", "status": "complete"})
    page = Page(report.write(folder))
    assert "Brunel (2000)" in page.text and "A <b>bold</b> paper" in page.text
    assert page.raw.count("<li>own</li>") == 0


# ---- safe, self-contained, accessible ----


def test_nothing_comes_from_outside(page):
    for tag, value in page.references:
        assert value.startswith(("#", "data:image/png;base64,")), f"<{tag}> refers to {value[:80]}"
    assert not {"script", "iframe", "object", "embed", "link", "base", "form"} & set(page.tags)
    assert not re.search(r"url\s*\((?!\s*['\"]?#)|@import", page.raw)
    assert "Content-Security-Policy" in page.raw and "default-src 'none'" in page.raw
    for target in re.findall(r"url\(['\"]?#([^'\")]+)", page.raw) + [v[1:] for _, v in page.references if v[0] == "#"]:
        assert target in page.ids, f"#{target} leads nowhere"


def test_ids_are_unique(page):
    assert len(page.ids) == len(set(page.ids))


def test_size(digits, reward):
    assert len(digits.raw) < 600_000 and len(reward.raw) < 800_000


def test_a_large_run_stays_under_three_megabytes(tmp_path):
    rng = np.random.default_rng(1)
    sizes = {f"area.p{k}": 5000 for k in range(20)}
    spikes = {path: run_folders.poisson(rng, n, 8.0, 0, 2.0) for path, n in sizes.items()}
    summary = {"experiment": "big", "status": "complete", "model_time_s": 2.0}
    summary["populations"] = run_folders.populations(sizes, spikes, 2.0)
    noise = ("volt", np.arange(20_000) * 1e-4, rng.normal(size=(20_000, 4)), np.arange(4))
    states = {(f"area.p{k}", "v"): noise for k in range(5)}
    model = {"experiment": "big", "about": "x", "cite": ["y" * 200] * 5000}
    file = report.write(run_folders.write(tmp_path / "run", model, summary, spikes=spikes, states=states))
    assert file.stat().st_size < 3_000_000
    assert Page(file).sections >= {"raster", "rates", "variables"}


def test_drawings_have_words_and_headings_are_in_order(page):
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(page.headings[:-1], page.headings[1:], strict=True))
    drawings = page.raw.count('class="drawing" role="img" aria-label="')
    assert drawings >= 4 and all(len(label) > 10 for label in page.labels if label != "Sections")
    assert '<html lang="en">' in page.raw and 'name="viewport"' in page.raw
    assert "prefers-color-scheme: dark" in page.raw and "@media print" in page.raw


def test_colours_have_contrast():
    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for scheme in (0, 1):
        for ground in ("page", "wash"):
            behind = luminance(plots.PALETTE[ground][scheme])
            for role in ("exc", "inh", "other", "fourth", "fifth", "ink", "soft"):
                front = luminance(plots.PALETTE[role][scheme])
                ratio = (max(front, behind) + 0.05) / (min(front, behind) + 0.05)
                assert ratio >= 4.5, f"{role} on {ground}, scheme {scheme}: {ratio:.2f}"


def test_what_comes_from_files_is_escaped(tmp_path):
    attack = "<script>alert(1)</script>"
    quote = "\" onmouseover='x' <b>&amp;"
    folder = run_folders.reward(tmp_path / "run")
    model = run_folders.reward_model()
    model |= {"about": attack, "cite": [attack, quote]}
    model["region"]["regions"]["cortex"]["populations"]["exc"]["neuron"] = {"neuron": attack}
    model["region"]["regions"][quote] = {"region": "x", "populations": {attack: {"neuron": quote, "size": 3}}}
    model["region"]["projections"]["cortex_to_d1"] |= {"plasticity": {"plasticity": attack}, "delay": attack}
    (folder / "model.yaml").write_text(json.dumps(model))
    (folder / "script.py").write_text(f'"""{attack}"""\n# {attack}\nx = "</code></pre>{attack}"\n')
    (folder / "run.log").write_text(attack)
    (folder / "provenance.json").write_text(json.dumps({attack: {quote: attack}}))
    summary = json.loads((folder / "summary.json").read_text())
    summary |= {"experiment": attack, "backend": attack, "notes": [attack], "status": "failed", "problems": [attack]}
    summary["populations"][attack] = {"size": 1, "spikes": 0, "rate_hz": 0.0}
    (folder / "summary.json").write_text(json.dumps(summary))
    page = Page(report.write(folder))
    assert "script" not in page.tags and "b" not in page.tags and "<script" not in page.raw
    assert not re.search(r"<[^>]*\sonmouseover", page.raw.replace("&#34;", "").replace("&quot;", ""))
    assert page.text.count(attack) >= 8  # shown as the text it is


# ---- runs that did not end well ----


def test_a_failed_run_has_a_report_with_what_there_is(tmp_path):
    folder = run_folders.brunel(tmp_path / "run", status="failed")
    summary = json.loads((folder / "summary.json").read_text())
    summary |= {"problems": ["error[backend]: the run failed: floating point"], "model_time_s": 0.0}
    (folder / "summary.json").write_text(json.dumps(summary))
    page = Page(report.write(folder))
    assert "Failed" in page.text and "floating point" in page.text and "End of run.log" in page.text
    assert {"raster", "rates", "circuit", "configuration"} <= page.sections


def test_a_run_that_failed_before_it_recorded_anything(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    summary = {"experiment": "x", "status": "failed", "problems": ["no compiler"]}
    (folder / "summary.json").write_text(json.dumps(summary))
    page = Page(report.write(folder))
    assert page.sections == set() and "no compiler" in page.text


def test_a_stopped_run_says_when(tmp_path):
    folder = run_folders.reward(tmp_path / "run", status="stopped")
    page = Page(report.write(folder))
    assert "Stopped after 4 s of model time" in page.text and "raster" in page.ids


def test_a_run_under_way_or_killed(tmp_path):
    folder = run_folders.brunel(tmp_path / "run")
    (folder / "summary.json").unlink()
    page = Page(report.write(folder))
    assert "Not finished" in page.text and "raster" in page.ids


def test_a_silent_run(tmp_path):
    nothing = (np.zeros(0), np.zeros(0, int))
    summary = {"experiment": "x", "status": "complete", "model_time_s": 1.0}
    summary["populations"] = {"exc": {"size": 800, "spikes": 0, "rate_hz": 0.0}}
    model = run_folders.brunel_model()
    page = Page(report.write(run_folders.write(tmp_path / "run", model, summary, spikes={"exc": nothing})))
    assert {"raster", "rates"} & page.sections == set() and "populations" in page.ids
    assert re.search(r"exc 800 0 0", page.text)


def test_no_run_folder(tmp_path):
    with pytest.raises(BrainsimError, match="is no folder"):
        report.write(tmp_path / "nowhere")
    with pytest.raises(BrainsimError, match="holds no run"):
        report.write(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("summary.json", b"{"),
        ("summary.json", b"[1, 2]"),
        ("summary.json", b"[" * 100_000),
        ("provenance.json", b"\xff\xfe"),
        ("results.h5", b"not HDF5"),
    ],
)
def test_broken_files_end_in_an_error_that_names_them(tmp_path, name, content):
    folder = run_folders.brunel(tmp_path / "run")
    (folder / name).write_bytes(content)
    with pytest.raises(BrainsimError, match=re.escape(name)):
        report.write(folder)
    assert not (folder / "report.html").exists()


def test_a_broken_model_costs_the_circuit_only(tmp_path):
    folder = run_folders.brunel(tmp_path / "run")
    (folder / "model.yaml").write_text("experiment: [unclosed")
    page = Page(report.write(folder))
    assert "circuit" not in page.ids and "model.yaml is broken" in page.text and "raster" in page.ids


@pytest.mark.parametrize("key", ["populations", "readout", "times", "notes", "cite", "seed", "backend", "model_time_s"])
@pytest.mark.parametrize("value", [None, "text", 3, [], {}, [1], {"a": 1}])
def test_a_summary_of_another_shape_still_gives_a_page(tmp_path, key, value):
    folder = run_folders.digits(tmp_path / "run", n_cells=4, n_train=12, **{key: value})
    assert "circuit" in Page(report.write(folder)).ids


def test_writing_again_replaces_the_page(tmp_path):
    folder = run_folders.brunel(tmp_path / "run")
    first = report.write(folder).read_text()
    assert report.write(folder).read_text() == first  # nothing in it depends on when it is made
    assert not list(folder.glob("*.tmp"))


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
