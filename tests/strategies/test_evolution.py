"""Regularized evolution, against the paper's algorithm."""

import collections

import numpy as np
import pytest
from tests.strategies.player import dial_sum, differing, play, started, trial

from netwright.errors import InputError
from netwright.strategies import Evolution
from netwright.testing import toy
from netwright.trial import Objective, Proposal, State, Trial


def algorithm_1(space, population_size, sample_size, cycles, seed):
    """Real et al. 2019, algorithm 1, line by line; model and accuracy are a pair."""
    population, history = collections.deque(), []

    def generator():
        return np.random.default_rng([seed, len(history)])

    while len(population) < population_size:
        architecture = space.sample(generator())
        population.append((architecture, dial_sum(architecture)["score"]))
        history.append(architecture)
    while len(history) < cycles:
        rng = generator()
        sample = []
        for index in rng.integers(len(population), size=sample_size):
            sample.append(population[index])
        parent = max(sample, key=lambda model: model[1])
        child = space.mutate(parent[0], rng)
        population.append((child, dial_sum(child)["score"]))
        history.append(child)
        population.popleft()
    return history


@pytest.mark.parametrize(("population", "tournament"), [(100, 25), (10, 3), (5, 12), (1, 1)])
def test_algorithm_1(population, tournament):
    """The history is that of the published algorithm."""
    space = toy.SPACES["dials"]()
    expected = algorithm_1(space, population, tournament, 300, seed=3)
    found = play(started(Evolution(population, tournament), space), 300, seed=3, score=dial_sum)
    assert expected == [proposal.architecture for proposal in found]


def test_published_defaults():
    """A population of 100 and tournaments of 25."""
    assert (Evolution().population, Evolution().tournament) == (100, 25)


@pytest.mark.parametrize("space", ["dials", "conditional", "cell", "mixed"])
def test_exactly_one_mutation(space):
    """A child differs from the trial it inherits from in exactly one of the decisions that both answer."""
    proposals = play(started(Evolution(5, 3), space), 60)
    children = [proposal for proposal in proposals if proposal.inherits is not None]
    assert len(children) == 55
    for child in children:
        assert len(differing(proposals[child.inherits].architecture, child.architecture)) == 1


def test_the_oldest_leaves():
    """The population is always the latest trials, however good the oldest was."""
    strategy = started(Evolution(4, 2))
    for number in range(9):
        proposal = strategy.ask(np.random.default_rng(number))
        strategy.tell(Trial(number, proposal, State.FINISHED, {"score": -float(number)}))
        assert list(range(max(0, number - 3), number + 1)) == list(strategy.heirs())


def test_age_is_the_number():
    """Told in any order, the lowest number leaves first."""
    strategy = started(Evolution(3, 1))
    architecture = strategy.space.sample(np.random.default_rng(0))
    for number, expected in [(4, [4]), (2, [2, 4]), (6, [2, 4, 6]), (3, [3, 4, 6]), (1, [3, 4, 6])]:
        strategy.tell(trial(number, architecture, score=1.0))
        assert expected == list(strategy.heirs())


def test_tournaments_draw_with_replacement():
    """Of two members a tournament of two takes the better in three of four cases; without replacement in all."""
    strategy = started(Evolution(2, 2))
    rng = np.random.default_rng(0)
    for number in range(2):
        strategy.tell(trial(number, strategy.space.sample(rng), score=float(number)))
    share = np.mean([strategy.ask(rng).inherits == 1 for _ in range(4_000)])
    assert share == pytest.approx(0.75, abs=0.03)


def test_the_smallest_wins_where_small_is_good():
    """A minimized objective chooses the smallest."""
    strategy = started(Evolution(3, 40), objectives=(Objective("score", "minimize"),))
    rng = np.random.default_rng(0)
    for number, score in enumerate([2.0, 1.0, 3.0]):
        strategy.tell(trial(number, strategy.space.sample(rng), score=score))
    assert strategy.ask(rng).inherits == 1


def test_pending_proposals_count_towards_the_first():
    """With five pending, a population of five has its random proposals; children follow once one has a score."""
    strategy = started(Evolution(5, 2))
    rng = np.random.default_rng(0)
    first = [strategy.ask(rng) for _ in range(5)]
    assert strategy.ask(rng).inherits is None  # nobody to inherit from
    strategy.tell(Trial(0, first[0], State.FINISHED, {"score": 1.0}))
    assert strategy.ask(rng).inherits == 0


def test_a_failed_first_proposal_is_replaced():
    """The population begins with as many scored random trials as it has members."""
    proposals = play(started(Evolution(5, 2)), 12, state=lambda n: State.FAILED if n in (1, 3) else State.FINISHED)
    assert [proposal.inherits for proposal in proposals[:7]] == [None] * 7
    assert all(proposal.inherits is not None for proposal in proposals[7:])


@pytest.mark.parametrize(
    ("state", "joins"),
    [
        (State.FINISHED, True),
        (State.REUSED, True),
        (State.FAILED, False),
        (State.INFEASIBLE, False),
        (State.PRUNED, False),
    ],
)
def test_who_joins(state, joins):
    """Trials with a score join, reused ones among them; others never do."""
    strategy = started(Evolution(5, 2))
    architecture = strategy.space.sample(np.random.default_rng(0))
    strategy.tell(trial(0, architecture, state, **({"score": 1.0} if joins else {"params": 10.0})))
    assert ([0] if joins else []) == list(strategy.heirs())


def test_one_architecture_has_no_children():
    """In a space of one architecture nothing is left after the first population."""
    assert len(play(started(Evolution(3, 2), "point"), 10, state=lambda n: State.REUSED)) == 3


def test_without_a_neighbour_a_random_one():
    """A parent that the rules of the space cut off is followed by a random architecture."""
    space = toy.SPACES["flat"]().restrict(lambda a: (a["width"] == 2) == (a["kernel"] == 1) == a["bias"])
    lonely = started(Evolution(1, 1), space)
    proposals = play(lonely, 30)
    assert len(proposals) == 30
    assert all(proposal.architecture in space for proposal in proposals)


def test_several_objectives_are_refused():
    """It says which there are and what to use."""
    objectives = (toy.OBJECTIVE, Objective("macs", "minimize"))
    with pytest.raises(InputError, match=r"one objective, found 2: score, macs\. Use the strategy Auto"):
        Evolution().start(toy.SPACES["flat"](), objectives)


@pytest.mark.parametrize("arguments", [{"population": 0}, {"tournament": 2.5}, {"tournament": True}])
def test_bad_parameters_are_named(arguments):
    """A population and a tournament are whole numbers of at least 1."""
    with pytest.raises(InputError, match=f"{next(iter(arguments))} is a whole number of at least 1"):
        Evolution(**arguments)


def test_a_proposal_carries_no_budget():
    """The evaluator's full budget is meant."""
    assert Proposal(toy.SPACES["dials"]().sample(np.random.default_rng([0, 0]))) == play(started(Evolution()), 1)[0]
