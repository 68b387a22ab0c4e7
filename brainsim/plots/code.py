"""Light highlighting of YAML and Python for a page."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

#: What one page may carry of a text; the file itself is beside it.
MAX_CHARACTERS = 120_000


def highlighted(text: str, language: str) -> dict[str, Any]:
    """``{"html": escaped and marked text, "cut": whether its end is left out}``.

    Four classes only (comment, key, text, number): a page is for reading, and every mark costs bytes.
    """
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]  # rich depends on it
    from pygments.token import Token  # type: ignore[import-untyped]

    kinds = (
        (Token.Comment, "comment"),
        (Token.Literal.String.Doc, "comment"),
        (Token.Name.Tag, "key"),
        (Token.Keyword, "key"),
        (Token.Literal.String, "string"),
        (Token.Literal.Number, "number"),
    )
    cut = len(text) > MAX_CHARACTERS
    if cut:
        text = text[: text.rfind("\n", 0, MAX_CHARACTERS) + 1]
    parts: list[str] = []
    last = ""
    for token, piece in get_lexer_by_name(language, stripnl=False).get_tokens(text):
        kind = next((name for base, name in kinds if token in base), "")
        if piece.isspace():
            kind = last
        if kind != last:
            parts.append(("</i>" if last else "") + (f'<i class="{kind}">' if kind else ""))
            last = kind
        parts.append(str(escape(piece)))
    if last:
        parts.append("</i>")
    return {"html": Markup("".join(parts)), "cut": cut}
