"""What Brian2 raises, as errors that name the model's path, the line of the YAML and the reason in short."""

from __future__ import annotations

import re
from typing import Any

from brainsim.compose.plan import Plan
from brainsim.errors import BrainsimError, FitError, Mark, Problem, RunError


class blame:
    """Turns what Brian2 raises while one object is made into an error that names its path."""

    def __init__(self, item: Any):
        self.item = item

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None or isinstance(error, BrainsimError) or not isinstance(error, Exception):
            return False
        raise _wrap(error, self.item) from error


def explain(error: Exception, plan: Plan) -> Exception:
    """A ``FitError`` or ``RunError`` for what Brian2 raised while it prepared or ran a network."""
    for link in _chain(error):
        if isinstance(link, BrainsimError):  # the recorder's: a full disk is no fault of the network
            return link
        name = getattr(link, "_brian_objname", None)
        owner = name and _owner(plan, name)
        if owner is not None:
            return _wrap(error, *owner)
    return _wrap(error, None)


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _owner(plan: Plan, name: str) -> tuple[Any, Any] | None:
    """The item of the plan whose Brian2 object is called ``name``, and the piece of code if it has one."""
    owners: list[Any] = [*plan.groups, *plan.connections]
    for item in owners:
        for regular in item.regular:
            if name.startswith(regular.name):
                return item, regular
    for item in sorted([*owners, *plan.watches], key=lambda item: -len(item.name)):
        if name == item.name:
            return item, None
        if name.startswith(item.name + "_"):
            rest = name[len(item.name) + 1 :]
            pieces = (*getattr(item, "pathways", ()), *getattr(item, "events", ()))
            return item, next((p for p in pieces if rest == p.name or rest.startswith(p.name + "_")), None)
    return None


def _wrap(error: Exception, item: Any, piece: Any = None) -> FitError | RunError:
    chain = [link for link in _chain(error) if not hasattr(link, "_brian_objname")]
    texts = [
        " ".join(str(link.args[0] if isinstance(link, KeyError) and link.args else link).split()) for link in chain
    ]
    texts = [text for text in texts if text] or [type(error).__name__]
    unknown = next((m[1] or m[2] for text in texts if (m := _UNKNOWN.search(text))), "")
    if any("DimensionMismatch" in type(link).__name__ for link in chain):
        kind, text = "dimension", max(texts, key=len)
    elif unknown:
        kind, text = "name", f"{unknown} is not declared"
    else:
        kind, text = "backend", max(texts, key=len)
    text = text.replace("%Expression", "Expression")  # a slip of Brian2's
    text = text if len(text) <= 600 else f"{text[:597]}..."
    where = f"{item.path}: " if item is not None else ""
    problem = Problem(kind, f"{where}{text}", _mark(item, piece, texts, unknown))
    return RunError(problem) if kind == "backend" else FitError(problem)


_UNKNOWN = re.compile(r"""[Ii]dentifier ['"](\w+)['"] could not be resolved|^(\w+)$""")
_DEFINED = re.compile(r"(?:variable|defining) '(\w+)'|subexpression (\w+)")


def _mark(item: Any, piece: Any, texts: list[str], unknown: str) -> Mark | None:
    """The YAML line of the equation or code Brian2's message is about."""
    if item is None:
        return None
    defined = next((m[1] or m[2] for text in texts if (m := _DEFINED.search(text))), "")
    for line in getattr(item, "equations", ()):
        left, _, right = line.text.partition("=")
        if defined and re.match(rf"\s*(?:d{defined}/dt|{defined})\b", left):
            return line.mark or item.mark
        if unknown and re.search(rf"\b{unknown}\b", right) and (piece is None or piece.mark is None):
            return line.mark or item.mark
    if piece is not None and piece.mark is not None:
        return piece.mark
    return getattr(item, "mark", None)
