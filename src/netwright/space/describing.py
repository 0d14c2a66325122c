"""A space for readers: rows for programs, a tree for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netwright.space.conditions import condition_text, literal_text, path_text
from netwright.space.decisions import Decision

SHOWN = 3
"""Of the decisions that differ so many are named."""


def rows(decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    """A row for each decision, of JSON values (tuples are lists, an endless number of values is None)."""
    by_name = {decision.name: decision for decision in decisions}
    return [
        {
            "name": decision.name,
            "kind": decision.kind,
            "options": None if decision.options is None else [_plain(option) for option in decision.options],
            "low": decision.low,
            "high": decision.high,
            "log": decision.log,
            "step": decision.step,
            "count": None if decision.continuous else int(decision.cardinality),
            "values": decision.values_text(),
            "asked": condition_text(decision, by_name),
        }
        for decision in decisions
    ]


def difference(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> str:
    """In what two spaces differ, by their :func:`rows` (of which ``name``, ``values`` and ``asked`` are looked at).

    Empty where these are the same.
    """
    one, other = ({row["name"]: row for row in rows_} for rows_ in (before, now))
    said = []
    for what, names in (
        ("only there", [name for name in one if name not in other]),
        ("only here", [name for name in other if name not in one]),
    ):
        if names:
            said.append(f"{what}: {_listed(names)}")
    for what, key in (("", "values"), ("asked ", "asked")):
        others = [name for name in one if name in other and one[name][key] != other[name][key]]
        texts = [f"{name}: {what}{one[name][key]!s:.60}, here {other[name][key]!s:.60}" for name in others[:SHOWN]]
        said += [*texts, *([f"and {len(others) - SHOWN} more"] if len(others) > SHOWN else [])]
    return "; ".join(said)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def tree(decisions: Sequence[Decision]) -> str:
    """Each decision under the answer that asks for it; other paths to it are named in its line."""
    by_name = {decision.name: decision for decision in decisions}
    children: dict[str, list[tuple[str, Decision]]] = {"": []}
    for decision in decisions:
        children[decision.name] = []
    for decision in decisions:
        if not decision.conditions:
            children[""].append(("", decision))
            continue
        # The parent is the decision of the first path that comes last in the order: the innermost.
        names = {name for name, _ in decision.conditions[0]}
        parent = next(other for other in reversed(decisions) if other.name in names)
        allowed = dict(decision.conditions[0])[parent.name]
        label = literal_text(parent.name, allowed, parent)
        rest = tuple(literal for literal in decision.conditions[0] if literal[0] != parent.name)
        own = {name for path in parent.conditions for name, _ in path}
        if any(name not in own for name, _ in rest):
            label = path_text(decision.conditions[0], by_name)
        if len(decision.conditions) > 1:
            label += f" or {len(decision.conditions) - 1} more"
        children[parent.name].append((label, decision))
    lines: list[str] = []
    stack = [("", item, place == len(children[""]) - 1) for place, item in enumerate(children[""])][::-1]
    while stack:
        indent, (label, decision), last = stack.pop()
        branch = indent + ("└─ " if last else "├─ ") + (f"{label}: " if label else "")
        lines.append(f"{branch}{decision.name}  {decision.values_text()}")
        below = children[decision.name]
        deeper = indent + ("   " if last else "│  ")
        stack.extend([(deeper, item, place == len(below) - 1) for place, item in enumerate(below)][::-1])
    return "\n".join(lines)


def _plain(option: Any) -> Any:
    return [_plain(item) for item in option] if isinstance(option, tuple) else option
