"""NAS-Bench-Graph: graph networks of four nodes in a tree (Qin et al., NeurIPS 2022, datasets and benchmarks).

Each node takes the features of one node before it (node 0 is the input); what no node takes is joined to the output.
Up to isomorphism, and with skips where they do nothing, there are 26,206 architectures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from torch import nn

from netwright.architecture import Architecture
from netwright.errors import ArchitectureError
from netwright.space import Graph, SearchSpace, choose, inputs

OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
PROTEIN_OPERATIONS = ("gcn", "sage", "arma", "fc", "skip")
"""Those that fit into memory on the largest graph."""
LINKS = (
    (0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 1), (0, 0, 1, 2), (0, 0, 1, 3),
    (0, 1, 1, 1), (0, 1, 1, 2), (0, 1, 2, 2), (0, 1, 2, 3),
)  # fmt: skip
"""The shapes of the trees, in the benchmark's order: for each node the one that it takes from."""
NODES = 4


class NASBenchGraph(nn.Module):
    """Decisions alone: it declares the space and is not built, since graph layers are not part of torch.

    ``from_k`` says from which node k takes (the first takes the input), ``op_k`` what it does.
    """

    def __init__(self, operations: Sequence[str] = OPERATIONS) -> None:
        super().__init__()
        self.sources = [inputs(f"from_{node}", node) for node in range(2, NODES + 1)]
        self.names = [choose(f"op_{node}", *operations) for node in range(1, NODES + 1)]

    @staticmethod
    def graph(architecture: Mapping[str, Any]) -> Graph:
        """The tree between ``input`` and ``output``."""
        link, ops = of(architecture)
        edges = [(source, node) for node, source in enumerate(link, 1)]
        taken = {source for source, _ in edges}
        edges += [(node, NODES + 1) for node in range(1, NODES + 1) if node not in taken]
        return Graph(("input", *ops, "output"), tuple(edges))


def of(architecture: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Where each of the four nodes takes from, and what it does."""
    link = (0, *(architecture[f"from_{node}"][0] for node in range(2, NODES + 1)))
    return link, tuple(architecture[f"op_{node}"] for node in range(1, NODES + 1))


def architecture_of(link: Sequence[int], ops: Sequence[str]) -> Architecture:
    """The architecture with these links (of nodes 1 to 4, the first is 0) and operations."""
    if len(link) != NODES or len(ops) != NODES or any(not 0 <= source <= node for node, source in enumerate(link)):
        raise ArchitectureError(f"the links {tuple(link)} do not lead from each of four nodes to one before it")
    answers: dict[str, Any] = {f"from_{node}": (int(link[node - 1]),) for node in range(2, NODES + 1)}
    return Architecture(answers | {f"op_{node}": ops[node - 1] for node in range(1, NODES + 1)})


def does_something(architecture: Mapping[str, Any]) -> bool:
    """Whether any node does more than to skip: the rule of the space."""
    return any(architecture[f"op_{node}"] != "skip" for node in range(1, NODES + 1))


def function_of(architecture: Mapping[str, Any]) -> str:
    """What the network computes: the same text for architectures that are one in the benchmark."""
    return _function_of(*of(architecture))


@lru_cache(maxsize=200_000)
def _function_of(link: tuple[int, ...], ops: tuple[str, ...]) -> str:
    """A skip that somebody takes from is its own source; one that nobody takes from hands its source's features on to
    the output, unless they are the input's.
    """
    children: dict[int, list[int]] = {node: [] for node in range(NODES + 1)}
    for node, source in enumerate(link, 1):
        children[source].append(node)

    def text(node: int) -> str:
        below, handed, only = merged(node)
        name = "" if node == 0 else ops[node - 1]
        # Features that are handed on once and taken by nobody else are those of a node that is a leaf.
        marks = handed if below or not only else 0
        return f"{name}{'!' * (marks if node else 0)}({','.join(sorted(below))})"

    def merged(node: int) -> tuple[list[str], int, bool]:
        below: list[str] = []
        handed = 0
        for child in children[node]:
            if ops[child - 1] != "skip":
                below.append(text(child))
            elif not children[child]:
                handed += 1
            else:
                more, through, _ = merged(child)
                below += more
                handed += through
        return below, handed, handed <= 1

    return text(0)


def space(operations: Sequence[str] = OPERATIONS) -> SearchSpace:
    """The search space: 26,206 architectures with all nine operations."""
    return SearchSpace(NASBenchGraph, where=does_something, same=function_of, operations=tuple(operations))
