"""Compact spaces for small devices and for searches of minutes: the spaces that tasks use by default.

Written in the words alone. The known-good starts beside them were found by this project's own searches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from netwright.space import choose, one_of, repeat
from netwright.zoo.categories import Codes, told_apart
from netwright.zoo.inverted import SqueezeExcite

SMALL_WIDTHS = ((4, 6, 8, 10, 12, 16), (8, 12, 16, 20, 24, 32), (16, 24, 32, 40, 48, 64))
"""Of pictures of at most 12 pixels a side."""
STAGE_WIDTHS = ((6, 8, 10, 12, 16, 20, 24), (8, 12, 16, 20, 24, 32, 40, 48), (16, 24, 32, 40, 48, 64, 80, 96))
DEEP_WIDTHS = (32, 48, 64, 96, 128)


class ConvBlock(nn.Sequential):
    """A convolution without bias, BatchNorm and ReLU; ``groups=channels`` makes it depthwise."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )


class Residual(nn.Module):
    """Adds its input to what ``body`` makes of it, then ReLU (He et al. 2016)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.activation(x + self.body(x))
        return result


def _basic(width: int) -> nn.Module:
    return Residual(
        nn.Sequential(ConvBlock(width, width), nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
    )


def _bottleneck(width: int) -> nn.Module:
    inner = max(4, width // 2)
    return Residual(
        nn.Sequential(
            ConvBlock(width, inner, 1),
            ConvBlock(inner, inner),
            nn.Conv2d(inner, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )
    )


def _inverted(width: int) -> nn.Module:
    inner = 2 * width
    return Residual(
        nn.Sequential(
            ConvBlock(width, inner, 1),
            ConvBlock(inner, inner, 3, groups=inner),
            nn.Conv2d(inner, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )
    )


def _squeeze(width: int) -> nn.Module:
    """A residual block whose channels are weighed by their means over the picture (Hu et al. 2018, reduction 4)."""
    return Residual(
        nn.Sequential(
            ConvBlock(width, width),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            SqueezeExcite(width, max(4, width // 4)),
        )
    )


class CompactImages(nn.Module):
    """Stages of convolutions, each at half the resolution of the one before; widths, depths and kinds are open.

    Input (N, C, H, W) of at least 2×2 pixels, output (N, classes). The number of stages follows from the resolution:
    the last works on 2 to 7 pixels a side.
    """

    def __init__(self, input_shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        channels, height, width = input_shape
        side = min(height, width)
        stages = 1 if side < 4 else 2 if side < 8 else 3
        while side >> stages >= 8:
            stages += 1
        small = side <= 12
        layers: list[nn.Module] = []
        if side >= 24:
            layers.append(one_of("stem", full=nn.Identity, half=lambda: nn.AvgPool2d(2)))
        for stage in range(stages):
            widths = (SMALL_WIDTHS if small else STAGE_WIDTHS)[stage] if stage < len(STAGE_WIDTHS) else DEEP_WIDTHS
            out = choose(f"stage{stage}.width", *widths)
            if stage:
                layers.append(one_of(f"stage{stage}.down", max=lambda: nn.MaxPool2d(2), mean=lambda: nn.AvgPool2d(2)))
            layers.append(self._entry(stage, channels, out))
            layers.append(self._body(stage, out, 1 if small else 2))
            channels = out
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(channels, classes)

    def _entry(self, stage: int, inputs: int, outputs: int) -> nn.Module:
        """The layer that changes the width."""
        return one_of(
            f"stage{stage}.entry",
            conv3=lambda: ConvBlock(inputs, outputs),
            separable=lambda: nn.Sequential(ConvBlock(inputs, inputs, 3, groups=inputs), ConvBlock(inputs, outputs, 1)),
        )

    def _body(self, stage: int, width: int, most: int) -> nn.Module:
        """Up to ``most`` more blocks of the same width."""
        kinds = {
            "conv": lambda: ConvBlock(width, width),
            "residual": lambda: _basic(width),
            "bottleneck": lambda: _bottleneck(width),
            "inverted": lambda: _inverted(width),
            "squeeze": lambda: _squeeze(width),
        }
        return repeat(f"stage{stage}.depth", lambda block: one_of(f"stage{stage}.block{block}", **kinds), 0, most)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.body(x).mean((2, 3)))
        return outputs


class CompactTables(nn.Module):
    """Layers on rows of features: width, depth, kind, norm and dropout are open, and so is the learning rate.

    Input (N, features), output (N, outputs); categories of many values are told apart by :class:`ToldApart`. With no
    layer it is a linear model.
    """

    def __init__(self, input_shape: tuple[int, ...], outputs: int, codes: Codes = ()) -> None:
        super().__init__()
        choose("recipe.lr", low=5e-4, high=2e-2, log=True)
        self.apart, features = told_apart(input_shape[0], codes)
        width = choose("width", 16, 32, 48, 64, 96, 128, 192)
        dropout = choose("dropout", 0.0, 0.1, 0.25)

        def activation() -> nn.Module:
            return one_of("activation", relu=nn.ReLU, gelu=nn.GELU, silu=nn.SiLU)

        def norm() -> nn.Module:
            return one_of("norm", none=nn.Identity, batch=lambda: nn.BatchNorm1d(width))

        def block(index: int) -> nn.Module:
            return one_of(
                f"block{index}",
                plain=lambda: nn.Sequential(nn.Linear(width, width), norm(), activation(), nn.Dropout(dropout)),
                residual=lambda: Residual(nn.Sequential(nn.Linear(width, width), norm(), nn.Dropout(dropout))),
            )

        self.entry = nn.Sequential(nn.Linear(features, width), norm(), activation(), nn.Dropout(dropout))
        self.body = repeat("depth", block, 0, 4)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(self.entry(self.apart(x))))
        return result


def _plain(widths: tuple[int, ...], blocks: tuple[str | None, ...] = (None, None, None)) -> dict[str, Any]:
    """One 3×3 convolution a stage, max pooling between, and where named one block more."""
    answers: dict[str, Any] = {"stem": "full"}
    for stage, (width, block) in enumerate(zip(widths, blocks, strict=True)):
        answers |= {
            f"stage{stage}.width": width,
            f"stage{stage}.entry": "conv3",
            f"stage{stage}.depth": int(block is not None),
        }
        if stage:
            answers[f"stage{stage}.down"] = "max"
        if block is not None:
            answers[f"stage{stage}.block0"] = block
    return answers


IMAGE_STARTS: tuple[Mapping[str, Any], ...] = (
    _plain((12, 16, 48)),
    _plain((16, 32, 64), (None, "conv", "conv")),
    _plain((8, 20, 40)),
    _plain((16, 32, 64), (None, "bottleneck", "residual")),
)

AUDIO_STARTS: tuple[Mapping[str, Any], ...] = (
    {**_plain((8, 16, 32)), "stem": "half", "stage3.width": 48, "stage3.entry": "conv3", "stage3.depth": 0,
     "stage3.down": "max"},
    {**_plain((12, 24, 48)), "stage3.width": 64, "stage3.entry": "separable", "stage3.depth": 0, "stage3.down": "max"},
    {**_plain((16, 24, 48), (None, "conv", "residual")), "stem": "half", "stage3.width": 64, "stage3.entry": "conv3",
     "stage3.depth": 0, "stage3.down": "max"},
)  # fmt: skip

TABLE_STARTS: tuple[Mapping[str, Any], ...] = (
    {"width": 128, "depth": 1, "block0": "plain", "dropout": 0.1, "activation": "relu", "norm": "none",
     "recipe.lr": 3e-3},
    {"width": 64, "depth": 2, "block0": "residual", "block1": "residual", "dropout": 0.1, "activation": "gelu",
     "norm": "batch", "recipe.lr": 5e-3},
    {"width": 192, "depth": 0, "dropout": 0.0, "activation": "relu", "norm": "batch", "recipe.lr": 3e-3},
)  # fmt: skip
