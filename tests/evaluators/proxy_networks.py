"""Small networks of several kinds, each with a batch and its targets."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):
    """A residual network whose activations are plain function calls."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(6) for _ in range(3)])
        self.convs = nn.ModuleList([nn.Conv2d(6, 6, 3, padding=1, bias=False) for _ in range(3)])
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = x + conv(functional.relu(norm(x)))
        out: Tensor = self.head(self.drop(torch.tanh(x).mean((2, 3))))
        return out


class Transformer(nn.Module):
    """Token ids to classes; two layers of attention with GELU."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.position = nn.Parameter(torch.randn(1, 9, 8) * 0.1)
        layer = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(self.embedding(x) + self.position).mean(1))
        return out


class Recurrent(nn.Module):
    """Sequences of numbers to classes; an LSTM of two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.LSTM(4, 10, 2, batch_first=True)
        self.head = nn.Sequential(nn.Linear(10, 30), nn.SiLU(), nn.Linear(30, 3))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(x)[0][:, -1])
        return out


def _sequence() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.Conv2d(6, 8, 3, stride=2, padding=1, groups=2),
        nn.GELU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 3),
    )


def _perceptron() -> nn.Module:
    return nn.Sequential(
        nn.Linear(7, 40), nn.BatchNorm1d(40), nn.ReLU(), nn.Dropout(0.1), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 3)
    )


def _images() -> Tensor:
    return torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def _rows() -> Tensor:
    return torch.randn(12, 7, generator=torch.Generator().manual_seed(2))


KINDS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "sequence": (_sequence, _images),
    "residual": (Residual, _images),
    "perceptron": (_perceptron, _rows),
    "transformer": (Transformer, lambda: torch.randint(20, (12, 9), generator=torch.Generator().manual_seed(3))),
    "recurrent": (Recurrent, lambda: torch.randn(12, 5, 4, generator=torch.Generator().manual_seed(4))),
}
CLASSES = torch.arange(12) % 3


def make(kind: str, seed: int = 0) -> tuple[nn.Module, Tensor, Tensor]:
    """A network of a kind with fresh weights, a batch of twelve, its classes."""
    torch.manual_seed(seed)
    network, inputs = KINDS[kind]
    return network(), inputs(), CLASSES.clone()
