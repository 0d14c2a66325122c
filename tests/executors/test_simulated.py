"""Simulated workers: results come in the order, and at the moments, of real ones."""

from __future__ import annotations

import heapq
import math
import time
from concurrent.futures import ALL_COMPLETED
from typing import Any

import numpy as np
import pytest

from netwright.executors import Simulated, TaskFailed
from netwright.testing import check_executor


def work(name: Any, seconds: float) -> dict[str, Any]:
    return {"name": name, "metrics": {"train_seconds": seconds}, "seconds": 1e-6}


def finished(simulated: Simulated, tasks: list[float]) -> list[tuple[int, float]]:
    """All tasks submitted at once: which ended when."""
    waiting = {simulated.submit(work, index, seconds): index for index, seconds in enumerate(tasks)}
    ended = []
    while waiting:
        done = simulated.wait(waiting).done
        ended += sorted((waiting.pop(future), simulated.clock()) for future in done)
    return ended


def test_the_suite_of_executors() -> None:
    """It is one: results, failures, reports, shutdown."""
    check_executor(lambda listener: Simulated(2, on_report=listener))


def test_one_worker_takes_them_in_turn() -> None:
    """Each begins where the one before has ended, and the clock reads the sum."""
    assert [(0, 5.0), (1, 7.0), (2, 10.0)] == finished(Simulated(1), [5, 2, 3])


def test_two_workers_by_hand() -> None:
    """5 and 2 begin at once, 4 at 2 on the second, 1 at 5 on the first: they end at 2, 5, 6, 6."""
    assert [(1, 2.0), (0, 5.0), (2, 6.0), (3, 6.0)] == finished(Simulated(2), [5, 2, 4, 1])


@pytest.mark.parametrize("workers", [1, 3, 8, 50])
def test_the_makespan_is_that_of_a_list_of_free_workers(workers: int) -> None:
    """Thirty random tasks: each goes to the worker that is free first."""
    tasks = np.random.default_rng(workers).uniform(1, 100, 30).tolist()
    free = [0.0] * workers
    for seconds in tasks:
        heapq.heapreplace(free, free[0] + seconds)
    simulated = Simulated(workers)
    finished(simulated, tasks)
    assert pytest.approx(max(free)) == simulated.clock()
    assert max(free) < sum(tasks) or workers == 1


def test_days_pass_at_once() -> None:
    """A hundred tasks of a day each on ten workers are ten days, and no time of ours."""
    simulated, began = Simulated(10), time.perf_counter()
    finished(simulated, [86_400.0] * 100)
    assert 10 * 86_400 == simulated.clock()
    assert time.perf_counter() - began < 5


def test_waiting_ends_at_its_timeout() -> None:
    """The clock then reads the timeout, and the task goes on."""
    simulated = Simulated(1)
    future = simulated.submit(work, "a", 10)
    assert (set(), {future}) == simulated.wait([future], 4)
    assert (4.0, False) == (simulated.clock(), future.done())
    assert ({future}, set()) == simulated.wait([future], 6)
    assert 10.0 == simulated.clock()


def test_a_timeout_too_small_to_be_added_passes() -> None:
    """Else a driver would wait for its time limit for ever."""
    simulated = Simulated(1)
    simulated.now = 1e9
    future = simulated.submit(work, "a", 10)
    simulated.wait([future], 1e-12)
    assert 1e9 < simulated.clock() == math.nextafter(1e9, math.inf)


def test_waiting_for_all() -> None:
    """As concurrent.futures does; one that is not waited for comes on the way."""
    simulated = Simulated(3)
    futures = [simulated.submit(work, n, n + 1) for n in range(3)]
    assert set(futures[1:]) == simulated.wait(futures[1:], return_when=ALL_COMPLETED).done
    assert 3.0 == simulated.clock()
    assert futures[0].done()


def test_a_worker_is_free_again_when_its_task_was_given_up() -> None:
    """The next begins at once."""
    simulated = Simulated(1)
    future = simulated.submit(work, "a", 100)
    simulated.wait([future], 5)
    simulated.cancel_running([future])
    later = simulated.submit(work, "b", 2)
    assert "b" == later.result()["name"]
    assert (7.0, False) == (simulated.clock(), future.done())


def test_a_record_has_the_simulated_seconds() -> None:
    """In place of those that the look-up took; without them no time passes and no worker is taken."""
    simulated = Simulated(1)
    busy = simulated.submit(work, "a", 30)
    at_once = simulated.submit(lambda: {"metrics": {"params": 3}, "seconds": 0.5})
    assert (True, {"metrics": {"params": 3}, "seconds": 0.0}) == (at_once.done(), at_once.result())
    assert 7 == simulated.submit(lambda: 7).result()
    assert 0.0 == simulated.clock()
    assert 30.0 == busy.result()["seconds"] == simulated.clock()


def test_a_task_that_fails_costs_only_itself() -> None:
    """And no time."""
    simulated = Simulated(1)
    failed = simulated.submit(lambda: 1 / 0)
    assert isinstance(failed.exception(), TaskFailed)
    assert "bad_result" == simulated.submit(object).exception().failure.kind  # type: ignore[union-attr]
    assert 0.0 == simulated.clock()


def test_nothing_after_shutdown_and_no_workers_but_whole_ones() -> None:
    """The contract of an executor."""
    simulated = Simulated(2)
    simulated.shutdown()
    with pytest.raises(RuntimeError):
        simulated.submit(work, "a", 1)
    for wrong in (0, 1.5, True, "2"):
        with pytest.raises(ValueError, match="workers is a whole number of at least 1"):
            Simulated(wrong)  # type: ignore[arg-type]
