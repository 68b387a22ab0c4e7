"""One self-contained HTML page about a run: :func:`write`.

The page asks nothing of the network and runs no script (a content security policy in it says so). Whatever
comes from files is escaped by jinja2; only drawings made here are put in as they are.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from brainsim import plots
from brainsim.errors import BrainsimError, Problem, SetupError
from brainsim.report import activity, learning, overview
from brainsim.report.page import Page, figures
from brainsim.runs.results import open_folder

__all__ = ["write"]

#: Name in the template -> what makes the section; it returns something empty when there is nothing to show.
SECTIONS: dict[str, Callable[[Page], Any]] = {
    "status": overview.status,
    "numbers": overview.numbers,
    "circuit": overview.circuit,
    "raster": activity.raster,
    "rates": activity.rates,
    "populations": activity.populations,
    "states": activity.states,
    "weights": learning.weights,
    "fields": learning.fields,
    "learning": learning.curve,
    "confusion": learning.confusion,
    "model": overview.text("model.yaml", "yaml"),
    "script": overview.text("script.py", "python"),
    "cite": overview.citations,
    "provenance": overview.provenance,
}


def write(folder: str | Path) -> Path:
    """Write ``report.html`` into a run folder and return its path.

    A run that failed or was stopped gets a report with what there is; a section that cannot be made is left out
    with a note. Raises :class:`BrainsimError` if the folder is none of a run or its results are broken.
    """
    page = Page(open_folder(folder))
    _ = page.summary, page.results.provenance, page.results.spike_paths  # broken files end here, with their own words
    sections: dict[str, Any] = {}
    for name, make in SECTIONS.items():
        try:
            found = make(page)
        except BrainsimError as error:
            page.notes.append(f"No {name}: {error.problems[0].message}")
        except (ArithmeticError, AttributeError, LookupError, MemoryError, OSError, TypeError, ValueError) as error:
            # Files of another version, or cut short: the rest is still worth showing.
            page.notes.append(f"No {name}: {type(error).__name__}: {error}")
        else:
            if found:
                sections[name] = found
    notes = page.summary.get("notes")
    sections["notes"] = list(dict.fromkeys([*(map(str, notes) if isinstance(notes, list) else ()), *page.notes]))
    html = _template().render(
        title=str(page.summary.get("experiment") or page.model.get("experiment") or page.folder.name),
        about=str(page.model.get("about") or ""),
        folder=page.folder.name,
        palette=plots.PALETTE,
        s=sections,
    )
    target = page.folder / "report.html"
    part = page.folder / "report.html.tmp"
    try:
        part.write_text(html, encoding="utf-8")
        os.replace(part, target)
    except OSError as error:
        raise SetupError(Problem("path", f"cannot write {target.name} in {folder}: {error.strerror}")) from error
    return target


@functools.cache
def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["count"] = lambda n: f"{n:,}"
    environment.filters["share"] = lambda x: "" if np.isnan(x) else f"{100 * x:.1f}\u00a0%"
    environment.filters["figures"] = figures
    return environment.get_template("report.html.j2")
