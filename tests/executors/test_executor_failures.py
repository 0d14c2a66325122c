"""Failures in words."""

from __future__ import annotations

import pytest
import torch

from netwright.executors.failures import TaskFailed, describe_exit, escape, failure_of
from netwright.executors.logs import MAX_LOG, Log
from netwright.metrics import BadResult
from netwright.trial import Failure


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no")


def caught(error: BaseException) -> Failure:
    try:
        raise error
    except BaseException as raised:
        return failure_of(raised)


def test_an_exception_is_named_with_its_last_lines() -> None:
    """The message has type and text, the detail the traceback."""
    failure = caught(ValueError("wrong width"))
    assert (failure.kind, failure.message) == ("exception", "ValueError: wrong width")
    assert failure.detail.splitlines()[-1] == "ValueError: wrong width"
    assert "raise error" in failure.detail


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Mute(), "Mute: (its message could not be made: ValueError)"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (ValueError("one\ntwo\x1b[2J"), "ValueError: one two\\x1b[2J"),
        (ValueError("\ud800"), "ValueError: \\ud800"),
    ],
    ids=repr,
)
def test_odd_exceptions_are_exceptions(error: BaseException, message: str) -> None:
    """Whatever is raised becomes one line that is safe to show."""
    failure = caught(error)
    assert ("exception", message) == (failure.kind, failure.message)


def test_a_huge_message_is_cut() -> None:
    """Of a message of ten million characters two thousand are kept, and its length."""
    failure = caught(ValueError("x" * 10**7))
    assert len(failure.message) <= 2_000
    assert failure.message.endswith("… (10,000,012 characters in all)")
    assert len(failure.detail) < 20 * 310


def test_a_deep_recursion_keeps_twenty_lines() -> None:
    """A RecursionError does not bring its thousand frames."""

    def deeper() -> None:
        deeper()

    with pytest.raises(RecursionError) as error:
        deeper()
    failure = failure_of(error.value)
    assert failure.kind == "exception"
    assert len(failure.detail.splitlines()) <= 20


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:116] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("std::bad_alloc"),
        OSError(12, "Cannot allocate memory"),
    ],
    ids=repr,
)
def test_memory_that_cannot_be_had_is_its_own_kind(error: BaseException) -> None:
    """MemoryError, and what torch and the system raise in its place."""
    assert caught(error).kind == "memory"


def test_other_errors_that_speak_of_memory_are_exceptions() -> None:
    """Only a RuntimeError's text is believed."""
    assert caught(ValueError("out of memory")).kind == "exception"


def test_a_bad_result_keeps_its_kind() -> None:
    """What the gate refuses keeps the gate's own words."""
    assert Failure("non_finite", "loss is nan") == caught(BadResult("non_finite", "loss is nan"))


@pytest.mark.parametrize(
    ("status", "words"), [(0, "exit 0"), (3 << 8, "exit 3"), (9, "SIGKILL"), (11, "SIGSEGV"), (6, "SIGABRT")]
)
def test_exits_have_names(status: int, words: str) -> None:
    """A status of waitpid in words."""
    assert words == describe_exit(status)


def test_the_exception_of_a_future_carries_its_failure() -> None:
    """TaskFailed shows kind and message."""
    failure = Failure("died", "SIGSEGV")
    error = TaskFailed(failure)
    assert ("died: SIGSEGV", failure) == (str(error), error.failure)


def test_what_moves_the_cursor_is_written_out() -> None:
    """Control characters and marks that turn the text round are shown, newlines and tabs kept."""
    assert escape("a\x1b[31m\r\n\tb\u202e") == "a\\x1b[31m\\x0d\n\tb\\u202e"


def test_a_log_keeps_its_two_ends() -> None:
    """Of more than 1 MB the first and the last half megabyte are kept and the rest is counted."""
    log = Log()
    log.append(b"first line\n")
    for _ in range(300):
        log.append(b"x" * 10_000)
    log.append(b"\nlast line\n")
    text = log.text()
    assert len(text) <= MAX_LOG + 100
    assert text.startswith("first line\n")
    assert text.endswith("\nlast line\n")
    assert f"[… {3_000_022 - MAX_LOG:,} bytes left out …]" in text


def test_a_log_of_garbage_can_be_shown() -> None:
    """Bytes that are no text are written out."""
    log = Log()
    log.append(bytes(range(256)) * 4)
    assert log.text().replace("\n", "").replace("\t", "").isprintable()
    assert len(log.last_lines().splitlines()) <= 20
