"""Categories of many values, which come as numbers: embedded, or told apart by columns of zeros and ones.

``codes`` are, for each such category, the place of its column and how many numbers there are: 0 is a missing value, the
last one all values without a number of their own, and those between are the most frequent first (see
:func:`netwright.tasks.tables.facts`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, final

import torch
from torch import Tensor, nn

APART = 32
"""So many values of a category are told apart where it is not embedded; the others share a column."""

Codes = Sequence[Sequence[int]]


@final
class Vectors(nn.Module):
    """A learned vector for each value of each category: (N, features) to (N, categories, size).

    They begin as those of a linear layer of so many outputs. What is missing begins at zero, and so do the values that
    have no number: no row of training may hold one.
    """

    places: Tensor
    first: Tensor
    last: Tensor

    def __init__(self, codes: Codes, size: int) -> None:
        super().__init__()
        counts = [count for _, count in codes]
        first = [0, *accumulate(counts)]
        self.register_buffer("places", torch.tensor([place for place, _ in codes]))
        self.register_buffer("first", torch.tensor(first[:-1]))
        self.register_buffer("last", torch.tensor([count - 1 for count in counts]))
        self.table = nn.Embedding(first[-1], size)
        nn.init.uniform_(self.table.weight, -(size**-0.5), size**-0.5)
        with torch.no_grad():
            self.table.weight[[*first[:-1], *(end - 1 for end in first[1:])]] = 0.0

    def forward(self, x: Tensor) -> Tensor:
        numbers = x.index_select(1, self.places).long().clamp(min=0)
        vectors: Tensor = self.table(torch.minimum(numbers, self.last) + self.first)
        return vectors


@final
class Embedded(nn.Module):
    """The columns of a table, and behind them the vectors of its categories in place of their numbers.

    The first entries of all vectors come before the second ones, so that shorter vectors take the first inputs of a
    layer.
    """

    kept: Tensor

    def __init__(self, features: int, codes: Codes, size: int) -> None:
        super().__init__()
        self.register_buffer("kept", _others(features, codes))
        self.vectors = Vectors(codes, size)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.index_select(1, self.kept), self.vectors(x).transpose(1, 2).flatten(1)], 1)


@final
class ToldApart(nn.Module):
    """The columns of a table, and behind them, for each category in place of its number, columns of zeros and ones.

    The :data:`APART` most frequent values have one each, and the others one. A missing value has zeros alone.
    """

    kept: Tensor
    places: Tensor
    values: Tensor

    def __init__(self, features: int, codes: Codes) -> None:
        super().__init__()
        self.register_buffer("kept", _others(features, codes))
        self.register_buffer("places", torch.tensor([place for place, _ in codes]))
        self.register_buffer("values", torch.arange(1.0, APART + 1))

    def forward(self, x: Tensor) -> Tensor:
        numbers = x.index_select(1, self.places)[:, :, None]
        apart = torch.cat([numbers == self.values, numbers > APART], 2)
        return torch.cat([x.index_select(1, self.kept), apart.to(x.dtype).flatten(1)], 1)


def told_apart(features: int, codes: Codes) -> tuple[nn.Module, int]:
    """What tells the categories apart, and how many columns there are then; without codes nothing is to be done."""
    if not codes:
        return nn.Identity(), features
    return ToldApart(features, codes), features + APART * len(codes)


@final
class Unaware:
    """Makes a network that knows no codes, with what tells the categories apart before it.

    It has the network's own name and arguments; ``input_shape`` is that of the data.
    """

    def __init__(self, network: Callable[..., nn.Module], codes: Codes) -> None:
        self.network = network
        self.codes = codes
        self.__name__ = getattr(network, "__name__", type(network).__name__)
        self.__signature__ = inspect.signature(network)

    def __call__(self, **arguments: Any) -> nn.Module:
        apart, features = told_apart(arguments["input_shape"][0], self.codes)
        return nn.Sequential(apart, self.network(**{**arguments, "input_shape": (features,)}))


def aware(network: Callable[..., Any], given: Mapping[str, Any]) -> Callable[..., Any]:
    """``network``, or where the data have codes that its arguments do not name, what makes it with columns instead."""
    codes = given.get("codes")
    if not codes:
        return network
    named = inspect.signature(network).parameters
    # One without the shape is of a size of its own.
    return network if "codes" in named or "input_shape" not in named else Unaware(network, codes)


def _others(features: int, codes: Codes) -> Tensor:
    """The places of the columns that are no codes."""
    coded = {place for place, _ in codes}
    return torch.tensor([place for place in range(features) if place not in coded]).long()
