"""Decoder-only language models: GPT-2's parameters, and that no place sees what comes after it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from netwright.errors import InputError
from netwright.graphs.source import write_source
from netwright.supernet import Supernet
from netwright.testing import check_space
from netwright.zoo import language_transformer

SMALL: dict[str, Any] = {"vocabulary": 11, "context": 8, "widths": (6, 12), "depths": (1, 2), "heads": (1, 3)}
WORDS = torch.randint(11, (2, 8), generator=torch.Generator().manual_seed(0))


def test_the_suite_of_spaces() -> None:
    """Every sample builds, runs on words, survives JSON and moves by one decision."""
    check_space(language_transformer.space(**SMALL), WORDS, samples=6)


def test_the_number_of_architectures() -> None:
    """Three widths, and one to six blocks of three numbers of heads, three ratios and two activations."""
    assert 3 * sum(18**depth for depth in range(1, 7)) == int(language_transformer.space().size)


@pytest.mark.parametrize(
    ("arguments", "one", "params"),
    [
        (language_transformer.GPT2_SPACE, language_transformer.GPT2, 124_439_808),
        (language_transformer.GPT2_MEDIUM_SPACE, language_transformer.GPT2_MEDIUM, 354_823_168),
    ],
)
def test_parameters_of_gpt2(arguments: Any, one: Any, params: int) -> None:
    """As Hugging Face's transformers count them: 124 and 355 million."""
    space = language_transformer.space(**arguments)
    with torch.device("meta"):
        assert params == sum(parameter.numel() for parameter in space.build(one).parameters())


def test_no_place_sees_what_comes_after_it() -> None:
    """Another last word changes the outputs of the last place alone."""
    space = language_transformer.space(**SMALL)
    network = space.build(space.sample(np.random.default_rng(0))).eval()
    other = WORDS.clone()
    other[:, -1] = (other[:, -1] + 1) % 11
    first, second = network(WORDS), network(other)
    torch.testing.assert_close(first[:, :-1], second[:, :-1])
    assert not torch.allclose(first[:, -1], second[:, -1])


def test_starts_are_in_the_space_and_cost_little() -> None:
    """The start of the default space has less than half a million parameters."""
    space = language_transformer.space()
    for start in language_transformer.LANGUAGE_TRANSFORMER_STARTS:
        assert start in space
        assert sum(parameter.numel() for parameter in space.build(start).parameters()) < 500_000


def test_a_network_learns_and_is_written_out() -> None:
    """Every parameter has a gradient, and the network is plain source; a short text will do."""
    space = language_transformer.space(**SMALL)
    network = space.build(space.sample(np.random.default_rng(1)))
    network(WORDS[:, :5]).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert "class Network" in write_source(network.eval(), WORDS)


def test_a_supernet_shares_the_space() -> None:
    """By slices and switches: what is extracted gives what the supernet gives."""
    space = language_transformer.space(**SMALL)
    supernet = Supernet(space).eval()
    for seed in range(6):
        one = space.sample(np.random.default_rng(seed))
        assert torch.equal(supernet.at(one)(WORDS), supernet.extract(one)(WORDS))


def test_a_width_that_heads_cannot_share() -> None:
    """Is refused with both numbers."""
    with pytest.raises(InputError, match="a width of 8 cannot be shared by 3 heads"):
        language_transformer.space(**{**SMALL, "widths": (6, 8)})
