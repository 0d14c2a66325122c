"""BOHB: its densities against statsmodels, its choices against the paper's."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import kstest, truncnorm
from tests.strategies.fidelities import play
from torch import nn

from netwright.errors import InputError
from netwright.space import SearchSpace, choose
from netwright.strategies import BOHB
from netwright.strategies.bohb import Coordinates, Density, plans
from netwright.testing import toy

ROWS = np.array([[0, 0.1, 2], [1, 0.2, 0], [0, 0.35, 1], [2, 0.4, 2], [1, 0.8, 0], [0, 0.9, 1], [2, 0.15, 1]])
POINTS = np.array([[0, 0.2, 1], [2, 0.9, 0], [1, 0.5, 2]])


def test_the_density_is_that_of_statsmodels():
    """KDEMultivariate(ROWS, "ucu", "normal_reference") of statsmodels 0.14: its bandwidths, and its pdf with others."""
    density = Density(ROWS, (3, 0, 3), 1e-3)
    assert pytest.approx([2 / 3, 0.23571808, 0.60681813]) == density.bandwidths  # the first was .66868101, above 2/3
    density.bandwidths = np.array([0.3, 0.05, 0.6])
    assert pytest.approx([0.12873053992138464, 0.0605481731681593, 0.009825410633173964]) == density(POINTS)


def test_the_density_is_one():
    """Over all options and the line it sums to one, also where some options do not occur."""
    density = Density(np.array([[0, 0.5], [0, 0.6], [3, 0.2]]), (5, 0), 1e-3)
    line = np.linspace(-4, 5, 4_001)
    grid = np.array([(option, x) for option in range(5) for x in line])
    assert pytest.approx(1.0, abs=1e-6) == float(density(grid).sum() * (line[1] - line[0]))


def test_bandwidths_have_bounds():
    """Equal rows have the smallest bandwidth, wide ones at most that of the uniform kernel."""
    same = Density(np.zeros((5, 2)), (4, 0), 1e-3)
    assert [1e-3, 1e-3] == same.bandwidths.tolist()
    wide = Density(np.array([[0.0], [49.0], [0.0]]), (50,), 1e-3)
    assert [49 / 50] == wide.bandwidths.tolist()
    assert pytest.approx([1 / 50, 1 / 50]) == wide(np.array([[0.0], [7.0]]))


def test_draws_follow_the_density():
    """Options stay with probability 1 − h + h/c, numbers are a Gaussian of three bandwidths cut off at 0 and 1."""
    density = Density(np.array([[1, 0.3], [1, 0.3]]), (4, 0), 1e-3)
    density.bandwidths = np.array([0.4, 0.05])
    drawn = density.draw(5_000, np.random.default_rng(0), 3.0)
    assert pytest.approx(0.6 + 0.4 / 4, abs=0.03) == float((drawn[:, 0] == 1).mean())
    assert set(drawn[:, 0]) == {0, 1, 2, 3}
    assert kstest(drawn[:, 1], truncnorm(-0.3 / 0.15, 0.7 / 0.15, loc=0.3, scale=0.15).cdf).pvalue > 0.01


@pytest.mark.parametrize("name", sorted(toy.SPACES))
def test_coordinates_go_both_ways(name):
    """From an architecture to a row and back; what is not asked does not matter."""
    space = toy.SPACES[name]()
    coordinates = Coordinates(space.decisions)
    rng = np.random.default_rng(1)
    for _ in range(100):
        architecture = space.sample(rng)
        row = coordinates.of(architecture)
        assert len(row) == len(coordinates)
        back = coordinates.answers(coordinates.impute(row[None], rng)[0])
        assert set(architecture) == set(back)
        for decision, answer in architecture.items():
            assert answer == (pytest.approx(back[decision]) if isinstance(answer, float) else back[decision])


class _Logs(nn.Module):
    """Logarithmic ranges of whole numbers and of floats."""

    def __init__(self):
        super().__init__()
        self.few = choose("few", low=1, high=64, log=True)
        self.many = choose("many", low=1, high=10**6, log=True)
        self.rate = choose("rate", low=1e-5, high=1e-1, log=True)


class _Four(nn.Module):
    """Four decisions, enough architectures."""

    def __init__(self):
        super().__init__()
        self.sum = sum(choose(f"dial{i}", *range(9)) for i in range(4))


def test_coordinates_of_logarithms():
    """A logarithmic range is uniform in [0, 1], and its values come back."""
    space = SearchSpace(_Logs)
    coordinates = Coordinates(space.decisions)
    rng = np.random.default_rng(2)
    rows = []
    for _ in range(500):
        architecture = space.sample(rng)
        rows.append(coordinates.of(architecture))
        back = coordinates.answers(rows[-1])
        assert (architecture["few"], architecture["many"]) == (back["few"], back["many"])
        assert pytest.approx(architecture["rate"]) == back["rate"]
    assert np.abs(np.mean(rows, 0) - 0.5).max() < 0.06
    assert (0, 0, 0) == coordinates.levels


def test_imputing():
    """What was not asked gets an answer that others have; what nobody has is drawn."""
    coordinates = Coordinates(toy.SPACES["conditional"]().decisions)
    rng = np.random.default_rng(0)
    rows = np.array([coordinates.of(toy.SPACES["conditional"]().sample(rng)) for _ in range(30)])
    full = coordinates.impute(rows, rng)
    assert not np.isnan(full).any()
    known = ~np.isnan(rows)
    assert (full[known] == rows[known]).all()
    for column in range(rows.shape[1]):
        assert set(full[:, column]) <= set(rows[known[:, column], column])
    assert np.isfinite(coordinates.impute(np.full((3, rows.shape[1]), np.nan), rng)).all()


def test_the_sizes_of_the_program():
    """max_budget 81, eta 3: 81, 27, 9, 6 and 5 begin, as in HpBandSter and the table of the Hyperband paper."""
    assert [81, 27, 9, 6, 5] == [size for size, _ in itertools.islice(plans((1, 3, 9, 27, 81), 3), 5)]


def test_random_until_there_is_a_model():
    """The first d + 2 are those of random search, and so is everything without a model's share."""
    made = play(BOHB(1, 27), 22)
    space = toy.SPACES["dials"]()
    assert [space.sample(np.random.default_rng([0, number])) for number in range(22)] == [t.architecture for t in made]


def test_the_model_is_of_the_largest_budget_with_enough():
    """A model needs d + 2 trials at one budget; the largest that has them is taken, whatever a smaller one says."""
    strategy = BOHB(1, 3)
    play(strategy, 400, space="flat")  # it ends with the space; 24 at 1 and some at 3
    rng = np.random.default_rng(0)
    counts = {budget: len(points.rows) for budget, points in strategy._points.items()}
    assert counts[3] > 5
    strategy._densities(rng)
    assert strategy._modelled == (3, counts[3])


@pytest.mark.parametrize(("trials", "good", "bad"), [(6, 5, 5), (20, 5, 15), (80, 12, 68)])
def test_good_and_bad(trials, good, bad):
    """Good are the best 15 %, at least d + 1; bad are the rest, at least as many, though they overlap then."""
    strategy = BOHB(budgets=(1,), random_fraction=1.0)
    made = play(strategy, trials, space=SearchSpace(_Four))
    first, second = strategy._densities(np.random.default_rng(0))
    place = strategy._coordinates.of
    ordered = [place(t.architecture) for t in sorted(made, key=lambda t: (-t.metrics["score"], t.number))]
    assert np.array_equal(ordered[:good], first.rows)
    assert np.array_equal(ordered[-bad:], second.rows)


def test_it_goes_where_it_is_good():
    """On the sum of twenty dials what the model proposes is far better than random, whose mean is 30."""

    def total(architecture, budget):
        return float(sum(architecture.values()))

    made = play(BOHB(1, 9), 400, score=total)
    late = [total(t.architecture, 0) for t in made[300:] if t.proposal.inherits is None]
    assert np.mean(late) > 34
    blind = play(BOHB(1, 9, random_fraction=1.0), 400, score=total)
    assert abs(np.mean([total(t.architecture, 0) for t in blind[300:] if t.proposal.inherits is None]) - 30) < 2


def test_failures_are_bad_points():
    """A trial without a score is the worst of its budget in the model too."""
    strategy = BOHB(1, 9)
    play(strategy, 9, fails=lambda number: number in (2, 4))
    assert [math.inf] * 2 == [loss for loss, _ in strategy._points[1]._places[-2:]]


def test_brackets_are_those_of_hyperband():
    """What is promoted is the best third of its rung, with a model as without."""
    made = play(BOHB(1, 9, random_fraction=0.0), 13 + 4, space="mixed")
    assert [1] * 9 + [3] * 3 + [9] + [3] * 3 + [9] == [trial.proposal.budget for trial in made]
    for rung, promoted in ((made[:9], made[9:12]), (made[9:12], made[12:13]), (made[13:16], made[16:])):
        best = sorted(rung, key=lambda trial: (-trial.metrics["score"], trial.number))[: len(rung) // 3]
        assert [trial.number for trial in best] == [trial.proposal.inherits for trial in promoted]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"top": 0}, "top is between 0 and 1, found 0"),
        ({"samples": 0}, "samples is a whole number of at least 1, found 0"),
        ({"random_fraction": 1.5}, "random_fraction is from 0 to 1, found 1.5"),
        ({"bandwidth_factor": 0, "min_bandwidth": -1}, "bandwidth_factor is above 0, found 0; min_bandwidth is above"),
    ],
)
def test_nonsense_is_refused(arguments, sentence):
    """Each argument says what it takes."""
    with pytest.raises(InputError, match=f"BOHB: {sentence}"):
        BOHB(**arguments)
