"""The recurrent cell of Zoph and Le: as many as published, and the cell that they found."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from netwright.graphs.source import write_source
from netwright.space import SearchSpace
from netwright.supernet import Supernet
from netwright.testing import check_space
from netwright.zoo import zoph_rnn

WORDS = torch.arange(10).reshape(2, 5)


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    """It, with few words."""
    return zoph_rnn.space(vocabulary=11, hidden=6)


def by_hand(cell: zoph_rnn.RecurrentCell, x: Tensor, output: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """The cell that was found, written as TensorFlow's NASCell states it."""
    i = cell.from_input(x).chunk(8, -1)
    m = cell.from_output(output).chunk(8, -1)
    leaves = [i[k] * m[k] if k == 3 else i[k] + m[k] for k in range(8)]
    ends = (torch.sigmoid, torch.relu, torch.sigmoid, torch.relu, torch.tanh, torch.sigmoid, torch.tanh, torch.sigmoid)
    a = [end(leaf) for end, leaf in zip(ends, leaves, strict=True)]
    b = (a[0] * a[1]).tanh(), (a[2] + a[3]).tanh(), (a[4] * a[5]).tanh(), (a[6] + a[7]).sigmoid()
    new_memory = (b[0] + memory).tanh() * b[1]
    return (new_memory * (b[2] + b[3]).tanh()).tanh(), new_memory


def test_the_suite_of_spaces(space: SearchSpace) -> None:
    """Every sample builds, reads words, survives JSON and moves by one decision."""
    check_space(space, WORDS, samples=6)


def test_how_many_there_are(space: SearchSpace) -> None:
    """15 nodes and an entrance of eight kinds, at one of 15 nodes, and a reading of one of 15: 6·10¹⁶ in the paper."""
    assert 8**16 * 15**2 == int(space.size)
    assert zoph_rnn.NAS_CELL in space


def test_the_cell_that_was_found(space: SearchSpace) -> None:
    """Computes what it does elsewhere: the same output and memory from the same weights."""
    cell = space.build(zoph_rnn.NAS_CELL).cells[0]
    step = [torch.randn(3, 6) for _ in range(3)]
    for expected, found in zip(by_hand(cell, *step), cell(*step), strict=True):
        torch.testing.assert_close(expected, found)


def test_parameters_by_hand() -> None:
    """Of two layers of 650: the words, sixteen square maps a layer, and the bias of the output."""
    with torch.device("meta"):
        network = zoph_rnn.space().build(zoph_rnn.NAS_CELL)
    expected = 10_000 * 650 + 2 * 16 * 650**2 + 10_000
    assert expected == sum(parameter.numel() for parameter in network.parameters())


def test_it_learns_and_carries_its_state(space: SearchSpace) -> None:
    """All parameters have gradients, and two halves of a text with the state between are the whole."""
    network = space.build(zoph_rnn.NAS_CELL)
    whole = network(WORDS)
    whole.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    first, state = network.run(WORDS[:, :2])
    torch.testing.assert_close(whole, torch.cat([first, network(WORDS[:, 2:], state)], 1))


def test_it_is_written_out_and_shared(space: SearchSpace) -> None:
    """As plain source, and from a supernet with the same outputs."""
    supernet = Supernet(space).eval()
    network = supernet.extract(zoph_rnn.NAS_CELL)
    assert torch.equal(network(WORDS), supernet.at(zoph_rnn.NAS_CELL)(WORDS))
    assert "class Network" in write_source(network, WORDS)
