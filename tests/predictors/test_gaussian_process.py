"""The Gaussian process: its posterior, its weights, its warp."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import kendalltau
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from netwright.errors import InputError
from netwright.predictors import GaussianProcess
from netwright.predictors.gaussian_process import JITTER, _loss
from netwright.testing import toy


def drawn(space, count, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def weighty(architectures):
    """Only three of the dials count, and the first counts most."""
    return np.array([4.0 * a["dial00"] + 2.0 * a["dial01"] + a["dial02"] for a in architectures])


def test_the_posterior_is_that_of_another_library():
    """scikit-learn's, given the same kernel, noise and standardised scores."""
    space = toy.SPACES["cell"]()
    known, asked = drawn(space, 25), drawn(space, 20, seed=1)
    scores = np.array([toy.digest_of(a)["score"] for a in known])
    predictor = GaussianProcess(space, warp=False).fit(known, scores)
    mean, spread = predictor.predict(asked)

    lengths = 1 / np.sqrt(2 * predictor.weights[predictor._distance._group_of])
    kernel = ConstantKernel(predictor._signal) * RBF(lengths) + WhiteKernel(
        predictor._signal * (predictor._noise + JITTER)
    )
    other = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None)
    other.fit(predictor.encode(known), (scores - scores.mean()) / scores.std())
    expected, deviation = other.predict(predictor.encode(asked), return_std=True)
    np.testing.assert_allclose(mean, scores.mean() + scores.std() * expected, atol=1e-6)
    np.testing.assert_allclose(spread, scores.std() * deviation, rtol=1e-5)


def test_the_gradient_is_that_of_the_likelihood():
    """By finite differences, in every weight and the noise."""
    space = toy.SPACES["conditional"]()
    predictor = GaussianProcess(space)
    known = drawn(space, 30)
    parts = predictor._distance.parts(predictor.encode(known))
    rng = np.random.default_rng(0)
    logs = rng.normal(size=len(parts) + 1)
    rest = (parts.reshape(len(parts), -1), rng.normal(size=30), np.zeros(len(logs)), np.ones(len(logs)))
    expected = approx_fprime(logs, lambda at: _loss(at, *rest)[0], 1e-6)
    np.testing.assert_allclose(_loss(logs, *rest)[1], expected, rtol=1e-4, atol=1e-4)


def test_weights_find_what_counts():
    """The decisions that move the score weigh most, those that do not weigh little."""
    space = toy.SPACES["dials"]()
    known = drawn(space, 80)
    weights = GaussianProcess(space).fit(known, weighty(known)).weights
    assert set(np.argsort(-weights)[:2]) == {0, 1}
    assert np.median(weights[3:]) < weights[1] / 4


@pytest.mark.parametrize("warp", [False, True])
def test_it_learns(warp):
    """A smooth landscape is ranked well from eighty architectures, and far better than the ends of the spread say."""
    space = toy.SPACES["dials"]()
    known, asked = drawn(space, 80), drawn(space, 300, seed=1)
    mean, spread = GaussianProcess(space, warp=warp).fit(known, weighty(known)).predict(asked)
    assert kendalltau(mean, weighty(asked)).statistic > 0.8
    covered = np.mean(np.abs(mean - weighty(asked)) < 1.96 * spread)
    assert 0.9 < covered <= 1


def test_warped_predictions_are_in_the_unit_of_the_scores():
    """Scores of a skewed unit come back in it: the mean of what was learnt is near what was learnt."""
    space = toy.SPACES["dials"]()
    known = drawn(space, 100)
    scores = 1e6 * np.exp(weighty(known) / 4)
    mean, _ = GaussianProcess(space).fit(known, scores).predict(known)
    assert np.median(np.abs(mean / scores - 1)) < 0.1


def test_update_keeps_the_weights_and_learns():
    """It equals a fit with the same weights; what was added is known afterwards."""
    space = toy.SPACES["dials"]()
    known = drawn(space, 60)
    predictor = GaussianProcess(space).fit(known[:40], weighty(known[:40]))
    before = predictor.weights
    _, unsure = predictor.predict(known[40:])
    mean, spread = predictor.update(known[40:], weighty(known[40:])).predict(known[40:])
    np.testing.assert_array_equal(before, predictor.weights)
    assert spread.mean() < unsure.mean()
    again, _ = predictor.condition(known, weighty(known)).predict(known[40:])
    np.testing.assert_allclose(mean, again)
    assert (predictor.tune().weights != before).any()


def test_joint_draws_agree_with_the_marginals():
    """The diagonal of the covariance is the latent variance."""
    space = toy.SPACES["cell"]()
    known, asked = drawn(space, 20), drawn(space, 15, seed=1)
    predictor = GaussianProcess(space).fit(known, np.arange(20.0))
    mean, covariance = predictor.covariance(asked)
    marginal, spread = predictor.latent(asked)
    np.testing.assert_allclose(mean, marginal)
    np.testing.assert_allclose(np.sqrt(np.maximum(np.diag(covariance), 1e-9)), spread, rtol=1e-3, atol=1e-4)


def test_few_points_are_kept():
    """Half of them the best, half the latest of the others, in their order."""
    space = toy.SPACES["dials"]()
    known = drawn(space, 12)
    scores = np.array([9.0, 1, 8, 2, 7, 3, 4, 5, 6, 0, 0.5, 0.25])
    predictor = GaussianProcess(space, points=6).fit(known, scores)
    np.testing.assert_array_equal(predictor._kept, predictor.encode([known[i] for i in (0, 2, 4, 9, 10, 11)]))


@pytest.mark.parametrize("name", ["flat", "conditional", "shared", "mixed", "cell", "point"])
def test_every_kind_of_space(name):
    """Conditions, ranges and a single architecture: the spread is positive and all is finite."""
    space = toy.SPACES[name]()
    known = drawn(space, 15)
    mean, spread = GaussianProcess(space).fit(known, np.arange(15.0) % 4).predict(drawn(space, 30, seed=1))
    assert np.isfinite(mean).all()
    assert (spread > 0).all()


@pytest.mark.parametrize("scores", [[1.0], [1.0, 1.0, 1.0, 1.0]])
def test_nothing_to_tell_apart(scores):
    """One score, or all the same: it is predicted, with a finite spread."""
    space = toy.SPACES["dials"]()
    known = drawn(space, len(scores))
    mean, spread = GaussianProcess(space).fit(known, scores).predict(drawn(space, 5, seed=1))
    np.testing.assert_allclose(mean, 1.0)
    assert np.isfinite(spread).all()


def test_refusals():
    """What is wrong is said, with what there is."""
    space = toy.SPACES["dials"]()
    with pytest.raises(InputError, match=r"kernel 'haming' is unknown \(did you mean 'hamming'\?\)"):
        GaussianProcess(space, kernel="haming")
    with pytest.raises(InputError, match="points is a whole number of at least 2, found 1"):
        GaussianProcess(space, points=1)
    for ask in (lambda p: p.weights, lambda p: p.tune(), lambda p: p.latent([]), lambda p: p.covariance([])):
        with pytest.raises(InputError, match="fit"):
            ask(GaussianProcess(space))
