"""Prints a :class:`~brainsim.compose.plan.Plan` as a plain Brian2 script that runs without brainsim.

The script makes the same objects in the same order as ``builder``, from the same streams of random numbers,
so on numpy it gives the same spikes to the last bit. What comes from model files goes into it as string
literals, as numbers, or, for initial values, as an expression printed anew from its checked syntax tree.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from brainsim import encoders, functions, seeds
from brainsim.compose import draws
from brainsim.compose.plan import Constant, Phase, Plan, Table
from brainsim.script.objects import Objects
from brainsim.script.words import attribute, comment, filled, listed, mapping, seconds

__all__ = ["arrays", "text"]


def text(plan: Plan, saved: draws.Saved | None = None) -> str:
    """The script. The files it reads beside it, if any, hold :func:`arrays` and the samples (``samples.npz``)."""
    return _print(plan, saved)[0]


def arrays(plan: Plan, saved: draws.Saved | None = None) -> dict[str, np.ndarray]:
    """What ``arrays.npz`` beside the script must hold; empty if it needs no such file."""
    return _print(plan, saved)[1]


def _print(plan: Plan, saved: draws.Saved | None) -> tuple[str, dict[str, np.ndarray]]:
    objects = Objects(plan, saved)
    for group in plan.groups:
        objects.group(group)
    for group in plan.groups:
        objects.links(group)
    for connection in objects.connections:
        objects.connection(connection)
    for connection in objects.left_out:
        objects.add("", comment(f"{connection.path}: no pair of cells was drawn, so there is no such connection."))
    objects.monitors()
    _run(objects)
    return "\n".join([*_top(objects), *objects.body]) + "\n", objects.arrays


def _top(objects: Objects) -> list[str]:
    plan = objects.plan
    sources = _definitions(objects)
    samples = plan.trial is not None or bool(plan.tables)
    files = samples or bool(objects.arrays)
    rows = [comment(f"{plan.name}: {plan.about}" if plan.about else plan.name)]
    rows += ["# Printed by brainsim. It needs Brian2 only and gives the spikes of the backend numpy."]
    rows += [comment(entry) for entry in (["After:"] if plan.cite else []) + [f"  {entry}" for entry in plan.cite]]
    rows += [""]
    standard = [
        line for line, used in (("import hashlib", objects.streams), ("from pathlib import Path", files)) if used
    ]
    rows += [*standard, ""] if standard else []
    if files or sources or plan.dtype == "float32" or any("np." in row for row in objects.body):
        rows += ["import numpy as np"]
    names = sorted(objects.brian, key=lambda name: (not name[0].isupper(), name))
    rows += ["from brian2 import (", *filled(names), ")", ""]
    single = ["prefs.core.default_float_dtype = np.float32"] if plan.dtype == "float32" else []
    rows += ['prefs.codegen.target = "numpy"', *single, f"defaultclock.dt = {objects.unit(seconds(plan.dt))}"]
    rows += [f"seed({seeds.noise_seed(plan.seed)})  # of what Brian2 draws during the run"]
    rows += [f"SEED = {int(plan.seed)}  # of what is drawn before it"] if objects.streams else []
    if samples:
        rows += ["", "# Images (bytes) and labels of the samples, and the row shown in each trial."]
        rows += ['samples = np.load(Path(__file__).with_name("samples.npz"))']
        rows += ['images, labels, order = samples["images"], samples["labels"], samples["order"]']
        rows += [f'{table.name}_array = samples["{table.name}"]' for table in plan.tables if _encoded(table)]
    if objects.arrays:
        rows += ["", "# What was too long to print here.", 'arrays = np.load(Path(__file__).with_name("arrays.npz"))']
    for source in sources:
        rows += ["", "", *source.rstrip().splitlines()]
    rows += [""] if sources else []
    for steps, period in objects.clocks.items():
        rows += ["", f'every_{steps}_steps = Clock({seconds(period)}, name="every_{steps}_steps")']
    return rows


def _definitions(objects: Objects) -> list[str]:
    """Functions the script calls: random streams, connection, and what the model's code calls."""
    sources = []
    if objects.streams:
        stream = inspect.getsource(seeds.stream)
        body = stream[stream.index('"""') :].replace("[seed,", "[SEED,")
        sources.append(f"def stream(name):\n    {body}")
    sources += objects.sources.values()
    tables = {table.name: table for table in objects.plan.tables}
    trains = {train.name: train.trains for train in objects.plan.trains}
    if trains or any(table.spikes for table in tables.values()):
        sources.append(inspect.getsource(encoders.next_spike))
    for name in functions.names_needed(objects.plan):
        if name in functions.FUNCTIONS:
            function = functions.FUNCTIONS[name]
            units = ", ".join(f"{argument}=1" for argument in (*function.arguments, "result"))
            sources.append(f"@check_units({units})\n{inspect.getsource(function.numpy)}")
        elif name in trains:
            keys = objects.array(name, trains[name].keys)
            sources.append(f"{name}_array = {keys}\n\n\n{_spikes(name, trains[name].size, 'a stimulus')}")
        elif name in tables and tables[name].spikes:
            sources.append(_spikes(name, tables[name].size, "a sample"))
        else:
            sources.append(_table(name, tables.get(name)))
        objects.use("check_units")
    return sources


def _table(name: str, table: Table | None) -> str:
    if table is None:
        head, doc = f"@check_units(trial=1, result=1)\ndef {name}(trial):", "Row of the sample shown in a trial."
        return f'{head}\n    """{doc}"""\n    return order[np.clip(trial, 0, len(order) - 1)]'
    row = "np.clip(sample, 0, len(labels) - 1)"
    if _encoded(table):
        doc, value = f"Value of a feature: {_how(table)}.", f"{name}_array[{row}, i]"
    elif table.field == "image":
        doc, value = "Grey level of a pixel, from 0 to 1.", f"images[{row}, i] / 255.0"
    elif table.one_hot:
        doc, value = "1 for the class of the sample, else 0.", f"np.where(labels[{row}] == i, 1.0, 0.0)"
    else:
        doc, value = "Class of the sample.", f"labels[{row}]"
    head = f"@check_units(sample=1, i=1, result=1)\ndef {name}(sample, i):"
    return f'{head}\n    """{doc}"""\n    return {value}'


def _encoded(table: Table) -> bool:
    """Whether an array of its own holds the table."""
    return bool(table.encode) or table.field in ("values", "events")


def _how(table: Table) -> str:
    return ", then ".join([table.field, *(encode.name for encode in table.encode)])


def _spikes(name: str, size: int, whose: str) -> str:
    head = f"@check_units(sample=1, i=1, step=1, result=1)\ndef {name}(sample, i, step):"
    doc = f"First step from step on in which cell i has a spike of {whose}."
    return f'{head}\n    """{doc}"""\n    return next_spike({name}_array, {int(size)}, sample, i, step)'


def _run(objects: Objects) -> None:
    plan = objects.plan
    items: list[Any] = [*plan.groups, *objects.connections, *objects.watches()]
    made = [objects.names[item.name] for item in items]
    objects.add("", "network = Network(", *filled(made), '    name="network",', ")")
    fresh = [group for group in plan.groups if any(group.name in phase.fresh for phase in plan.phases)]
    if fresh:
        objects.add("", "# Where cells start, because a later phase begins there again.")
    for group in fresh:
        states = f"{objects.names[group.name]}.get_states({listed(draws.state_variables(group))}, units=False)"
        objects.add(f"first_{group.name} = {states}")
    end = 0
    first = len(objects.body)
    for phase in plan.phases:
        end += phase.passes * phase.count
        _phase(objects, phase, end)
    if plan.rounds > 1:
        rows = [row for text in objects.body[first:] for row in text.split("\n")]
        objects.body[first:] = [
            "",
            f"for number in range({plan.rounds}):",
            *(f"    {row}" if row else "" for row in rows),
        ]
    counted = [objects.names[watch.name] for watch in objects.watches() if watch.kind == "spikes"]
    objects.add("")
    if counted:
        objects.add(f"for monitor in [{', '.join(counted)}]:", '    print(f"{monitor.name}: {len(monitor.t)} spikes")')
    else:
        objects.add('print("ran to", network.t)')


def _phase(objects: Objects, phase: Phase, end: int) -> None:
    plan = objects.plan
    duration = draws.duration(plan, phase)
    if duration <= 0:
        return
    objects.add("", comment(f"Phase {phase.name}"))
    for name in phase.fresh:
        objects.add(f"{objects.names[name]}.set_states(first_{name}, units=False)")

    def assign(name: str, constant: Constant) -> None:
        value = objects.unit(constant.value.code)
        objects.add(f"{objects.names[name]}.{attribute(constant.name)} = {value}")

    changes = [(name, constant) for name, constant in phase.set if name in objects.names]
    for k, (name, constant) in enumerate(phase.set):
        if name not in objects.names:
            continue
        values = [phase.changes(number)[k][1] for number in range(plan.rounds)]
        if all(one.value == constant.value for one in values):
            assign(name, constant)
        else:
            codes = ", ".join(objects.unit(one.value.code) for one in values)
            objects.add(f"{objects.names[name]}.{attribute(constant.name)} = [{codes}][number]")
    namespace = mapping((name, name) for name in functions.names_needed(plan))
    if plan.trial is not None and plan.trial.limit:
        clock, length = objects.names[plan.trial.clock], objects.unit(seconds(plan.trial.steps * plan.dt))
        objects.add(f"left = {phase.passes * phase.count}", "while left:  # a sample may be shown again")
        objects.add(f"    network.run(left * {length}, namespace={namespace})")
        total = sum(one.passes * one.count for one in plan.phases)
        last = f"{total}*number + {end - 1}" if plan.rounds > 1 else f"{end - 1}"
        objects.add(f"    left = {last} - {clock}.trial[0] + {clock}.again[0]")
    else:
        objects.add(f"network.run({objects.unit(seconds(duration))}, namespace={namespace})")
    for name, constant in changes:
        assign(name, draws.constant(plan, name, constant.name))
