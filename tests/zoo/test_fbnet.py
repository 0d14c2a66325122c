"""The networks of FBNet: their number, and the published parameters and multiply-adds."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from netwright.costs import measure
from netwright.errors import InputError
from netwright.graphs.source import write_source
from netwright.supernet import Supernet
from netwright.testing import check_space
from netwright.zoo import fbnet

SMALL: dict[str, Any] = {"input_shape": (1, 8, 8), "classes": 10, "widths": (4, 4, 4, 6, 6, 8, 8, 12), "features": 16}


def test_the_suite_of_spaces() -> None:
    """Every sample builds, runs on digits, survives JSON and moves by one decision."""
    check_space(fbnet.space(**SMALL, layers=2), samples=4)


def test_the_number_of_architectures() -> None:
    """22 layers of nine kinds, 10²¹ in the paper."""
    assert 9**22 == int(fbnet.space().size)


@pytest.mark.parametrize(
    ("one", "features", "params", "macs"),
    [
        (fbnet.FBNET_A, fbnet.FEATURES_A, 4_321_464, 249_921_848),
        (fbnet.FBNET_B, fbnet.FEATURES, 4_863_288, 306_210_888),
        (fbnet.FBNET_C, fbnet.FEATURES, 5_572_200, 384_960_160),
    ],
)
def test_costs_of_the_published_networks(one: Any, features: int, params: int, macs: int) -> None:
    """FBNet-A has 4.3 M and 249.4 M in the authors' README, FBNet-C 5,572,200 parameters in timm and osmr/imgclsmob."""
    costs = measure(fbnet.space(features=features), one, (3, 224, 224), ["params", "macs"])
    assert (params, macs) == (costs["params"], costs["macs"])


def test_a_network_learns_and_is_written_out() -> None:
    """Every parameter has a gradient, and the network is plain source; with groups and with skips."""
    network = fbnet.space(**SMALL).build(fbnet.FBNET_A)
    network(torch.randn(2, 1, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert "class Network" in write_source(network.eval(), torch.zeros(2, 1, 8, 8))


def test_a_supernet_holds_the_space() -> None:
    """What is extracted gives what the supernet gives."""
    supernet = Supernet(fbnet.space(**SMALL)).eval()
    x = torch.randn(2, 1, 8, 8)
    for one in fbnet.FBNET_STARTS:
        assert torch.equal(supernet.at(one)(x), supernet.extract(one)(x))


@pytest.mark.parametrize("widths", [(8, 16), (4, 4, 5, 6, 6, 8, 8, 12)])
def test_widths_that_are_none(widths: tuple[int, ...]) -> None:
    """Too few, and one that cannot be split into two groups."""
    with pytest.raises(InputError, match="widths are 8 even numbers of channels, found"):
        fbnet.space(widths=widths)
