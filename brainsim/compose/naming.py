"""What the names in synapse code mean: variables of the synapse, of the sending cell, of the receiving cell."""

from __future__ import annotations

from collections.abc import Iterable

from brainsim.circuit import Part
from brainsim.compose.cell import Cell
from brainsim.compose.scope import SYNAPSE_BUILT_IN, TRIAL
from brainsim.errors import Mark, Problems

SIDES = ("pre", "post")


class Naming:
    """Remembers how the names of each part came out on the synapse and on both cells."""

    def __init__(self, path: str, source: Cell, target: Cell, mark: Mark | None, problems: Problems):
        self.path, self.mark, self.problems = path, mark, problems
        self.cells = {"pre": source, "post": target}
        self.brought: dict[tuple[str, str], dict[str, str]] = {}  # (side, kind of part) -> name -> name on the cell
        self.own: dict[str, dict[str, str]] = {}  # kind of part -> parameter -> name on the synapse

    def bring(self, part: Part, side: str, names: dict[str, str]) -> None:
        """Note how the names that ``part`` brought to the cell on ``side`` came out there."""
        self.brought[side, part.kind] = names

    def on_cell(self, part: Part, name: str) -> tuple[str, str] | None:
        """Side and name under which a cell holds this parameter already: Brian2 allows a name on one side only."""
        for side in reversed(SIDES):
            names = self.brought.get((side, part.kind), {})
            if name in names:
                return side, names[name]
        return None

    def renames(self, part: Part, names: Iterable[str]) -> dict[str, str]:
        """How names in code of ``part`` come out; what they read on a cell is noted there."""
        found: dict[str, str] = {}
        for name in names:
            side = next((s for s in SIDES if name.endswith(f"_{s}") and name not in SYNAPSE_BUILT_IN), None)
            if side is not None:
                base = self._of_cell(part, side, name[: -len(side) - 1])
                self.cells[side].read([base])
                self._own(part, side, base)
                found[name] = f"{base}_{side}"
            elif name in part.values:
                held = self.on_cell(part, name)
                if held is None:
                    found[name] = self.own[part.kind][name]
                else:
                    self.cells[held[0]].read([held[1]])
                    found[name] = f"{held[1]}_{held[0]}"
            elif name in TRIAL:
                self.cells["post"].read([name])
                self._own(part, "post", name)
                found[name] = f"{name}_post"
        return {old: new for old, new in found.items() if old != new}

    def _own(self, part: Part, side: str, name: str) -> None:
        """Brian2 shows a synapse the variables its cells have, not those they show of other groups."""
        declared = self.cells[side].declared.get(name)
        equation = declared.equation if declared is not None else None
        if name in TRIAL[:2] or (equation is not None and "linked" in equation.flags):
            self.problems.add(
                "fit",
                f"{self.path}: {part.name} reads {name}, which the cells of {self.cells[side].path} only show:"
                " a synapse cannot see it",
                self.mark,
                f"Let the cell copy it: {side}: {{equations: 'seen : 1', every: [{{each: ..., code: seen = {name}}}]}},"
                f" and read seen_{side}.",
            )

    def _of_cell(self, part: Part, side: str, base: str) -> str:
        """The variable of a cell that ``base_side`` means: the part's own, the synapse's, or the cell's."""
        for kind in (part.kind, "synapse"):
            names = self.brought.get((side, kind), {})
            if base in names:
                return names[base]
        cell = self.cells[side]
        if len(cell.variants.get(base, ())) > 1:
            self.problems.add(
                "needs",
                f"{self.path}: {part.name} means {base} of {cell.path}, but several projections bring one with"
                " different parameters",
                self.mark,
                "Give them equal parameters.",
            )
        return base
