"""Trainings that are no trials: finalists and probes, a few at a time in the workers of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any, TypeVar

from netwright.executors import TaskFailed
from netwright.study.driver import cancel_running
from netwright.study.signals import Signals

Key = TypeVar("Key")
TICK = 0.2
"""Seconds after which it is looked whether anybody wants to stop."""


def as_they_end(
    executor: Executor, jobs: Iterable[tuple[Key, Callable[[], Any]]], workers: int, signals: Signals | None
) -> Iterator[tuple[Key, Any] | None]:
    """Each job's key with its result, or with the TaskFailed that ended it; ``None`` when a moment has passed.

    At most ``workers`` run at once. After a signal what runs is ended, and nothing more comes.
    """
    waiting = list(jobs)
    running: dict[Future[Any], Key] = {}
    while waiting or running:
        while waiting and len(running) < workers:
            key, job = waiting.pop(0)
            running[executor.submit(job)] = key
        for future in wait(running, TICK, FIRST_COMPLETED).done:
            key, error = running.pop(future), future.exception()
            if error is not None and not isinstance(error, TaskFailed):
                raise error
            yield key, future.result() if error is None else error
        yield None
        if signals is not None and signals.count:
            cancel_running(executor, list(running))
            return
