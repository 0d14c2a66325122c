"""FBNet: 22 layers of nine kinds each, 9²² ≈ 10²¹ architectures (Wu et al., CVPR 2019).

A layer is an inverted bottleneck of kernel 3 or 5 and expansion 1, 3 or 6, one of expansion 1 whose 1×1
convolutions have two groups with a shuffle of the channels between, or it is skipped. A layer that changes the
shape and is skipped is a 1×1 convolution, as in the authors' programs.
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

WIDTHS = (16, 16, 24, 32, 64, 112, 184, 352)
"""Channels of the stem and of the seven stages."""
LENGTHS = (1, 4, 4, 4, 4, 4, 1)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Of the first layer of each stage."""
FEATURES_A = 1504
FEATURES = 1984
"""Channels of the last layer: those of FBNet-A, and of FBNet-B and -C."""


class Grouped(nn.Module):
    """An inverted bottleneck of expansion 1 whose 1×1 convolutions have two groups; the first one's are shuffled."""

    def __init__(self, inputs: int, outputs: int, stride: int, kernel: int) -> None:
        super().__init__()
        self.adds = stride == 1 and inputs == outputs
        self.entry = ConvNorm(inputs, inputs, groups=2)
        self.shuffle = nn.ChannelShuffle(2)
        self.depthwise = ConvNorm(inputs, inputs, kernel, stride, groups=inputs)
        self.exit = ConvNorm(inputs, outputs, groups=2, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.exit(self.depthwise(self.shuffle(self.entry(x))))
        return x + made if self.adds else made


class FBNet(nn.Module):
    """The network of the paper; the defaults are its own for ImageNet. Input (N, C, H, W), output (N, classes).

    ``widths`` are eight even numbers of channels, ``features`` the channels before the classifier, ``layers`` the most
    in a stage.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 224, 224),
        classes: int = 1000,
        widths: Sequence[int] = WIDTHS,
        features: int = FEATURES,
        layers: int = 4,
    ) -> None:
        super().__init__()
        if len(widths) != len(WIDTHS) or any(width % 2 for width in widths):
            raise InputError(
                f"widths are {len(WIDTHS)} even numbers of channels, found {', '.join(map(str, widths))}",
                hint="They are those of the stem and of seven stages.",
            )
        width = widths[0]
        body: list[nn.Module] = [ConvNorm(input_shape[0], width, 3, 2)]
        for stage, (outputs, length, stride) in enumerate(zip(widths[1:], LENGTHS, STRIDES, strict=True), 1):
            for layer in range(min(layers, length)):
                body.append(_layer(f"stage{stage}.layer{layer}", width, outputs, 1 if layer else stride))
                width = outputs
        self.body = nn.Sequential(*body, ConvNorm(width, features))
        self.head = nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.body(x).mean((2, 3)))
        return outputs


def _layer(name: str, inputs: int, outputs: int, stride: int) -> nn.Module:
    candidates: dict[str, Callable[[], nn.Module]] = {}
    for kernel in (3, 5):
        for expansion in (1, 3, 6):
            candidates[f"k{kernel}_e{expansion}"] = partial(
                Inverted, inputs, outputs, stride, inputs * expansion, kernel
            )
        candidates[f"k{kernel}_g2"] = partial(Grouped, inputs, outputs, stride, kernel)
    same = stride == 1 and inputs == outputs
    candidates["skip"] = nn.Identity if same else partial(ConvNorm, inputs, outputs, 1, stride)
    return one_of(name, **candidates)


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`FBNet`, and ``where`` and ``same``."""
    return SearchSpace(FBNet, **arguments)


def from_layers(text: str) -> Architecture:
    """The architecture of 22 words such as ``"k3_e6"``, in the order of the layers."""
    words = iter(text.split())
    return Architecture(
        {
            f"stage{stage}.layer{layer}": next(words)
            for stage, length in enumerate(LENGTHS, 1)
            for layer in range(length)
        }
    )


FBNET_A = from_layers(
    "skip  k3_e3 k3_e1 skip skip  k5_e6 k3_e3 k5_e1 k3_e3  k5_e6 k5_e3 k5_g2 k5_e6 "
    "k3_e6 k5_g2 k5_e3 k3_g2  k5_e6 k5_e6 k5_e3 k5_e6  k5_e6"
)
"""With :data:`FEATURES_A` channels in the last layer."""
FBNET_B = from_layers(
    "k3_e1  k3_e6 k5_e1 k3_e1 k3_e1  k5_e6 k5_e3 k3_e6 k5_e6  k5_e6 k5_e6 skip k5_e3 "
    "k5_e6 k3_e1 k5_e1 k5_e3  k5_e6 k5_e1 k5_e6 k5_e6  k3_e6"
)
"""As in the authors' program: 4,863,288 parameters and 306.2 M multiply-adds.

Their README has 4.8 M and 295.6 M, so that the network which they measured seems to be another in a layer or two. For
example, with ``k5_e1`` in the second layer of the fourth stage it would be 4,813,048 and 296.6 M, as near to it as
FBNet-A and -C are to theirs.
"""
FBNET_C = from_layers(
    "k3_e1  k3_e6 skip k3_e1 k3_e1  k5_e6 k5_e3 k5_e6 k3_e6  k5_e6 k5_e3 k5_e6 k5_e6 "
    "k5_e6 k5_e6 k5_e6 k5_e3  k5_e6 k5_e6 k5_e6 k5_e6  k3_e6"
)

FBNET_STARTS: tuple[Mapping[str, Any], ...] = (FBNET_A, FBNET_B, FBNET_C)
