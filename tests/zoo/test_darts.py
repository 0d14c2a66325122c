"""The cells of DARTS: as many as published, and networks with the published parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from netwright.costs import measure
from netwright.errors import ArchitectureError, InputError
from netwright.graphs.source import write_source
from netwright.testing import check_space
from netwright.zoo import darts

SMALL: dict[str, Any] = {"input_shape": (1, 8, 8), "classes": 10, "channels": 4, "cells": 3}
LARGE: dict[str, Any] = {
    "input_shape": (3, 224, 224), "classes": 1000, "channels": 48, "cells": 14, "stem": "imagenet",
}  # fmt: skip


def test_the_suite_of_spaces() -> None:
    """Every sample builds, runs on digits, survives JSON and moves by one decision."""
    check_space(darts.space(**SMALL), samples=6)


def test_there_are_ten_to_the_eighteen() -> None:
    """Two cells of 180 ways to connect four nodes and seven operations on eight connections."""
    assert (180 * 7**8) ** 2 == int(darts.space(**SMALL).size)


def test_parameters_of_the_published_cells() -> None:
    """20 cells of 36 channels on CIFAR-10: 3,349,342 as the authors' program counts them, 3.3 M in the paper."""
    space = darts.space()
    assert 3_349_342 == measure(space, darts.DARTS_V2, (3, 32, 32), ["params"])["params"]
    assert 3_169_414 == measure(space, darts.DARTS_V1, (3, 32, 32), ["params"])["params"]


def test_parameters_on_imagenet() -> None:
    """14 cells of 48 channels: 4.7 M in the paper."""
    costs = measure(darts.space(**LARGE), darts.DARTS_V2, (3, 224, 224), ["params", "macs"])
    assert (4_718_752, 529_911_552) == (costs["params"], costs["macs"])


@pytest.mark.parametrize("side", [8, 9])
def test_networks_learn_on_even_and_odd_sides(side: int) -> None:
    """Every parameter has a gradient, of both published cells; odd resolutions are filled up."""
    space = darts.space(**{**SMALL, "input_shape": (1, side, side)})
    for one in darts.DARTS_STARTS:
        network = space.build(one)
        network(torch.randn(2, 1, side, side)).sum().backward()
        assert all(parameter.grad is not None for parameter in network.parameters())


def test_networks_are_written_out() -> None:
    """As plain source, by name and layer."""
    network = darts.space(**SMALL).build(darts.DARTS_V2).eval()
    assert "class Network" in write_source(network, torch.zeros(2, 1, 8, 8))


def test_the_auxiliary_head_is_for_training() -> None:
    """A pair in training, one output otherwise."""
    space = darts.space(**{**SMALL, "input_shape": (1, 32, 32), "auxiliary": True})
    network = space.build(darts.DARTS_V2)
    assert [(2, 10), (2, 10)] == [tuple(each.shape) for each in network(torch.zeros(2, 1, 32, 32))]
    assert (2, 10) == network.eval()(torch.zeros(2, 1, 32, 32)).shape


def test_genotypes_go_there_and_back() -> None:
    """What the authors print is an architecture, and an architecture is printed so."""
    for one in darts.DARTS_STARTS:
        assert one == darts.from_genotype(*darts.to_genotype(one))
        assert one in darts.space(**SMALL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("sep_conv_7x7", 0), "no operation 'sep_conv_7x7'.*Did you mean 'sep_conv_"),
        (("sep_conv_3x3", 1), "node 2 of the normal cell takes two different states of 0 to 1, found 1, 1"),
        (("sep_conv_3x3", 2), "node 2 of the normal cell takes two different states of 0 to 1, found 2, 1"),
    ],
)
def test_a_genotype_that_is_none(change: tuple[str, int], message: str) -> None:
    """Says what is wrong with it."""
    normal, reduction = darts.to_genotype(darts.DARTS_V2)
    with pytest.raises(ArchitectureError, match=message):
        darts.from_genotype([change, *normal[1:]], reduction)
    with pytest.raises(ArchitectureError, match="the normal cell has 8 operations, found 7"):
        darts.from_genotype(normal[1:], reduction)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cells": 0}, "at least one cell, found 0"),
        ({"stem": "mnist"}, "the stem is 'cifar' or 'imagenet', found 'mnist'"),
    ],
)
def test_arguments_that_make_no_network(arguments: dict[str, Any], message: str) -> None:
    """Say what is wrong with them."""
    with pytest.raises(InputError, match=message):
        darts.space(**{**SMALL, "cells": 1, **arguments})
