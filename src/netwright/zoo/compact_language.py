"""Small language models for a processor: recurrent layers, gated convolutions over what came before, transformers.

The recurrent ones are LSTM and GRU layers (Hochreiter and Schmidhuber 1997; Cho et al. 2014). The convolutions have the
gated activation of van den Oord et al. (2016, WaveNet), each looking twice as far back as the one before. The
transformer has the blocks of :mod:`netwright.zoo.language_transformer`, all alike. The ranges are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from netwright.errors import InputError
from netwright.space import SearchSpace, choose, one_of, repeat, scope
from netwright.zoo.language_transformer import Block


class RecurrentLayer(nn.Module):
    """An LSTM or a GRU layer on (N, T, channels), and dropout."""

    def __init__(self, layer: type[nn.LSTM] | type[nn.GRU], inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.layer = layer(inputs, outputs, batch_first=True)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        made, _ = self.layer(x)
        result: Tensor = self.dropout(made)
        return result


class GatedConvolution(nn.Module):
    """On (N, T, channels): tanh times sigmoid of what a convolution makes of the past, added to the input."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.past = nn.ConstantPad1d(((kernel - 1) * dilation, 0), 0.0)
        self.candidate = nn.Conv1d(width, width, kernel, dilation=dilation)
        self.gate = nn.Conv1d(width, width, kernel, dilation=dilation)
        self.exit = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        past = self.past(x.transpose(1, 2))
        made = torch.tanh(self.candidate(past)) * torch.sigmoid(self.gate(past))
        result: Tensor = x + self.dropout(self.exit(made.transpose(1, 2)))
        return result


class RecurrentLanguage(nn.Module):
    """Words, one to three recurrent layers of one kind, and a linear layer."""

    def __init__(self, layer: type[nn.LSTM] | type[nn.GRU], vocabulary: int) -> None:
        super().__init__()
        width = choose("width", 48, 64, 96, 128)
        embedding = choose("embedding", 16, 32, 64)
        dropout = choose("dropout", 0.0, 0.1, 0.2)
        self.words = nn.Embedding(vocabulary, embedding)
        self.body = repeat(
            "depth", lambda index: RecurrentLayer(layer, width if index else embedding, width, dropout), 1, 3
        )
        self.head = nn.Linear(width, vocabulary)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(self.words(x.long())))
        return result


class ConvolutionalLanguage(nn.Module):
    """Words, gated convolutions each looking twice as far back as the one before, and a linear layer."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        width = choose("width", 48, 64, 96, 128)
        kernel = choose("kernel", 3, 5)
        dropout = choose("dropout", 0.0, 0.1, 0.2)
        self.words = nn.Embedding(vocabulary, width)
        self.body = repeat("depth", lambda index: GatedConvolution(width, kernel, 2**index, dropout), 2, 6)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.norm(self.body(self.words(x.long()))))
        return result


class TransformerLanguage(nn.Module):
    """Words and their places, blocks of attention and perceptron that are alike, and a linear layer."""

    def __init__(self, vocabulary: int, context: int) -> None:
        super().__init__()
        width = choose("width", 48, 96, 144)
        heads = choose("heads", 2, 3, 6)
        hidden = width * choose("ratio", 2, 4)
        self.context = context
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        for table in (self.words, self.positions):
            nn.init.normal_(table.weight, std=0.02)
        self.body = repeat("depth", lambda index: Block(width, heads, hidden, nn.GELU()), 1, 4)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        if length > self.context:
            raise InputError(f"a text of {length} words is longer than the context of {self.context}")
        made = self.words(x.long()) + self.positions.weight[:length]
        result: Tensor = self.head(self.norm(self.body(made)))
        return result


class CompactLanguage(nn.Module):
    """One of four kinds of language model, each with its own decisions. Input (N, T), output (N, T, vocabulary)."""

    def __init__(self, vocabulary: int = 66, context: int = 64) -> None:
        super().__init__()

        def within(kind: str, make: Any, *arguments: Any) -> nn.Module:
            with scope(kind):
                made: nn.Module = make(*arguments)
                return made

        self.network = one_of(
            "network",
            lstm=lambda: within("lstm", RecurrentLanguage, nn.LSTM, vocabulary),
            gru=lambda: within("gru", RecurrentLanguage, nn.GRU, vocabulary),
            convolutions=lambda: within("convolutions", ConvolutionalLanguage, vocabulary),
            transformer=lambda: within("transformer", TransformerLanguage, vocabulary, context),
        )
        choose("recipe.lr", 2e-3, 5e-3, 1e-2)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.network(x)
        return result


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`CompactLanguage`, and ``where`` and ``same``."""
    return SearchSpace(CompactLanguage, **arguments)


COMPACT_LANGUAGE_STARTS: tuple[Mapping[str, Any], ...] = (
    {"network": "gru", "gru.width": 128, "gru.embedding": 32, "gru.dropout": 0.0, "gru.depth": 1, "recipe.lr": 1e-2},
    {
        "network": "lstm", "lstm.width": 128, "lstm.embedding": 32, "lstm.dropout": 0.0, "lstm.depth": 1,
        "recipe.lr": 1e-2,
    },
    {
        "network": "convolutions", "convolutions.width": 64, "convolutions.kernel": 3, "convolutions.dropout": 0.0,
        "convolutions.depth": 4, "recipe.lr": 5e-3,
    },
)  # fmt: skip
