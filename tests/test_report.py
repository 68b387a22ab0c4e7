"""The report: each section exactly when its data is there, nothing from outside, everything escaped."""

from __future__ import annotations

import html.parser
import json
import re
from pathlib import Path

import numpy as np
import pytest
import run_folders

from brainsim import plots, report
from brainsim.errors import BrainsimError

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
