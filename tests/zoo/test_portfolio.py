"""The portfolio: its greedy choice against enumeration, and that every start is one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from netwright.errors import InputError
from netwright.zoo import SPACES
from netwright.zoo.portfolio import greedy, left_out, read_portfolio, starts_of


def test_the_first_is_the_best_on_average_and_the_next_complements_it():
    """Two specialists beat a second all-rounder: after the all-rounder comes who is best where it is worst."""
    scores = np.array([[0.8, 1.0, 0.0, 0.79], [0.8, 0.0, 1.0, 0.79], [1.0, 0.2, 0.0, 0.9]])
    assert greedy(scores, 3) == [0, 1, 2]


def test_pairs_against_enumeration():
    """The pair is the best of all pairs that hold the best single one."""
    scores = np.random.default_rng(0).random((6, 9))
    worth = (scores - scores.min(1, keepdims=True)) / np.ptp(scores, axis=1, keepdims=True)
    taken = greedy(scores, 2)
    value = {pair: worth[:, list(pair)].max(1).mean() for pair in combinations(range(9), 2) if taken[0] in pair}
    assert taken[0] == int(worth.mean(0).argmax())
    assert set(taken) == set(max(value, key=lambda pair: value[pair]))


def test_it_ends_where_nothing_improves():
    """One that is best everywhere needs no other; equal scores count for nothing."""
    assert greedy(np.array([[1.0, 0.5], [1.0, 0.2], [3.0, 3.0]]), 2) == [0]


def test_scores_that_are_none():
    """A failed training has to be left out before."""
    with pytest.raises(InputError, match="a finite number"):
        greedy(np.array([[1.0, np.nan]]), 1)


def test_the_file_says_where_its_starts_come_from():
    """Every space of it is one of the zoo, with data sets, seeds, trials, epochs, the version, a date, the command."""
    spaces = read_portfolio()["spaces"]
    assert "tables" in spaces
    for name, made in spaces.items():
        assert name in SPACES
        assert {"starts", "data", "seeds", "date", "command", "trials", "epochs", "version", "metric"} <= made.keys()
        assert len(made["starts"]) == len(starts_of(name)) > 0


def test_a_space_without_a_portfolio_has_no_starts_from_it():
    """Nothing is invented."""
    assert starts_of("no such space") == ()


def test_what_is_worth_what_was_chosen_without_a_data_set():
    """By hand: of two that are as good on the two other sets the first is taken, then both."""
    scores = np.array([[1.0, 0.4, 0.0], [0.0, 10.0, 5.0], [2.0, 2.0, 4.0]])
    assert left_out(scores, [0, 1, 2], 1) == pytest.approx([0.4, 0.0, 0.0])
    assert left_out(scores, [0, 1, 2], 2) == pytest.approx([0.4, 0.5, 0.0])


def test_the_portfolio_of_the_others_against_choosing_anew():
    """For each of many sets the greedy choice from the rest of the matrix, by its definition."""
    rng = np.random.default_rng(1)
    scores, owners = rng.random((5, 15)), rng.integers(0, 5, 15)
    worth = (scores - scores.min(1, keepdims=True)) / np.ptp(scores, axis=1, keepdims=True)
    for place, found in enumerate(left_out(scores, owners, 3)):
        columns = [column for column in range(15) if owners[column] != place]
        rest = np.delete(scores, place, 0)[:, columns]
        assert found == max(worth[place, columns[each]] for each in greedy(rest, 3))


def test_nothing_can_be_held_out_of_one_set():
    """Told, and not an answer of another kind."""
    with pytest.raises(InputError, match="without one data set there is none"):
        left_out(np.ones((1, 2)), [0, 0], 1)
