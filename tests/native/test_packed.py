"""Large arrays of synapses take little memory, and nobody notices."""

from __future__ import annotations

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms
from native_models import MODELS

from brainsim.native import arrays
from brainsim.native.arrays import GrowingArray, Narrow, Stretches

pytestmark = pytest.mark.compiled


@pytest.fixture
def pack_all(monkeypatch):
    monkeypatch.setattr(arrays, "PACKED_FROM", 1)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.repeat(np.arange(1000), 7).astype(np.int32), Stretches),
        (np.repeat([1e-3, 0.1, 1e-3, -2.0], [500, 1, 7, 5]), Stretches),
        (np.arange(5000, dtype=np.int32)[::-1], Narrow),
        (np.arange(65531, dtype=np.int32), Narrow),
        (np.arange(65532, dtype=np.int32), None),  # with the 5 that are added
        (np.arange(-6, 100, dtype=np.int32), None),
        (np.random.default_rng(1).random(1000), None),
    ],
)
def test_packing_keeps_all_values(values, kind, pack_all, monkeypatch):
    monkeypatch.setattr(arrays, "PIECE", 64)
    array = GrowingArray(0, values.dtype)
    array.fill(values, 5)
    assert (type(array.packed) if kind else array.packed) == kind
    assert len(array) == len(values) and array.dtype == values.dtype
    np.testing.assert_array_equal(array.copied(), values + 5)
    assert (array.packed is None) == (kind is None), "a look leaves it packed"
    if kind:
        assert array.nbytes <= values.nbytes * 0.6
    array.data[3] = 4
    assert array.packed is None and array[3] == 4 and array[4] == values[4] + 5
    array.fill(values)
    array.resize(len(values) + 2)
    np.testing.assert_array_equal(array.data, [*values, 0, 0])


def test_memory_that_somebody_holds_is_not_packed(pack_all):
    array = GrowingArray(100, np.int32)
    view = array.data
    array.pack()
    assert array.packed is None
    del view
    array.pack()
    assert array.packed is not None
    assert array.slot.data == array.data.ctypes.data
    array.pack()
    assert array.packed is None, "generated code knows where it is"


@pytest.mark.parametrize("name", MODELS)
def test_results_do_not_depend_on_packing(name, native, monkeypatch):
    plain = MODELS[name]()
    monkeypatch.setattr(arrays, "PACKED_FROM", 1)
    monkeypatch.setattr(arrays, "PIECE", 64)
    packed = MODELS[name]()
    for key, values in plain.items():
        np.testing.assert_array_equal(packed[key], values, err_msg=key)


def column(cells: int = 300, degree: int = 200, sources=slice(None)) -> tuple[b2.Network, b2.Synapses, b2.NeuronGroup]:
    """Synapses with their own weights and delays, numbered by source and delay."""
    rng = np.random.default_rng(3)
    group = b2.NeuronGroup(
        cells, "dv/dt = (2 - v)/(20*ms) : 1 (unless refractory)", threshold="v > 1", reset="v = 0",
        refractory=2 * ms, method="exact", name="cells",
    )  # fmt: skip
    group.v = rng.random(cells)
    source = group[sources]
    synapses = b2.Synapses(source, group, "w : 1", on_pre="v += w", name="synapses")
    i = np.repeat(np.arange(len(source)), degree)
    steps = rng.integers(1, 20, len(i))
    order = np.lexsort((steps, i))
    synapses.connect(i=i, j=rng.integers(0, cells, len(i)))
    synapses.w = rng.normal(0, 0.003, len(i))
    synapses.pre.variables["delay"].set_value(steps[order] * 1e-4)
    return b2.Network(group, synapses), synapses, group


def stored(device, synapses) -> dict[str, GrowingArray]:
    names = {"pre": "_synaptic_pre", "post": "_synaptic_post", "w": "w"}
    found = {key: device.arrays[synapses.variables[name]] for key, name in names.items()}
    return found | {"delay": device.arrays[synapses.pre.variables["delay"]]}


@pytest.mark.usefixtures("as_asked")
def test_a_synapse_takes_a_dozen_bytes(native, pack_all, monkeypatch):
    """The weight takes 8 and the target 2 of them; runs of 10 synapses share their source and delay."""
    net, synapses, _ = column()
    native.prepare(net)
    queue, arrays_ = synapses.pre.queue, stored(native, synapses)
    structure = queue._structure
    lists = (structure.row, structure.begin, structure.delay, queue._cut)
    assert queue.in_order and queue._other is arrays_["post"].packed.values
    total = sum(array.nbytes for array in arrays_.values()) + sum(array.nbytes for array in lists)
    assert total / len(synapses) < 13.5
    assert arrays_["pre"].nbytes / len(synapses) < 0.1
    before = structure
    net.run(1 * ms)
    net.run(1 * ms)
    assert queue._structure is before, "what has not changed is not looked at again"
    assert all(array.packed for name, array in arrays_.items() if name != "w")
    monkeypatch.setattr(GrowingArray, "copied", lambda array: pytest.fail("unpacked while nobody looks"))
    net.run(30 * ms, report=lambda *_: None, report_period=0.001 * ms)


@pytest.mark.parametrize("sources", [slice(None), slice(20, 90)])
def test_what_is_packed_reads_and_runs_as_on_numpy(sources, native, on_numpy, pack_all):
    def look():
        net, synapses, group = column(100, 80, sources)
        net.run(12 * ms)
        net.store()
        net.run(5 * ms)
        found = [np.array(group.v_), np.array(synapses.i), np.array(synapses.j), np.array(synapses.delay_)]
        found += [np.array(synapses.N_outgoing_pre), np.array(synapses.N_incoming_post)]
        found += [np.array(synapses.w_[3, :]), synapses.v_post_[:], np.array(synapses.i[5:9])]
        net.restore()
        net.run(5 * ms)
        found.append(np.array(group.v_))
        synapses.delay = "1*ms + i*0.01*ms"
        synapses.w = "w / 2"
        net.run(5 * ms)
        return [*found, np.array(group.v_), np.array(synapses.delay_)]

    for mine, its in zip(look(), on_numpy(look), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_pairs_out_of_range_and_further_pairs_are_left_to_brian2(native, pack_all):
    group = b2.NeuronGroup(10, "v : 1", threshold="v > 1")
    synapses = b2.Synapses(group, group, on_pre="v += 1")
    with pytest.raises(IndexError, match="outside of the range"):
        synapses.connect(i=np.array([1, 10]), j=np.array([1, 1]))
    synapses.connect(i=np.array([1, 9]), j=np.array([1, 1]))
    synapses.connect(i=np.array([2, 9]), j=np.array([0, 1]))
    np.testing.assert_array_equal(synapses.i, [1, 9, 2, 9])
    np.testing.assert_array_equal(synapses.j, [1, 1, 0, 1])
    np.testing.assert_array_equal(synapses.N_incoming, [3, 3, 1, 3])
    name = "j"
    synapses.connect(condition=f"i == {name} and i < k", namespace={"k": 2})
    assert len(synapses) == 6
