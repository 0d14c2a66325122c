"""The blocks of networks for mobile devices, from which several published spaces are made."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


def divisible(channels: float, by: int = 8) -> int:
    """The nearest multiple of ``by``, at least one of it and never more than a tenth below (MobileNetV2's rule)."""
    found = max(by, int(channels + by / 2) // by * by)
    return found + by if found < 0.9 * channels else found


class ConvNorm(nn.Sequential):
    """A convolution without bias that keeps the size at stride 1, BatchNorm, and the activation if there is one."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        activation: Callable[[], nn.Module] | None = nn.ReLU,
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers, *(() if activation is None else (activation(),)))


class SqueezeExcite(nn.Module):
    """Scales each channel by what two 1×1 convolutions make of the means of all (Hu et al. 2018)."""

    def __init__(self, channels: int, inner: int, gate: Callable[[], nn.Module] = nn.Sigmoid) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.ReLU(), nn.Conv2d(inner, channels, 1), gate())

    def forward(self, x: Tensor) -> Tensor:
        scale: Tensor = self.body(x.mean((2, 3), keepdim=True))
        return x * scale


class Inverted(nn.Module):
    """MobileNetV2's block: widen to ``inner`` channels, depthwise ``kernel``, narrow (Sandler et al. 2018).

    It adds its input where shapes agree. Without ``widens`` the first of the three convolutions is left out.
    ``squeeze`` makes a layer that stands after the depthwise convolution.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        inner: int,
        kernel: int,
        *,
        activation: Callable[[], nn.Module] = nn.ReLU,
        squeeze: Callable[[], nn.Module] | None = None,
        widens: bool = True,
    ) -> None:
        super().__init__()
        self.adds = stride == 1 and inputs == outputs
        layers: list[nn.Module] = [ConvNorm(inputs, inner, activation=activation)] if widens else []
        layers.append(ConvNorm(inner, inner, kernel, stride, groups=inner, activation=activation))
        if squeeze is not None:
            layers.append(squeeze())
        self.body = nn.Sequential(*layers, ConvNorm(inner, outputs, activation=None))

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.body(x)
        return x + made if self.adds else made
