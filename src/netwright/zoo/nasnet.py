"""The cells of NASNet (Zoph, Vasudevan, Shlens & Le, CVPR 2018), and the network that AmoebaNet and PNASNet share.

A cell has two inputs, the outputs of the two cells before it, and five blocks. A block takes two earlier states, which
may be the same one, does an operation on each (thirteen of them) and adds or joins the outcomes. The output joins the
states that no block takes. There is a normal cell and a reduction cell: 5·10³⁶ pairs. What is joined is brought back to
the width of a state by a 1×1 convolution, as the paper has it do wherever widths differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.errors import ArchitectureError, InputError
from netwright.space import SearchSpace, inputs, one_of
from netwright.zoo.darts import FactorizedReduce, ReLUConvBN, Separable

BLOCKS = 5
FIRST = 2
"""The number of the first block; the cell's inputs are 0 (the cell before the last) and 1 (the last cell)."""

RELEASED: Mapping[str, Sequence[int]] = {"normal": (0,), "reduction": (3,)}
"""What the cells of the released NASNet-A join although blocks of theirs take it."""

Make = Callable[[int, int, int], nn.Module]
"""An operation, made from the channels that come in, those that go out, and the stride."""
Block = tuple[str, int, str, int]
"""Left operation, the state that it takes, right operation, the state that it takes."""


class ConvBN(nn.Sequential):
    """A 1×1 convolution without bias, BatchNorm."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__(nn.Conv2d(channels_in, channels, 1, bias=False), nn.BatchNorm2d(channels))


class DilatedSeparable(nn.Sequential):
    """ReLU, a 3×3 depthwise convolution with holes (of dilation 2), a 1×1 convolution, BatchNorm."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(channels_in, channels_in, 3, stride, 2, dilation=2, groups=channels_in, bias=False),
            nn.Conv2d(channels_in, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )


class Crossed(nn.Sequential):
    """ReLU, a convolution of 1×kernel and one of kernel×1, BatchNorm."""

    def __init__(self, channels_in: int, channels: int, kernel: int, stride: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(channels_in, channels, (1, kernel), (1, stride), (0, kernel // 2), bias=False),
            nn.Conv2d(channels, channels, (kernel, 1), (stride, 1), (kernel // 2, 0), bias=False),
            nn.BatchNorm2d(channels),
        )


def identity(channels_in: int, channels: int, stride: int) -> nn.Module:
    """Nothing, or the 1×1 convolution that changes the shape."""
    if stride == 1 and channels_in == channels:
        return nn.Identity()
    return ReLUConvBN(channels_in, channels, 1, stride)


def separable(kernel: int) -> Make:
    """Two separable convolutions."""
    return lambda channels_in, channels, stride: Separable(channels, kernel, stride, channels_in=channels_in)


def pooling(kind: str, kernel: int) -> Make:
    """Pooling, and a 1×1 convolution where the width changes."""

    def make(channels_in: int, channels: int, stride: int) -> nn.Module:
        pool: nn.Module = (
            nn.MaxPool2d(kernel, stride, kernel // 2)
            if kind == "max"
            else nn.AvgPool2d(kernel, stride, kernel // 2, count_include_pad=False)
        )
        return pool if channels_in == channels else nn.Sequential(pool, ConvBN(channels_in, channels))

    return make


OPERATIONS: Mapping[str, Make] = {
    "identity": identity,
    "conv_1x3_3x1": lambda channels_in, channels, stride: Crossed(channels_in, channels, 3, stride),
    "conv_1x7_7x1": lambda channels_in, channels, stride: Crossed(channels_in, channels, 7, stride),
    "dil_conv_3x3": DilatedSeparable,
    "avg_pool_3x3": pooling("avg", 3),
    "max_pool_3x3": pooling("max", 3),
    "max_pool_5x5": pooling("max", 5),
    "max_pool_7x7": pooling("max", 7),
    "conv_1x1": lambda channels_in, channels, stride: ReLUConvBN(channels_in, channels, 1, stride),
    "conv_3x3": lambda channels_in, channels, stride: ReLUConvBN(channels_in, channels, 3, stride),
    "sep_conv_3x3": separable(3),
    "sep_conv_5x5": separable(5),
    "sep_conv_7x7": separable(7),
}


class Add(nn.Module):
    """The sum of two states."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return left + right


class Concat(nn.Module):
    """Two states joined, and brought back to their width."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = ReLUConvBN(2 * channels, channels)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        result: Tensor = self.squeeze(torch.cat([left, right], 1))
        return result


class Side(nn.Module):
    """One side of a block: which state it takes, and what it does to it."""

    def __init__(
        self, name: str, operations: Mapping[str, Make], widths: Sequence[int], channels: int, stride: int
    ) -> None:
        super().__init__()

        def edge(j: int) -> nn.Module:
            step = stride if j < FIRST else 1
            candidates = {each: _bound(make, widths[j], channels, step) for each, make in operations.items()}
            return one_of(f"{name}.operation", **candidates)

        self.pick = inputs(name, len(widths))
        self.edges: Any = self.pick.each(edge)

    def forward(self, states: list[Tensor]) -> Tensor:
        result: Tensor = self.pick(states, self.edges)
        return result


class Cell(nn.Module):
    """A cell of ``channels`` a state; ``out`` are the channels of its output.

    ``widths`` are the channels of its two inputs, ``halved`` says that the first of them has twice the resolution, and
    ``raw`` that it is taken as it is. ``join`` "loose" joins the states that no block takes, "all" all blocks;
    ``joined_too`` are states that are joined in any case.
    """

    def __init__(
        self,
        name: str,
        operations: Mapping[str, Make],
        widths: tuple[int, int],
        channels: int,
        stride: int,
        *,
        halved: bool = False,
        raw: bool = False,
        join: str = "loose",
        joined_too: Sequence[int] = (),
        concat: bool = False,
    ) -> None:
        super().__init__()
        if join not in ("loose", "all"):
            raise InputError(f"a cell joins its 'loose' states or 'all' blocks, found {join!r}")
        before, last = widths
        self.before: nn.Module = nn.Identity()
        if halved:
            self.before = FactorizedReduce(before, channels)
        elif before != channels and not raw:
            self.before = ReLUConvBN(before, channels)
        self.last = ReLUConvBN(last, channels)
        now = [before if raw else channels, channels]
        self.left, self.right, self.combine = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for block in range(FIRST, FIRST + BLOCKS):
            self.left.append(Side(f"{name}.block{block}.left", operations, now, channels, stride))
            self.right.append(Side(f"{name}.block{block}.right", operations, now, channels, stride))
            self.combine.append(
                one_of(f"{name}.block{block}.combine", add=Add, concat=lambda: Concat(channels)) if concat else Add()
            )
            now.append(channels)
        blocks = set(range(FIRST, FIRST + BLOCKS))
        joined = blocks if join == "all" else set(range(FIRST + BLOCKS)) - self._taken()
        self.joined = tuple(sorted(joined | set(joined_too)))
        self.fit = nn.ModuleList(self._fit(now[j], channels, stride if j < FIRST else 1) for j in self.joined)
        self.out = len(self.joined) * channels

    def _taken(self) -> set[int]:
        sides: list[Any] = [*self.left, *self.right]
        return {index for side in sides for index in side.pick}

    @staticmethod
    def _fit(width: int, channels: int, stride: int) -> nn.Module:
        """What brings a state that is joined to the shape of the others."""
        if stride > 1:
            return FactorizedReduce(width, channels, relu=False)
        return nn.Identity() if width == channels else ConvBN(width, channels)

    def paths(self) -> list[nn.Module]:
        """The operations of its blocks."""
        sides: list[Any] = [*self.left, *self.right]
        return [edge for side in sides for edge in side.edges]

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        states = [self.before(before), self.last(last)]
        for left, right, combine in zip(self.left, self.right, self.combine, strict=True):
            states.append(combine(left(states), right(states)))
        return torch.cat([fit(states[j]) for j, fit in zip(self.joined, self.fit, strict=True)], 1)


class Stack(nn.Module):
    """A network of cells: a stem, three stages with a halving of the resolution between them, and a head.

    ``between`` puts a reduction cell between the stages; without it the first cell of a stage halves, and there is one
    kind of cell. ``stem`` "imagenet" is a 3×3 convolution of stride 2 and two cells that halve. ``skip_reduced`` has
    the cell after a reduction cell take the cell before the last of the stage before, as the large NASNet does.
    """

    def __init__(
        self,
        operations: Mapping[str, Make],
        input_shape: tuple[int, ...],
        classes: int,
        channels: int,
        cells: int,
        *,
        between: bool,
        stem: str,
        stem_channels: int,
        join: str = "loose",
        joined_too: Mapping[str, Sequence[int]] | None = None,
        concat: bool = False,
        skip_reduced: bool = False,
    ) -> None:
        super().__init__()
        if stem not in ("cifar", "imagenet"):
            raise InputError(f"the stem is 'cifar' or 'imagenet', found {stem!r}")
        if cells < 3:
            raise InputError(f"three stages have at least three cells, found {cells}")
        if stem == "imagenet" and channels % 4:
            raise InputError(f"the first cell of the stem has a quarter of the channels, found {channels}")
        large = stem == "imagenet"
        self.stem = nn.Sequential(
            nn.Conv2d(input_shape[0], stem_channels, 3, 2 if large else 1, 0 if large else 1, bias=False),
            nn.BatchNorm2d(stem_channels),
        )
        strided = "reduction" if between else "cell"
        plan = [(strided, channels // 4, 2), (strided, channels // 2, 2)] if large else []
        halvings = [cells // 3, 2 * cells // 3]
        for index in range(cells):
            if index in halvings:
                channels *= 2
                if between:
                    plan.append(("reduction", channels, 2))
            plan.append(("normal", channels, 1) if between else ("cell", channels, 2 if index in halvings else 1))
        self.cells = nn.ModuleList()
        self.sources: list[tuple[int, int]] = []
        # States of the whole network by number, the stem first: their channels, and how often they were halved.
        known = [(stem_channels, 0)]
        for index, (name, width, stride) in enumerate(plan):
            last = len(known) - 1
            after = index > (2 if large else 0) and plan[index - 1][2] == 2 and between
            before = max(last - (2 if skip_reduced and after else 1), 0)
            cell = Cell(
                name, operations, (known[before][0], known[last][0]), width, stride,
                halved=known[before][1] < known[last][1], raw=index == 0, join=join,
                joined_too=(joined_too or {}).get(name, ()), concat=concat,
            )  # fmt: skip
            self.cells.append(cell)
            self.sources.append((before, last))
            known.append((cell.out, known[last][1] + (stride == 2)))
        self.relu = nn.ReLU()
        self.head = nn.Linear(known[-1][0], classes)

    def forward(self, x: Tensor) -> Tensor:
        states = [self.stem(x)]
        for cell, (before, last) in zip(self.cells, self.sources, strict=True):
            states.append(cell(states[before], states[last]))
        outputs: Tensor = self.head(self.relu(states[-1]).mean((2, 3)))
        return outputs


class NASNet(Stack):
    """The paper's network; the defaults are its own for CIFAR-10, 6@768. Input (N, C, H, W), output (N, classes).

    ``cells`` counts the normal cells, and ``channels`` is the width of a state in the first of them. ``joined_too``
    says which states the output of a cell joins although a block takes them: by default those of the released NASNet-A,
    {} for the rule alone. ``join`` "all" joins all blocks, so that widths do not depend on what is taken: a supernet
    needs that.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 32, 32),
        classes: int = 10,
        channels: int = 32,
        cells: int = 18,
        stem: str = "cifar",
        stem_channels: int | None = None,
        join: Literal["loose", "all"] = "loose",
        joined_too: Mapping[str, Sequence[int]] = RELEASED,
        skip_reduced: bool = False,
    ) -> None:
        super().__init__(
            OPERATIONS, input_shape, classes, channels, cells,
            between=True, stem=stem, stem_channels=3 * channels if stem_channels is None else stem_channels,
            join=join, joined_too=joined_too, concat=True, skip_reduced=skip_reduced,
        )  # fmt: skip


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`NASNet`, and ``where`` and ``same``."""
    return SearchSpace(NASNet, **arguments)


def architecture_of(
    cells: Mapping[str, Sequence[Block]], operations: Mapping[str, Make] = OPERATIONS, combine: str | None = "add"
) -> Architecture:
    """The architecture with these blocks in each kind of cell; ``combine`` is None where a space does not ask it."""
    answers: dict[str, Any] = {}
    for cell, blocks in cells.items():
        if len(blocks) != BLOCKS:
            raise ArchitectureError(f"the {cell} cell has {BLOCKS} blocks, found {len(blocks)}")
        for block, (left, left_source, right, right_source) in enumerate(blocks, FIRST):
            for side, name, source in (("left", left, left_source), ("right", right, right_source)):
                if name not in operations:
                    raise ArchitectureError(
                        f"the cells have no operation '{name}' (at block {block} of the {cell} cell)"
                    )
                if not 0 <= source < block:
                    raise ArchitectureError(
                        f"block {block} of the {cell} cell takes states 0 to {block - 1}, found {source}"
                    )
                answers[f"{cell}.block{block}.{side}"] = (source,)
                answers[f"{cell}.block{block}.{side}.operation"] = name
            if combine is not None:
                answers[f"{cell}.block{block}.combine"] = combine
    return Architecture(answers)


def _bound(make: Make, channels_in: int, channels: int, stride: int) -> Callable[[], nn.Module]:
    return lambda: make(channels_in, channels, stride)


NASNET_A = architecture_of(
    {
        "normal": (
            ("sep_conv_5x5", 1, "sep_conv_3x3", 0),
            ("sep_conv_5x5", 0, "sep_conv_3x3", 0),
            ("avg_pool_3x3", 1, "identity", 0),
            ("avg_pool_3x3", 0, "avg_pool_3x3", 0),
            ("sep_conv_3x3", 1, "identity", 1),
        ),
        "reduction": (
            ("sep_conv_5x5", 1, "sep_conv_7x7", 0),
            ("max_pool_3x3", 1, "sep_conv_7x7", 0),
            ("avg_pool_3x3", 1, "sep_conv_5x5", 0),
            ("identity", 3, "avg_pool_3x3", 2),
            ("sep_conv_3x3", 2, "max_pool_3x3", 1),
        ),
    }
)
"""Figure 4 of the paper, as in the authors' program."""

NASNET_STARTS: tuple[Mapping[str, Any], ...] = (NASNET_A,)
