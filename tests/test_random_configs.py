"""Random configurations: whatever a file holds, only our own errors come out, and what is accepted runs.

Half of them are valid files in which pieces are replaced, removed, renamed or swapped; the others are small
networks put together from the library, which must be accepted and must run.
"""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_bad_input import BASE

import brainsim
from brainsim.errors import BrainsimError
from brainsim.library import shipped_folder

SHIPPED = ("configs/cortex_ei.yaml", "configs/tasks/digits_vdsp.yaml", "regions/cortex/brunel.yaml",
           "models/neurons/adex.yaml", "models/synapses/nmda.yaml", "plasticity/r_stdp.yaml")  # fmt: skip
TEXTS = [BASE, *((shipped_folder() / name).read_text(encoding="utf-8") for name in SHIPPED)]

#: Values that were trouble somewhere, here or elsewhere.
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 2.5, 10**30, -(10**30), 1e308, 1e-320, float("inf"), float("nan"), "", " ", "\n"),
    *("0", "1e400", "1e-400 ms", "-5 ms", "5 ms", "5 mV", "5ms", "1e9 s", "0 ms", "3 nS", "inf", "1/0", "0/0"),
    *("n", "n/0", "rand()", "randn()*mV", "i", "w", "v", "t", "dt", "e", "pi", "self", "int", "class", "I", "S"),
    *("exc", "inh", "ee", "exc[0:2]", "exc[5:1]", "exc[:]", "exc.v", "exc.neuron", "run.seed", ".", "a.b.c", "..", "/"),
    *("lif", "cell", "ex", "rule", "net", "ampa", "stdp", "all", "one_to_one", "auto", "numpy", "spike", "1", "volt"),
    *("v > V_th", "v = 0*mV", "dv/dt = -v/ms : volt", "x : 1", "w += 1", "w = 1/0", "a = b : 1 (event-driven)", "x ="),
    *("((((", "v +", "9**9**9", "exp(exp(exp(1000)))", "log(-1)", "1;2", "__import__('os')", "ünïcode", "\u202e"),
    *([], {}, [[]], [1, 2], {"a": 1}, {"name": "lif"}, {"name": "lif", "parameters": {"C_m": 3}}, {"p": 0.5}),
    *({"in_degree": 3}, {"matrix": "x.csv"}, {"from": "runs/x"}, {"constant": 1}, {"each": "dt", "code": "w = 0"}),
)  # fmt: skip


def places(node: Any, path: tuple = ()) -> list[tuple]:
    """Paths to everything in a tree."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, value in items for place in places(value, (*path, key)))]


def at(node: Any, path: tuple) -> Any:
    for key in path:
        node = node[key]
    return node


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A valid file with one to four changes to its trees, or to its text."""
    text = draw(st.sampled_from(TEXTS))
    if draw(st.integers(0, 4)) == 0:
        for _ in range(draw(st.integers(1, 3))):
            start = draw(st.integers(0, len(text)))
            stop = min(len(text), start + draw(st.sampled_from([0, 0, 1, 2, 10, 60])))
            text = text[:start] + draw(st.sampled_from(JUNK)) + text[stop:]
        return text
    trees = copy.deepcopy(list(yaml.safe_load_all(text)))
    for _ in range(draw(st.integers(1, 4))):
        known = [path for path in places(trees) if len(path) > 1]
        path = draw(st.sampled_from(known))
        parent, key = at(trees, path[:-1]), path[-1]
        kind = draw(st.sampled_from(["replace", "replace", "replace", "remove", "rename", "copy", "add"]))
        if kind == "replace":
            parent[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
        elif kind == "copy":
            parent[key] = copy.deepcopy(at(trees, draw(st.sampled_from(known))))
        elif kind == "remove":
            del parent[key]
        elif isinstance(parent, dict):
            names = [name for name in ODD if isinstance(name, str)] + [str(p[-1]) for p in known]
            other = draw(st.sampled_from(names))
            parent[other] = parent.pop(key) if kind == "rename" else copy.deepcopy(parent[key])
    return yaml.dump_all(trees, sort_keys=False, allow_unicode=True, Dumper=_Dumper)


JUNK = ("", " ", "\n", "\t", ":", "-", "[", "]", "{", "}", "'", '"', "#", "&a ", "*a", "!!x ", "|", ">", "%", "@", "\\",
        "---\n", "...\n", "\ufeff", "\x00", "\x85", "0", "e", "1e5", "  - x\n", "? ", "<<: ", "ä")  # fmt: skip


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def only_our_errors(text: str) -> None:
    """``check`` and ``plan`` take a file or refuse it in their own words."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.yaml")
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        for verb in (brainsim.check, brainsim.plan):
            try:
                verb(file)
            except BrainsimError as error:
                assert error.problems and error.exit_code == 2, error
                for problem in error.problems:
                    assert problem.message.strip() and len(problem.message) < 3000, problem
                    assert "Traceback" not in problem.message and "pydantic" not in problem.message, problem


fuzz = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck), print_blob=False
)


@settings(fuzz, max_examples=250)
@given(mutated())
def test_broken_files_raise_only_our_errors(text):
    only_our_errors(text)


@pytest.mark.slow
@settings(fuzz, max_examples=1500, derandomize=False)
@given(mutated())
def test_many_broken_files_raise_only_our_errors(text):
    only_our_errors(text)


@settings(fuzz, max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(["run.seed", "run.dt", "run.duration", "ee.delay", "exc.size", "n", "ee.plasticity.A",
                         "stimuli.kick.to", "record.spikes", "ee.connect", "ee.connect.p", "exc.neuron", "", ".", "x"]),
        st.sampled_from(ODD),
        min_size=1,
        max_size=3,
    )
)  # fmt: skip
def test_overrides_raise_only_our_errors(values):
    try:
        brainsim.plan(BASE, set=values)
    except BrainsimError as error:
        assert error.problems and error.exit_code == 2


# -- valid ones -----------------------------------------------------------------------------------------------

#: Neurons of the library -> synapses that fit them.
CELLS = {
    "lif": ("ampa", "gaba_a", "nmda", "exponential", "delta", "dopamine"),
    "adex": ("ampa", "gaba_a", "nmda", "exponential", "delta", "dopamine"),
    "hodgkin_huxley": ("ampa", "gaba_a", "nmda", "exponential"),
    "izhikevich": ("delta", "dopamine"),
}
DRIVE = {"lif": "400 pA", "adex": "800 pA", "hodgkin_huxley": None, "izhikevich": "15 mV"}


@st.composite
def valid(draw: st.DrawFn) -> str:
    """A small network of one to four populations and up to four projections, run for 5 ms."""
    populations: dict[str, Any] = {
        "source": {"neuron": {"name": "poisson", "parameters": {"rate": "300 Hz"}}, "size": 5}
    }
    kinds: dict[str, str] = {}
    for name in draw(st.lists(st.sampled_from(["a", "exc", "print", "N"]), min_size=1, max_size=3, unique=True)):
        kinds[name] = draw(st.sampled_from(sorted(CELLS)))
        drive = DRIVE[kinds[name]]
        neuron = (
            {"name": kinds[name], "parameters": {"I_bias": drive}} if drive and draw(st.booleans()) else kinds[name]
        )
        populations[name] = {"neuron": neuron, "size": draw(st.sampled_from([0, 1, 2, 5, 5, 5, 5]))}
    if draw(st.booleans()):
        populations[name]["layout"] = {"ring": "1 mm"}
    projections: dict[str, Any] = {}
    for number in range(draw(st.integers(0, 4))):
        source, target = draw(st.sampled_from(sorted(populations))), draw(st.sampled_from(sorted(kinds)))
        synapse = draw(st.sampled_from(CELLS[kinds[target]]))
        made: dict[str, Any] = {"from": source, "to": target, "synapse": synapse}
        both = [populations[name]["size"] for name in (source, target)]
        rules: list[Any] = ["all", {"p": 0.5}, {"p": 0}, {"p": 1}, {"out_degree": 2, "multapses": True}]
        rules += [{"number": 3, "multapses": True}, {"p": 0.4, "multapses": True}]
        rules += ["one_to_one"] if both[0] == both[1] else []
        rules += [{"in_degree": 1}] if min(both) > 1 else []
        ring = "layout" in populations[target] and source == target
        rules += [{"distance": "0.3 mm"}, {"p": "exp(-d/(0.2*mm))"}] if ring else []
        made["connect"] = draw(st.sampled_from(rules))
        late = ["0 ms", "1 ms", "0.1 ms", "0.5*ms + rand()*ms", "9 ms"]
        made["delay"] = draw(st.sampled_from([*late, *(["d/(1*mm/ms)"] if ring else [])]))
        if draw(st.booleans()):
            far = ["exp(-d/mm)*rand()"] if ring else []
            made["initial"] = {"w": draw(st.sampled_from([0.5, "rand()", "0.1*(1 + randn())", *far]))}
        if synapse in ("ampa", "exponential", "delta") and draw(st.booleans()):
            made["plasticity"] = draw(st.sampled_from(["stdp", {"name": "stdp", "parameters": {"tau_x": "5 ms"}}]))
        if source == target:
            made["autapses"] = draw(st.booleans()) or both[0] == 1
        projections[f"p{number}"] = made
    record: dict[str, Any] = {"spikes": draw(st.lists(st.sampled_from(sorted(populations)), unique=True))}
    if draw(st.booleans()):
        path = draw(st.sampled_from(sorted([*kinds, *projections])))
        variable = "v" if path in kinds else "DA" if projections[path]["synapse"] == "dopamine" else "w"
        if variable != "DA":
            record["state"] = {path: {"variables": [variable], "every": draw(st.sampled_from(["0.1 ms", "1 ms"]))}}
    experiment = {
        "experiment": "random",
        "region": {"region": "random", "populations": populations, "projections": projections},
        "run": {"duration": "5 ms", "seed": draw(st.integers(0, 2**32 - 1)), "backend": "numpy"},
        "record": record,
    }
    return json.dumps(experiment, indent=1)


def runs(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        results = brainsim.run(text, out=Path(folder, "run"))
        assert results.status == "complete"
        for path in results.spike_paths:
            times, cells = results.spikes(path)
            size = results.summary["populations"][path]["size"]
            assert len(times) == len(cells) and (not len(cells) or (cells.min() >= 0 and cells.max() < size))


@settings(fuzz, max_examples=16)
@given(valid())
def test_small_networks_of_the_library_run(text):
    runs(text)


@pytest.mark.slow
@settings(fuzz, max_examples=150, derandomize=False)
@given(valid())
def test_many_small_networks_of_the_library_run(text):
    runs(text)
