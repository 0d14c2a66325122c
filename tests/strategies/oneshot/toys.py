"""A small space whose every path is smooth, and data for it."""

from __future__ import annotations

import torch
from torch import nn

import netwright as nw


class Toy(nn.Module):
    """Two decisions of three options, each a linear layer, so that the loss has a smooth second derivative."""

    def __init__(self):
        super().__init__()
        self.a, self.b = self.operation("a"), self.operation("b")

    @staticmethod
    def operation(name):
        return nw.one_of(name, **{key: lambda: nn.Linear(3, 3) for key in "pqr"})

    def forward(self, x):
        return self.b(torch.tanh(self.a(x)))


def batches(count=2):
    generator = torch.Generator().manual_seed(5)
    return [tuple(torch.randn(6, 3, dtype=torch.float64, generator=generator) for _ in range(2)) for _ in range(count)]
