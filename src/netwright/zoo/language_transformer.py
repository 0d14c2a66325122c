"""Decoder-only language models, of which GPT-2 (Radford et al. 2019) is one.

The width, the number of blocks, and each block's heads, ratio of hidden features and activation are open. The norms
stand before the layers, positions are learned, and the last layer is the embedding of the words again. A block's
heads share the width among them, so that it is a multiple of every number of heads. The space is ours; searches of
such models (So et al. 2021, Primer; Javaheripi et al. 2022, LiteTransformerSearch) open the same and more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.space import SearchSpace, choose, one_of, repeat


class SquaredReLU(nn.Module):
    """The square of the positive part (So et al. 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        positive: Tensor = self.relu(x)
        return positive * positive


class CausalAttention(nn.Module):
    """Self-attention of a place to itself and to what stands before it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.exit = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            layer(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        made = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        outputs: Tensor = self.exit(made.transpose(1, 2).flatten(2))
        return outputs


class Block(nn.Module):
    """Attention and a perceptron, each on normalised features and added to them."""

    def __init__(self, width: int, heads: int, hidden: int, activation: nn.Module) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = CausalAttention(width, heads)
        self.hidden_norm = nn.LayerNorm(width)
        self.hidden = nn.Sequential(nn.Linear(width, hidden), activation, nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        result: Tensor = x + self.hidden(self.hidden_norm(x))
        return result


class LanguageTransformer(nn.Module):
    """A language model. Input (N, T) numbers of words, T up to ``context``; output (N, T, vocabulary)."""

    def __init__(
        self,
        vocabulary: int = 256,
        context: int = 64,
        widths: Sequence[int] = (48, 96, 144),
        depths: tuple[int, int] = (1, 6),
        heads: Sequence[int] = (2, 3, 6),
        ratios: Sequence[int] = (1, 2, 4),
    ) -> None:
        super().__init__()
        for each in heads:
            found = [width for width in widths if width % each]
            if found:
                raise InputError(
                    f"a width of {found[0]} cannot be shared by {each} heads",
                    hint="Every width is a multiple of every number of heads.",
                )
        self.context = context
        width = choose("width", *widths)

        def block(index: int) -> nn.Module:
            number = choose(f"block{index}.heads", *heads)
            hidden = width * choose(f"block{index}.ratio", *ratios)
            activation = one_of(f"block{index}.activation", gelu=nn.GELU, squared_relu=SquaredReLU)
            return Block(width, number, hidden, activation)

        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        for table in (self.words, self.positions):
            # As in GPT-2: the words are the last layer too, and with torch's start of one its outputs would be large.
            nn.init.normal_(table.weight, std=0.02)
        self.body = repeat("depth", block, *depths)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        if length > self.context:
            raise InputError(f"a text of {length} words is longer than the context of {self.context}")
        made = self.words(x.long()) + self.positions.weight[:length]
        made = self.norm(self.body(made))
        return functional.linear(made, self.words.weight)


def space(**arguments: Any) -> SearchSpace:
    """The search space; the arguments are those of :class:`LanguageTransformer`, and ``where`` and ``same``."""
    return SearchSpace(LanguageTransformer, **arguments)


def uniform(width: int, depth: int, heads: int, ratio: int = 4, activation: str = "gelu") -> Architecture:
    """The architecture whose blocks are all alike."""
    answers: dict[str, Any] = {"width": width, "depth": depth}
    for index in range(depth):
        answers |= {
            f"block{index}.heads": heads,
            f"block{index}.ratio": ratio,
            f"block{index}.activation": activation,
        }
    return Architecture(answers)


GPT2_SPACE: Mapping[str, Any] = {
    "vocabulary": 50_257, "context": 1024, "widths": (384, 768), "depths": (6, 12), "heads": (6, 12),
}  # fmt: skip
GPT2_MEDIUM_SPACE: Mapping[str, Any] = {
    "vocabulary": 50_257, "context": 1024, "widths": (512, 1024), "depths": (12, 24), "heads": (8, 16),
}  # fmt: skip
"""Arguments of spaces that hold GPT-2."""
GPT2 = uniform(768, 12, 12)
"""Of the space :data:`GPT2_SPACE`."""
GPT2_MEDIUM = uniform(1024, 24, 16)
"""Of the space :data:`GPT2_MEDIUM_SPACE`."""

LANGUAGE_TRANSFORMER_STARTS: tuple[Mapping[str, Any], ...] = (uniform(96, 3, 6),)
