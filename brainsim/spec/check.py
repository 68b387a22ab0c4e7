"""A document against its spec: every fault as one sentence, with its place and the next step.

pydantic finds the faults. This module finds where in the file each stands, merges what pydantic reports once for each
branch of a union, and says it without the words of programmers.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from brainsim.errors import Problems, nearest
from brainsim.source import KINDS as FIRST_KEYS
from brainsim.source import Tree, identify
from brainsim.spec import KINDS
from brainsim.spec.fields import Spec

#: More would only hide the first ones.
MAX_PROBLEMS = 100

Steps = tuple[str | int, ...]

#: A line that shows how a key that was left out is written.
EXAMPLES = {
    "each": "each: dt",
    "code": "code: w += 1",
    "if": "if: v > 1",
    "to": "to: cortex.exc",
    "from": "from: thalamus.relay",
    "value": "value: 40 Hz",
    "name": "name: mnist",
    "duration": "duration: 350 ms",
    "inputs": "inputs: {image: retina.pixel}",
    "encode": "encode: {name: latency, parameters: {t_max: 100 ms}}",
    "data": "data: train",
    "population": "population: output",
    "variables": "variables: [v]",
    "region": "region: reward_loop",
    "neuron": "neuron: lif",
    "size": "size: 100",
    "synapse": "synapse: ampa",
    "connect": "connect: {p: 0.1}",
}

_MISMATCH = re.compile(r"(string|int|float|bool|dict|list|model|none)_(type|attributes_type)|(int|float|bool)_parsing")
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "list_type": "a list",
}
_SLOTS = [
    p + s for s in ["start", "groups", "thresholds", "synapses", "resets", "end"] for p in ("before_", "", "after_")
]


def check(tree: Tree, problems: Problems | None = None) -> Any:
    """The frozen spec object of a document (``brainsim.spec.KINDS`` of its first key).

    Raises :class:`~brainsim.errors.FileError` with everything that is wrong in the document; with ``problems`` given,
    adds to them and returns None instead.
    """
    found = Problems()
    kind, _ = identify(tree)
    spec = None
    try:
        # Only the names of the grammar: ``from``, not the field ``source`` behind it.
        spec = KINDS[kind].model_validate(tree.data, by_alias=True, by_name=False)
    except ValidationError as error:
        _explain(tree, kind, error, found)
    for inner, path in uses(tree):
        if len(found.found) >= MAX_PROBLEMS:
            break
        _check_use(tree, inner, path, found)
    if problems is None:
        found.raise_any()
        return spec
    problems.found += [problem for problem in found.found if problem not in problems.found]
    return None if found.found else spec


def uses(tree: Tree) -> Iterator[tuple[str, Steps]]:
    """Where a document uses other parts: kind of the part and the path of the use. Skips what has the wrong shape."""
    data = tree.data
    kind = next(iter(data), "")
    if kind == "experiment" and "region" in data:
        yield "region", ("region",)
    if kind != "region":
        return
    for group, keys in (("regions", ()), ("populations", ("neuron",)), ("projections", ("synapse", "plasticity"))):
        entries = data.get(group)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            if not keys:
                yield "region", (group, name)
            for key in keys:
                use = entry.get(key) if isinstance(entry, dict) else None
                if key == "synapse" and isinstance(use, list):
                    yield from ((key, (group, name, key, k)) for k in range(len(use)))
                elif use is not None:
                    yield key, (group, name, key)


def _check_use(tree: Tree, kind: str, path: Steps, found: Problems) -> None:
    use = tree.get(path)
    if not isinstance(use, dict):
        return
    example = (
        f"Write {{name: {_example_part(kind)}, parameters: {{...}}}}, or the whole {kind} beginning with {kind}: NAME."
    )
    first = next(iter(use), "")
    if first == kind:
        if not isinstance(use[first], str):
            found.add("value", f"{kind} expects a name, got {_came(use[first])}", tree.mark((*path, first)), example)
            return
        inner = Problems()
        check(tree.at(path), inner)
        found.found += [problem for problem in inner.found if problem not in found.found]
    elif first in FIRST_KEYS:
        message = f"{_place(path)} expects a {kind}, but a {first} stands here"
        found.add("value", message, tree.key_mark((*path, first)), example)
    else:
        for key in use:
            if key not in ("name", "parameters"):
                close = nearest(key, ("name", "parameters"))
                hint = f"Did you mean {close}?" if close else example
                found.add("key", f"{key} is not a key of {_place(path)}", tree.key_mark((*path, key)), hint)
        if not isinstance(use.get("name"), str) and not any(nearest(key, ("name",)) for key in use if key != "name"):
            found.add("key", f"{_place(path)} does not say which {kind} it is", tree.key_mark(path), example)
        parameters = use.get("parameters", {})
        if not isinstance(parameters, dict):
            message = f"parameters expects keys with values, got {_came(parameters)}"
            found.add("value", message, tree.mark((*path, "parameters")), "Write parameters: {tau_m: 20 ms}.")
            return
        for key, value in parameters.items():
            if value is None or isinstance(value, dict | list):
                message = f"{key} expects a value, got {_came(value)}"
                found.add("value", message, tree.mark((*path, "parameters", key)), f"Write for example {key}: 20 ms.")


def _example_part(kind: str) -> str:
    return {"neuron": "lif", "synapse": "ampa", "plasticity": "stdp", "region": "cortex_ei"}.get(kind, "NAME")


def _explain(tree: Tree, kind: str, error: ValidationError, found: Problems) -> None:
    """Group pydantic's errors by the place in the data, drop branches of a union that were not meant."""
    places: dict[Steps, list[dict[str, Any]]] = {}
    for one in error.errors(include_url=False, include_input=False):
        fault = dict(one)
        places.setdefault(_data_path(tree.data, fault), []).append(fault)
    inside: set[Steps] = set()  # places with a more exact error below them
    for path in places:
        inside.update(path[:k] for k in range(len(path)))
    for path, errors in places.items():
        if len(found.found) >= MAX_PROBLEMS:
            message = f"and {len(places) - MAX_PROBLEMS} more problems in {tree.file}"
            found.add("limit", message, None, "Mend the first ones and check again.")
            return
        if errors[0]["type"] == "missing" and _misspelt(path, places):
            continue
        exact = [e for e in errors if not _MISMATCH.fullmatch(e["type"])]
        if exact:
            for fault in {e["type"]: e for e in exact}.values():
                _say(tree, kind, path, fault, found)
        elif path not in inside:
            _say_mismatch(tree, kind, path, errors, found)


def _misspelt(path: Steps, places: dict[Steps, list[dict[str, Any]]]) -> bool:
    """Whether a key that is missing stands beside it in another spelling, which is one fault, not two."""
    beside = [p for p, errors in places.items() if p[:-1] == path[:-1] and errors[0]["type"] == "extra_forbidden"]
    return any(nearest(str(p[-1]), [str(path[-1])]) for p in beside)


def _data_path(data: Any, error: dict[str, Any]) -> Steps:
    """The path in the file: pydantic's, without the names of the union branches it tried."""
    path: list[str | int] = []
    for step in error["loc"]:
        if (isinstance(data, dict) and step in data) or (
            isinstance(data, list) and isinstance(step, int) and step < len(data)
        ):
            path.append(step)
            data = data[step]
        elif error["type"] == "missing" and step == error["loc"][-1]:
            path.append(step)
    return tuple(path)


def _say(tree: Tree, kind: str, path: Steps, error: dict[str, Any], found: Problems) -> None:
    what, context = error["type"], error.get("ctx", {})
    field = _field(kind, path)
    name, value = path[-1] if path else kind, tree.get(path)
    if what == "missing":
        parent = path[:-1]
        example = EXAMPLES.get(str(name), f"{name}: ...")
        found.add(
            "key",
            f"{_where(kind, parent)} lacks the key {name}",
            tree.key_mark(parent),
            f"Add a line such as {example}",
        )
    elif what == "extra_forbidden":
        found.add(
            "key", f"{name} is not a key of {_where(kind, path[:-1])}", tree.key_mark(path), _key_hint(tree, kind, path)
        )
    elif what == "value_error":
        found.add("value", str(context.get("error", "")), tree.mark(path), _about(field))
    elif "[key]" in error["loc"]:
        if what == "literal_error":
            allowed = re.findall(r"'([^']*)'", str(context.get("expected", "")))
            close = nearest(str(name), allowed)
            hint = f"Did you mean {close}?" if close else f"Allowed here: {', '.join(allowed)}."
            found.add("key", f"{_short(name)} is not a key of {_where(kind, path[:-1])}", tree.key_mark(path), hint)
            return
        if "slice" in _pattern(context):
            hint = "Write names joined by dots, such as striatum.d1.v."
        else:
            hint = "Use letters, digits and underscores (at most 60), beginning with a letter."
        found.add("name", f"{_short(name)} cannot be a name", tree.key_mark(path), hint)
    elif what == "string_pattern_mismatch":
        _say_pattern(tree, path, name, value, context, found)
    elif what == "literal_error":
        allowed = [str(v) for v in _literals(field.annotation if field else None)]
        allowed = allowed or re.findall(r"'([^']*)'", str(context.get("expected", "")))
        close = nearest(str(value), allowed)
        message = f"{name} must be {_either(allowed)}, got {_came(value)}"
        found.add(
            "value", message, tree.mark(path), f"Did you mean {close}?" if close else f"Write {name}: {allowed[0]}."
        )
    elif what == "string_too_long":
        message = f"{name} is longer than {context.get('max_length'):,} characters"
        found.add("limit", message, tree.mark(path), "Shorten it; split long code into several parts.")
    elif limit := next((k for k in ("ge", "gt", "le", "lt") if k in context), ""):
        words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}[limit]
        message = f"{name} must be {words} {context[limit]}, got {_came(value)}"
        found.add("value", message, tree.mark(path), _about(field))
    elif what.startswith("int_from_float"):
        found.add("value", f"{name} must be a whole number, got {_came(value)}", tree.mark(path), _about(field))
    else:
        found.add("value", f"{name} does not accept {_came(value)}", tree.mark(path), _about(field))


def _say_pattern(tree: Tree, path: Steps, name: Any, value: Any, context: dict, found: Problems) -> None:
    pattern = _pattern(context)
    if pattern == "slot":
        close = nearest(str(value), _SLOTS)
        hint = f"Did you mean {close}?" if close else f"Known: {', '.join(_SLOTS)}."
        found.add("value", f"{name} must be a slot of the time step, got {_came(value)}", tree.mark(path), hint)
    elif pattern == "slice":
        hint = (
            "Write names joined by dots, such as cortex.exc, with a slice where some cells are meant: cortex.exc[0:80]."
        )
        found.add("value", f"{name} must be a path, got {_came(value)}", tree.mark(path), hint)
    else:
        hint = "Use letters, digits and underscores, beginning with a letter."
        found.add("name", f"{name} must be a name, got {_came(value)}", tree.mark(path), hint)


def _pattern(context: dict[str, Any]) -> str:
    pattern = str(context.get("pattern", ""))
    return "slot" if "before_" in pattern else "slice" if r"\[" in pattern else "name"


def _say_mismatch(tree: Tree, kind: str, path: Steps, errors: list[dict[str, Any]], found: Problems) -> None:
    """The value has a shape that no branch takes."""
    words = dict.fromkeys(_EXPECTED.get(e["type"], "another value") for e in errors)
    if {"true or false", "a number", "text"} <= words.keys():  # a quantity, as YAML sees it
        words = {"a value such as 20 ms": None} | {w: None for w in words if w in ("keys with values", "a list")}
    name, value = path[-1] if path else kind, tree.get(path)
    name = f"item {name + 1} of {path[-2]}" if isinstance(name, int) and len(path) > 1 else name
    hint = _about(_field(kind, path))
    if value is None and path:
        hint = f"Write something after the colon, or delete the line. {hint}".strip()
    elif list(words) == ["a list"] and not isinstance(value, dict):
        hint = f"Write {name}: [{_came(value)}]."
    found.add("value", f"{name} expects {_either(words)}, got {_came(value)}", tree.mark(path), hint)


def _key_hint(tree: Tree, kind: str, path: Steps) -> str:
    key, given = str(path[-1]), tree.get(path[:-1]) or {}
    models = [m for m in _reach(KINDS[kind], path[:-1]) if isinstance(m, type) and issubclass(m, Spec)]
    allowed = [alias for model in models for alias, _ in _keys(model)]
    below = [
        alias
        for model in models  # a right key one level too high
        for alias, info in _keys(model)
        for inner in _reach(info.annotation, ())
        if isinstance(inner, type) and issubclass(inner, Spec) and key in dict(_keys(inner))
    ]
    if below:
        return f"{key} belongs under {_either(below)}; write for example {below[-1]}: {{{key}: ...}}."
    if close := nearest(key, [a for a in allowed if a not in given]):
        return f"Did you mean {close}?"
    return f"Allowed here: {', '.join(allowed)}."


def _keys(model: type[Spec]) -> list[tuple[str, FieldInfo]]:
    return [(info.alias or name, info) for name, info in model.model_fields.items()]


def _reach(annotation: Any, steps: Steps) -> list[Any]:
    """The types a value at ``steps`` below a type may have; unions are taken apart."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _reach(get_args(annotation)[0], steps)
    if origin in (Union, types.UnionType):
        return [found for branch in get_args(annotation) for found in _reach(branch, steps)]
    if not steps:
        return [annotation]
    if origin is dict:
        return _reach(get_args(annotation)[1], steps[1:])
    if origin is list:
        return _reach(get_args(annotation)[0], steps[1:]) if isinstance(steps[0], int) else []
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        info = dict(_keys(annotation)).get(str(steps[0]))
        return _reach(info.annotation, steps[1:]) if info else []
    return []


def _field(kind: str, path: Steps) -> FieldInfo | None:
    """The field a path ends in, or the nearest one around it."""
    for end in range(len(path), 0, -1):
        for model in _reach(KINDS[kind], path[: end - 1]):
            if isinstance(model, type) and issubclass(model, Spec):
                info = dict(_keys(model)).get(str(path[end - 1]))
                if info:
                    return info
    return None


def _about(field: FieldInfo | None) -> str:
    """The documentation of a field, as a hint."""
    return " ".join((field.description or "").replace("``", "").split()) if field else ""


def _literals(annotation: Any) -> list[Any]:
    return [v for found in _reach(annotation, ()) if get_origin(found) is Literal for v in get_args(found)]


def _where(kind: str, path: Steps) -> str:
    return _place(path) if path else f"{'an' if kind == 'experiment' else 'a'} {kind}"


def _place(path: Steps) -> str:
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{_short(step)}" if text else _short(step)
    return text


def _short(text: Any) -> str:
    text = str(text)
    return text if len(text) <= 60 else text[:57] + "..."


def _either(words: Any) -> str:
    *most, last = list(words)
    return f"{', '.join(most)} or {last}" if most else last


def _came(value: Any) -> str:
    """What stands in the file, in words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "keys with values" if value else "empty brackets"
    if isinstance(value, list):
        return "a list"
    return _short(value)
