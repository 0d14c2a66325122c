"""The cells of the table digits-cells: which of them are one function."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from netwright.architecture import Architecture
from netwright.space import SearchSpace
from netwright.testing import check_space
from netwright.zoo import SPACES, digits_cells, nasbench201
from netwright.zoo.cell import EDGES
from netwright.zoo.digits_cells import DIGITS_CELLS_STARTS, DigitsCells, function_of


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    """The space for digits."""
    return SPACES["digits-cells"].space(input_shape=(1, 8, 8), classes=10)


def output(cells: SearchSpace, architecture: Architecture) -> torch.Tensor:
    """What a cell makes of a batch in training, all its convolutions with the same weights."""
    cell = cells.build(architecture)
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(4, 4, 3, 3, generator=generator)
    for module in cell.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data.copy_(weight)
    result: torch.Tensor = cell(torch.randn(3, 4, 6, 6, generator=generator)).detach()
    return result


def test_the_space_keeps_its_promises(space: SearchSpace) -> None:
    """Like every space; so does what it is started from."""
    check_space(space, samples=10)
    assert all(start in space for start in DIGITS_CELLS_STARTS)


def test_there_are_4096_cells_of_871_functions(space: SearchSpace) -> None:
    """Four operations on six edges."""
    assert 4**6 == space.size
    assert 871 == len({function_of(cell) for cell in space.enumerate()})


def test_cells_of_one_function_compute_the_same(space: SearchSpace) -> None:
    """Whatever its edges are, whatever leads nowhere, and also where a convolution is fed with nothing."""
    cells = SearchSpace(lambda: digits_cells.cell(4))
    groups: dict[str, list[Architecture]] = {}
    for architecture in space.enumerate():
        groups.setdefault(function_of(architecture), []).append(architecture)
    rng = np.random.default_rng(0)
    large = [group for group in groups.values() if len(group) > 1]
    for place in rng.choice(len(large), 25, replace=False):
        first, *others = large[place]
        other = others[int(rng.integers(len(others)))]
        torch.testing.assert_close(output(cells, first), output(cells, other), rtol=1e-4, atol=1e-5)


def test_other_functions_compute_something_else() -> None:
    """An edge more, an edge's other operation, another order of operations."""
    cells = SearchSpace(lambda: digits_cells.cell(4))
    nothing = dict.fromkeys(EDGES, "none")
    path = {**nothing, "edge_01": "nor_conv_3x3", "edge_13": "avg_pool_3x3"}
    kinds = [
        path,
        {**path, "edge_03": "skip_connect"},
        {**path, "edge_13": "nor_conv_3x3"},
        {**path, "edge_01": "avg_pool_3x3", "edge_13": "nor_conv_3x3"},
        nothing,
    ]
    assert len(kinds) == len({function_of(Architecture(kind)) for kind in kinds})
    results = [output(cells, Architecture(kind)) for kind in kinds]
    assert not any(torch.allclose(a, b, atol=1e-2) for i, a in enumerate(results) for b in results[:i])


def test_isomorphic_in_nasbench201_is_one_function_here(space: SearchSpace) -> None:
    """Its text keeps sums with nothing apart, ours does not: equal there is equal here."""
    found: dict[str, str] = {}
    for cell in space.enumerate():
        assert function_of(cell) == found.setdefault(nasbench201.function_of(cell), function_of(cell))
    assert len(found) > 871


def test_parameters_are_counted_by_hand(space: SearchSpace) -> None:
    """Two cells: each 3×3 convolution of 8 channels stands in both; the rest is 194."""
    for name, expected in (("none", 194), ("skip_connect", 194), ("nor_conv_3x3", 194 + 2 * 6 * 576)):
        network = space.build(dict.fromkeys(EDGES, name))
        assert expected == sum(parameter.numel() for parameter in network.parameters())


def test_other_pictures_are_taken_too() -> None:
    """Any number of channels, any size from 2×2 on."""
    made = SearchSpace(DigitsCells, input_shape=(3, 2, 5), classes=4)
    assert (6, 4) == made.build(dict.fromkeys(EDGES, "nor_conv_3x3"))(torch.zeros(6, 3, 2, 5)).shape
