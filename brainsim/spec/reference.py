"""The grammar as a page for readers: every key of every kind of file, from the specs themselves.

``python -m brainsim.spec.reference`` prints it; ``docs/reference.md`` is that text, and a test keeps it current.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from brainsim.spec import KINDS

_HEAD = """# Reference: every key of every file

Made from the specs (`python -m brainsim.spec.reference`). A *value* is a number with its unit (`20 ms`, `0.5 nS`,
`3`); in regions and experiments it may be an expression over the region's parameters (`4*n_inh`). *Code* and
*equations* are Brian2's language (`20*ms`). A *part* is a name, `{name: lif, parameters: {E_L: -82 mV}}`, or the whole
content of a file in place.
"""


def reference() -> str:
    """The page, as Markdown."""
    pieces = [_HEAD]
    for kind, model in KINDS.items():
        pieces += _tables(f"## {kind}", kind, model, [])
    return "\n".join(pieces)


def _tables(title: str, kind: str, model: type[BaseModel], done: list[type]) -> list[str]:
    """A table for a model, and one for each model inside it that has not been shown under this kind."""
    rows = ["| key | default | meaning |", "|---|---|---|"]
    inside: list[tuple[str, type[BaseModel]]] = []
    for name, field in model.model_fields.items():
        key = field.alias or name
        meaning = " ".join((field.description or "").split()).replace("``", "`").replace("|", "\\|")
        rows.append(f"| `{key}` | {_default(field)} | {meaning} |")
        for found in _models(field.annotation):
            if found not in done:
                done.append(found)
                inside.append((key, found))
    about = " ".join((model.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")
    made = [title, "", about, "", *rows, ""]
    for key, found in inside:
        made += _tables(f"### {kind}: `{key}`", kind, found, done)
    return made


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.default if field.default is not PydanticUndefined else None
    if value in (None, "", [], {}) or isinstance(value, BaseModel):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Models that a type mentions, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models(inner)]


if __name__ == "__main__":
    print(reference(), end="")
