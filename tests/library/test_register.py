"""Each part of the library has a science test, and each science test still belongs to a part."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCIENCE = ROOT / "tests" / "science"

#: Science test -> the parts it is the test of. ``tests/science/mutate.py`` reads this too.
REGISTER = {
    "test_lif.py": ["neuron lif"],
    "test_lif_poisson.py": ["neuron lif_poisson"],
    "test_vogels_abbott.py": ["neuron vogels_abbott"],
    "test_adex.py": ["neuron adex"],
    "test_izhikevich.py": ["neuron izhikevich"],
    "test_hodgkin_huxley.py": ["neuron hodgkin_huxley"],
    "test_poisson.py": ["neuron poisson"],
    "test_vdsp_cells.py": ["neuron vdsp_input", "neuron wta_adapting", "synapse filtered"],
    "test_winner_take_all.py": ["region winner_take_all", "neuron wta_adapting", "neuron referee", "synapse bid"],
    "test_delta.py": ["synapse delta"],
    "test_exponential.py": ["synapse exponential"],
    "test_conductances.py": ["synapse ampa", "synapse gaba_a"],
    "test_nmda.py": ["synapse nmda"],
    "test_dopamine.py": ["synapse dopamine"],
    "test_stdp.py": ["plasticity stdp"],
    "test_r_stdp.py": ["plasticity r_stdp"],
    "test_vdsp.py": ["plasticity vdsp"],
    "test_vdsp_layer.py": ["region vdsp_layer"],
    "test_cortex_ei.py": ["region cortex_ei"],
    "test_vogels_abbott_networks.py": ["region cuba", "region coba"],
    "test_brunel.py": ["region brunel"],
    "test_reward_loop.py": ["region reward_loop"],
}


def parts() -> list[str]:
    """``kind name`` of every part in the checkout."""
    files = [path for folder in ("models", "plasticity", "regions") for path in (ROOT / folder).rglob("*.yaml")]
    return sorted(f"{path.read_text().split(':')[0]} {path.stem}" for path in files)


@pytest.mark.parametrize("part", parts())
def test_part_has_a_science_test(part):
    tests = [name for name, tested in REGISTER.items() if part in tested]
    assert tests, f"{part}: write tests/science/test_{part.split()[1]}.py and name it in the REGISTER of this file"
    assert all(part.split()[1] in (SCIENCE / name).read_text() for name in tests)


def test_register_is_up_to_date():
    assert set(REGISTER) == {path.name for path in SCIENCE.glob("test_*.py")}
    assert {part for tested in REGISTER.values() for part in tested} <= set(parts())
