"""An architecture as a graph: operations and the edges between them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from netwright.architecture import Answer, Architecture
from netwright.errors import SpaceError
from netwright.space.conditions import holding
from netwright.space.decisions import Decision, show

TENTHS = 10
"""A range without a list of values is told apart in so many parts."""


@dataclass(frozen=True)
class Graph:
    """A directed acyclic graph: node i does ``operations[i]``, and each edge leads from a lower to a higher number.

    In a cell the first node is its input and the last its output. Raises SpaceError for anything else.
    """

    operations: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        count = len(self.operations)
        for edge in self.edges:
            if not (len(edge) == 2 and 0 <= edge[0] < edge[1] < count):
                raise SpaceError(
                    f"a graph of {count} nodes has the edge {edge!r:.80}",
                    hint="An edge leads from a lower to a higher node, which are counted from 0: number the nodes so "
                    "that each comes after those it takes from.",
                )
        if len(set(self.edges)) < len(self.edges):
            raise SpaceError(f"a graph has an edge twice: {sorted(self.edges)!r:.200}")

    @property
    def adjacency(self) -> npt.NDArray[np.float64]:
        """Nodes × nodes; 1 at [i, j] for an edge from i to j."""
        matrix = np.zeros((len(self.operations), len(self.operations)))
        for start, end in self.edges:
            matrix[start, end] = 1.0
        return matrix

    @property
    def ends(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The nodes without an edge into them, and those without one out of them."""
        nodes = range(len(self.operations))
        reached, left = {end for _, end in self.edges}, {start for start, _ in self.edges}
        return tuple(n for n in nodes if n not in reached), tuple(n for n in nodes if n not in left)

    def paths(self, most: int = 10_000) -> frozenset[tuple[str, ...]]:
        """The operations along each way from the nodes where the graph begins to those where it ends.

        Ways with the same operations are one path. Raises SpaceError where there are more than ``most``.
        """
        before: list[list[int]] = [[] for _ in self.operations]
        for start, end in self.edges:
            before[end].append(start)
        found: list[set[tuple[str, ...]]] = []
        for node, operation in enumerate(self.operations):
            ways = {(*way, operation) for start in before[node] for way in found[start]} or {(operation,)}
            if len(ways) > most:
                raise SpaceError(
                    f"a graph of {len(self.operations)} nodes has more than {most:,} paths",
                    hint="Encode it by its adjacency or one-hot.",
                )
            found.append(ways)
        return frozenset().union(*(found[node] for node in self.ends[1]))

    def without(self, operations: Collection[str]) -> Graph:
        """What is left when nodes of these operations carry nothing: they go, and all that then leads nowhere.

        The nodes at which the graph began and ended stay.
        """
        first, last = (set(nodes) for nodes in self.ends)
        nodes = range(len(self.operations))
        alive = {node for node in nodes if self.operations[node] not in operations or node in first | last}
        forward, backward = first & alive, last & alive
        for start, end in sorted(self.edges):
            if start in forward and end in alive:
                forward.add(end)
        for start, end in sorted(self.edges, reverse=True):
            if end in backward and start in alive:
                backward.add(start)
        kept = sorted((forward & backward) | first | last)
        number = {node: index for index, node in enumerate(kept)}
        through = forward & backward
        return Graph(
            tuple(self.operations[node] for node in kept),
            tuple((number[a], number[b]) for a, b in self.edges if a in through and b in through),
        )


def declared(network: Callable[..., Any]) -> Callable[[Architecture], Graph] | None:
    """The static or class method ``graph`` of a network's class (or the attribute of a function), where it has one."""
    found = inspect.getattr_static(network, "graph", None)
    if isinstance(found, staticmethod | classmethod) or (not isinstance(network, type) and callable(found)):
        method: Callable[[Architecture], Graph] = network.graph  # type: ignore[attr-defined]
        return method
    return None


def tree(decisions: Sequence[Decision], answers: Mapping[str, Answer]) -> Graph:
    """The active decisions as a tree: a node ``name=value`` under the decision that asked for it.

    Node 0 is ``network``, under which stands what is always asked. What several decisions ask for together stands
    under the last of them.
    """
    operations, edges = ["network"], []
    number: dict[str, int] = {}
    for decision in decisions:
        if decision.name not in answers:
            continue
        path = holding(decision, answers) or ()
        askers = [number[name] for name, _ in path]
        number[decision.name] = len(operations)
        edges.append((max(askers, default=0), len(operations)))
        operations.append(f"{decision.name}={_label(decision, answers[decision.name])}")
    return Graph(tuple(operations), tuple(edges))


def _label(decision: Decision, value: Answer) -> str:
    if decision.options is not None or decision.low == decision.high:
        return show(value)
    assert decision.low is not None
    assert decision.high is not None
    low, high, at = (np.log(x) if decision.log else x for x in (decision.low, decision.high, value))
    return f"{min(int(TENTHS * (at - low) / (high - low)), TENTHS - 1)}/{TENTHS}"
