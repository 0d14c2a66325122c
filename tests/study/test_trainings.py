"""Trainings that are no trials: each comes as it ends, and a signal ends the rest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from netwright.executors import InProcess, TaskFailed
from netwright.study.signals import Signals
from netwright.study.trainings import as_they_end


def fail():
    raise ValueError("no")


def ended(jobs, signals=None, workers=1):
    return [each for each in as_they_end(InProcess(), jobs, workers, signals) if each is not None]


def test_each_job_comes_with_its_key_and_a_failure_costs_only_itself():
    """Results in the order of ending; what raised is a TaskFailed in its place."""
    (first, one), (second, two), (third, three) = ended([("a", lambda: 1), ("b", fail), ("c", lambda: 3)])
    assert (first, second, third) == ("a", "b", "c")
    assert (one, three) == (1, 3)
    assert isinstance(two, TaskFailed)


def test_after_a_signal_nothing_more_is_begun():
    """What had ended is kept."""
    signals, begun = Signals(), []

    def job():
        begun.append(len(begun))
        signals.count = 1
        return len(begun)

    assert ended([(name, job) for name in "abc"], signals) == [("a", 1)]
    assert begun == [0]


def test_what_is_wrong_with_the_executor_is_raised():
    """An error that is no candidate's ends everything."""
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="no"):
        list(as_they_end(executor, [("a", fail)], 1, None))
