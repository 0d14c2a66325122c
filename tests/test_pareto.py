"""Several objectives at once, against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from netwright import pareto
from netwright.errors import InputError


@st.composite
def clouds(draw):
    """Small clouds on a coarse grid, so that ties and equal points are common; with directions."""
    objectives = draw(st.integers(1, 4))
    count = draw(st.integers(1, 14))
    points = draw(arrays(np.float64, (count, objectives), elements=st.integers(-3, 3).map(float)))
    directions = draw(st.lists(st.sampled_from(["maximize", "minimize"]), min_size=objectives, max_size=objectives))
    return points, directions


def brute_dominates(a, b, directions):
    better = [x > y if d == "maximize" else x < y for x, y, d in zip(a, b, directions, strict=True)]
    worse = [x < y if d == "maximize" else x > y for x, y, d in zip(a, b, directions, strict=True)]
    return any(better) and not any(worse)


def brute_front(points, directions, among):
    return [i for i in among if not any(brute_dominates(points[j], points[i], directions) for j in among)]


@given(clouds())
def test_dominates(cloud):
    """Dominance is nowhere worse and somewhere better."""
    points, directions = cloud
    assert brute_dominates(points[0], points[-1], directions) == pareto.dominates(points[0], points[-1], directions)


@given(clouds())
def test_front(cloud):
    """The front is what nothing dominates."""
    points, directions = cloud
    assert brute_front(points, directions, range(len(points))) == pareto.front(points, directions).tolist()


@given(clouds())
def test_ranks(cloud):
    """Ranks are found by peeling front after front."""
    points, directions = cloud
    expected, left, rank = np.zeros(len(points), int), list(range(len(points))), 0
    while left:
        layer = brute_front(points, directions, left)
        expected[layer] = rank
        left = [i for i in left if i not in layer]
        rank += 1
    assert expected.tolist() == pareto.ranks(points, directions).tolist()


@given(clouds())
def test_hypervolume(cloud):
    """The hypervolume is the number of unit cells between the reference and the points."""
    points, directions = cloud
    signs = np.array([1 if d == "maximize" else -1 for d in directions])
    gains = (points * signs + 3).astype(int)  # 0..6, the reference at 0
    grid = np.stack(np.meshgrid(*[np.arange(7)] * points.shape[1], indexing="ij"), -1).reshape(-1, points.shape[1])
    covered = (grid[:, None, :] < gains[None, :, :]).all(2).any(1).sum()
    assert covered == pytest.approx(pareto.hypervolume(points, -3.0 * signs, directions))


def test_hypervolume_of_nothing():
    """No points, or none beyond the reference, have no volume."""
    assert pareto.hypervolume([], [0, 0]) == 0.0
    assert pareto.hypervolume([[1, -1], [0, 5]], [0, 0]) == 0.0


def test_larger_is_better_by_default():
    """Without directions every objective is maximized."""
    assert pareto.front([[1, 1], [2, 2]]).tolist() == [1]


def test_crowding():
    """The neighbours' distance over the range, summed over objectives; infinite at the extremes."""
    points = [[0.0, 10.0], [1.0, 6.0], [4.0, 5.0], [10.0, 0.0]]
    assert pareto.crowding(points).tolist() == [np.inf, 4 / 10 + 5 / 10, 9 / 10 + 6 / 10, np.inf]


def test_crowding_of_few_and_of_equals():
    """Two points are both extremes; an objective without range adds nothing."""
    assert pareto.crowding([[1, 2], [3, 4]]).tolist() == [np.inf, np.inf]
    assert pareto.crowding([[1, 2]] * 4).tolist() == [0, 0, 0, 0]


def test_crowding_ignores_direction():
    """Turning an objective's sign changes no distance when no values are equal."""
    points = np.random.default_rng(0).random((9, 3))
    assert np.allclose(pareto.crowding(points), pareto.crowding(points * [1, -1, 1]))


def test_knee_is_farthest_from_the_line():
    """With two objectives the knee is the front's point farthest from the line through the extremes."""
    x = np.linspace(0.05, 1, 40)
    points = np.stack([x, 1 / x], 1)
    a, b = points[0], points[-1]
    (dx, dy), offset = b - a, points - a
    distance = np.abs(dx * offset[:, 1] - dy * offset[:, 0])
    # the same line in coordinates scaled by the ranges, where both extremes are (0, 1) and (1, 0)
    assert int(np.argmax(distance)) == pareto.knee(points, ["minimize", "minimize"])


def test_knee_ignores_dominated_points():
    """A dominated point is no knee, and indices are those of the given points."""
    assert pareto.knee([[5, 5], [0, 9], [1, 1], [9, 0]], ["minimize", "minimize"]) == 2


def test_a_large_front_is_found_in_bounded_memory():
    """Twenty thousand points in two objectives, against a sweep."""
    points = np.random.default_rng(1).random((20_000, 2))
    order = np.argsort(-points[:, 0])
    best, expected = -1.0, []
    for index in order:
        if points[index, 1] > best:
            best = points[index, 1]
            expected.append(int(index))
    assert sorted(expected) == pareto.front(points).tolist()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: pareto.front([[1, float("nan")]]), "point 0 is not finite"),
        (lambda: pareto.front([1, 2]), r"shape \(points, objectives\), found the shape \(2,\)"),
        (lambda: pareto.front([[1, 2]], ["maximize"]), "directions are 2 times"),
        (lambda: pareto.front([[1, 2]], ["maximize", "up"]), "found .*'up'"),
        (lambda: pareto.hypervolume([[1, 2]], [0]), "the reference is 2 finite numbers"),
        (lambda: pareto.knee(np.empty((0, 2))), "at least one point"),
    ],
)
def test_bad_input_is_named(call, sentence):
    """What is wrong is said."""
    with pytest.raises(InputError, match=sentence):
        call()
