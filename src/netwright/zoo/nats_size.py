"""The size space of NATS-Bench: the channels of five layers (Dong et al., TPAMI 2021); 8⁵ = 32,768 architectures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.errors import ArchitectureError
from netwright.space import SearchSpace, choose

CHANNELS = (8, 16, 24, 32, 40, 48, 56, 64)
LAYERS = ("channels_0", "channels_1", "channels_2", "channels_3", "channels_4")


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    """ReLU, a 3×3 convolution without bias, BatchNorm."""
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
    )


class Cell(nn.Module):
    """The best cell of the topology space on CIFAR-100: five 3×3 convolutions and a skip from its input."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.edge_01 = _convolution(inputs, outputs)
        self.edge_02 = _convolution(inputs, outputs)
        self.edge_12 = _convolution(outputs, outputs)
        self.edge_03 = (
            nn.Identity()
            if inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        )
        self.edge_13 = _convolution(outputs, outputs)
        self.edge_23 = _convolution(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        first = self.edge_01(x)
        second = self.edge_02(x) + self.edge_12(first)
        result: Tensor = self.edge_03(x) + self.edge_13(first) + self.edge_23(second)
        return result


class Reduction(nn.Module):
    """Two 3×3 convolutions, the first with stride 2, beside a 2×2 average pooling and a 1×1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_convolution(inputs, outputs, 2), _convolution(outputs, outputs))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.shortcut(x) + self.body(x)
        return result


class NATSSize(nn.Module):
    """A stem, then cell, reduction, cell, reduction, cell, each with its own channels.

    Input (N, C, H, W) of at least 4×4 pixels, output (N, classes).
    """

    def __init__(self, input_shape: tuple[int, ...] = (3, 32, 32), classes: int = 10) -> None:
        super().__init__()
        widths = [choose(layer, *CHANNELS) for layer in LAYERS]
        layers: list[nn.Module] = [
            nn.Conv2d(input_shape[0], widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
        ]
        inputs = widths[0]
        for index, width in enumerate(widths):
            layers.append(Reduction(inputs, width) if index % 2 else Cell(inputs, width))
            inputs = width
        self.body = nn.Sequential(*layers, nn.BatchNorm2d(inputs), nn.ReLU())
        self.head = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.body(x).mean((2, 3)))
        return outputs


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`NATSSize`."""
    return SearchSpace(NATSSize, **arguments)


def to_string(architecture: Mapping[str, Any]) -> str:
    """The benchmark's own text: ``"8:16:24:32:64"``."""
    return ":".join(str(architecture[layer]) for layer in LAYERS)


def from_string(text: str) -> Architecture:
    """Reads what :func:`to_string` writes."""
    words = text.strip().split(":")
    if len(words) != len(LAYERS):
        raise ArchitectureError(f"{text!r:.60} is not five numbers of channels, as in 8:16:24:32:64")
    found = {}
    for layer, word in zip(LAYERS, words, strict=True):
        if not word.isascii() or not word.isdecimal() or int(word) not in CHANNELS:
            raise ArchitectureError(f"'{word}' in {text!r:.60} is none of {', '.join(map(str, CHANNELS))} channels")
        found[layer] = int(word)
    return Architecture(found)
