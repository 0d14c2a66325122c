"""The default strategy."""

import numpy as np
import pytest
from tests.strategies.player import dial_sum, differing, play, started, trial

from netwright.errors import ArchitectureError, InputError
from netwright.strategies import Auto, Random
from netwright.testing import toy
from netwright.trial import Objective, State

FULL = {"width": 4, "kernel": 3, "bias": True, "activation": "relu"}
PARTIAL = {"width": 2, "activation": "tanh"}


def test_starts_come_first_as_they_are():
    """A whole start is proposed as it is, a partial one with the rest drawn."""
    first, second, third = play(started(Auto([FULL, PARTIAL]), "flat"), 3)
    assert dict(first.architecture) == FULL
    assert dict(second.architecture).items() >= PARTIAL.items()
    assert (first.inherits, second.inherits, third.inherits) == (None, None, None)


def test_a_start_is_not_proposed_twice():
    """The same start again is passed over."""
    proposals = play(started(Auto([FULL, FULL]), "flat"), 20)
    assert [dict(p.architecture) for p in proposals if dict(p.architecture) == FULL] == [FULL]


@pytest.mark.parametrize("start", [{"depth": 3}, {"width": 99}])
def test_a_start_that_does_not_fit_is_refused_at_once(start):
    """The space's own sentence, before anything is proposed."""
    with pytest.raises(ArchitectureError, match=r"depth|width"):
        started(Auto([start]), "flat")


def test_a_start_beyond_the_limits_is_left_out():
    """Where the limits of the space refuse a start, the search begins with the next."""
    space = toy.SPACES["flat"]().restrict(lambda architecture: architecture["width"] < 4)
    proposals = play(started(Auto([FULL, PARTIAL]), space), 40)
    assert dict(proposals[0].architecture).items() >= PARTIAL.items()
    assert len(proposals) == 16


@pytest.mark.parametrize(("starts", "first"), [(0, 10), (2, 10), (8, 13)])
def test_random_ones_follow(starts, first):
    """At least five random architectures after the starts, ten of both at least; then children."""
    given = [{"dial00": number % 4, "dial01": number // 4} for number in range(starts)]
    proposals = play(started(Auto(given)), 20)
    assert [None] * first == [proposal.inherits for proposal in proposals[:first]]
    assert all(proposal.inherits is not None for proposal in proposals[first:])


@pytest.mark.parametrize(("space", "size"), [("flat", 24), ("conditional", 168), ("constrained", 20), ("point", 1)])
def test_every_architecture_once(space, size):
    """It exhausts a small space without a repetition, and then proposes nothing."""
    strategy = started(Auto(), space)
    proposals = play(strategy, 1_000)
    assert size == len(proposals) == len({proposal.architecture for proposal in proposals})
    assert play(strategy, 2) == []


def test_children_are_one_mutation_away():
    """Where its neighbourhood is fresh, a child differs from its parent in one decision."""
    proposals = play(started(Auto()), 60, score=dial_sum)
    steps = [len(differing(proposals[p.inherits].architecture, p.architecture)) for p in proposals if p.inherits]
    assert np.mean(np.array(steps) == 1) > 0.9


def test_it_does_not_repeat_what_it_was_told():
    """An architecture that it did not propose itself is no news either."""
    strategy = started(Auto(), "flat")
    known = toy.SPACES["flat"]().validate(FULL)
    strategy.tell(trial(1_000, known, score=1.0))
    assert known not in [proposal.architecture for proposal in play(strategy, 50)]


def test_it_learns():
    """In a hundred trials of a smooth space it gets farther than random search, for each of ten seeds."""
    for seed in range(10):
        best = {}
        for make in (Auto, Random):
            proposals = play(started(make()), 100, seed=seed, score=dial_sum)
            best[make] = max(dial_sum(proposal.architecture)["score"] for proposal in proposals)
        assert best[Auto] > best[Random]


def test_the_oldest_leaves_with_one_objective():
    """The population is the latest twenty with a score."""
    strategy = started(Auto())
    play(strategy, 30, state=lambda number: State.FAILED if number == 25 else State.FINISHED)
    assert [*range(9, 25), *range(26, 30)] == list(strategy.heirs())


def test_the_front_stays_with_several_objectives():
    """With two objectives a dominated member leaves, not the oldest: both ends of the front stay."""
    objectives = (toy.OBJECTIVE, Objective("price", "minimize"))
    strategy = started(Auto(population=3), objectives=objectives)
    rng = np.random.default_rng(0)
    points = [(1.0, 0.0), (9.0, 9.0), (5.0, 4.0), (4.0, 8.0), (2.0, 9.0)]
    for number, (score, price) in enumerate(points):
        strategy.tell(trial(number, strategy.space.sample(rng), score=score, price=price))
    assert list(strategy.heirs()) == [0, 1, 2]


def test_the_crowded_leave_with_several_objectives():
    """Among equals in rank, the one with the nearest neighbours leaves."""
    objectives = (toy.OBJECTIVE, Objective("price", "minimize"))
    strategy = started(Auto(population=3), objectives=objectives)
    rng = np.random.default_rng(0)
    for number, (score, price) in enumerate([(0.0, 0.0), (9.0, 9.0), (1.0, 1.0), (5.0, 5.0)]):
        strategy.tell(trial(number, strategy.space.sample(rng), score=score, price=price))
    assert list(strategy.heirs()) == [0, 1, 3]


def test_tournaments_prefer_the_front():
    """With two objectives a large tournament takes a member of the front as the parent."""
    objectives = (toy.OBJECTIVE, Objective("price", "minimize"))
    strategy = started(Auto(population=10, tournament=100), objectives=objectives)
    rng = np.random.default_rng(0)
    points = [(1.0, 5.0), (2.0, 1.0), *[(0.5, 6.0 + n) for n in range(8)]]
    for number, (score, price) in enumerate(points):
        strategy.tell(trial(number, strategy.space.sample(rng), score=score, price=price))
    assert {strategy.ask(rng).inherits for _ in range(20)} == {1}


@pytest.mark.parametrize("arguments", [{"population": 0}, {"tournament": "5"}])
def test_bad_parameters_are_named(arguments):
    """A population and a tournament are whole numbers of at least 1."""
    with pytest.raises(InputError, match=f"{next(iter(arguments))} is a whole number of at least 1"):
        Auto(**arguments)
