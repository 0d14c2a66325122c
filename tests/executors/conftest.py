"""Executors that many tests share: starting one takes as long as importing torch."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import psutil
import pytest

from netwright.executors import Processes, TaskFailed
from netwright.trial import Failure

MEMORY_LIMIT = 300 * 2**20
TIME_LIMIT = 20.0
# What the modules of the candidates import: a worker that replaces a dead one need not import it again.
PRELOAD = ("numpy", "psutil", "pytest")


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    """Two workers with limits that only a fault reaches."""
    with Processes(2, time_limit=TIME_LIMIT, memory_limit=MEMORY_LIMIT, preload=("torch", *PRELOAD)) as executor:
        yield executor


@pytest.fixture(scope="session")
def hasty() -> Iterator[Processes]:
    """Two workers with a time limit of half a second."""
    with Processes(2, time_limit=0.5, grace=0.3, preload=PRELOAD) as executor:
        yield executor


@pytest.fixture(scope="session")
def unlimited() -> Iterator[Processes]:
    """Two workers without limits, and without torch: up at once."""
    with Processes(2, preload=PRELOAD) as executor:
        yield executor


@pytest.fixture(scope="session")
def costs_only_itself(strangers: Callable[[Processes], set[int]]) -> Callable[..., Failure | None]:
    """Runs a task among sound ones, checks that those succeed and that nothing is left; gives the task's failure."""

    def check(executor: Processes, function: Callable[..., Any], *args: Any) -> Failure | None:
        before = [executor.submit(operator.mul, 2, number) for number in range(2)]
        task = executor.submit(function, *args)
        after = [executor.submit(operator.mul, 2, number) for number in range(2, 6)]
        assert [future.result(60) for future in before + after] == [0, 2, 4, 6, 8, 10]
        failure = failure_of(task)
        assert strangers(executor) == set()
        return failure

    return check


def failure_of(task: Future[Any]) -> Failure | None:
    """The failure of a task, None when it succeeded."""
    error = task.exception(60)
    assert error is None or isinstance(error, TaskFailed)
    return None if error is None else error.failure


@pytest.fixture(scope="session")
def strangers() -> Callable[[Processes], set[int]]:
    """The processes below an executor's nursery that are not its workers."""

    def find(executor: Processes) -> set[int]:
        nursery = executor._supervisor.nursery
        assert nursery is not None
        children = psutil.Process(nursery.process.pid).children(recursive=True)
        alive = {child.pid for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE}
        return alive - set(executor.pids)

    return find
