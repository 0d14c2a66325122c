"""The recurrent cell of DARTS: as many as there are, and a language model with the published parameters."""

from __future__ import annotations

import math

import pytest
import torch

from netwright.errors import ArchitectureError
from netwright.graphs.source import write_source
from netwright.supernet import Supernet
from netwright.testing import check_space
from netwright.zoo import SPACES, darts_rnn

SMALL = {"vocabulary": 11, "hidden": 6}
WORDS = torch.arange(10).reshape(2, 5)


def test_the_suite_of_spaces() -> None:
    """Every sample builds, reads words, survives JSON and moves by one decision."""
    check_space(darts_rnn.space(**SMALL), WORDS, samples=6)


def test_how_many_there_are() -> None:
    """Eight nodes of one of the states before and one of four activations."""
    assert math.factorial(8) * 4**8 == int(darts_rnn.space(**SMALL).size)


def test_parameters_of_the_published_cells() -> None:
    """On the Penn Treebank: 23 M in the paper."""
    for one in SPACES["darts-rnn"].starts:
        with torch.device("meta"):
            network = darts_rnn.space().build(one)
        assert 22_960_000 == sum(parameter.numel() for parameter in network.parameters())


def test_it_learns_and_carries_its_state() -> None:
    """All parameters have gradients, and two halves of a text with the state between are the whole."""
    network = darts_rnn.space(**SMALL).build(darts_rnn.DARTS_RNN_V1)
    whole = network(WORDS)
    whole.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    first, state = network.run(WORDS[:, :2])
    torch.testing.assert_close(whole, torch.cat([first, network(WORDS[:, 2:], state)], 1))


def test_it_is_written_out_and_shared() -> None:
    """As plain source, and from a supernet with the same outputs."""
    supernet = Supernet(darts_rnn.space(**SMALL))
    for one in darts_rnn.DARTS_RNN_STARTS:
        network = supernet.extract(one).eval()
        assert torch.equal(network(WORDS), supernet.eval().at(one)(WORDS))
        assert "class Network" in write_source(network, WORDS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("gelu", 0), "no activation 'gelu' .at node 1."),
        (("tanh", 1), "node 1 takes a state of 0 to 0, found 1"),
    ],
)
def test_a_genotype_that_is_none(change: tuple[str, int], message: str) -> None:
    """Says what is wrong with it."""
    with pytest.raises(ArchitectureError, match=message):
        darts_rnn.from_genotype([change, *[("tanh", 0)] * 7])
    with pytest.raises(ArchitectureError, match="the cell has 8 nodes, found 2"):
        darts_rnn.from_genotype([("tanh", 0)] * 2)
