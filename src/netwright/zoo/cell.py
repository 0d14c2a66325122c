"""The cell of four nodes of NAS-Bench-201 (Dong and Yang 2020), with whatever operations its edges choose from."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

EDGES = ("edge_01", "edge_02", "edge_12", "edge_03", "edge_13", "edge_23")
"""``edge_ij`` leads from node i to node j; node 0 is the cell's input and node 3 its output."""


class Cell(nn.Module):
    """Four nodes; each is the sum of what its edges make of the nodes before it.

    ``operation`` makes the open operation of an edge from the edge's name.
    """

    def __init__(self, operation: Callable[[str], nn.Module]) -> None:
        super().__init__()
        self.edge_01 = operation("edge_01")
        self.edge_02 = operation("edge_02")
        self.edge_12 = operation("edge_12")
        self.edge_03 = operation("edge_03")
        self.edge_13 = operation("edge_13")
        self.edge_23 = operation("edge_23")

    def paths(self) -> list[nn.Module]:
        """The operations of its edges."""
        return [getattr(self, edge) for edge in EDGES]

    def forward(self, x: Tensor) -> Tensor:
        first = self.edge_01(x)
        second = self.edge_02(x) + self.edge_12(first)
        result: Tensor = self.edge_03(x) + self.edge_13(first) + self.edge_23(second)
        return result
