"""Variables that show a variable of another population."""

from __future__ import annotations

from brainsim.circuit.model import Link
from brainsim.circuit.regions import Node, Regions, join
from brainsim.circuit.wiring import find_population
from brainsim.errors import Mark, suggest


def find_links(regions: Regions, node: Node) -> None:
    """Check the links of one region and add them to ``regions``."""
    for target, origin in node.tree.get(("links",), {}).items():
        mark = node.tree.key_mark(("links", target))
        ends = [
            _variable(regions, node, target, mark),
            _variable(regions, node, str(origin), node.tree.mark(("links", target))),
        ]
        if ends[0] is None or ends[1] is None:
            continue
        (to, variable), (start, shown) = ends[0], ends[1]
        if "lesion" in (regions.known[to], regions.known[start]):
            regions.site.notes.append(
                f"The link {join(node.path, target)} is left out: one of its populations has size 0."
            )
            continue
        cells = regions.cells[to].equations
        if variable not in cells or "linked" not in cells[variable].flags:
            linked = [name for name, eq in cells.items() if "linked" in eq.flags]
            regions.problems.add(
                "name", f"{to} has no (linked) variable {variable}", mark, suggest(variable, linked, "linked variable")
            )
            continue
        n, m = regions.populations[start].size, regions.populations[to].size
        if n not in (1, m):
            regions.problems.add(
                "value",
                f"{start} has {n} cells and {to} has {m}: a link needs one cell or as many",
                mark,
                "Link to a population of one cell, or of the same size.",
            )
            continue
        if (to, variable) in regions.links:
            regions.problems.add("name", f"{to}.{variable} is linked twice", mark, "Remove one of the links.")
            continue
        regions.links[to, variable] = Link((to, variable), (start, shown), mark)
        node.resolved.setdefault("links", {})[target] = str(origin)


def _variable(regions: Regions, node: Node, text: str, mark: Mark | None) -> tuple[str, str] | None:
    """``output.u_top`` -> (population path, variable)."""
    population, _, variable = text.rpartition(".")
    if not population or "[" in text:
        regions.problems.add(
            "path", f"{text} is no variable of a population", mark, "Write POPULATION.VARIABLE, such as output.v."
        )
        return None
    full = find_population(population, node.path, regions.known, mark, regions.problems)
    if full is None or regions.known[full] == "wrong":
        return None
    names = regions.cells[full].all
    if variable not in names:
        regions.problems.add("name", f"{full} has no variable {variable}", mark, suggest(variable, names, "variable"))
        return None
    return full, variable
