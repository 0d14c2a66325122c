"""MnasNet (Tan et al., CVPR 2019) and MobileNetV3 (Howard et al., ICCV 2019).

MobileNetV3 was found by MnasNet's search and then thinned, block by block; what is open here is what differs among
these networks: how many blocks a stage has, each block's kernel and expansion, and whether it squeezes and excites.
Kernels and expansions are numbers, which a supernet shares by slices (as in TuNAS, Bender et al., CVPR 2020). The
three families differ in what is not open: channels, activations, the last layers and the size of the squeezing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.errors import InputError, nearest
from netwright.space import SearchSpace, choose, one_of, repeat
from netwright.zoo.inverted import ConvNorm, Inverted, SqueezeExcite, divisible

KERNELS = (3, 5, 7)
MOST = 4
"""Blocks in a stage."""


@dataclass(frozen=True)
class Stage:
    """Of blocks with the same channels; the first has the stride."""

    channels: int
    stride: int
    activation: Callable[[], nn.Module] = nn.ReLU


@dataclass(frozen=True)
class Family:
    """What is not open: the stem, a first block without widening, stages, last layers."""

    stem: int
    stem_activation: Callable[[], nn.Module]
    first: Stage
    first_squeezes: bool
    stages: tuple[Stage, ...]
    expansions: tuple[float, ...]
    features: int
    hidden: int
    """Channels of a layer after the global average; 0 where there is none."""
    last_activation: Callable[[], nn.Module]
    squeezes_input: bool
    """Whether the inner channels are a quarter of the block's input, or of its widened channels."""
    gate: Callable[[], nn.Module]


MNASNET = Family(
    32, nn.ReLU, Stage(16, 1), False,
    (Stage(24, 2), Stage(40, 2), Stage(80, 2), Stage(112, 1), Stage(160, 2), Stage(320, 1)),
    (3, 6), 1280, 0, nn.ReLU, True, nn.Sigmoid,
)  # fmt: skip
LARGE = Family(
    16, nn.Hardswish, Stage(16, 1), False,
    (Stage(24, 2), Stage(40, 2), Stage(80, 2, nn.Hardswish), Stage(112, 1, nn.Hardswish), Stage(160, 2, nn.Hardswish)),
    (2.3, 2.5, 3, 4, 6), 960, 1280, nn.Hardswish, False, nn.Hardsigmoid,
)  # fmt: skip
SMALL = Family(
    16, nn.Hardswish, Stage(16, 2), True,
    (Stage(24, 2), Stage(40, 2, nn.Hardswish), Stage(48, 1, nn.Hardswish), Stage(96, 2, nn.Hardswish)),
    (3, 3.67, 4, 4.5, 6), 576, 1024, nn.Hardswish, False, nn.Hardsigmoid,
)  # fmt: skip
FAMILIES: Mapping[str, Family] = {"mnasnet": MNASNET, "large": LARGE, "small": SMALL}


class MobileNetV3(nn.Module):
    """A network of one of three families: "large" and "small" of MobileNetV3, and "mnasnet".

    Input (N, C, H, W), output (N, classes). The defaults are the paper's for ImageNet; ``width`` multiplies all
    channels, in multiples of 8, and ``most`` is the greatest number of blocks in a stage.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 224, 224),
        classes: int = 1000,
        family: str = "large",
        width: float = 1.0,
        most: int = MOST,
    ) -> None:
        super().__init__()
        if family not in FAMILIES:
            raise InputError(f"there is no family '{family}'", hint=nearest(family, FAMILIES).capitalize())
        kind = FAMILIES[family]
        stem, first = divisible(kind.stem * width), divisible(kind.first.channels * width)
        layers: list[nn.Module] = [
            ConvNorm(input_shape[0], stem, 3, 2, activation=kind.stem_activation),
            Inverted(
                stem, first, kind.first.stride, stem, 3, activation=kind.first.activation, widens=False,
                squeeze=partial(_squeeze, kind, stem, stem) if kind.first_squeezes else None,
            ),
        ]  # fmt: skip
        inputs = first
        for number, stage in enumerate(kind.stages, 1):
            outputs = divisible(stage.channels * width)
            block = partial(_block, kind, stage, f"stage{number}", inputs, outputs)
            layers.append(repeat(f"stage{number}.depth", block, 1, most))
            inputs = outputs
        features = divisible(kind.features * width)
        layers.append(ConvNorm(inputs, features, activation=kind.last_activation))
        self.body = nn.Sequential(*layers)
        hidden = divisible(kind.hidden * width) if kind.hidden else 0
        self.hidden = nn.Sequential(nn.Linear(features, hidden), kind.last_activation()) if hidden else nn.Identity()
        self.head = nn.Linear(hidden or features, classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.hidden(self.body(x).mean((2, 3))))
        return outputs


def _squeeze(kind: Family, inputs: int, inner: int) -> nn.Module:
    quarter = inputs // 4 if kind.squeezes_input else divisible(inner / 4)
    return SqueezeExcite(inner, max(1, quarter), kind.gate)


def _block(kind: Family, stage: Stage, name: str, before: int, outputs: int, index: int) -> nn.Module:
    inputs = outputs if index else before
    kernel = choose(f"{name}.block{index}.kernel", *KERNELS)
    inner = divisible(inputs * choose(f"{name}.block{index}.expansion", *kind.expansions))
    return Inverted(
        inputs, outputs, 1 if index else stage.stride, inner, kernel, activation=stage.activation,
        squeeze=lambda: one_of(
            f"{name}.block{index}.squeeze", none=nn.Identity, excite=partial(_squeeze, kind, inputs, inner)
        ),
    )  # fmt: skip


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`MobileNetV3`, and ``where`` and ``same``."""
    return SearchSpace(MobileNetV3, **arguments)


def from_stages(*stages: str) -> Architecture:
    """The architecture of texts such as ``"5x3s 5x3s"``: kernel and expansion of each block, s where it squeezes."""
    answers: dict[str, Any] = {}
    for number, text in enumerate(stages, 1):
        words = text.split()
        answers[f"stage{number}.depth"] = len(words)
        for block, word in enumerate(words):
            kernel, _, expansion = word.removesuffix("s").partition("x")
            answers[f"stage{number}.block{block}.kernel"] = int(kernel)
            answers[f"stage{number}.block{block}.expansion"] = float(expansion) if "." in expansion else int(expansion)
            answers[f"stage{number}.block{block}.squeeze"] = "excite" if word.endswith("s") else "none"
    return Architecture(answers)


MNASNET_A1 = from_stages("3x6 3x6", "5x3s 5x3s 5x3s", "3x6 3x6 3x6 3x6", "3x6s 3x6s", "5x6s 5x6s 5x6s", "3x6")
"""Of the family "mnasnet"."""
MOBILENETV3_LARGE = from_stages("3x4 3x3", "5x3s 5x3s 5x3s", "3x6 3x2.5 3x2.3 3x2.3", "3x6s 3x6s", "5x6s 5x6s 5x6s")
"""Of the family "large"."""
MOBILENETV3_SMALL = from_stages("3x4.5 3x3.67", "5x4s 5x6s 5x6s", "5x3s 5x3s", "5x6s 5x6s 5x6s")
"""Of the family "small"."""

MOBILENETV3_STARTS: tuple[Mapping[str, Any], ...] = (MOBILENETV3_LARGE,)
