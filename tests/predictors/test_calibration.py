"""Spreads made honest, and scores made normal."""

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from netwright.predictors.calibration import Calibration, calibrated, folds
from netwright.predictors.warping import NormalScores, Standardised, normal_scores


def test_factor_and_floor_are_found():
    """Errors drawn with four times the members' variance, and one more, say so."""
    rng = np.random.default_rng(0)
    spreads = rng.gamma(2, 1, size=20_000)
    errors = rng.normal(size=20_000) * np.sqrt(4 * spreads**2 + 1)
    found = calibrated(errors, spreads)
    assert found.factor == pytest.approx(4, rel=0.05)
    assert found.floor == pytest.approx(1, rel=0.15)
    np.testing.assert_allclose(found(np.array([0.0, 1.0])), np.sqrt([found.floor, found.factor + found.floor]))


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_does_not_matter(unit):
    """Errors and spreads of another unit give the same factor."""
    rng = np.random.default_rng(0)
    spreads = rng.gamma(2, 1, size=200)
    errors = 3 * spreads * rng.normal(size=200)
    expected = calibrated(errors, spreads).factor
    assert calibrated(unit * errors, unit * spreads).factor == pytest.approx(expected, rel=1e-3)


def test_with_few_the_mean_square_is_taken():
    """Or with spreads that are all nothing, or unknown."""
    assert Calibration(0.0, 2.5) == calibrated(np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    assert Calibration(0.0, 1.0) == calibrated(np.ones(10), np.zeros(10))
    assert Calibration(0.0, 4.0) == calibrated(np.array([2.0, np.nan] * 4), np.array([1.0, 1.0] * 4))
    assert Calibration(0.0, 1.0) == calibrated(np.array([]), np.array([]))


def test_folds_are_equal_in_size():
    """To within one, and in random order."""
    found = folds(13, 5, np.random.default_rng(0))
    assert sorted(np.bincount(found)) == [2, 2, 3, 3, 3]
    assert (found != np.sort(found)).any()


def test_normal_scores_are_quantiles_of_ranks():
    """(rank - 1/2) / n through the normal quantile; equal scores share the middle."""
    scores = np.array([3.0, -1.0, 100.0, 3.0, 7.0])
    np.testing.assert_allclose(normal_scores(scores), norm.ppf((rankdata(scores) - 0.5) / 5))


def test_the_way_back():
    """Forward and back is the same; beyond the ends it goes on, upward for more."""
    scores = np.random.default_rng(0).exponential(size=50)
    warp = NormalScores(scores)
    np.testing.assert_allclose(warp.backward(warp.forward(scores)), scores)
    beyond = warp.backward(np.array([-9.0, -3.0, 3.0, 9.0]))
    assert (np.diff(beyond) > 0).all()
    assert beyond[0] < scores.min()
    assert beyond[-1] > scores.max()


def test_moments_are_those_of_draws():
    """Mean and spread of a normal variable in the scores' unit, by a hundred thousand draws."""
    scores = np.random.default_rng(0).exponential(size=50)
    warp = NormalScores(scores)
    draws = warp.backward(np.random.default_rng(1).normal(0.3, 0.8, size=100_000))
    mean, spread = warp.moments(np.array([0.3]), np.array([0.8]))
    assert mean[0] == pytest.approx(draws.mean(), rel=0.03)
    assert spread[0] == pytest.approx(draws.std(), rel=0.06)
    linear = Standardised(scores).moments(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    center, scale = scores.mean(), scores.std()
    np.testing.assert_allclose(linear, [[center, center + scale], [scale, 2 * scale]])


def test_equal_scores_stay_equal():
    """One score, or the same again and again."""
    for warp in (NormalScores(np.full(4, 2.0)), Standardised(np.full(4, 2.0))):
        np.testing.assert_allclose(warp.forward(np.full(4, 2.0)), 0)
        np.testing.assert_allclose(warp.moments(np.zeros(1), np.zeros(1)), [[2.0], [0.0]], atol=1e-12)
