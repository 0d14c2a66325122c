"""The cells of DARTS (Liu, Simonyan & Yang, ICLR 2019), which PC-DARTS, GDAS and DrNAS search too.

A cell has two inputs, the outputs of the two cells before it, and four nodes; each node adds up what two operations
make of two different earlier states, and the output joins the four nodes. There is a normal cell and a reduction cell,
which halves the resolution and doubles the channels. Each has 1·3·6·10 ways to be connected and 7⁸ operations: about
10¹⁸ pairs of cells. The network is the paper's own for evaluation; drop-path belongs to training and is not in it
(``Recipe(drop_path=…)``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.architecture import Architecture
from netwright.errors import ArchitectureError, InputError, nearest
from netwright.space import SearchSpace, inputs, one_of

OPERATIONS = (
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
)
CELLS = ("normal", "reduction")
NODES = (2, 3, 4, 5)
"""The numbers of the nodes; the cell's inputs are 0 (the cell before the last) and 1 (the last cell)."""

Genotype = Sequence[tuple[str, int]]
"""Of one cell in the authors' order: an operation and the state that it takes, two a node."""


class ReLUConvBN(nn.Sequential):
    """ReLU, a convolution without bias, BatchNorm."""

    def __init__(self, channels_in: int, channels: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(channels),
        )


class Separable(nn.Sequential):
    """Twice: ReLU, a depthwise convolution, a 1×1 convolution, BatchNorm; the first may halve the resolution."""

    def __init__(self, channels: int, kernel: int, stride: int, *, channels_in: int | None = None) -> None:
        layers: list[nn.Module] = []
        width = channels if channels_in is None else channels_in
        for step in (stride, 1):
            layers += [
                nn.ReLU(),
                nn.Conv2d(width, width, kernel, step, kernel // 2, groups=width, bias=False),
                nn.Conv2d(width, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            ]
            width = channels
        super().__init__(*layers)


class Dilated(nn.Sequential):
    """ReLU, a depthwise convolution with holes (of dilation 2), a 1×1 convolution, BatchNorm."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel, stride, kernel - 1, dilation=2, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )


class FactorizedReduce(nn.Module):
    """Halves the resolution without losing pixels: two 1×1 convolutions of every second pixel, one from the second on.

    What is odd is filled up with zeros at the end, so that both are of one size.
    """

    def __init__(self, channels_in: int, channels: int, *, relu: bool = True) -> None:
        super().__init__()
        self.relu = nn.ReLU() if relu else nn.Identity()
        self.even = nn.Conv2d(channels_in, channels // 2, 1, bias=False)
        self.odd = nn.Conv2d(channels_in, channels - channels // 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if height % 2 or width % 2:
            x = functional.pad(x, (0, width % 2, 0, height % 2))
        # Squares of four pixels. With stride 2 the same convolutions take more than twice the time, backward above all.
        squares = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))  # type: ignore[no-untyped-call]
        even, odd = self.relu(squares[:, :, :, 0, :, 0]), self.relu(squares[:, :, :, 1, :, 1])
        result: Tensor = self.norm(torch.cat([self.even(even), self.odd(odd)], 1))
        return result


class AuxiliaryHead(nn.Module):
    """A second classifier on the features at two thirds of the depth, which helps training; they are 8×8 pixels."""

    def __init__(self, channels: int, classes: int, stride: int = 3, last_norm: bool = True) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(),
            nn.AvgPool2d(5, stride, count_include_pad=False),
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768) if last_norm else nn.Identity(),
            nn.ReLU(),
        )
        self.head = nn.Linear(768, classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.body(x).flatten(1))
        return outputs


def operation(name: str, channels: int, stride: int) -> nn.Module:
    """The open operation of a connection."""
    candidates: Mapping[str, Callable[[], nn.Module]] = {
        "sep_conv_3x3": lambda: Separable(channels, 3, stride),
        "sep_conv_5x5": lambda: Separable(channels, 5, stride),
        "dil_conv_3x3": lambda: Dilated(channels, 3, stride),
        "dil_conv_5x5": lambda: Dilated(channels, 5, stride),
        "max_pool_3x3": lambda: nn.MaxPool2d(3, stride, 1),
        "avg_pool_3x3": lambda: nn.AvgPool2d(3, stride, 1, count_include_pad=False),
        "skip_connect": lambda: nn.Identity() if stride == 1 else FactorizedReduce(channels, channels),
    }
    return one_of(name, **candidates)


class Cell(nn.Module):
    """A cell of ``channels`` a node; ``widths`` are the channels of its two inputs.

    ``name`` is "normal" or "reduction": all cells of one name have the same decisions. ``halved`` says that the last
    cell halved the resolution, so that the one before it has to be halved here.
    """

    def __init__(self, name: str, widths: tuple[int, int], channels: int, halved: bool) -> None:
        super().__init__()
        before, last = widths
        self.before = FactorizedReduce(before, channels) if halved else ReLUConvBN(before, channels)
        self.last = ReLUConvBN(last, channels)
        stride = 2 if name == "reduction" else 1

        def edge(node: int) -> Callable[[int], nn.Module]:
            return lambda j: operation(f"{name}.node{node}.edge{j}", channels, stride if j < 2 else 1)

        self.picks = [inputs(f"{name}.node{node}", node, pick=2) for node in NODES]
        self.edges: Any = nn.ModuleList(pick.each(edge(node)) for node, pick in zip(NODES, self.picks, strict=True))

    def paths(self) -> list[nn.Module]:
        """The operations on its connections."""
        return [edge for edges in self.edges for edge in edges]

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        states = [self.before(before), self.last(last)]
        for pick, edges in zip(self.picks, self.edges, strict=True):
            states.append(pick(states, edges))
        return torch.cat(states[2:], 1)


class DARTS(nn.Module):
    """The paper's network; the defaults are its own for CIFAR-10. Input (N, C, H, W), output (N, classes).

    The cells at one and two thirds of the ``cells`` are reduction cells; ``channels`` is the width of a node in the
    first of them. ``stem`` "imagenet" begins with three convolutions that divide the resolution by eight (the paper:
    14 cells, 48 channels). With ``auxiliary`` a network in training gives a pair, the second from an auxiliary head.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 32, 32),
        classes: int = 10,
        channels: int = 36,
        cells: int = 20,
        stem: str = "cifar",
        auxiliary: bool = False,
    ) -> None:
        super().__init__()
        if stem not in ("cifar", "imagenet"):
            raise InputError(f"the stem is 'cifar' or 'imagenet', found {stem!r}")
        if cells < 1:
            raise InputError(f"the network has at least one cell, found {cells}")
        self.large = stem == "imagenet"
        if self.large:
            width = channels
            self.stem = nn.Sequential(
                nn.Conv2d(input_shape[0], channels // 2, 3, 2, 1, bias=False),
                nn.BatchNorm2d(channels // 2),
                nn.ReLU(),
                nn.Conv2d(channels // 2, channels, 3, 2, 1, bias=False),
                nn.BatchNorm2d(channels),
            )
            self.second_stem = ReLUConvBN(channels, channels, 3, 2)
        else:
            width = 3 * channels
            self.stem = nn.Sequential(nn.Conv2d(input_shape[0], width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        widths, halved = (width, width), self.large
        self.auxiliary_after = 2 * cells // 3
        reductions = {cells // 3, 2 * cells // 3} if cells > 1 else set()
        self.cells = nn.ModuleList()
        self.auxiliary = None
        for index in range(cells):
            name = "reduction" if index in reductions else "normal"
            channels = 2 * channels if name == "reduction" else channels
            self.cells.append(Cell(name, widths, channels, halved))
            widths, halved = (widths[1], len(NODES) * channels), name == "reduction"
            if auxiliary and index == self.auxiliary_after:
                options = (2, False) if self.large else (3, True)
                self.auxiliary = AuxiliaryHead(widths[1], classes, *options)
        self.head = nn.Linear(widths[1], classes)

    def forward(self, x: Tensor) -> Any:
        before = self.stem(x)
        last = self.second_stem(before) if self.large else before
        second = None
        for index, cell in enumerate(self.cells):
            before, last = last, cell(before, last)
            if self.auxiliary is not None and self.training and index == self.auxiliary_after:
                second = self.auxiliary(last)
        outputs = self.head(last.mean((2, 3)))
        return outputs if second is None else (outputs, second)


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`DARTS`, and ``where`` and ``same``."""
    return SearchSpace(DARTS, **arguments)


def from_genotype(normal: Genotype, reduction: Genotype) -> Architecture:
    """The architecture of two cells as the authors' programs print them; ArchitectureError says what is wrong."""
    answers: dict[str, Any] = {}
    for cell, genes in zip(CELLS, (normal, reduction), strict=True):
        if len(genes) != 2 * len(NODES):
            raise ArchitectureError(f"the {cell} cell has {2 * len(NODES)} operations, found {len(genes)}")
        for place, node in enumerate(NODES):
            chosen = {source: name for name, source in genes[2 * place : 2 * place + 2]}
            if len(chosen) != 2 or not all(0 <= source < node for source in chosen):
                raise ArchitectureError(
                    f"node {node} of the {cell} cell takes two different states of 0 to {node - 1}, "
                    f"found {', '.join(str(source) for _, source in genes[2 * place : 2 * place + 2])}"
                )
            answers[f"{cell}.node{node}"] = tuple(sorted(chosen))
            for source, name in chosen.items():
                if name not in OPERATIONS:
                    raise ArchitectureError(
                        f"the cells have no operation '{name}' (at node {node} of the {cell} cell)",
                        hint=nearest(name, OPERATIONS).capitalize(),
                    )
                answers[f"{cell}.node{node}.edge{source}"] = name
    return Architecture(answers)


def to_genotype(architecture: Mapping[str, Any]) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """The normal and the reduction cell as the authors write them; the two states of a node in ascending order."""
    cells = [
        [
            (str(architecture[f"{cell}.node{node}.edge{source}"]), int(source))
            for node in NODES
            for source in architecture[f"{cell}.node{node}"]
        ]
        for cell in CELLS
    ]
    return cells[0], cells[1]


DARTS_V1 = from_genotype(
    normal=(
        ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("skip_connect", 0), ("sep_conv_3x3", 1),
        ("skip_connect", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("skip_connect", 2),
    ),
    reduction=(
        ("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 0),
        ("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("avg_pool_3x3", 0),
    ),
)  # fmt: skip
"""Found by the first-order method (cnn/genotypes.py of the authors)."""

DARTS_V2 = from_genotype(
    normal=(
        ("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2),
    ),
    reduction=(
        ("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1),
        ("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1),
    ),
)  # fmt: skip
"""Found by the second-order method (cnn/genotypes.py of the authors)."""

DARTS_STARTS: tuple[Mapping[str, Any], ...] = (DARTS_V2, DARTS_V1)
