"""Perceptrons, residual networks and FT-Transformers for tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from netwright.graphs.source import write_source
from netwright.space import SearchSpace
from netwright.supernet import Supernet
from netwright.testing import check_space
from netwright.zoo import table_networks


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    """For eight features and three outputs."""
    return table_networks.space(input_shape=(8,), outputs=3)


def test_the_suite_of_spaces(space: SearchSpace) -> None:
    """Every sample builds, runs on rows, survives JSON and moves by one decision."""
    check_space(space, samples=10)


def test_the_number_of_networks(space: SearchSpace) -> None:
    """Perceptrons, residual networks and transformers, when the learning rate is fixed."""
    assert 5 * 4 * 6 + 5 * 4**3 * 6 + 4**4 * 4 == int(space.fix(**{"recipe.lr": 1e-3}).size)


def test_parameters_of_the_default_transformer_by_hand() -> None:
    """100 features and three blocks of 192 make 930,241."""
    network = table_networks.space(input_shape=(100,), outputs=1).build(table_networks.FT_TRANSFORMER_DEFAULT)
    tokens = (100 + 1 + 100) * 192
    attention = 4 * (192 * 192 + 192)
    hidden = 2 * (192 * 256 + 256) + 256 * 192 + 192
    norms = 6 * 2 * 192
    assert tokens + 3 * (attention + hidden) + norms + 193 == sum(each.numel() for each in network.parameters())


def test_tokens_by_hand() -> None:
    """A feature's token is its value times a vector plus a vector; the class token has neither value nor bias."""
    tokens = table_networks.FeatureTokens(2, 4)
    weight, bias = tokens.weight.weight, tokens.bias.weight
    expected = torch.stack([3.0 * weight[0] + bias[0], -1.0 * weight[1] + bias[1], weight[2]])
    torch.testing.assert_close(expected, tokens(torch.tensor([[3.0, -1.0]]))[0])


def test_tokens_of_categories_by_hand() -> None:
    """A category's token is the vector of its value plus one of its own, whether it comes as columns or as a number."""
    tokens = table_networks.FeatureTokens(5, 4, [[1, 3]], [[4, 9]])
    weight, bias, vectors = tokens.weight.weight, tokens.bias.weight, tokens.vectors.table.weight
    expected = torch.stack([3.0 * weight[0] + bias[0], weight[2] + bias[1], vectors[7] + bias[2], weight[4]])
    torch.testing.assert_close(expected, tokens(torch.tensor([[3.0, 0.0, 1.0, 0.0, 7.0]]))[0])
    missing = tokens(torch.zeros(1, 5))[0]
    torch.testing.assert_close(torch.cat([bias, weight[4:]]), missing)


def test_attention_is_torchs() -> None:
    """Of the first block, whose input is not normalised."""
    block = table_networks.TransformerBlock(16, 8, 0.0, 0.0, first=True)
    x = torch.randn(2, 3, 16)
    heads = [layer(x).reshape(2, 3, 8, 2).transpose(1, 2) for layer in (block.query, block.key, block.value)]
    attended = torch.nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2).reshape(2, 3, 16)
    middle = x + block.exit(attended)
    torch.testing.assert_close(middle + block.hidden(middle), block(x))


@pytest.mark.parametrize("start", table_networks.TABLE_NETWORK_STARTS, ids=lambda one: one["network"])
def test_starts_learn_and_are_written_out(space: SearchSpace, start: Mapping[str, Any]) -> None:
    """One of each kind: every parameter has a gradient, and the network is plain source."""
    assert start in space
    network = space.build(start)
    network(torch.randn(4, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert "class Network" in write_source(network.eval(), torch.zeros(2, 8))


def test_a_supernet_shares_the_space(space: SearchSpace) -> None:
    """By slices and switches: what is extracted gives what the supernet gives."""
    supernet = Supernet(space).eval()
    x = torch.randn(4, 8)
    for start in table_networks.TABLE_NETWORK_STARTS:
        assert torch.equal(supernet.at(start)(x), supernet.extract(start)(x))
