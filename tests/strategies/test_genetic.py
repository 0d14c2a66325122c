"""The genetic algorithm, against the textbook's loop."""

import numpy as np
import pytest
from scipy import stats
from tests.strategies.player import dial_sum, differing, play, started, trial

from netwright.errors import InputError
from netwright.strategies import Genetic
from netwright.testing import toy
from netwright.trial import Objective, State, Trial


def textbook(space, population_size, tournament, rate, leaving, cycles, seed):
    """A steady-state genetic algorithm line by line, in a space so large that nothing comes twice."""
    population, history = [], []

    def height(architecture):
        return dial_sum(architecture)["score"]

    def parent(rng):
        return max((population[index] for index in rng.integers(len(population), size=tournament)), key=height)

    while len(history) < cycles:
        rng = np.random.default_rng([seed, len(history)])
        if len(history) < population_size:
            child = space.sample(rng)
        else:
            mother, father = parent(rng), parent(rng)
            child = space.crossover(mother, father, rng) if rng.random() < rate else mother
            child = space.perturb(child, rng, 1 / 20)
            while child in history:
                child = space.mutate(child, rng)
        population.append(child)
        history.append(child)
        if len(population) > population_size:
            population.remove(population[0] if leaving == "oldest" else min(population, key=height))
    return history


@pytest.mark.parametrize(
    ("population", "tournament", "leaving"), [(20, 3, "worst"), (10, 2, "oldest"), (1, 1, "worst")]
)
def test_the_textbook(population, tournament, leaving):
    """The history is that of the textbook's loop."""
    space = toy.SPACES["dials"]()
    expected = textbook(space, population, tournament, 0.9, leaving, 250, seed=3)
    strategy = started(Genetic(population, tournament, leaving=leaving), space)
    assert expected == [proposal.architecture for proposal in play(strategy, 250, seed=3, score=dial_sum)]


def test_a_child_has_its_parents_answers():
    """With crossover alone every answer of a child is one of its parents', about half of them of each."""
    strategy = started(Genetic(2, 2, crossover=1.0, mutation=0.0))
    rng = np.random.default_rng(0)
    parents = [strategy.space.complete({f"dial{i:02}": value for i in range(20)}, rng) for value in (0, 3)]
    for number, parent in enumerate(parents):
        strategy.tell(trial(number, parent, score=1.0))
    shares = []
    for seed in range(200):
        values = list(strategy.ask(np.random.default_rng(seed)).architecture.values())
        if min(values.count(0), values.count(3)) > 1:  # else both parents were one, and the child its mutant
            assert set(values) == {0, 3}
            shares.append(values.count(3) / 20)
    assert len(shares) > 60
    assert np.mean(shares) == pytest.approx(0.5, abs=0.04)


def test_mutation_changes_one_decision_on_average():
    """Without crossover a child differs from its parent as often as n coins of probability 1/n say."""
    space = toy.SPACES["dials"]()
    parent = space.sample(np.random.default_rng(0))
    counts = [
        len(differing(parent, space.perturb(parent, np.random.default_rng(seed), 1 / 20))) for seed in range(2_000)
    ]
    expected = stats.binom(20, 1 / 20).pmf(range(4)) * 2_000
    found = np.bincount(counts, minlength=4)[:4]
    assert stats.chisquare([*found, 2_000 - found.sum()], [*expected, 2_000 - expected.sum()]).pvalue > 1e-3


def test_the_best_are_never_lost():
    """Where the worst leaves, the population is always the best so far; of equals the younger stay."""
    strategy = started(Genetic(4, 2))
    scores = []
    for number in range(40):
        proposal = strategy.ask(np.random.default_rng(number))
        scores.append(float(np.random.default_rng([7, number]).integers(6)))
        strategy.tell(Trial(number, proposal, State.FINISHED, {"score": scores[-1]}))
        best = sorted(range(number + 1), key=lambda n: (-scores[n], -n))[:4]
        assert sorted(best) == sorted(strategy.heirs())


def test_the_oldest_leaves():
    """Where the oldest leaves, the population is the latest trials, however good the first were."""
    strategy = started(Genetic(4, 2, leaving="oldest"))
    for number in range(9):
        proposal = strategy.ask(np.random.default_rng(number))
        strategy.tell(Trial(number, proposal, State.FINISHED, {"score": -float(number)}))
        assert list(range(max(0, number - 3), number + 1)) == list(strategy.heirs())


@pytest.mark.parametrize(("space", "size"), [("flat", 24), ("conditional", 168), ("constrained", 20), ("point", 1)])
def test_nothing_is_proposed_twice(space, size):
    """Every architecture of a small space once, and then nothing is left."""
    proposals = play(started(Genetic(5, 2), space), 1_000)
    assert size == len(proposals) == len({proposal.architecture for proposal in proposals})


def test_it_climbs():
    """It is far ahead of random search on a smooth landscape."""
    best = max(dial_sum(proposal.architecture)["score"] for proposal in play(started(Genetic()), 500, score=dial_sum))
    assert best >= 55  # of 60; the best of 500 random sums is about 45


@pytest.mark.parametrize("state", [State.FAILED, State.INFEASIBLE, State.PRUNED])
def test_who_joins(state):
    """Trials without a score never join; the first population is filled with others."""
    lost = {1, 3}
    found = play(started(Genetic(5, 2)), 12, state=lambda n: state if n in lost else State.FINISHED)
    assert [None] * 7 == [proposal.inherits for proposal in found[:7]]
    assert lost.isdisjoint({proposal.inherits for proposal in found})
    assert all(proposal.inherits is not None for proposal in found[7:])


def test_several_objectives_are_refused():
    """It says which there are and what to use."""
    objectives = (toy.OBJECTIVE, Objective("macs", "minimize"))
    with pytest.raises(InputError, match=r"one objective, found 2: score, macs\. Use the strategy NSGA2"):
        Genetic().start(toy.SPACES["flat"](), objectives)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"population": 0}, "population is a whole number of at least 1, found 0"),
        ({"tournament": 2.5}, "tournament is a whole number"),
        ({"crossover": 1.5}, "crossover is a probability, from 0 to 1, found 1.5"),
        ({"mutation": "often"}, "mutation is a probability"),
        ({"leaving": "best"}, "leaving is 'worst' or 'oldest', found 'best'"),
    ],
)
def test_bad_parameters_are_named(arguments, message):
    """The message says what was found and what was expected."""
    with pytest.raises(InputError, match=message):
        Genetic(**arguments)
