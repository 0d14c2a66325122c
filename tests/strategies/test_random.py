"""Random search."""

import collections

import pytest
from scipy import stats
from tests.strategies.player import play, started

from netwright.strategies import Random
from netwright.testing import toy


@pytest.mark.parametrize(("space", "size"), [("flat", 24), ("conditional", 168), ("constrained", 20), ("point", 1)])
def test_every_architecture_once(space, size):
    """It proposes all architectures of a small space, none twice, and then nothing."""
    strategy = started(Random(), space)
    proposals = play(strategy, 1_000)
    assert size == len(proposals) == len({proposal.architecture for proposal in proposals})
    assert play(strategy, 3) == []


def test_first_and_last_are_uniform():
    """Each of the 12 architectures is first, and last, about as often as any other."""
    space = toy.SPACES["shared"]()
    orders = [play(started(Random(), space), 12, seed=seed) for seed in range(600)]
    for place in (0, 11):
        counts = collections.Counter(order[place].architecture for order in orders)
        assert len(counts) == 12
        assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_what_is_left_is_drawn_uniformly(monkeypatch):
    """Written out, the architectures that are left are each as likely as any other."""
    monkeypatch.setattr("netwright.strategies.unseen.TRIES", 1)
    space = toy.SPACES["shared"]()
    orders = [play(started(Random(), space), 12, seed=seed) for seed in range(600)]
    assert all(len({proposal.architecture for proposal in order}) == 12 for order in orders)
    for place in (8, 11):
        counts = collections.Counter(order[place].architecture for order in orders)
        assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_a_continuous_space_has_no_end():
    """Where architectures cannot be counted it goes on."""
    assert len({p.architecture for p in play(started(Random(), "mixed"), 300)}) == 300


def test_a_large_space_is_not_written_out(monkeypatch):
    """Beyond the size that is written out, it repeats itself at the end rather than stop."""
    monkeypatch.setattr("netwright.strategies.unseen.ENUMERABLE", 10)
    proposals = play(started(Random(), "shared"), 40)
    assert (len(proposals), len({proposal.architecture for proposal in proposals})) == (40, 12)


def test_no_weights_are_kept():
    """Nothing is ever inherited."""
    strategy = started(Random())
    assert {None} == {proposal.inherits for proposal in play(strategy, 20)}
    assert list(strategy.heirs()) == []
