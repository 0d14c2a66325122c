"""The conformance suite of executors."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from typing import Any

from netwright.executors import TaskFailed, report

Listener = Callable[[Future[Any], dict[str, Any]], None]


def check_executor(make_executor: Callable[[Listener], Executor], *, timeout: float = 60.0) -> None:
    """Tries an executor on the contract of ``concurrent.futures`` and on ours; AssertionError says what broke.

    ``make_executor(on_report)`` gives a new one, which is shut down here. Tried are: results come to their own futures
    as JSON values; arguments arrive, also of functions made on the spot; a task that raises or answers with what JSON
    cannot say costs only itself, as a TaskFailed with its kind; reports reach ``on_report`` with their future before
    it resolves; ``shutdown`` waits, and nothing is accepted after it.
    """
    heard: list[tuple[Future[Any], dict[str, Any]]] = []
    executor = make_executor(lambda future, message: heard.append((future, message)))
    try:
        _gives_results(executor, timeout)
        _contains_failures(executor, timeout)
        _carries_reports(executor, heard, timeout)
    finally:
        executor.shutdown(wait=True)
    try:
        executor.submit(abs, -1)
    except RuntimeError:
        return
    raise AssertionError("executor: took a task after shutdown, a RuntimeError was expected")


def _gives_results(executor: Executor, timeout: float) -> None:
    offset = 100

    def add(a: int, *, b: int) -> dict[str, int]:
        return {"sum": a + b + offset}

    futures: list[Future[Any]] = [executor.submit(add, n, b=2 * n) for n in range(12)]
    _finish(futures, timeout)
    _expect(
        [{"sum": 3 * n + offset} for n in range(12)] == [future.result() for future in futures],
        "results did not come to their own futures",
    )
    pair: Future[Any] = executor.submit(lambda: (1, [2.5, None, True, "é"]))
    _finish([pair], timeout)
    _expect([1, [2.5, None, True, "é"]] == pair.result(), f"a result is a JSON value, found {pair.result()!r}")


def _contains_failures(executor: Executor, timeout: float) -> None:
    def raises() -> None:
        raise ValueError("it was meant to fail")

    wanted = {"exception": raises, "bad_result": object}
    for kind, task in wanted.items():
        failing, after = executor.submit(task), executor.submit(abs, -3)
        _finish([failing, after], timeout)
        error = failing.exception()
        _expect(isinstance(error, TaskFailed), f"a failed task has TaskFailed as its exception, found {error!r}")
        assert isinstance(error, TaskFailed)
        _expect(kind == error.failure.kind, f"its failure is of the kind '{kind}', found {error.failure}")
        _expect(after.result() == 3, "a task after a failed one did not get its result")
        if kind == "exception":
            _expect("it was meant to fail" in error.failure.message, f"the message is lost: {error.failure}")


def _carries_reports(executor: Executor, heard: list[tuple[Future[Any], dict[str, Any]]], timeout: float) -> None:
    def reports(name: str) -> str:
        for step in range(3):
            report({"name": name, "step": step})
        return name

    futures = {name: executor.submit(reports, name) for name in ("a", "b")}
    _finish(list(futures.values()), timeout)
    for name, future in futures.items():
        mine = [message["step"] for _, message in heard if message["name"] == name]
        _expect(mine == [0, 1, 2], f"three reports in their order were expected, found the steps {mine}")
        # An executor that runs inside submit knows the future before the caller does; identity holds all the same.
        owners = {id(owner) for owner, message in heard if message["name"] == name}
        _expect({id(future)} == owners, "a report came with another future than its task's")


def _finish(futures: list[Future[Any]], timeout: float) -> None:
    waiting = wait(futures, timeout=timeout).not_done
    _expect(not waiting, f"{len(waiting)} of {len(futures)} tasks did not end in {timeout:g} seconds")


def _expect(held: bool, sentence: str) -> None:
    if not held:
        raise AssertionError(f"executor: {sentence}")
