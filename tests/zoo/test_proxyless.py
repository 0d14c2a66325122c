"""The networks of ProxylessNAS: their number, and the published parameters and multiply-adds."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from netwright.costs import measure
from netwright.errors import InputError
from netwright.graphs.source import write_source
from netwright.supernet import Supernet
from netwright.testing import check_space
from netwright.zoo import proxyless

SMALL: dict[str, Any] = {
    "input_shape": (1, 8, 8), "classes": 10, "widths": (8, 4, 4, 8, 8, 8, 12, 12, 16), "blocks": 2,
}  # fmt: skip


def test_the_suite_of_spaces() -> None:
    """Every sample builds, runs on digits, survives JSON and moves by one decision."""
    check_space(proxyless.space(**SMALL), samples=4)


def test_the_number_of_architectures() -> None:
    """Six blocks change the shape and choose one of six, the other fifteen may be left out."""
    assert 6**6 * 7**15 == int(proxyless.space().size)


@pytest.mark.parametrize(
    ("one", "widths", "params", "macs"),
    [
        (proxyless.PROXYLESS_MOBILE, proxyless.MOBILE_WIDTHS, 4_080_512, 320_427_584),
        (proxyless.PROXYLESS_GPU, proxyless.GPU_WIDTHS, 7_119_848, 465_260_160),
        (proxyless.PROXYLESS_CPU, proxyless.CPU_WIDTHS, 4_361_648, 439_243_864),
    ],
)
def test_costs_of_the_published_networks(one: Any, widths: tuple[int, ...], params: int, macs: int) -> None:
    """Parameters are those that osmr/imgclsmob counts on the authors' networks; the phone's has 320 M multiply-adds."""
    costs = measure(proxyless.space(widths=widths), one, (3, 224, 224), ["params", "macs"])
    assert (params, macs) == (costs["params"], costs["macs"])


def test_starts_are_in_the_space() -> None:
    """All three published networks."""
    assert all(one in proxyless.space() for one in proxyless.PROXYLESS_STARTS)


def test_a_network_learns_and_is_written_out() -> None:
    """Every parameter has a gradient, and the network is plain source."""
    space = proxyless.space(**{**SMALL, "blocks": 4})
    network = space.build(proxyless.PROXYLESS_MOBILE)
    network(torch.randn(2, 1, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert "class Network" in write_source(network.eval(), torch.zeros(2, 1, 8, 8))


def test_a_supernet_holds_the_space() -> None:
    """What is extracted gives what the supernet gives."""
    space = proxyless.space(**{**SMALL, "blocks": 4})
    supernet = Supernet(space).eval()
    x = torch.randn(2, 1, 8, 8)
    one = proxyless.PROXYLESS_MOBILE
    assert torch.equal(supernet.at(one)(x), supernet.extract(one)(x))


def test_widths_that_are_not_nine() -> None:
    """Are refused with what they stand for."""
    with pytest.raises(InputError, match="widths are 9 numbers of channels, found 2"):
        proxyless.space(widths=(8, 16))
