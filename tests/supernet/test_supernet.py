"""The share reading: every architecture is in the supernet, and comes out of it as it is there."""

from __future__ import annotations

import copy
import re

import cloudpickle
import numpy as np
import pytest
import torch
from torch import nn

import netwright as nw
from netwright import zoo
from netwright.errors import InputError, SpaceError
from netwright.supernet import Supernet, Way

BUILT = [entry.name for entry in zoo.SPACES.values() if entry.kind in ("images", "tables")]

FEW = {"channels": 4, "cells": 3}
SMALL = {
    "nasnet": {**FEW, "join": "all"},
    "amoebanet": {**FEW, "join": "all"},
    "pnas": FEW,
    "enas-micro": {"channels": 4, "join": "all"},
}
"""Arguments of those that are large, or cannot be shared, as they were published."""


def zoo_space(name):
    """A space of the zoo for inputs as small as it takes, and an example of them."""
    entry = zoo.SPACES[name]
    shape = (3, 16, 16) if entry.kind == "images" else (7,)
    arguments = nw.space.arguments_for(entry.network, input_shape=shape, classes=4, outputs=4)
    return entry.space(**arguments, **SMALL.get(name, {})), shape


def drawn(space, count, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def outputs(network, x, training):
    network.train(training)
    torch.manual_seed(0)  # dropout
    with torch.no_grad():
        return network(x)


def check_extraction(space, x, count=4):
    """What is extracted gives the supernet's outputs bit for bit, training and evaluating, and has its own weights."""
    supernet = Supernet(space)
    for architecture in drawn(space, count):
        for training in (True, False):
            supernet.train(training)
            plain = supernet.extract(architecture)
            expected = outputs(plain, x, training)
            assert torch.equal(expected, outputs(supernet.at(architecture), x, training))
    assert type(plain) is type(space.build(architecture))
    assert not any(type(module).__module__.startswith("netwright.supernet") for module in plain.modules())
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.zero_()
    again = outputs(supernet.at(architecture), x, False)
    assert torch.equal(outputs(supernet.extract(architecture), x, False), again)


@pytest.mark.parametrize("name", BUILT)
def test_what_is_extracted_is_what_was_there(name):
    """On every space of the zoo, in both modes."""
    space, shape = zoo_space(name)
    check_extraction(space, torch.randn(4, *shape))


def one(make, shape):
    """A network of one layer, made by ``make`` from whatever is open."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = make()

        def forward(self, x):
            return self.layers(x)

    return nw.SearchSpace(Net), torch.randn(3, *shape)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


class Recurrent(nn.Module):
    def __init__(self, kind, hidden):
        super().__init__()
        self.cell = kind(5, hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(hidden, 2)

    def forward(self, x):
        return self.head(self.cell(x)[0])


def elastic_convolution():
    width, kernel = nw.choose("width", 4, 8), nw.choose("kernel", 3, 5, 7)
    return nn.Sequential(
        nn.Conv2d(2, width, kernel, padding=kernel // 2),
        nn.BatchNorm2d(width),
        nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width),
        nn.GroupNorm(2, width),
        nn.Conv2d(width, 12, 3, groups=2),
    )


def elastic_words():
    size = nw.choose("size", 3, 6)
    return nn.Sequential(nn.Linear(5, size), nn.LayerNorm(size), nn.Linear(size, size), nn.PReLU(), nn.Linear(size, 2))


def elastic_attention():
    width = nw.choose("width", 4, 8)
    heads, inner = nw.choose("heads", 1, 2, 4), nw.choose("ratio", 1, 2) * width
    return nn.Sequential(nn.Linear(5, width), Attention(width, heads), nn.Linear(width, inner), nn.Linear(inner, 3))


class Embedded(nn.Module):
    def __init__(self):
        super().__init__()
        size = nw.choose("size", 3, 5, 6)
        self.table, self.head = nn.Embedding(7, size), nn.Linear(size, 2)

    def forward(self, x):
        return self.head(self.table((x.abs() * 3).long() % 7))


ELASTIC = {
    "convolutions": (elastic_convolution, (2, 9, 9)),
    "linear": (elastic_words, (5,)),
    "attention": (elastic_attention, (6, 5)),
    "embedding": (Embedded, (4,)),
    "lstm": (lambda: Recurrent(nn.LSTM, nw.choose("hidden", 3, 4, 6)), (6, 5)),
    "gru": (lambda: Recurrent(nn.GRU, nw.choose("hidden", 3, 6)), (6, 5)),
    "series": (lambda: nn.Conv1d(2, nw.choose("width", 2, 4), nw.choose("kernel", 1, 3), padding="same"), (2, 8)),
    "depth": (lambda: nw.repeat("depth", lambda i: nn.Linear(5, 5), 0, 3), (5,)),
    "bias": (lambda: nn.Linear(5, 5, bias=nw.choose("bias", False, True)), (5,)),
    "dropout": (lambda: nn.Sequential(nn.Linear(5, 5), nn.Dropout(nw.choose("p", 0.0, 0.5))), (5,)),
}


@pytest.mark.parametrize("case", ELASTIC)
def test_sizes_are_shared(case):
    """Widths, kernels, heads, hidden sizes: extracted and shared agree, and training moves the shared weights."""
    space, x = one(*ELASTIC[case])
    check_extraction(space, x, count=8)
    supernet = Supernet(space)
    before = supernet.checkpoint()
    optimizer = torch.optim.SGD(supernet.parameters(), 1e-3)
    for architecture in drawn(space, 3):
        optimizer.zero_grad()
        out = supernet.at(architecture)(x)
        if out.requires_grad:
            out.square().sum().backward()
            optimizer.step()
        assert torch.equal(
            outputs(supernet.extract(architecture), x, True), outputs(supernet.at(architecture), x, True)
        )
    assert any(not torch.equal(before[name], tensor) for name, tensor in supernet.checkpoint().items())


def test_a_slice_is_the_first_channels_and_the_middle_of_the_kernel():
    """Width 4 of 8 and kernel 3 of 7, by hand."""
    space, _ = one(elastic_convolution, (2, 9, 9))
    supernet = Supernet(space)
    plain = supernet.extract({"width": 4, "kernel": 3})
    for place in ("layers.0.weight", "layers.2.weight"):
        assert torch.equal(supernet.network.of(place)[:4, :, 2:5, 2:5], plain.get_parameter(place))
    grouped = supernet.network.of("layers.4.weight")
    assert torch.equal(grouped[:, :2], plain.layers[4].weight)


def test_each_gate_has_its_own_rows():
    """A hidden size of 3 of 6 takes the first three rows of each of an LSTM's four gates."""
    space, _ = one(*ELASTIC["lstm"])
    supernet = Supernet(space)
    small = supernet.extract({"hidden": 3}).layers.cell
    weight, bias = (supernet.network.of(f"layers.cell.{name}") for name in ("weight_hh_l0", "bias_ih_l1"))
    for gate in range(4):
        rows, own = slice(6 * gate, 6 * gate + 3), slice(3 * gate, 3 * gate + 3)
        assert torch.equal(weight[rows, :3], small.weight_hh_l0[own])
        assert torch.equal(bias[rows], small.bias_ih_l1[own])


def test_statistics_of_a_slice_are_the_supernets():
    """BatchNorm of a narrow architecture writes into the first channels of the shared statistics, and not beyond."""
    space, x = one(elastic_convolution, (2, 9, 9))
    supernet = Supernet(space)
    supernet.at({"width": 4, "kernel": 3})(x + 1)
    mean = supernet.network.of("layers.1.running_mean")
    assert (mean[:4] != 0).all()
    assert (mean[4:] == 0).all()


class Own(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))


REFUSED = {
    "own tensors": (
        lambda: Own(nw.choose("width", 2, 3)),
        "decision 'width': .*scale cannot be shared: the size of a Own",
    ),
    "groups": (
        lambda: nn.Conv2d(8, 8, 3, groups=nw.choose("groups", 1, 2)),
        "decision 'groups': .*layers.weight cannot be shared",
    ),
    "even kernels": (
        lambda: nn.Conv2d(1, 1, nw.choose("kernel", 2, 3)),
        "kernel of 2 has no place in the middle of one of 3",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_shared_is_refused(case):
    """At once, by the names of the decision and the tensor, with the way out."""
    make, message = REFUSED[case]
    space, _ = one(make, (1,))
    with pytest.raises(SpaceError, match=message) as refused:
        Supernet(space)
    assert "one_of" in str(refused.value)


def test_a_constructor_that_looks_inside_is_refused():
    """What one_of gives is open in a supernet, so its attributes are not there."""

    def make():
        layer = nw.one_of("op", a=lambda: nn.Linear(5, 4), b=lambda: nn.Linear(5, 3))
        return nn.Sequential(layer, nn.Linear(layer.out_features, 2))

    space, _ = one(make, (5,))
    with pytest.raises(SpaceError, match=r"Net cannot be a supernet: AttributeError: .*out_features"):
        Supernet(space)


class Ops(nn.Module):
    """Two decisions met twice each, a choice of inputs with layers on them, and a depth."""

    def __init__(self):
        super().__init__()
        self.first, self.second = self.operation(), self.operation()
        self.pick = nw.inputs("from", 3, pick=2)
        self.edges = self.pick.each(lambda j: nw.one_of(f"edge{j}", line=lambda: nn.Linear(4, 4), skip=nn.Identity))
        self.body = nw.repeat("depth", lambda i: nn.Linear(4, 4), 1, 3)

    @staticmethod
    def operation():
        return nw.one_of("op", line=lambda: nn.Linear(4, 4), skip=nn.Identity, wide=lambda: nn.Linear(4, 4))

    def forward(self, x):
        a = self.first(x)
        return self.body(self.pick([x, a, self.second(a)], self.edges))


def test_a_mixture_is_the_weighted_sum_of_its_parts():
    """Of operations, of connections with their layers, and of depths; for each a sum over what is extracted."""
    space = nw.SearchSpace(Ops)
    supernet, x = Supernet(space), torch.randn(3, 4)
    base = {"op": "skip", "from": (0, 1), "edge0": "skip", "edge1": "skip", "depth": 1}
    single = {name: Way((space.declared[name].position(answer),)) for name, answer in base.items()}
    weights = torch.tensor([0.2, 0.3, 0.5])
    depths = supernet.mixed({**single, "depth": Way((0, 1, 2), weights)})(x)
    parts = [supernet.extract({**base, "depth": depth})(x) for depth in (1, 2, 3)]
    torch.testing.assert_close(sum(w * part for w, part in zip(weights, parts, strict=True)), depths)
    picks = supernet.mixed({**single, "edge2": Way((0,)), "from": Way((0, 1, 2), weights)})(x)
    edges = [x, x, supernet.network.edges.all[2].candidates[0](x)]
    total = weights[0] * (edges[0] + edges[1]) + weights[1] * (edges[0] + edges[2]) + weights[2] * (edges[1] + edges[2])
    torch.testing.assert_close(supernet.network.body[0](total), picks)


def test_what_does_not_count_is_not_run():
    """One path runs one operation at each place; the others are not called."""
    space = nw.SearchSpace(Ops)
    supernet, calls = Supernet(space), []
    for name, module in supernet.network.named_modules():
        if isinstance(module, nn.Linear | nn.Identity):
            module.register_forward_hook(lambda *_, name=name: calls.append(name))
    supernet.at({"op": "line", "from": (0, 2), "edge0": "skip", "edge2": "line", "depth": 2})(torch.randn(2, 4))
    assert sorted(calls) == [
        "body.0",
        "body.1",
        "edges.0.candidates.1",
        "edges.2.candidates.0",
        "first.candidates.0",
        "second.candidates.0",
    ]


def test_a_supernet_is_the_same_for_the_same_seed_and_leaves_the_generator():
    """Weights follow the seed alone."""
    space = nw.SearchSpace(Ops)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    a, b, c = Supernet(space, seed=1), Supernet(space, seed=1), Supernet(space, seed=2)
    assert torch.equal(expected, torch.rand(1))
    assert torch.equal(a.network.first.candidates[0].weight, b.network.first.candidates[0].weight)
    assert not torch.equal(a.network.first.candidates[0].weight, c.network.first.candidates[0].weight)


def test_a_checkpoint_goes_back_into_its_own_kind_only():
    """Weights return exactly; those of another supernet are refused by the first tensor that differs."""
    space = nw.SearchSpace(Ops)
    a, b = Supernet(space, seed=1), Supernet(space, seed=2)
    b.restore(a.checkpoint())
    assert all(torch.equal(tensor, b.network.state_dict()[name]) for name, tensor in a.network.state_dict().items())
    other, _ = one(*ELASTIC["linear"])
    with pytest.raises(InputError, match=r"of another supernet: .* the first is layers\.0\.weight"):
        Supernet(other).restore(a.checkpoint())


def test_paths_nest():
    """`path` goes back to the former way."""
    space = nw.SearchSpace(Ops)
    supernet = Supernet(space)
    first, second = drawn(space, 2)
    supernet.at(first)
    x = torch.randn(2, 4)
    expected = supernet(x)
    with supernet.path(second) as network:
        network(x)
    assert torch.equal(expected, supernet(x))


def test_a_supernet_can_be_copied():
    """A deep copy goes its own way."""
    space = nw.SearchSpace(Ops)
    supernet = Supernet(space)
    other = copy.deepcopy(supernet)
    a, b = drawn(space, 2)
    x = torch.randn(2, 4)
    supernet.at(a)
    other.at(b)
    assert torch.equal(supernet.extract(a)(x), supernet(x))
    assert torch.equal(other.extract(b)(x), other(x))


@pytest.mark.parametrize("case", ["linear", "convolutions", "lstm"])
def test_what_was_built_follows_the_supernet(case):
    """To another type, into a copy, through a pickle: the smallest architecture, run before, has the weights of now."""
    space, x = one(*ELASTIC[case])
    supernet = Supernet(space)
    small = min(space.enumerate(), key=lambda architecture: list(architecture.values()))
    supernet.at(small)(x)
    for other in (copy.deepcopy(supernet), cloudpickle.loads(cloudpickle.dumps(supernet))):
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.mul_(0.5)
        mine, theirs = (outputs(each.at(small), x, True) for each in (supernet, other))
        assert torch.equal(outputs(other.extract(small), x, True), theirs)
        assert not torch.equal(mine, theirs)
    supernet.double()
    found = outputs(supernet.at(small), x.double(), True)
    assert torch.equal(outputs(supernet.extract(small), x.double(), True), found)


class Features(nn.Module):
    """Random features: a buffer that is drawn, and as large as a decision says."""

    def __init__(self):
        super().__init__()
        width = nw.choose("width", 3, 4)
        self.register_buffer("directions", torch.empty(5, width).normal_())
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        return self.head(x @ self.directions)


def test_a_buffer_of_its_own_is_the_same_wherever_it_is_built():
    """It follows the supernet's seed, not the generator of the moment."""
    space, x = one(Features, (5,))
    supernet = Supernet(space, seed=5)
    for width in (3, 4):
        torch.manual_seed(width)
        expected = supernet.at({"width": width})(x)
        assert torch.equal(expected, supernet.extract({"width": width})(x))
        assert expected.abs().max() > 0.01


class Unlike(nn.Module):
    """A cell in which one thing gives another shape than the rest."""

    def __init__(self, what):
        super().__init__()
        self.what = what
        wide = {"a": 3, "b": 5 if what == "candidates" else 3}
        self.op = nw.one_of(
            "op", **{name: lambda w=w: nn.Sequential(nn.Conv2d(3, w, 1), nn.BatchNorm2d(w)) for name, w in wide.items()}
        )
        self.pick = nw.inputs("pick", 2, combine="concat" if what == "picked" else "sum")
        self.body = nw.repeat(
            "depth", lambda i: nn.Conv2d(3 - (what == "blocks") * i, 3 - (what == "blocks") * (i + 1), 1), 0, 2
        )

    def forward(self, x):
        other = x[:, :2] if self.what in ("states", "picked") else x
        if self.what == "blocks":
            return self.body(x)
        return self.pick([self.op(x), other])


@pytest.mark.parametrize("laid_out", [False, True])
@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("candidates", "decision 'op' cannot be mixed: 'a' gives 2×3×4×4, 'b' gives 2×5×4×4. All must give"),
        ("states", "decision 'pick' cannot be mixed: state 0 gives 2×3×4×4, state 1 gives 2×2×4×4"),
        ("picked", "decision 'pick' cannot be mixed: picking (0,) gives 2×3×4×4, picking (1,) gives 2×2×4×4"),
        ("blocks", "decision 'depth' cannot be mixed: a length of 0 gives 2×3×4×4, a length of 1 gives 2×2×4×4"),
    ],
)
def test_what_cannot_be_added_is_named(what, words, laid_out):
    """The decision, two of its options and what they give; whichever way sums are computed."""
    supernet = Supernet(nw.SearchSpace(Unlike, what=what))
    x = torch.randn(2, 3, 4, 4)
    supernet.board.laid_out = laid_out
    ways = {
        decision.name: Way(tuple(range(len(decision.options))), torch.full((len(decision.options),), 0.5))
        for decision in supernet.space.decisions
    }
    with pytest.raises(SpaceError, match=re.escape(words)):
        supernet.mixed(ways)(x)


class UnlikeEdges(nn.Module):
    """Connections with an operation each, of which one has a candidate of another width."""

    def __init__(self):
        super().__init__()
        self.pick = nw.inputs("node", 2)
        self.edges = self.pick.each(
            lambda j: nw.one_of(f"edge{j}", a=lambda: nn.Conv2d(3, 3, 1), b=lambda: nn.Conv2d(3, 3 + 2 * j, 1))
        )

    def forward(self, x):
        return self.pick([x, x + 1], self.edges)


@pytest.mark.parametrize("laid_out", [False, True])
def test_of_unlike_candidates_on_connections_the_inner_decision_is_named(laid_out):
    """Not the one that picks the connection."""
    supernet = Supernet(nw.SearchSpace(UnlikeEdges))
    supernet.board.laid_out = laid_out
    ways = {decision.name: Way((0, 1), torch.full((2,), 0.5)) for decision in supernet.space.decisions}
    with pytest.raises(SpaceError, match="decision 'edge1' cannot be mixed: 'a' gives 2×3×4×4, 'b' gives 2×5×4×4"):
        supernet.mixed(ways)(torch.randn(2, 3, 4, 4))


class Narrow(nn.Module):
    """Candidates of which torch would add one to every column, or to every channel, of the other."""

    def __init__(self, images):
        super().__init__()
        self.op = nw.one_of(
            "op", **{name: lambda w=w: nn.Conv2d(3, w, 1) if images else nn.Linear(3, w) for name, w in OF_WIDTHS}
        )

    def forward(self, x):
        return self.op(x)


OF_WIDTHS = (("one", 1), ("ten", 10))


@pytest.mark.parametrize(("shape", "shapes"), [((2, 3), ("2×1", "2×10")), ((2, 3, 4, 4), ("2×1×4×4", "2×10×4×4"))])
@pytest.mark.parametrize("laid_out", [False, True])
def test_candidates_are_not_broadcast_in_a_mixture(shape, shapes, laid_out):
    """A sum that is wider than one of its candidates stands for no network of the space."""
    supernet = Supernet(nw.SearchSpace(Narrow, images=len(shape) == 4))
    supernet.board.laid_out = laid_out
    words = "decision 'op' cannot be mixed: 'one' gives {}, 'ten' gives {}".format(*shapes)
    with pytest.raises(SpaceError, match=re.escape(words)):
        supernet.mixed({"op": Way((0, 1), torch.full((2,), 0.5))})(torch.randn(shape))
