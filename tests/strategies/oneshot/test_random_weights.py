"""Random search with shared weights: what it trains, and what it prefers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from tests.strategies.oneshot.learning import PAIRS, begun, goes_on_exactly, labelled, took
from torch import nn

import netwright as nw
from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.strategies.oneshot import RandomWeights
from netwright.strategies.oneshot.rewards import reward
from netwright.supernet import Supernet


def trained(method, steps=12, **options):
    supernet = begun(method, steps=steps, **options)
    took(method, supernet, range(steps), labelled(steps))
    return supernet


def test_a_step_is_that_of_sgd_on_one_random_path():
    """The path is drawn by the seed and the number of the step; its gradient is cut to .25."""
    method = RandomWeights()
    supernet = begun(method)
    twin = Supernet(supernet.space, seed=1)
    (train, valid) = labelled(2)
    train = (100 * train[0], train[1])
    network = twin.at(twin.space.sample(np.random.default_rng([3, 0])))
    optimizer = torch.optim.SGD(twin.network.parameters(), 0.025, momentum=0.9, weight_decay=3e-4)
    nn.functional.cross_entropy(network(train[0]), train[1]).backward()
    assert nn.utils.clip_grad_norm_(twin.network.parameters(), 0.25) > 0.25
    optimizer.step()
    method.step(0, train, valid)
    for mine, theirs in zip(supernet.network.parameters(), twin.network.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_paths_are_uniform():
    """Each of the four architectures is trained as often as every other, within chance."""
    method, calls = RandomWeights(), Counter()
    supernet = begun(method, steps=800)
    data = labelled(2)
    for number in range(800):
        method.step(number, *data)
        calls[supernet.board.ways["a"].positions + supernet.board.ways["b"].positions] += 1
    assert all(150 < count < 250 for count in calls.values())
    assert len(calls) == 4


def test_the_ranking_is_that_of_the_scores():
    """All four are scored on the last ten validation batches, and the best comes first; again the same."""
    method = RandomWeights(samples=100)
    supernet = trained(method)
    assert len(method._last.batches) == 10
    assert torch.equal(method._last.batches[-1][0], labelled(12)[0][0])
    scores = {pair: reward(supernet, pair, method._course, method._last.batches) for pair in map(Architecture, PAIRS)}
    found = method.ranked(4)
    assert sorted(scores.values(), reverse=True) == [scores[architecture] for architecture in found]
    assert method.ranked(4) == found
    assert method.ranked(2) == found[:2]


def test_a_part_of_the_space_is_ranked_alone():
    """What its rule refuses is not scored."""
    method = RandomWeights(samples=50)
    supernet = trained(method)
    part = supernet.space.restrict(lambda architecture: architecture["a"] == "q")
    assert {architecture["a"] for architecture in method.ranked(9, part)} == {"q"}
    assert len(method.ranked(9, part)) == 2


def test_numbers_are_scored_by_their_loss():
    """A regression prefers what has the smaller loss, in a score between 0 and 1."""

    class Line(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nw.one_of("a", right=nn.Identity, wrong=lambda: nn.Hardtanh(0.0, 1e-6))
            self.head = nn.Linear(3, 1)

        def forward(self, x):
            return self.head(self.a(x))

    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(1))
    batch = (x, x.sum(1, keepdim=True))
    method = RandomWeights(lr=0.1, clip=5.0, samples=20)
    supernet = begun(method, Line, steps=60, loss=nn.functional.mse_loss)
    for number in range(60):
        method.step(number, batch, batch)
    first, second = method.ranked(2)
    scores = [reward(supernet, architecture, method._course, [batch]) for architecture in (first, second)]
    assert first["a"] == "right"
    assert 1 >= scores[0] > scores[1] > 0


def test_a_checkpoint_goes_on_exactly():
    """Ten steps, a checkpoint and five more are as fifteen, with the batches that are kept for the ranking."""
    assert goes_on_exactly(RandomWeights)


def test_at_least_one_is_sampled():
    """Nothing else could be ranked."""
    with pytest.raises(InputError, match="samples"):
        RandomWeights(samples=0)
