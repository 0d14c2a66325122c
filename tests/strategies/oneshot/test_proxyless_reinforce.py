"""ProxylessNAS by REINFORCE: its gradient against enumeration, its baseline by hand, and exact resume."""

from __future__ import annotations

import itertools

import pytest
import torch
from tests.strategies.oneshot.learning import PAIRS, begun, goes_on_exactly, labelled
from torch import nn

import netwright as nw
from netwright.architecture import Architecture
from netwright.errors import InputError, SpaceError
from netwright.strategies.oneshot import Proxyless
from netwright.strategies.oneshot.rewards import reward

BATCH = labelled(1)[0]


def rewarded(method, supernet):
    """The reward of each of the four architectures."""
    return [reward(supernet, Architecture(pair), method._course, [BATCH]) for pair in PAIRS]


def probabilities(rows, pair):
    """Of an architecture by the two rows."""
    return torch.stack([row.softmax(0)["pq".index(pair[name])] for name, row in zip("ab", rows, strict=True)]).prod()


def test_the_mean_gradient_is_that_of_the_mean_reward():
    """Over all pairs of draws, each with its probability: ∇ of −E[R], less what the baseline knows of the draws."""
    method = Proxyless("reinforce", samples=2, decay=0.5)
    supernet = begun(method)
    rows = list(method._gates.alpha)
    with torch.no_grad():
        rows[0].copy_(torch.tensor([0.4, -0.2]))
    rewards = rewarded(method, supernet)
    exact = torch.autograd.grad(
        -sum(value * probabilities(rows, pair) for value, pair in zip(rewards, PAIRS, strict=True)), rows
    )
    found = [torch.zeros(2), torch.zeros(2)]
    method._numbers.step = lambda: None
    for two in itertools.product(PAIRS, repeat=2):
        draws, method._baseline = iter(two), 0.3
        method._draw = lambda _, draws=draws: Architecture(next(draws))
        method._learn_from_rewards(BATCH)
        weight = float((probabilities(rows, two[0]) * probabilities(rows, two[1])).detach())
        found = [total + weight * row.grad for total, row in zip(found, rows, strict=True)]
    assert len(set(rewards)) > 2
    # Half of the mean of the two rewards is in the baseline, so that each is a quarter of its own baseline.
    torch.testing.assert_close(found, [0.75 * part for part in exact], rtol=1e-4, atol=1e-7)


def test_the_baseline_is_the_mean_and_then_follows_it():
    """At first the mean reward of a batch of architectures; then nearer to the next by the factor."""
    method = Proxyless("reinforce", samples=4, warm_up=0.0, every=1, decay=0.25)
    supernet = begun(method)
    drawn = []
    draw = method._draw
    method._draw = lambda rows: drawn.append(draw(rows)) or drawn[-1]
    means = []
    for _ in range(2):
        drawn.clear()
        method._learn_from_rewards(BATCH)
        means.append(sum(reward(supernet, a, method._course, [BATCH]) for a in drawn) / 4)
        assert len(drawn) == 4
    assert method._baseline == pytest.approx(means[0] + 0.25 * (means[1] - means[0]))


def test_costs_reach_the_reward():
    """What the hardware makes of score and architecture is what is learned from."""

    class Cheap:
        def reward(self, score, architecture):
            return score * (1.0 if architecture["a"] == "q" else 0.01)

        def settled(self, probabilities):
            self.told = probabilities

    method = Proxyless("reinforce", warm_up=0.0, alpha_lr=0.05, every=1)
    hardware = Cheap()
    begun(method, hardware=hardware)
    for number in range(40):
        method.step(number, BATCH, BATCH)
    assert method.ranked(1)[0]["a"] == "q"
    assert method.probabilities()["a"][1] > 0.8
    assert set(hardware.told) == {"a", "b"}


def test_weights_and_statistics_rest_while_numbers_learn():
    """Scoring runs in evaluation mode with the statistics of the batch, and leaves no trace."""
    method = Proxyless("reinforce", warm_up=0.0)
    supernet = begun(method)
    before = supernet.checkpoint()
    method._learn_from_rewards(BATCH)
    assert all(torch.equal(before[name], tensor) for name, tensor in supernet.checkpoint().items())
    assert all(weight.grad is None for weight in supernet.network.parameters())
    assert supernet.network.norm.training
    assert supernet.network.norm.track_running_stats


def test_a_checkpoint_goes_on_exactly():
    """Ten steps, a checkpoint and five more are as fifteen, bit for bit."""
    assert goes_on_exactly(lambda: Proxyless("reinforce", warm_up=0.1, every=2))


def test_open_layers_on_connections_are_refused_by_name():
    """An edge that may be nothing is no architecture that could be rewarded."""

    class Node(nn.Module):
        def __init__(self):
            super().__init__()
            self.pick = nw.inputs("node", 3, pick=2)
            self.layers = self.pick.each(lambda i: nw.one_of(f"op{i}", p=nn.Identity, q=nn.Tanh))

        def forward(self, x):
            return self.pick([x, x, x], self.layers)

    with pytest.raises(SpaceError, match="what decision 'node' picks"):
        begun(Proxyless("reinforce"), Node)


def test_an_unknown_rule_is_refused():
    """With the two that there are."""
    with pytest.raises(InputError, match="gradient"):
        Proxyless("evolve")
