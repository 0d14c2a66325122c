"""What candidates do to themselves costs only themselves.

Every fault runs between sound tasks, which must succeed, and must leave no process behind.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.executors import Processes, report
from netwright.trial import Failure

Check = Callable[..., Failure | None]


def _segfault() -> None:
    ctypes.string_at(0)


def _abort() -> None:
    os.abort()


def _exit_without_result() -> None:
    os._exit(0)


def _exit_three() -> None:
    os._exit(3)


def _kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _overflow_the_stack() -> None:
    # A comparison that calls back into Python through C, without Python's own recursion limit.
    sys.setrecursionlimit(10**9)
    ctypes.pythonapi.Py_SetRecursionLimit(10**9)
    value: list[Any] = []
    for _ in range(10**6):
        value = [value]
    other: list[Any] = []
    for _ in range(10**6):
        other = [other]
    value == other  # noqa: B015


def _close_everything() -> None:
    os.closerange(3, 65536)
    time.sleep(30)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_segfault, "SIGSEGV"),
        (_abort, "SIGABRT"),
        (_overflow_the_stack, "SIGSEGV"),
        (_exit_without_result, "exit 0"),
        (_exit_three, "exit 3"),
        (_kill_itself, "SIGKILL"),
        (_close_everything, "closed the channel of its own result"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_a_process_that_dies_has_died(
    processes: Processes, costs_only_itself: Check, function: Callable[[], None], message: str
) -> None:
    """A task without a result is never complete, whatever its process's exit status says."""
    failure = costs_only_itself(processes, function)
    assert failure is not None
    assert ("died", message) == (failure.kind, failure.message)


def test_a_crash_tells_where_it_happened(processes: Processes, costs_only_itself: Check) -> None:
    """The detail holds faulthandler's text, after what the task printed."""

    def crash() -> None:
        print("one step before")
        _segfault()

    failure = costs_only_itself(processes, crash)
    assert failure is not None
    assert "one step before\nFatal Python error: Segmentation fault" in failure.detail
    assert "in _segfault" in failure.detail


def _exit_politely() -> None:
    sys.exit(3)


def _interrupt() -> None:
    raise KeyboardInterrupt


class _Mute(Exception):
    def __str__(self) -> str:
        raise ValueError


def _raise_mutely() -> None:
    raise _Mute


def _recurse() -> None:
    _recurse()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_exit_politely, "SystemExit: 3"),
        (_interrupt, "KeyboardInterrupt"),
        (_raise_mutely, "_Mute: (its message could not be made: ValueError)"),
        (_recurse, "RecursionError: maximum recursion depth exceeded"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_what_is_raised_is_an_exception(
    processes: Processes, costs_only_itself: Check, function: Callable[[], None], message: str
) -> None:
    """Also what is no ``Exception``."""
    failure = costs_only_itself(processes, function)
    assert failure is not None
    assert ("exception", message) == (failure.kind, failure.message)


def _sleep() -> None:
    time.sleep(100)


def _hold_the_interpreter() -> None:
    sum(itertools.repeat(1, 10**10))


def _block_all_signals() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(100)


def _ignore_the_warning() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)


def _stop_itself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _answer_late() -> str:
    # The warning comes at the limit; an answer in the time of grace is late all the same.
    late = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: late.set())
    late.wait(100)
    return "late"


@pytest.mark.parametrize(
    "function",
    [_sleep, _hold_the_interpreter, _block_all_signals, _ignore_the_warning, _stop_itself, _answer_late],
    ids=lambda function: function.__name__,
)
def test_what_hangs_is_killed(hasty: Processes, costs_only_itself: Check, function: Callable[[], Any]) -> None:
    """Whoever does not hear the warning is killed from outside; a late answer is dropped."""
    failure = costs_only_itself(hasty, function)
    assert failure is not None
    assert (failure.kind, failure.message) == ("timeout", "was not done within 0.5 s")


@pytest.mark.parametrize("function", [_sleep, _hold_the_interpreter], ids=lambda function: function.__name__)
def test_what_hangs_tells_where(hasty: Processes, costs_only_itself: Check, function: Callable[[], Any]) -> None:
    """The warning makes the process write down where it is, even when it holds the interpreter's lock."""
    failure = costs_only_itself(hasty, function)
    assert failure is not None
    assert f"in {function.__name__}" in failure.detail


def _leak() -> None:
    kept = []
    while True:
        kept.append(bytearray(b"x" * (20 * 2**20)))
        time.sleep(0.005)


def _ask_for_too_much() -> None:
    import torch

    torch.empty(100 * 2**30, dtype=torch.uint8)


def _ask_for_more_than_allowed() -> None:
    import torch

    torch.empty(8 * 2**30, dtype=torch.uint8)


def _leak_in_a_child() -> None:
    if os.fork() == 0:
        _leak()
    os.wait()


def _leak_in_another_program() -> None:
    leak = "import time\nx = []\nwhile True: x.append(bytearray(b'x' * (20 * 2**20))); time.sleep(.005)"
    subprocess.run([sys.executable, "-c", leak], check=False)
    time.sleep(100)


def _raise_memory_error() -> None:
    raise MemoryError


@pytest.mark.parametrize(
    "function",
    [
        _leak,
        _ask_for_too_much,
        _ask_for_more_than_allowed,
        _leak_in_a_child,
        _leak_in_another_program,
        _raise_memory_error,
    ],
    ids=lambda function: function.__name__,
)
def test_memory_is_limited(processes: Processes, costs_only_itself: Check, function: Callable[[], None]) -> None:
    """A task and its children have what the limit says."""
    failure = costs_only_itself(processes, function)
    assert failure is not None
    assert failure.kind == "memory"


def test_pages_that_children_share_are_counted_once(processes: Processes, costs_only_itself: Check) -> None:
    """Four forks of a process that holds half of its limit do not make it twice the limit."""

    def fork_four() -> str:
        held = b"x" * (150 * 2**20)
        read_end, write_end = os.pipe()
        for _ in range(4):
            if os.fork() == 0:
                os.close(write_end)
                os.read(read_end, 1)
                os._exit(0)
        time.sleep(0.3)
        os.close(read_end)
        os.close(write_end)
        for _ in range(4):
            os.wait()
        return str(len(held))

    assert costs_only_itself(processes, fork_four) is None


def test_a_mapped_file_is_no_memory(processes: Processes, tmp_path: Path) -> None:
    """A data set that is larger than the limit can be read from a file that is mapped."""

    def read(path: Path) -> int:
        return int(np.memmap(path, dtype=np.uint8, mode="r")[-1])

    file = tmp_path / "data"
    with open(file, "wb") as output:
        output.truncate(20 * 2**30)
    assert processes.submit(read, file).result(60) == 0


def _start_a_child() -> str:
    child = subprocess.Popen(["sleep", "100"])
    # Nobody waits for it, and that is what is tried: no ResourceWarning for a process that is still there.
    child.returncode = 0
    report({"pid": child.pid})
    return "done"


def _start_a_daemon() -> str:
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(write_end, str(os.getpid()).encode())
            time.sleep(100)
        os._exit(0)
    os.wait()
    report({"pid": int(os.read(read_end, 20))})
    return "done"


def _start_a_daemon_and_die() -> None:
    _start_a_daemon()
    os._exit(3)


@pytest.mark.parametrize("function", [_start_a_child, _start_a_daemon], ids=lambda function: function.__name__)
def test_children_that_are_left_are_killed(
    processes: Processes, costs_only_itself: Check, function: Callable[[], Any]
) -> None:
    """The task is complete, and its children, in a session of their own or not, are gone."""
    assert costs_only_itself(processes, function) is None


def test_children_of_the_dead_are_killed(processes: Processes, costs_only_itself: Check) -> None:
    """A worker that dies cannot hide a daemon."""
    assert Failure("died", "exit 3") == costs_only_itself(processes, _start_a_daemon_and_die)


def test_a_thread_that_is_left_costs_the_worker(processes: Processes) -> None:
    """The task is complete, but its process takes no other."""

    def start_a_thread() -> int:
        threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
        return os.getpid()

    pid = processes.submit(start_a_thread).result(60)
    assert pid not in {processes.submit(os.getpid).result(60) for _ in range(4)}


def _change_directory() -> None:
    os.chdir("/")


def _change_dtype() -> None:
    import torch

    torch.set_default_dtype(torch.float64)


def _turn_gradients_off() -> None:
    import torch

    torch.set_grad_enabled(False)


def _handle_a_signal() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@pytest.mark.parametrize(
    "function",
    [_change_directory, _change_dtype, _turn_gradients_off, _handle_a_signal],
    ids=lambda function: function.__name__,
)
def test_a_changed_setting_costs_the_worker(processes: Processes, function: Callable[[], None]) -> None:
    """What a task changes for its whole process does not reach the next task."""

    def change() -> int:
        function()
        return os.getpid()

    pid = processes.submit(change).result(60)
    assert pid not in {processes.submit(os.getpid).result(60) for _ in range(4)}


def test_a_fork_that_comes_back_answers_nothing(processes: Processes, costs_only_itself: Check) -> None:
    """Of a task that forks and returns twice the first process answers."""

    def fork_and_return() -> int:
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        return child

    before = processes.submit(fork_and_return).result(60)
    assert before != 0
    assert costs_only_itself(processes, fork_and_return) is None


def _print_a_lot() -> str:
    for _ in range(200):
        sys.stdout.write("x" * 10**6)
    return "done"


def _print_garbage() -> str:
    os.write(2, bytes(range(256)) * 800)
    return "done"


def _close_descriptors() -> str:
    os.closerange(3, 256)
    return "done"


def _close_its_output() -> str:
    os.close(1)
    sys.stderr.close()
    return "done"


@pytest.mark.parametrize(
    "function",
    [_print_a_lot, _print_garbage, _close_descriptors, _close_its_output],
    ids=lambda function: function.__name__,
)
def test_output_hurts_nobody(processes: Processes, costs_only_itself: Check, function: Callable[[], str]) -> None:
    """However much is printed, and whatever is closed that is not the task's, it completes."""
    assert costs_only_itself(processes, function) is None


def _write_into_every_descriptor() -> str:
    for descriptor in range(3, 1024):
        try:
            os.write(descriptor, b'{"result": "forged"}' * 10)
        except OSError:
            continue
    return "done"


def test_garbage_in_the_results_channel_is_a_bad_result(processes: Processes, costs_only_itself: Check) -> None:
    """What is written into inherited descriptors is not taken for a result."""
    failure = costs_only_itself(processes, _write_into_every_descriptor)
    assert failure is not None
    assert failure.kind == "bad_result"
    assert failure.message.startswith("something else was written into the result's channel")


def test_what_is_shown_of_a_log_is_safe() -> None:
    """Fake lines and colours come out written out."""

    def forge() -> None:
        os.write(1, b"\r\x1b[2K\x1b[32m[study] trial 7 finished: 0.999\x1b[0m\n")
        os._exit(1)

    with Processes(1, preload=()) as executor:
        error = executor.submit(forge).exception(60)
    assert error.failure.detail == "\\x0d\\x1b[2K\\x1b[32m[study] trial 7 finished: 0.999\\x1b[0m"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (lambda: lambda: None, "bad_result", "the result is a function, which JSON cannot hold"),
        (lambda: {"val_accuracy": float("nan")}, "non_finite", "val_accuracy is nan"),
        (lambda: "\ud800", "bad_result", "the result holds a lone surrogate, which no UTF-8 text can"),
        (
            lambda: bytearray(2**28).decode(),
            "bad_result",
            "the result is larger than 1,048,576 bytes; write large things to a file and name it",
        ),
        (
            lambda: [0.1] * 10**7,
            "bad_result",
            "the result is larger than 1,048,576 bytes; write large things to a file and name it",
        ),
    ],
)
def test_what_json_cannot_hold_is_refused(
    costs_only_itself: Check, unlimited: Processes, function: Callable[[], Any], kind: str, message: str
) -> None:
    """The failure names what was answered."""
    failure = costs_only_itself(unlimited, function)
    assert Failure(kind, message) == failure


def test_many_faults_at_once_lose_nothing(strangers: Callable[[Processes], set[int]]) -> None:
    """Of a hundred tasks in four workers, half of them faulty and now and then paused, each gets its own verdict."""
    sound: dict[Callable[[], Any], Any] = {lambda: 1: 1, _start_a_daemon: "done"}
    faulty: dict[Callable[[], Any], str] = {
        _segfault: "died: SIGSEGV",
        _exit_without_result: "died: exit 0",
        _start_a_daemon_and_die: "died: exit 3",
        _interrupt: "exception: KeyboardInterrupt",
        _block_all_signals: "timeout: was not done within 0.3 s",
        lambda: {"loss": float("inf")}: "non_finite: loss is inf",
    }
    tasks = [*faulty, *list(sound) * 3]
    chosen = [tasks[index] for index in np.random.default_rng(0).integers(len(tasks), size=100)]
    with Processes(4, preload=("numpy", "pytest"), time_limit=0.3, grace=0.1) as executor:
        futures = [executor.submit(task) for task in chosen]
        for future in futures[::10]:
            with executor.pause():
                assert not future.cancel() or future.cancelled()
        verdicts = [str(future.exception(60) or future.result()) for future in futures if not future.cancelled()]
        expected = [
            faulty.get(task) or str(sound[task])
            for task, future in zip(chosen, futures, strict=True)
            if not future.cancelled()
        ]
        left = strangers(executor)
    assert verdicts == expected
    assert left == set()
