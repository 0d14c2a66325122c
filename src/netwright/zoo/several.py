"""Networks for several inputs at once: a branch for each, joined, and layers on what they say together.

Late fusion (Baltrušaitis, Ahuja and Morency 2019 name it so among others): each branch is the compact network of its
kind and answers with features; how many, is open, and so are the layers after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from netwright.errors import InputError
from netwright.space import SearchSpace, choose, one_of, repeat, scope
from netwright.zoo.categories import Codes, Embedded
from netwright.zoo.compact import CompactImages
from netwright.zoo.compact_text import Bag, Convolutions
from netwright.zoo.series import SeriesResNet


class Rows(nn.Module):
    """Linear layers on a row of a table, categories of many values embedded: (N, F) to (N, outputs)."""

    def __init__(self, features: int, outputs: int, codes: Codes = ()) -> None:
        super().__init__()
        width = choose("width", 16, 32, 64, 128)
        entry: list[nn.Module] = []
        if codes:
            size = choose("embedding", 4, 8, 16)
            entry.append(Embedded(features, codes, size))
            features += len(codes) * (size - 1)
        self.entry = nn.Sequential(*entry, nn.Linear(features, width), nn.ReLU())
        self.body = repeat("depth", lambda _: nn.Sequential(nn.Linear(width, width), nn.ReLU()), 0, 2)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(self.entry(x)))
        return result


class SeveralInputs(nn.Module):
    """Input (N, numbers): the inputs ``parts`` one beside the other, each with ``name``, ``kind``, ``shape`` and
    ``facts``. Output (N, outputs)."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int, parts: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        choose("recipe.lr", 1e-3, 3e-3, 1e-2)
        self.shapes = [tuple(part["shape"]) for part in parts]
        self.sizes = [prod(shape) for shape in self.shapes]
        if sum(self.sizes) != input_shape[0]:
            raise InputError(f"the parts have {sum(self.sizes)} numbers, the inputs {input_shape[0]}")
        branches = []
        joined = 0
        for part in parts:
            with scope(part["name"]):
                features = choose("features", 8, 16, 32, 64)
                branches.append(branch(part, features))
            joined += features
        self.branches = nn.ModuleList(branches)
        dropout = choose("dropout", 0.0, 0.1, 0.25)

        def linear() -> nn.Module:
            return nn.Sequential(nn.ReLU(), nn.Dropout(dropout), nn.Linear(joined, outputs))

        def hidden() -> nn.Module:
            width = choose("width", 32, 64, 128)
            return nn.Sequential(
                nn.ReLU(), nn.Linear(joined, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, outputs)
            )

        self.together = one_of("together", linear=linear, hidden=hidden)

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.split(x, self.sizes, dim=1)
        said = [
            branch(part.reshape(-1, *shape))
            for branch, part, shape in zip(self.branches, parts, self.shapes, strict=True)
        ]
        result: Tensor = self.together(torch.cat(said, 1))
        return result


def branch(part: Mapping[str, Any], features: int) -> nn.Module:
    """The network for one input, which answers with so many features; InputError for a kind that has none."""
    shape, kind = tuple(part["shape"]), part["kind"]
    if kind in ("images", "audio"):
        return CompactImages(shape, features)
    if kind == "tables":
        return Rows(shape[0], features, part["facts"].get("codes", ()))
    if kind == "series":
        return SeriesResNet(shape[0], features)
    if kind == "text":
        return one_of(
            "words",
            bag=lambda: _within("bag", Bag, shape[0], features, *_sizes(part["facts"])),
            convolutions=lambda: _within("convolutions", Convolutions, shape[0], features, *_sizes(part["facts"])),
        )
    raise InputError(f"the input '{part['name']}' is of the kind {kind}, which no branch is made for")


def _sizes(facts: Mapping[str, Any]) -> tuple[int, int]:
    """How many numbers of words there are, and how many of them are of one word each."""
    return facts["vocabulary"], facts.get("known", facts["vocabulary"])


def _within(name: str, make: Callable[..., nn.Module], *arguments: int) -> nn.Module:
    with scope(name):
        return make(*arguments)


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`SeveralInputs`, and ``where`` and ``same``."""
    return SearchSpace(SeveralInputs, **arguments)


STARTS: tuple[Mapping[str, Any], ...] = (
    {"together": "linear", "dropout": 0.1, "recipe.lr": 3e-3},
    {"together": "hidden", "width": 64, "dropout": 0.1, "recipe.lr": 3e-3},
)
