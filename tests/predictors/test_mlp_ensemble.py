"""The ensemble of perceptrons: its gradient, its training, its losses."""

import itertools

import numpy as np
import torch

from netwright.predictors import MLPEnsemble
from netwright.predictors.mlp_ensemble import _Stack
from netwright.testing import toy


def stack(networks=3, inputs=4, width=5, depth=2, seed=0):
    return _Stack(networks, inputs, width, depth, np.random.default_rng(seed))


def test_the_gradient_is_that_of_torch():
    """Of the weighted mean absolute error of each network, by automatic differentiation."""
    rng = np.random.default_rng(0)
    networks = stack()
    networks._parameters += rng.normal(size=networks._parameters.shape).astype(np.float32) * 0.1
    x, y = rng.normal(size=(3, 6, 4)).astype(np.float32), rng.normal(size=(3, 6)).astype(np.float32)
    weights = rng.exponential(size=(3, 6)).astype(np.float32)

    layers = [torch.tensor(layer, requires_grad=True) for layer in networks._layers]
    at = torch.tensor(x)
    for last, layer in zip([False] * 2 + [True], layers, strict=True):
        at = at @ layer[..., :-1].transpose(1, 2) + layer[..., -1][:, None]
        at = at if last else torch.relu(at)
    errors = (at[..., 0] - torch.tensor(y)).abs() * torch.tensor(weights)
    (errors.sum(1) / torch.tensor(weights).sum(1)).sum().backward()

    ones = [np.ones((3, 6, 6), dtype=np.float32) for _ in range(2)]
    given = np.concatenate([x, np.ones((3, 6, 1), dtype=np.float32)], axis=2).transpose(0, 2, 1)
    networks._differentiate([given, *ones], y, weights)
    for found, expected in zip(networks._layer_slopes, layers, strict=True):
        np.testing.assert_allclose(found, expected.grad, rtol=1e-4, atol=1e-6)


def test_networks_learn_from_their_own_examples_alone():
    """One that never sees half of the examples does not know them; the other does."""
    x = np.eye(8)
    y = np.where(np.arange(8) < 4, 1.0, -1.0)
    used = np.array([[True] * 8, [True] * 4 + [False] * 4])
    networks = stack(2, 8, 10, 2)
    networks.train(x, y, np.ones(8), used, 0.01, 300, np.random.default_rng(0))
    both, half = np.abs(networks(x) - y)
    assert both.max() < 0.1
    assert half[:4].max() < 0.1
    assert half[4:].min() > 0.5


def test_the_relative_loss_tells_the_good_ones_apart():
    """With "mape" the best quarter is fitted better than with "mae", relative to the rest."""
    space = toy.SPACES["dials"]()
    rng = np.random.default_rng(0)
    known = [space.sample(rng) for _ in range(80)]
    scores = np.array([sum(a.values()) for a in known]) + rng.normal(size=80) * 3
    best = np.argsort(-scores)[:20]

    def error(loss):
        predictor = MLPEnsemble(space, loss=loss, width=6, depth=2, epochs=40, calibrate=False)
        mean, _ = predictor.fit(known, scores).predict(known)
        return np.abs(mean - scores)[best].mean() / np.abs(mean - scores).mean()

    assert error("mape") < 0.8 * error("mae")


def test_the_published_shape():
    """Ten layers of twenty units, five of them, and a spread that is the bare deviation of the members."""
    space = toy.SPACES["flat"]()
    known = list(space.enumerate())
    predictor = MLPEnsemble(space, encoding="one-hot", epochs=2, warp=False, calibrate=False)
    predictor.fit(known, np.arange(24.0))
    layers = predictor._network._layers
    sizes = [len(space.columns), *[20] * 10, 1]
    assert [(5, after, before + 1) for before, after in itertools.pairwise(sizes)] == [layer.shape for layer in layers]
    members = predictor._network(predictor.encode(known)).astype(float)
    np.testing.assert_allclose(predictor.predict(known)[1], members.std(axis=0) * np.arange(24.0).std(), rtol=1e-6)
