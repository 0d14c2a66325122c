"""Candidates that become wider again: what they compute, what optimisers remember, and all channels in the end."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import netwright as nw
from netwright.errors import SpaceError
from netwright.supernet import Supernet
from netwright.supernet.partial_channels import narrow, widen
from netwright.zoo import darts, nasbench201


class Residual(nn.Module):
    """Half the channels by one convolution, half by another, normalised and added to the input."""

    def __init__(self, channels):
        super().__init__()
        self.one, self.two = (nn.Conv2d(channels, channels // 2, 1) for _ in range(2))
        self.norm = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x):
        return x + self.norm(torch.cat([self.one(x), self.two(x)], 1))


KINDS = {
    "plain": lambda: nasbench201.ReLUConvBN(24, 24, 3),
    "separable": lambda: darts.Separable(24, 3, 2),
    "dilated": lambda: darts.Dilated(24, 5, 1),
    "reduce": lambda: darts.FactorizedReduce(24, 24),
    "residual": lambda: Residual(24),
    "grouped": lambda: nn.Sequential(nn.Conv2d(24, 24, 3, padding=1, groups=2), nn.BatchNorm2d(24)),
    "twofold": lambda: nn.Sequential(nn.Conv2d(24, 48, 3, groups=24), nn.Conv2d(48, 24, 1), nn.BatchNorm2d(24)),
    "pool": lambda: nn.MaxPool2d(3, 1, 1),
}


class One(nn.Module):
    """One decision between a candidate of 24 channels and nothing done to them."""

    def __init__(self, kind="plain"):
        super().__init__()
        self.op = nw.one_of("op", it=KINDS[kind], skip=nn.Identity)

    def forward(self, x):
        return self.op(x)


class Linear(nn.Module):
    """The same of layers on features."""

    def __init__(self):
        super().__init__()
        fc = lambda: nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))  # noqa: E731
        self.op = nw.one_of("op", it=fc, skip=nn.Identity)

    def forward(self, x):
        return self.op(x)


def narrowed(network=One, parts=4, later=(2, 1), **arguments):
    supernet = Supernet(nw.SearchSpace(network, **arguments), seed=2).double()
    narrow(supernet, parts, later=later)
    return supernet


def candidate(supernet):
    return supernet.network.op.candidates[0]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(channels, side=9, seed=0):
    return torch.randn(5, channels, side, side, dtype=torch.float64, generator=generator(seed))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (kind, before, after)
        for kind in KINDS
        for before, after in [(4, 2), (4, 1), (6, 3), (6, 4)]
        # Where a convolution makes several channels of one, widths grow by whole factors alone.
        if kind != "twofold" or before % after == 0
    ],
)
def test_copies_of_inputs_give_copies_of_outputs(kind, before, after, training):
    """What net2wider promises: function-preserving, for every kind of candidate and each way to grow."""
    supernet = narrowed(parts=before, later=(after,), kind=kind)
    x, twin = images(24 // before), copy.deepcopy(candidate(supernet)).train(training)
    twin(x)
    candidate(supernet).load_state_dict(twin.state_dict())
    widen(supernet, after, generator())
    copies = torch.arange(24 // after) * after // before
    wide = candidate(supernet).train(training)(x[:, copies])
    torch.testing.assert_close(wide, twin(x)[:, copies])


def test_linear_layers_grow_too():
    """Features are channels."""
    supernet = narrowed(Linear)
    x, twin = torch.randn(3, 2, dtype=torch.float64), copy.deepcopy(candidate(supernet))
    widen(supernet, 1, generator())
    torch.testing.assert_close(candidate(supernet)(x.repeat_interleave(4, 1)), twin(x).repeat_interleave(4, 1))


def test_other_channels_keep_their_scale_up_to_what_norms_take_back():
    """A convolution of twice as many unrelated inputs gives half the variance, and the norm after it the same."""
    supernet = narrowed(later=(2,))
    _, conv, norm = candidate(supernet)
    before = conv(images(6, 40))
    widen(supernet, 2, generator())
    after = conv(images(12, 40, seed=1))
    assert 0.4 < float(after.detach().var() / before.detach().var()) < 0.7
    assert float(norm(after).detach().var()) == pytest.approx(1.0, rel=0.01)


def test_a_weight_is_divided_among_the_copies_of_its_input():
    """Their sum is what it was, and no two of them are equal."""
    supernet = narrowed()
    before = candidate(supernet)[1].weight.detach().clone()
    widen(supernet, 2, generator())
    wide = candidate(supernet)[1].weight.detach()
    assert tuple(wide.shape) == (12, 12, 3, 3)
    torch.testing.assert_close(wide[::2, ::2] + wide[::2, 1::2], before)
    assert (wide[:, ::2] != wide[:, 1::2]).all()


def test_copies_do_not_stay_twins():
    """The hidden copies within a separable convolution learn different things from the first step on."""
    supernet = narrowed(kind="separable")
    widen(supernet, 2, generator())
    layers = candidate(supernet).train()
    layers(images(12)).square().mean().backward()
    hidden = layers[2].weight.grad
    assert not torch.allclose(hidden[::2], hidden[1::2])
    assert (hidden != 0).all()


def test_an_optimiser_remembers_for_each_copy():
    """Momenta grow with the weights, which stay the same objects; the next step goes along them."""
    supernet = narrowed()
    weights = list(supernet.network.parameters())
    optimizer = torch.optim.SGD(weights, 0.1, momentum=0.9)
    candidate(supernet)(images(6)).square().sum().backward()
    optimizer.step()
    conv = candidate(supernet)[1].weight
    before = optimizer.state[conv]["momentum_buffer"].clone()
    widen(supernet, 2, generator(), optimizer)
    assert all(one is other for one, other in zip(weights, supernet.network.parameters(), strict=True))
    copies = torch.arange(12) // 2
    assert torch.equal(optimizer.state[conv]["momentum_buffer"], before[copies][:, copies])
    assert conv.grad is None
    candidate(supernet)(images(12)).square().sum().backward()
    optimizer.step()


def test_all_channels_are_a_supernet_as_any_other():
    """With parts of 1 nothing is around the mixtures, and an architecture can take its weights."""
    supernet = narrowed(kind="separable")
    x, architecture = images(24), nw.Architecture({"op": "it"})
    with pytest.raises(SpaceError, match="no weights for whole architectures"):
        supernet.extract(architecture)
    widen(supernet, 2, generator())
    widen(supernet, 1, generator())
    supernet.eval()
    assert not supernet.narrowed
    assert torch.equal(supernet.extract(architecture)(x), supernet.at(architecture)(x))
    assert torch.equal(supernet.at(architecture)(x), candidate(supernet)(x))
    assert not supernet.network.op._forward_hooks


def test_a_copy_becomes_wider_by_itself():
    """A supernet that was copied has its own layers and hooks."""
    supernet = narrowed()
    twin = copy.deepcopy(supernet)
    widen(twin, 1, generator())
    assert (candidate(supernet)[1].in_channels, candidate(twin)[1].in_channels) == (6, 24)
    x, architecture = images(24), nw.Architecture({"op": "it"})
    assert twin.at(architecture)(x).shape == supernet.at(architecture)(x).shape


def test_what_will_not_fit_later_is_refused_before_anything_is_changed():
    """By the name of the decision: of layers when it is made narrow, of inputs in the first pass."""
    supernet = Supernet(nw.SearchSpace(One, kind="plain"))
    with pytest.raises(SpaceError, match=r"decision 'op' .*24 channels of a Conv2d cannot be divided by 5"):
        narrow(supernet, 6, later=(5,))
    assert candidate(supernet)[1].in_channels == 24
    pools = Supernet(nw.SearchSpace(One, kind="pool"))
    narrow(pools, 4, later=(3,))
    with pytest.raises(SpaceError, match=r"decision 'op' .*8 channels cannot be divided into 3 parts"):
        pools.at({"op": "it"})(torch.zeros(1, 8, 9, 9))


class Halved(nn.Module):
    """Candidates that halve the resolution and round it up, down, or each side otherwise; or make a third of it."""

    def __init__(self, kind):
        super().__init__()
        layers = {
            "up": lambda: nn.Conv2d(8, 8, 3, 2, 1),
            "down": lambda: nn.AvgPool2d(2),
            "third": lambda: nn.AvgPool2d(3),
        }
        self.op = nw.one_of("op", it=layers[kind], other=layers[kind])

    def forward(self, x):
        return self.op(x)


@pytest.mark.parametrize(
    ("kind", "size", "expected"),
    [
        ("up", (3, 5), [[6, 8, 9], [11, 13, 14]]),
        ("down", (3, 5), [[6, 8]]),
        ("up", (2, 5), [[6, 8, 9]]),
        ("up", (3, 4), [[5, 7], [9, 11]]),
        ("up", (1, 4), [[1, 3]]),
        ("down", (2, 4), [[5, 7]]),
    ],
)
def test_what_goes_around_is_pooled_to_the_size_of_what_goes_through(kind, size, expected):
    """The largest of each two by two, of odd sides the last alone or left out, as the candidates do; by hand."""
    supernet = narrowed(Halved, kind=kind, later=())
    height, width = size
    x = 100.0 * torch.arange(8.0).reshape(1, 8, 1, 1) + torch.arange(float(height * width)).reshape(height, width)
    given = supernet.at({"op": "it"})(x.double())
    # Of the eight channels the first two go through; shuffled, they are the first and the fifth.
    channels = [(1, 2), (2, 4), (3, 6), (5, 3), (6, 5), (7, 7)]
    for place, channel in channels:
        assert torch.equal(given[0, place], 100.0 * channel + torch.tensor(expected).double())
    torch.testing.assert_close(given[:, [0, 4]], candidate(supernet)(x[:, :2].double()))


def test_other_sizes_than_half_are_refused():
    """By the decision and both sizes."""
    supernet = narrowed(Halved, kind="third", later=())
    with pytest.raises(SpaceError, match=r"decision 'op' .*it makes \(3, 3\) of \(9, 11\), which is neither"):
        supernet.at({"op": "it"})(images(8)[..., :9].repeat(1, 1, 1, 2)[..., :11])


class Own(nn.Conv2d):
    """A convolution of a user."""


class Wider(nn.Module):
    """A candidate that doubles the channels, by a convolution of a class of its own."""

    def __init__(self):
        super().__init__()
        self.op = nw.one_of("op", it=lambda: Own(24, 48, 3, padding=1), skip=nn.Identity)

    def forward(self, x):
        return self.op(x)


def test_a_layer_of_a_users_own_class_is_tried_as_others_are():
    """What changes the number of channels is refused before anything is changed."""
    supernet = Supernet(nw.SearchSpace(Wider))
    with pytest.raises(SpaceError, match=r"gives another number of channels than the 24 it takes"):
        narrow(supernet, 4)
    assert [24] == [module.in_channels for module in supernet.network.modules() if isinstance(module, Own)]


def test_what_was_made_narrow_for_good_stays_so():
    """Another search on the same supernet may not begin to widen it."""
    supernet = narrowed(later=())
    with pytest.raises(SpaceError, match="narrow for good"):
        narrow(supernet, 4, later=(2,))
