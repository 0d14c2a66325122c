"""One-shot methods: the published step of each, by hand or by exact differentiation on a toy."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from tests.strategies.oneshot.toys import Toy, batches
from torch import nn

import netwright as nw
from netwright.errors import InputError, SpaceError
from netwright.strategies.oneshot import DARTS, SPOS, Course, FairNAS
from netwright.supernet import Supernet
from netwright.supernet.relaxations import Softmax


def begun(method, *, steps=100):
    supernet = Supernet(nw.SearchSpace(Toy), seed=1).double()
    method.start(supernet, Course(steps, 1, nn.functional.mse_loss, seed=3))
    return supernet


def doubled(method):
    method.relaxation.double()
    return method


def unrolled(supernet, relaxation, train, valid, rate, decay):
    """The exact gradient of the validation loss one step of SGD ahead, by differentiating through the step."""
    names, weights = zip(*supernet.network.named_parameters(), strict=True)
    alphas = list(relaxation.parameters())

    def loss(values, batch):
        supernet.board.ways = relaxation.ways(torch.Generator())
        out = torch.func.functional_call(supernet.network, dict(zip(names, values, strict=True)), batch[0])
        return nn.functional.mse_loss(out, batch[1])

    slopes = torch.autograd.grad(loss(weights, train), weights, create_graph=True)
    ahead = [w - rate * (slope + decay * w) for w, slope in zip(weights, slopes, strict=True)]
    return torch.autograd.grad(loss(ahead, valid), alphas)


@pytest.mark.parametrize("rate", [0.025, 0.5])
def test_second_order_darts_is_exact_unrolled_differentiation(rate):
    """Its finite differences agree with differentiating through the step, and the first order does not."""
    method = DARTS(order=2, lr=rate, weight_decay=0.1)
    supernet = begun(method)
    doubled(method)
    train, valid = batches()
    exact = unrolled(supernet, method.relaxation, train, valid, rate, 0.1)
    alphas = list(method.relaxation.parameters())
    before = [w.detach().clone() for w in supernet.network.parameters()]
    found = method._second_order(train, valid)
    torch.testing.assert_close(list(exact), found, rtol=1e-3, atol=1e-8)
    assert all(torch.equal(a, b) for a, b in zip(before, supernet.network.parameters(), strict=True))
    first = torch.autograd.grad(method._duo.loss(valid), alphas)
    assert max((a - b).abs().max() for a, b in zip(exact, first, strict=True)) > 20 * max(
        (a - b).abs().max() for a, b in zip(exact, found, strict=True)
    )


def test_second_order_counts_the_momentum():
    """After a first step the weights ahead are where SGD with momentum would put them."""
    method = DARTS(order=2, lr=0.3)
    supernet = begun(method)
    doubled(method)
    train, valid = batches()
    method.step(0, train, valid)
    weight = next(iter(supernet.network.parameters()))
    seen = []
    loss = method._duo.course.loss
    method._duo.course = Course(100, 1, lambda out, y: (seen.append(weight.detach().clone()), loss(out, y))[1], 3)
    method._second_order(train, valid)
    ahead = seen[1]
    twin, optimizer = weight.detach().clone().requires_grad_(), None
    optimizer = torch.optim.SGD([twin], 0.3, momentum=0.9, weight_decay=3e-4)
    optimizer.state[twin]["momentum_buffer"] = method._duo.weights_optimizer.state[weight]["momentum_buffer"].clone()
    twin.grad = torch.autograd.grad(method._duo.loss(train), weight)[0]
    optimizer.param_groups[0]["lr"] = method._duo.weights_optimizer.param_groups[0]["lr"]
    optimizer.step()
    torch.testing.assert_close(twin.detach(), ahead)


def test_a_darts_step_is_the_published_one():
    """First the numbers by Adam on the other half, then the weights by SGD with the numbers that came of it."""
    method = DARTS(alpha_lr=0.1)
    supernet = begun(method)
    doubled(method)
    twin = Supernet(nw.SearchSpace(Toy), seed=1).double()
    relaxation = Softmax(twin, seed=3).double()
    numbers = torch.optim.Adam(relaxation.parameters(), 0.1, betas=(0.5, 0.999), weight_decay=1e-3)
    weights = torch.optim.SGD(twin.network.parameters(), 0.025, momentum=0.9, weight_decay=3e-4)
    train, valid = batches()
    nn.functional.mse_loss(twin.mixed(relaxation.ways(torch.Generator()))(valid[0]), valid[1]).backward()
    numbers.step()
    twin.network.zero_grad()
    nn.functional.mse_loss(twin.mixed(relaxation.ways(torch.Generator()))(train[0]), train[1]).backward()
    nn.utils.clip_grad_norm_(twin.network.parameters(), 5.0)
    weights.step()
    method.step(0, train, valid)
    for a, b in zip(relaxation.parameters(), method.relaxation.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    for a, b in zip(twin.network.parameters(), supernet.network.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_what_darts_derives_is_deterministic():
    """The same numbers give the same architectures, and order is 1 or 2."""
    method = DARTS()
    begun(method)
    assert method.ranked(5) == method.ranked(5)
    assert len(set(method.ranked(9))) == 9
    with pytest.raises(InputError, match="order is 1 or 2, found 3"):
        DARTS(order=3)


def test_fairnas_updates_every_option_as_often():
    """In each step every candidate of every decision runs exactly once, in orders that are drawn anew."""
    method = FairNAS()
    supernet = begun(method)
    calls, pairs = Counter(), Counter()
    for name, module in supernet.network.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(lambda *_, name=name: calls.update([name]))
    train, _ = batches()
    for number in range(30):
        before = {name: w.detach().clone() for name, w in supernet.network.named_parameters()}
        method.step(number, train, None)
        assert set(calls.values()) == {number + 1}
        assert all(not torch.equal(before[name], w) for name, w in supernet.network.named_parameters())
        pairs.update([supernet.board.ways["a"].positions + supernet.board.ways["b"].positions])
    assert len(calls) == 6
    assert len(pairs) > 4


def test_fairnas_adds_the_gradients_of_disjoint_paths():
    """One step of SGD with the sum of the gradients of the paths."""
    method = FairNAS(lr=0.1, momentum=0.0, weight_decay=0.0)
    supernet = begun(method)
    twin = Supernet(nw.SearchSpace(Toy), seed=1).double()
    train, _ = batches()
    rng = np.random.default_rng([3, 0])
    orders = {name: rng.permutation(3) for name in "ab"}
    for place in range(3):
        a = {name: "pqr"[order[place]] for name, order in orders.items()}
        nn.functional.mse_loss(twin.at(a)(train[0]), train[1]).backward()
    method.step(0, train, None)
    for mine, theirs in zip(supernet.network.parameters(), twin.network.parameters(), strict=True):
        torch.testing.assert_close(theirs.detach() - 0.1 * theirs.grad, mine.detach())


def test_fairnas_refuses_what_cannot_be_fair():
    """Decisions with other numbers of candidates, or that are not always asked, by name."""

    class Uneven(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nw.one_of("a", p=lambda: nn.Linear(3, 3), q=nn.Identity)
            self.b = nw.one_of("b", p=lambda: nn.Linear(3, 3), q=nn.Identity, r=nn.Identity)

    with pytest.raises(SpaceError, match=r"strict fairness .* 'a' and 'b' are not.*spos"):
        FairNAS().start(Supernet(nw.SearchSpace(Uneven)), Course(1, 1, nn.functional.mse_loss))


def test_fairnas_refuses_a_space_with_a_rule():
    """Its paths combine options freely, whatever the rule says; the space is named."""
    space = nw.SearchSpace(Toy, where=lambda architecture: architecture["a"] != architecture["b"])
    with pytest.raises(SpaceError, match=r"the rule `where` of Toy refuses some combinations.*spos"):
        FairNAS().start(Supernet(space), Course(1, 1, nn.functional.mse_loss))


def test_fairnas_needs_something_open():
    """A space whose decisions are all fixed is refused in words."""
    with pytest.raises(SpaceError, match="every decision of the space is fixed"):
        FairNAS().start(Supernet(nw.SearchSpace(Toy).fix(a="r", b="p")), Course(1, 1, nn.functional.mse_loss))


def test_spos_trains_one_uniform_path_a_step():
    """One operation of each decision runs, each as often as every other, and only its weights move."""
    method = SPOS(weight_decay=0.0)
    supernet = begun(method, steps=2_000)
    calls = Counter()
    for name, module in supernet.network.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(lambda *_, name=name: calls.update([name]))
    train, _ = batches()
    before = {name: w.detach().clone() for name, w in supernet.network.named_parameters()}
    method.step(0, train, None)
    moved = {
        name.rpartition(".")[0] for name, w in supernet.network.named_parameters() if not torch.equal(before[name], w)
    }
    assert moved == set(calls)
    assert len(calls) == 2
    for number in range(1, 900):
        method.step(number, train, None)
    assert sum(calls.values()) == 1_800
    assert all(240 < count < 360 for count in calls.values())
    assert method.ranked(3) is None


def test_fairnas_leaves_fixed_decisions_alone():
    """What the space fixes runs in every path, at its own option."""
    space = nw.SearchSpace(Toy).fix(a="r")
    supernet, method = Supernet(space, seed=1).double(), FairNAS()
    method.start(supernet, Course(4, 1, nn.functional.mse_loss, seed=3))
    method.step(0, batches()[0], None)
    assert [candidate.weight.grad is not None for candidate in supernet.network.a.candidates] == [False, False, True]
    assert all(candidate.weight.grad is not None for candidate in supernet.network.b.candidates)
