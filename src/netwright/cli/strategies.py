"""``netwright strategies``: how a space can be searched."""

from __future__ import annotations

from netwright.cli.options import Debug, Json
from netwright.cli.output import answer, answer_json
from netwright.cli.spaces import columns


def strategies(json: Json = False, debug: Debug = False) -> None:
    """List the search strategies, for --strategy."""
    from netwright.strategies import STRATEGIES

    rows = []
    for name in STRATEGIES:
        lines = (STRATEGIES[name].__doc__ or "").strip().splitlines()
        rows.append({"name": name, "summary": lines[0].strip() if lines else ""})
    if json:
        answer_json({"strategies": rows})
    else:
        answer(columns([(row["name"], row["summary"]) for row in rows]))
