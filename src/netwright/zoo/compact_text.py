"""Small networks for texts: linear models and bags of words and pairs, convolutions, GRU, transformers.

The linear model gives each word and each hashed pair of neighbours a number for each class, as a regression on weighted
counts does (Wang and Manning 2012 show how strong that is), and is trained by plain gradients: those leave a word that
was seen once with little, where Adam would move it as far as any other.

The bag is that of Joulin, Grave, Bojanowski and Mikolov (2017, fastText): embeddings of words and of hashed pairs of
neighbours, added up, rare words perhaps more, and a linear layer. The embeddings begin at zero, so that what no text of
training holds says nothing. The convolutions are those of Kim (2014): several kernels side by side, the maximum over
time. The recurrent network has GRU layers (Cho et al. 2014); the transformer is a small encoder (Vaswani et al. 2017)
with its norms before the layers. The ranges are ours.

Inputs are numbers of words (N, T), 0 after a text's end. What stands there changes no answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.space import SearchSpace, choose, one_of, repeat, scope

SIZES = {"frequent": 4000, "few": 1000}
"""How many words may have an embedding of their own, where not all have."""
SHARED = 256
"""How many embeddings are there for the other words."""
FACTOR = 32_749
"""A pair of words has the number first · FACTOR + second, which stays below 2³¹ for 65,000 words."""


class Words(nn.Module):
    """Embeddings of words, those from ``size`` on folded into a few that they share: (N, T) to (N, T, width)."""

    def __init__(self, size: int, width: int, deviation: float) -> None:
        super().__init__()
        self.size = size
        self.table = nn.Embedding(size + SHARED, width)
        nn.init.normal_(self.table.weight, std=deviation)

    def forward(self, numbers: Tensor) -> Tensor:
        made: Tensor = self.table(torch.where(numbers < self.size, numbers, numbers % SHARED + self.size))
        return made


def words(known: int, width: int, deviation: float) -> nn.Module:
    """All known words with embeddings of their own, or the most frequent ones; they are numbered by frequency."""
    sizes = {"all": known, **{name: min(size, known) for name, size in SIZES.items()}}
    return one_of("words", **{name: partial(Words, size, width, deviation) for name, size in sizes.items()})


def numbered(x: Tensor) -> Tensor:
    """The numbers of words as whole ones, none below 0."""
    return x.long().clamp(min=0)


class Mean(nn.Module):
    """The mean of what is there: features (N, T, width), and (N, T, 1) how much each counts."""

    def forward(self, features: Tensor, there: Tensor) -> Tensor:
        return (features * there).sum(1) / there.sum(1).clamp(min=1e-6)


class Root(nn.Module):
    """The sum of what is there, divided by the root of the number, so that a text of any length is about as long."""

    def forward(self, features: Tensor, there: Tensor) -> Tensor:
        return (features * there).sum(1) / (there * there).sum(1).clamp(min=1e-6).sqrt()


class Most(nn.Module):
    """The greatest of the positive parts of what is there."""

    def forward(self, features: Tensor, there: Tensor) -> Tensor:
        return (features.relu() * there).amax(1)


class Pairs(nn.Module):
    """Hashed pairs of neighbouring words, added up as by :class:`Root`: numbers (N, T) and how much each counts."""

    def __init__(self, buckets: int, width: int) -> None:
        super().__init__()
        self.buckets = buckets
        self.table = nn.Embedding(buckets, width)
        self.pool = Root()
        nn.init.zeros_(self.table.weight)

    def forward(self, numbers: Tensor, there: Tensor) -> Tensor:
        pairs = (numbers[:, :-1] * FACTOR + numbers[:, 1:]) % self.buckets
        made: Tensor = self.pool(self.table(pairs), there[:, :-1] * there[:, 1:])
        return made


class Alike(nn.Module):
    """Every word counts as it is there: numbers (N, T) and how much each is there (N, T, 1)."""

    def forward(self, numbers: Tensor, there: Tensor) -> Tensor:
        return there


class Rare(nn.Module):
    """A word counts the more the rarer it is, by the logarithm of its place: 0 to 1.

    Words are numbered by frequency, the most frequent first. Where that is the inverse of the place (Zipf), the
    logarithm of the place is that of the inverse frequency (Spärck Jones 1972), but for a constant.
    """

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.scale = 1.0 / math.log1p(vocabulary)

    def forward(self, numbers: Tensor, there: Tensor) -> Tensor:
        return there * (torch.log1p(numbers.to(there.dtype)) * self.scale)[:, :, None]


class Nothing(nn.Module):
    """Zero, in place of pairs."""

    def forward(self, numbers: Tensor, there: Tensor) -> Tensor:
        return there.sum(1) * 0.0


class Linear(nn.Module):
    """A number for each word and class, and for each hashed pair of neighbours, added up; rare words count more.

    All numbers are 64 times what is learnt, and 8 times where a number is predicted, since squares bend more. With that
    the learning rates of the other networks, which AdamW trains, are right for plain gradients, too. Those are not cut
    here: a limit for the others would be one for all of these.
    """

    def __init__(self, length: int, outputs: int, vocabulary: int, known: int, *, regression: bool = False) -> None:
        super().__init__()
        self.scale = 8.0 if regression else 64.0
        self.words = Words(vocabulary, outputs, 0.0)
        self.forget = nn.Dropout(choose("forget", 0.0, 0.2))
        self.weigh = one_of("weigh", alike=Alike, rare=lambda: Rare(vocabulary))
        self.pool = Root()
        self.share = choose("share", 0.25, 0.5, 1.0)
        self.pairs = Pairs(choose("buckets", 2**17, 2**19), outputs)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        numbers = numbered(x)
        there = self.forget((x > 0).to(x.dtype)[:, :, None])
        words = self.pool(self.words(numbers), self.weigh(numbers, there))
        outputs: Tensor = (words + self.pairs(numbers, there) * self.share + self.bias) * self.scale
        return outputs


class Bag(nn.Module):
    """Embeddings of words in any order, and perhaps of pairs; a linear layer."""

    def __init__(self, length: int, outputs: int, vocabulary: int, known: int) -> None:
        super().__init__()
        width = choose("width", 8, 16, 32, 64)
        self.words = one_of(
            "words",
            all=lambda: Words(vocabulary, width, 0.0),
            **{name: partial(Words, min(size, known), width, 0.0) for name, size in SIZES.items()},
        )
        self.forget = nn.Dropout(choose("forget", 0.0, 0.2, 0.4))
        self.weigh = one_of("weigh", alike=Alike, rare=lambda: Rare(vocabulary))
        self.pool = one_of("pool", root=Root, mean=Mean)
        self.pairs = one_of("pairs", none=Nothing, hashed=lambda: Pairs(choose("buckets", 2**14, 2**17), width))
        self.dropout = nn.Dropout(choose("dropout", 0.0, 0.3, 0.6))
        self.head = nn.Linear(width, outputs)
        # Beside features that begin at zero, a bias drawn at random would be all that a short training answers.
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        numbers = numbered(x)
        there = self.forget((x > 0).to(x.dtype)[:, :, None])
        features = self.pool(self.words(numbers), self.weigh(numbers, there)) + self.pairs(numbers, there)
        outputs: Tensor = self.head(self.dropout(features))
        return outputs


class Kernels(nn.Module):
    """Convolutions of several kernels side by side, each with ReLU and the maximum over time: (N, T, width)."""

    def __init__(self, width: int, filters: int, kernels: tuple[int, ...]) -> None:
        super().__init__()
        self.pads = nn.ModuleList(nn.ConstantPad1d(((kernel - 1) // 2, kernel // 2), 0.0) for kernel in kernels)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, filters, kernel) for kernel in kernels)
        self.pool = Most()

    def forward(self, features: Tensor, there: Tensor) -> Tensor:
        x = features.transpose(1, 2)
        made = [
            self.pool(convolution(pad(x)).transpose(1, 2), there)
            for pad, convolution in zip(self.pads, self.convolutions, strict=True)
        ]
        return torch.cat(made, 1)


class Convolutions(nn.Module):
    """Kim's network: embeddings, three convolutions side by side, the maximum over time, dropout, a linear layer."""

    def __init__(self, length: int, outputs: int, vocabulary: int, known: int) -> None:
        super().__init__()
        width = choose("width", 16, 32, 64, 128)
        self.embedding = Embeddings(width, known)
        filters = choose("filters", 16, 32, 64, 100)
        kinds = {"short": (1, 2, 3), "kim": (3, 4, 5), "middle": (2, 3, 4)}
        self.body = one_of(
            "kernels", **{name: partial(Kernels, width, filters, kernels) for name, kernels in kinds.items()}
        )
        self.dropout = nn.Dropout(choose("dropout", 0.0, 0.3, 0.5))
        self.head = nn.Linear(3 * filters, outputs)

    def forward(self, x: Tensor) -> Tensor:
        there = (x > 0).to(x.dtype)[:, :, None]
        outputs: Tensor = self.head(self.dropout(self.body(self.embedding(x), there)))
        return outputs


class Embeddings(nn.Module):
    """Embeddings of words with dropout, 0 where there is no word: (N, T) to (N, T, width)."""

    def __init__(self, width: int, known: int) -> None:
        super().__init__()
        self.words = words(known, width, 0.1)
        self.forget = nn.Dropout(choose("forget", 0.0, 0.2, 0.4))

    def forward(self, x: Tensor) -> Tensor:
        there = self.forget((x > 0).to(x.dtype)[:, :, None])
        made: Tensor = self.words(numbered(x)) * there
        return made


class Forwards(nn.Module):
    """A GRU layer that reads from the first word to the last: (N, T, width) to (N, T, 2 · hidden)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.layer = nn.GRU(width, 2 * hidden, batch_first=True)

    def forward(self, features: Tensor, there: Tensor) -> Tensor:
        made: Tensor = self.layer(features)[0]
        return made


class BothWays(nn.Module):
    """Two GRU layers, one of which reads from a text's last word to the first: (N, T, width) to (N, T, 2 · hidden).

    The second one's answers stay in the order in which it read.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.onward = nn.GRU(width, hidden, batch_first=True)
        self.back = nn.GRU(width, hidden, batch_first=True)

    def forward(self, features: Tensor, there: Tensor) -> Tensor:
        # The last word's place first, then those before it; after the end the first one's again and again.
        place = (there.sum(1, keepdim=True) - there.cumsum(1)).long()
        turned = features.gather(1, place.expand(features.shape))
        return torch.cat([self.onward(features)[0], self.back(turned)[0]], 2)


class Recurrent(nn.Module):
    """Embeddings, a GRU layer that reads one way or both, the maximum over time, dropout, a linear layer."""

    def __init__(self, length: int, outputs: int, vocabulary: int, known: int) -> None:
        super().__init__()
        width = choose("width", 16, 32, 64, 128)
        self.embedding = Embeddings(width, known)
        hidden = choose("hidden", 16, 32, 64)
        self.body = one_of("reads", onward=lambda: Forwards(width, hidden), both=lambda: BothWays(width, hidden))
        self.dropout = nn.Dropout(choose("dropout", 0.0, 0.3, 0.5))
        self.head = nn.Linear(2 * hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        there = (x > 0).to(x.dtype)[:, :, None]
        made = self.body(self.embedding(x), there)
        # What a GRU answers is above -1: the greatest over the words alone.
        features = ((made + 1.0) * there).amax(1) - 1.0
        outputs: Tensor = self.head(self.dropout(features))
        return outputs


class Block(nn.Module):
    """Attention of each word to all words, and a perceptron; each on normalised features and added to them.

    On (N, T, width + 1): the last feature says whether a word is there, which no word looks at otherwise.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.first_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.exit = nn.Linear(width, width)
        self.second_norm = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x, there = x[:, :, :-1], x[:, :, -1:]
        allowed = (there > 0).transpose(1, 2)[:, None]
        normed = self.first_norm(x)
        query, key, value = (
            layer(normed).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        made = functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        x = x + self.dropout(self.exit(made.transpose(1, 2).flatten(2)))
        x = x + self.dropout(self.perceptron(self.second_norm(x)))
        return torch.cat([x, there], 2)


class Transformer(nn.Module):
    """Embeddings of words and places, one or two blocks, the mean over the words, a linear layer."""

    def __init__(self, length: int, outputs: int, vocabulary: int, known: int) -> None:
        super().__init__()
        width = choose("width", 32, 64)
        self.embedding = Embeddings(width, known)
        self.places = nn.Embedding(length, width)
        nn.init.normal_(self.places.weight, std=0.02)
        heads = choose("heads", 2, 4)
        dropout = choose("dropout", 0.0, 0.2, 0.4)
        self.blocks = repeat("depth", lambda index: Block(width, heads, dropout), 1, 2)
        self.norm = nn.LayerNorm(width)
        self.pool = Mean()
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        there = (x > 0).to(x.dtype)[:, :, None]
        # A text without words attends to its first place, where it would attend to nothing.
        seen = functional.pad(there[:, 1:], (0, 0, 1, 0), value=1.0)
        made = self.blocks(torch.cat([self.embedding(x) + self.places.weight, seen], 2))
        outputs: Tensor = self.head(self.pool(self.norm(made[:, :, :-1]), there))
        return outputs


class CompactText(nn.Module):
    """One of five kinds of network, each with its own decisions, and how it is trained.

    Input (N, T), numbers of words below ``vocabulary``; those below ``known`` (None: all) are of one word each. Output
    (N, outputs). ``regression`` is for numbers that are predicted, not classes or labels.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        vocabulary: int,
        known: int | None = None,
        regression: bool = False,
    ) -> None:
        super().__init__()
        known = vocabulary if known is None else known
        choose("recipe.lr", low=5e-4, high=1e-2, log=True)
        choose("recipe.weight_decay", 0.0, 0.01, 0.1, 0.3)

        def within(kind: str, make: Callable[[int, int, int, int], nn.Module]) -> nn.Module:
            with scope(kind):
                return make(input_shape[0], outputs, vocabulary, known)

        def linear() -> nn.Module:
            choose("recipe.optimizer", "sgd")
            choose("recipe.clip", 1e3)
            return within("linear", partial(Linear, regression=regression))

        self.network = one_of(
            "network",
            linear=linear,
            bag=lambda: within("bag", Bag),
            convolutions=lambda: within("convolutions", Convolutions),
            recurrent=lambda: within("recurrent", Recurrent),
            transformer=lambda: within("transformer", Transformer),
        )

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.network(x)
        return outputs


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`CompactText`, and ``where`` and ``same``."""
    return SearchSpace(CompactText, **arguments)


def _start(network: str, lr: float, decay: float, **answers: Any) -> dict[str, Any]:
    own = {f"{network}.{name}": answer for name, answer in answers.items()}
    return {"network": network, "recipe.lr": lr, "recipe.weight_decay": decay, **own}


TEXT_STARTS: tuple[Mapping[str, Any], ...] = (
    _start("linear", 2.4e-3, 0.3, weigh="rare", forget=0.0, share=0.5, buckets=2**17),
    _start(
        "bag",
        2e-3,
        0.0,
        words="all",
        width=16,
        weigh="rare",
        pool="root",
        pairs="hashed",
        buckets=2**17,
        forget=0.0,
        dropout=0.0,
    ),
    _start("convolutions", 2e-3, 0.01, words="all", width=64, filters=64, kernels="kim", forget=0.2, dropout=0.5),
    _start(
        "bag",
        2e-3,
        0.0,
        words="all",
        width=32,
        weigh="rare",
        pool="root",
        pairs="hashed",
        buckets=2**17,
        forget=0.2,
        dropout=0.3,
    ),
    _start("recurrent", 3e-3, 0.01, words="all", width=64, hidden=32, reads="both", forget=0.2, dropout=0.5),
)
