"""SNAS, GDAS, DrNAS and ProxylessNAS: what a step of each runs, and what it moves."""

from __future__ import annotations

import pytest
import torch
from tests.strategies.oneshot.toys import Toy, batches
from torch import nn

import netwright as nw
from netwright.strategies.oneshot import DARTS, GDAS, SNAS, Course, DrNAS, Proxyless
from netwright.supernet import Supernet

KINDS = (DARTS, SNAS, GDAS, DrNAS, Proxyless)


def begun(method, steps=40, seed=3):
    """A method on a toy whose option r is right: the targets are what a supernet with r alone could give."""
    supernet = Supernet(nw.SearchSpace(Toy), seed=1)
    method.start(supernet, Course(steps, 1, nn.functional.mse_loss, seed))
    return supernet


def alphas(method):
    return torch.stack([row.detach().clone() for row in method.probabilities().values()])


def counted(supernet):
    calls = []
    for name, module in supernet.network.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(lambda *_, name=name: calls.append(name))
    return calls


def data():
    return [(x.float(), y.float()) for x, y in batches()]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_search(kind):
    """Weights, numbers and what is derived, whatever the global generator did; another seed differs."""
    train, valid = data()
    found = []
    for seed in (3, 3, 4):
        torch.manual_seed(len(found))
        method = kind()
        supernet = begun(method, seed=seed)
        for number in range(40):
            method.step(number, train, valid)
        found.append((alphas(method), next(iter(supernet.network.parameters())).detach().clone(), method.ranked(3)))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    assert found[0][2] == found[1][2]
    assert not torch.equal(found[0][0], found[2][0])


class Clear(nn.Module):
    """One decision whose right answer is beyond doubt: identity, or nothing of use."""

    def __init__(self):
        super().__init__()
        self.op = nw.one_of(
            "op", dead=lambda: nn.Hardtanh(0.0, 1e-6), right=nn.Identity, late=lambda: nn.Hardtanh(0.5, 0.6)
        )
        self.scale = nn.Linear(3, 3)

    def forward(self, x):
        return self.scale(self.op(x))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not GDAS])
def test_the_right_option_is_found(kind):
    """On a toy where one option alone can answer, its probability grows past all others.

    GDAS, as published, takes what does not run for a constant one, and prefers what is nearly constant here; its
    gradient is checked by hand beside its relaxation.
    """
    method = kind(alpha_lr=0.05)
    supernet = Supernet(nw.SearchSpace(Clear), seed=1)
    method.start(supernet, Course(200, 1, nn.functional.mse_loss, 0))
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    for number in range(200):
        method.step(number, (x, x), (x, x))
    share = method.probabilities()["op"].detach()
    assert method.ranked(1)[0]["op"] == "right"
    assert share[1] > 0.5


class Dropping(Toy):
    """The toy with dropout between its layers."""

    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.b(self.drop(torch.tanh(self.a(x))))


def test_both_sides_of_a_difference_drop_out_the_same_units():
    """Second-order DARTS divides what other masks would make of the loss by epsilon; every other pass has its own."""
    method, supernet = DARTS(2), Supernet(nw.SearchSpace(Dropping), seed=1)
    method.start(supernet, Course(40, 1, nn.functional.mse_loss, 3))
    masks = []
    supernet.network.drop.register_forward_hook(lambda _, inputs, outputs: masks.append(outputs == 0))
    train, valid = data()
    torch.manual_seed(0)
    method.step(0, train, valid)
    # A step ahead, its validation loss, the two sides, and the step of the weights.
    assert len(masks) == 5
    assert torch.equal(masks[2], masks[3])
    assert not torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[1], masks[2])


def test_gdas_runs_one_operation_of_each_decision():
    """In the steps of weights and of numbers alike, with a gradient for every number."""
    method = GDAS(alpha_lr=0.1)
    supernet = begun(method)
    calls, before = counted(supernet), alphas(method)
    method.step(0, *data())
    assert len(calls) == 4
    assert (alphas(method) != before).all()


def test_drnas_is_held_by_its_anchor():
    """The divergence is part of what the numbers learn from: a heavy anchor pulls them to the uniform Dirichlet."""
    distances = []
    for anchor in (0.0, 100.0):
        method = DrNAS(alpha_lr=0.1, anchor=anchor)
        begun(method)
        with torch.no_grad():
            for row in method.relaxation.alpha:
                row.copy_(torch.tensor([1.0, -1.0, 0.5]))
        for number in range(20):
            method.step(number, *data())
        distances.append(float(torch.stack([row.detach().abs().max() for row in method.relaxation.alpha]).max()))
    assert distances[1] < 0.5 < distances[0]


def test_temperatures_are_the_published():
    """GDAS from 10 along a line to .1, SNAS from 1 by a constant factor to .03."""
    for kind, first, middle, last in ((GDAS, 10.0, 5.05, 0.1), (SNAS, 1.0, 0.03**0.5, 0.03)):
        method = kind()
        begun(method, steps=3)
        seen = []
        for number in range(3):
            method.step(number, *data())
            seen.append(method.relaxation.temperature)
        assert seen == pytest.approx([first, middle, last])


def test_snas_learns_both_from_one_loss():
    """One forward pass a step, on training data; weights and numbers move."""
    method = SNAS(alpha_lr=0.1)
    supernet = begun(method)
    calls, before = counted(supernet), alphas(method)
    train, _ = data()
    method.step(0, train, None)
    assert len(calls) == 6
    assert (alphas(method) != before).all()


def test_a_proxyless_weight_step_runs_one_path_and_a_number_step_two():
    """While warming up the numbers rest; then each fifth step runs two options and moves the numbers of two."""
    method = Proxyless(alpha_lr=0.1, warm_up=0.5)
    supernet = begun(method, steps=20)
    calls, train_valid = counted(supernet), data()
    for number in range(20):
        before, count = alphas(method), len(calls)
        method.step(number, *train_valid)
        learns = number >= 10 and number % 5 == 0
        assert len(calls) - count == (2 + 4 if learns else 2)
        moved = (alphas(method) - before).abs() > 1e-6
        assert moved.sum(1).tolist() == ([2, 2] if learns else [0, 0])


def test_a_number_step_of_proxyless_leaves_the_weights_alone():
    """The gates learn, and no weight has a gradient of that pass."""
    method = Proxyless(warm_up=0.0)
    supernet = begun(method)
    weights = {name: w.detach().clone() for name, w in supernet.network.named_parameters()}
    method._learn_numbers(data()[1])
    assert all(torch.equal(weights[name], w) and w.grad is None for name, w in supernet.network.named_parameters())
