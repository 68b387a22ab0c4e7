"""JSON Schema of each kind of file, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

from brainsim.spec import KINDS


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind of file; raises ``KeyError`` for a kind there is not.

    Every key has a title and the description its spec gives it.
    """
    made = KINDS[kind].model_json_schema(by_alias=True)
    made = _readable(made)
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    made["title"] = f"brainsim {kind}"
    return made


def _readable(node: Any) -> Any:
    """Markdown for the marked-up words; text also takes a number, as the check does."""
    if isinstance(node, list):
        return [_readable(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _readable(value) for key, value in node.items()}
    if isinstance(made.get("description"), str):
        made["description"] = " ".join(made["description"].replace(":class:", "").replace("``", "`").split())
    for key, entry in made["properties"].items() if isinstance(made.get("properties"), dict) else ():
        if isinstance(entry, dict):  # pydantic names no key that holds another spec
            entry.setdefault("title", key.replace("_", " ").capitalize())
    if made.get("type") == "string" and not made.keys() & {"pattern", "enum", "const"}:
        made["type"] = ["string", "number"]
    return made
