"""The suite of executors, on the one in this process and on the standard library's own."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from netwright.executors import InProcess, Processes
from netwright.testing import check_executor


def test_in_process():
    """The executor in this process keeps the contract."""
    check_executor(lambda on_report: InProcess(on_report=on_report))


def test_processes():
    """Worker processes keep the contract."""
    check_executor(lambda on_report: Processes(2, on_report=on_report))


def test_threads_are_caught():
    """A pool of threads gives results as they are, not as JSON values: it is no executor for a study."""
    with pytest.raises(AssertionError, match="executor: a result is a JSON value, found \\(1, "):
        check_executor(lambda on_report: ThreadPoolExecutor(1))


def test_an_executor_that_never_closes_is_caught():
    """What takes tasks after its shutdown is caught."""

    class Open(InProcess):
        def shutdown(self, wait=True, *, cancel_futures=False):
            pass

    with pytest.raises(AssertionError, match="took a task after shutdown"):
        check_executor(lambda on_report: Open(on_report=on_report))


def test_lost_reports_are_caught():
    """What swallows reports is caught."""
    with pytest.raises(AssertionError, match=r"three reports .* found the steps \[\]"):
        check_executor(lambda on_report: InProcess())
