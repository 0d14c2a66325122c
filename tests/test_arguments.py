"""Arguments that are wrong are refused in one sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from netwright import arguments
from netwright.errors import InputError
from netwright.trial import Objective

SCORE, PRICE = Objective("score", "maximize"), Objective("price", "minimize")


@pytest.mark.parametrize(
    ("check", "value", "sentence"),
    [
        (arguments.whole, 0, "a whole number of at least 1, found 0"),
        (arguments.whole, True, "a whole number of at least 1, found True"),
        (arguments.whole, 2.0, "a whole number of at least 1, found 2.0"),
        (arguments.positive, 0.0, "a number above 0, found 0.0"),
        (arguments.positive, math.inf, "a number above 0, found inf"),
        (arguments.positive_or_none, 0, "a number above 0, or none, found 0"),
        (arguments.not_negative, -1, "a number of at least 0, found -1"),
        (arguments.not_negative, "much", "a number of at least 0, found 'much'"),
        (arguments.share, 1.5, "a probability, from 0 to 1, found 1.5"),
        (arguments.share, math.nan, "a probability, from 0 to 1, found nan"),
        (arguments.share_below_one, 1.0, "a number from 0 to below 1, found 1.0"),
    ],
)
def test_bad_arguments_are_named(check, value, sentence):
    """It says whose argument it is and which, what was found and what is expected."""
    with pytest.raises(InputError, match=f"PPO: rate is {sentence}"):
        check("PPO", rate=value)


@pytest.mark.parametrize(
    ("check", "values"),
    [
        (arguments.whole, {"a": 1, "b": 7}),
        (arguments.positive, {"a": 1e-9, "b": 3}),
        (arguments.not_negative, {"a": 0, "b": 0.5}),
        (arguments.share, {"a": 0, "b": 1}),
        (arguments.share_below_one, {"a": 0, "b": 0.999}),
    ],
)
def test_good_arguments_pass(check, values):
    """The ends that are allowed are allowed, and every value is looked at."""
    check("PPO", **values)
    with pytest.raises(InputError, match="PPO: c is"):
        check("PPO", **values, c=None)


def test_least():
    """Another smallest number may be named; without an owner the message begins with the argument."""
    with pytest.raises(InputError, match=r"^eta is a whole number of at least 2, found 1"):
        arguments.whole("", 2, eta=1)


def test_whole_numbers_of_numpy():
    """Where a plain number is made of them, those of NumPy are taken."""
    number = arguments.as_whole("seed", np.int64(3), 0)
    assert (number, type(number)) == (3, int)
    with pytest.raises(InputError, match="seed is a whole number of at least 0, found -1"):
        arguments.as_whole("seed", np.int64(-1), 0)


@pytest.mark.parametrize("value", ["medain", ["median"], None])
def test_unknown_words(value):
    """A word that is not known, or no word at all, is refused."""
    with pytest.raises(InputError, match=r"Owner: rule .* is unknown"):
        arguments.one_of_these("Owner", "rule", value, ("median", "none"))


def test_nearest_word():
    """The nearest known word is offered."""
    with pytest.raises(InputError, match=r"rule 'medain' is unknown \(did you mean 'median'\?\)"):
        arguments.one_of_these("Owner", "rule", "medain", ("median", "none"))


def test_one_objective():
    """One is given back; several are named, with what to do."""
    assert arguments.one_objective("Evolution", [SCORE]) == SCORE
    with pytest.raises(InputError, match=r"Evolution learns from one objective, found 2: score, price\. Use NSGA2, or"):
        arguments.one_objective("Evolution", [SCORE, PRICE], verb="learns from", instead="Use NSGA2")
