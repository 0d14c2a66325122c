"""``netwright strategies``: how a space can be searched."""

from __future__ import annotations

from typing import Any

from netwright.cli.options import Debug, Json
from netwright.cli.output import answer, answer_json
from netwright.cli.spaces import columns


def strategies(json: Json = False, debug: Debug = False) -> None:
    """List the search strategies, for --strategy, with the arguments that each takes in brackets."""
    from netwright.strategies import STRATEGIES
    from netwright.strategies.making import defaults

    rows: list[dict[str, Any]] = []
    for name in STRATEGIES:
        lines = (STRATEGIES[name].__doc__ or "").strip().splitlines()
        arguments = {argument: _written(value) for argument, value in defaults(name).items()}
        rows.append({"name": name, "summary": lines[0].strip() if lines else "", "arguments": arguments})
    if json:
        answer_json({"strategies": rows})
        return
    lines_of_text: list[tuple[str, ...]] = []
    for row in rows:
        lines_of_text.append((row["name"], row["summary"]))
        if row["arguments"]:
            lines_of_text.append(("", ", ".join(f"{name}={value}" for name, value in row["arguments"].items())))
    answer(columns(lines_of_text))


def _written(value: Any) -> str:
    """A default as it is written in brackets; empty for what must be given."""
    if value is ...:
        return ""
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_written, value))})"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
