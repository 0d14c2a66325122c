"""The cells of NASNet, AmoebaNet and PNASNet: as many as published, networks with the published parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from netwright.costs import measure
from netwright.errors import ArchitectureError, InputError, SpaceError
from netwright.graphs.source import write_source
from netwright.space import SearchSpace
from netwright.supernet import Supernet
from netwright.testing import check_space
from netwright.zoo import SPACES
from netwright.zoo.amoebanet import AMOEBANET_A
from netwright.zoo.nasnet import NASNET_A, architecture_of
from netwright.zoo.pnas import PNASNET_5

SMALL: dict[str, Any] = {"input_shape": (1, 8, 8), "classes": 10, "channels": 4, "cells": 3}
KNOWN = {"nasnet": NASNET_A, "amoebanet": AMOEBANET_A, "pnas": PNASNET_5}
LARGE: dict[str, Any] = {"classes": 1000, "stem": "imagenet", "stem_channels": 96}
PAIRS = 720**2
"""Ways in which five blocks take two states each: the product of the squares of 2 to 6."""


@pytest.fixture(scope="module", params=KNOWN)
def name(request: pytest.FixtureRequest) -> str:
    """Each of the three."""
    return str(request.param)


@pytest.fixture(scope="module")
def space(name: str) -> SearchSpace:
    """It for digits."""
    return SPACES[name].space(**SMALL)


def test_the_suite_of_spaces(space: SearchSpace) -> None:
    """Every sample builds, runs on digits, survives JSON and moves by one decision."""
    check_space(space, samples=4)


def test_the_published_sizes(name: str, space: SearchSpace) -> None:
    """States, operations, and in NASNet whether a block adds or joins; two cells, in PNASNet one."""
    sizes = {"nasnet": (PAIRS * 13**10 * 2**5) ** 2, "amoebanet": (PAIRS * 8**10) ** 2, "pnas": PAIRS * 8**10}
    assert sizes[name] == int(space.size)


def test_known_architectures_learn(name: str, space: SearchSpace) -> None:
    """They are in their space, and every parameter of theirs has a gradient; odd sides are filled up."""
    assert KNOWN[name] in space
    network = SPACES[name].space(**{**SMALL, "input_shape": (1, 9, 9)}).build(KNOWN[name])
    network(torch.randn(2, 1, 9, 9)).sum().backward()
    # The last cell of one of them makes states that nothing after it takes.
    assert all(parameter.grad is not None for parameter in network.cells[0].parameters())


def test_networks_are_written_out(name: str, space: SearchSpace) -> None:
    """As plain source."""
    assert "class Network" in write_source(space.build(KNOWN[name]).eval(), torch.zeros(2, 1, 8, 8))


@pytest.mark.parametrize(
    ("name", "params"),
    [
        pytest.param("nasnet", 3_346_538, marks=pytest.mark.slow),
        pytest.param("amoebanet", 3_155_518, marks=pytest.mark.slow),
        ("pnas", 3_189_082),
    ],
)
def test_parameters_on_cifar(name: str, params: int) -> None:
    """3.3, 3.2 and 3.2 M in the papers."""
    assert params == measure(SPACES[name].space(), KNOWN[name], (3, 32, 32), ["params"])["params"]


@pytest.mark.parametrize(
    ("name", "side", "arguments", "params", "macs"),
    [
        ("nasnet", 224, {"channels": 44, "cells": 12, "stem_channels": 32}, 5_289_978, 564e6),
        pytest.param("pnas", 331, {"channels": 216, "cells": 12}, 86_057_668, 25.0e9, marks=pytest.mark.slow),
    ],
)
def test_parameters_on_imagenet(name: str, side: int, arguments: dict[str, Any], params: int, macs: float) -> None:
    """NASNet-A 4@1056 and PNASNet-5 as other programs count them, and the multiply-adds of the papers."""
    shape = (3, side, side)
    costs = measure(
        SPACES[name].space(**{**LARGE, **arguments, "input_shape": shape}), KNOWN[name], shape, ["params", "macs"]
    )
    assert params == costs["params"]
    assert macs == pytest.approx(costs["macs"], rel=0.003)


@pytest.mark.slow
def test_the_large_nasnet() -> None:
    """88,753,150 parameters in 6@4032, as other programs count them."""
    arguments = {**LARGE, "channels": 168, "cells": 18, "skip_reduced": True, "input_shape": (3, 331, 331)}
    with torch.device("meta"):
        network = SPACES["nasnet"].space(**arguments).build(NASNET_A)
    assert 88_753_150 == sum(parameter.numel() for parameter in network.parameters())
    # The stem, its two cells, six normal cells and a reduction cell; the next leaves out two cells, not one.
    assert (7, 9) == network.sources[9]


@pytest.mark.parametrize("name", ["nasnet", "amoebanet"])
def test_loose_states_cannot_be_shared(name: str) -> None:
    """A supernet says so, and shares them where all blocks are joined."""
    with pytest.raises(SpaceError, match=r"block2\.left' picks was looked at in the constructor"):
        Supernet(SPACES[name].space(**SMALL))
    space = SPACES[name].space(**SMALL, join="all")
    network = Supernet(space).extract(space.sample(np.random.default_rng(0)))
    assert (2, 10) == network(torch.zeros(2, 1, 8, 8)).shape


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("sep_conv_9x9", 0, "identity", 1), "no operation 'sep_conv_9x9' .at block 2 of the cell cell"),
        (("identity", 2, "identity", 1), "block 2 of the cell cell takes states 0 to 1, found 2"),
    ],
)
def test_blocks_that_are_none(change: Any, message: str) -> None:
    """Say what is wrong with them."""
    good = ("identity", 0, "identity", 1)
    with pytest.raises(ArchitectureError, match=message):
        architecture_of({"cell": [change, *[good] * 4]})
    with pytest.raises(ArchitectureError, match="the cell cell has 5 blocks, found 4"):
        architecture_of({"cell": [good] * 4})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stem": "mnist"}, "the stem is 'cifar' or 'imagenet', found 'mnist'"),
        ({"cells": 2}, "at least three cells, found 2"),
        ({"stem": "imagenet", "channels": 6}, "a quarter of the channels, found 6"),
        ({"join": "some"}, "its 'loose' states or 'all' blocks, found 'some'"),
    ],
)
def test_arguments_that_make_no_network(arguments: dict[str, Any], message: str) -> None:
    """Say what is wrong with them."""
    with pytest.raises(InputError, match=message):
        SPACES["nasnet"].space(**{**SMALL, **arguments})
