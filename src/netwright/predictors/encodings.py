"""Architectures as rows of numbers: what predictors read.

:meth:`SearchSpace.encode` has one-hot and scaled columns. Here are positions (for trees), coordinates (for kernels:
their squared distance is a sum over decisions), and the encodings of a graph: adjacency and paths (White et al. 2020,
"A Study on Encodings for Neural Architecture Search"; White, Neiswanger and Savani 2021, BANANAS).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.architecture import Architecture
from netwright.space import Decision, SearchSpace

Floats = NDArray[np.float64]

DRAWS = 2_000
"""So many architectures show what graphs a space has."""

INACTIVE = -1.0
"""The position of a decision that is not asked."""


@final
class OneHot:
    """The columns of :meth:`SearchSpace.encode`, for many architectures at once."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self.columns = space.columns

    def encode(self, architectures: Sequence[Architecture]) -> Floats:
        """A row of ``len(columns)`` numbers in [0, 1] for each."""
        rows = np.zeros((len(architectures), len(self.columns)))
        for row, architecture in zip(rows, architectures, strict=True):
            row[:] = self._space.encode(architecture)
        return rows


@final
class Positions:
    """One column a decision: the index of its answer, the place in [0, 1] for a range without a list of values, and
    -1 where it is not asked. What a tree wants: a split needs an order, not a unit.

    Numbers are ordered by size.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self.columns = tuple(decision.name for decision in space.decisions)
        self._tables: list[tuple[str, Mapping[Any, float]]] = [
            (decision.name, _table(decision)) for decision in space.decisions
        ]

    def encode(self, architectures: Sequence[Architecture]) -> Floats:
        """A row of ``len(columns)`` numbers for each; ArchitectureError for one that is not of the space."""
        rows = np.empty((len(architectures), len(self.columns)))
        for row, architecture in zip(rows, architectures, strict=True):
            answers = dict(architecture.items())
            try:
                row[:] = [table[answers.get(name, _Absent)] for name, table in self._tables]
            except KeyError:
                self._space.validate(architecture)
                raise
        return rows


@final
class Coordinates:
    """Points whose squared distance is a sum over the decisions, each from 0 (the same) to 1 (as far as can be).

    An unordered decision has distance 1 between any two answers (so that the sum counts the differing ones: Hamming),
    a number the square of its difference on a scale of [0, 1] (options by their rank, ranges by their value or its
    logarithm), ``inputs`` the share of picks that differ. A decision that only one of the two is asked has distance 1:
    it is one more answer of an unordered one, while numbers lie on a quarter of a circle around what is not asked
    (Hutter and Osborne 2013, the arc kernel), which keeps every kernel of this distance positive definite.

    ``decisions`` names those that have a column, and ``groups`` tells for each column which of them it belongs to.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._positions = Positions(space)
        self._parts: list[tuple[Decision, int, Floats | None, bool]] = []
        columns: list[int] = []
        group = 0
        for index, decision in enumerate(space.decisions):
            if decision.cardinality == 1 and not decision.conditional:
                continue
            table = None if decision.options is None else _points(decision)
            width = table.shape[1] if table is not None else 3 if decision.conditional else 1
            self._parts.append((decision, index, table, decision.conditional))
            columns.extend([group] * width)
            group += 1
        self.decisions = tuple(decision.name for decision, _, _, _ in self._parts)
        self.groups: NDArray[np.int64] = np.array(columns, dtype=np.int64)

    def alike(self) -> list[list[list[int]]]:
        """The decisions with the same options, where there are two or more: the columns of each of them."""
        sets: dict[object, list[list[int]]] = {}
        for group, (decision, _, _, _) in enumerate(self._parts):
            if decision.cardinality > 1:
                columns = np.flatnonzero(self.groups == group).tolist()
                sets.setdefault((decision.question(), decision.conditional), []).append(columns)
        return [members for members in sets.values() if len(members) > 1]

    def encode(self, architectures: Sequence[Architecture]) -> Floats:
        """A row of ``len(groups)`` coordinates for each."""
        positions = self._positions.encode(architectures)
        parts = []
        for _, index, table, conditional in self._parts:
            place = positions[:, index]
            if table is not None:
                parts.append(table[place.astype(np.int64)])  # what is not asked is the last row
            elif conditional:
                parts.append(_on_arc(place))
            else:
                parts.append(place[:, None])
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(architectures), 0))


class _Absent:
    """The answer to a decision that is not asked."""


class _Range(dict[Any, float]):
    """The position of whatever lies in a range whose values have no list."""

    def __init__(self, decision: Decision) -> None:
        super().__init__({_Absent: INACTIVE})
        self._decision = decision

    def __missing__(self, value: Any) -> float:
        return _scaled(self._decision, value)


class _Typed(dict[Any, float]):
    """The position of options of which some are equal for Python, such as 1 and True."""

    def __init__(self, decision: Decision, ranks: Mapping[int, float]) -> None:
        super().__init__({_Absent: INACTIVE})
        self._decision, self._ranks = decision, ranks

    def __missing__(self, value: Any) -> float:
        position = self._decision.position(value)
        if position is None:
            raise KeyError(value)
        return self._ranks[position]


def _table(decision: Decision) -> Mapping[Any, float]:
    """From an answer, or its absence, to its position."""
    options = decision.options
    if options is None:
        return _Range(decision)
    places = range(len(options))
    if decision.kind == "choose" and decision.numeric:
        order = sorted(places, key=lambda place: options[place])
        ranks = {place: float(index) for index, place in enumerate(order)}
    else:
        ranks = {place: float(place) for place in places}
    table = {option: ranks[place] for place, option in enumerate(options)}
    if len(table) < len(options):
        return _Typed(decision, ranks)
    return {**table, _Absent: INACTIVE}


def _scaled(decision: Decision, value: Any) -> float:
    """Where a number lies between the ends of its range, in [0, 1]."""
    assert decision.low is not None
    assert decision.high is not None
    if decision.low == decision.high:
        return 0.0
    if decision.log:
        return math.log(value / decision.low) / math.log(decision.high / decision.low)
    return float((value - decision.low) / (decision.high - decision.low))


def _points(decision: Decision) -> Floats:
    """The coordinates of each position of a finite decision; the last row is that of not being asked."""
    assert decision.options is not None
    count = len(decision.options)
    if decision.numeric:
        if decision.kind == "choose":
            places = np.linspace(0, 1, count)
        else:
            places = np.array([_scaled(decision, option) for option in decision.options])
        if decision.conditional:
            return _on_arc(np.append(places, INACTIVE))
        return np.append(places, INACTIVE)[:, None]
    if decision.kind == "inputs":
        points = np.zeros((count + 1, (decision.count or 0) + 1))
        for row, picks in enumerate(decision.options):
            points[row, list(picks)] = math.sqrt(0.5 / len(picks))
    else:
        points = np.zeros((count + 1, count + 1))
        points[np.arange(count), np.arange(count)] = math.sqrt(0.5)
    points[-1, -1] = math.sqrt(0.5)
    return points if decision.conditional else points[:, :-1]


def _on_arc(places: Floats) -> Floats:
    """Numbers of [0, 1] as points of a quarter circle; what is not asked at distance 1 from all of them."""
    active = places != INACTIVE
    angle = places * (math.pi / 2)
    points = np.stack([np.cos(angle), np.sin(angle), np.ones_like(angle)], axis=1) * math.sqrt(0.5)
    points[~active] = 0.0
    return points


@final
class Adjacency:
    """A graph by the upper half of its adjacency matrix and the operation of each node, one-hot.

    Operations and the largest number of nodes are those of the space where it is small, else of :data:`DRAWS`
    architectures drawn with a fixed seed; what goes beyond is cut off. Nodes whose operation is among ``empty`` are
    left out, and with them what then leads nowhere.
    """

    def __init__(self, space: SearchSpace, *, empty: Collection[str] = ()) -> None:
        self._space = space
        self._empty = frozenset(empty)
        graphs = [space.graph(architecture).without(self._empty) for architecture in _examples(space)]
        self.nodes = max(len(graph.operations) for graph in graphs)
        self.operations = tuple(sorted({name for graph in graphs for name in graph.operations}))
        self._number = {name: index for index, name in enumerate(self.operations)}
        pairs = [f"{i}->{j}" for i in range(self.nodes) for j in range(i + 1, self.nodes)]
        labels = [f"{i}={name}" for i in range(self.nodes) for name in self.operations]
        self.columns = (*pairs, *labels)

    def matrices(self, rows: Floats) -> tuple[Floats, Floats]:
        """What :meth:`encode` gave as adjacency (… × nodes × nodes) and operations, one-hot (… × nodes × names)."""
        upper = np.triu_indices(self.nodes, 1)
        adjacency = np.zeros((len(rows), self.nodes, self.nodes))
        adjacency[:, upper[0], upper[1]] = rows[:, : len(upper[0])]
        return adjacency, rows[:, len(upper[0]) :].reshape(len(rows), self.nodes, len(self.operations))

    def encode(self, architectures: Sequence[Architecture]) -> Floats:
        """A row of zeros and ones for each, ``len(columns)`` of them."""
        upper = np.triu_indices(self.nodes, 1)
        rows = np.zeros((len(architectures), len(self.columns)))
        for row, architecture in zip(rows, architectures, strict=True):
            graph = self._space.graph(architecture).without(self._empty)
            matrix = np.zeros((self.nodes, self.nodes))
            for start, end in graph.edges:
                if end < self.nodes:
                    matrix[start, end] = 1.0
            row[: len(upper[0])] = matrix[upper]
            for node, name in enumerate(graph.operations[: self.nodes]):
                if name in self._number:
                    row[len(upper[0]) + node * len(self.operations) + self._number[name]] = 1.0
        return rows


@final
class Paths:
    """A graph by its ways from beginning to end: a column for each sequence of operations that may occur, 1 where it
    does (the path encoding of BANANAS, White et al. 2021).

    The columns are the paths of the space where it is small, else of :data:`DRAWS` architectures drawn with a fixed
    seed, the most frequent first; ``most`` truncates them, which loses little: most of the long paths occur in hardly
    any architecture.
    """

    def __init__(self, space: SearchSpace, *, most: int | None = None) -> None:
        self._space = space
        counts = Counter(path for example in _examples(space) for path in sorted(space.graph(example).paths()))
        ordered = sorted(counts, key=lambda path: (-counts[path], len(path), path))
        self.columns = tuple(ordered[:most])
        self._number = {path: index for index, path in enumerate(self.columns)}

    def encode(self, architectures: Sequence[Architecture]) -> Floats:
        """A row of zeros and ones for each, ``len(columns)`` of them."""
        rows = np.zeros((len(architectures), len(self.columns)))
        for row, architecture in zip(rows, architectures, strict=True):
            row[[self._number[p] for p in self._space.graph(architecture).paths() if p in self._number]] = 1.0
        return rows


def _examples(space: SearchSpace) -> list[Architecture]:
    if space.size.exact and space.size <= DRAWS:
        return list(space.enumerate())
    rng = np.random.default_rng(0)
    return [space.sample(rng) for _ in range(DRAWS)]
