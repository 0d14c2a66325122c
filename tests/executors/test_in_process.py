"""Tasks in this very process."""

from __future__ import annotations

import math
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from netwright.executors import InProcess, TaskFailed, report
from netwright.trial import Failure


def test_a_task_runs_at_once() -> None:
    """Its future is done when submit returns, with what JSON makes of the result."""
    future = InProcess().submit(lambda a, b: {"x": (a, np.float32(b))}, 1, b=0.5)
    assert future.done()
    assert future.result() == {"x": [1, 0.5]}


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ({"loss": math.nan}, Failure("non_finite", "loss is nan")),
        (object(), Failure("bad_result", "the result is an object, which JSON cannot hold")),
    ],
)
def test_a_bad_result_fails(answer: object, failure: Failure) -> None:
    """As it does in a worker."""
    error = InProcess().submit(lambda: answer).exception()
    assert isinstance(error, TaskFailed)
    assert failure == error.failure


@pytest.mark.parametrize("raised", [ValueError("no"), SystemExit(3), MemoryError()])
def test_what_is_raised_fails_the_task_alone(raised: BaseException) -> None:
    """Also what is no ``Exception``; the next task runs."""

    def fail() -> None:
        raise raised

    with InProcess() as executor:
        assert isinstance(executor.submit(fail).exception(), TaskFailed)
        assert executor.submit(abs, -3).result() == 3


def test_ctrl_c_is_the_users() -> None:
    """KeyboardInterrupt is not taken for a fault of the task."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        InProcess().submit(interrupt)


def test_reports_arrive_with_their_future() -> None:
    """``report`` speaks for the task that runs, and for none outside of it."""
    heard: list[tuple[Future[Any], dict[str, Any]]] = []
    executor = InProcess(on_report=lambda future, message: heard.append((future, message)))
    future = executor.submit(report, {"step": 1})
    report({"step": 2})
    assert [(future, {"step": 1})] == heard


@pytest.mark.parametrize(
    ("message", "kind"), [({"loss": math.inf}, "non_finite"), ({"text": "x" * 70_000}, "bad_result")]
)
def test_a_bad_report_fails_its_task(message: dict[str, Any], kind: str) -> None:
    """A report with NaN, or of more than 64 kB, is refused where it is made."""
    error = InProcess().submit(report, message).exception()
    assert isinstance(error, TaskFailed)
    assert kind == error.failure.kind


def test_nothing_is_taken_after_shutdown() -> None:
    """As the contract of concurrent.futures says."""
    executor = InProcess()
    executor.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(abs, -1)
