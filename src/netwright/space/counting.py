"""Counting, drawing and listing the architectures of a space, exactly.

The decisions stand in topological order. What later decisions still need to know of the answers so far is the state
(which of their conditions hold, fail or are still open); architectures that lead to the same state share the rest.
So the space becomes a small acyclic automaton: a node is a decision that is asked in a state, an edge a group of
answers that lead to the same next node, and the number of paths from a node is counted once, in whole numbers.
A continuous range counts as one value.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Protocol

import numpy as np

from netwright.architecture import Answer
from netwright.space.conditions import asked
from netwright.space.decisions import Decision

MAX_NODES = 200_000
_TRIES = 1_000
_ESTIMATE_DRAWS = 10_000
_RESAMPLE = 16

Answers = dict[str, Answer]
_Residual = bool | frozenset[frozenset[int]]
_State = tuple[tuple[int, _Residual], ...]


class TooLarge(Exception):
    """The automaton would have more than ``MAX_NODES`` nodes."""


class Contradiction(Exception):
    """No architecture has these answers together."""


class Counting(Protocol):
    """Uniform draws over the architectures that agree with ``fixed``.

    Every name of ``required`` must be among the answers; other fixed answers hold where their decision is asked.
    """

    count: int
    exact: bool

    def draw(
        self, rng: np.random.Generator, fixed: Mapping[str, Answer] = {}, required: Sequence[str] = ()
    ) -> Answers: ...

    def enumerate(self, fixed: Mapping[str, Answer] = {}, required: Sequence[str] = ()) -> Iterator[Answers]: ...


class Node:
    """A decision asked in a state. ``branches`` are the next nodes with the number of answers that lead there."""

    __slots__ = (
        "branches",
        "child",
        "children",
        "count",
        "cumulative",
        "decision",
        "name",
        "options",
        "position",
        "size",
    )

    def __init__(self, position: int, decision: Decision | None, children: list[Node], groups: list[list[int]]) -> None:
        self.position = position
        self.decision = decision
        self.name = "" if decision is None else decision.name
        self.size = 0 if decision is None else decision.weight
        plain = decision is not None and decision.options is not None and not decision.log
        self.options = decision.options if plain and decision is not None else None
        self.child: Node | None = None
        self.children: list[Node] = []
        self.cumulative: list[float] = []
        self.branches: list[tuple[Node, list[int]]] = []
        self.count = 1
        if len(children) == 1:
            self.child = children[0]
            self.count = self.size * self.child.count
        elif children:
            self.branches = list(zip(children, groups, strict=True))
            by_option: dict[int, Node] = {}
            for child, members in self.branches:
                by_option.update(dict.fromkeys(members, child))
            self.children = [by_option[index] for index in range(self.size)]
            running = list(accumulate(child.count for child in self.children))
            self.count = running[-1]
            self.cumulative = [number / self.count for number in running]


class Automaton:
    """The automaton of a space; raises TooLarge where it is one."""

    exact = True

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self.root, self._end = _compile(decisions)
        self.count = self.root.count
        self._length = len(decisions)
        self._positions = {decision.name: position for position, decision in enumerate(decisions)}

    def draw(self, rng: np.random.Generator, fixed: Mapping[str, Answer] = {}, required: Sequence[str] = ()) -> Answers:
        # One batch of numbers turned into a list: a scalar draw from numpy costs more than the rest of a step.
        numbers = rng.random(self._length).tolist()
        answers: Answers = {}
        if fixed or required:
            must = sorted(self._positions[name] for name in required)
            if must:
                weights = self._weigh(self.root, fixed, must)
                if weights[self.root] == 0 or _skips(-1, self.root.position, must):
                    raise Contradiction
            self.follow(self.root, answers, numbers, fixed, must)
            return answers
        node, end, step = self.root, self._end, 0
        while node is not end:
            u = numbers[step]
            step += 1
            if node.child is not None:
                if node.options is not None:
                    answers[node.name] = node.options[int(u * node.size)]
                else:
                    assert node.decision is not None
                    answers[node.name] = node.decision.draw(u)
                node = node.child
            else:
                index = bisect_right(node.cumulative, u)
                assert node.options is not None
                answers[node.name] = node.options[index]
                node = node.children[index]
        return answers

    def follow(
        self,
        node: Node,
        answers: Answers,
        numbers: Sequence[float],
        fixed: Mapping[str, Answer],
        required: Sequence[int] = (),
    ) -> None:
        """Answers from ``node`` to the end: as fixed, the rest drawn uniformly over the completions."""
        end = self._end
        step = 0
        while node is not end:
            decision = node.decision
            assert decision is not None
            name = node.name
            if name in fixed:
                answers[name] = value = fixed[name]
                if node.child is not None:
                    node = node.child
                else:
                    index = decision.position(value)
                    assert index is not None
                    node = node.children[index]
                continue
            u = numbers[step]
            step += 1
            if node.child is not None:
                answers[name] = decision.draw(u)
                node = node.child
                continue
            child, index = self._pick(node, u, fixed, required)
            answers[name] = decision.value(index)
            node = child

    def nodes(self, answers: Mapping[str, Answer]) -> list[Node] | None:
        """The nodes that these answers go through; None where they are not the answers, all and no more, of one."""
        node, end = self.root, self._end
        visited = []
        while node is not end:
            decision = node.decision
            assert decision is not None
            if node.name not in answers or (index := decision.position(answers[node.name])) is None:
                return None
            visited.append(node)
            node = node.child or node.children[index]
        return visited if len(visited) == len(answers) else None

    def at(self, rank: int) -> Answers:
        """The architecture at a place of the enumeration."""
        answers: Answers = {}
        node, end = self.root, self._end
        while node is not end:
            decision = node.decision
            assert decision is not None
            if node.child is not None:
                index, rank = divmod(rank, node.child.count)
                answers[node.name] = decision.value(index)
                node = node.child
            else:
                index = 0
                while rank >= node.children[index].count:
                    rank -= node.children[index].count
                    index += 1
                answers[node.name] = decision.value(index)
                node = node.children[index]
        return answers

    def enumerate(self, fixed: Mapping[str, Answer] = {}, required: Sequence[str] = ()) -> Iterator[Answers]:
        must = sorted(self._positions[name] for name in required)
        weights = self._weigh(self.root, fixed, must)
        if weights[self.root] == 0 or _skips(-1, self.root.position, must):
            return
        answers: Answers = {}
        if self.root is self._end:
            yield {}
            return
        stack = [(self.root, self._steps(self.root, fixed, must, weights))]
        while stack:
            node, steps = stack[-1]
            following = next(steps, None)
            if following is None:
                stack.pop()
                answers.pop(node.name, None)
                continue
            value, child = following
            answers[node.name] = value
            if child is self._end:
                yield dict(answers)
            else:
                stack.append((child, self._steps(child, fixed, must, weights)))

    def _steps(
        self, node: Node, fixed: Mapping[str, Answer], must: Sequence[int], weights: Mapping[Node, int]
    ) -> Iterator[tuple[Answer, Node]]:
        decision = node.decision
        assert decision is not None
        if node.name in fixed:
            index = decision.position(fixed[node.name])
            assert index is not None
            yield fixed[node.name], node.child if node.child is not None else node.children[index]
            return
        for index in range(node.size):
            child = node.child if node.child is not None else node.children[index]
            if weights[child] and not _skips(node.position, child.position, must):
                yield decision.value(index), child

    def _pick(self, node: Node, u: float, fixed: Mapping[str, Answer], must: Sequence[int]) -> tuple[Node, int]:
        """The next node, by the number of completions behind each, and one of the answers that lead there."""
        weights: dict[Node, int] = {}
        running = []
        total = 0
        for child, members in node.branches:
            if not _skips(node.position, child.position, must):
                weights = self._weigh(child, fixed, must, weights)
                total += weights[child] * len(members)
            running.append(total)
        target = u * total if total < 2**53 else int(u * 2**53) * total // 2**53
        place = min(bisect_right(running, target), len(running) - 1)
        child, members = node.branches[place]
        before = running[place - 1] if place else 0
        share = (target - before) / (running[place] - before)
        return child, members[min(int(share * len(members)), len(members) - 1)]

    def _weigh(
        self, start: Node, fixed: Mapping[str, Answer], must: Sequence[int], known: dict[Node, int] | None = None
    ) -> dict[Node, int]:
        """How many completions each node from ``start`` on has that agree with what is fixed and required."""
        known = known or {self._end: 1}
        stack = [start]
        while stack:
            node = stack[-1]
            if node in known:
                stack.pop()
                continue
            if node.name in fixed:
                if node.child is not None:
                    branches = [(node.child, 1)]
                else:
                    assert node.decision is not None
                    index = node.decision.position(fixed[node.name])
                    assert index is not None
                    branches = [(node.children[index], 1)]
            elif node.child is not None:
                branches = [(node.child, node.size)]
            else:
                branches = [(child, len(members)) for child, members in node.branches]
            open_children = [child for child, _ in branches if child not in known]
            if open_children:
                stack.extend(open_children)
                continue
            known[node] = sum(
                size * known[child]
                for child, size in branches
                if not (must and _skips(node.position, child.position, must))
            )
            stack.pop()
        return known


class Forward:
    """What takes the automaton's place where that would be too large: decision after decision, nearly uniform.

    A draw is one of sixteen, picked in proportion to how many options were open on its way (importance resampling);
    the count is Knuth's estimate from such draws (Mathematics of Computation 29, 1975).
    """

    exact = False

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self._decisions = decisions
        rng = np.random.default_rng(0)
        weights = [self._once(rng, {})[1] for _ in range(_ESTIMATE_DRAWS)]
        self.count = sum(weights) // len(weights)

    def draw(self, rng: np.random.Generator, fixed: Mapping[str, Answer] = {}, required: Sequence[str] = ()) -> Answers:
        drawn = []
        for _ in range(_TRIES):
            answers, weight = self._once(rng, fixed)
            if all(name in answers for name in required):
                drawn.append((answers, weight))
                if len(drawn) == _RESAMPLE:
                    break
        if not drawn:
            raise Contradiction
        running = list(accumulate(weight for _, weight in drawn))
        return drawn[bisect_right(running, int(rng.random() * 2**53) * running[-1] // 2**53)][0]

    def enumerate(self, fixed: Mapping[str, Answer] = {}, required: Sequence[str] = ()) -> Iterator[Answers]:
        stack: list[tuple[int, Answers]] = [(0, {})]
        while stack:
            position, answers = stack.pop()
            while position < len(self._decisions) and not asked(self._decisions[position], answers):
                position += 1
            if position == len(self._decisions):
                if all(name in answers for name in required):
                    yield answers
                continue
            decision = self._decisions[position]
            if decision.name in fixed:
                values = [fixed[decision.name]]
            else:
                values = [decision.value(index) for index in range(decision.weight)]
            stack.extend((position + 1, {**answers, decision.name: value}) for value in reversed(values))

    def _once(self, rng: np.random.Generator, fixed: Mapping[str, Answer]) -> tuple[Answers, int]:
        numbers = rng.random(len(self._decisions)).tolist()
        answers: Answers = {}
        weight = 1
        for decision, u in zip(self._decisions, numbers, strict=True):
            if asked(decision, answers):
                if decision.name in fixed:
                    answers[decision.name] = fixed[decision.name]
                else:
                    answers[decision.name] = decision.draw(u)
                    weight *= decision.weight
        return answers, weight


def count(decisions: Sequence[Decision]) -> Automaton | Forward:
    """The automaton, or what takes its place where it would be too large."""
    try:
        return Automaton(decisions)
    except TooLarge:
        return Forward(decisions)


def _skips(before: int, after: int, must: Sequence[int]) -> bool:
    """Whether a required position lies strictly between two nodes, where nothing is asked."""
    index = bisect_right(must, before)
    return index < bisect_left(must, after)


def _compile(decisions: Sequence[Decision]) -> tuple[Node, Node]:
    """The first node and the end: forwards over the states that can be reached, then backwards over their counts."""
    tables = _Tables(decisions)
    reached: list[_State] = [()]
    levels: list[dict[_State, tuple[bool, dict[_State, list[int]]]]] = []
    total = 0
    for position in range(len(decisions)):
        steps: dict[_State, tuple[bool, dict[_State, list[int]]]] = {}
        following: dict[_State, None] = {}
        for state in reached:
            is_asked = tables.is_asked(position, state)
            targets: dict[_State, list[int]] = {}
            if is_asked:
                for true, members in tables.classes[position]:
                    targets.setdefault(tables.after(position, state, true), []).extend(members)
            else:
                targets[tables.after(position, state, frozenset())] = []
            steps[state] = (is_asked, targets)
            following.update(dict.fromkeys(targets))
        levels.append(steps)
        reached = list(following)
        total += len(reached)
        if total > MAX_NODES:
            raise TooLarge
    end = Node(len(decisions), None, [], [])
    nodes = dict.fromkeys(reached, end)
    for position in reversed(range(len(decisions))):
        current: dict[_State, Node] = {}
        for state, (is_asked, targets) in levels[position].items():
            if is_asked:
                merged: dict[Node, list[int]] = {}
                for target, members in targets.items():
                    merged.setdefault(nodes[target], []).extend(members)
                current[state] = Node(position, decisions[position], list(merged), list(merged.values()))
            else:
                current[state] = nodes[next(iter(targets))]
        nodes = current
    return nodes[()], end


class _Tables:
    """The conditions of the decisions by number, for the compilation."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        position_of = {decision.name: position for position, decision in enumerate(decisions)}
        literals: dict[tuple[int, tuple[Answer, ...]], int] = {}
        conditions: dict[frozenset[frozenset[int]], int] = {}
        self._condition_of: list[int | None] = []
        self._last_use: list[int] = []
        for position, decision in enumerate(decisions):
            if not decision.conditions:
                self._condition_of.append(None)
                continue
            formula = frozenset(
                frozenset(literals.setdefault((position_of[name], allowed), len(literals)) for name, allowed in path)
                for path in decision.conditions
            )
            number = conditions.setdefault(formula, len(conditions))
            if number == len(self._last_use):
                self._last_use.append(position)
            self._last_use[number] = position
            self._condition_of.append(number)
        self._formulas = list(conditions)
        self._literals_of: list[frozenset[int]] = []
        self._mentions: list[list[int]] = []
        self.classes: list[list[tuple[frozenset[int], list[int]]]] = []
        of_decision: list[list[tuple[int, tuple[Answer, ...]]]] = [[] for _ in decisions]
        for (position, allowed), literal in literals.items():
            of_decision[position].append((literal, allowed))
        mentioned: list[set[int]] = [set() for _ in decisions]
        owner = {literal: position for (position, _), literal in literals.items()}
        for number, formula in enumerate(self._formulas):
            for path in formula:
                for literal in path:
                    mentioned[owner[literal]].add(number)
        for position, decision in enumerate(decisions):
            own = of_decision[position]
            self._literals_of.append(frozenset(literal for literal, _ in own))
            self._mentions.append(sorted(mentioned[position]))
            classes: dict[frozenset[int], list[int]] = {}
            if own:
                for index in range(decision.weight):
                    value = decision.value(index)
                    true = frozenset(literal for literal, allowed in own if value in allowed)
                    classes.setdefault(true, []).append(index)
            else:
                classes[frozenset()] = []
            self.classes.append(list(classes.items()))

    def is_asked(self, position: int, state: _State) -> bool:
        number = self._condition_of[position]
        return number is None or dict(state)[number] is True

    def after(self, position: int, state: _State, true: frozenset[int]) -> _State:
        """The state behind this decision, of whose literals only ``true`` hold."""
        mentions = self._mentions[position]
        if not mentions and all(self._last_use[number] > position for number, _ in state):
            return state
        known = dict(state)
        own = self._literals_of[position]
        for number in mentions:
            residual = known.get(number, self._formulas[number])
            if isinstance(residual, bool):
                continue
            left = set()
            holds = False
            for path in residual:
                here = path & own
                if here <= true:
                    rest = path - own
                    if not rest:
                        holds = True
                        break
                    left.add(rest)
            known[number] = True if holds else (_shortest(left) if left else False)
        return tuple(sorted((n, r) for n, r in known.items() if self._last_use[n] > position))


def _shortest(paths: set[frozenset[int]]) -> frozenset[frozenset[int]]:
    """Without the paths that a shorter one implies (looked for only where they are few)."""
    if len(paths) > 50:
        return frozenset(paths)
    return frozenset(path for path in paths if not any(other < path for other in paths))
