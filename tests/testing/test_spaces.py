"""The suite of search spaces, on right spaces and on broken ones."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import netwright as nw
from netwright.architecture import Architecture
from netwright.testing import check_space, toy


@pytest.mark.parametrize("name", toy.SPACES)
def test_toy_spaces(name):
    """Every toy space keeps the contract, and its networks run."""
    check_space(toy.SPACES[name](), toy.example())


def test_documented_sizes():
    """The sizes in the docstrings of the toys are counted."""
    sizes = {"flat": 24, "conditional": 168, "shared": 12, "cell": 48, "dials": 4**20, "constrained": 20, "point": 1}
    assert sizes == {name: int(toy.SPACES[name]().size) for name in sizes}


def broken(**methods):
    """The flat toy space with some methods replaced; each gets the space as it is, and the arguments."""

    class Broken(nw.SearchSpace):
        pass

    for name, method in methods.items():
        setattr(Broken, name, method)
    return Broken(toy.Flat)


def two_mutations(space, architecture, rng):
    names = list(architecture)[:2]
    return architecture.replace(
        **{
            name: next(o for d in space.decisions if d.name == name for o in d.options if o != architecture[name])
            for name in names
        }
    )


class _Ours(nn.Module):
    __module__ = "netwright.space.search_space"


def with_ours(space, architecture):
    network = nw.SearchSpace.build(space, architecture)
    network.extra = _Ours()
    return network


@pytest.mark.parametrize(
    ("methods", "sentence"),
    [
        ({"sample": lambda s, rng: nw.SearchSpace.sample(s, np.random.default_rng())}, "the same generator drew other"),
        ({"sample": lambda s, rng: Architecture({"width": 99})}, "a sample is not in the space"),
        ({"mutate": two_mutations}, "a mutation changes exactly one decision, found 2 .width, kernel."),
        ({"mutate": lambda s, a, rng: a}, "exactly one decision, found 0"),
        ({"neighbours": lambda s, a, rng=None: iter([a])}, "a neighbour changes exactly one decision, found 0"),
        ({"crossover": lambda s, a, b, rng: a.replace(width=99)}, "a crossover left the space"),
        ({"encode": lambda s, a: np.array([np.nan])}, "is not 9 finite numbers|finite numbers, one a column"),
        ({"enumerate": lambda s: iter(list(nw.SearchSpace.enumerate(s))[1:])}, "written out it has 23"),
        ({"complete": lambda s, p, rng: s.sample(rng)}, "completing a complete architecture changed it"),
        ({"build": with_ours}, "holds a module of the library at 'extra'"),
    ],
)
def test_a_broken_space_is_caught(methods, sentence):
    """Each broken method is named by what it does wrong."""
    with pytest.raises(AssertionError, match=f"space Flat: .*({sentence})"):
        check_space(broken(**methods))


def test_a_network_that_does_not_run():
    """An architecture whose forward pass fails is named, with the error."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(nw.choose("width", 36, 7), 2)

        def forward(self, x):
            return self.layer(x.flatten(1))

    with pytest.raises(AssertionError, match=r"the network of \[width=7\] does not run: RuntimeError"):
        check_space(nw.SearchSpace(Net), toy.example())


def test_the_example_comes_from_input_shape():
    """Without an example the network is run on a batch of its input shape, from the arguments or their default."""
    seen = []

    class Net(nn.Module):
        def __init__(self, input_shape=(3, 4)):
            super().__init__()
            nw.choose("width", 1, 2)

        def forward(self, x):
            seen.append(tuple(x.shape))
            return x

    check_space(nw.SearchSpace(Net, input_shape=(2, 5)), samples=1)
    check_space(nw.SearchSpace(Net), samples=1)
    assert seen == [(2, 2, 5), (2, 3, 4)]


def test_global_torch_generator_is_given_back():
    """The suite seeds torch to compare weights, and undoes it."""
    before = torch.get_rng_state()
    check_space(toy.SPACES["flat"](), samples=2)
    assert torch.equal(before, torch.get_rng_state())


def test_decisions_stay_frozen():
    """A decision cannot be changed while a suite looks at it."""
    decision = toy.SPACES["flat"]().decisions[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        decision.name = "other"
