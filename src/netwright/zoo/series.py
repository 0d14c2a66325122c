"""Networks for time series: random kernels, inception and residual networks, causal convolutions, recurrent networks.

The inception network is one member of InceptionTime (Ismail Fawaz et al. 2020), narrower. The residual network is that
of Wang, Yan and Oates (IJCNN 2017), the strongest of the deep classifiers that Fawaz et al. (2019) compare. The causal
one is the temporal convolutional network of Bai, Kolter and Koltun (2018), with BatchNorm where that has weight norm.
The recurrent one is made of LSTM layers. The random kernels are after ROCKET (Dempster, Petitjean and Webb 2020): what
many convolutions that are never trained say of a series, its largest value and the share of positive ones, into one
linear layer; of few rows that learns what deeper networks cannot. Each has its own widths, depths
and kernels; the ranges are ours. The learning rate is a decision of all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from netwright.architecture import Architecture
from netwright.space import SearchSpace, choose, one_of, repeat, scope

KERNELS: Mapping[str, tuple[int, int, int]] = {"falling": (8, 5, 3), "small": (3, 3, 3), "large": (15, 9, 5)}
"""Of the three convolutions in a residual block; "falling" is the paper's."""

PARALLEL: Mapping[int, tuple[int, int, int]] = {10: (10, 6, 4), 20: (20, 10, 6), 40: (40, 20, 10)}
"""Of the three convolutions beside each other in an inception block, by the largest; the last is the paper's. All are
even, so that a smaller one is the middle of a larger one where weights are shared."""


class SameConv(nn.Sequential):
    """A convolution that keeps the length, of odd and even kernels alike, with a bias, and BatchNorm."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(
            nn.ConstantPad1d(((kernel - 1) // 2, kernel // 2), 0.0),
            nn.Conv1d(inputs, outputs, kernel),
            nn.BatchNorm1d(outputs),
        )


class ResidualBlock(nn.Module):
    """Three convolutions with ReLU between; what goes around them is normalised, and narrowed or widened if need be."""

    def __init__(self, inputs: int, outputs: int, kernels: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, third = kernels
        self.body = nn.Sequential(
            SameConv(inputs, outputs, first), nn.ReLU(),
            SameConv(outputs, outputs, second), nn.ReLU(),
            SameConv(outputs, outputs, third),
        )  # fmt: skip
        self.around = nn.BatchNorm1d(outputs) if inputs == outputs else SameConv(inputs, outputs, 1)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.activation(self.around(x) + self.body(x))
        return result


class InceptionBlock(nn.Module):
    """What three kernels see in a narrowed input, beside a max pooling of it all; joined, BatchNorm, ReLU.

    ``largest`` names the kernels; the result has four times ``width`` channels.
    """

    def __init__(self, inputs: int, width: int, largest: int) -> None:
        super().__init__()
        narrow = inputs > 1
        self.bottleneck = nn.Conv1d(inputs, width, 1, bias=False) if narrow else nn.Identity()
        seen = width if narrow else inputs
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.ConstantPad1d(((kernel - 1) // 2, kernel // 2), 0.0), nn.Conv1d(seen, width, kernel, bias=False)
            )
            for kernel in PARALLEL[largest]
        )
        self.pooled = nn.Sequential(nn.MaxPool1d(3, stride=1, padding=1), nn.Conv1d(inputs, width, 1, bias=False))
        self.norm = nn.BatchNorm1d(4 * width)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        narrowed = self.bottleneck(x)
        joined = torch.cat([*(branch(narrowed) for branch in self.branches), self.pooled(x)], 1)
        result: Tensor = self.activation(self.norm(joined))
        return result


class InceptionGroup(nn.Module):
    """Inception blocks, and around them all a convolution of one step with BatchNorm."""

    def __init__(self, inputs: int, width: int, largest: int, length: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(InceptionBlock(4 * width if index else inputs, width, largest) for index in range(length))
        )
        self.around = SameConv(inputs, 4 * width, 1)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.activation(self.around(x) + self.body(x))
        return result


class CausalBlock(nn.Module):
    """Two convolutions that see what came before alone, ``dilation`` steps apart; the input is added."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in (inputs, outputs):
            layers += [
                nn.ConstantPad1d(((kernel - 1) * dilation, 0), 0.0),
                nn.Conv1d(width, outputs, kernel, dilation=dilation),
                nn.BatchNorm1d(outputs),
                nn.ReLU(),
                nn.Dropout(dropout),
            ]
        self.body = nn.Sequential(*layers)
        self.around = nn.Identity() if inputs == outputs else nn.Conv1d(inputs, outputs, 1)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.activation(self.around(x) + self.body(x))
        return result


class RecurrentLayer(nn.Module):
    """An LSTM layer on (N, length, channels), and dropout."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, outputs, batch_first=True)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        made, _ = self.lstm(x)
        result: Tensor = self.dropout(made)
        return result


class SeriesResNet(nn.Module):
    """Residual blocks, the mean over time, a linear layer; from the second block on twice as many channels."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        width = choose("width", 8, 16, 32, 64)

        def block(index: int) -> nn.Module:
            inputs = (channels, width, 2 * width)[min(index, 2)]
            make = partial(ResidualBlock, inputs, 2 * width if index else width)
            return one_of(
                f"block{index}.kernels", **{name: partial(make, kernels) for name, kernels in KERNELS.items()}
            )

        self.body = repeat("depth", block, 2, 4)
        self.head = nn.Linear(2 * width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(x).mean(2))
        return result


class SeriesInception(nn.Module):
    """Groups of inception blocks, the mean over time, a linear layer; dropout before it."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        width = choose("width", 4, 8, 16, 32)
        largest = choose("kernel", 10, 20, 40)
        length = choose("length", 1, 2, 3)
        self.body = repeat(
            "depth", lambda index: InceptionGroup(4 * width if index else channels, width, largest, length), 1, 3
        )
        self.dropout = nn.Dropout(choose("dropout", 0.0, 0.2))
        self.head = nn.Linear(4 * width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.dropout(self.body(x).mean(2)))
        return result


class SeriesTCN(nn.Module):
    """Causal blocks, each looking twice as far back as the one before, and a linear layer on the last step."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        width = choose("width", 8, 16, 32, 64)
        kernel = choose("kernel", 3, 5, 7)
        dropout = choose("dropout", 0.0, 0.1, 0.25)
        self.body = repeat(
            "depth",
            lambda index: CausalBlock(width if index else channels, width, kernel, 2**index, dropout),
            1,
            8,
        )
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(x)[:, :, -1])
        return result


class SeriesLSTM(nn.Module):
    """LSTM layers, and a linear layer on the last step."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        width = choose("width", 16, 32, 64, 128)
        dropout = choose("dropout", 0.0, 0.1, 0.25)
        self.body = repeat("depth", lambda index: RecurrentLayer(width if index else channels, width, dropout), 1, 3)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(x.transpose(1, 2))[:, -1])
        return result


class RandomKernels(nn.Module):
    """Convolutions with random weights that stay as they are; of each the maximum and the share of positive values.

    Input (N, channels, length), output (N, 2 · count). Weights are normal with mean 0 in each channel, biases uniform
    from -1 to 1, as in ROCKET; of several channels each kernel sees a random few, fewer more often than many.
    """

    def __init__(self, channels: int, count: int, size: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, count, size, padding=(size - 1) * dilation // 2, dilation=dilation)
        weight, bias = self.conv.weight, self.conv.bias
        assert bias is not None
        with torch.no_grad():
            weight.normal_()
            weight -= weight.mean(2, keepdim=True)
            seen = (2 ** (torch.rand(count, 1) * math.log2(min(channels, size) + 1))).floor().clamp(max=channels)
            weight *= (torch.rand(count, channels).argsort(1).argsort(1) < seen)[:, :, None]
            bias.uniform_(-1, 1)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.conv(x)
        return torch.cat([seen.amax(2), (seen > 0).float().mean(2)], 1)


class SeriesKernels(nn.Module):
    """Random kernels of 9 steps, ever further apart, as many of each dilation; BatchNorm, dropout, a linear layer."""

    def __init__(self, channels: int, outputs: int, length: int) -> None:
        super().__init__()
        size = min(9, length)
        dilations = [2**power for power in range(1 + int(math.log2(max(1, (length - 1) // max(1, size - 1)))))]
        each = choose("count", 250, 500, 1000, 2000) // len(dilations)
        self.seen = nn.ModuleList(RandomKernels(channels, each, size, dilation) for dilation in dilations)
        features = 2 * each * len(dilations)
        self.norm = nn.BatchNorm1d(features, affine=False)
        self.dropout = nn.Dropout(choose("dropout", 0.0, 0.5))
        self.head = nn.Linear(features, outputs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        features = torch.cat([kernels(x) for kernels in self.seen], 1)
        result: Tensor = self.head(self.dropout(self.norm(features)))
        return result


class Series(nn.Module):
    """One of five kinds of network, each with its own decisions. Input (N, channels, length), output (N, outputs)."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        choose("recipe.lr", 1e-3, 3e-3, 6e-3)
        channels = input_shape[0]

        def within(kind: str, make: Callable[[int, int], nn.Module]) -> nn.Module:
            with scope(kind):
                return make(channels, outputs)

        self.network = one_of(
            "network",
            resnet=lambda: within("resnet", SeriesResNet),
            tcn=lambda: within("tcn", SeriesTCN),
            lstm=lambda: within("lstm", SeriesLSTM),
            inception=lambda: within("inception", SeriesInception),
            kernels=lambda: within("kernels", partial(SeriesKernels, length=input_shape[1])),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.network(x)
        return result


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`Series`, and ``where`` and ``same``."""
    return SearchSpace(Series, **arguments)


WANG_RESNET = Architecture(
    {
        "recipe.lr": 1e-3,
        "network": "resnet",
        "resnet.width": 64,
        "resnet.depth": 3,
        "resnet.block0.kernels": "falling",
        "resnet.block1.kernels": "falling",
        "resnet.block2.kernels": "falling",
    }
)
"""The residual network of Wang, Yan and Oates: blocks of 64, 128 and 128 channels. The rate is the paper's."""

INCEPTION = Architecture(
    {
        "recipe.lr": 1e-3,
        "network": "inception",
        "inception.width": 32,
        "inception.kernel": 40,
        "inception.length": 3,
        "inception.depth": 2,
        "inception.dropout": 0.0,
    }
)
"""A member of InceptionTime: two groups of three blocks, kernels of 40, 20 and 10 steps, four times 32 channels."""

SERIES_STARTS: tuple[Mapping[str, Any], ...] = (
    {"recipe.lr": 1e-3, "network": "kernels", "kernels.count": 2000, "kernels.dropout": 0.0},
    {"recipe.lr": 3e-3, "network": "resnet", "resnet.width": 16, "resnet.depth": 2, "resnet.block0.kernels": "falling",
     "resnet.block1.kernels": "falling"},
    {"recipe.lr": 3e-3, "network": "inception", "inception.width": 8, "inception.kernel": 20, "inception.length": 2,
     "inception.depth": 1, "inception.dropout": 0.0},
    {"recipe.lr": 3e-3, "network": "inception", "inception.width": 16, "inception.kernel": 40, "inception.length": 3,
     "inception.depth": 1, "inception.dropout": 0.0},
    {"recipe.lr": 3e-3, "network": "tcn", "tcn.width": 16, "tcn.kernel": 5, "tcn.dropout": 0.1, "tcn.depth": 4},
    {"recipe.lr": 3e-3, "network": "lstm", "lstm.width": 32, "lstm.dropout": 0.1, "lstm.depth": 1},
)  # fmt: skip
