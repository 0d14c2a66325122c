"""The vision transformers of AutoFormer: their number, and the published parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from netwright.costs import measure
from netwright.errors import InputError
from netwright.graphs.source import write_source
from netwright.supernet import Supernet
from netwright.testing import check_space
from netwright.zoo import autoformer

DIGITS: dict[str, Any] = {
    "input_shape": (1, 8, 8), "classes": 10, "patch": 4, "widths": (6, 8), "heads": (1, 2), "ratios": (1.0, 2.0),
    "depths": (1, 2), "features": 4,
}  # fmt: skip


def test_the_suite_of_spaces() -> None:
    """Every sample builds, runs on digits, survives JSON and moves by one decision."""
    check_space(autoformer.space(**DIGITS), samples=6)


def test_the_number_of_architectures() -> None:
    """Three widths, and twelve to fourteen blocks of two numbers of heads and three ratios."""
    assert 3 * (6**12 + 6**13 + 6**14) == int(autoformer.space().size)


@pytest.mark.parametrize(
    ("arguments", "one", "params"),
    [
        (autoformer.TINY, autoformer.AUTOFORMER_TINY, 5_867_944),
        (autoformer.SMALL, autoformer.AUTOFORMER_SMALL, 22_891_432),
        (autoformer.BASE, autoformer.AUTOFORMER_BASE, 53_691_688),
    ],
)
def test_parameters_of_the_published_networks(arguments: Any, one: Any, params: int) -> None:
    """NNI prints 5.8, 22.9 and 53.7 M of the same architectures; the paper has 5.7 M for the first."""
    space = autoformer.space(**arguments)
    assert one in space
    assert params == measure(space, one, (3, 224, 224), ["params"])["params"]


def test_relative_positions_by_hand() -> None:
    """Each pair of nine patches has the vectors of its distances down and across; the class token has the first."""
    positions = autoformer.RelativePositions(3, 2)
    found, down, across = positions(), positions.down.weight, positions.across.weight
    for i in range(9):
        for j in range(9):
            expected = down[4 + j // 3 - i // 3] + across[4 + j % 3 - i % 3]
            assert torch.equal(expected, found[1 + i, 1 + j])
    assert torch.equal((down[0] + across[0]).expand(10, 2), found[0])


def test_attention_without_positions_is_torchs() -> None:
    """With the tables of positions at zero it is scaled dot-product attention."""
    attention = autoformer.Attention(6, 2, 4, 2)
    for table in (attention.near_keys, attention.near_values):
        torch.nn.init.zeros_(table.down.weight)
        torch.nn.init.zeros_(table.across.weight)
    x = torch.randn(3, 5, 6)
    heads = [
        layer(x).reshape(3, 5, 2, 4).transpose(1, 2) for layer in (attention.query, attention.key, attention.value)
    ]
    expected = torch.nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2).reshape(3, 5, 8)
    torch.testing.assert_close(attention.exit(expected), attention(x))


def test_a_network_learns_and_is_written_out() -> None:
    """Every parameter has a gradient, and the network is plain source."""
    space = autoformer.space(**DIGITS)
    network = space.build(space.sample(np.random.default_rng(0)))
    network(torch.randn(2, 1, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert "class Network" in write_source(network.eval(), torch.zeros(2, 1, 8, 8))


def test_a_supernet_shares_widths_heads_ratios_and_depths() -> None:
    """By slices: what is extracted gives what the supernet gives."""
    space = autoformer.space(**DIGITS)
    supernet = Supernet(space).eval()
    x = torch.randn(2, 1, 8, 8)
    for seed in range(6):
        one = space.sample(np.random.default_rng(seed))
        assert torch.equal(supernet.at(one)(x), supernet.extract(one)(x))


@pytest.mark.parametrize(("side", "patches"), [(8, 16), (28, 49), (224, 196)])
def test_small_pictures_have_small_patches(side: int, patches: int) -> None:
    """If none are asked for."""
    space = autoformer.space(**{**DIGITS, "input_shape": (1, side, side), "patch": None})
    network = space.build(space.sample(np.random.default_rng(0)))
    assert patches + 1 == network.positions.num_embeddings


@pytest.mark.parametrize("shape", [(1, 8, 12), (1, 10, 10), (1, 2, 2)])
def test_pictures_that_cannot_be_cut(shape: tuple[int, ...]) -> None:
    """Are refused with their size."""
    with pytest.raises(InputError, match="cannot be cut into squares of 4×4 pixels"):
        autoformer.space(**{**DIGITS, "input_shape": shape})
