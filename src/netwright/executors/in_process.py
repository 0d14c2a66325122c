"""Tasks in this very process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from netwright.executors.failures import TaskFailed, failure_of
from netwright.executors.reports import listening
from netwright.executors.results import decode, encode


class InProcess(Executor):
    """Runs each task at once, inside ``submit``; its results and failures are those of ``Processes``.

    Nothing is limited here: a task that hangs, hangs the caller, and one that kills its process kills the caller.
    ``on_report(future, message)`` is called inside ``executors.report``. Ctrl-C is the user's and goes through.
    """

    def __init__(self, *, on_report: Callable[[Future[Any], dict[str, Any]], None] | None = None) -> None:
        self._on_report = on_report
        self._closed = False

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[Any] = Future()
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
        else:
            future.set_result(result)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._closed = True
