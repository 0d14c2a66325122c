"""PC-DARTS: its mixture and its step against ones written by hand, what it derives, and what it refuses."""

from __future__ import annotations

import copy

import pytest
import torch
from tests.strategies.oneshot.learning import begun, goes_on_exactly, kept, restored
from torch import nn
from torch.nn import functional

import netwright as nw
from netwright.errors import InputError, SpaceError
from netwright.strategies.oneshot import PCDARTS, Costs, Course
from netwright.supernet import Supernet
from netwright.supernet.operations import OperationTable
from netwright.supernet.partial_channels import EdgeNormalised, narrow, shuffled
from netwright.supernet.penalties import Added, Lagrangian, Multiplied
from netwright.zoo import darts, nasbench201


def edge(name, channels=8, stride=1):
    return nw.one_of(
        name,
        conv=lambda: nn.Sequential(nn.Conv2d(channels, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels)),
        deep=lambda: nn.Conv2d(channels, channels, 3, stride, 1, groups=channels),
        pool=lambda: nn.AvgPool2d(3, stride, 1),
    )


class Node(nn.Module):
    """A node with two connections of three, the first of which halves the resolution, on eight channels."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 1)
        self.small = nn.MaxPool2d(2)
        self.pick = nw.inputs("node", 3, pick=2)
        self.edges = self.pick.each(lambda i: edge(f"edge{i}", stride=1 if i else 2))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = self.stem(x)
        small = self.small(x)
        return self.head(self.pick([x, small, -small], self.edges).mean((2, 3)))


def images(count=2, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return [(torch.randn(6, 1, 4, 4, generator=draw), torch.randint(3, (6,), generator=draw)) for _ in range(count)]


def by_hand(supernet, relaxation, x):
    """The node's mixture as published: K = 4, channels shuffled, connections weighed by a softmax of their own."""
    network = supernet.network
    x = network.stem(x)
    small = network.small(x)
    beta, total = relaxation.beta[0].softmax(0), 0.0
    for index, state in enumerate([x, small, -small]):
        # Three options, and a connection may be nothing: its fourth number.
        row = relaxation.alpha[index].softmax(0)
        assert len(row) == 4
        candidates = network.edges.all[index].candidates
        part = sum(w * op(state[:, :2]) for w, op in zip(row, candidates, strict=False))
        rest = state[:, 2:] if index else functional.max_pool2d(state[:, 2:], 2, 2)
        joined = torch.cat([part, rest], 1)
        n, c, h, w = joined.shape
        total = total + beta[index] * joined.view(n, 4, c // 4, h, w).transpose(1, 2).reshape(n, c, h, w)
    return network.head(total.mean((2, 3)))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_mixture_is_the_one_by_hand(layout):
    """Outputs and the gradients of both kinds of numbers, for each way in which images lie in memory."""
    method = PCDARTS()
    supernet = begun(method, Node)
    relaxation = method.relaxation
    with torch.no_grad():
        for row in relaxation.parameters():
            row.normal_(generator=torch.Generator().manual_seed(len(row)))
    x = images()[0][0].to(memory_format=layout)
    found = supernet.mixed(relaxation.ways(torch.Generator()))(x)
    expected = by_hand(supernet, relaxation, x)
    torch.testing.assert_close(found, expected)
    numbers = list(relaxation.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(found.square().sum(), numbers), torch.autograd.grad(expected.square().sum(), numbers)
    )


def test_channels_are_shuffled_as_published():
    """The first of each group, then the second; in both layouts, and for any number of dimensions."""
    x = torch.arange(8.0).reshape(1, 8, 1, 1).repeat(2, 1, 3, 2)
    order = [0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0]
    assert shuffled(x, 4)[1, :, 2, 1].tolist() == order
    last = shuffled(x.to(memory_format=torch.channels_last), 4)
    assert last[1, :, 2, 1].tolist() == order
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert shuffled(x[:, :, 0, 0], 4)[0].tolist() == order


def test_a_step_is_first_order_darts_on_both_kinds_of_numbers():
    """Adam on α and β with validation data, then SGD on the weights with the numbers that came of it."""
    method = PCDARTS(rest=0.0)
    supernet = begun(method, Node)
    twin = Supernet(nw.SearchSpace(Node), seed=1)
    relaxation = EdgeNormalised(twin, seed=3)
    narrow(twin, 4, relaxation)
    numbers = torch.optim.Adam(relaxation.parameters(), 6e-4, betas=(0.5, 0.999), weight_decay=1e-3)
    weights = torch.optim.SGD(twin.network.parameters(), 0.1, momentum=0.9, weight_decay=3e-4)
    train, valid = images()
    functional.cross_entropy(twin.mixed(relaxation.ways(torch.Generator()))(valid[0]), valid[1]).backward()
    numbers.step()
    twin.network.zero_grad()
    functional.cross_entropy(twin.mixed(relaxation.ways(torch.Generator()))(train[0]), train[1]).backward()
    nn.utils.clip_grad_norm_(twin.network.parameters(), 5.0)
    weights.step()
    method.step(0, train, valid)
    torch.testing.assert_close(list(relaxation.parameters()), list(method.relaxation.parameters()))
    torch.testing.assert_close(list(twin.network.parameters()), list(supernet.network.parameters()))


def test_numbers_rest_for_the_first_epochs():
    """15 of 50, while the weights learn; then all of them move."""
    method = PCDARTS()
    begun(method, Node, steps=10)
    moved = []
    for number in range(10):
        before = [row.detach().clone() for row in method.relaxation.parameters()]
        method.step(number, *images())
        after = list(method.relaxation.parameters())
        moved.append({not torch.equal(a, b) for a, b in zip(before, after, strict=True)})
    assert moved == [{False}] * 3 + [{True}] * 7


class Dear(nn.Module):
    """A node of one connection of three: the first of its layers costs most, the last least."""

    def __init__(self):
        super().__init__()
        self.pick = nw.inputs("node", 3, pick=1)
        self.edges = self.pick.each(lambda i: nw.one_of(f"edge{i}", **dict.fromkeys("pq", self.layer(3 - i))))

    @staticmethod
    def layer(count):
        return lambda: nn.Sequential(*(nn.Conv2d(8, 8, 1) for _ in range(count)))

    def forward(self, x):
        return self.pick([x, x, x], self.edges).mean((2, 3))


@pytest.mark.parametrize("form", [Added(100.0, 1.0), Multiplied(100.0), Lagrangian(50.0, weight=1.0)], ids=type)
def test_a_price_reaches_the_numbers_of_connections(form):
    """With a loss that says nothing, what costs least is picked, whatever form the price has."""
    table = OperationTable.parameters(Supernet(nw.SearchSpace(Dear)))
    method, batch = PCDARTS(rest=0.0, alpha_lr=0.05), (torch.randn(4, 8, 2, 2), torch.zeros(4, dtype=torch.long))
    silent = lambda outputs, _: 0.0 * outputs.sum() + 1.0  # noqa: E731
    begun(method, Dear, loss=silent, hardware=Costs([(table, form)]))
    for number in range(20):
        method.step(number, batch, batch)
    assert int(method.relaxation.beta[0].argmax()) == 2
    assert method.ranked(1)[0]["node"] == (2,)


def test_candidates_are_a_quarter_as_wide():
    """Weights, groups and statistics; initial weights are as large as those of fewer inputs would be."""
    full = Supernet(nw.SearchSpace(Node), seed=1)
    supernet = begun(PCDARTS(), Node)
    conv, norm = supernet.network.edges.all[1].candidates[0]
    deep = supernet.network.edges.all[1].candidates[1]
    assert (conv.in_channels, conv.out_channels, tuple(conv.weight.shape)) == (2, 2, (2, 2, 3, 3))
    assert (norm.num_features, tuple(norm.running_var.shape)) == (2, (2,))
    assert (deep.groups, tuple(deep.weight.shape), tuple(deep.bias.shape)) == (2, (2, 1, 3, 3), (2,))
    before = full.network.edges.all[1].candidates
    assert torch.equal(2 * before[0][0].weight[:2, :2], conv.weight)
    assert torch.equal(before[1].weight[:2], deep.weight)


def test_connections_are_picked_by_the_product():
    """Of what their best operation and they themselves count for."""
    method = PCDARTS()
    begun(method, Node)
    with torch.no_grad():
        for row, values in zip(method.relaxation.alpha, ([3.0, 0, 0], [2.0, 0, 0], [0, 1.0, 0]), strict=True):
            row.copy_(torch.tensor([*values, 0.0][: len(row)]))
        method.relaxation.beta[0].zero_()
    assert method.ranked(1)[0]["node"] == (0, 1)
    with torch.no_grad():
        method.relaxation.beta[0].copy_(torch.tensor([-9.0, 0.0, 0.0]))
    assert dict(method.ranked(1)[0]) == {"node": (1, 2), "edge1": "conv", "edge2": "deep"}


def test_what_is_found_is_an_ordinary_architecture():
    """With all its channels, built from scratch; the narrow weights are not handed out for it."""
    method = PCDARTS()
    supernet = begun(method, Node)
    architecture = method.ranked(1)[0]
    network = supernet.space.build(architecture)
    widths = {layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d)}
    assert widths <= {8}
    with pytest.raises(SpaceError, match="no weights for whole architectures"):
        supernet.extract(architecture)


def test_a_single_path_runs_through_its_part():
    """An architecture can be scored by the shared weights; its connections then count for one each."""
    method = PCDARTS()
    supernet = begun(method, Node)
    x = images()[0][0]
    before = supernet.at({"node": (1, 2), "edge1": "conv", "edge2": "pool"})(x)
    with torch.no_grad():
        method.relaxation.beta[0].copy_(torch.tensor([5.0, 1.0, -3.0]))
    assert torch.equal(before, supernet.at({"node": (1, 2), "edge1": "conv", "edge2": "pool"})(x))


def test_the_published_spaces_are_taken():
    """The cells of DARTS, where all connections have numbers, and NAS-Bench-201, where none has."""
    for space, nodes in (
        (darts.space(input_shape=(1, 8, 8), classes=3, channels=8, cells=3), 8),
        (nasbench201.space(input_shape=(1, 8, 8), classes=3, channels=4, cells=1), 0),
    ):
        method = PCDARTS(rest=0.0)
        method.start(Supernet(space), Course(2, 1, functional.cross_entropy))
        x, y = torch.randn(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
        assert torch.isfinite(method.step(0, (x, y), (x, y)))
        assert len(method.relaxation.beta) == nodes
        assert method.ranked(1)[0] in space


def test_a_checkpoint_goes_on_exactly():
    """Ten steps, a checkpoint and five more are as fifteen, bit for bit."""
    assert goes_on_exactly(PCDARTS, Node, data=images(15))


def test_starting_again_does_not_narrow_twice():
    """The supernet stays as narrow as it is, and the new numbers count."""
    supernet = begun(PCDARTS(), Node)
    again = PCDARTS(rest=0.0)
    again.start(supernet, Course(2, 1, functional.cross_entropy))
    assert supernet.network.edges.all[1].candidates[0][0].in_channels == 2
    before = [beta.detach().clone() for beta in again.relaxation.beta]
    again.step(0, *images())
    assert not torch.equal(before[0], again.relaxation.beta[0])
    with pytest.raises(SpaceError, match="one part in 4"):
        PCDARTS(2).start(supernet, Course(2, 1, functional.cross_entropy))


def test_a_copy_goes_its_own_way():
    """A supernet can be copied with its mixtures, and gives the same."""
    method = PCDARTS()
    supernet = begun(method, Node)
    twin = copy.deepcopy(supernet)
    x = images()[0][0]
    ways = method.relaxation.ways(torch.Generator())
    assert torch.equal(supernet.mixed(ways)(x), twin.mixed(ways)(x))


def one(*candidates):
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.op = nw.one_of("op", **dict(zip("pq", candidates, strict=False)))

        def forward(self, x):
            return self.op(x)

    return One


@pytest.mark.parametrize(
    ("candidates", "reason"),
    [
        ((lambda: nn.Conv2d(8, 16, 1), lambda: nn.Conv2d(8, 16, 3)), "candidate 'p' gives another number of channels"),
        ((lambda: nn.Conv2d(6, 6, 1), nn.Identity), "the 6 channels of a Conv2d cannot be divided by 4"),
        ((nn.Identity, lambda: nn.LSTM(8, 8)), "how to divide the channels of a LSTM is not known"),
        ((nn.Identity, lambda: nn.Conv2d(24, 24, 1, groups=4)), "a convolution of 4 groups would have 6 channels"),
        ((nn.Identity, lambda: nn.Sequential(nn.Conv2d(8, 8, 1), nn.Unflatten(1, (8, 1)))), "does not run on a part"),
    ],
)
def test_what_cannot_be_divided_is_refused_by_name(candidates, reason):
    """Before anything is changed, with what could be used instead."""
    supernet = Supernet(nw.SearchSpace(one(*candidates)))
    before = {name: tensor.shape for name, tensor in supernet.checkpoint().items()}
    with pytest.raises(SpaceError, match=rf"decision 'op' .*{reason}") as error:
        PCDARTS().start(supernet, Course(1, 1, functional.cross_entropy))
    assert "darts" in str(error.value.hint)
    assert before == {name: tensor.shape for name, tensor in supernet.checkpoint().items()}


def test_a_space_without_layers_to_mix_is_refused():
    """And so are nonsensical parts."""

    class Depth(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nw.repeat("depth", lambda i: nn.Linear(8, 8), 1, 2)

    with pytest.raises(SpaceError, match="no decision by one_of"):
        PCDARTS().start(Supernet(nw.SearchSpace(Depth)), Course(1, 1, functional.cross_entropy))
    with pytest.raises(InputError, match="parts"):
        PCDARTS(1)


def test_a_checkpoint_is_of_the_narrow_supernet():
    """What is kept has the narrow shapes, and a new search takes it."""
    method, other = PCDARTS(), PCDARTS()
    supernet, twin = begun(method, Node), begun(other, Node, seed=8)
    method.step(0, *images())
    state = kept(method, supernet)
    restored(other, twin, state)
    assert state[0]["edges.1.candidates.0.0.weight"].shape == (2, 2, 3, 3)
    assert torch.equal(twin.network.edges.all[1].candidates[0][0].weight, state[0]["edges.1.candidates.0.0.weight"])
