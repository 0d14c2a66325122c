"""The statistics of a table, by brute force."""

import itertools

import bench_toys as toys
import numpy as np
import pytest

from netwright.bench import landscape
from netwright.bench.landscapes import autocorrelation, distance_correlation
from netwright.errors import InputError
from netwright.evaluators.tables import Table
from netwright.evaluators.tables.own import declared_space


@pytest.fixture(scope="module")
def found():
    return landscape(toys.table(), "acc@9")


def test_the_distribution(found):
    """Mean, deviation and quantiles are those of the column."""
    values = toys.table().column("acc@9").mean
    assert (81, values.mean(), values.std()) == pytest.approx((found.size, found.mean, found.deviation))
    assert np.quantile(values, 0.25) == pytest.approx(found.quantiles[0.25])
    assert (values.min(), values.max()) == (found.quantiles[0.0], found.quantiles[1.0])
    assert 81 == sum(found.histogram[1])


def test_neighbourhoods_by_brute_force(found):
    """Each of 81 has the eight rows that differ in one decision; an optimum is better than all of them."""
    values = toys.table().column("acc@9").mean
    differing = (toys.CHOICES[:, None] != toys.CHOICES).sum(axis=2)
    optima = [not any(values[differing[row] == 1] > values[row]) for row in range(81)]
    assert (8, 8, 8) == found.neighbours
    assert (81, np.mean(optima)) == (found.looked, found.optima)


def test_random_walks_on_an_additive_landscape():
    """A mutation leaves all but one of n decisions of q options: the correlation at lag k is (1 − q / (n (q−1)))ᵏ."""
    weights = np.array([0.0, 1.0, 3.0])
    columns = {"score": weights[toys.CHOICES].sum(axis=1)}
    additive = Table("additive", declared_space(toys.OPTIONS), toys.CHOICES, columns)
    one = 1 - 3 / (4 * 2)
    expected = [one**lag for lag in (1, 2, 3)]
    assert expected == pytest.approx(landscape(additive, seed=1).autocorrelation[:3], abs=0.05)


def test_autocorrelation_by_hand():
    """Of a wave of period four: 0, −1, 0, 1 at lags 1 to 4."""
    wave = np.tile([1.0, 0.0, -1.0, 0.0], 500)[None]
    assert [0, -1, 0, 1] == pytest.approx(autocorrelation(wave, 4), abs=1e-9)
    assert [] == autocorrelation(np.ones((2, 9)), 4)


def test_fitness_and_distance_by_brute_force(found):
    """The correlation with the number of answers that differ from the best row's."""
    values = toys.table().column("acc@9").mean
    distances = (toys.CHOICES != toys.CHOICES[values.argmax()]).sum(axis=1)
    assert np.corrcoef(values, distances)[0, 1] == pytest.approx(found.distance_correlation)
    assert found.distance_correlation < -0.5


def test_the_nearest_of_several_best_rows_counts():
    """Two of them, at opposite ends; and a constant has no correlation."""
    choices = np.array(list(itertools.product(range(2), repeat=3)), dtype=np.int16)
    values = np.array([1.0, 0, 0, 0, 0, 0, 0, 1.0])
    distances = np.minimum(choices.sum(axis=1), 3 - choices.sum(axis=1))
    expected = np.corrcoef(values, distances)[0, 1]
    assert expected == pytest.approx(distance_correlation(choices, values, np.array([0, 7])))
    assert distance_correlation(choices, np.ones(8), np.arange(8)) is None


def test_what_is_better_small_has_its_best_at_the_low_end():
    """One row has the least of all; and two metrics are one too many."""
    least = landscape(toys.table(), minimize="params")
    assert (1, 10.0) == (least.best_rows, least.quantiles[0.0])
    assert least.distance_correlation > 0.8
    with pytest.raises(InputError, match="of one metric"):
        landscape(toys.table(), "acc@9", minimize="params")


def test_it_can_be_read():
    """The text names the table, the metric and every statistic."""
    text = str(landscape(toys.table(), "acc@9"))
    for word in ("toy, acc@9, 81 architectures", "autocorrelation", "neighbours", "correlation -0."):
        assert word in text
