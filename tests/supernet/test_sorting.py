"""Channels in the order of their importance: the largest networks stay what they are, in every kind of space."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import netwright as nw
from netwright import zoo
from netwright.space.drawing import answered
from netwright.supernet import Supernet
from netwright.supernet.share import largest
from netwright.supernet.sorting import sort_channels


class Perceptron(nn.Module):
    """Two hidden layers of open sizes, and a depth of equal layers that add to each other."""

    def __init__(self):
        super().__init__()
        first, second = nw.choose("first", 3, 5, 8), nw.choose("second", 4, 6)
        self.body = nn.Sequential(nn.Linear(5, first), nn.ReLU(), nn.Linear(first, second), nn.Tanh())
        self.more = nw.repeat("depth", lambda _: Added(second), 0, 2)
        self.head = nn.Linear(second, 3)

    def forward(self, x):
        return self.head(self.more(self.body(x)))


class Added(nn.Module):
    """Adds what a linear layer gives to its input."""

    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(width, width)

    def forward(self, x):
        return x + self.layer(x)


class Flat(nn.Module):
    """Pictures are flattened: each channel is four features."""

    def __init__(self):
        super().__init__()
        width = nw.choose("width", 2, 4)
        self.conv = nn.Conv2d(1, width, 3, padding=1)
        self.head = nn.Linear(4 * width, 3)

    def forward(self, x):
        return self.head(self.conv(x).relu().flatten(1))


class Recurrent(nn.Module):
    """A cell with four gates of the same open size."""

    def __init__(self):
        super().__init__()
        size = nw.choose("size", 3, 6)
        self.cell = nn.LSTM(5, size, batch_first=True)
        self.head = nn.Linear(size, 3)

    def forward(self, x):
        return self.head(self.cell(x[:, None])[0][:, -1])


class Grouped(nn.Module):
    """Norms in groups see which channels stand together."""

    def __init__(self):
        super().__init__()
        width, inner = nw.choose("width", 4, 8), nw.choose("inner", 3, 5)
        self.first = nn.Sequential(nn.Linear(5, width), nn.GroupNorm(2, width), nn.Linear(width, inner))
        self.head = nn.Linear(inner, 3)

    def forward(self, x):
        return self.head(self.first(x).tanh())


def made(space):
    """A supernet with other than its first weights and statistics, in evaluation mode."""
    supernet = Supernet(space, seed=1)
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for tensor in (*supernet.network.parameters(), *supernet.network.buffers()):
            if tensor.is_floating_point():
                tensor += 0.1 * torch.rand(tensor.shape, generator=draw)
    return supernet.eval()


def values(supernet):
    """All its sizes, learnt at their largest."""
    return {decision.name: [largest(decision)] for decision in supernet.values}


def images(count=3, channels=3, side=8):
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(0))


ROWS = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
PICTURE: dict[str, Any] = {"input_shape": (3, 8, 8), "classes": 4}
SMALL_OFA = {**PICTURE, "widths": (0.25,), "depths": (1, 2)}


def largest_of(supernet):
    """The network of the largest values and the first options."""
    return supernet.at(answered(supernet.space.decisions, largest))


@pytest.mark.parametrize(
    ("network", "example"),
    [(Perceptron, ROWS), (Flat, images(channels=1, side=2)), (Recurrent, ROWS), (Grouped, ROWS)],
)
def test_the_largest_network_stays_what_it_is(network, example):
    """Its outputs are those of before, whatever was sorted."""
    supernet = made(nw.SearchSpace(network))
    before = largest_of(supernet)(example)
    sort_channels(supernet, example, values(supernet))
    torch.testing.assert_close(before, largest_of(supernet)(example), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "arguments"), [("ofa", SMALL_OFA), ("compact-images", PICTURE)])
def test_all_largest_networks_of_published_spaces_stay_what_they_are(name, arguments):
    """Whichever candidates they have; all channels of these spaces are sorted, and something has moved."""
    supernet = made(zoo.SPACES[name].space(**arguments))
    rng, space, x = np.random.default_rng(0), supernet.space, images()

    def answer(decision):
        return decision.draw(rng.random()) if decision.kind == "one_of" else largest(decision)

    drawn = [answered(space.decisions, answer) for _ in range(6)]
    before, weights = [supernet.at(architecture)(x) for architecture in drawn], supernet.checkpoint()
    assert sort_channels(supernet, x, values(supernet)) == {}
    assert sum(not torch.equal(weights[name], after) for name, after in supernet.checkpoint().items()) > 20
    for architecture, outputs in zip(drawn, before, strict=True):
        assert ((outputs - supernet.at(architecture)(x)).abs().max() <= 1e-5 * outputs.abs().max()).item()


def test_the_first_channels_are_those_that_the_next_layer_weighs_most():
    """By the sums of absolute weights, beside those that were there."""
    supernet = made(nw.SearchSpace(Flat))
    before = supernet.extract({"width": 4})
    importance = before.head.weight.abs().sum(0).reshape(4, 4).sum(1)
    sort_channels(supernet, images(channels=1, side=2), values(supernet))
    best = importance.argsort(descending=True)
    assert torch.equal(before.conv.weight[best], supernet.extract({"width": 4}).conv.weight)
    assert torch.equal(before.conv.weight[best[:2]], supernet.extract({"width": 2}).conv.weight)


def test_a_block_is_sorted_as_published():
    """By its last convolution alone, and what squeezes by the one that widens again; norms and all go along."""
    supernet = made(zoo.SPACES["ofa"].space(**SMALL_OFA))
    before = largest_of(supernet).body[3][1].body
    inner = before[3][0].weight.abs().sum((0, 2, 3)).argsort(descending=True)
    squeezed = before[2].body[2].weight.abs().sum((0, 2, 3)).argsort(descending=True)
    before = supernet.extract(answered(supernet.space.decisions, largest)).body[3][1].body
    sort_channels(supernet, images(), values(supernet))
    after = largest_of(supernet).body[3][1].body
    for layer, index in [(0, (inner,)), (1, (inner,)), (3, (slice(None), inner))]:
        assert torch.equal(before[layer][0].weight[index], after[layer][0].weight)
    for statistic in ("weight", "bias", "running_mean", "running_var"):
        assert torch.equal(getattr(before[1][1], statistic)[inner], getattr(after[1][1], statistic))
    assert torch.equal(before[2].body[0].weight[squeezed][:, inner], after[2].body[0].weight)
    assert torch.equal(before[2].body[2].weight[inner][:, squeezed], after[2].body[2].weight)


def test_networks_that_have_learnt_stay_what_they_are():
    """Channels do not leave the part of a width that was trained already; within it they are sorted."""
    supernet = made(nw.SearchSpace(Perceptron))
    learnt = [{"first": first, "second": 6, "depth": 2} for first in (8, 5)]
    before, weights = [supernet.at(architecture)(ROWS) for architecture in learnt], supernet.checkpoint()
    sort_channels(supernet, ROWS, {"first": [8, 5]})
    for architecture, outputs in zip(learnt, before, strict=True):
        torch.testing.assert_close(outputs, supernet.at(architecture)(ROWS))
    importance = weights["body.2.weight"].abs().sum(0)
    order = [*importance[:5].argsort(descending=True), *(5 + importance[5:].argsort(descending=True))]
    assert torch.equal(weights["body.0.bias"][torch.stack(order)], supernet.checkpoint()["body.0.bias"])


def test_only_what_is_asked_for_is_sorted():
    """Channels of another decision stay where they are."""
    supernet = made(nw.SearchSpace(Perceptron))
    before = supernet.checkpoint()
    sort_channels(supernet, ROWS, {"first": [8]})
    after = supernet.checkpoint()
    assert not torch.equal(before["body.0.bias"], after["body.0.bias"])
    assert torch.equal(before["body.2.bias"], after["body.2.bias"])


def test_sorting_twice_changes_nothing():
    """The order is that of the weights, and equal ones stay in theirs."""
    supernet = made(nw.SearchSpace(Perceptron))
    sort_channels(supernet, ROWS, values(supernet))
    before = supernet.checkpoint()
    sort_channels(supernet, ROWS, values(supernet), seed=3)
    assert all(torch.equal(tensor, before[name]) for name, tensor in supernet.checkpoint().items())


def test_what_would_change_the_network_stays_and_is_said():
    """A norm in groups sees which channels stand together; another decision's are sorted all the same."""
    supernet = made(nw.SearchSpace(Grouped))
    before = supernet.checkpoint()
    unsorted = sort_channels(supernet, ROWS, values(supernet))
    assert {"width": "the network is another one when the channels of first.0.weight are in another order"} == unsorted
    after = supernet.checkpoint()
    assert torch.equal(before["first.0.weight"], after["first.0.weight"])
    assert not torch.equal(before["first.2.bias"], after["first.2.bias"])


def test_sizes_that_follow_from_two_decisions_are_left_alone():
    """A width times a ratio."""

    class Product(nn.Module):
        def __init__(self):
            super().__init__()
            inner = nw.choose("width", 2, 4) * nw.choose("ratio", 1, 2)
            self.body = nn.Sequential(nn.Linear(5, inner), nn.Linear(inner, 3))

        def forward(self, x):
            return self.body(x)

    supernet = made(nw.SearchSpace(Product))
    before = supernet.checkpoint()
    unsorted = sort_channels(supernet, ROWS, values(supernet))
    assert {"width", "ratio"} == set(unsorted)
    assert "weight follows from other decisions, too" in unsorted["width"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in supernet.checkpoint().items())


def test_layers_of_some_values_are_left_alone():
    """A projection that is there where two widths differ."""

    class Projected(nn.Module):
        def __init__(self):
            super().__init__()
            width = nw.choose("width", 2, 4)
            self.first = nn.Linear(5, width)
            self.project = nn.Linear(width, 4) if width != 4 else nn.Identity()
            self.head = nn.Linear(4, 3)

        def forward(self, x):
            return self.head(self.project(self.first(x)))

    supernet = made(nw.SearchSpace(Projected))
    assert {"width": "project.bias is there with some of its values alone"} == sort_channels(
        supernet, ROWS, values(supernet)
    )


def test_every_candidate_has_to_stand_it():
    """One of two layers on the same channels has groups: they stay, though the other would not mind."""

    class Either(nn.Module):
        def __init__(self):
            super().__init__()
            width = nw.choose("width", 4, 8)
            self.first = nn.Linear(5, width)
            self.norm = nw.one_of("norm", none=nn.Identity, groups=lambda: nn.GroupNorm(2, width))
            self.head = nn.Linear(width, 3)

        def forward(self, x):
            return self.head(self.norm(self.first(x)))

    supernet = made(nw.SearchSpace(Either))
    assert {"width"} == set(sort_channels(supernet, ROWS, values(supernet)))


def test_matrices_of_kernels_are_for_all_channels():
    """They stay as they are, and the largest network with them."""
    supernet = made(zoo.SPACES["ofa"].space(**SMALL_OFA))
    supernet.transform_kernels()
    x, before = images(), largest_of(supernet)(images())
    matrices = {name: tensor for name, tensor in supernet.checkpoint().items() if name.endswith("7to5")}
    assert sort_channels(supernet, x, values(supernet)) == {}
    torch.testing.assert_close(before, largest_of(supernet)(x), rtol=0, atol=1e-5)
    assert all(torch.equal(tensor, supernet.checkpoint()[name]) for name, tensor in matrices.items())


def test_nothing_else_changes():
    """Neither the global generator nor whether it is training; and without sizes there is nothing to do."""
    supernet = made(nw.SearchSpace(Perceptron)).train()
    before = torch.get_rng_state()
    sort_channels(supernet, ROWS, values(supernet))
    assert torch.equal(before, torch.get_rng_state())
    assert all(module.training for module in largest_of(supernet).modules())
    none = Supernet(zoo.SPACES["digits-cells"].space(input_shape=(3, 8, 8), classes=4))
    assert sort_channels(none, images(), {}) == {}


class Rotated(nn.Module):
    """Features are turned by numbers in single precision that are no parameters and no buffers."""

    def __init__(self):
        super().__init__()
        self.turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]])

    def forward(self, x):
        return (x.unflatten(1, (-1, 2)) @ self.turn).flatten(1)


class Turned(nn.Module):
    """A width behind such a turn: of the inputs always, or with one of its options alone; groups may follow."""

    def __init__(self, where="always", norm=nn.Identity):
        super().__init__()
        width = nw.choose("width", 4, 8)
        self.turn = Rotated() if where == "always" else nw.one_of("turn", no=nn.Identity, yes=Rotated)
        self.first = nn.Sequential(nn.Linear(4, width), norm(width))
        self.middle = nw.one_of("middle", linear=lambda: nn.Linear(width, 3), tanh=lambda: Squashed(width))

    def forward(self, x):
        return self.middle(self.first(self.turn(x)))


class Squashed(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(width, 3)

    def forward(self, x):
        return self.layer(x).tanh()


def grouped(width):
    return nn.GroupNorm(2, width)


@pytest.mark.parametrize("where", ["always", "sometimes"])
def test_numbers_in_single_precision_of_its_own_are_tried_in_it(where):
    """Also where some options alone have such: channels are sorted, and those that mean something stay."""
    supernet = made(nw.SearchSpace(Turned, where=where))
    x = ROWS[:, :4]
    before = largest_of(supernet)(x)
    assert sort_channels(supernet, x, values(supernet)) == {}
    torch.testing.assert_close(largest_of(supernet)(x), before)
    weights = supernet.checkpoint()
    importance = sum(weights[f"middle.candidates.{name}weight"].abs().sum(0) for name in ("0.", "1.layer."))
    assert (importance.diff() <= 0).all()
    refused = sort_channels(made(nw.SearchSpace(Turned, where=where, norm=grouped)), x, values(supernet))
    assert {"width": "the network is another one when the channels of first.0.weight are in another order"} == refused


class Failing(nn.Module):
    """One of two layers on the same channels cannot run."""

    def __init__(self):
        super().__init__()
        width = nw.choose("width", 4, 8)
        self.first = nn.Linear(5, width)
        self.head = nw.one_of("head", good=lambda: nn.Linear(width, 3), bad=lambda: Shut(width))

    def forward(self, x):
        return self.head(self.first(x))


class Shut(nn.Linear):
    def __init__(self, width):
        super().__init__(width, 3)

    def forward(self, x):
        raise RuntimeError("the door is shut")


def test_why_a_network_does_not_run_is_said():
    """Channels that it alone has cannot be tried: the answer has its reason."""
    supernet = made(nw.SearchSpace(Failing))
    before = supernet.checkpoint()
    unsorted = sort_channels(supernet, ROWS, values(supernet))
    reason = "width=8 head=bad gives RuntimeError: the door is shut"
    assert {"width": f"no network that runs has all of its layers: {reason}"} == unsorted
    assert all(torch.equal(tensor, before[name]) for name, tensor in supernet.checkpoint().items())


def test_where_the_largest_does_not_run_it_says_so_itself():
    """There is nothing to be compared with."""

    class Closed(nn.Module):
        def __init__(self):
            super().__init__()
            width = nw.choose("width", 4, 8)
            self.body = nn.Sequential(nn.Linear(5, width), Shut(width))

        def forward(self, x):
            return self.body(x)

    supernet = made(nw.SearchSpace(Closed))
    with pytest.raises(RuntimeError, match="the door is shut"):
        sort_channels(supernet, ROWS, values(supernet))
