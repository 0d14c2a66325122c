"""A larger network with the same answers."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.costs import measure
from netwright.errors import ArchitectureError, SpaceError
from netwright.space import SearchSpace
from netwright.zoo import darts, enas, nasbench201, nasnet
from netwright.zoo.digits_cells import DigitsCells


def test_a_cell_found_small_is_deployed_at_the_published_size():
    """Searched with 3 cells of 4 channels, scaled to 20 of 36: the published number of parameters on CIFAR-10."""
    small = darts.space(input_shape=(1, 8, 8), classes=10, channels=4, cells=3)
    large = small.scaled(input_shape=(3, 32, 32), channels=36, cells=20)
    assert 3_349_342 == measure(large, darts.DARTS_V2, (3, 32, 32), ["params"])["params"]


@pytest.mark.parametrize("make", [darts.space, nasnet.space, enas.micro_space, nasbench201.space])
def test_spaces_of_cells_scale(make):
    """More cells and channels have more weights, and every answer stays."""
    space = make(input_shape=(1, 8, 8), classes=10, channels=4, cells=3)
    architecture = space.sample(np.random.default_rng(0))
    count = [sum(p.numel() for p in network.parameters()) for network in (
        space.build(architecture), space.scale(architecture, cells=6, channels=8))]  # fmt: skip
    assert architecture in space.scaled(cells=6, channels=8)
    assert count[1] > 2 * count[0]


def test_the_cell_of_the_digits_scales():
    """Its own size by default, which a table was trained with; larger on request."""
    space = SearchSpace(DigitsCells, input_shape=(1, 8, 8), classes=10)
    architecture = space.sample(np.random.default_rng(0))
    network = space.scale(architecture, cells=3, channels=16)
    assert 6 == sum(1 for module in network.modules() if type(module).__name__ == "Cell")


def test_an_argument_that_the_network_does_not_take():
    """Named, with the network."""
    space = SearchSpace(DigitsCells, input_shape=(1, 8, 8), classes=10)
    with pytest.raises(SpaceError, match="DigitsCells does not know the argument 'layers'"):
        space.scale(space.sample(np.random.default_rng(0)), layers=3)


def test_a_size_on_which_decisions_depend():
    """ENAS's whole networks ask about each layer: more layers are other decisions, and the first is named."""
    space = enas.macro_space(input_shape=(1, 8, 8), classes=10, channels=4, layers=3)
    with pytest.raises(ArchitectureError, match=r"with layers=6 asks for other decisions than these answers.*layer"):
        space.scale(space.sample(np.random.default_rng(0)), layers=6)
