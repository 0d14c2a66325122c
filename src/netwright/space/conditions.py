"""When a decision is asked: paths in disjunctive normal form, simplified, and the order that follows from them."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from netwright.architecture import Answer
from netwright.errors import SpaceError
from netwright.space.decisions import Decision, Path, show

Literals = Mapping[str, frozenset[Answer]]
"""A path while it is worked on: the allowed answers of each decision it names."""

MAX_PATHS = 500
_MERGE_UP_TO = 200


class Paths:
    """The contexts in which one decision is met, kept without those that another one implies."""

    def __init__(self) -> None:
        self._kept: dict[frozenset[tuple[str, frozenset[Answer]]], Literals] = {}

    def add(self, path: Literals) -> None:
        """Notes one more context."""
        key = frozenset(path.items())
        if key in self._kept or any(_implies(path, other) for other in self._kept.values()):
            return
        for other in [other for other, literals in self._kept.items() if _implies(literals, path)]:
            del self._kept[other]
        self._kept[key] = dict(path)

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Literals]:
        return iter(self._kept.values())


def arrange(decisions: Mapping[str, Decision], contexts: Mapping[str, Iterable[Literals]]) -> tuple[Decision, ...]:
    """The decisions with their simplified conditions, each after those it depends on.

    A literal that every option satisfies is left out, a path that no option satisfies is left out, and a decision
    without any path is left out whole: it is never asked. Raises SpaceError for a cycle.
    """
    contexts = {name: list(paths) for name, paths in contexts.items()}
    while True:  # leaving out a decision may leave another one without a path
        simplified = {name: simplify(paths, decisions) for name, paths in contexts.items() if name in decisions}
        unreachable = {name for name, paths in simplified.items() if not paths}
        if not unreachable:
            break
        decisions = {name: decision for name, decision in decisions.items() if name not in unreachable}
    ordered = _order(list(decisions), simplified)
    return tuple(replace(decisions[name], conditions=_frozen(simplified[name], decisions)) for name in ordered)


def simplify(paths: Iterable[Literals], decisions: Mapping[str, Decision]) -> list[Literals]:
    """The same condition in fewer and shorter paths; ``[{}]`` is always, ``[]`` never."""
    kept = Paths()
    for path in paths:
        reduced = _reduce(path, decisions)
        if reduced is not None:
            kept.add(reduced)
    result: list[Literals] = list(kept)
    while len(result) <= _MERGE_UP_TO and (merged := _merge_two(result)) is not None:
        kept = Paths()
        for path in merged:
            reduced = _reduce(path, decisions)
            assert reduced is not None
            kept.add(reduced)
        result = list(kept)
    return result


def asked(decision: Decision, answers: Mapping[str, Answer]) -> bool:
    """Whether ``answers``, complete for everything before it, ask this decision."""
    return not decision.conditions or holding(decision, answers) is not None


def holding(decision: Decision, answers: Mapping[str, Answer]) -> Path | None:
    """The first path that holds; the empty one where the decision is always asked."""
    if not decision.conditions:
        return ()
    for path in decision.conditions:
        if all(name in answers and answers[name] in allowed for name, allowed in path):
            return path
    return None


def may_be_asked(decision: Decision, answers: Mapping[str, Answer], unknown: Container[str]) -> bool:
    """Whether some answers to the ``unknown`` decisions could ask it."""
    return any(
        all(name in unknown or (name in answers and answers[name] in allowed) for name, allowed in path)
        for path in decision.conditions
    )


def condition_text(decision: Decision, decisions: Mapping[str, Decision]) -> str:
    """When it is asked, in words: ``always``, ``depth>2``, ``op0=conv and depth>2, or op1=conv``."""
    return ", or ".join(path_text(path, decisions) for path in decision.conditions) or "always"


def path_text(path: Path, decisions: Mapping[str, Decision]) -> str:
    """A path in words."""
    return " and ".join(literal_text(name, allowed, decisions.get(name)) for name, allowed in path)


def literal_text(name: str, allowed: Sequence[Answer], decision: Decision | None) -> str:
    """``op=conv``, ``op=conv|skip``, ``depth>3``."""
    if decision is not None and decision.kind == "repeat" and decision.options is not None:
        least = min(allowed)
        if tuple(sorted(allowed)) == tuple(option for option in decision.options if option >= least):
            return f"{name}>{least - 1}"
    return f"{name}={'|'.join(show(answer) for answer in allowed)}"


def _implies(path: Literals, other: Literals) -> bool:
    """Whether ``other`` holds wherever ``path`` does."""
    return all(name in path and path[name] <= allowed for name, allowed in other.items())


def _reduce(path: Literals, decisions: Mapping[str, Decision]) -> dict[str, frozenset[Answer]] | None:
    """The path without literals that always hold; None where one never does.

    A literal may go when all options satisfy it, although the decision itself may be conditional: the path holds the
    whole chain of contexts, so what is left of it still makes that decision active.
    """
    reduced = {}
    for name, allowed in path.items():
        if name not in decisions:
            return None
        options = decisions[name].options
        assert options is not None
        left = allowed.intersection(options)
        if not left:
            return None
        if len(left) < len(options):
            reduced[name] = left
    return reduced


def _merge_two(paths: list[Literals]) -> list[Literals] | None:
    """Two paths that differ in the answers of one decision alone are one path with both; None where there are none."""
    seen: dict[tuple[str, frozenset[tuple[str, frozenset[Answer]]]], int] = {}
    for index, path in enumerate(paths):
        for name in path:
            rest = (name, frozenset((other, allowed) for other, allowed in path.items() if other != name))
            if rest in seen:
                twin = seen[rest]
                merged = {**path, name: path[name] | paths[twin][name]}
                return [*(other for place, other in enumerate(paths) if place not in (index, twin)), merged]
            seen[rest] = index
    return None


def _order(names: list[str], paths: Mapping[str, list[Literals]]) -> list[str]:
    """Topological, and among what is possible in the order of first meeting."""
    rank = {name: index for index, name in enumerate(names)}
    needs = {name: {other for path in paths[name] for other in path} for name in names}
    followers: dict[str, list[str]] = {name: [] for name in names}
    for name, others in needs.items():
        for other in others:
            followers[other].append(name)
    open_needs = {name: len(others) for name, others in needs.items()}
    ready = [rank[name] for name in names if not open_needs[name]]
    heapq.heapify(ready)
    ordered = []
    while ready:
        name = names[heapq.heappop(ready)]
        ordered.append(name)
        for follower in followers[name]:
            open_needs[follower] -= 1
            if not open_needs[follower]:
                heapq.heappush(ready, rank[follower])
    if len(ordered) < len(names):
        stuck = [name for name in names if name not in set(ordered)]
        raise SpaceError(
            f"the decisions {', '.join(repr(name) for name in stuck[:10])} depend on each other in a circle",
            hint="Give one of them another name where it is met inside the other.",
        )
    return ordered


def _frozen(paths: list[Literals], decisions: Mapping[str, Decision]) -> tuple[Path, ...]:
    if any(not path for path in paths):
        return ()
    frozen = []
    for path in paths:
        literals = []
        for name, allowed in path.items():
            options = decisions[name].options
            assert options is not None
            literals.append((name, tuple(option for option in options if option in allowed)))
        frozen.append(tuple(literals))
    return tuple(frozen)
