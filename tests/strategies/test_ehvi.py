"""Expected hypervolume improvement, against what it is by definition."""

from __future__ import annotations

import numpy as np
import pytest

from netwright import pareto
from netwright.bench import compare
from netwright.strategies.ehvi import boxes, expected_hypervolume_improvement


def drawn(objectives, points, seed):
    """Scores that are known, and candidates with their spreads."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(points, objectives)), rng.normal(size=(3, objectives)), rng.uniform(0.2, 1, (3, objectives))


@pytest.mark.parametrize(("objectives", "points"), [(1, 4), (2, 0), (2, 6), (3, 5), (4, 4)])
def test_it_is_the_mean_of_what_draws_add(objectives, points):
    """Against the hypervolume with and without each of 4,000 draws, within four standard errors and a thousandth."""
    known, mean, spread = drawn(objectives, points, seed=objectives)
    reference = np.full(objectives, -2.0)
    found = expected_hypervolume_improvement(mean, spread, known, reference)
    before = pareto.hypervolume(known, reference)
    rng = np.random.default_rng(9)
    for own, centre, width in zip(found, mean, spread, strict=True):
        draws = rng.normal(centre, width, (4_000, objectives))
        added = [pareto.hypervolume(np.vstack([known, draw]), reference) - before for draw in draws]
        assert abs(own - np.mean(added)) < 4 * np.std(added) / np.sqrt(len(added)) + 1e-3


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_boxes_and_what_is_dominated_fill_the_space(objectives):
    """Up to a wall at 5 their volumes and the hypervolume add up to the whole, and no box lies in another."""
    known, _, _ = drawn(objectives, 7, seed=objectives)
    reference = np.full(objectives, -2.0)
    lower, upper = boxes(known, reference)
    volumes = np.prod(np.minimum(upper, 5.0) - lower, axis=1)
    assert pareto.hypervolume(known, reference) + volumes.sum() == pytest.approx(7.0**objectives)
    inside = (lower + np.minimum(upper, 5.0)) / 2
    assert [1] * len(lower) == [int(((lower < point) & (point < upper)).all(axis=1).sum()) for point in inside]


def test_a_sure_candidate_adds_what_it_dominates_alone():
    """With next to no spread the improvement is that of the hypervolume itself."""
    known, mean, _ = drawn(2, 5, seed=3)
    reference = np.full(2, -3.0)
    found = expected_hypervolume_improvement(mean, np.full_like(mean, 1e-9), known, reference)
    before = pareto.hypervolume(known, reference)
    added = [pareto.hypervolume(np.vstack([known, point]), reference) - before for point in mean]
    assert added == pytest.approx(found, abs=1e-6)


def test_with_one_objective_it_is_the_search_for_the_best(tmp_path):
    """The improvement over the best score: the same proposals as expected improvement makes."""
    runs = compare(
        "digits-cells", ["gp", "ehvi"], seeds=2, queries=25, maximize="val_accuracy", report=False,
        out=tmp_path,
    ).runs  # fmt: skip
    assert np.array_equal(*(run.rows for run in runs.values()))
