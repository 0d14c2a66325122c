"""Networks for tables: perceptrons, residual networks and FT-Transformers (Gorishniy et al., NeurIPS 2021).

The space holds the three that the paper tunes side by side, each with what it tunes: widths, depths, hidden factors
and dropouts, and the learning rate. The ranges are the paper's, cut to a grid and to sizes that a table of
thousands of rows needs. All features are numbers: categories are told from each other before. The parts are also those
of the space :mod:`netwright.zoo.tables`, whose transformer has a token for each category.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.architecture import Architecture
from netwright.space import SearchSpace, choose, one_of, repeat, scope
from netwright.zoo.categories import Codes, Vectors, told_apart

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
    """A vector for each feature: its value times a learned one, plus a learned one; the class token is the last.

    (N, features) to (N, tokens, width). The columns of each of ``groups``, a place and a number of columns, add up to
    one token: of a category with columns of zeros and ones that is the vector of its value. Categories that come as
    ``codes`` have the last tokens before that of the class; their numbers are read from ``plain``, where that is given.
    """

    numbers: Tensor
    adding: Tensor

    def __init__(self, features: int, width: int, groups: Sequence[Sequence[int]] = (), codes: Codes = ()) -> None:
        super().__init__()
        owners = token_of(features, groups, codes)
        numbers = [place for place, owner in enumerate(owners) if owner is not None]
        count = len({owner for owner in owners if owner is not None})
        # Embeddings, because a supernet knows how to slice those; they begin as a linear layer of so many outputs.
        self.weight = nn.Embedding(len(numbers) + 1, width)
        self.bias = nn.Embedding(count + len(codes), width)
        for table in (self.weight, self.bias):
            nn.init.uniform_(table.weight, -(width**-0.5), width**-0.5)
        self.vectors = Vectors(codes, width) if codes else None
        self.grouped = bool(groups)
        self.coded = bool(codes)
        if codes:
            self.register_buffer("numbers", torch.tensor(numbers).long())
        if groups:
            adding = torch.zeros(len(numbers) + 1, count + 1)
            adding[list(range(len(numbers))), [owners[place] for place in numbers]] = 1.0
            adding[-1, -1] = 1.0
            self.register_buffer("adding", adding)

    def forward(self, x: Tensor, plain: Tensor | None = None) -> Tensor:
        values = x.index_select(1, self.numbers) if self.coded else x
        values = torch.cat([values, torch.ones_like(x[:, :1])], 1)
        if self.grouped:
            # One product of matrices takes half the time of a vector for each column of each row.
            vectors = self.adding[:, :, None] * self.weight.weight[:, None]
            tokens = (values @ vectors.flatten(1)).reshape(-1, *vectors.shape[1:])
        else:
            tokens = values[:, :, None] * self.weight.weight
        if self.vectors is not None:
            tokens = torch.cat([tokens[:, :-1], self.vectors(x if plain is None else plain), tokens[:, -1:]], 1)
        return tokens + functional.pad(self.bias.weight, (0, 0, 0, 1))


def token_of(features: int, groups: Sequence[Sequence[int]], codes: Codes) -> list[int | None]:
    """Which token each column belongs to, None for codes: those of a group to one, all others to one each."""
    coded = {place for place, _ in codes}
    starts = {place + step: place for place, count in groups for step in range(count)}
    tokens: dict[int, int] = {}
    owners: list[int | None] = []
    for place in range(features):
        start = starts.get(place, place)
        owners.append(None if place in coded else tokens.setdefault(start, len(tokens)))
    return owners


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
        self,
        width: int,
        hidden: int,
        attention_dropout: float,
        hidden_dropout: float,
        *,
        first: bool,
        heads: int = HEADS,
    ) -> None:
        super().__init__()
        self.heads = heads
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
            layer(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
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

    def __init__(self, input_shape: tuple[int, ...], outputs: int, codes: Codes = ()) -> None:
        super().__init__()
        choose("recipe.lr", low=1e-4, high=1e-2, log=True)
        self.apart, features = told_apart(input_shape[0], codes)

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
        result: Tensor = self.network(self.apart(x))
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
