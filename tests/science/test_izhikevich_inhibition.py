"""izhikevich_inhibition_spiking and _bursting: silent under the drive of their files, firing with 5 mV less."""

from __future__ import annotations

#: What this is the test of.
PARTS = ["neuron izhikevich_inhibition_spiking", "neuron izhikevich_inhibition_bursting"]

TEXT = """
experiment: inhibition
region:
  region: cells
  populations:
    spiking: {neuron: izhikevich_inhibition_spiking, size: 1}
    bursting: {neuron: izhikevich_inhibition_bursting, size: 1}
stimuli:
  less: {to: spiking.I_bias, pulse: {value: -5 mV, start: 50 ms, stop: 250 ms}}
  less_too: {to: bursting.I_bias, pulse: {value: -5 mV, start: 50 ms, stop: 250 ms}}
run: {duration: 250 ms, dt: 0.5 ms}
record: {spikes: [spiking, bursting]}
"""


def test_less_drive_makes_them_fire(simulate):
    results = simulate(TEXT)
    for name in ("spiking", "bursting"):
        times, _ = results.spikes(name)
        assert len(times) >= 3, name
        assert times.min() > 0.05, name
