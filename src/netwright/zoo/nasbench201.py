"""NAS-Bench-201, the topology space of NATS-Bench: a cell of four nodes and six edges (Dong & Yang, ICLR 2020).

The network is the benchmark's own: a stem, three stages of cells with a residual block that halves the resolution
between them, and a head. Every cell is the same. The 15,625 architectures are 6,466 up to
isomorphism (:func:`function_of`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.errors import ArchitectureError, nearest
from netwright.space import Graph, SearchSpace, one_of
from netwright.zoo.cell import EDGES, Cell

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


class Zero(nn.Module):
    """Nothing, in the shape of its input; gradients through it are zero, not missing, as in the benchmark."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mul(0.0)


class ReLUConvBN(nn.Sequential):
    """ReLU, a convolution without bias, BatchNorm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )


class Reduction(nn.Module):
    """Two 3×3 convolutions, the first with stride 2, beside a 2×2 average pooling and a 1×1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ReLUConvBN(inputs, outputs, 3, 2), ReLUConvBN(outputs, outputs, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.shortcut(x) + self.body(x)
        return result


def operation(name: str, channels: int) -> nn.Module:
    """The open operation of an edge."""
    candidates: Mapping[str, Callable[[], nn.Module]] = {
        "none": Zero,
        "skip_connect": nn.Identity,
        "nor_conv_1x1": lambda: ReLUConvBN(channels, channels, 1),
        "nor_conv_3x3": lambda: ReLUConvBN(channels, channels, 3),
        "avg_pool_3x3": lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    }
    return one_of(name, **candidates)


def cell(channels: int) -> Cell:
    """A cell whose edges choose from these operations."""
    return Cell(lambda edge: operation(edge, channels))


class NASBench201(nn.Module):
    """The benchmark's network; the defaults are its own for CIFAR-10. Input (N, C, H, W), output (N, classes).

    ``channels`` is the width of the first stage (the next two have twice and four times as many), ``cells`` their
    number in each stage. Height and width are at least 4.
    """

    def __init__(
        self, input_shape: tuple[int, ...] = (3, 32, 32), classes: int = 10, channels: int = 16, cells: int = 5
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(input_shape[0], channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        ]
        widths = (channels, 2 * channels, 4 * channels)
        for stage, width in enumerate(widths):
            if stage:
                layers.append(Reduction(widths[stage - 1], width))
            layers += [cell(width) for _ in range(cells)]
        self.body = nn.Sequential(*layers, nn.BatchNorm2d(widths[-1]), nn.ReLU())
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.body(x).mean((2, 3)))
        return outputs

    @staticmethod
    def graph(architecture: Mapping[str, Any]) -> Graph:
        """The cell with its operations as nodes, between ``input`` and ``output``: the line graph of its edges.

        What leads into a node of the cell goes on to all that leads out of it.
        """
        ends = sorted((int(edge[-2]), int(edge[-1])) for edge in EDGES)
        number = {pair: index for index, pair in enumerate(ends, 1)}
        last = len(ends) + 1
        edges = [(0, number[pair]) for pair in ends if pair[0] == 0]
        edges += [(number[a], number[b]) for a in ends for b in ends if a[1] == b[0]]
        edges += [(number[pair], last) for pair in ends if pair[1] == 3]
        operations = (architecture[f"edge_{start}{end}"] for start, end in ends)
        return Graph(("input", *operations, "output"), tuple(edges))


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`NASBench201`, and ``where`` and ``same``."""
    return SearchSpace(NASBench201, **arguments)


def to_string(architecture: Mapping[str, Any]) -> str:
    """The benchmark's own text of an architecture.

    >>> to_string(dict.fromkeys(EDGES, "nor_conv_3x3"))
    '|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|'
    """
    nodes = []
    for node in (1, 2, 3):
        parts = [f"{architecture[f'edge_{source}{node}']}~{source}" for source in range(node)]
        nodes.append(f"|{'|'.join(parts)}|")
    return "+".join(nodes)


def from_string(text: str) -> Architecture:
    """Reads what :func:`to_string` writes; ArchitectureError says what is wrong with anything else."""
    found: dict[str, str] = {}
    for node, part in enumerate(text.strip().split("+"), 1):
        if not re.fullmatch(r"\|[^|]+(\|[^|]+)*\|", part):
            raise ArchitectureError(f"node {node} of the text {text!r:.120} is not |operation~input|…|")
        for word in part.strip("|").split("|"):
            name, _, source = word.rpartition("~")
            edge = f"edge_{source}{node}"
            if edge not in EDGES or edge in found:
                raise ArchitectureError(
                    f"'{word}' at node {node} of {text!r:.120}: its input is one of 0 to {node - 1}, each once"
                )
            if name not in OPERATIONS:
                raise ArchitectureError(
                    f"the cell has no operation '{name}' (at node {node})", hint=nearest(name, OPERATIONS).capitalize()
                )
            found[edge] = name
    missing = [edge for edge in EDGES if edge not in found]
    if missing:
        raise ArchitectureError(f"the text {text!r:.120} does not say the operation of {', '.join(missing)}")
    return Architecture({edge: found[edge] for edge in EDGES})


def function_of(architecture: Mapping[str, Any]) -> str:
    """What the cell computes, as NATS-Bench tells it: equal texts for isomorphic cells (6,466 of 15,625 differ).

    A skip hands its input on, what comes from nothing is nothing, and sums have no order. That a sum with nothing is
    the rest of the sum is not used, as in the benchmark (with it there would be 5,390).
    """
    values = ["0"]
    for node in (1, 2, 3):
        terms = []
        for source in range(node):
            name = architecture[f"edge_{source}{node}"]
            if name == "none" or values[source] == "#":
                terms.append("#")
            else:
                terms.append(values[source] if name == "skip_connect" else f"({values[source]})@{name}")
        values.append("+".join(sorted(terms)))
    return values[3]


def architectures() -> list[Architecture]:
    """All 15,625, in the order of the decisions and their options (not in that of the benchmark's index)."""
    return [
        Architecture(dict(zip(EDGES, names, strict=True))) for names in itertools.product(OPERATIONS, repeat=len(EDGES))
    ]


def params(architecture: Mapping[str, Any], *, classes: int = 10) -> int:
    """Parameters of the benchmark's network for images of three channels, without building it."""
    names = list(architecture.values())
    body = 464 + 14_464 + 57_600 + 128 + 65 * classes
    return body + 243_040 * names.count("nor_conv_3x3") + 28_000 * names.count("nor_conv_1x1")


def macs(architecture: Mapping[str, Any], *, side: int = 32, classes: int = 10) -> int:
    """Multiply-adds of its convolutions and its linear layer, for images of ``side`` × ``side`` pixels.

    The benchmark's own count has ``classes`` more: it adds the bias of the linear layer.
    """
    names = list(architecture.values())
    spread = 7_782_400 + 35_389_440 * names.count("nor_conv_3x3") + 3_932_160 * names.count("nor_conv_1x1")
    return spread * side * side // 1024 + 64 * classes


NASBENCH201_STARTS: tuple[Mapping[str, Any], ...] = (
    dict(zip(EDGES, ("nor_conv_3x3", "none", "nor_conv_3x3", "skip_connect", "none", "skip_connect"), strict=True)),
)
"""The cell of a ResNet, with which the paper compares."""
