"""Why a task failed, in words."""

from __future__ import annotations

import errno
import re
import signal
import traceback

from netwright.errors import NetwrightError
from netwright.metrics import BadResult
from netwright.trial import Failure

MAX_MESSAGE = 2_000
DETAIL_LINES = 20
MAX_LINE = 300

# Control characters, and those that turn or hide what follows them.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_OUT_OF_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory|bad_alloc", re.IGNORECASE)


class TaskFailed(NetwrightError):
    """The exception of a future whose task failed; ``failure`` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def failure_of(error: BaseException) -> Failure:
    """The failure that an exception raised by a task stands for; never raises."""
    if isinstance(error, BadResult):
        return Failure(error.kind, one_line(error.message))
    return Failure("memory" if _is_memory(error) else "exception", _message(error), _last_lines(error))


def describe_exit(status: int) -> str:
    """``exit 3`` or ``SIGSEGV``, for a status of ``os.waitpid``.

    >>> describe_exit(3 << 8), describe_exit(11)
    ('exit 3', 'SIGSEGV')
    """
    import os

    return describe_code(os.waitstatus_to_exitcode(status))


def describe_code(code: int) -> str:
    """``exit 3`` or ``SIGSEGV``, for the return code of a ``subprocess.Popen``.

    >>> describe_code(3), describe_code(-11)
    ('exit 3', 'SIGSEGV')
    """
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def escape(text: str) -> str:
    """``text`` with every character that moves the cursor, changes colours or hides text written out.

    >>> escape("a\\x1b[2Jb\\r\\n")
    'a\\\\x1b[2Jb\\\\x0d\\n'
    """
    return _UNSAFE.sub(lambda match: _written_out(ord(match.group())), text)


def one_line(text: str) -> str:
    """``text`` on one line, at most 2,000 characters long, safe to show."""
    if len(text) > MAX_MESSAGE:
        text = f"{text[: MAX_MESSAGE - 60]} … ({len(text):,} characters in all)"
    return escape(" ".join(text.split()))[:MAX_MESSAGE]


def last_lines(text: str, count: int = DETAIL_LINES) -> str:
    """The last ``count`` lines of ``text``, each cut to 300 characters, safe to show."""
    lines = text[-count * 10 * MAX_LINE :].split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return escape("\n".join(line if len(line) <= MAX_LINE else line[:MAX_LINE] + " …" for line in lines[-count:]))


def _written_out(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and bool(_OUT_OF_MEMORY.search(_text(error)[:MAX_MESSAGE]))


def _message(error: BaseException) -> str:
    text = _text(error)
    return one_line(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as second:
        # What a candidate's own __str__ raises must not hide that the candidate failed.
        return f"(its message could not be made: {type(second).__name__})"


def _last_lines(error: BaseException) -> str:
    try:
        return last_lines("".join(traceback.format_exception(error)))
    except BaseException as second:
        return f"(its traceback could not be made: {type(second).__name__})"
