"""Mixtures of sizes: one-hot they are the small network, else an expectation; what cannot be mixed is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

import netwright as nw
from netwright.errors import SpaceError
from netwright.supernet import Supernet
from netwright.supernet.partial_channels import EdgeNormalised, narrow
from netwright.supernet.relaxations import Dirichlet, Gates, Gumbel, HardGumbel, Softmax
from netwright.supernet.slicing import sliced
from netwright.supernet.switches import Way
from netwright.zoo import nats_size
from netwright.zoo.compact import CompactImages, CompactTables
from netwright.zoo.tables import Tables

DOUBLE = torch.float64


class Net(nn.Module):
    """What ``make`` makes from what is open."""

    def __init__(self, make):
        super().__init__()
        self.layers = make()

    def forward(self, x):
        return self.layers(x)


def space_of(make):
    return nw.SearchSpace(Net, make=make)


class Recurrent(nn.Module):
    def __init__(self, kind, hidden):
        super().__init__()
        self.cell, self.head = kind(5, hidden, num_layers=2, batch_first=True), nn.Linear(hidden, 2)

    def forward(self, x):
        return self.head(self.cell(x)[0])


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


class Words(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.table, self.head = nn.Embedding(7, size), nn.Linear(size, 2)

    def forward(self, x):
        return self.head(self.table((x.abs() * 3).long() % 7))


def width(*options):
    return nw.choose("width", *(options or (2, 4, 6)))


def images():
    w = width()
    return nn.Sequential(nn.Conv2d(1, w, 3, padding=1, bias=False), nn.BatchNorm2d(w), nn.ReLU(), nn.Conv2d(w, 2, 3))


def depthwise():
    w, kernel = width(), nw.choose("kernel", 1, 3, 5)
    return nn.Sequential(
        nn.Conv2d(1, w, kernel, stride=2, padding=kernel // 2),
        nn.Conv2d(w, w, kernel, padding=2 * (kernel // 2), dilation=2, groups=w),
        nn.Conv2d(w, 2, 1),
    )


def perceptron():
    w = width()
    hidden = w * nw.choose("expand", 1, 2, 3)
    return nn.Sequential(
        nn.Linear(5, w), nn.GELU(), nn.Linear(w, hidden), nn.ReLU(), nn.Linear(hidden, w), nn.Linear(w, 2)
    )


def deep():
    w = width()
    row = nw.repeat("depth", lambda _: nn.Sequential(nn.Linear(w, w), nn.PReLU(w)), 0, 3)
    return nn.Sequential(nn.Linear(5, w), row, nn.Linear(w, 2))


def flat():
    w = width()
    return nn.Sequential(nn.Conv2d(1, w, 3), nn.Tanh(), nn.Flatten(), nn.Linear(w * 36, 3))


def as_many_heads():
    w = width(4, 8)
    return nn.Sequential(nn.Linear(5, w), Attention(w, w // 4), nn.Linear(w, 2))


def candidates():
    w = width()
    block = nw.one_of("op", linear=lambda: nn.Linear(w, w), wide=lambda: nn.Sequential(nn.Linear(w, 2 * w), nn.ReLU(),
                      nn.Linear(2 * w, w)), skip=nn.Identity)  # fmt: skip
    return nn.Sequential(nn.Linear(5, w), block, nn.Linear(w, 2))


def differing():
    a, b = nw.choose("a", 2, 3, 5), nw.choose("b", 2, 3, 5)
    return nn.Sequential(nn.Linear(5, a), nn.Identity() if a == b else nn.Linear(a, b), nn.Tanh(), nn.Linear(b, 2))


def normed(make):
    def layers():
        w = width(4, 8, 12)
        return nn.Sequential(nn.Conv2d(1, w, 3), make(w), nn.ReLU(), nn.Conv2d(w, 2, 1))

    return layers


def normed_rows(make):
    def layers():
        w = width()
        return nn.Sequential(nn.Linear(5, w), make(w), nn.Linear(w, 2))

    return layers


IMAGES, ROWS, SERIES = (4, 1, 8, 8), (4, 5), (4, 6, 5)
MIXABLE = {
    "images": (images, IMAGES),
    "kernel and depthwise": (depthwise, IMAGES),
    "width and expansion": (perceptron, ROWS),
    "depth and width": (deep, ROWS),
    "flattened": (flat, IMAGES),
    "candidates": (candidates, ROWS),
    "embedding": (lambda: Words(width()), (4, 3)),
    "lstm": (lambda: Recurrent(nn.LSTM, width()), SERIES),
    "gru": (lambda: Recurrent(nn.GRU, width()), SERIES),
    "heads as wide": (as_many_heads, SERIES),
    "series": (lambda: nn.Conv1d(6, 2, nw.choose("kernel", 1, 3, 5), padding="same"), SERIES),
    "layer norm": (normed_rows(nn.LayerNorm), ROWS),
    "layer norm without weights": (normed_rows(lambda w: nn.LayerNorm(w, elementwise_affine=False)), ROWS),
    "rms norm": (normed_rows(nn.RMSNorm), ROWS),
    "batch norm without weights": (normed(lambda w: nn.BatchNorm2d(w, affine=False)), IMAGES),
    "norm of one group": (normed(lambda w: nn.GroupNorm(1, w)), IMAGES),
    "norm of groups as wide": (normed(lambda w: nn.GroupNorm(w // 4, w)), IMAGES),
    "instance norm": (normed(lambda w: nn.InstanceNorm2d(w)), IMAGES),
    "bias": (lambda: nn.Linear(5, 5, bias=nw.choose("bias", False, True)), ROWS),
    "layers that differ": (differing, ROWS),
}  # fmt: skip


def one_hot(supernet, architecture):
    """Ways in which each answer has all the weight, in the network of the largest values all the same."""
    ways = {}
    for decision in supernet.space.decisions:
        if not decision.of_training and decision.cardinality > 1:
            answer = architecture.get(decision.name, decision.first)
            ways[decision.name] = Way((decision.position(answer),), torch.ones(1, dtype=DOUBLE))
    return ways


def random_ways(supernet, seed=0, grad=False):
    generator = torch.Generator().manual_seed(seed)
    ways = {}
    for decision in supernet.space.decisions:
        if not decision.of_training and decision.cardinality > 1:
            weights = torch.rand(len(decision.options), dtype=DOUBLE, generator=generator).softmax(0)
            ways[decision.name] = Way(tuple(range(len(weights))), weights.requires_grad_(grad))
    return ways


def made(case):
    make, shape = MIXABLE[case]
    return Supernet(space_of(make)).double(), torch.randn(
        shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(1)
    )


def check_one_hot(supernet, x, count=6):
    rng = np.random.default_rng(0)
    for training, _ in itertools.product((True, False), range(count)):
        supernet.train(training)
        architecture = supernet.space.sample(rng)
        kept = supernet.checkpoint()
        found = supernet.mixed(one_hot(supernet, architecture))(x)
        supernet.restore(kept)
        expected = supernet.at(architecture)(x)
        torch.testing.assert_close(expected, found, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("case", MIXABLE)
def test_with_all_the_weight_on_one_value_it_is_the_small_network(case):
    """In both modes, for whatever is open, to ten digits."""
    check_one_hot(*made(case))


ZOO = {
    "compact-images": (lambda: nw.SearchSpace(CompactImages, input_shape=(1, 8, 8), classes=10), (4, 1, 8, 8)),
    "compact-tables": (lambda: nw.SearchSpace(CompactTables, input_shape=(5,), outputs=3).fix(dropout=0.0), (4, 5)),
    "tables": (
        lambda: nw.SearchSpace(
            Tables, input_shape=(6,), outputs=2, edges=[[-2.0, 0.0, 3.0]], categories=[[1, 3]], codes=[[4, 40], [5, 35]]
        ).fix(
            **{"dropout": 0.0, "transformer.attention_dropout": 0.0, "transformer.hidden_dropout": 0.0, "spread": 0.2}
        ),
        (4, 6),
    ),
    "nats-size": (lambda: nats_size.space().fix(channels_3=8, channels_4=16), (2, 3, 8, 8)),
}


@pytest.mark.parametrize("name", ZOO)
def test_spaces_of_the_zoo(name):
    """Among them one whose shortcuts are there only where two widths differ."""
    make, shape = ZOO[name]
    check_one_hot(Supernet(make()).double(), torch.randn(shape, dtype=DOUBLE), count=3)


def parts_of(supernet, network):
    """The weights of a superposed network by their names."""
    return {
        f"{place}.{own}": tensor
        for place, layer in network.named_modules()
        for own, tensor in layer._parameters.items()
        if tensor is not None
    }


def padded(supernet, architecture):
    """The weights of one architecture at their place in zeros as large as the shared ones."""
    network = supernet.space.build(architecture)
    found = {}
    for place, layer in network.named_modules():
        for own, tensor in layer._parameters.items():
            name = f"{place}.{own}"
            if tensor is None:
                continue
            shared, large = supernet.network.of(name), supernet.network.layers[name]
            places = torch.arange(shared.numel()).view(shared.shape)
            used = sliced(places, tuple(tensor.shape), large, layer, name).flatten()
            found[name] = (
                torch.zeros_like(shared).flatten().index_put((used,), shared.flatten()[used]).view(shared.shape)
            )
    return found


@pytest.mark.parametrize("case", ["images", "kernel and depthwise", "width and expansion", "lstm"])
def test_each_weight_is_the_expectation_over_all_values(case):
    """By enumeration of the architectures, each with its probability."""
    supernet, x = made(case)
    ways = random_ways(supernet)
    network = supernet.mixed(ways)
    network(x)
    expected = {}
    for architecture in supernet.space.enumerate():
        chance = 1.0
        for name, way in ways.items():
            chance *= float(way.weights[supernet.space.declared[name].position(architecture[name])])
        for name, tensor in padded(supernet, architecture).items():
            expected[name] = expected.get(name, 0) + chance * tensor
    found = parts_of(supernet, network)
    for name, tensor in expected.items():
        torch.testing.assert_close(tensor.detach(), found[name].detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", ["images", "width and expansion", "layer norm", "layers that differ", "candidates"])
def test_the_gradient_of_every_probability(case):
    """It is the slope of the loss by finite differences."""
    supernet, x = made(case)
    ways = random_ways(supernet, grad=True)
    names, weights = list(ways), [way.weights for way in ways.values()]

    def loss(*given):
        mixed = {name: Way(ways[name].positions, some) for name, some in zip(names, given, strict=True)}
        return supernet.mixed(mixed)(x).square().mean()

    assert torch.autograd.gradcheck(loss, weights, atol=1e-6, rtol=1e-4)


def test_what_is_detached_learns_no_weights_and_its_number_learns():
    """The larger width runs for its output alone: of the weights only what the smaller uses learns."""
    supernet, x = made("images")
    gates = torch.tensor([1.0, 0.5], dtype=DOUBLE, requires_grad=True)
    supernet.mixed({"width": Way((0, 2), gates, frozenset({2}))})(x).square().mean().backward()
    gradient = supernet.network.of("layers.0.weight").grad
    assert bool((gradient[:2] != 0).all())
    assert not gradient[2:].any()
    assert bool((gates.grad != 0).all())


def test_what_does_not_run_adds_its_number():
    """`rest` is zero, and has the gradient of the option that runs."""
    supernet, x = made("images")
    weight, rest = (torch.tensor(value, dtype=DOUBLE, requires_grad=True) for value in (1.0, 0.0))
    supernet.mixed({"width": Way((1,), weight[None], rest=rest)})(x).square().mean().backward()
    assert rest.grad == weight.grad != 0


def test_a_single_path_runs_the_small_network():
    """A sure way of everything is `at`; of the sizes alone, the network of these sizes with all candidates."""
    supernet, x = made("candidates")
    path = {"width": Way((1,)), "op": Way((1,))}
    assert supernet.mixed(path) is supernet.at({"width": 4, "op": "wide"})
    mixed = supernet.mixed({"width": Way((1,)), "op": Way((0, 1), torch.tensor([0.25, 0.75], dtype=DOUBLE))})
    first, second = (supernet.at({"width": 4, "op": op}) for op in ("linear", "wide"))
    hidden = first.layers[0](x)
    expected = first.layers[2](0.25 * first.layers[1](hidden) + 0.75 * second.layers[1](hidden))
    torch.testing.assert_close(expected, mixed(x))
    assert tuple(mixed.layers[0].weight.shape) == (4, 5)


def test_statistics_of_channels_that_are_not_there_stay():
    """A hard draw of a small width teaches the norms nothing about the channels beyond it."""
    supernet, x = made("images")
    before = supernet.checkpoint()
    supernet.mixed({"width": Way((0, 1, 2), torch.tensor([0.0, 1.0, 0.0], dtype=DOUBLE))})(x)
    after = supernet.checkpoint()
    for name in ("layers.1.running_mean", "layers.1.running_var"):
        assert bool((before[name] != after[name])[:4].all())
        assert torch.equal(before[name][4:], after[name][4:])


@pytest.mark.parametrize("kind", [Softmax, Gumbel, HardGumbel, Dirichlet])
def test_every_relaxation_teaches_sizes_and_candidates(kind):
    """All numbers and all weights have a gradient."""
    supernet, x = made("candidates")
    relaxation = kind(supernet)
    supernet.mixed(relaxation.ways(torch.Generator().manual_seed(0)))(x).square().mean().backward()
    assert set(relaxation.probabilities()) == {"width", "op"}
    assert all(row.grad is not None and bool(row.grad.any()) for row in relaxation.alpha)
    assert relaxation.derive() in supernet.space


def test_gates_on_sizes():
    """The two widths that were drawn have gates, and a step of the weights runs one architecture."""
    supernet, x = made("candidates")
    gates = Gates(supernet)
    generator = torch.Generator().manual_seed(0)
    supernet.mixed(gates.ways(generator))(x).square().mean().backward()
    gates.receive()
    assert all(int((row.grad != 0).sum()) == 2 for row in gates.alpha)
    assert supernet.mixed(gates.path(generator)) in supernet._built.values()


class Strided(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Conv2d(1, 2, 3, stride=nw.choose("stride", 1, 2))

    def forward(self, x):
        return self.layers(x).mean((2, 3))


class Softened(nn.Module):
    def __init__(self):
        super().__init__()
        w = width()
        self.layers, self.head = nn.Linear(5, w), nn.Linear(w, 2)

    def forward(self, x):
        return self.head(self.layers(x).softmax(1))


class Concatenated(nn.Module):
    def __init__(self):
        super().__init__()
        w = width()
        self.a, self.b, self.head = nn.Linear(5, w), nn.Linear(5, w), nn.Linear(2 * w, 2)

    def forward(self, x):
        return self.head(torch.cat([self.a(x), self.b(x)], 1))


def heads():
    w = width(4, 8)
    return nn.Sequential(nn.Linear(5, w), Attention(w, 2), nn.Linear(w, 2))


def listed():
    class Walked(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = nn.ModuleList(nn.Linear(5, 5) for _ in range(nw.choose("count", 1, 2)))

    return Walked()


REFUSED = {
    "dropout": (lambda: nn.Sequential(nn.Linear(5, 2), nn.Dropout(nw.choose("p", 0.0, 0.5))),
                r"'p' changes no weight(.|\n)*"),
    "stride": (Strided, r"'stride' changes no weight"),
    "stride and width": (lambda: nn.Conv2d(1, w := width(2, 4), 3, stride=w // 2),
                         r"'width' changes 'stride' of layers \(Conv2d\)"),
    "groups of a norm": (normed(lambda w: nn.GroupNorm(2, w)), r"'width' changes how many channels a group has"),
    "heads": (heads, r"'width' changes how many channels a head has"),
    "border": (lambda: nn.Conv2d(1, 2, nw.choose("kernel", 1, 3)), r"'kernel' changes how much of the border"),
    "two directions": (lambda: nn.LSTM(5, width(), bidirectional=True), r"'width' changes where the second direction"),
    "range": (lambda: nn.Sequential(nn.Linear(5, 2), nn.Dropout(nw.choose("p", low=0.0, high=0.5))),
              r"'p' has a range without steps"),
    "list": (listed, r"'count' changes which layers layers.parts has"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_weight_can_say_is_refused_at_once(case):
    """By name, with the reason, and before anything runs."""
    make, message = REFUSED[case]
    with pytest.raises(SpaceError, match=message) as refused:
        Softmax(Supernet(space_of(make)))
    assert "space.fix(" in refused.value.hint
    assert "spos" in refused.value.hint


@pytest.mark.parametrize("make", [Softened, Concatenated])
def test_what_sees_zeros_is_found_when_it_first_runs(make):
    """A softmax over the channels, and channels after open ones, are not what the small network has."""
    supernet = Supernet(space_of(make))
    relaxation = Softmax(supernet)
    with pytest.raises(SpaceError, match=r"'width' cannot be mixed in weights: with width=2"):
        supernet.mixed(relaxation.ways(torch.Generator()))(torch.randn(4, 5))


def test_layers_that_lack_a_size_are_found_when_they_first_run():
    """A layer stands there for small widths alone, and none is as large as the largest."""

    def make():
        w = width()
        return nn.Sequential(nn.Linear(5, w), nn.Identity() if w == 6 else nn.Linear(w, 6), nn.Linear(6, 2))

    supernet = Supernet(space_of(make))
    with pytest.raises(
        SpaceError, match=r"'width' cannot be mixed in weights: with width=2 the largest network.* does not fit"
    ):
        supernet.mixed(Softmax(supernet).ways(torch.Generator()))(torch.randn(4, 5))


def test_partial_channels_refuse_open_sizes():
    """A quarter of a width that is open is no number."""
    supernet = Supernet(space_of(candidates))
    with pytest.raises(SpaceError, match="decision 'width', and no part of it can be taken"):
        narrow(supernet, 2, EdgeNormalised(supernet))


def test_copies_and_other_types_go_their_own_way():
    """What was mixed follows the supernet to another type."""
    supernet, x = made("images")
    ways = random_ways(supernet)
    expected = supernet.mixed(ways)(x)
    found = supernet.float().mixed(ways)(x.float())
    torch.testing.assert_close(expected.float(), found)


def test_the_trial_leaves_nothing_behind():
    """Weights, statistics, modes and the global generator are as they were when the first pass begins."""
    supernet, x = made("images")
    supernet.eval()
    network = supernet.mixed(random_ways(supernet))
    before, state = supernet.checkpoint(), torch.get_rng_state()
    network(x)
    assert torch.equal(state, torch.get_rng_state())
    assert not any(module.training for module in network.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in supernet.checkpoint().items())
