"""Networks of many kinds, which a source has to equal: a class each, with an input in :data:`CASES`."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.conv = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4, padding_mode="reflect")
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.drop(self.conv(x))
        return self.head(x.mean((2, 3)))


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleDict({"3x3": nn.Conv2d(2, 4, 3, padding=1), "skip": nn.Identity(), "class": nn.ReLU()})
        self.levels = nn.ModuleList([nn.AvgPool2d(3, 1, 1), nn.MaxPool2d(3, 1, 1)])

    def forward(self, x):
        x = torch.cat([branch(x) for branch in self.branches.values()], 1)
        return torch.stack([level(x) for level in self.levels]).sum(0).flatten(1)


class Scale(nn.Module):
    """A layer of the user's own, with a parameter, buffers in and out of the state_dict, and views."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.rand(width))
        self.frozen = nn.Parameter(torch.rand(1), requires_grad=False)
        self.register_buffer("offset", torch.rand(width))
        self.register_buffer("position", torch.arange(width, dtype=torch.float32), persistent=False)
        self.table = torch.tensor([0.1, float("inf"), -2.5])

    def forward(self, x):
        n, c, h, w = x.shape
        x = x.permute(0, 2, 3, 1).reshape(n, h * w, c) * self.gain + self.offset * self.frozen - self.position / 7
        return x.transpose(1, 2).reshape(n, c, h, w).clamp(max=self.table[1])


class OwnLayers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(Scale(3), nn.Conv2d(3, 3, 1), nn.Sequential(Scale(3), nn.Tanh()))
        self.keys = Scale(3)

    def forward(self, x):
        return self.keys(self.body(x))


class Attention(nn.Module):
    """A transformer over patches, with a class token and layers of torch.nn."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(6, 16)
        self.token = nn.Parameter(torch.zeros(1, 1, 16))
        self.encoder = nn.TransformerEncoderLayer(16, 4, 24, dropout=0.0, activation="gelu", batch_first=True)
        self.attention = nn.MultiheadAttention(16, 2, bias=False, batch_first=True)
        self.norm = nn.LayerNorm(16)

    def forward(self, x):
        x = self.embed(x)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1)
        x = self.encoder(x)
        y, _ = self.attention(x, x, x, need_weights=False)
        return self.norm(x + y)[:, 0]


class HandAttention(nn.Module):
    def __init__(self, width: int = 12, heads: int = 3) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)

    def forward(self, x):
        batch, length, width = x.shape
        assert length == 5
        q, k, v = self.qkv(x).reshape(batch, length, self.heads, width // self.heads, 3).permute(4, 0, 2, 1, 3)
        weights = (q @ k.transpose(-2, -1)) / math.sqrt(width // self.heads)
        x = F.scaled_dot_product_attention(q, k, v) + weights.softmax(dim=-1) @ v
        return x.transpose(1, 2).reshape(batch, length, -1)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 6, padding_idx=0)
        self.gru = nn.GRU(6, 8, num_layers=2, batch_first=True, bidirectional=True)
        self.lstm = nn.LSTM(16, 5, batch_first=True, proj_size=3)
        self.rnn = nn.RNN(3, 4, nonlinearity="relu", batch_first=True)

    def forward(self, tokens):
        x, _ = self.gru(self.embed(tokens))
        x, (hidden, cell) = self.lstm(x)
        x, last = self.rnn(x)
        return torch.cat([x[:, -1], hidden[-1], cell[0], last.squeeze(0)], 1)


class DropPath(nn.Module):
    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        keep = torch.rand((x.shape[0],) + (1,) * (x.ndim - 1), dtype=x.dtype, device=x.device) >= self.p
        return x * keep / (1 - self.p)


class Stochastic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.paths = nn.ModuleList([DropPath(p) for p in torch.linspace(0, 0.5, 2).tolist()])

    def forward(self, x):
        x = self.conv(x)
        for path in self.paths:
            x = x + path(x)
        return x


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 3, 3, 3))

    def forward(self, x):
        x = F.conv2d(x, self.weight, padding=1)
        x = F.gelu(x) * torch.sigmoid(x) - F.leaky_relu(x, 0.2)
        a, b = x.chunk(2, dim=1)
        c, d = torch.split(F.max_pool2d(x, 2), [2, 4], dim=1)
        x = torch.cat([F.interpolate(c, scale_factor=2.0, mode="nearest"), a**2, -b, 1 - b], 1)
        x = F.dropout(x, 0.25, training=self.training)
        x = F.pad(x, (1, 0, 1, 0))[:, :, 1:, ::2]
        return {"map": x, "pooled": (F.adaptive_avg_pool2d(x, 1).flatten(1), d.amax((2, 3)))}


class Shared(nn.Module):
    """One layer in two places, one called twice, and tied weights."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(4, 4)
        self.two = self.one
        block = nn.Sequential(nn.Linear(4, 4), nn.SiLU())
        self.blocks = nn.Sequential(block, nn.Linear(4, 4), block)
        self.tied = nn.Linear(4, 4, bias=False)
        self.tied.weight = self.one.weight

    def forward(self, x):
        return self.tied(self.blocks(self.two(self.one(x)))) + self.blocks[1](x)


class InPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        self.calls.add_(1)
        y = self.linear(x).clone()
        y[:, 0] = 0.5
        y[:, 1:].mul_(2)
        y += x
        return y * self.calls


class Conditions(nn.Module):
    """Python asks for ranks and sizes, but not for values."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(3)])

    def forward(self, x, mask=None):
        if x.dim() == 3 and mask is None and x.dtype is torch.float32:
            for place in range(x.shape[1]):
                if place < len(self.layers):
                    x = x + self.layers[place](x[:, place : place + 1])
        return x.sum(1) / x.size(1) ** 0.5


class Several(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(3, 4), nn.Bilinear(4, 2, 3)

    def forward(self, image, table):
        return self.right(self.left(image), table), table


class Parameters(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.ParameterList([nn.Parameter(torch.rand(3)) for _ in range(2)])
        self.named = nn.ParameterDict({"shift": nn.Parameter(torch.rand(3))})

    def forward(self, x):
        for scale in self.scales:
            x = x * scale
        return x + self.named["shift"]


class Awkward(nn.Module):
    """Names that are methods of the containers in the written file, words of Python, or no identifiers."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Module()
        self.block.keys = nn.Linear(2, 2)
        self.block.pop = nn.Module()
        self.block.pop.values = nn.Linear(2, 2)
        self.add_module("3 x \"3\"", nn.Linear(2, 2))
        self.add_module("lambda", nn.Linear(2, 2))
        self.torch = nn.Linear(2, 2)

    def forward(self, torch, F=None):
        torch = self.block.pop.values(self.block.keys(torch))
        return self.torch(self.get_submodule("lambda")(self.get_submodule("3 x \"3\"")(torch)))


class SequentialOfOwn(nn.Sequential):
    def forward(self, x):
        return super().forward(x) + 1


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[torch.Tensor, ...]]] = {
    "residual": (Residual, (torch.randn(3, 1, 8, 8),)),
    "branches": (Branches, (torch.randn(3, 2, 6, 6),)),
    "own layers": (OwnLayers, (torch.randn(3, 3, 4, 4),)),
    "attention": (Attention, (torch.randn(3, 7, 6),)),
    "attention by hand": (HandAttention, (torch.randn(3, 5, 12),)),
    "recurrent": (Recurrent, (torch.randint(0, 20, (3, 9)),)),
    "stochastic": (Stochastic, (torch.randn(6, 1, 5, 5),)),
    "functional": (Functional, (torch.randn(3, 3, 8, 8),)),
    "shared": (Shared, (torch.randn(3, 4),)),
    "in place": (InPlace, (torch.randn(3, 4),)),
    "conditions": (Conditions, (torch.randn(3, 4, 3),)),
    "several": (Several, (torch.randn(3, 3), torch.randn(3, 2))),
    "parameters": (Parameters, (torch.randn(3, 3),)),
    "awkward": (Awkward, (torch.randn(3, 2),)),
    "sequential": (
        lambda: nn.Sequential(nn.Conv1d(2, 4, 3, stride=2), nn.BatchNorm1d(4), nn.GELU("tanh"), nn.Flatten()),
        (torch.randn(3, 2, 9),),
    ),
    "sequential of own": (lambda: SequentialOfOwn(nn.Linear(3, 3), nn.ReLU()), (torch.randn(3, 3),)),
    "one layer": (lambda: nn.Linear(3, 2), (torch.randn(3, 3),)),
    "double": (lambda: nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double(), (torch.randn(3, 3).double(),)),
}


class Slices(nn.Module):
    """Parts of a Sequential, layers made on the way, and tensors made for the input's device."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.BatchNorm1d(4))

    def forward(self, x):
        x = nn.Tanh()(self.layers[2:](self.layers[:2](x)))
        steps = torch.arange(x.shape[1], device=x.device, dtype=x.dtype)
        low, high = x.aminmax(dim=1)
        order = x.sort(dim=-1, descending=True)
        return torch.where(x > 0.1, x * steps, order.values) + (high - low)[:, None] + x.new_zeros(len(self.layers))


CASES["slices"] = (Slices, (torch.randn(3, 4),))
