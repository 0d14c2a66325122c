"""``netwright strategies``: how a space can be searched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from netwright.cli.options import Debug, Json
from netwright.cli.output import answer, answer_json
from netwright.cli.spaces import columns


def strategies(json: Json = False, debug: Debug = False) -> None:
    """List the search strategies, for --strategy, with the arguments that each takes in brackets."""
    from netwright.strategies import STRATEGIES
    from netwright.strategies.making import defaults
    from netwright.strategies.oneshot.making import METHODS

    rows: list[dict[str, Any]] = []
    kinds: tuple[tuple[str, Mapping[str, Callable[..., Any]]], ...] = (("search", STRATEGIES), ("one-shot", METHODS))
    for kind, names in kinds:
        for name in names:
            lines = (names[name].__doc__ or "").strip().splitlines()
            arguments = {argument: _written(value) for argument, value in defaults(name, names).items()}
            summary = lines[0].strip() if lines else ""
            rows.append({"name": name, "kind": kind, "summary": summary, "arguments": arguments})
    if json:
        answer_json({"strategies": rows})
        return
    lines_of_text: list[tuple[str, ...]] = []
    before = "search"
    for row in rows:
        if row["kind"] != before:
            lines_of_text.append(("", "— and with one supernet, trained once (one-shot):"))
            before = row["kind"]
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
