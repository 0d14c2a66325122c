"""The spaces of ENAS: as many as published, and the authors' cells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from netwright.errors import ArchitectureError, InputError
from netwright.graphs.source import write_source
from netwright.testing import check_space
from netwright.zoo import enas

SMALL: dict[str, Any] = {"input_shape": (1, 8, 8), "classes": 10, "channels": 4}
DIGITS = torch.randn(2, 1, 8, 8)


def test_the_suite_of_spaces() -> None:
    """Every sample builds, runs on digits, survives JSON and moves by one decision."""
    check_space(enas.macro_space(**SMALL, layers=4), samples=5)
    check_space(enas.micro_space(**SMALL, cells=3), samples=5)


def test_how_many_there_are() -> None:
    """1.6·10²⁹ networks, as published; cells with both sides of each node counted."""
    assert 6**12 * 2**66 == int(enas.macro_space(**SMALL).size)
    assert (math.factorial(6) * 5**5) ** 4 == int(enas.micro_space(**SMALL, cells=3).size)


def test_parameters_of_the_authors_architectures() -> None:
    """As their scripts describe them; the paper's 4.6 M are the same cells in 18 normal ones."""
    with torch.device("meta"):
        micro, more = (enas.micro_space(cells=cells).build(enas.ENAS_MICRO) for cells in (15, 18))
        macro = enas.macro_space(layers=24, channels=96, dense=True).build(enas.ENAS_MACRO)
    sizes = [sum(parameter.numel() for parameter in network.parameters()) for network in (micro, more, macro)]
    assert [3_894_372, 4_587_372, 42_559_392] == sizes


def test_the_parameters_of_the_macro_network_term_by_term() -> None:
    """Layer by layer as the authors' program makes its variables for a fixed network; and what the paper's would be."""

    def counted(channels: int, dense: bool, one_joins: bool) -> int:
        total = 9 * 3 * channels + 2 * channels
        for layer in range(24):
            operation, square = enas.ENAS_MACRO[f"layer{layer}.operation"], channels * channels
            taken = 1 + sum(enas.ENAS_MACRO[f"layer{layer}.skip{source}"] == "take" for source in range(layer))
            pixels = int(operation[-1]) ** 2
            plain = dense or not operation.startswith("sep")
            total += square + (pixels * square if plain else pixels * channels + square) + 4 * channels
            total += ((1 if one_joins else taken) * square + 2 * channels) if layer else 0
            if layer in (7, 15):
                total += (layer + 2) * (2 * square + 4 * channels)
                channels *= 2
        return total + 10 * channels

    assert 42_559_392 == counted(96, True, False)
    assert [21.3, 37.9] == [round(counted(channels, False, True) / 1e6, 1) for channels in (96, 128)]


def test_a_macro_network_by_hand() -> None:
    """Of three layers without and with one skip, which costs a 1×1 convolution; the first two halve."""
    sizes = []
    for text in ("0 0 0 4 0 0", "0 0 1 4 0 0"):
        with torch.device("meta"):
            network = enas.macro_space(**SMALL, layers=3).build(enas.macro_from_text(text))
        sizes.append(sum(parameter.numel() for parameter in network.parameters()))
    stem = 9 * 4 + 8
    first = (16 + 8) + (9 * 16 + 8)
    halved = 2 * (4 * 8 + 16)
    second = (64 + 16) + (9 * 64 + 16) + (64 + 16)
    again = 3 * (8 * 16 + 32)
    third = (256 + 32) + (256 + 32)
    assert [stem + first + halved + second + again + third + 160 + extra for extra in (0, 64)] == sizes


def test_plain_convolutions_of_the_final_network() -> None:
    """With ``dense`` a separable operation costs as much as a plain one."""
    space = enas.macro_space(**SMALL, layers=3, dense=True)
    networks = [space.build(enas.macro_from_text(text)) for text in ("0 0 0 0 0 0", "1 1 0 1 0 0")]
    assert 1 == len({sum(parameter.numel() for parameter in network.parameters()) for network in networks})


@pytest.mark.parametrize("space", [enas.macro_space(**SMALL, layers=4), enas.micro_space(**SMALL, cells=3)])
def test_they_learn_and_are_written_out(space: Any) -> None:
    """A step backward reaches the stem, and the network is plain source."""
    network = space.build(space.sample(np.random.default_rng(0)))
    network(DIGITS).square().sum().backward()
    assert 0 < network.stem[0].weight.grad.abs().sum()
    assert "class Network" in write_source(network.eval(), DIGITS)


def test_joining_all_nodes_keeps_the_width() -> None:
    """With ``join="all"`` the head has five states whatever is taken."""
    space = enas.micro_space(**SMALL, cells=3, join="all")
    rng = np.random.default_rng(0)
    assert {5 * 16} == {space.build(space.sample(rng)).head.in_features for _ in range(4)}


@pytest.mark.parametrize(
    ("text", "message"),
    [("0 6", "layer 1 is an operation of 0 to 5"), ("0 1 2", "layer 1 .* found 1 2"), ("x", "numbers with spaces")],
)
def test_a_text_that_is_no_network(text: str, message: str) -> None:
    """Says what is wrong with it."""
    with pytest.raises(ArchitectureError, match=message):
        enas.macro_from_text(text)
    with pytest.raises(ArchitectureError, match="two cells are 40 numbers, found 3"):
        enas.micro_from_text("0 1 2")
    with pytest.raises(ArchitectureError, match="takes a state of 0 to 1 and an operation of 0 to 4, found 2 and 0"):
        enas.micro_from_text("2 0 " * 20)


def test_arguments_that_make_no_network() -> None:
    """Say what is wrong with them."""
    with pytest.raises(InputError, match="at least three layers, found 2"):
        enas.ENASMacro(layers=2)
    with pytest.raises(InputError, match="'loose' states or 'all' nodes, found 'some'"):
        enas.micro_space(join="some")
    with pytest.raises(InputError, match="at least one normal cell, found 0"):
        enas.micro_space(cells=0)
