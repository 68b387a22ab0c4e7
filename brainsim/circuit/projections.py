"""Projections: both ends, synapses and rule, connection, delays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brainsim.circuit import wiring
from brainsim.circuit.initial import SYNAPSE_WORDS, cell_initial, initial
from brainsim.circuit.links import find_links
from brainsim.circuit.model import Ends, Part, Projection
from brainsim.circuit.parts import content, part
from brainsim.circuit.regions import Node, Regions, join
from brainsim.circuit.values import Scope, code, evaluate, literal
from brainsim.circuit.variables import add_to_cells, of_synapse
from brainsim.errors import suggest
from brainsim.overrides import Given
from brainsim.source import Tree
from brainsim.units import Dims, Quantity


class Projections:
    """Joins the populations of ``regions``; ``dt`` in seconds, None if it is wrong itself."""

    def __init__(self, regions: Regions, dt: float | None) -> None:
        self.regions, self.dt = regions, dt
        self.site, self.problems = regions.site, regions.problems

    def wire(self, top: Node) -> None:
        """Projections, links and initial values, once all populations are known."""
        for node in top:
            for name in node.tree.get(("projections",), {}):
                self.regions.count(node.tree.key_mark(("projections", name)))
                self._projection(node, name)
        for projection in (*self.regions.projections.values(), *self.regions.silent.values()):
            add_to_cells(projection, self.regions.cells, self.problems)
        for node in top:
            for name in node.tree.get(("populations",), {}):
                cell_initial(self.regions, node, name)
            find_links(self.regions, node)

    def _projection(self, node: Node, name: str) -> None:
        path, tree = join(node.path, name), node.tree.at(("projections", name))
        settle, scope, problems = self.regions.settler(path, tree), node.scope, self.problems
        self.regions.tried.append(path)
        sides = [self._end(node, path, key, settle) for key in ("from", "to")]
        if any(side and self.regions.known[side[0]] == "lesion" for side in sides):
            empty = next(side[0] for side in sides if side and self.regions.known[side[0]] == "lesion")
            self.site.notes.append(f"{path} is left out: {empty} has size 0.")
            self.site.overrides.block(path)
            self.regions.dropped.add(path)
            if sides[1] and sides[1][1] is not None:
                self._receptors(node, name, tree, sides[1][1], settle)
            return
        synapses, several = self._synapses(node, tree, path)
        rule_use = tree.at(("plasticity",)) if "plasticity" in tree.data else Tree(None, tree.file, {(): tree.mark()})
        rule = None
        if rule_use.data is not None or self.site.overrides.names(path).count("plasticity"):
            rule = part(self.site, "plasticity", rule_use, scope, f"{path}.plasticity")
        parts = [found for found in (*synapses, rule) if found is not None]
        names = of_synapse(parts, problems)
        complete = len(parts) == len(synapses) + (rule_use.data is not None or rule is not None)
        whole_names = names if complete else None
        autapses = self._flag(settle("autapses"), False)
        ends = [side[1] if side else None for side in sides]
        further = self._distance(ends)
        delay = self._drawn_delay(settle("delay"), scope, further)
        learn_delay = self._delay(settle("learn_delay"), scope, "learn_delay")
        port = settle("port")
        start, start_yaml = initial(self.regions, tree, path, scope, whole_names, {}, SYNAPSE_WORDS, further)
        connect = None
        if ends[0] is not None and ends[1] is not None:
            layouts = (self.regions.populations[ends[0].path].layout, self.regions.populations[ends[1].path].layout)
            both = (ends[0], ends[1])
            connect = wiring.connect(tree, settle, scope, both, layouts, autapses, self.regions.root, problems)
        else:
            self.site.overrides.block(f"{path}.connect")
        if connect is None or not complete or ends[0] is None or ends[1] is None:
            return
        self._check_port(port, ends[1].path)
        settled = {key: settle(key) for key in ("from", "to")}
        found: dict[str, Any] = {key: chosen.value for key, chosen in settled.items() if chosen is not None}
        written = [content(self.site, synapse) for synapse in synapses if synapse]
        found["synapse"] = written if several else written[0]
        if rule is not None:
            found["plasticity"] = content(self.site, rule)
        found["connect"] = connect[1]
        for key, value in (("delay", delay), ("learn_delay", learn_delay)):
            if value is not None:
                found[key] = literal(value) if isinstance(value, Quantity) else value
        if port is not None:
            found["port"] = port.value
        if start_yaml:
            found["initial"] = start_yaml
        if autapses:
            found["autapses"] = True
        node.resolved.setdefault("projections", {})[name] = found
        self.regions.synapses[path] = names
        self.regions.projections[path] = Projection(
            path,
            ends[0],
            ends[1],
            tuple(s for s in synapses if s),
            rule,
            connect[0],
            delay,
            learn_delay,
            None if port is None else str(port.value),
            start,
            autapses,
            tree,
        )

    def _receptors(self, node: Node, name: str, tree: Tree, target: Ends, settle: wiring.Settle) -> None:
        """A lesion of the source takes the spikes away, not what the synapse is on the cell it would land on."""
        path = join(node.path, name)
        synapses, several = self._synapses(node, tree, path)
        kept = tuple(synapse for synapse in synapses if synapse)
        if len(kept) != len(synapses):
            return
        port = settle("port")
        words = {key: chosen.value for key in ("from", "to", "port") if (chosen := settle(key)) is not None}
        written = [content(self.site, synapse) for synapse in kept]
        resolved = {**words, "synapse": written if several else written[0], "connect": "all"}
        node.resolved.setdefault("projections", {})[name] = resolved
        ends, named = (Ends(target.path, 0, 0), target), None if port is None else str(port.value)
        self.regions.silent[path] = Projection(
            path, *ends, kept, None, {"rule": "all"}, None, None, named, {}, False, tree
        )

    def _end(self, node: Node, path: str, key: str, settle: wiring.Settle) -> tuple[str, Ends | None] | None:
        """The population of one end, and the cells of it; no cells if it is a lesion or wrong itself."""
        chosen = settle(key)
        assert chosen is not None
        text = str(chosen.value)
        full = wiring.find_population(text, node.path, self.regions.known, chosen.mark, self.problems)
        if full is None:
            return None
        if self.regions.known[full] != "fine":
            return full, None
        return full, wiring.ends(text, self.regions.populations[full].size, full, chosen.mark, self.problems)

    def _synapses(self, node: Node, tree: Tree, path: str) -> tuple[list[Part | None], bool]:
        """Synapse parts, and whether they are written as a list (their parameters are then at ``synapse.NAME``)."""
        use = tree.data["synapse"]
        if not isinstance(use, list):
            return [part(self.site, "synapse", tree.at(("synapse",)), node.scope, f"{path}.synapse")], False
        found: list[Part | None] = []
        names: list[str] = []
        for k, item in enumerate(use):
            at = tree.at(("synapse", k))
            name = str((item.get("synapse") or item.get("name")) if isinstance(item, dict) else item)
            if name in names:
                self.problems.add(
                    "name", f"synapse {name} stands here twice", at.mark(), "Give the second a projection of its own."
                )
            names.append(name)
            found.append(part(self.site, "synapse", at, node.scope, path, renamed=f"{path}.synapse.{name}"))
        if not found:
            self.problems.add(
                "value", "synapse: [] is an empty list", tree.mark(("synapse",)), "Name a synapse, such as ampa."
            )
            return [None], True
        return found, True

    def _flag(self, chosen: Given | None, default: bool) -> bool:
        if chosen is None:
            return default
        if not isinstance(chosen.value, bool):
            self.problems.add(
                "value", f"autapses is true or false, got {chosen.text}", chosen.mark, "Write autapses: true."
            )
            return default
        return chosen.value

    def _distance(self, ends: list[Ends | None]) -> dict[str, Dims | None]:
        """``d``, the distance from source to target, where both have a layout of one kind."""
        if ends[0] is None or ends[1] is None:
            return {"d": None}  # an end is wrong itself, and reported
        first, second = (self.regions.populations[end.path].layout for end in ends if end is not None)
        unit = wiring.distance_unit((first, second))
        return {} if unit is None else {"d": unit}

    def _drawn_delay(
        self, chosen: Given | None, scope: Scope, further: Mapping[str, Dims | None]
    ) -> Quantity | str | None:
        """One delay for all synapses, or code that draws one for each."""
        if chosen is None:
            return None
        found = code(chosen, scope, "delay", self.problems, allowed=further, builtin=SYNAPSE_WORDS, dims=wiring.TIME)
        return self._delay(chosen, scope, "delay") if isinstance(found, Quantity) else found

    def _delay(self, chosen: Given | None, scope: Scope, what: str) -> Quantity | None:
        if chosen is None:
            return None
        found = evaluate(chosen, scope, what, self.problems, wiring.TIME, positive=False)
        if found is None or not wiring.on_grid(found, self.dt, what, chosen.mark, self.problems):
            return None
        if self.dt is not None and found.value > wiring.MAX_DELAY * self.dt:
            longest = f"{wiring.MAX_DELAY:,} steps of {self.dt * 1e3:.9g} ms"
            self.problems.add(
                "limit", f"{what} = {found} is longer than {longest}", chosen.mark, "Make it shorter, or dt longer."
            )
            return None
        return found

    def _check_port(self, chosen: Given | None, target: str) -> None:
        if chosen is None:
            return
        neuron = self.regions.populations[target].neuron
        ports = ["I_syn", *neuron.spec.ports]
        if chosen.value not in ports:
            self.problems.add(
                "name",
                f"neuron {neuron.name} has no port {chosen.text}",
                chosen.mark,
                suggest(chosen.text, ports, "port"),
            )
