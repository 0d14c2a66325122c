"""Once-for-all on MobileNetV3: kernels, expansions and depths are elastic (Cai et al., ICLR 2020).

Five stages of two to four blocks, each of kernel 3, 5 or 7 and expansion 3, 4 or 6: (9² + 9³ + 9⁴)⁵, about 2 · 10¹⁹
architectures. All are numbers, so that a supernet shares them by slices; the authors' small matrices that turn a
large kernel into a smaller one belong to the supernet (``transform_kernels``). They train one supernet with the
channels of MobileNetV3 and one with 1.2 times as many, and their resolution (128 to 224) is a matter of the training
(``OFA(resolutions=…)``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.space import SearchSpace, choose, repeat
from netwright.zoo.inverted import ConvNorm, Inverted, SqueezeExcite, divisible

KERNELS = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
DEPTHS = (2, 4)
STAGES = (
    (24, 2, nn.ReLU, False),
    (40, 2, nn.ReLU, True),
    (80, 2, nn.Hardswish, False),
    (112, 1, nn.Hardswish, True),
    (160, 2, nn.Hardswish, True),
)
"""Channels, stride of the first block, activation, and whether blocks squeeze and excite."""
STEM, FEATURES, HIDDEN = 16, 960, 1280


class OnceForAll(nn.Module):
    """The network of the paper; the defaults are its own for ImageNet. Input (N, C, H, W), output (N, classes).

    ``widths`` are multiples of all channels; of several, one is chosen. ``kernels`` are odd.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 224, 224),
        classes: int = 1000,
        widths: Sequence[float] = (1.0,),
        kernels: Sequence[int] = KERNELS,
        expansions: Sequence[int] = EXPANSIONS,
        depths: tuple[int, int] = DEPTHS,
    ) -> None:
        super().__init__()
        width = choose("width", *widths) if len(widths) > 1 else widths[0]
        inputs = divisible(STEM * width)
        layers: list[nn.Module] = [
            ConvNorm(input_shape[0], inputs, 3, 2, activation=nn.Hardswish),
            Inverted(inputs, inputs, 1, inputs, 3, widens=False),
        ]
        for number, (channels, stride, activation, squeezes) in enumerate(STAGES, 1):
            outputs = divisible(channels * width)

            def block(
                index: int,
                name: str = f"stage{number}",
                before: int = inputs,
                outputs: int = outputs,
                stride: int = stride,
                activation: type[nn.Module] = activation,
                squeezes: bool = squeezes,
            ) -> nn.Module:
                kernel = choose(f"{name}.block{index}.kernel", *kernels)
                entering = outputs if index else before
                inner = divisible(entering * choose(f"{name}.block{index}.expansion", *expansions))
                return Inverted(
                    entering, outputs, 1 if index else stride, inner, kernel, activation=activation,
                    squeeze=partial(SqueezeExcite, inner, divisible(inner / 4), nn.Hardsigmoid) if squeezes else None,
                )  # fmt: skip

            layers.append(repeat(f"stage{number}.depth", block, *depths))
            inputs = outputs
        features = divisible(FEATURES * width)
        hidden = divisible(HIDDEN * width)
        self.body = nn.Sequential(*layers, ConvNorm(inputs, features, activation=nn.Hardswish))
        self.hidden = nn.Sequential(nn.Linear(features, hidden, bias=False), nn.Hardswish())
        self.head = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.hidden(self.body(x).mean((2, 3))))
        return outputs


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`OnceForAll`, and ``where`` and ``same``."""
    return SearchSpace(OnceForAll, **arguments)


def from_lists(kernels: Sequence[int], expansions: Sequence[int], depths: Sequence[int]) -> Architecture:
    """The architecture of the authors' lists ``ks``, ``e`` and ``d``: four places a stage, of which a depth is used."""
    answers: dict[str, Any] = {}
    for stage, depth in enumerate(depths):
        answers[f"stage{stage + 1}.depth"] = depth
        for block in range(depth):
            answers[f"stage{stage + 1}.block{block}.kernel"] = kernels[4 * stage + block]
            answers[f"stage{stage + 1}.block{block}.expansion"] = expansions[4 * stage + block]
    return Architecture(answers)


OFA_LARGEST = from_lists([7] * 20, [6] * 20, [4] * 5)
"""The network that is trained first, which teaches all others."""
OFA_SMALLEST = from_lists([3] * 20, [3] * 20, [2] * 5)

OFA_STARTS: tuple[Mapping[str, Any], ...] = (OFA_LARGEST, OFA_SMALLEST)
