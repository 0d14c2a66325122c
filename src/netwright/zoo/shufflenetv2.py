"""The blocks of ShuffleNetV2 that SPOS searches: 20 of four kinds each, 4²⁰ ≈ 10¹² (Guo et al., ECCV 2020).

A block keeps half of its channels and sends the other half through convolutions of kernel 3, 5 or 7, or through
three separable ones; a block that halves the resolution sends all channels through both ways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.space import SearchSpace, one_of
from netwright.zoo.inverted import ConvNorm

WIDTHS = (16, 64, 160, 320, 640, 1024)
"""Channels of the stem, of four stages and of the last layer."""
LENGTHS = (4, 4, 8, 4)


class Shuffle(nn.Module):
    """A block of ShuffleNetV2; ``kernel`` 0 is the kind with three separable convolutions, "xception"."""

    def __init__(self, inputs: int, outputs: int, stride: int, kernel: int) -> None:
        super().__init__()
        self.splits = stride == 1
        width = inputs // 2 if self.splits else inputs
        inner, made = outputs // 2, outputs - width
        depthwise = partial(ConvNorm, activation=None)
        if kernel:
            layers = [
                ConvNorm(width, inner),
                depthwise(inner, inner, kernel, stride, groups=inner),
                ConvNorm(inner, made),
            ]
        else:
            layers = [
                depthwise(width, width, 3, stride, groups=width),
                ConvNorm(width, inner),
                depthwise(inner, inner, 3, groups=inner),
                ConvNorm(inner, inner),
                depthwise(inner, inner, 3, groups=inner),
                ConvNorm(inner, made),
            ]
        self.body = nn.Sequential(*layers)
        self.shortcut = (
            nn.Identity()
            if self.splits
            else nn.Sequential(
                depthwise(width, width, kernel or 3, stride, groups=width),
                ConvNorm(width, width),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        # Even channels are kept and odd ones are worked on: the shuffle of two groups and the split in one.
        kept, worked = (x[:, 0::2], x[:, 1::2]) if self.splits else (x, x)
        return torch.cat([self.shortcut(kept), self.body(worked)], 1)


class ShuffleNetV2(nn.Module):
    """The network of the paper; the defaults are its own for ImageNet. Input (N, C, H, W), output (N, classes).

    ``widths`` are six even numbers of channels, those of the stages ascending; ``blocks`` is the most in a stage.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 224, 224),
        classes: int = 1000,
        widths: Sequence[int] = WIDTHS,
        blocks: int = 8,
    ) -> None:
        super().__init__()
        if (
            len(widths) != len(WIDTHS)
            or any(width % 2 for width in widths)
            or list(widths[:5]) != sorted(set(widths[:5]))
        ):
            raise InputError(
                f"widths are {len(WIDTHS)} even numbers of channels, the first five ascending, "
                f"found {', '.join(map(str, widths))}",
                hint="They are those of the stem, of four stages and of the last layer.",
            )
        width = widths[0]
        layers: list[nn.Module] = [ConvNorm(input_shape[0], width, 3, 2)]
        for stage, (outputs, length) in enumerate(zip(widths[1:5], LENGTHS, strict=True), 1):
            for block in range(min(blocks, length)):
                layers.append(_block(f"stage{stage}.block{block}", width, outputs, 1 if block else 2))
                width = outputs
        self.body = nn.Sequential(*layers, ConvNorm(width, widths[5]))
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(widths[5], classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.dropout(self.body(x).mean((2, 3))))
        return outputs


def _block(name: str, inputs: int, outputs: int, stride: int) -> nn.Module:
    return one_of(
        name,
        k3=lambda: Shuffle(inputs, outputs, stride, 3),
        k5=lambda: Shuffle(inputs, outputs, stride, 5),
        k7=lambda: Shuffle(inputs, outputs, stride, 7),
        xception=lambda: Shuffle(inputs, outputs, stride, 0),
    )


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`ShuffleNetV2`, and ``where`` and ``same``."""
    return SearchSpace(ShuffleNetV2, **arguments)


def from_text(text: str) -> Architecture:
    """The architecture of twenty letters 3, 5, 7 and x, in the order of the blocks; spaces do not matter."""
    letters = iter(text.replace(" ", ""))
    return Architecture(
        {
            f"stage{stage}.block{block}": "xception" if (letter := next(letters)) == "x" else f"k{letter}"
            for stage, length in enumerate(LENGTHS, 1)
            for block in range(length)
        }
    )


SPOS = from_text("7535 7373 737x3333 x7xx")
"""Found by the authors for ImageNet (the README of megvii-model/SinglePathOneShot)."""

SHUFFLENETV2_STARTS: tuple[Mapping[str, Any], ...] = (SPOS,)
