"""What runs inside a worker process."""

from __future__ import annotations

import faulthandler
import fcntl
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from netwright import strict_json
from netwright.executors import channel, reports, system
from netwright.executors.channel import Frame, Kind
from netwright.executors.failures import failure_of
from netwright.executors.payload import load_arguments, load_function
from netwright.executors.results import encode
from netwright.trial import Failure

DIGEST = 32


def run(nursery: int, connection: socket.socket, log: int, data_limit: int | None) -> NoReturn:
    """Turns a process that was just forked into a worker, and works until the connection ends.

    ``log`` is a file descriptor that takes what tasks print; ``data_limit`` bounds the memory, in bytes beyond now,
    that may be reserved.
    """
    code = 1
    try:
        connection, log = _settle(nursery, connection, log, data_limit)
        channel.write(connection, Frame(Kind.HELLO))
        _serve(connection, log)
        code = 0
    except (EOFError, BrokenPipeError, ConnectionResetError):
        # The nursery is gone, or has no more use for this worker.
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        # Not sys.exit: what the nursery registered for its own end is not this process's to run.
        os._exit(code)


def _settle(nursery: int, connection: socket.socket, log: int, data_limit: int | None) -> tuple[socket.socket, int]:
    os.setsid()
    system.die_with_parent(nursery)
    system.adopt_orphans()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    # High numbers, out of the way of a candidate that closes what it believes to be its own descriptors.
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    base = min(soft - 16, 900) if soft != resource.RLIM_INFINITY else 900
    high_connection = fcntl.fcntl(connection.fileno(), fcntl.F_DUPFD_CLOEXEC, base)
    high_log = fcntl.fcntl(log, fcntl.F_DUPFD_CLOEXEC, base)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    first, second = sorted((high_connection, high_log))
    os.closerange(3, first)
    os.closerange(first + 1, second)
    os.closerange(second + 1, second + 4096)
    connection.detach()
    result = socket.socket(fileno=high_connection)
    result.setblocking(True)
    _open_streams()
    faulthandler.enable(file=high_log)
    # Tells where a task hung, even one that holds the interpreter's lock; then the signal ends the process as usual.
    faulthandler.register(signal.SIGTERM, file=high_log, chain=True)
    system.offer_to_memory_killer()

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if data_limit is not None:
        system.limit_data(data_limit)
    _one_thread()
    return result, high_log


def _open_streams() -> None:
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _one_thread() -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def _serve(connection: socket.socket, log: int) -> None:
    functions: dict[bytes, bytes | Callable[..., Any]] = {}
    me = os.getpid()
    before = _settings()
    streams = sys.stdin, sys.stdout, sys.stderr
    while True:
        frame = channel.read(connection)
        digest, data = frame.body[:DIGEST], frame.body[DIGEST:]
        if frame.kind is Kind.FUNCTION:
            functions[digest] = data
        elif frame.kind is Kind.FORGET:
            functions.pop(digest, None)
        elif frame.kind is Kind.TASK:
            outcome, fit = _perform(connection, frame.number, functions, digest, data)
            if os.getpid() != me:
                # The task forked, and this is the child that came back from it.
                os._exit(0)
            fit = _tidy(log) and fit and threading.active_count() == 1 and _still(before)
            if (sys.stdin, sys.stdout, sys.stderr) != streams or any(stream.closed for stream in streams):
                _open_streams()
                streams = sys.stdin, sys.stdout, sys.stderr
            channel.write(connection, Frame(Kind.OUTCOME, frame.number, outcome, flag=0 if fit else 1))


def _perform(
    connection: socket.socket,
    number: int,
    functions: dict[bytes, bytes | Callable[..., Any]],
    digest: bytes,
    data: bytes,
) -> tuple[bytes, bool]:
    """The outcome of a task as JSON, and whether the process is fit for another."""
    sending = threading.Lock()
    me = os.getpid()

    def send_report(message: bytes) -> None:
        if os.getpid() == me:
            with sending:
                channel.write(connection, Frame(Kind.REPORT, number, message))

    try:
        function = functions[digest]
        if isinstance(function, bytes):
            function = functions[digest] = load_function(function)
        args, kwargs = load_arguments(data)
        channel.write(connection, Frame(Kind.STARTED, number))
        reports.listen(send_report)
        try:
            result = function(*args, **kwargs)
        finally:
            # Also waits for a report that another thread is in the middle of.
            with sending:
                reports.listen(None)
        return b'{"result":' + encode(result) + b"}", True
    except BaseException as error:
        failure = failure_of(error)
        return failed(failure), failure.kind != "memory"


def failed(failure: Failure) -> bytes:
    """A failure as the JSON of an outcome."""
    return strict_json.dumps({"failure": [failure.kind, failure.message, failure.detail]}).encode()


def _tidy(log: int) -> bool:
    """Undoes what one task could leave behind for the next in the state of the process; whether that succeeded."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            # The task closed or replaced it; its own loss.
            pass
    while True:
        try:
            # Children that have ended, its own and those of others that it adopted.
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            break
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
    except OSError:
        return False
    return True


def _settings() -> dict[str, object]:
    """What a task can change for the whole process so that the next one would give other results."""
    settings: dict[str, object] = {
        "directory": _directory(),
        "recursion": sys.getrecursionlimit(),
        "handlers": [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)],
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        settings |= {
            "threads": torch.get_num_threads(),
            "dtype": torch.get_default_dtype(),
            "device": torch.get_default_device(),
            "grad": torch.is_grad_enabled(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "precision": torch.get_float32_matmul_precision(),
        }
    return settings


def _directory() -> tuple[int, int]:
    place = os.stat(".")
    return place.st_dev, place.st_ino


def _still(before: dict[str, object]) -> bool:
    """Whether no task has changed such a setting; what was imported since is not compared."""
    now = _settings()
    return all(now[name] == value for name, value in before.items())
