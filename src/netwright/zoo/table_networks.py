"""Networks for tables: perceptrons, residual networks and FT-Transformers (Gorishniy et al., NeurIPS 2021).

The space holds the three that the paper tunes side by side, each with what it tunes: widths, depths, hidden factors
and dropouts, and the learning rate. The ranges are the paper's, cut to a grid and to sizes that a table of
thousands of rows needs. All features are numbers: categories are told from each other before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.architecture import Architecture
from netwright.space import SearchSpace, choose, one_of, repeat, scope

DROPOUTS = (0.0, 0.1, 0.2, 0.5)
HEADS = 8


class TableMLP(nn.Module):
    """Linear layers, each with ReLU and dropout, and a linear layer."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        width = choose("width", 32, 64, 128, 256, 512)
        dropout = choose("dropout", *DROPOUTS)

        def block(index: int) -> nn.Module:
            return nn.Sequential(nn.Linear(width if index else features, width), nn.ReLU(), nn.Dropout(dropout))

        self.body = repeat("depth", block, 1, 6)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(x))
        return result


class ResNetBlock(nn.Module):
    """Adds to its input what BatchNorm and two linear layers make of it."""

    def __init__(self, width: int, hidden: int, hidden_dropout: float, residual_dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm1d(width),
            nn.Linear(width, hidden),
            nn.ReLU(),
            nn.Dropout(hidden_dropout),
            nn.Linear(hidden, width),
            nn.Dropout(residual_dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.body(x)
        return result


class TableResNet(nn.Module):
    """A linear layer, residual blocks, BatchNorm, ReLU, a linear layer."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        width = choose("width", 64, 128, 192, 256, 384)
        hidden = int(width * choose("factor", 1, 2, 3, 4))
        hidden_dropout = choose("hidden_dropout", *DROPOUTS)
        residual_dropout = choose("residual_dropout", *DROPOUTS)
        self.entry = nn.Linear(features, width)
        self.body = repeat("depth", lambda _: ResNetBlock(width, hidden, hidden_dropout, residual_dropout), 1, 6)
        self.exit = nn.Sequential(nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, outputs))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.exit(self.body(self.entry(x)))
        return result


class FeatureTokens(nn.Module):
    """A vector for each feature: its value times a learned one, plus a learned one; the class token is the last."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        # Embeddings, because a supernet knows how to slice those; they begin as a linear layer of so many outputs.
        self.weight = nn.Embedding(features + 1, width)
        self.bias = nn.Embedding(features, width)
        for table in (self.weight, self.bias):
            nn.init.uniform_(table.weight, -(width**-0.5), width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        ones = torch.ones_like(x[:, :1])
        tokens = torch.cat([x, ones], 1)[:, :, None] * self.weight.weight
        return tokens + functional.pad(self.bias.weight, (0, 0, 0, 1))


class ReGLU(nn.Module):
    """One linear layer times the positive part of another (Shazeer 2020)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.value = nn.Linear(inputs, outputs)
        self.gate = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.value(x) * torch.relu(self.gate(x))
        return result


class TransformerBlock(nn.Module):
    """Attention among the tokens and a perceptron, each on normalised tokens (not in the first attention) and added."""

    def __init__(
        self, width: int, hidden: int, attention_dropout: float, hidden_dropout: float, *, first: bool
    ) -> None:
        super().__init__()
        self.attention_norm = nn.Identity() if first else nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.dropout = nn.Dropout(attention_dropout)
        self.exit = nn.Linear(width, width)
        self.hidden = nn.Sequential(
            nn.LayerNorm(width), ReGLU(width, hidden), nn.Dropout(hidden_dropout), nn.Linear(hidden, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.attention_norm(x)
        query, key, value = (
            layer(tokens).unflatten(2, (HEADS, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        weights = torch.softmax(query @ key.transpose(2, 3) * query.shape[3] ** -0.5, 3)
        x = x + self.exit((self.dropout(weights) @ value).transpose(1, 2).flatten(2))
        result: Tensor = x + self.hidden(x)
        return result


class FTTransformer(nn.Module):
    """A token for each feature and one for the class, transformer blocks, and a linear layer on the class token."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        width = choose("width", 64, 96, 128, 192)
        hidden = int(width * choose("factor", 2 / 3, 4 / 3, 2.0, 8 / 3))
        attention_dropout = choose("attention_dropout", *DROPOUTS)
        hidden_dropout = choose("hidden_dropout", *DROPOUTS)
        self.tokens = FeatureTokens(features, width)
        self.body = repeat(
            "depth",
            lambda index: TransformerBlock(width, hidden, attention_dropout, hidden_dropout, first=index == 0),
            1,
            4,
        )
        self.exit = nn.Sequential(nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, outputs))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.exit(self.body(self.tokens(x))[:, -1])
        return result


class TableNetworks(nn.Module):
    """One of three kinds of network, each with its own decisions. Input (N, features), output (N, outputs)."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        choose("recipe.lr", low=1e-4, high=1e-2, log=True)
        features = input_shape[0]

        def within(kind: str, make: type[nn.Module]) -> nn.Module:
            with scope(kind):
                return make(features, outputs)

        self.network = one_of(
            "network",
            mlp=lambda: within("mlp", TableMLP),
            resnet=lambda: within("resnet", TableResNet),
            transformer=lambda: within("transformer", FTTransformer),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.network(x)
        return result


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`TableNetworks`, and ``where`` and ``same``."""
    return SearchSpace(TableNetworks, **arguments)


FT_TRANSFORMER_DEFAULT = Architecture(
    {
        "recipe.lr": 1e-4,
        "network": "transformer",
        "transformer.width": 192,
        "transformer.factor": 4 / 3,
        "transformer.attention_dropout": 0.2,
        "transformer.hidden_dropout": 0.1,
        "transformer.depth": 3,
    }
)
"""The paper's default, which it recommends without tuning."""

TABLE_NETWORK_STARTS: tuple[Mapping[str, Any], ...] = (
    FT_TRANSFORMER_DEFAULT,
    {"recipe.lr": 1e-3, "network": "resnet", "resnet.width": 192, "resnet.factor": 2, "resnet.hidden_dropout": 0.2,
     "resnet.residual_dropout": 0.0, "resnet.depth": 2},
    {"recipe.lr": 1e-3, "network": "mlp", "mlp.width": 256, "mlp.dropout": 0.1, "mlp.depth": 2},
)  # fmt: skip
