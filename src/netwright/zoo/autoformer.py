"""AutoFormer: vision transformers with open width, depth, heads and hidden sizes (Chen et al., ICCV 2021).

Each block has its own number of heads, all of 64 features, and its own ratio of hidden to outer features; the width
is that of all blocks. All are numbers, which a supernet shares by slices, as the paper does ("weight
entanglement").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.space import SearchSpace, choose, repeat

TINY: Mapping[str, Any] = {"widths": (192, 216, 240), "heads": (3, 4), "ratios": (3.0, 3.5, 4.0), "depths": (12, 14)}
SMALL: Mapping[str, Any] = {
    "widths": (320, 384, 448),
    "heads": (5, 6, 7),
    "ratios": (3.0, 3.5, 4.0),
    "depths": (12, 14),
}
BASE: Mapping[str, Any] = {
    "widths": (528, 576, 624),
    "heads": (8, 9, 10),
    "ratios": (3.0, 3.5, 4.0),
    "depths": (14, 16),
}
"""The arguments of the paper's three spaces."""


class RelativePositions(nn.Module):
    """For each pair of patches a vector for how far apart they are down and across; one more for the class token.

    ``side`` is the number of patches on a side.
    """

    index_down: Tensor
    index_across: Tensor

    def __init__(self, side: int, features: int) -> None:
        super().__init__()
        self.down = nn.Embedding(2 * side + 2, features)
        self.across = nn.Embedding(2 * side + 2, features)
        place = torch.arange(side)
        # 0 is for pairs with the class token, so that distances begin at 1.
        apart = place[None] - place[:, None] + side + 1
        down = apart[:, None, :, None].expand(side, side, side, side).reshape(side * side, side * side)
        across = apart[None, :, None, :].expand(side, side, side, side).reshape(side * side, side * side)
        self.register_buffer("index_down", functional.pad(down, (1, 0, 1, 0)), persistent=False)
        self.register_buffer("index_across", functional.pad(across, (1, 0, 1, 0)), persistent=False)

    def forward(self) -> Tensor:
        found: Tensor = self.down(self.index_down) + self.across(self.index_across)
        return found


class Attention(nn.Module):
    """Self-attention of heads of a fixed size, with relative positions in its keys and in its values."""

    def __init__(self, width: int, heads: int, features: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.features = features
        self.query = nn.Linear(width, heads * features)
        self.key = nn.Linear(width, heads * features)
        self.value = nn.Linear(width, heads * features)
        self.near_keys = RelativePositions(side, features)
        self.near_values = RelativePositions(side, features)
        self.exit = nn.Linear(heads * features, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            layer(x).unflatten(2, (self.heads, self.features)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(2, 3) + torch.einsum("bhqf,qkf->bhqk", query, self.near_keys())
        weights = torch.softmax(scores * self.features**-0.5, 3)
        made = weights @ value + torch.einsum("bhqk,qkf->bhqf", weights, self.near_values())
        outputs: Tensor = self.exit(made.transpose(1, 2).flatten(2))
        return outputs


class Block(nn.Module):
    """Attention and a perceptron, each on normalised features and added to them."""

    def __init__(self, width: int, heads: int, features: int, hidden: int, side: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, features, side)
        self.hidden_norm = nn.LayerNorm(width)
        self.hidden = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        result: Tensor = x + self.hidden(self.hidden_norm(x))
        return result


class AutoFormer(nn.Module):
    """The network of the paper; the defaults are those of its tiny space. Input (N, C, H, W), output (N, classes).

    Height and width are one multiple of ``patch``, which is 16 pixels, less for small pictures if not given;
    ``features`` is the size of a head. The class is told from the mean
    of all patches, as in the authors' evaluation; the class token takes part in the attention alone.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...] = (3, 224, 224),
        classes: int = 1000,
        patch: int | None = None,
        widths: Sequence[int] = TINY["widths"],
        heads: Sequence[int] = TINY["heads"],
        ratios: Sequence[float] = TINY["ratios"],
        depths: tuple[int, int] = TINY["depths"],
        features: int = 64,
    ) -> None:
        super().__init__()
        channels, height, breadth = input_shape
        if patch is None:
            patch = 16 if height >= 64 else 4 if height >= 16 else 2
        if height != breadth or height % patch or height < patch:
            raise InputError(
                f"pictures of {height}×{breadth} cannot be cut into squares of {patch}×{patch} pixels",
                hint="Height and width are equal, and a multiple of patch.",
            )
        side = height // patch
        width = choose("width", *widths)

        def block(index: int) -> nn.Module:
            number = choose(f"block{index}.heads", *heads)
            hidden = int(width * choose(f"block{index}.ratio", *ratios))
            return Block(width, number, features, hidden, side)

        self.patches = nn.Conv2d(channels, width, patch, patch)
        # Embeddings, because a supernet knows how to slice those.
        self.token = nn.Embedding(1, width)
        self.positions = nn.Embedding(side * side + 1, width)
        self.body = repeat("depth", block, *depths)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)
        token = self.token.weight.expand(patches.shape[0], 1, patches.shape[2])
        x = torch.cat([token, patches], 1) + self.positions.weight
        outputs: Tensor = self.head(self.norm(self.body(x))[:, 1:].mean(1))
        return outputs


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`AutoFormer`, and ``where`` and ``same``."""
    return SearchSpace(AutoFormer, **arguments)


def from_lists(width: int, heads: Sequence[int], ratios: Sequence[float]) -> Architecture:
    """The architecture of the authors' lists, one entry a block."""
    answers: dict[str, Any] = {"width": width, "depth": len(heads)}
    for index, (number, ratio) in enumerate(zip(heads, ratios, strict=True)):
        answers |= {f"block{index}.heads": number, f"block{index}.ratio": ratio}
    return Architecture(answers)


AUTOFORMER_TINY = from_lists(
    192,
    (3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 3, 3),
    (3.5, 3.5, 3.0, 3.5, 3.0, 3.0, 4.0, 4.0, 3.5, 4.0, 3.5, 4.0, 3.5),
)
"""Of the space :data:`TINY`; as NNI's hub of spaces has it, like the next two."""
AUTOFORMER_SMALL = from_lists(
    384,
    (6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7),
    (3.0, 3.5, 3.0, 3.5, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.5, 4.0),
)
"""Of the space :data:`SMALL`."""
AUTOFORMER_BASE = from_lists(
    576,
    (9, 9, 9, 9, 9, 10, 9, 9, 10, 9, 10, 9, 9, 10),
    (3.5, 3.5, 4.0, 3.5, 4.0, 3.5, 3.5, 3.0, 4.0, 4.0, 3.0, 4.0, 3.0, 3.5),
)
"""Of the space :data:`BASE`."""

AUTOFORMER_STARTS: tuple[Mapping[str, Any], ...] = (AUTOFORMER_TINY,)
