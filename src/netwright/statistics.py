"""Intervals, the paired bootstrap and its verdict, rank tests, corrections, power.

Scores are arrays of shape (seeds, examples): what each of several trainings got on each example of one test set, larger
being better (1 for correct and 0 for wrong, or the negative squared error). Their mean is the metric, in its own unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.errors import InputError

__all__ = [
    "Bands",
    "Difference",
    "Friedman",
    "Interval",
    "PairedTest",
    "RankCorrelation",
    "RankTest",
    "Verdict",
    "bootstrap_bands",
    "bootstrap_interval",
    "critical_distance",
    "friedman",
    "holm",
    "indistinguishable",
    "mann_whitney",
    "paired_bootstrap",
    "paired_tests",
    "pairs_needed",
    "rank_correlation",
    "score_interval",
    "verdict",
    "wilson",
]

Floats = NDArray[np.float64]
ROUNDING = 1e-12
"""Differences of scores below it are none: scores are of the order of 1, their sums exact to about 1e-16."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate between the ends of its confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better one is than another, with the ends of the confidence interval; above zero is better."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bands:
    """Means with the ends of their confidence intervals, one of each a column."""

    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class PairedTest:
    """A mean paired difference with its interval; ``p`` is two-sided unless another side was asked for."""

    mean: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Friedman:
    """``ranks`` are mean ranks over the blocks, 1 for the largest; ``p`` says whether all could be equal."""

    ranks: tuple[float, ...]
    statistic: float
    p: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison came to: the word for programs, the sentence for people."""

    result: Literal["better", "equal", "worse", "undecided"]
    text: str


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """Kendall's τ-b of two rankings of ``n`` things, with a 95 % interval; ``p`` is of no agreement at all."""

    tau: float
    low: float
    high: float
    p: float
    n: int


@dataclass(frozen=True, slots=True)
class RankTest:
    """``p`` is two-sided; ``effect`` is Vargha and Delaney's A12, the chance that the first is larger (½: none)."""

    p: float
    effect: float


def wilson(successes: float, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion (1927); stays inside [0, 1] and has a width even at 0 and at ``n``."""
    if n < 1 or not 0 <= successes <= n:
        raise InputError(f"a proportion is 0 to n successes of n ≥ 1 examples, found {successes} of {n}")
    z = _normal_quantile(level)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(share, low, high)


def bootstrap_interval(values: ArrayLike, *, draws: int = 10_000, level: float = 0.95, seed: int = 0) -> Interval:
    """The mean of independent values with its percentile bootstrap interval."""
    scores = _scores(np.asarray(values, dtype=np.float64)[None, ...], "values")
    return Interval(float(scores.mean()), *_percentiles(_resample(scores[0], [], draws, seed), level))


def score_interval(scores: ArrayLike, *, draws: int = 10_000, level: float = 0.95, seed: int = 0) -> Interval:
    """The mean score with its interval over test examples and seeds, resampled as :func:`paired_bootstrap` does.

    For scores of 0 and 1 it is at least as wide as Wilson's for the examples alone: a test without an error proves no
    perfection, and its bootstrap has no width.
    """
    values = _scores(scores, "scores")
    mean = float(values.mean())
    low, high = _percentiles(_resample(values.mean(axis=0), [(1.0, values)], draws, seed), level)
    if _binary(values):
        examples = values.shape[1]
        least = wilson(min(max(mean, 0.0), 1.0) * examples, examples, level)
        low, high = min(low, least.low), max(high, least.high)
    return Interval(mean, low, high)


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, *, draws: int = 10_000, level: float = 0.95, seed: int = 0
) -> Difference:
    """How much better ``a`` is than ``b`` on the same test examples; each has its own seeds, of any number.

    The percentile interval of a bootstrap over both sources of chance. Each draw takes the test examples with
    replacement, the same for both sides, each with its mean over the seeds; and it takes for each side its seeds, each
    with the deviation of its mean on the whole test set. Drawing seeds inside the drawn examples instead would count
    what only one seed got wrong on one example up to three times. Of S seeds S−1 are drawn, which makes the spread
    between seeds unbiased (Rao and Wu 1988; drawing S of S halves its variance for two seeds).

    A 95 % interval held the truth in 94 to 99 % of simulated comparisons where seeds matter no more than examples;
    where they matter three times as much in 84 % with two seeds a side, 89 % with three, 94 % with five. One seed
    shows no spread at all: the interval is then about these two networks, not about their architectures.

    For scores of 0 and 1 the interval is at least that of Agresti and Min (2005), who add half an example to each of
    the four outcomes of a pair: a bootstrap never draws a disagreement that it has not seen.

    Deterministic by ``seed``. Draws are made in chunks, so that memory stays below 100 MB for any number of them.
    """
    ours, theirs = _scores(a, "a"), _scores(b, "b")
    if ours.shape[1] != theirs.shape[1]:
        raise InputError(
            f"a paired comparison needs the same test examples on both sides, found {ours.shape[1]} and "
            f"{theirs.shape[1]}"
        )
    each = ours.mean(axis=0) - theirs.mean(axis=0)
    low, high = _percentiles(_resample(each, [(1.0, ours), (-1.0, theirs)], draws, seed), level)
    if _binary(ours) and _binary(theirs):
        least = _agresti_min(each, level)
        low, high = min(low, least[0]), max(high, least[1])
    return Difference(float(each.mean()), low, high)


def verdict(
    difference: Difference,
    margin: float,
    *,
    metric: str = "score",
    ours: str = "the network found",
    theirs: str = "the baseline",
    level: float = 0.95,
) -> Verdict:
    """What a difference with its interval comes to.

    ========= ===========================================================================================
    better    the whole interval lies above zero, however little above it
    worse     the whole interval lies below zero
    equal     neither, and the whole interval lies strictly inside ±margin: equivalence is shown
    undecided anything else: the data could not tell
    ========= ===========================================================================================

    The first that holds is the result. With a 95 % interval "equal" is two one-sided tests at 2.5 % each, which is
    stricter than the customary 5 % each (a 90 % interval); so one interval, the one that is printed, decides all.
    ``margin`` is the largest difference that does not matter, in the metric's own unit; with 0 nothing is ever equal.
    """
    if not (math.isfinite(margin) and margin >= 0):
        raise InputError(f"the margin of equivalence is a finite number ≥ 0, found {margin}")
    # Means of scores that are the same but for their order differ by what rounding leaves: that is no difference.
    mean, low, high = (0.0 if abs(x) < ROUNDING else x for x in (difference.mean, difference.low, difference.high))
    span = f"{mean:+.4g} {metric}, {100 * level:g} % interval {low:+.4g} to {high:+.4g}"
    if low > 0:
        return Verdict("better", f"Better: {ours} is ahead of {theirs} ({span}).")
    if high < 0:
        return Verdict("worse", f"Worse: {ours} is behind {theirs} ({span}).")
    if -margin < low and high < margin:
        return Verdict("equal", f"Equal: {ours} and {theirs} differ by less than {margin:.4g} ({span}).")
    return Verdict(
        "undecided",
        f"Undecided: this test cannot tell {ours} from {theirs}, nor show that they differ by less than {margin:.4g} "
        f"({span}).",
    )


def mann_whitney(a: ArrayLike, b: ArrayLike) -> RankTest:
    """The two-sided rank test of Mann and Whitney for two independent samples; exact for small ones without ties."""
    from scipy import stats

    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    for name, sample in (("first", first), ("second", second)):
        if sample.ndim != 1 or len(sample) == 0 or not np.all(np.isfinite(sample)):
            raise InputError(
                f"the {name} sample is a list of at least one finite number, found {sample.tolist()!r:.80}"
            )
    if np.ptp(np.concatenate([first, second])) == 0:
        return RankTest(1.0, 0.5)
    result = stats.mannwhitneyu(first, second, alternative="two-sided")
    return RankTest(float(result.pvalue), float(result.statistic) / (len(first) * len(second)))


def rank_correlation(a: ArrayLike, b: ArrayLike, *, draws: int = 2_000, seed: int = 0) -> RankCorrelation:
    """Kendall's τ-b between two lists of scores; the interval is a percentile bootstrap over the things ranked.

    ``p`` is one-sided, against the two rankings having nothing to do with each other. Of scores that are all equal τ
    is 0: they rank nothing. Raises InputError for lists of different lengths or of fewer than three.
    """
    from scipy.stats import kendalltau

    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape or len(first) < 3:
        raise InputError(
            f"a rank correlation needs two lists of the same length, at least 3; found {first.shape} and {second.shape}"
        )

    signs = [np.sign(values[:, None] - values[None, :]) for values in (first, second)]

    def taus(places: NDArray[np.int64]) -> Floats:
        """τ-b of each row of places: concordant less discordant pairs over the pairs that are no ties."""
        one, other = (sign[places[:, :, None], places[:, None, :]] for sign in signs)
        pairs = np.sqrt((one**2).sum((1, 2)) * (other**2).sum((1, 2)))
        agreed = (one * other).sum((1, 2))
        found: Floats = np.divide(agreed, pairs, out=np.zeros_like(agreed), where=pairs > 0)
        return found

    count = len(first)
    rng = np.random.default_rng(seed)
    places = rng.integers(count, size=(draws, count))
    chunk = max(1, 4_000_000 // count**2)
    drawn = np.concatenate([taus(places[begin : begin + chunk]) for begin in range(0, draws, chunk)])
    low, high = np.quantile(drawn, [0.025, 0.975])
    tau = float(taus(np.arange(count)[None])[0])
    p = kendalltau(first, second, alternative="greater").pvalue
    return RankCorrelation(tau, float(low), float(high), 1.0 if np.isnan(p) else float(p), count)


def holm(p_values: Sequence[float] | Floats) -> list[float]:
    """Holm's step-down correction (1979): adjusted p values in the given order, to compare with the level as it is."""
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise InputError(f"p values are a list of numbers from 0 to 1, found {p.tolist()!r:.80}")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)) if len(p) else p
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in adjusted]


def bootstrap_bands(runs: ArrayLike, *, draws: int = 10_000, level: float = 0.95, seed: int = 0) -> Bands:
    """The mean of each column of ``runs`` (runs, columns) with its percentile bootstrap interval over the runs.

    All columns are resampled together, so the bands of a curve are of whole curves. Of n runs n−1 are drawn, as in
    :func:`paired_bootstrap`; a single run has no spread, and its band is its line.
    """
    values = _scores(runs, "runs")
    means = _resampled_means(values, draws, seed)
    _check_level(level)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Bands(values.mean(axis=0), low, high)


def paired_tests(
    a: ArrayLike,
    b: ArrayLike,
    *,
    alternative: Literal["two-sided", "greater", "less"] = "two-sided",
    draws: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> list[PairedTest]:
    """Whether ``a`` differs from ``b`` in the mean, column by column, over the same runs: arrays (runs, columns).

    The bootstrap's p value: the share of resampled mean differences that lie as far from their own mean as that lies
    from zero. It is never below 1 / (draws + 1), nor below what n pairs can show at all without a distribution to
    believe in: 2 · 2⁻ⁿ two-sided and 2⁻ⁿ one-sided, the least p of a test by signs. The interval is two-sided always.
    """
    first, second = _scores(a, "a"), _scores(b, "b")
    if first.shape != second.shape:
        raise InputError(f"paired runs have one shape on both sides, found {first.shape} and {second.shape}")
    if alternative not in ("two-sided", "greater", "less"):
        raise InputError(f"alternative is 'two-sided', 'greater' or 'less', found {alternative!r}")
    _check_level(level)
    differences = first - second
    mean = differences.mean(axis=0)
    means = _resampled_means(differences, draws, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    deviations = means - mean
    # Sums of the same numbers in another order differ in their last digits.
    slack = 1e-12 * np.abs(differences).max(axis=0, initial=0.0)
    if alternative == "two-sided":
        beyond = np.abs(deviations) >= np.abs(mean) - slack
    elif alternative == "greater":
        beyond = deviations >= mean - slack
    else:
        beyond = deviations <= mean + slack
    floor = min(1.0, (2.0 if alternative == "two-sided" else 1.0) * 0.5 ** len(differences))
    p = np.maximum((beyond.sum(axis=0) + 1) / (draws + 1), floor)
    return [PairedTest(*(float(value) for value in column)) for column in zip(mean, low, high, p, strict=True)]


def friedman(scores: ArrayLike) -> Friedman:
    """The rank test of Friedman (1937) for scores of shape (blocks, candidates), larger being better.

    Each block (a seed, a data set) ranks its candidates; ties share their mean rank, and the statistic is corrected
    for them. Its distribution is that of χ² with one degree of freedom less than there are candidates.
    """
    from scipy import stats

    values = _scores(scores, "scores")
    blocks, candidates = values.shape
    if candidates < 2:
        raise InputError("ranks need at least two candidates, found one")
    ranked = stats.rankdata(-values, axis=1)
    ranks = ranked.mean(axis=0)
    spread = np.square(ranked - (candidates + 1) / 2).sum()
    if spread == 0:  # all equal in each block
        return Friedman(tuple(float(rank) for rank in ranks), 0.0, 1.0)
    between = blocks * np.square(ranks - (candidates + 1) / 2).sum()
    statistic = float(between * blocks * (candidates - 1) / spread)
    return Friedman(tuple(float(rank) for rank in ranks), statistic, float(stats.chi2.sf(statistic, candidates - 1)))


def critical_distance(candidates: int, blocks: int, *, level: float = 0.95) -> float:
    """How far two mean ranks must lie apart to differ by Nemenyi's test (1963), in the form of Demšar (2006)."""
    from scipy import stats

    _check_level(level)
    if candidates < 2 or blocks < 1:
        raise InputError(f"a critical distance is of 2 or more candidates over 1 or more blocks, found {candidates} "
                         f"over {blocks}")  # fmt: skip
    quantile = float(stats.studentized_range.ppf(level, candidates, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(candidates * (candidates + 1) / (6 * blocks))


def indistinguishable(ranks: Sequence[float], distance: float) -> list[tuple[int, ...]]:
    """The largest groups of candidates whose mean ranks lie less than ``distance`` apart, each as indices by rank.

    Groups of one are left out: they are the bars of a critical-difference diagram.
    """
    order = sorted(range(len(ranks)), key=lambda index: ranks[index])
    groups: list[tuple[int, ...]] = []
    reached = 0
    for begin in range(len(order)):
        end = begin
        while end < len(order) and ranks[order[end]] - ranks[order[begin]] < distance:
            end += 1
        if end - begin > 1 and end > reached:
            groups.append(tuple(order[begin:end]))
            reached = end
    return groups


def pairs_needed(mean: float, deviation: float, *, power: float = 0.8, level: float = 0.95) -> int | None:
    """How many pairs a two-sided paired t test needs to show a difference of this mean and standard deviation.

    ``power`` is the chance that it does. None where the mean is zero: no number is enough. At least 2.
    """
    from scipy import stats

    _check_level(level)
    if not 0 < power < 1:
        raise InputError(f"power lies between 0 and 1, found {power}")
    if not (math.isfinite(mean) and math.isfinite(deviation) and deviation >= 0):
        raise InputError(f"a mean and a deviation ≥ 0 are finite numbers, found {mean} and {deviation}")
    if mean == 0:
        return None
    if deviation == 0:
        return 2
    effect = abs(mean) / deviation

    # The normal approximation is below the answer, by about two.
    normal = float(((_normal_quantile(level) + stats.norm.ppf(power)) / effect) ** 2)
    if normal > 1e5:
        return math.ceil(normal)

    def shown(pairs: int) -> bool:
        limit = stats.t.ppf((1 + level) / 2, pairs - 1)
        return bool(stats.nct.sf(limit, pairs - 1, effect * math.sqrt(pairs)) >= power)

    pairs = max(2, math.floor(normal))
    while not shown(pairs):
        pairs += 1
    return pairs


def _resampled_means(values: Floats, draws: int, seed: int) -> Floats:
    """The mean of each column over drawn rows, shape (draws, columns): n−1 of n rows, with replacement."""
    if draws < 1:
        raise InputError(f"a bootstrap needs at least one draw, found {draws}")
    rows = len(values)
    if rows == 1:
        return np.repeat(values, draws, axis=0)
    rng = np.random.default_rng(seed)
    chunk = max(1, 2_000_000 // rows)
    shares = np.full(rows, 1 / rows)
    return np.concatenate(
        [
            rng.multinomial(rows - 1, shares, size=min(chunk, draws - begin)).astype(np.float64) @ values
            for begin in range(0, draws, chunk)
        ]
    ) / (rows - 1)


def _resample(examples: Floats, sides: Sequence[tuple[float, Floats]], draws: int, seed: int) -> Floats:
    """The statistic of each draw: the mean of the drawn ``examples``, moved by the seeds drawn for each signed side."""
    if draws < 1:
        raise InputError(f"a bootstrap needs at least one draw, found {draws}")
    rng = np.random.default_rng(seed)
    values, counts = _distinct(examples)
    drawn = np.concatenate([weights @ values for weights in _example_weights(counts, draws, rng)]) / len(examples)
    for sign, scores in sides:
        seeds = len(scores)
        if seeds > 1:
            deviations = scores.mean(axis=1) - scores.mean()
            drawn += sign * deviations[rng.integers(seeds, size=(draws, seeds - 1))].mean(axis=1)
    return np.asarray(drawn)


def _distinct(examples: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """The distinct values and how often each occurs.

    Equal examples are interchangeable, so drawing how many of each kind (a multinomial) is the same bootstrap; scores
    of 0 and 1 have few kinds.
    """
    values, counts = np.unique(examples, return_counts=True)
    if 4 * len(values) <= len(examples):
        return values, counts.astype(np.int64)
    return examples, np.ones(len(examples), dtype=np.int64)


def _example_weights(counts: NDArray[np.int64], draws: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each kind of example is drawn, chunk by chunk, each of shape (some draws, kinds)."""
    examples, kinds = int(counts.sum()), len(counts)
    chunk = max(1, 2_000_000 // kinds)
    for begin in range(0, draws, chunk):
        size = min(chunk, draws - begin)
        if kinds < examples:
            yield rng.multinomial(examples, counts / examples, size=size).astype(np.float64)
            continue
        weights = np.empty((size, kinds))
        for row in weights:
            row[:] = np.bincount(rng.integers(examples, size=examples), minlength=kinds)
        yield weights


def _agresti_min(differences: Floats, level: float) -> tuple[float, float]:
    examples = len(differences) + 2
    mean = differences.sum() / examples
    variance = (np.square(differences).sum() + 1) / examples - mean**2
    half = _normal_quantile(level) * math.sqrt(variance / examples)
    return float(mean - half), float(mean + half)


def _percentiles(means: Floats, level: float) -> tuple[float, float]:
    _check_level(level)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _normal_quantile(level: float) -> float:
    from statistics import NormalDist

    _check_level(level)
    return NormalDist().inv_cdf((1 + level) / 2)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise InputError(f"a confidence level lies between 0 and 1, found {level}")


def _scores(values: Any, name: str) -> Floats:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 2 or scores.size == 0:
        raise InputError(f"{name}: scores are a non-empty array of shape (seeds, examples), found {scores.shape}")
    if not np.all(np.isfinite(scores)):
        raise InputError(f"{name}: {int((~np.isfinite(scores)).sum())} of {scores.size} scores are not finite")
    return scores


def _binary(scores: Floats) -> bool:
    return bool(np.all((scores == 0) | (scores == 1)))
