"""Known-good starts before any strategy, and what another study's ranking does for those that predict."""

import numpy as np
import pytest
from tests.strategies.player import dial_sum, play

from netwright.errors import InputError
from netwright.strategies import ASHA, Auto, Bananas, Bayesian, Evolution, Random, StartingFrom
from netwright.testing import check_strategy, toy

SPACE = toy.SPACES["dials"]()


def known(count=40, *, seed=9, score=dial_sum):
    """What a study of random architectures learnt: scores in another unit, in the same order."""
    rng = np.random.default_rng(seed)
    drawn = [SPACE.sample(rng) for _ in range(count)]
    return [(dict(architecture), 1000 * score(architecture)["score"] - 3) for architecture in drawn]


def best(strategy, trials):
    strategy.start(SPACE, (toy.OBJECTIVE,))
    return max(dial_sum(proposal.architecture)["score"] for proposal in play(strategy, trials, score=dial_sum))


def mean(strategy, trials):
    strategy.start(SPACE, (toy.OBJECTIVE,))
    return np.mean([dial_sum(each.architecture)["score"] for each in play(strategy, trials, score=dial_sum)])


def test_the_contract():
    """It is a strategy like any other, of those that it begins for."""
    check_strategy(lambda: StartingFrom(Evolution(population=6, tournament=2), []))


def test_starts_come_first_and_once():
    """In their order, each once; then the inner strategy goes on, which was told of them."""
    rng = np.random.default_rng(0)
    starts = [SPACE.sample(rng) for _ in range(3)]
    strategy = StartingFrom(Random(), [*starts, starts[0]])
    strategy.start(SPACE, (toy.OBJECTIVE,))
    proposed = [proposal.architecture for proposal in play(strategy, 6)]
    assert proposed[:3] == starts
    assert len(set(proposed)) == 6


def test_what_a_start_leaves_open_is_drawn():
    """A start with one answer is completed."""
    name, answer = next(iter(SPACE.sample(np.random.default_rng(1)).items()))
    strategy = StartingFrom(Random(), [{name: answer}])
    strategy.start(SPACE, (toy.OBJECTIVE,))
    (proposal,) = play(strategy, 1)
    assert proposal.architecture[name] == answer
    assert proposal.architecture in SPACE


def test_strategies_of_several_budgets_take_no_starts():
    """A start would be compared with what was trained for a shorter time."""
    with pytest.raises(InputError, match="ASHA trains networks for different budgets"):
        StartingFrom(ASHA(min_budget=1, max_budget=9), [])


@pytest.mark.parametrize("make", [Auto, Bayesian, Bananas])
def test_a_ranking_of_another_study_saves_trials(make):
    """With what 40 architectures were worth elsewhere, twelve trials are better on average than without."""
    assert mean(make(known=known()), 12) > mean(make(), 12)


@pytest.mark.parametrize("make", [Auto, Bayesian, Bananas])
def test_the_contract_with_a_ranking(make):
    """Resumes, ends and stays incremental as without."""
    check_strategy(lambda: make(known=known()), {"dials": SPACE})


def test_a_ranking_that_misleads_is_overruled():
    """Where the other study says the contrary, a few dozen trials still come within reach of the best."""
    wrong = known(score=lambda architecture: {"score": -dial_sum(architecture)["score"]})
    honest = best(Auto(), 40)
    assert best(Auto(known=wrong), 40) >= honest - 0.15 * abs(honest)


def test_what_the_space_does_not_have_is_passed_over():
    """Answers of another space teach nothing."""
    assert best(Auto(known=[({"no such decision": 1}, 1.0)]), 6) == best(Auto(), 6)
