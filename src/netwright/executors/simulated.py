"""Workers whose time is simulated: a table replays days in seconds."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future
from typing import Any, NamedTuple, final

from netwright.arguments import whole
from netwright.executors.failures import TaskFailed, failure_of
from netwright.executors.reports import listening
from netwright.executors.results import decode, encode

SECONDS = "train_seconds"
"""The metric of a record that says how long its evaluation would have taken."""


class Waited(NamedTuple):
    """What :meth:`Simulated.wait` answers, as ``concurrent.futures.wait`` does."""

    done: set[Future[Any]]
    not_done: set[Future[Any]]


@final
class Simulated(Executor):
    """Runs each task at once, in this process, and lets its result come when a worker would have had it.

    ``workers`` of them take the tasks in the order of submission, each as soon as one is free. How long a task takes is
    the metric ``train_seconds`` of its record; the record's ``seconds`` become the same. Time passes in
    :meth:`wait` alone, and ``clock`` reads it: give both to a study::

        simulated = Simulated(8)
        nw.Study(…, executor=simulated, clock=simulated.clock, parallel=8).run(n_jobs=8, time_limit="3d")

    A task that fails, or whose record has no such metric (as for a proxy), takes no time and no worker.
    ``on_report(future, message)`` is called at once, inside ``executors.report``.
    """

    tick = math.inf
    """There is nothing to look at while simulated time passes."""

    def __init__(
        self, workers: int = 1, *, on_report: Callable[[Future[Any], dict[str, Any]], None] | None = None
    ) -> None:
        whole("", workers=workers)
        self.workers = workers
        self._on_report = on_report
        self.now = 0.0
        self._free = [0.0] * workers
        self._ends: list[tuple[float, int, Future[Any], Any]] = []
        self._order = itertools.count()
        self._closed = False

    def clock(self) -> float:
        """The simulated seconds so far."""
        return self.now

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future = _Later(self)
        future.set_running_or_notify_cancel()

        def receive(message: bytes) -> None:
            if self._on_report is not None:
                self._on_report(future, decode(message))

        try:
            with listening(receive):
                result = decode(encode(function(*args, **kwargs)))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            future.set_exception(TaskFailed(failure_of(error)))
            return future
        seconds = _seconds(result)
        if seconds <= 0:
            future.set_result(result)
            return future
        end = max(self.now, heapq.heappop(self._free)) + seconds
        heapq.heappush(self._free, end)
        heapq.heappush(self._ends, (end, next(self._order), future, result))
        return future

    def wait(
        self, futures: Iterable[Future[Any]], timeout: float | None = None, return_when: str = FIRST_COMPLETED
    ) -> Waited:
        """Lets simulated time pass until one of the futures ends (all that end at that moment do), or ``timeout``."""
        waited = list(futures)
        until = math.inf if timeout is None else self.now + max(0.0, timeout)
        if timeout and until == self.now:
            until = math.nextafter(until, math.inf)  # a rest too small to be added must pass all the same
        open_ones = {future for future in waited if not future.done()}
        enough = len(open_ones) if return_when == FIRST_COMPLETED else 1
        while self._ends and open_ones and len(open_ones) >= enough and self._ends[0][0] <= until:
            self._pass(self._ends[0][0])
            open_ones = {future for future in open_ones if not future.done()}
        if open_ones and len(open_ones) >= enough and until < math.inf:
            self.now = until
        return Waited(set(waited) - open_ones, open_ones)

    def cancel_running(self, futures: Collection[Future[Any]]) -> None:
        """Forgets what runs; its workers are free at once."""
        gone = set(futures)
        self._ends = [item for item in self._ends if item[2] not in gone]
        heapq.heapify(self._ends)
        busy = sorted(item[0] for item in self._ends)[-self.workers :]
        self._free = [self.now] * (self.workers - len(busy)) + busy
        heapq.heapify(self._free)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._closed = True

    def _pass(self, moment: float) -> None:
        """Moves the clock to a moment and gives out every result that is due."""
        self.now = max(self.now, moment)
        while self._ends and self._ends[0][0] <= self.now:
            _, _, future, result = heapq.heappop(self._ends)
            future.set_result(result)


class _Later(Future[Any]):
    """A future that lets simulated time pass when it is asked."""

    def __init__(self, executor: Simulated) -> None:
        super().__init__()
        self._executor = executor

    def result(self, timeout: float | None = None) -> Any:
        self._executor.wait([self], timeout)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._executor.wait([self], timeout)
        return super().exception(0)


def _seconds(result: Any) -> float:
    """How long the work of a record takes, which is written into the record too."""
    if not isinstance(result, dict) or not isinstance(result.get("metrics"), dict):
        return 0.0
    seconds = max(0.0, float(result["metrics"].get(SECONDS, 0.0)))
    if "seconds" in result:
        result["seconds"] = seconds
    return seconds
