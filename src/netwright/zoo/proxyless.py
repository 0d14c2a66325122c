"""ProxylessNAS: 21 blocks, each of six inverted bottlenecks or skipped (Cai, Zhu & Han, ICLR 2019).

A block chooses its expansion (3 or 6) and its kernel (3, 5 or 7); those that keep the shape, three of four in each of
the first five stages, may be left out. That makes 6⁶ · 7¹⁵ architectures, about 2.2 · 10¹⁷. The networks that the
authors found for a phone, a GPU and a CPU differ in width too, so that each has its own ``widths``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.space import SearchSpace, one_of
from netwright.zoo.inverted import ConvNorm, Inverted

EXPANSIONS = (3, 6)
KERNELS = (3, 5, 7)
STRIDES = (2, 2, 2, 1, 2, 1)
"""Of the first block of each stage."""
MOBILE_WIDTHS = (32, 16, 32, 40, 80, 96, 192, 320, 1280)
"""Channels of the stem, the first block, the six stages and the last layer."""
GPU_WIDTHS = (40, 24, 32, 56, 112, 128, 256, 432, 1728)
CPU_WIDTHS = (40, 24, 32, 48, 88, 104, 216, 360, 1432)


class ProxylessNAS(nn.Module):
    """The network of the paper; the defaults are its own for ImageNet. Input (N, C, H, W), output (N, classes).

    ``widths`` are nine numbers of channels, ``blocks`` the number of blocks in each stage but the last, which has one.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 224, 224),
        classes: int = 1000,
        widths: Sequence[int] = MOBILE_WIDTHS,
        blocks: int = 4,
    ) -> None:
        super().__init__()
        if len(widths) != len(MOBILE_WIDTHS):
            raise InputError(
                f"widths are {len(MOBILE_WIDTHS)} numbers of channels, found {len(widths)}",
                hint="They are those of the stem, the first block, six stages and the last layer.",
            )
        stem, first, *stages, features = widths
        layers: list[nn.Module] = [
            ConvNorm(input_shape[0], stem, 3, 2, activation=nn.ReLU6),
            Inverted(stem, first, 1, stem, 3, activation=nn.ReLU6, widens=False),
        ]
        width = first
        for stage, (outputs, stride) in enumerate(zip(stages, STRIDES, strict=True), 1):
            for block in range(blocks if stage < len(stages) else 1):
                name = f"stage{stage}.block{block}"
                layers.append(_block(name, width, outputs, 1 if block else stride, skips=block > 0))
                width = outputs
        layers.append(ConvNorm(width, features, activation=nn.ReLU6))
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.body(x).mean((2, 3)))
        return outputs


def _block(name: str, inputs: int, outputs: int, stride: int, *, skips: bool) -> nn.Module:
    candidates: dict[str, Callable[[], nn.Module]] = {
        f"mb{expansion}_k{kernel}": partial(
            Inverted, inputs, outputs, stride, expansion * inputs, kernel, activation=nn.ReLU6
        )
        for expansion in EXPANSIONS
        for kernel in KERNELS
    }
    return one_of(name, **candidates, **({"skip": nn.Identity} if skips else {}))


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`ProxylessNAS`, and ``where`` and ``same``."""
    return SearchSpace(ProxylessNAS, **arguments)


def from_stages(*stages: str) -> Architecture:
    """The architecture of six texts such as ``"5x3 3x3"``: kernel and expansion of each block, the rest skipped."""
    answers: dict[str, Any] = {}
    for stage, text in enumerate(stages, 1):
        words = text.split()
        for block in range(4 if stage < len(STRIDES) else 1):
            kernel, _, expansion = words[block].partition("x") if block < len(words) else ("", "", "")
            answers[f"stage{stage}.block{block}"] = f"mb{expansion}_k{kernel}" if kernel else "skip"
    return Architecture(answers)


PROXYLESS_MOBILE = from_stages(
    "5x3 3x3", "7x3 3x3 5x3 5x3", "7x6 5x3 5x3 5x3", "5x6 5x3 5x3 5x3", "7x6 7x6 7x3 7x3", "7x6"
)
"""Found for a Pixel 1, with :data:`MOBILE_WIDTHS`."""
PROXYLESS_GPU = from_stages("5x3", "7x3 3x3", "7x6 5x3", "5x6 3x3 5x3", "7x6 7x6 7x6 5x6", "7x6")
"""Found for a V100, with :data:`GPU_WIDTHS`."""
PROXYLESS_CPU = from_stages(
    "3x6 3x3 3x3 3x3", "3x6 3x3 3x3 5x3", "3x6 3x3", "5x6 3x3 3x3 3x3", "5x6 5x3 5x3 3x3", "5x6"
)
"""Found for two Xeon processors, with :data:`CPU_WIDTHS`."""

PROXYLESS_STARTS: tuple[Mapping[str, Any], ...] = (PROXYLESS_MOBILE, PROXYLESS_GPU, PROXYLESS_CPU)
