"""What runs come to: curves, areas, tests and ranks, against other ways to compute them."""

import bench_toys as toys
import numpy as np
import pytest
from scipy import stats

from netwright import statistics
from netwright.bench.comparison import Runs, query_grid, query_points
from netwright.bench.measures import HYPERVOLUME, Measure


@pytest.fixture(scope="module")
def three():
    """Three strategies of rising skill."""
    rows = {f"skill{skill}": toys.improving(skill, skill=skill) for skill in (1, 2, 4)}
    return toys.comparison(rows)


def test_query_counts_that_are_reported():
    """The usual ones below the last, and the last."""
    assert [7] == query_points(7)
    assert [10, 25, 50, 100, 200] == query_points(200)
    assert [10, 25, 50, 100, 200, 300] == query_points(300)


def test_curves_are_whole_up_to_two_thousand_queries():
    """Beyond, they are an even selection that holds what is reported."""
    assert list(range(1, 2001)) == query_grid(2000).tolist()
    grid = query_grid(30_000)
    assert len(grid) <= 2_020
    assert set(query_points(30_000)) <= set(grid.tolist())


def test_steps_become_curves():
    """An incumbent stays until the next one; before the first there is none."""
    facts = {"seed": 3, "seconds": 0.5, "metrics": {"searched": 2.0, "queries": 6.0}}
    made = Runs.of("x", [{**facts, "steps": [(2, {"row": 7.0}), (4, {"row": 9.0})]}], 6)
    assert [[-1, 7, 7, 9, 9, 9]] == made.rows.tolist()
    assert ((3,), [6.0], [0.5]) == (made.seeds, made.used["queries"].tolist(), made.seconds.tolist())


def test_scores_are_the_tables_at_the_incumbents(three):
    """What is judged, not what was searched."""
    expected = toys.table().column("test@9").mean[toys.improving(2, skill=2)]
    assert np.array_equal(expected, three.scores["skill2"])
    assert np.array_equal(toys.table().column("test@9").mean.max() - expected, three.regrets["skill2"])


def test_nothing_yet_counts_as_the_worst():
    """A run without an incumbent has the table's worst score, whichever way is better."""
    rows = {"late": [[-1, 5], [4, 5]]}
    test = toys.table().column("test@9").mean
    assert test.min() == toys.comparison(rows, queries=2).scores["late"][0, 0]
    least = Measure("test", 9, "minimize")
    assert test.max() == toys.comparison(rows, queries=2, judged=least).scores["late"][0, 0]


def test_the_mean_is_within_its_band(three):
    """Mean by hand; the band of the regret is the score's, mirrored."""
    band, mirrored = three.bands["skill1"], three.regret_bands["skill1"]
    assert three.scores["skill1"].mean(axis=0) == pytest.approx(band.mean)
    assert np.all(band.low <= band.mean)
    assert np.all(band.mean <= band.high)
    assert three.best_score - band.high == pytest.approx(mirrored.low)
    assert np.all(mirrored.low >= 0)


def test_the_area_is_the_mean_over_the_search(three):
    """Also on a grid that leaves queries out, where each point stands until the next."""
    assert three.scores["skill1"].mean(axis=1) == pytest.approx(three.areas["skill1"])
    queries = 4_000
    facts = [{"seed": 0, "seconds": 0, "metrics": {}, "steps": [(1, {"row": 3.0}), (2_001, {"row": 80.0})]}]
    made = toys.comparison({"x": [[0]]}, queries=queries)
    made.runs["x"] = Runs.of("x", facts, queries)
    test = toys.table().column("test@9").mean
    assert (test[3] + test[80]) / 2 == pytest.approx(made.areas["x"][0], rel=1e-3)


def test_ranks_and_tests_are_scipys(three):
    """Mann and Whitney at each query count, and Friedman over the seeds."""
    for test in three.tests:
        column = list(three.grid).index(test.queries)
        a, b = three.scores[test.a][:, column], three.scores[test.b][:, column]
        expected = stats.mannwhitneyu(a, b, alternative="two-sided")
        assert (expected.pvalue, expected.statistic / len(a) / len(b)) == pytest.approx((test.p, test.effect))
        assert np.mean(a[:, None] > b) + np.mean(a[:, None] == b) / 2 == pytest.approx(test.effect)
        assert (a - b).mean() == pytest.approx(test.mean)
    last = [curves[:, -1] for curves in three.scores.values()]
    assert stats.friedmanchisquare(*last).pvalue == pytest.approx(three.ranking.p)


def test_holm_is_over_all_pairs_and_query_counts(three):
    """Both families, each by itself."""
    assert 3 * len(three.points) == len(three.tests)
    assert statistics.holm([test.p for test in three.tests]) == [test.p_holm for test in three.tests]
    assert statistics.holm([test.paired_p for test in three.tests]) == [test.paired_p_holm for test in three.tests]


def test_winning_is_symmetric(three):
    """A chance and its complement, and a half against oneself."""
    assert 1 == three.wins("skill1", "skill4") + three.wins("skill4", "skill1")
    assert three.wins("skill4", "skill1") > 0.5
    assert 0.5 == three.wins("skill1", "skill1")


def test_where_less_is_better_the_order_turns(three):
    """Judged by the same numbers to be small, the best is the last, and the effects are complements."""
    rows = {name: runs.rows for name, runs in three.runs.items()}
    turned = toys.comparison(rows, judged=Measure("test", 9, "minimize"))
    assert three.order() == turned.order()[::-1]
    assert three.wins("skill1", "skill4") == pytest.approx(1 - turned.wins("skill1", "skill4"))
    assert three.tests[0].mean == pytest.approx(-turned.tests[0].mean)
    assert np.all(turned.regrets["skill1"] >= 0)


def test_pairs_are_the_seeds_that_both_have():
    """A failed run leaves its seed out of the paired tests and of the ranks."""
    rows = toys.improving(1)
    made = toys.comparison({"a": rows, "b": toys.improving(2)})
    whole = made.runs["b"]
    made.runs["b"] = Runs("b", whole.seeds[1:], whole.rows[1:], None, {}, whole.seconds[1:], failed=1)
    assert [7] * len(made.tests) == [test.seeds for test in made.tests]
    assert list(range(1, 8)) == made.common
    expected = made.scores["a"][1:, -1] - made.scores["b"][:, -1]
    assert expected.mean() == pytest.approx(made.test("a", "b", 12).mean)


def test_one_strategy_or_one_seed_has_no_tests():
    """What cannot be compared is left out and breaks nothing."""
    alone = toys.comparison({"a": toys.improving(1)})
    assert ([], None, []) == (alone.tests, alone.ranking, alone.groups)
    single = toys.comparison({"a": [[3]], "b": [[4]]}, queries=1)
    assert single.ranking is None
    assert [None] == [test.needed for test in single.tests]
    assert 1.0 == single.tests[0].paired_p


def test_the_json_is_as_published(three):
    """The keys that programs rely on, a number for each query count."""
    value = three.to_value()
    head = tuple(value[key] for key in ("table", "maximize", "score", "queries"))
    assert ("toy", "acc@9", "test@9", [10, 12]) == head
    for name, strategy in value["strategies"].items():
        assert name in three.runs
        assert [2, 2, 2] == [len(strategy[key]) for key in ("mean", "low", "high")]
        assert 8 == strategy["runs"]
    assert {"a", "b", "queries", "p", "p_holm", "effect"} <= set(value["tests"][0])
    assert three.bands["skill1"].mean[-1] == value["strategies"]["skill1"]["mean"][-1]


def test_the_volume_is_judged_where_several_are_searched():
    """Its best is one, and it is what the runs' volumes say."""
    objectives = (toys.ACC, Measure("params", None, "minimize"))
    made = toys.comparison({"a": toys.improving(1)}, judged=None, objectives=objectives)
    rows = made.runs["a"].rows
    made.runs["a"] = Runs("a", (0, 1), rows[:2], np.full((2, 12), 0.25), {}, np.ones(2))
    assert (HYPERVOLUME, 1.0) == (made.score_name, made.best_score)
    assert [0.75] * 12 == made.regret_bands["a"].mean.tolist()
    assert made.searched_regrets is made.regrets
