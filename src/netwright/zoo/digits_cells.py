"""A cell space for small pictures, of NAS-Bench-201's kind (Dong and Yang 2020): the space of the table digits-cells.

The decisions have the names of NAS-Bench-201's, and four of its five operations. BatchNorm after a convolution has no
scale and shift of its own, so that a convolution of nothing is nothing: two cells with equal :func:`function_of`
compute the same function, and one of them need be trained. The 4,096 cells are 871 functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from netwright.errors import InputError
from netwright.space import one_of
from netwright.zoo.cell import EDGES, Cell

CHANNELS = 8


class Zero(nn.Module):
    """The edge that is not there."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Convolution(nn.Sequential):
    """ReLU, a 3×3 convolution without bias, BatchNorm without scale and shift: zeros stay zeros."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels, affine=False),
        )


def operation(name: str, channels: int) -> nn.Module:
    """The open operation of an edge."""
    return one_of(
        name,
        none=Zero,
        skip_connect=nn.Identity,
        nor_conv_3x3=lambda: Convolution(channels),
        avg_pool_3x3=lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    )


def cell(channels: int) -> Cell:
    """A cell whose edges choose from these operations."""
    return Cell(lambda edge: operation(edge, channels))


def function_of(architecture: Mapping[str, Any]) -> str:
    """What the cell computes, in the order of no edge: equal texts for cells that are one function.

    A skip hands on what its node sums up, what is made of nothing is nothing, and a sum with nothing is the rest of
    it. (NAS-Bench-201's own text keeps the nothings apart; see :func:`netwright.zoo.nasbench201.function_of`.)
    """
    sums: list[list[str]] = [["x"]]
    for node in (1, 2, 3):
        terms: list[str] = []
        for source in range(node):
            name = architecture[f"edge_{source}{node}"]
            if name == "skip_connect":
                terms += sums[source]
            elif name != "none" and sums[source]:
                terms.append(f"{name}({'+'.join(sums[source])})")
        sums.append(sorted(terms))
    return "+".join(sums[3])


class DigitsCells(nn.Module):
    """A convolution, the cell, halving, the cell again, global average, linear.

    Input (N, C, H, W) of at least 2×2 pixels, output (N, classes). All cells have the same operations: ``cells`` of
    them before the halving and as many behind it, of ``channels`` channels.
    """

    same = staticmethod(function_of)
    """By which ``netwright tables make`` trains one of those that are one function; all of them have a row."""

    def __init__(self, input_shape: tuple[int, ...], classes: int, channels: int = CHANNELS, cells: int = 1) -> None:
        super().__init__()
        if cells < 1 or channels < 1:
            raise InputError(f"the network has at least one cell of one channel, found {cells} of {channels}")
        self.stem = nn.Sequential(
            nn.Conv2d(input_shape[0], channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        first, second = ([cell(channels) for _ in range(cells)] for _ in range(2))
        self.body = nn.Sequential(*first, nn.MaxPool2d(2), *second, nn.BatchNorm2d(channels), nn.ReLU())
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.body(self.stem(x)).mean((2, 3)))
        return outputs


DIGITS_CELLS_STARTS: tuple[Mapping[str, Any], ...] = (
    dict(zip(EDGES, ("nor_conv_3x3", "none", "nor_conv_3x3", "skip_connect", "none", "skip_connect"), strict=True)),
)
"""The cell of a ResNet."""
