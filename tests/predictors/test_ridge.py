"""Bayesian linear regression."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge as OtherRidge

from netwright.predictors import Paths, Ridge
from netwright.predictors.ridge import NOISES
from netwright.testing import toy
from netwright.zoo import nasbench201


def drawn(space, count, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def test_mean_and_spread_are_those_of_the_formulas():
    """scikit-learn's ridge with the same penalty; the posterior's covariance by a plain inverse (Bishop 3.59)."""
    space = toy.SPACES["conditional"]()
    known, asked = drawn(space, 40), drawn(space, 15, seed=1)
    scores = np.array([toy.digest_of(a)["score"] for a in known])
    predictor = Ridge(space, encoding="one-hot", warp=False).fit(known, scores)
    mean, spread = predictor.predict(asked)

    x, z = predictor.encode(known), predictor.encode(asked)
    unit = (scores - scores.mean()) / scores.std()
    other = OtherRidge(alpha=predictor._noise).fit(x, unit)
    np.testing.assert_allclose(mean, scores.mean() + scores.std() * other.predict(z))
    away, centered = z - x.mean(0), x - x.mean(0)
    covariance = np.linalg.inv(np.eye(x.shape[1]) + centered.T @ centered / predictor._noise)
    variance = predictor._variance * (np.einsum("ij,jk,ik->i", away, covariance, away) + predictor._noise)
    np.testing.assert_allclose(spread, scores.std() * np.sqrt(variance))


def test_the_noise_has_the_greatest_evidence():
    """By the density of the scores themselves, over all that are tried."""
    space = toy.SPACES["dials"]()
    known = drawn(space, 30)
    scores = np.array([sum(a.values()) for a in known]) + np.random.default_rng(0).normal(size=30)
    predictor = Ridge(space, warp=False).fit(known, scores)
    x = predictor.encode(known)
    x, y = x - x.mean(0), (scores - scores.mean()) / scores.std()

    def evidence(noise):
        matrix = x @ x.T + noise * np.eye(30)
        return -0.5 * 31 * np.log((y @ np.linalg.solve(matrix, y) + 1) / 31) - 0.5 * np.linalg.slogdet(matrix)[1]

    assert predictor._noise == pytest.approx(max(NOISES, key=evidence))


def test_it_reads_paths():
    """Scores that are sums over paths are then linear, and found."""
    space = nasbench201.space()
    known, asked = drawn(space, 150), drawn(space, 50, seed=1)
    paths = Paths(space)
    worth = np.random.default_rng(0).normal(size=len(paths.columns)) * [len(path) == 3 for path in paths.columns]
    mean, _ = Ridge(space, encoding="paths", warp=False).fit(known, paths.encode(known) @ worth).predict(asked)
    np.testing.assert_allclose(mean, paths.encode(asked) @ worth, atol=0.02)
