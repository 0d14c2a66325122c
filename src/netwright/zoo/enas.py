"""The two spaces of ENAS (Pham, Guan, Zoph, Le & Dean, ICML 2018): whole networks, and cells.

*Macro*: twelve layers, each one of six operations on the layer before, joined with any of the layers before that:
6¹²·2⁶⁶ = 1.6·10²⁹ networks. *Micro*: a normal and a reduction cell of five nodes; each adds up what two of five
operations make of two earlier states, which may be the same one, and the output joins the states that no node takes.
Drop-path, dropout and auxiliary heads belong to training and are not in the networks; the first and the last are fields
of the recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.errors import ArchitectureError, InputError
from netwright.space import SearchSpace, one_of
from netwright.zoo.darts import FactorizedReduce, ReLUConvBN
from netwright.zoo.nasbench201 import Zero
from netwright.zoo.nasnet import Make, Side, pooling, separable

MACRO_OPERATIONS = ("conv_3x3", "sep_conv_3x3", "conv_5x5", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3")
MICRO_OPERATIONS: Mapping[str, Make] = {
    "sep_conv_3x3": separable(3),
    "sep_conv_5x5": separable(5),
    "avg_pool_3x3": pooling("avg", 3),
    "max_pool_3x3": pooling("max", 3),
    "identity": lambda channels_in, channels, stride: (
        nn.Identity() if stride == 1 else FactorizedReduce(channels_in, channels, relu=False)
    ),
}
"""All operations of both spaces stand in the order of the authors' numbers."""
NODES = (2, 3, 4, 5, 6)
"""The numbers of a cell's nodes; its inputs are 0 (the cell before the last) and 1 (the last cell)."""


class Layer(nn.Module):
    """A layer of the macro space: an operation on the last of the states, and skips from all before it.

    A 1×1 convolution of what is joined is the sum of one on each part: it is written so that a skip is a layer.
    """

    def __init__(self, number: int, channels: int, dense: bool) -> None:
        super().__init__()

        def conv(kernel: int, depthwise: bool = False) -> nn.Module:
            groups = channels if depthwise and not dense else 1
            layers = [
                ReLUConvBN(channels, channels),
                nn.ReLU(),
                nn.Conv2d(channels, channels, kernel, 1, kernel // 2, groups=groups, bias=False),
            ]
            if groups > 1:
                layers.append(nn.Conv2d(channels, channels, 1, bias=False))
            return nn.Sequential(*layers, nn.BatchNorm2d(channels))

        def pool(kind: str) -> nn.Module:
            return nn.Sequential(ReLUConvBN(channels, channels), pooling(kind, 3)(channels, channels, 1))

        def joined() -> nn.Module:
            return nn.Sequential(nn.ReLU(), nn.Conv2d(channels, channels, 1, bias=False))

        self.operation = one_of(
            f"layer{number}.operation",
            conv_3x3=lambda: conv(3),
            sep_conv_3x3=lambda: conv(3, True),
            conv_5x5=lambda: conv(5),
            sep_conv_5x5=lambda: conv(5, True),
            avg_pool_3x3=lambda: pool("avg"),
            max_pool_3x3=lambda: pool("max"),
        )
        self.skips = nn.ModuleList(
            one_of(f"layer{number}.skip{source}", none=Zero, take=joined) for source in range(number)
        )
        self.own = joined() if number else nn.Identity()
        self.norm = nn.BatchNorm2d(channels) if number else nn.Identity()

    def forward(self, states: list[Tensor]) -> Tensor:
        total = self.own(self.operation(states[-1]))
        for skip, state in zip(self.skips, states[:-1], strict=True):
            total = total + skip(state)
        result: Tensor = self.norm(total)
        return result


class ENASMacro(nn.Module):
    """The network of the macro space. Input (N, C, H, W), output (N, classes).

    After each third of the ``layers`` the resolution is halved and the ``channels`` doubled, of all states. ``dense``
    has plain convolutions for the separable ones, as the authors' program for the final network.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 32, 32),
        classes: int = 10,
        channels: int = 36,
        layers: int = 12,
        dense: bool = False,
    ) -> None:
        super().__init__()
        if layers < 3:
            raise InputError(f"three stages have at least three layers, found {layers}")
        self.stem = nn.Sequential(
            nn.Conv2d(input_shape[0], channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        self.halvings = (layers // 3 - 1, 2 * (layers // 3) - 1)
        self.layers = nn.ModuleList()
        self.reductions = nn.ModuleList()
        for number in range(layers):
            self.layers.append(Layer(number, channels, dense))
            if number in self.halvings:
                self.reductions.append(
                    nn.ModuleList(FactorizedReduce(channels, 2 * channels, relu=False) for _ in range(number + 2))
                )
                channels *= 2
        self.head = nn.Linear(channels, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        states = [self.stem(x)]
        stages: Any = iter(self.reductions)
        for number, layer in enumerate(self.layers):
            states.append(layer(states))
            if number in self.halvings:
                states = [halve(state) for halve, state in zip(next(stages), states, strict=True)]
        outputs: Tensor = self.head(states[-1].mean((2, 3)))
        return outputs


class Cell(nn.Module):
    """A cell of the micro space; ``widths`` are the channels of its two inputs, ``halved`` as in the cells of DARTS."""

    def __init__(self, name: str, widths: tuple[int, int], channels: int, halved: bool, join: str) -> None:
        super().__init__()
        before, last = widths
        self.before: nn.Module = nn.Identity()
        if halved:
            self.before = FactorizedReduce(before, channels)
        elif before != channels:
            self.before = ReLUConvBN(before, channels)
        fit = nn.Identity() if last == channels else ReLUConvBN(last, channels)
        self.last = nn.Sequential(fit, ReLUConvBN(channels, channels))
        stride = 2 if name == "reduction" else 1
        self.left, self.right = nn.ModuleList(), nn.ModuleList()
        for node in NODES:
            states = [channels] * node
            self.left.append(Side(f"{name}.node{node}.left", MICRO_OPERATIONS, states, channels, stride))
            self.right.append(Side(f"{name}.node{node}.right", MICRO_OPERATIONS, states, channels, stride))
        sides: list[Any] = [*self.left, *self.right]
        taken = {index for side in sides for index in side.pick} if join == "loose" else {0, 1}
        self.joined = tuple(index for index in range(2 + len(NODES)) if index not in taken)
        self.fit = nn.ModuleList(
            FactorizedReduce(channels, channels, relu=False) if index < 2 and stride == 2 else nn.Identity()
            for index in self.joined
        )
        self.out = len(self.joined) * channels

    def paths(self) -> list[nn.Module]:
        """The operations of its nodes."""
        sides: list[Any] = [*self.left, *self.right]
        return [edge for side in sides for edge in side.edges]

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        states = [self.before(before), self.last(last)]
        for left, right in zip(self.left, self.right, strict=True):
            states.append(left(states) + right(states))
        return torch.cat([fit(states[index]) for index, fit in zip(self.joined, self.fit, strict=True)], 1)


class ENASMicro(nn.Module):
    """The network of the micro space; the defaults are the authors' final one. Input (N, C, H, W), output (N, classes).

    ``cells`` counts the normal cells; two reduction cells come after one and two thirds of them. ``join`` "all" joins
    all nodes of a cell, so that widths do not depend on what is taken: a supernet needs that.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 32, 32),
        classes: int = 10,
        channels: int = 36,
        cells: int = 15,
        join: Literal["loose", "all"] = "loose",
    ) -> None:
        super().__init__()
        if join not in ("loose", "all"):
            raise InputError(f"a cell joins its 'loose' states or 'all' nodes, found {join!r}")
        if cells < 1:
            raise InputError(f"the network has at least one normal cell, found {cells}")
        width = 3 * channels
        self.stem = nn.Sequential(nn.Conv2d(input_shape[0], width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        widths, halved = (width, width), False
        self.cells = nn.ModuleList()
        for index in range(cells + 2):
            name = "reduction" if index in (cells // 3, 2 * (cells // 3) + 1) else "normal"
            channels = 2 * channels if name == "reduction" else channels
            cell = Cell(name, widths, channels, halved, join)
            self.cells.append(cell)
            widths, halved = (widths[1], cell.out), name == "reduction"
        self.relu = nn.ReLU()
        self.head = nn.Linear(widths[1], classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        before = last = self.stem(x)
        for cell in self.cells:
            before, last = last, cell(before, last)
        outputs: Tensor = self.head(self.relu(last).mean((2, 3)))
        return outputs


def macro_space(**arguments: Any) -> SearchSpace:
    """The macro space; the arguments are those of :class:`ENASMacro`, and ``where`` and ``same``."""
    return SearchSpace(ENASMacro, **arguments)


def micro_space(**arguments: Any) -> SearchSpace:
    """The micro space; the arguments are those of :class:`ENASMicro`, and ``where`` and ``same``."""
    return SearchSpace(ENASMicro, **arguments)


def macro_from_text(text: str) -> Architecture:
    """A network as the authors write it: for each layer its operation's number, then 0 or 1 for each earlier state."""
    numbers = _numbers(text)
    answers: dict[str, Any] = {}
    layer = 0
    while numbers:
        operation, skips, numbers = numbers[0], numbers[1 : layer + 1], numbers[layer + 1 :]
        if operation >= len(MACRO_OPERATIONS) or len(skips) != layer or not set(skips) <= {0, 1}:
            raise ArchitectureError(
                f"layer {layer} is an operation of 0 to {len(MACRO_OPERATIONS) - 1} and {layer} skips of 0 or 1, "
                f"found {' '.join(map(str, [operation, *skips]))}"
            )
        answers[f"layer{layer}.operation"] = MACRO_OPERATIONS[operation]
        answers |= {f"layer{layer}.skip{index}": "take" if skip else "none" for index, skip in enumerate(skips)}
        layer += 1
    return Architecture(answers)


def micro_from_text(text: str) -> Architecture:
    """Two cells as the authors write them: for each node, twice the state that it takes and its operation's number."""
    numbers = _numbers(text)
    names = list(MICRO_OPERATIONS)
    if len(numbers) != 8 * len(NODES):
        raise ArchitectureError(f"two cells are {8 * len(NODES)} numbers, found {len(numbers)}")
    answers: dict[str, Any] = {}
    sides = [
        (f"{cell}.node{node}.{side}", node) for cell in ("normal", "reduction") for node in NODES
        for side in ("left", "right")
    ]  # fmt: skip
    for (side, node), source, operation in zip(sides, numbers[::2], numbers[1::2], strict=True):
        if source >= node or operation >= len(names):
            raise ArchitectureError(
                f"{side} takes a state of 0 to {node - 1} and an operation of 0 to {len(names) - 1}, "
                f"found {source} and {operation}"
            )
        answers |= {side: (source,), f"{side}.operation": names[operation]}
    return Architecture(answers)


def _numbers(text: str) -> list[int]:
    words = text.split()
    if not words or not all(word.isdecimal() for word in words):
        raise ArchitectureError(f"an architecture of ENAS is numbers with spaces between them, found {text!r:.80}")
    return [int(word) for word in words]


ENAS_MICRO = micro_from_text("0 2 0 0 0 4 0 1 0 4 1 1 1 0 0 1 0 2 1 1 1 0 1 0 0 3 0 2 1 1 3 1 1 0 0 4 0 3 1 1")
"""The authors' cells (scripts/cifar10_micro_final.sh), there in 15 normal cells of 36 channels.

The paper's 4.6 M parameters, as remembered, are those of 18 normal cells.
"""

ENAS_MICRO_STARTS: tuple[Mapping[str, Any], ...] = (ENAS_MICRO,)

ENAS_MACRO = macro_from_text(
    "0 "
    "3 0 "
    "0 1 0 "
    "2 0 0 1 "
    "2 0 0 0 0 "
    "3 1 1 0 1 0 "
    "2 0 0 0 0 0 1 "
    "2 0 1 1 0 1 1 1 "
    "1 0 1 1 1 0 1 0 1 "
    "0 0 0 0 0 0 0 0 0 0 "
    "2 0 0 0 0 0 1 0 0 0 0 "
    "0 1 0 0 1 1 0 0 0 0 1 1 "
    "2 0 1 0 0 0 0 0 1 0 1 1 0 "
    "1 0 0 1 0 0 0 1 1 1 0 1 0 1 "
    "0 1 1 0 1 0 1 0 0 0 0 0 1 0 0 "
    "2 0 0 1 0 0 0 0 0 0 0 1 0 1 0 1 "
    "2 0 1 0 0 0 1 0 0 1 1 1 1 0 0 1 0 "
    "2 0 0 0 0 1 0 1 0 1 0 0 1 0 1 0 0 1 "
    "3 0 1 1 0 1 0 0 0 0 0 1 0 1 0 1 0 0 0 "
    "3 0 1 1 0 0 0 0 0 0 0 0 0 1 1 0 0 0 0 1 "
    "0 1 0 0 1 0 1 1 0 0 0 1 0 0 0 0 0 1 1 0 0 "
    "3 0 1 0 1 1 0 0 1 0 1 1 0 1 1 0 1 0 0 1 0 0 "
    "0 1 0 1 0 1 0 0 0 0 0 0 0 0 1 0 1 0 0 1 0 0 0 "
    "0 1 1 0 0 0 1 1 1 0 1 0 0 0 1 0 1 0 0 1 1 0 0 0 "
)
"""The authors' network, for ``layers=24, channels=96, dense=True`` (scripts/cifar10_macro_final.sh).

It has 42.6 M parameters as their program builds it. The paper's networks, of 21.3 and 38.0 M as remembered, are others:
with separable convolutions, and one 1×1 convolution of the sum of what is joined in place of one on each part, these
layers would have 21.3 M, and 37.9 M with 128 channels.
"""
