"""NAS-Bench-Macro: eight layers of three kinds each (Su et al., CVPR 2021); 3⁸ = 6,561 architectures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.errors import ArchitectureError
from netwright.space import SearchSpace, one_of

KINDS = ("identity", "mb3_k3", "mb6_k5")
"""In the order of the benchmark's digits."""
STAGES = (2, 3, 3)
LAYERS = tuple(f"layer_{index}" for index in range(sum(STAGES)))


class Inverted(nn.Module):
    """MobileNetV2's block: widen by ``expansion``, depthwise ``kernel``, narrow; adds its input where shapes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int, kernel: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.adds = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            nn.Conv2d(inputs, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, inner, kernel, stride, kernel // 2, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.body(x)
        return made + x if self.adds else made


def _identity(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Nothing, or the 1×1 convolution that changes the shape."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class NASBenchMacro(nn.Module):
    """The benchmark's network; the defaults are its own for CIFAR-10. Input (N, C, H, W), output (N, classes).

    The first layer of each of three stages halves the resolution and doubles the channels; ``features`` is the width
    before the last layer.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 32, 32),
        classes: int = 10,
        channels: int = 32,
        features: int = 1280,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(input_shape[0], channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        ]
        names = iter(LAYERS)
        width = channels
        for length in STAGES:
            for index in range(length):
                layers.append(self._layer(next(names), width, width if index else 2 * width, 1 if index else 2))
                width = width if index else 2 * width
        layers += [nn.Conv2d(width, features, 1, bias=False), nn.BatchNorm2d(features), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(features, classes)

    def _layer(self, name: str, inputs: int, outputs: int, stride: int) -> nn.Module:
        return one_of(
            name,
            identity=lambda: _identity(inputs, outputs, stride),
            mb3_k3=lambda: Inverted(inputs, outputs, stride, 3, 3),
            mb6_k5=lambda: Inverted(inputs, outputs, stride, 6, 5),
        )

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.body(x).mean((2, 3)))
        return outputs


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`NASBenchMacro`."""
    return SearchSpace(NASBenchMacro, **arguments)


def to_string(architecture: Mapping[str, Any]) -> str:
    """The benchmark's own text: a digit a layer, as in ``"01201200"``."""
    return "".join(str(KINDS.index(architecture[layer])) for layer in LAYERS)


def from_string(text: str) -> Architecture:
    """Reads what :func:`to_string` writes."""
    if len(text) != len(LAYERS) or not set(text) <= set("012"):
        raise ArchitectureError(f"{text!r:.60} is not eight digits of 0, 1 and 2, as in 01201200")
    return Architecture({layer: KINDS[int(digit)] for layer, digit in zip(LAYERS, text, strict=True)})
