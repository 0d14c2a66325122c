"""Intervals and verdicts, against brute force, published figures and simulation."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright import statistics
from netwright.errors import InputError
from netwright.statistics import Difference, Interval


def test_wilson_as_published():
    """Newcombe 1998, table I: 81 of 263 and 15 of 148, 0 of 20, 1 of 29."""
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (successes, n), ends in published.items():
        found = statistics.wilson(successes, n)
        assert ends == (round(found.low, 4), round(found.high, 4))
        assert successes / n == found.mean


def test_wilson_of_all_reaches_one():
    """A test without an error has an interval, and it ends at exactly 1."""
    found = statistics.wilson(20, 20)
    assert (found.mean, found.high) == (1.0, 1.0)
    assert round(found.low, 4) == 0.8389


def all_draws(a, b):
    """Every equally likely draw of examples, and of all but one of the seeds of each side; the difference in each."""
    each = a.mean(0) - b.mean(0)
    examples = [np.mean(drawn) for drawn in itertools.product(each, repeat=len(each))]
    left, right = seed_moves(a), seed_moves(b)
    return np.array([mean + up - down for mean in examples for up in left for down in right])


def seed_moves(scores):
    if len(scores) == 1:
        return [0.0]
    deviations = scores.mean(1) - scores.mean()
    return [np.mean(drawn) for drawn in itertools.product(deviations, repeat=len(scores) - 1)]


@pytest.mark.parametrize(("left", "right"), [(1, 1), (2, 1), (2, 3)])
def test_paired_bootstrap_against_enumeration(left, right):
    """On four examples the interval is that of all the draws there are."""
    rng = np.random.default_rng(left)
    a, b = rng.normal(1, 1, (left, 4)), rng.normal(0, 1, (right, 4))
    low, high = np.quantile(all_draws(a, b), [0.1, 0.9])
    found = statistics.paired_bootstrap(a, b, draws=200_000, level=0.8)
    assert a.mean() - b.mean() == pytest.approx(found.mean)
    assert (low, high) == pytest.approx((found.low, found.high), abs=0.02)


def test_examples_of_a_kind_are_drawn_together():
    """Few distinct examples are drawn by kind: the interval is the enumerated one here too."""
    a = np.array([[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0]])
    draws = np.random.default_rng(0).binomial(8, 0.25, 400_000) * 2 / 8
    found = statistics.bootstrap_interval(a[0], draws=100_000)
    assert tuple(np.quantile(draws, [0.025, 0.975])) == (found.low, found.high)


def test_pairing_matters():
    """Two sides that err on the same examples are told apart by few of them; unpaired they would not be."""
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 10, 400)
    a, b = hard + 0.5 + rng.normal(0, 0.5, 400), hard + rng.normal(0, 0.5, 400)
    assert statistics.paired_bootstrap(a[None], b[None], draws=2_000).low > 0.3
    shuffled = statistics.paired_bootstrap(a[None], rng.permutation(b)[None], draws=2_000)
    assert shuffled.low < 0 < shuffled.high


@pytest.mark.parametrize("seeds", [2, 5])
def test_spread_between_seeds_is_unbiased(seeds):
    """Where only the seeds differ, the variance of all draws is s²/S, and the interval is theirs."""
    means = np.random.default_rng(seeds).normal(size=seeds)
    moves = seed_moves(means[:, None])
    assert means.var(ddof=1) / seeds == pytest.approx(np.var(moves))
    found = statistics.score_interval(np.repeat(means[:, None], 8, axis=1), draws=100_000, level=0.5)
    assert tuple(means.mean() + np.quantile(moves * 1_000, [0.25, 0.75])) == pytest.approx(
        (found.low, found.high), abs=0.01
    )


def test_paired_bootstrap_is_deterministic():
    """The same seed gives the same interval, another one another."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 50)), rng.normal(size=(2, 50))
    first = statistics.paired_bootstrap(a, b, draws=500, seed=1)
    assert first == statistics.paired_bootstrap(a, b, draws=500, seed=1)
    assert first != statistics.paired_bootstrap(a, b, draws=500, seed=2)


def test_no_disagreement_is_no_proof():
    """Two classifiers that agree on 20 examples may differ by several per cent; on 2,000 by less than a half."""
    few, many = np.ones((1, 20)), np.ones((1, 2_000))
    assert statistics.paired_bootstrap(few, few).high == pytest.approx(1.96 / 22, abs=1e-3)
    assert statistics.verdict(statistics.paired_bootstrap(few, few), 0.01).result == "undecided"
    assert statistics.verdict(statistics.paired_bootstrap(many, many), 0.01).result == "equal"


def test_a_perfect_score_has_an_interval():
    """A score of 1 on 360 examples reaches down to Wilson's bound."""
    assert statistics.wilson(360, 360) == statistics.score_interval(np.ones((3, 360)), draws=200)


def coverage(draw_scores, truth, interval, simulations):
    hits = 0
    for simulation in range(simulations):
        found = interval(*draw_scores(np.random.default_rng(simulation)))
        hits += found.low <= truth <= found.high
    return hits / simulations


def test_coverage_over_examples():
    """Of 400 paired comparisons of classifiers on 300 examples the 95 % interval holds the truth in about 95 %."""

    def scores(rng):
        hard = rng.random(300)
        a = (rng.random((2, 300)) < np.where(hard < 0.2, 0.6, 0.97)).astype(float)
        b = (rng.random((2, 300)) < np.where(hard < 0.2, 0.5, 0.95)).astype(float)
        return a, b

    truth = 0.2 * 0.1 + 0.8 * 0.02
    covered = coverage(scores, truth, lambda a, b: statistics.paired_bootstrap(a, b, draws=400), 400)
    assert 0.92 <= covered <= 0.99


def test_coverage_over_seeds():
    """Of 400 comparisons with five seeds a side, whose spread dominates, it holds the truth in at least 89 %."""

    def scores(rng):
        a, b = rng.normal(0, 1, (5, 1)), rng.normal(0, 1, (5, 1))
        return a + rng.normal(0, 1, (5, 100)), b + rng.normal(0, 1, (5, 100))

    covered = coverage(scores, 0.0, lambda a, b: statistics.paired_bootstrap(a, b, draws=400), 400)
    assert 0.89 <= covered <= 0.98


def test_coverage_of_a_score():
    """Of 400 accuracies near 0.99 on 360 examples the interval holds the truth in at least 93 %."""

    def scores(rng):
        return ((rng.random((1, 360)) < 0.99).astype(float),)

    assert coverage(scores, 0.99, lambda s: statistics.score_interval(s, draws=400), 400) >= 0.93


def test_memory_is_bounded():
    """Ten thousand examples with five seeds a side need less than 100 MB however many draws are made."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 10_000)), rng.normal(size=(5, 10_000))
    tracemalloc.start()
    statistics.paired_bootstrap(a, b, draws=600)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


@pytest.mark.parametrize(
    ("difference", "result"),
    [
        (Difference(0.02, 0.01, 0.03), "better"),
        (Difference(0.002, 0.001, 0.003), "better"),  # inside the margin, and still shown to be better
        (Difference(-0.02, -0.03, -0.01), "worse"),
        (Difference(-0.002, -0.003, -0.001), "worse"),
        (Difference(0.001, -0.004, 0.004), "equal"),
        (Difference(0.0, 0.0, 0.0), "equal"),
        (Difference(0.001, 0.0, 0.005), "undecided"),  # the margin itself is not inside
        (Difference(0.001, -0.005, 0.004), "undecided"),
        (Difference(0.01, -0.001, 0.02), "undecided"),
    ],
)
def test_verdict(difference, result):
    """Better and worse by the sign of the interval, equal inside the margin, else undecided."""
    assert result == statistics.verdict(difference, 0.005).result


def test_verdict_speaks_in_the_metrics_unit():
    """The sentence has the difference, its interval, the metric and both names."""
    found = statistics.verdict(Difference(0.0123, 0.0031, 0.0214), 0.005, metric="test accuracy", theirs="ResNet")
    assert (
        found.text
        == "Better: the network found is ahead of ResNet (+0.0123 test accuracy, 95 % interval +0.0031 to +0.0214)."
    )
    equal = statistics.verdict(Difference(0.0, -0.001, 0.001), 0.005)
    assert "differ by less than 0.005" in equal.text


@pytest.mark.parametrize("sign", [-1, 1])
def test_what_rounding_leaves_is_no_difference(sign):
    """It is written as 0, and decides nothing."""
    found = statistics.verdict(Difference(sign * 5.6e-17, sign * 2e-17, sign * 1e-16), 0.005)
    assert (found.result, "(+0 score, 95 % interval +0 to +0)" in found.text) == ("equal", True)


def test_nothing_is_equal_without_a_margin():
    """A margin of 0 asks for a proof that no data can give."""
    assert statistics.verdict(Difference(0.0, 0.0, 0.0), 0.0).result == "undecided"


def test_mann_whitney_by_hand():
    """Three against three, all smaller: 2 of the 20 orders are as extreme, so p = 0.1; A12 is 0."""
    found = statistics.mann_whitney([1, 2, 3], [4, 5, 6])
    assert (pytest.approx(0.1), 0.0) == (found.p, found.effect)


def test_mann_whitney_of_equals():
    """Samples that are all the same number show nothing."""
    assert statistics.RankTest(1.0, 0.5) == statistics.mann_whitney([2, 2], [2, 2, 2])


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_effect_counts_pairs(a, b):
    """A12 is the share of pairs in which the first is larger, ties by half."""
    wins = sum((x > y) + 0.5 * (x == y) for x in a for y in b)
    assert wins / (len(a) * len(b)) == pytest.approx(statistics.mann_whitney(a, b).effect)


def test_holm_by_hand():
    """Sorted p values times 4, 3, 2, 1, never falling, at most 1."""
    assert pytest.approx(statistics.holm([0.01, 0.04, 0.03, 0.005])) == [0.03, 0.06, 0.06, 0.02]
    assert statistics.holm([0.9, 0.6]) == [1.0, 1.0]
    assert statistics.holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.2))
def test_holm_rejects_as_the_procedure_does(p, level):
    """Going up the sorted p values, reject while p ≤ level / (hypotheses left)."""
    rejected = set()
    for step, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if p[index] * (len(p) - step) > level:
            break
        rejected.add(index)
    adjusted = statistics.holm(p)
    assert rejected == {i for i in range(len(p)) if adjusted[i] <= level}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: statistics.wilson(3, 2), "found 3 of 2"),
        (lambda: statistics.wilson(1, 2, level=1), "between 0 and 1, found 1"),
        (lambda: statistics.paired_bootstrap([[1, 2]], [[1]]), "same test examples on both sides, found 2 and 1"),
        (lambda: statistics.paired_bootstrap([1, 2], [1, 2]), r"shape \(seeds, examples\), found \(2,\)"),
        (lambda: statistics.paired_bootstrap([[1, np.nan]], [[1, 2]]), "1 of 2 scores are not finite"),
        (lambda: statistics.bootstrap_interval([1, 2], draws=0), "at least one draw"),
        (lambda: statistics.bootstrap_interval([]), "non-empty"),
        (lambda: statistics.verdict(Difference(0, 0, 0), -1), "margin of equivalence"),
        (lambda: statistics.mann_whitney([], [1]), "the first sample"),
        (lambda: statistics.holm([0.1, 2]), "from 0 to 1"),
    ],
)
def test_bad_input_is_named(call, sentence):
    """What is wrong is said."""
    with pytest.raises(InputError, match=sentence):
        call()


def test_intervals_hold_their_mean():
    """An interval is a mean between two ends."""
    found = statistics.bootstrap_interval(np.arange(30))
    assert isinstance(found, Interval)
    assert found.low < found.mean < found.high


def all_means(values):
    """The mean of every equally likely draw of all but one of the rows."""
    return np.array([np.mean(drawn, axis=0) for drawn in itertools.product(values, repeat=len(values) - 1)])


def test_bands_against_enumeration():
    """On seven runs the band of each column is that of all the draws there are."""
    runs = np.random.default_rng(0).normal(0, 1, (7, 3))
    low, high = np.quantile(all_means(runs), [0.1, 0.9], axis=0)
    found = statistics.bootstrap_bands(runs, draws=100_000, level=0.8)
    assert runs.mean(axis=0) == pytest.approx(found.mean)
    assert low == pytest.approx(found.low, abs=0.03)
    assert high == pytest.approx(found.high, abs=0.03)


def test_the_band_of_one_run_is_its_line():
    """One run has no spread to show."""
    found = statistics.bootstrap_bands([[1.0, 2.0]])
    assert [[1.0, 2.0]] * 3 == [found.mean.tolist(), found.low.tolist(), found.high.tolist()]


def test_paired_tests_against_enumeration():
    """On seven pairs p is the share of all draws whose mean lies as far from theirs as theirs from zero."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.45, 1, (7, 1)), rng.normal(0, 1, (7, 1))
    means = all_means((a - b)[:, 0])
    mean = (a - b).mean()
    (found,) = statistics.paired_tests(a, b, draws=100_000)
    assert mean == pytest.approx(found.mean)
    assert np.mean(np.abs(means - mean) >= abs(mean)) == pytest.approx(found.p, abs=0.01)
    (greater,) = statistics.paired_tests(a, b, draws=100_000, alternative="greater")
    assert np.mean(means - mean >= mean) == pytest.approx(greater.p, abs=0.01)
    (less,) = statistics.paired_tests(a, b, draws=100_000, alternative="less")
    assert np.mean(means - mean <= mean) == pytest.approx(less.p, abs=0.01)


def test_few_pairs_show_little():
    """Three pairs that all agree are worth no more than a test by their signs, and equal ones nothing."""
    a = np.array([[3.0], [4.0], [5.0]])
    assert [0.25] == [test.p for test in statistics.paired_tests(a, a - 2)]
    assert [0.125] == [test.p for test in statistics.paired_tests(a, a - 2, alternative="greater")]
    assert [1.0] == [test.p for test in statistics.paired_tests(a, a)]


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_paired_tests_keep_their_level(alternative):
    """Where nothing differs, a test at 5 % rejects in about 5 % of 1,000 comparisons of 20 pairs."""
    rng = np.random.default_rng(0)
    a, b = rng.exponential(1, (20, 1000)), rng.exponential(1, (20, 1000))
    rejected = [test.p <= 0.05 for test in statistics.paired_tests(a, b, draws=2_000, alternative=alternative)]
    assert np.mean(rejected) == pytest.approx(0.055, abs=0.02)


def test_paired_tests_want_the_same_runs():
    """Runs that are no pairs, and a side that does not exist, are refused."""
    with pytest.raises(InputError, match="one shape on both sides"):
        statistics.paired_tests(np.zeros((3, 1)), np.zeros((2, 1)))
    with pytest.raises(InputError, match="alternative is"):
        statistics.paired_tests(np.zeros((3, 1)), np.zeros((3, 1)), alternative="smaller")


@pytest.mark.parametrize("ties", [False, True])
def test_friedman_as_scipy(ties):
    """Statistic and p are SciPy's, also with ties."""
    from scipy import stats

    scores = np.random.default_rng(1).normal(0, 1, (12, 4))
    scores = np.round(scores) if ties else scores
    found = statistics.friedman(scores)
    expected = stats.friedmanchisquare(*scores.T)
    assert (expected.statistic, expected.pvalue) == pytest.approx((found.statistic, found.p))
    assert found.ranks == pytest.approx(stats.rankdata(-scores, axis=1).mean(axis=0))


def test_friedman_of_equals():
    """Candidates that are equal in every block share the middle rank."""
    assert statistics.friedman(np.ones((3, 3))) == statistics.Friedman((2.0, 2.0, 2.0), 0.0, 1.0)


def test_critical_distances_as_published():
    """Demšar 2006, table 5a: q at .05 for two to ten candidates; and his example of 4 over 14 data sets."""
    published = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
    for candidates, q in enumerate(published, start=2):
        distance = statistics.critical_distance(candidates, 10)
        assert q == pytest.approx(distance / np.sqrt(candidates * (candidates + 1) / 60), abs=0.0015)
    assert round(statistics.critical_distance(4, 14), 2) == 1.25
    assert round(statistics.critical_distance(4, 14, level=0.9), 2) == 1.12


def test_groups_that_cannot_be_told_apart():
    """The bars of Demšar's figure 1a: 3.143, 2.000, 2.893, 1.964 at 1.12 are two groups, none within another."""
    ranks = [3.143, 2.000, 2.893, 1.964]
    assert [(3, 1, 2), (2, 0)] == statistics.indistinguishable(ranks, 1.12)
    assert [(3, 1, 2, 0)] == statistics.indistinguishable(ranks, 1.25)
    assert [] == statistics.indistinguishable([1.0, 3.0, 5.0], 2.0)


def test_pairs_needed_as_published():
    """Cohen's small, medium and large effects at 80 %: 199, 34 and 15 pairs (G*Power)."""
    assert [199, 34, 15] == [statistics.pairs_needed(effect, 1.0) for effect in (0.2, 0.5, 0.8)]
    assert 34 == statistics.pairs_needed(-1.0, 2.0)
    assert statistics.pairs_needed(0.0, 1.0) is None
    assert 2 == statistics.pairs_needed(1.0, 0.0)
    assert statistics.pairs_needed(1.0, 1e6) == pytest.approx(7.849e12, rel=1e-3)


@pytest.mark.parametrize("values", [100, 4])
def test_rank_correlation_is_kendalls(values):
    """τ-b and its one-sided p as scipy has them, with and without ties; the interval has τ in it."""
    from scipy.stats import kendalltau

    rng = np.random.default_rng(values)
    a = rng.integers(values, size=30)
    b = a + rng.integers(values, size=30)
    found = statistics.rank_correlation(a, b, draws=200)
    expected = kendalltau(a, b, alternative="greater")
    assert (expected.statistic, expected.pvalue) == pytest.approx((found.tau, found.p))
    assert found.low < found.tau < found.high
    assert found.n == 30


def test_rank_correlation_counts_pairs():
    """By hand: of six pairs one is the other way round; turned about, it is minus that."""
    assert statistics.rank_correlation([1, 2, 3, 4], [1, 2, 4, 3], draws=20).tau == pytest.approx(4 / 6)
    assert statistics.rank_correlation([1, 2, 3, 4], [4, 3, 1, 2], draws=20).tau == pytest.approx(-4 / 6)


def test_scores_that_are_all_equal_rank_nothing():
    """No correlation, and no evidence of any."""
    found = statistics.rank_correlation([1.0] * 5, [1, 2, 3, 4, 5], draws=20)
    assert (found.tau, found.p) == (0.0, 1.0)


@pytest.mark.parametrize(("a", "b"), [([1, 2], [1, 2]), ([1, 2, 3], [1, 2]), ([[1, 2, 3]], [[1, 2, 3]])])
def test_rank_correlation_refuses_what_cannot_be_ranked(a, b):
    """Fewer than three, and lists of different lengths."""
    with pytest.raises(InputError, match="two lists of the same length, at least 3"):
        statistics.rank_correlation(a, b)


@pytest.mark.parametrize("runs", [[[0.1, float("nan")]], [0.1, 0.2], [], [[]]])
def test_paired_tests_refuse_what_are_no_runs(runs):
    """Numbers that are none, a single row without columns, nothing at all."""
    with pytest.raises(InputError, match=r"a: (\d of \d scores are not finite|scores are a non-empty array)"):
        statistics.paired_tests(runs, runs)
