"""Drivers that are there to be killed: each a fork of this process, in a session of its own.

The process that forks has imported everything and runs one thread, so a driver is there within milliseconds. It
writes a line to a pipe whenever its study tells a callback that a trial has ended: what was acknowledged.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from tests.faults import toy

from netwright import failpoints

NEVER = 10**9
PATIENCE = 60.0


@dataclass(frozen=True)
class Plan:
    """What one driver is to do: which study, until when, dying where, and with which bug planted in it."""

    folder: Path
    variant: str = "plain"
    trials: int = toy.TRIALS
    workers: int = 0
    delay: float = 0.0
    point: str = ""
    pass_number: int = NEVER
    plant: Callable[[], None] | None = None
    before: Callable[[], None] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    build: Callable[[Plan, Any, Any], Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """How a driver ended: by which signal or with which code, what it had acknowledged, what it said."""

    signal: int
    code: int
    acknowledged: list[tuple[int, str, dict[str, float]]]
    passes: int
    seconds: float
    text: str
    orphans: list[str]

    @property
    def killed(self) -> bool:
        return self.signal == signal.SIGKILL


class Acknowledger:
    """The callback: tells the pipe, unbuffered."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe

    def on_trial_end(self, study: Any, trial: Any) -> None:
        line = json.dumps([trial.number, str(trial.state), dict(trial.metrics)])
        os.write(self.pipe, line.encode() + b"\n")


class Running:
    """A driver on its way."""

    def __init__(self, plan: Plan) -> None:
        if threading.active_count() > 1:
            raise RuntimeError("drivers are forked from a process of one thread")
        self.began = time.monotonic()
        self.log = plan.folder.with_name(plan.folder.name + f".log{time.monotonic_ns()}")
        self.pipe, end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _drive(plan, end, self.log)
        os.close(end)
        self.pidfd = os.pidfd_open(self.pid)
        self.content = b""

    def wait_for(self, count: int, timeout: float = PATIENCE) -> None:
        """Returns when so many trials were acknowledged, or the driver has ended."""
        until = time.monotonic() + timeout
        while self.content.count(b"\n") < count and time.monotonic() < until:
            if not select.select([self.pipe], [], [], 0.5)[0]:
                continue
            chunk = os.read(self.pipe, 65536)
            if not chunk:
                return
            self.content += chunk

    def ends_within(self, seconds: float) -> bool:
        return bool(select.select([self.pidfd], [], [], max(0.0, seconds))[0])

    def kill(self) -> None:
        """SIGKILL to the whole process group."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(self.pid, signal.SIGKILL)

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def end(self, timeout: float = PATIENCE) -> Outcome:
        """Waits for its end and sees to it that nothing of it is left."""
        hung = not self.ends_within(timeout)
        if hung:
            self.kill()
        _, status = os.waitpid(self.pid, 0)
        seconds = time.monotonic() - self.began
        while chunk := os.read(self.pipe, 65536):
            self.content += chunk
            if hung:
                break
        os.close(self.pipe)
        os.close(self.pidfd)
        orphans = left_over() + (["the driver itself, which did not end"] if hung else [])
        lines = self.content.split(b"\n")[:-1]
        passes = [int(line[7:]) for line in lines if line.startswith(b"passes ")]
        acks = [tuple(json.loads(line)) for line in lines if line.startswith(b"[")]
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        self.log.unlink(missing_ok=True)
        code = os.waitstatus_to_exitcode(status)
        return Outcome(
            max(0, -code),
            max(0, code),
            acks,
            passes[-1] if passes else 0,
            seconds,
            text,
            orphans,  # type: ignore[arg-type]
        )


def run(plan: Plan, *, kill_after: float | None = None) -> Outcome:
    """A driver from beginning to end, or to its violent death ``kill_after`` seconds after its start."""
    running = Running(plan)
    if kill_after is not None and not running.ends_within(kill_after):
        running.kill()
    return running.end()


def adopt_orphans() -> None:
    """From now on whoever loses its parent below this process becomes a child of this one, and is seen."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)


def left_over(timeout: float = 8.0) -> list[str]:
    """The processes below this one that do not end of themselves, ended now."""
    me = psutil.Process()
    until = time.monotonic() + timeout
    while True:
        _reap()
        alive = [child for child in me.children(recursive=True) if child.pid not in EXPECTED]
        if not alive or time.monotonic() > until:
            break
        time.sleep(0.02)
    found = []
    for child in alive:
        try:
            found.append(f"process {child.pid} ({' '.join(child.cmdline())[:60]})")
            child.kill()
        except psutil.NoSuchProcess:
            pass
    _reap()
    return found


EXPECTED: set[int] = set()
"""Children of this process that are meant to live on, such as a second driver."""


def _reap() -> None:
    for child in psutil.Process().children():
        if child.pid in EXPECTED:
            continue
        try:
            os.waitpid(child.pid, os.WNOHANG)
        except ChildProcessError:
            pass


def _drive(plan: Plan, pipe: int, log: Path) -> None:
    """The life of a driver after the fork; never returns."""
    code = 1
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        if plan.plant is not None:
            plan.plant()
        if plan.point:
            failpoints._armed, failpoints._count, failpoints._passes = plan.point, str(plan.pass_number), 0
        if plan.before is not None:
            plan.before()
        code = _search(plan, pipe)
    except BaseException as error:
        code = getattr(error, "code", 1)
        if isinstance(error, SystemExit):
            return
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        if code == 1:
            traceback.print_exc()
    finally:
        os.write(pipe, f"passes {failpoints._passes}\n".encode())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _search(plan: Plan, pipe: int) -> int:
    executor: Any = "in_process"
    if plan.workers:
        from netwright.executors import Processes

        # Without torch's compiler, which no candidate here needs, a nursery is up in half the time.
        executor = Processes(plan.workers, preload=("torch", "numpy", "cloudpickle", "netwright.executors.worker"))
    try:
        build = plan.build or (
            lambda plan, executor, callback: toy.study(
                plan.folder, plan.variant, delay=plan.delay, executor=executor, callbacks=[callback], **plan.options
            )
        )
        study = build(plan, executor, Acknowledger(pipe))
        study.run(max_trials=plan.trials, n_jobs=max(1, plan.workers))
    finally:
        if plan.workers:
            executor.kill()
    return 0
