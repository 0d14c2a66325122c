"""Once-for-all's elastic MobileNetV3: its size, its largest and smallest networks, and its supernet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from netwright.costs import measure
from netwright.graphs.source import write_source
from netwright.supernet import Supernet
from netwright.testing import check_space
from netwright.zoo import ofa

DIGITS: dict[str, Any] = {"input_shape": (1, 8, 8), "classes": 10, "widths": (0.1,)}


def test_the_suite_of_spaces() -> None:
    """Every sample builds, runs on digits, survives JSON and moves by one decision."""
    check_space(ofa.space(**DIGITS, depths=(1, 2)), samples=4)


def test_there_are_two_times_ten_to_the_nineteen() -> None:
    """As the paper counts them."""
    assert (9**2 + 9**3 + 9**4) ** 5 == int(ofa.space().size)


@pytest.mark.parametrize(
    ("one", "width", "params", "macs"),
    [
        (ofa.OFA_LARGEST, 1.0, 7_664_760, 566_170_656),
        (ofa.OFA_SMALLEST, 1.0, 3_410_792, 121_278_672),
        (ofa.OFA_LARGEST, 1.2, 10_701_632, 843_101_040),
    ],
)
def test_costs_of_the_ends(one: Any, width: float, params: int, macs: int) -> None:
    """Kept, so that no change of the network goes unseen; the authors print none that was found."""
    costs = measure(ofa.space(widths=(width,)), one, (3, 224, 224), ["params", "macs"])
    assert (params, macs) == (costs["params"], costs["macs"])


def test_parameters_of_a_block_by_hand() -> None:
    """The first block of the second stage, kernel 5 and expansion 4: widening, depthwise, squeezing, narrowing."""
    network = ofa.space().build({**ofa.OFA_LARGEST, "stage2.block0.kernel": 5, "stage2.block0.expansion": 4})
    block = network.body[3][0]
    convolutions = 24 * 96 + 25 * 96 + 96 * 40
    norms = 2 * (96 + 96 + 40)
    squeezing = 96 * 24 + 24 + 24 * 96 + 96
    assert convolutions + norms + squeezing == sum(parameter.numel() for parameter in block.parameters())


def test_a_network_learns_and_is_written_out() -> None:
    """Every parameter has a gradient, and the network is plain source."""
    network = ofa.space(**DIGITS).build(ofa.OFA_SMALLEST)
    network(torch.randn(2, 1, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert "class Network" in write_source(network.eval(), torch.zeros(2, 1, 8, 8))


def test_a_supernet_shares_kernels_expansions_depths_and_widths() -> None:
    """By slices: what is extracted gives what the supernet gives."""
    space = ofa.space(**{**DIGITS, "widths": (0.1, 0.5)}, depths=(1, 2), kernels=(3, 5), expansions=(3, 4))
    supernet = Supernet(space).eval()
    x = torch.randn(2, 1, 8, 8)
    for seed in range(4):
        one = space.sample(np.random.default_rng(seed))
        assert torch.equal(supernet.at(one)(x), supernet.extract(one)(x))
