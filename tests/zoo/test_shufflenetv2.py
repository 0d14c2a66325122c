"""The network of SPOS: the size of its space, and the published parameters and multiply-adds."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from netwright.costs import measure
from netwright.errors import InputError
from netwright.graphs.source import write_source
from netwright.supernet import Supernet
from netwright.testing import check_space
from netwright.zoo import shufflenetv2

SMALL: dict[str, Any] = {"input_shape": (1, 8, 8), "classes": 10, "widths": (4, 6, 8, 12, 16, 20)}


def test_the_suite_of_spaces() -> None:
    """Every sample builds, runs on digits, survives JSON and moves by one decision."""
    check_space(shufflenetv2.space(**SMALL, blocks=2), samples=4)


def test_the_number_of_architectures() -> None:
    """Twenty blocks of four kinds."""
    assert 4**20 == int(shufflenetv2.space().size)


def test_costs_of_the_published_network() -> None:
    """3.5 M parameters and 323 M multiply-adds in the authors' README."""
    costs = measure(shufflenetv2.space(), shufflenetv2.SPOS, (3, 224, 224), ["params", "macs"])
    assert (3_558_464, 322_918_720) == (costs["params"], costs["macs"])


def test_a_block_of_stride_1_keeps_every_second_channel() -> None:
    """Its first half is the even channels of its input, as they were."""
    block = shufflenetv2.Shuffle(8, 8, 1, 3)
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(x[:, 0::2], block(x)[:, :4])


def test_a_network_learns_and_is_written_out() -> None:
    """Every parameter has a gradient, and the network is plain source."""
    network = shufflenetv2.space(**SMALL).build(shufflenetv2.SPOS)
    network(torch.randn(2, 1, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert "class Network" in write_source(network.eval(), torch.zeros(2, 1, 8, 8))


def test_a_supernet_holds_the_space() -> None:
    """What is extracted gives what the supernet gives."""
    supernet = Supernet(shufflenetv2.space(**SMALL)).eval()
    x = torch.randn(2, 1, 8, 8)
    assert torch.equal(supernet.at(shufflenetv2.SPOS)(x), supernet.extract(shufflenetv2.SPOS)(x))


@pytest.mark.parametrize("widths", [(8, 16), (4, 6, 8, 13, 16, 20), (4, 6, 6, 12, 16, 20)])
def test_widths_that_are_none(widths: tuple[int, ...]) -> None:
    """Too few, an odd one, and one that is no larger than the one before."""
    with pytest.raises(InputError, match="widths are 6 even numbers of channels, the first five ascending, found"):
        shufflenetv2.space(widths=widths)
