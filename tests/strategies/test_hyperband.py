"""Hyperband, against the paper's algorithm and the table of its brackets."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from tests.strategies.fidelities import noisy, play, steps

from netwright.strategies import Hyperband
from netwright.strategies.hyperband import plans
from netwright.testing import toy


def algorithm_1(R, eta, rounds, seed=0):
    """Li et al. 2018, algorithm 1, with exact numbers; s_max is counted, not taken from a logarithm."""
    space = toy.SPACES["dials"]()
    found = []
    s_max = max(s for s in range(20) if eta**s <= R)
    for _ in range(rounds):
        for s in range(s_max, -1, -1):
            n = math.ceil(Fraction(s_max + 1, s + 1) * eta**s)
            r = Fraction(R, eta**s)
            T = []
            for i in range(s + 1):
                n_i = n // eta**i
                r_i = r * eta**i
                if i == 0:
                    for _ in range(n_i):
                        T.append((space.sample(np.random.default_rng([seed, len(found)])), len(found)))
                        found.append((T[-1][0], int(r_i), None))
                else:
                    kept = T[:n_i]
                    T = []
                    for architecture, number in kept:
                        T.append((architecture, len(found)))
                        found.append((architecture, int(r_i), number))
                T.sort(key=lambda pair: (-noisy(pair[0], int(r_i)), pair[1]))
    return found


@pytest.mark.parametrize(("R", "eta"), [(9, 3), (27, 3), (81, 3), (16, 4), (8, 2)])
def test_algorithm_1(R, eta):
    """The history over two rounds of all brackets is that of the published algorithm."""
    expected = algorithm_1(R, eta, 2)
    assert expected == steps(play(Hyperband(1, R, eta), len(expected)))


def test_the_published_table():
    """R = 81, eta = 3: bracket 4 begins with 81 at 1, and its rungs are those of the paper's table."""
    budgets = (1, 3, 9, 27, 81)
    first = list(itertools.islice(plans(budgets, 3), 6))
    assert [(81, budgets), (34, budgets[1:]), (15, budgets[2:]), (8, budgets[3:]), (5, budgets[4:])] == first[:5]
    assert first[5] == first[0]
    made = play(Hyperband(1, 81), 121)
    assert [81, 27, 9, 3, 1] == [sum(trial.proposal.budget == budget for trial in made) for budget in budgets]


def test_the_epochs_of_a_round():
    """What a round costs when promotions go on: R = 9 takes 21 + 21 + 27 epochs, where starting over takes 27·3."""
    made = play(Hyperband(1, 9), 22)
    assert [9, 3, 1, 5, 1, 3] == [len(list(group)) for _, group in itertools.groupby(made, _kind)]

    def trained(trial):
        parent = trial.proposal.inherits
        return trial.proposal.budget - (0 if parent is None else made[parent].proposal.budget)

    assert 21 + 21 + 27 == sum(map(trained, made))
    assert 27 + 24 + 27 == sum(trial.proposal.budget for trial in made)


def _kind(trial):
    return trial.proposal.budget, trial.proposal.inherits is None


def test_nothing_begins_twice():
    """Brackets repeat with other architectures; only promotions come again, each at a budget of its own."""
    made = play(Hyperband(1, 9), 400, window=4)
    assert len({(trial.architecture, trial.proposal.budget) for trial in made}) == 400
    begun = [trial.architecture for trial in made if trial.proposal.inherits is None]
    assert len(set(begun)) == len(begun)


def test_an_explicit_ladder():
    """Two budgets make two brackets: 3 at the smaller one of which the best goes on, then 2 at the larger."""
    made = play(Hyperband(budgets=(12, 200)), 12)
    assert [12, 12, 12, 200, 200, 200] * 2 == [trial.proposal.budget for trial in made]
    assert [3, 9] == [trial.number for trial in made if trial.proposal.inherits is not None]
