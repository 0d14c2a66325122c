"""Times of programs on a machine that does other work, with clocks that are known."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy.stats import binom

from netwright.costs.timing import Timing, in_rounds, interval, quantile, repeated, slowness_of

TRUTH = [0.1 * place for place in range(1, 21)]


def programs(slowness, noise=0.0):
    """Programs of known times; ``slowness`` is asked at each call, noise is a part of the time."""
    draw = random.Random(0)
    return [lambda time=time: time * slowness() * math.exp(noise * draw.gauss(0, 1)) for time in TRUTH]


def test_what_slows_the_machine_down_for_a_while_is_taken_out():
    """Half of all rounds are up to three times as slow, and the times are right to a percent of each other."""
    calls = 0

    def slowness():
        nonlocal calls
        calls += 1
        return 1 + 2 * ((calls // 400) % 2)

    found = [timing.median for timing in in_rounds(programs(slowness, 0.01), seconds=0, least=21)]
    factors = np.array(found) / TRUTH
    assert 0.02 > np.ptp(factors) / factors.mean()


def test_disturbances_of_single_calls_move_nothing():
    """One in ten calls takes ten times as long."""
    draw = random.Random(1)
    found = in_rounds(programs(lambda: 10 if draw.random() < 0.1 else 1), seconds=0, least=15)
    assert TRUTH == pytest.approx([timing.median for timing in found])


def test_calls_that_were_interrupted_do_not_count():
    """A program that sleeps now and then is as fast as when it does not."""
    import time

    calls = 0

    def program():
        nonlocal calls
        calls += 1
        start = time.perf_counter()
        while time.perf_counter() - start < 0.0005:
            pass
        if calls % 3 == 0:
            time.sleep(0.003)
        return (time.perf_counter() - start) * 1e3

    (found,) = in_rounds([program], seconds=0)
    assert 2 > found.p95


def test_a_program_that_works_elsewhere_counts():
    """This process only waits for it."""
    import time

    def program():
        start = time.perf_counter()
        time.sleep(0.001)
        return (time.perf_counter() - start) * 1e3

    (found,) = in_rounds([program], seconds=0)
    assert 1 <= found.median


def test_the_interval_holds_the_median_as_often_as_it_says():
    """Of 2,000 samples of 15 skewed numbers at least 95 % do, whatever they are distributed like."""
    rng = np.random.default_rng(0)
    held = [low <= math.log(2) <= high for low, high in (interval(rng.exponential(size=15)) for _ in range(2000))]
    assert 0.95 <= np.mean(held)


@pytest.mark.parametrize("count", [1, 2, 5, 6, 9, 30, 101])
def test_the_interval_is_that_of_the_binomial_distribution(count):
    """The order statistics beyond which the median is with at most 2.5 % each."""
    place = max(0, int(binom.ppf(0.025, count, 0.5)) - 1)
    assert (place, count - 1 - place) == interval(list(range(count)))


def test_quantiles_are_those_of_numpy():
    """By linear interpolation."""
    values = np.random.default_rng(0).random(31)
    assert [np.quantile(values, part) for part in (0, 0.3, 0.95, 1)] == pytest.approx(
        [quantile(values, part) for part in (0, 0.3, 0.95, 1)]
    )


def test_few_programs_have_nothing_in_common():
    """What a single one varies by is its own."""
    assert [1.0, 1.0, 1.0] == slowness_of([[1.0], [2.0], [3.0]])


def test_rounds_without_a_time_of_a_program_are_no_obstacle():
    """The others tell how slow they were."""
    rows = [[1.0 * place for place in range(1, 10)] for _ in range(3)]
    slow = [[2.0 * each for each in rows[0]]]
    slow[0][4] = None
    assert [1, 1, 1, 2] == pytest.approx(slowness_of(rows + slow))


def test_repeated_calls_after_warming_up():
    """So many calls count, and those before them do not."""
    times = iter([9.0, 9.0, 1.0, 2.0, 3.0])
    assert Timing(2.0, 1.0, 3.0, 2.9) == repeated(lambda: next(times), repeats=3, warmup=2)


def test_times_are_kept_as_json():
    """To a hundredth of a microsecond; what is no time is refused."""
    timing = Timing(1.234567, 1.0, 2.0, 3.0)
    assert Timing(1.23457, 1.0, 2.0, 3.0) == Timing.from_value(timing.to_value())
    with pytest.raises(ValueError, match="finite"):
        Timing.from_value({**timing.to_value(), "p95_ms": math.inf})
