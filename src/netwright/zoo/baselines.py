"""The pinned networks made by hand against which every search is judged: plain torch modules, nothing to decide.

They are pinned: a search that is better than a baseline that moved has shown nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from netwright.errors import InputError, nearest
from netwright.zoo.categories import Codes, told_apart


class Convolutions(nn.Module):
    """3×3 convolutions without bias, each with BatchNorm and ReLU, with poolings between; then the global average.

    ``layers`` holds a number of channels for a convolution and ``"pool"`` for 2×2 max pooling. The input is
    (N, C, H, W); a pooling that would leave nothing is left out.
    """

    def __init__(self, input_shape: tuple[int, ...], outputs: int, layers: tuple[int | str, ...]) -> None:
        super().__init__()
        channels, side = input_shape[0], min(input_shape[1:])
        body: list[nn.Module] = []
        for layer in layers:
            if isinstance(layer, int):
                body += [nn.Conv2d(channels, layer, 3, padding=1, bias=False), nn.BatchNorm2d(layer), nn.ReLU()]
                channels = layer
            elif side >= 2:
                body.append(nn.MaxPool2d(2))
                side //= 2
        self.body = nn.Sequential(*body)
        self.head = nn.Linear(channels, outputs)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.body(x).mean((2, 3))
        outputs: Tensor = self.head(features)
        return outputs


class Perceptron(nn.Module):
    """Linear layers with ReLU between, on rows of features (N, F)."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        sizes = (input_shape[0], *widths)
        hidden = [m for i, o in pairwise(sizes) for m in (nn.Linear(i, o), nn.ReLU())]
        self.body = nn.Sequential(*hidden)
        self.head = nn.Linear(sizes[-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.body(x))
        return outputs


class SeriesConvolutions(nn.Module):
    """The fully convolutional network of Wang, Yan and Oates (IJCNN 2017), narrower: on (N, channels, length)."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        sizes = (input_shape[0], *widths)
        body: list[nn.Module] = []
        for (before, after), kernel in zip(pairwise(sizes), (8, 5, 3), strict=True):
            body += [
                nn.ConstantPad1d(((kernel - 1) // 2, kernel // 2), 0.0),
                nn.Conv1d(before, after, kernel, bias=False),
                nn.BatchNorm1d(after),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(*body)
        self.head = nn.Linear(sizes[-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.body(x).mean(2))
        return outputs


class Branches(nn.Module):
    """A small network for each of several inputs, then a linear layer on all that they answer. Input (N, numbers).

    Images go through two convolutions, series through one, texts are the mean of the embeddings of their words, rows of
    a table go through a linear layer; each answers with 32 numbers.
    """

    def __init__(self, input_shape: tuple[int, ...], outputs: int, parts: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self.shapes = [tuple(part["shape"]) for part in parts]
        self.sizes = [prod(shape) for shape in self.shapes]
        self.branches = nn.ModuleList(_branch(part) for part in parts)
        self.head = nn.Linear(32 * len(self.shapes), outputs)

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.split(x, self.sizes, dim=1)
        said = [
            branch(part.reshape(-1, *shape))
            for branch, part, shape in zip(self.branches, parts, self.shapes, strict=True)
        ]
        outputs: Tensor = self.head(torch.cat(said, 1).relu())
        return outputs


class MeanOfWords(nn.Module):
    """The mean of the embeddings of the words of a text, 0 being no word: (N, T) to (N, width)."""

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)

    def forward(self, x: Tensor) -> Tensor:
        there = (x > 0).to(x.dtype)[:, :, None]
        mean: Tensor = (self.words(x.long()) * there).sum(1) / there.sum(1).clamp(min=1)
        return mean


def _branch(part: Mapping[str, Any]) -> nn.Module:
    shape = tuple(part["shape"])
    if part["kind"] in ("images", "audio"):
        return Convolutions(shape, 32, (16, "pool", 32))
    if part["kind"] == "text":
        return MeanOfWords(part["facts"]["vocabulary"], 32)
    if part["kind"] == "series":
        return SeriesConvolutions(shape, 32, (16, 32, 16))
    codes = part["facts"].get("codes", ())
    apart, features = told_apart(shape[0], codes)
    return nn.Sequential(apart, nn.Linear(features, 32)) if codes else nn.Linear(features, 32)


class LanguageLSTM(nn.Module):
    """Words, one LSTM layer (Hochreiter and Schmidhuber 1997), a linear layer. Input (N, T), output (N, T, words)."""

    def __init__(self, vocabulary: int, hidden: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)

    @classmethod
    def of_size(cls, vocabulary: int, params: int) -> LanguageLSTM:
        """The one whose number of parameters is nearest to ``params``."""
        half = (2 * vocabulary + 8) / 16
        root = max(1, int((half**2 + max(0, params - vocabulary) / 8) ** 0.5 - half))
        return cls(vocabulary, min((root, root + 1), key=lambda hidden: abs(_lstm_params(vocabulary, hidden) - params)))

    def forward(self, x: Tensor) -> Tensor:
        made, _ = self.lstm(self.words(x.long()))
        outputs: Tensor = self.head(made)
        return outputs


def _lstm_params(vocabulary: int, hidden: int) -> int:
    """Two tables of words, the biases of the words, two square maps and two biases of four gates."""
    return 2 * vocabulary * hidden + vocabulary + 8 * hidden * hidden + 8 * hidden


class WindowForecast(nn.Module):
    """A linear layer on what a window is beyond its last value: the learnt sister of the naive forecast.

    Input (N, channels, lookback + horizon), the series first and covariates after it.
    """

    def __init__(self, input_shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        channels, steps = input_shape
        self.lookback = steps - outputs
        self.layer = nn.Linear(self.lookback + (channels - 1) * steps, outputs)

    def forward(self, x: Tensor) -> Tensor:
        window = x[:, 0, : self.lookback]
        last = window[:, -1:]
        outputs: Tensor = self.layer(torch.cat([window - last, x[:, 1:].flatten(1)], 1)) + last
        return outputs


@dataclass(frozen=True)
class Baseline:
    """A hand-made network and the fields of the training recipe (``Recipe(**baseline.recipe)``) that go with it.

    ``make`` takes the shape of an input, the number of outputs, and by their names those facts about the data that its
    signature asks for; ``params`` where it is to be as large as what it is compared with.
    """

    name: str
    description: str
    make: Callable[..., nn.Module] = field(repr=False)
    recipe: Mapping[str, Any]

    @property
    def sized(self) -> bool:
        """Whether it is made as large as what it is compared with."""
        return "params" in inspect.signature(self.make).parameters

    def build(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        facts: Mapping[str, Any] = MappingProxyType({}),
        params: int | None = None,
    ) -> nn.Module:
        """The network with fresh weights for inputs of this shape (without the batch) and so many outputs.

        ``params`` is about how many parameters it is to have, where it is :attr:`sized`.
        """
        asked = inspect.signature(self.make).parameters
        known = {name: facts[name] for name in facts if name in asked}
        if params is not None and self.sized:
            known["params"] = params
        return self.make(tuple(input_shape), outputs, **known)


class WordBag(nn.Module):
    """The mean of the embeddings of a text's words and a linear layer (Joulin et al. 2017), on numbers of words (N, T).

    0 is no word.
    """

    def __init__(self, vocabulary: int, outputs: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, width)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        there = (x > 0).to(x.dtype)[:, :, None]
        mean = (self.table(x.long().clamp(min=0)) * there).sum(1) / there.sum(1).clamp(min=1)
        outputs: Tensor = self.head(mean)
        return outputs


def _text(input_shape: tuple[int, ...], outputs: int, vocabulary: int) -> nn.Module:
    return WordBag(vocabulary, outputs, 32)


def _digits(input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    return Convolutions(input_shape, outputs, (16, "pool", 32, "pool", 48))


def _images(input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    return Convolutions(input_shape, outputs, (24, "pool", 48, 48, "pool", 96, 96))


def _tables(input_shape: tuple[int, ...], outputs: int, codes: Codes = ()) -> nn.Module:
    apart, features = told_apart(input_shape[0], codes)
    perceptron = Perceptron((features,), outputs, (128, 128))
    return nn.Sequential(apart, perceptron) if codes else perceptron


def _forecast(input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    return WindowForecast(input_shape, outputs)


def _series(input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    return SeriesConvolutions(input_shape, outputs, (64, 128, 64))


def _language(input_shape: tuple[int, ...], outputs: int, vocabulary: int, params: int = 77_000) -> nn.Module:
    return LanguageLSTM.of_size(vocabulary, params)


def _several(input_shape: tuple[int, ...], outputs: int, parts: Sequence[Mapping[str, Any]]) -> nn.Module:
    return Branches(input_shape, outputs, parts)


BASELINES: Mapping[str, Baseline] = {
    baseline.name: baseline
    for baseline in (
        Baseline(
            "digits",
            "convolutions 16, 32, 48 (3×3, BatchNorm, ReLU), a pooling after each of the first two, global average",
            _digits,
            {
                "epochs": 30, "batch_size": 64, "optimizer": "sgd", "lr": 0.1, "schedule": "one_cycle",
                # Eight pixels leave no margin for a crop; small turns and shifts between pixels take its place.
                "weight_decay": 5e-4, "label_smoothing": 0.05, "augment": ("affine",), "affine": 0.5,
            },
        ),
        Baseline(
            "images",
            "convolutions 24, pool, 48, 48, pool, 96, 96 (3×3, BatchNorm, ReLU), global average",
            _images,
            {
                "epochs": 24, "batch_size": 128, "optimizer": "sgd", "lr": 0.1, "schedule": "one_cycle",
                "weight_decay": 5e-4, "label_smoothing": 0.05, "augment": ("crop", "flip"), "padding": 1,
            },
        ),
        Baseline(
            "tables",
            "a perceptron of 128, 128 with ReLU",
            _tables,
            {
                "epochs": 40, "batch_size": 128, "optimizer": "adamw", "lr": 3e-3, "schedule": "one_cycle",
                "weight_decay": 1e-2, "clip": 1.0,
            },
        ),
        Baseline(
            "several",
            "a small network for each input, and a linear layer on what they answer",
            _several,
            {
                "epochs": 40, "batch_size": 64, "optimizer": "adamw", "lr": 3e-3, "schedule": "one_cycle",
                "weight_decay": 1e-2, "clip": 1.0,
            },
        ),
        Baseline(
            "audio",
            "convolutions 24, pool, 48, 48, pool, 96, 96 (3×3, BatchNorm, ReLU), global average, on mel bands",
            _images,
            {
                "epochs": 24, "batch_size": 64, "optimizer": "sgd", "lr": 0.05, "schedule": "one_cycle",
                # Crops move a sound by a few frames and bands; mirrored it would be another one.
                "weight_decay": 5e-4, "label_smoothing": 0.05, "augment": ("crop",), "padding": 3,
            },
        ),
        Baseline(
            "forecast",
            "a linear layer on the window less its last value",
            _forecast,
            {
                "epochs": 60, "batch_size": 32, "optimizer": "adamw", "lr": 3e-3, "schedule": "one_cycle",
                "weight_decay": 1e-2, "clip": 1.0,
            },
        ),
        Baseline(
            "text",
            "the mean of embeddings of 32 numbers, one a word, and a linear layer",
            _text,
            {
                "epochs": 12, "batch_size": 64, "optimizer": "adamw", "lr": 3e-3, "schedule": "one_cycle",
                "weight_decay": 1e-2, "clip": 1.0,
            },
        ),
        Baseline(
            "series",
            "convolutions 64, 128, 64 over time (kernels 8, 5, 3, BatchNorm, ReLU), global average",
            _series,
            {
                # Sets of series are small: more epochs of small batches.
                "epochs": 100, "batch_size": 16, "optimizer": "adamw", "lr": 3e-3, "schedule": "one_cycle",
                "weight_decay": 1e-2, "clip": 1.0,
            },
        ),
        Baseline(
            "lstm",
            "a layer of LSTM with as many parameters as what it is compared with",
            _language,
            {
                "epochs": 10, "batch_size": 32, "optimizer": "adamw", "lr": 1e-2, "schedule": "one_cycle",
                "weight_decay": 1e-2, "clip": 1.0,
            },
        ),
    )
}  # fmt: skip


def baseline(name: str) -> Baseline:
    """The pinned baseline of this name."""
    try:
        return BASELINES[name]
    except KeyError:
        raise InputError(f"no baseline is called '{name}'", hint=nearest(name, BASELINES).capitalize()) from None
