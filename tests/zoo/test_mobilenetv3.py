"""The networks of MnasNet and MobileNetV3, with the published parameters and multiply-adds."""

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
from netwright.zoo import mobilenetv3

DIGITS: dict[str, Any] = {"input_shape": (1, 8, 8), "classes": 10, "width": 0.1}
KNOWN = [
    ("mnasnet", mobilenetv3.MNASNET_A1, 3_887_038, 311_579_072),
    ("large", mobilenetv3.MOBILENETV3_LARGE, 5_483_032, 216_589_760),
    ("small", mobilenetv3.MOBILENETV3_SMALL, 2_542_856, 56_510_400),
]


@pytest.mark.parametrize("family", mobilenetv3.FAMILIES)
def test_the_suite_of_spaces(family: str) -> None:
    """Every sample builds, runs on digits, survives JSON and moves by one decision."""
    check_space(mobilenetv3.space(**DIGITS, family=family, most=2), samples=3)


def test_the_number_of_architectures() -> None:
    """Five stages of one to four blocks, each of 3 kernels, 5 expansions, and squeezing or not."""
    assert sum(30**blocks for blocks in (1, 2, 3, 4)) ** 5 == int(mobilenetv3.space().size)


@pytest.mark.parametrize(("family", "one", "params", "macs"), KNOWN)
def test_costs_of_the_published_networks(family: str, one: Any, params: int, macs: int) -> None:
    """Parameters as in timm, of MobileNetV3 as in torchvision too; multiply-adds 312, 219 and 56 M in the papers."""
    costs = measure(mobilenetv3.space(family=family), one, (3, 224, 224), ["params", "macs"])
    assert (params, macs) == (costs["params"], costs["macs"])


@pytest.mark.parametrize(("family", "one", "params", "macs"), KNOWN)
def test_a_network_learns_and_is_written_out(family: str, one: Any, params: int, macs: int) -> None:
    """Every parameter has a gradient, and the network is plain source."""
    network = mobilenetv3.space(**DIGITS, family=family).build(one)
    network(torch.randn(2, 1, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert "class Network" in write_source(network.eval(), torch.zeros(2, 1, 8, 8))


def test_a_supernet_holds_the_space() -> None:
    """What is extracted gives what the supernet gives: kernels and expansions are slices."""
    space = mobilenetv3.space(**DIGITS, family="small", most=1)
    supernet = Supernet(space).eval()
    x = torch.randn(2, 1, 8, 8)
    for seed in range(4):
        one = space.sample(np.random.default_rng(seed))
        assert torch.equal(supernet.at(one)(x), supernet.extract(one)(x))


def test_a_family_that_is_none() -> None:
    """Is refused with the nearest."""
    with pytest.raises(InputError, match=r"there is no family 'larg'.*Did you mean 'large'"):
        mobilenetv3.space(family="larg")
