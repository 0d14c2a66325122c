"""Encodings: architectures as rows of numbers."""

import numpy as np
import pytest

from netwright.predictors import Coordinates, OneHot, Positions
from netwright.predictors.kernels import Hamming, _tied
from netwright.testing import toy

NAMES = ["flat", "conditional", "shared", "mixed", "cell", "dials", "point"]


def drawn(space, count, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def test_one_hot_is_that_of_the_space():
    """A row of the space's own encoding for each."""
    space = toy.SPACES["conditional"]()
    architectures = drawn(space, 5)
    rows = OneHot(space).encode(architectures)
    np.testing.assert_array_equal(rows, [space.encode(a) for a in architectures])
    assert OneHot(space).columns == space.columns


def test_positions_are_indices_and_minus_one():
    """Options by their index, numbers by their rank, ranges by their place, -1 for what is not asked."""
    space = toy.SPACES["conditional"]()
    rng = np.random.default_rng(0)
    architecture = space.complete(
        {"width": 4, "depth": 2, "block0": "skip", "block1": "convolution", "block1.kernel": 5}, rng
    )
    encoded = dict(zip(Positions(space).columns, Positions(space).encode([architecture])[0], strict=True))
    assert encoded == {
        **{"width": 1, "depth": 1, "block0": 1, "block0.kernel": -1},
        **{"block1": 0, "block1.kernel": 2, "block2": -1, "block2.kernel": -1},
    }
    mixed = toy.SPACES["mixed"]()
    architecture = mixed.complete(
        {"width": 5, "slope": 0.1, "scale": 0.25, "rate": 0.5, "activation": "tanh"}, np.random.default_rng(0)
    )
    encoded = dict(zip(Positions(mixed).columns, Positions(mixed).encode([architecture])[0], strict=True))
    assert encoded == pytest.approx({"width": 3, "slope": 0.5, "scale": 0.25, "rate": 2, "activation": 1})


def distance(decision, a, b):
    """From 0 to 1, as the documentation says it."""
    if (a is None) != (b is None):
        return 1.0
    if a is None or a == b:
        return 0.0
    if decision.kind == "inputs":
        return len(set(a) - set(b)) / len(a)
    if not decision.numeric:
        return 1.0
    if decision.kind == "choose":
        low, high, (a, b) = 0, len(decision.options) - 1, (sorted(decision.options).index(x) for x in (a, b))
    else:
        low, high = decision.low, decision.high
    if decision.log:
        low, high, a, b = np.log([low, high, a, b])
    difference = abs(a - b) / (high - low)
    return 1 - np.cos(np.pi / 2 * difference) if decision.conditional else difference**2


@pytest.mark.parametrize("name", NAMES)
def test_coordinates_have_the_distance(name):
    """Their squared distance is the sum over decisions, one group each, by brute force."""
    space = toy.SPACES[name]()
    architectures = drawn(space, 25)
    expected = [
        [sum(distance(d, a.get(d.name), b.get(d.name)) for d in space.decisions) for b in architectures]
        for a in architectures
    ]
    kernel = Hamming(space)
    parts = kernel.parts(kernel.encode(architectures))
    np.testing.assert_allclose(parts.sum(0), np.array(expected), atol=1e-9)
    assert len(parts) == len(Coordinates(space).decisions)


@pytest.mark.parametrize("name", NAMES)
def test_the_kernel_is_positive_definite(name):
    """For several weights, with conditional numbers too; and the parts weighted are the whole."""
    space = toy.SPACES[name]()
    kernel = Hamming(space)
    rows = kernel.encode(drawn(space, 60))
    for seed in range(3):
        weights = np.random.default_rng(seed).exponential(size=kernel.groups)
        whole = kernel.weighted(rows, rows, weights)
        np.testing.assert_allclose(whole, np.tensordot(weights, kernel.parts(rows), 1), atol=1e-9)
        assert np.linalg.eigvalsh(np.exp(-whole)).min() > -1e-9


def test_many_decisions_share_weights():
    """Up to 64 have their own; beyond, those that differ only by digits share one, or all do."""
    np.testing.assert_array_equal(_tied([f"d{i}" for i in range(64)]), np.arange(64))
    names = [f"block{i}.{kind}" for i in range(40) for kind in ("kernel", "width")]
    np.testing.assert_array_equal(_tied(names), np.tile([0, 1], 40))
    letters = [chr(97 + i) + chr(97 + j) for i in range(9) for j in range(9)]
    np.testing.assert_array_equal(_tied(letters), np.zeros(81))
