"""``netwright spaces``: what can be searched."""

from __future__ import annotations

from netwright.cli.options import Debug, Json
from netwright.cli.output import answer, answer_json, plain


def spaces(json: Json = False, debug: Debug = False) -> None:
    """List the spaces that come with the package, for --space."""
    from netwright.zoo import SPACES

    rows = [{"name": name, "kind": entry.kind, "summary": entry.summary} for name, entry in SPACES.items()]
    if json:
        answer_json({"spaces": rows})
    else:
        answer(columns([(row["name"], row["kind"], row["summary"]) for row in rows]))


def columns(rows: list[tuple[str, ...]]) -> str:
    """Rows of words in columns."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return "\n".join(
        "  ".join(plain(word).ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
