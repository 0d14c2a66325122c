"""The pinned baselines are what their names say, and made of torch alone."""

import pytest
import torch
from torch import nn

from netwright.errors import InputError
from netwright.training import Recipe
from netwright.zoo.baselines import BASELINES, baseline


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [("digits", (1, 8, 8), 19_258), ("images", (1, 28, 28), 157_330), ("tables", (13,), 19_594)],
)
def test_the_parameters_are_pinned(name, shape, parameters):
    """Counted by hand from the layers: a baseline that moves would make every verdict void."""
    network = baseline(name).build(shape, 10)
    assert parameters == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("name", "shape"), [("digits", (3, 8, 8)), ("images", (1, 2, 5)), ("tables", (4,))])
def test_inputs_of_any_size_are_taken(name, shape):
    """Also pictures so small that a pooling would leave nothing."""
    assert (3, 7) == baseline(name).build(shape, 7)(torch.zeros(3, *shape)).shape


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_the_recipe_is_a_recipe(name):
    """The fields that go with a baseline make a Recipe with one-cycle."""
    assert "one_cycle" == Recipe(**baseline(name).recipe).schedule


def test_convolutions_have_no_bias():
    """BatchNorm follows each of them."""
    network = baseline("images").build((1, 28, 28), 10)
    assert [None] * 5 == [module.bias for module in network.modules() if isinstance(module, nn.Conv2d)]


def test_an_unknown_baseline_names_the_closest():
    """A typo is answered with what was meant."""
    with pytest.raises(InputError, match=r"no baseline is called 'digit'.*Did you mean 'digits'"):
        baseline("digit")
