"""Grid search, against the space's own enumeration."""

import itertools

import pytest
from tests.strategies.player import play, started

from netwright.errors import InputError
from netwright.strategies import Grid
from netwright.testing import toy


@pytest.mark.parametrize(("space", "size"), [("flat", 24), ("conditional", 168), ("constrained", 20), ("point", 1)])
def test_every_architecture_in_order(space, size):
    """It walks the enumeration of the space, and then nothing is left."""
    expected = list(toy.SPACES[space]().enumerate())
    strategy = started(Grid(), space)
    proposals = play(strategy, 1_000)
    assert size == len(proposals)
    assert expected == [proposal.architecture for proposal in proposals]
    assert play(strategy, 3) == []


def test_ranges_take_points():
    """A range takes so many values, evenly spaced, in the logarithm where ``log``; a shorter one all."""
    proposals = play(started(Grid(points=3), "mixed"), 1_000)
    assert len(proposals) == 3 * 3 * 3 * 3 * 2
    values = {name: sorted({p.architecture[name] for p in proposals}) for name in _MIXED}
    assert _MIXED == {name: pytest.approx(found) for name, found in values.items()}


_MIXED = {"width": [2, 5, 8], "slope": [0.01, 0.1, 1.0], "scale": [0.0, 0.5, 1.0], "rate": [0.0, 0.25, 0.5]}


def test_a_large_space_is_begun():
    """The first of 4²⁰ architectures come at once, the last decision turning fastest."""
    strategy = started(Grid())
    found = [tuple(proposal.architecture.values()) for proposal in play(strategy, 70)]
    assert list(itertools.islice(itertools.product(range(4), repeat=20), 70)) == found


def test_shuffled():
    """The same architectures, in an order that follows from the seed."""
    ordered = {p.architecture for p in play(started(Grid(points=3), "mixed"), 1_000)}
    first, again, other = (
        [p.architecture for p in play(started(Grid(points=3, shuffle=True), "mixed"), 1_000, seed=seed)]
        for seed in (0, 0, 1)
    )
    assert ordered == set(first) == set(other)
    assert len(ordered) == len(first) == len(other)
    assert first == again
    assert first != other


def test_no_weights_are_kept():
    """Nothing is ever inherited."""
    strategy = started(Grid())
    assert {None} == {proposal.inherits for proposal in play(strategy, 20)}
    assert list(strategy.heirs()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"points": 0}, "points is a whole number of at least 1, found 0"),
        ({"points": True}, "points is a whole number"),
        ({"shuffle": "yes"}, "shuffle is true or false, found 'yes'"),
    ],
)
def test_bad_parameters_are_named(arguments, message):
    """The message says what was found and what was expected."""
    with pytest.raises(InputError, match=message):
        Grid(**arguments)
