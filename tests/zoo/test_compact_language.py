"""Small language models: as many as there are, none of which sees what it is to predict."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netwright.errors import InputError
from netwright.graphs.source import write_source
from netwright.space import SearchSpace
from netwright.testing import check_space
from netwright.zoo import compact_language

KINDS = ("lstm", "gru", "convolutions", "transformer")
WORDS = torch.arange(16).reshape(2, 8) % 11


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    """Of eleven words, eight at once."""
    return compact_language.space(vocabulary=11, context=8)


def test_the_suite_of_spaces(space: SearchSpace) -> None:
    """Every sample builds, reads words, survives JSON and moves by one decision."""
    check_space(space, WORDS.float(), samples=8)


def test_the_number_of_networks(space: SearchSpace) -> None:
    """Two kinds of recurrent networks, convolutions and transformers, each with three learning rates."""
    assert 3 * (2 * 4 * 3 * 3 * 3 + 4 * 2 * 3 * 5 + 3 * 3 * 2 * 4) == int(space.size)


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_next_is_not_seen(space: SearchSpace, kind: str) -> None:
    """Another last word changes the last output alone."""
    network = space.build(space.complete({"network": kind}, np.random.default_rng(0))).eval()
    other = WORDS.clone()
    other[:, -1] = 10 - other[:, -1]
    first, second = network(WORDS), network(other)
    torch.testing.assert_close(first[:, :-1], second[:, :-1])
    assert not torch.allclose(first[:, -1], second[:, -1])


@pytest.mark.parametrize("start", compact_language.COMPACT_LANGUAGE_STARTS, ids=lambda one: one["network"])
def test_starts_learn_and_are_written_out(space: SearchSpace, start: dict[str, object]) -> None:
    """Every parameter has a gradient, and the network is plain source."""
    assert start in space
    network = space.build(start)
    network(WORDS).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert "class Network" in write_source(network.eval(), WORDS.float())


def test_a_transformer_has_a_context(space: SearchSpace) -> None:
    """What is longer is refused."""
    network = space.build(space.complete({"network": "transformer"}, np.random.default_rng(0)))
    with pytest.raises(InputError, match="a text of 9 words is longer than the context of 8"):
        network(torch.zeros(1, 9))
