"""The process between the driver and its workers: it imports torch once, forks workers, and watches over them.

It runs no code of the user's, so nothing that a candidate does can keep it from killing that candidate: it holds the
deadlines, reads memory, drains the logs, adopts orphans, and passes sealed bytes from workers to the driver. It has one
thread and runs no operation of torch, so that forking it is safe. When the driver ends, however it ends, the nursery
kills everything and ends too.

It is a process of our own, and not ``multiprocessing``'s fork server, for three reasons. Preparing a child of
``multiprocessing`` runs the user's ``__main__`` again, which is why unguarded scripts and notebook cells break there.
Its fork server exits when the driver does, and leaves behind what candidates had started. And a worker of it is its own
guard: a candidate that holds the interpreter's lock stops both.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import selectors
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netwright.executors import system, worker
from netwright.executors.channel import Channel, Frame, Garbage, Kind
from netwright.executors.failures import describe_exit
from netwright.executors.logs import Log
from netwright.executors.results import MAX_RESULT
from netwright.executors.worker import DIGEST, failed
from netwright.trial import Failure

WATCH_SECONDS = 0.05
# A worker that has used half of its memory is looked at more often: a fast leak fills gigabytes a second.
CLOSE_WATCH_SECONDS = 0.01
# Reports wait here for a slow driver up to this many bytes; later ones are dropped and counted.
MAX_WAITING = 8 * 2**20
SETTLE_SECONDS = 1.0
MUTE_SECONDS = 0.2
STOP_SECONDS = 0.5
# Importing what a function needs is not the task's own time, yet it too must end.
LOAD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What the driver asks for; times in seconds, memory in bytes above a worker's own start."""

    driver: int
    preload: tuple[str, ...]
    time_limit: float | None
    memory_limit: int | None
    grace: float
    log_folder: str | None


@dataclass(eq=False)
class _Worker:
    pid: int
    channel: Channel
    log_end: int
    log: Log = field(default_factory=Log)
    task: int | None = None
    functions: set[bytes] = field(default_factory=set)
    baseline: int | None = None
    deadline: float | None = None
    started: bool = False
    overdue: bool = False
    killed: bool = False
    dead: bool = False
    mute_until: float | None = None
    """Set when it closed its channel: it must be dead by then."""
    lost_reports: int = 0
    outcome: bytes | None = None
    """What the driver is told of the task once this worker and all that it left behind are gone."""


def main(descriptor: int) -> None:
    """Serves the driver at the other end of a socket until it goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    connection = socket.socket(fileno=descriptor)
    connection.set_inheritable(False)
    system.adopt_orphans()
    driver = Channel(connection)
    first: list[Frame] = []
    while not first:
        select.select([connection], [], [])
        first = driver.receive()
        if driver.closed:
            return
    settings = Settings(**json.loads(first[0].body))
    gc.disable()
    for name in settings.preload:
        importlib.import_module(name)
    gc.collect()
    # Out of the collector's sight: a collection in a worker would touch, and so copy, every page of what is loaded.
    gc.freeze()
    gc.enable()
    driver.send(Frame(Kind.HELLO))
    nursery = _Nursery(driver, settings)
    nursery.handle(first[1:])
    nursery.run()
    sys.stderr.flush()
    # Taking torch apart again takes longer than anything that was done here.
    os._exit(0)


class _Nursery:
    def __init__(self, driver: Channel, settings: Settings) -> None:
        self.driver = driver
        self.settings = settings
        self.functions: dict[bytes, bytes] = {}
        self.tasks: deque[Frame] = deque()
        self.workers: dict[int, _Worker] = {}
        # Dead workers whose leavings are being killed, and when their tasks' outcomes are told at last.
        self.settling: list[tuple[float, _Worker]] = []
        self.paused_at: float | None = None
        self.stopping = False
        self.selector = selectors.DefaultSelector()
        self.selector.register(driver.socket, selectors.EVENT_READ, "driver")
        self.wake, wake = socket.socketpair()
        for end in (self.wake, wake):
            end.setblocking(False)
        self._wake_end = wake
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self.selector.register(self.wake, selectors.EVENT_READ, "wake")
        self._watch_driver()

    def run(self) -> None:
        try:
            while not (self.stopping or self.driver.closed):
                self.step()
        finally:
            self.end()

    def step(self) -> None:
        """Waits for something to happen and deals with it."""
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.driver.waiting else 0)
        self.selector.modify(self.driver.socket, wanted, "driver")
        for member in self.workers.values():
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if member.channel.waiting else 0)
            if not member.channel.closed:
                self.selector.modify(member.channel.socket, wanted, member)
        for key, ready in self.selector.select(self.patience()):
            if key.data == "driver":
                self.driver.flush()
                if ready & selectors.EVENT_READ:
                    self.handle(self.driver.receive())
            elif key.data == "wake":
                self.wake.recv(4096)
            elif key.data == "end":
                self.stopping = True
            elif isinstance(key.data, _Worker):
                if ready & selectors.EVENT_WRITE:
                    key.data.channel.flush()
                if ready & selectors.EVENT_READ:
                    self.listen(key.data)
            else:
                self.drain(self.workers[key.data])
        self.reap()
        now = time.monotonic()
        if self.paused_at is None:
            for member in list(self.workers.values()):
                self.keep_time(member, now)
        if self.settings.memory_limit is not None:
            for member in list(self.workers.values()):
                self.keep_memory(member, self.settings.memory_limit)
        self.settle(now)
        self.dispatch()

    def patience(self) -> float | None:
        """How long nothing needs to be looked at; None: until something happens."""
        if self.settling:
            return 0.005
        now = time.monotonic()
        times = []
        for member in self.workers.values():
            if member.mute_until is not None and not member.killed:
                times.append(max(0.0, member.mute_until - now))
            if member.task is None or member.killed:
                continue
            if member.deadline is not None and self.paused_at is None:
                times.append(max(0.0, member.deadline - now))
            if self.settings.memory_limit is not None:
                used = system.resident(member.pid) - (member.baseline or 0)
                times.append(CLOSE_WATCH_SECONDS if 2 * used > self.settings.memory_limit else WATCH_SECONDS)
        return min(times, default=None)

    def handle(self, frames: list[Frame]) -> None:
        """Does what the driver says."""
        for frame in frames:
            if frame.kind is Kind.FUNCTION:
                self.functions[frame.body[:DIGEST]] = frame.body
            elif frame.kind is Kind.FORGET:
                self.functions.pop(frame.body, None)
                for member in self.workers.values():
                    if frame.body in member.functions:
                        member.functions.discard(frame.body)
                        member.channel.send(frame)
            elif frame.kind is Kind.TASK:
                self.tasks.append(frame)
            elif frame.kind is Kind.END:
                self.abandon(frame.number)
            elif frame.kind is Kind.PAUSE:
                self.pause()
                self.driver.send(Frame(Kind.PAUSED, frame.number))
            elif frame.kind is Kind.RESUME:
                self.resume()
        self.dispatch()

    def dispatch(self) -> None:
        """Gives waiting tasks to idle workers, or to new ones: the driver never sends more than it may have workers."""
        while self.tasks and self.paused_at is None:
            member = next((w for w in self.workers.values() if w.task is None and not w.killed), None)
            if member is None:
                member = self.bear()
            task = self.tasks.popleft()
            digest = task.body[:DIGEST]
            if digest not in member.functions:
                member.channel.send(Frame(Kind.FUNCTION, 0, self.functions[digest]))
                member.functions.add(digest)
            member.channel.send(task)
            member.task = task.number
            member.log = Log()
            member.overdue = member.started = False
            member.lost_reports = 0
            if self.settings.time_limit is not None:
                member.deadline = time.monotonic() + LOAD_SECONDS

    def bear(self) -> _Worker:
        """Forks a worker."""
        ours, theirs = socket.socketpair()
        log_ours, log_theirs = os.pipe()
        limit = self.settings.memory_limit
        # Generous, for what is reserved and never used: it only stops what would fail anyway, at once and by name.
        data = None if limit is None else 2 * limit + 4 * 2**30
        me = os.getpid()
        pid = os.fork()
        if pid == 0:
            worker.run(me, theirs, log_theirs, data)
        theirs.close()
        os.close(log_theirs)
        os.set_blocking(log_ours, False)
        member = _Worker(pid, Channel(ours, limit=MAX_RESULT + 65536), log_ours)
        self.workers[pid] = member
        self.selector.register(ours, selectors.EVENT_READ, member)
        self.selector.register(log_ours, selectors.EVENT_READ, pid)
        self.driver.send(Frame(Kind.UP, pid))
        return member

    def listen(self, member: _Worker) -> None:
        """Takes what a worker says."""
        try:
            frames = member.channel.receive()
        except Garbage as garbage:
            failure = Failure("bad_result", f"something else was written into the result's channel: {garbage}")
            self.conclude(member, failed(failure))
            return
        for frame in frames:
            if frame.kind is Kind.HELLO:
                member.baseline = system.resident(member.pid)
            elif member.task is None or frame.number != member.task or member.killed or member.overdue:
                # Late: the task has its verdict already.
                continue
            elif frame.kind is Kind.STARTED:
                member.started = True
                if self.settings.time_limit is not None:
                    member.deadline = time.monotonic() + self.settings.time_limit
            elif frame.kind is Kind.REPORT:
                if self.driver.waiting > MAX_WAITING:
                    member.lost_reports += 1
                else:
                    self.driver.send(frame)
            elif frame.kind is Kind.OUTCOME:
                self.finish(member, frame)
        if member.channel.closed and not member.dead:
            self.unlisten(member)
            member.mute_until = time.monotonic() + MUTE_SECONDS

    def finish(self, member: _Worker, frame: Frame) -> None:
        """A task answered: the worker goes on, or is replaced if it is in doubt."""
        if member.dead:
            member.outcome = frame.body
            return
        left = [pid for pid in system.descendants(member.pid) if not system.is_zombie(pid)]
        limit = self.settings.memory_limit
        grown = limit is not None and 2 * (system.resident(member.pid) - (member.baseline or 0)) > limit
        if left or grown or frame.flag:
            self.conclude(member, frame.body)
            return
        self.drain(member)
        self.tell(member, frame.body)
        member.task = None
        member.deadline = None

    def conclude(self, member: _Worker, outcome: bytes | None) -> None:
        """Settles a task's outcome and kills its worker; the driver hears of it when nothing is left."""
        if member.outcome is None:
            member.outcome = outcome
        member.killed = True
        pids = list(system.descendants(member.pid))
        system.send_group(member.pid, signal.SIGKILL)
        system.send_signal(pids, signal.SIGKILL)

    def abandon(self, number: int) -> None:
        """Ends a task that nobody wants any more."""
        outcome = failed(Failure("died", "was ended by its caller"))
        for task in list(self.tasks):
            if task.number == number:
                self.tasks.remove(task)
                self.driver.send(Frame(Kind.OUTCOME, number, outcome))
        for member in self.workers.values():
            if member.task == number:
                self.conclude(member, outcome)

    def keep_time(self, member: _Worker, now: float) -> None:
        """Asks a worker that is over its time to end, and later makes it."""
        if member.killed:
            return
        if member.mute_until is not None and now >= member.mute_until:
            # It lives, and can never answer.
            self.conclude(member, failed(Failure("died", "closed the channel of its own result")))
        elif member.deadline is None or now < member.deadline:
            return
        elif not member.overdue:
            member.overdue = True
            member.deadline = now + self.settings.grace
            system.send_group(member.pid, signal.SIGTERM)
            # A process that stopped itself cannot hear.
            system.send_group(member.pid, signal.SIGCONT)
        else:
            self.conclude(member, None)

    def keep_memory(self, member: _Worker, limit: int) -> None:
        """Kills a worker that holds more memory, with its children, than it may."""
        if member.task is None or member.killed or member.baseline is None:
            return
        used = system.resident(member.pid) - member.baseline
        family = list(system.descendants(member.pid))
        if family:
            used = max(0, used) + sum(map(system.resident, family))
            if used > limit:
                # Forked processes share pages, which that sum counts again and again. The nursery's own share stands
                # for what a worker holds at its start.
                shares = sum(map(system.proportional, [member.pid, *family]))
                used = shares - system.proportional(os.getpid())
        if used > limit:
            found, allowed = used / 2**20, limit / 2**20
            failure = Failure("memory", f"used {found:,.0f} MiB above its start, its limit is {allowed:,.0f} MiB")
            self.conclude(member, failed(failure))

    def reap(self) -> None:
        """Takes note of what has died."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            member = self.workers.get(pid)
            if member is not None:
                self.bury(member, status)

    def bury(self, member: _Worker, status: int) -> None:
        """Settles the outcome of a dead worker's task."""
        member.dead = True
        seen = -1
        while not member.channel.closed and member.channel.received != seen:
            # What it sent before it died still counts.
            seen = member.channel.received
            self.listen(member)
        self.drain(member)
        self.unlisten(member)
        self.undrain(member)
        os.close(member.log_end)
        del self.workers[member.pid]
        if member.outcome is None:
            if member.overdue:
                seconds = self.settings.time_limit if member.started else LOAD_SECONDS
                message = f"was not {'done' if member.started else 'loaded'} within {seconds:g} s"
                failure = Failure("timeout", message, member.log.last_lines())
            else:
                failure = Failure("died", describe_exit(status), member.log.last_lines())
            member.outcome = failed(failure)
        self.settling.append((time.monotonic() + SETTLE_SECONDS, member))

    def settle(self, now: float) -> None:
        """Kills what dead workers left to us; then tells the driver of their tasks."""
        if not self.settling:
            return
        # Living workers adopt their own orphans, so a child of ours that is no worker was left by a dead one.
        strangers = [pid for pid in system.children(os.getpid()) if pid not in self.workers]
        system.send_signal(strangers, signal.SIGKILL)
        strangers = [pid for pid in strangers if not system.is_zombie(pid)]
        for until, member in list(self.settling):
            if strangers and now < until:
                continue
            self.settling.remove((until, member))
            if member.outcome is not None:
                self.tell(member, member.outcome)
            self.driver.send(Frame(Kind.DOWN, member.pid))

    def tell(self, member: _Worker, outcome: bytes) -> None:
        """Gives the driver a task's outcome."""
        if member.task is None:
            return
        if self.settings.log_folder is not None and member.log.size:
            name = f"{self.settings.driver}-{member.task:06}.log"
            try:
                Path(self.settings.log_folder, name).write_text(member.log.text(), encoding="utf-8")
            except OSError as error:
                # A full disk must not end the search. The driver reads this when the nursery fails.
                print(f"The log {name} could not be written: {error}", file=sys.stderr)
        if member.lost_reports:
            self.driver.send(Frame(Kind.LOST, member.task, str(member.lost_reports).encode()))
        self.driver.send(Frame(Kind.OUTCOME, member.task, outcome))

    def drain(self, member: _Worker) -> None:
        """Reads what a worker printed, a bounded amount at a time."""
        for _ in range(16):
            try:
                data = os.read(member.log_end, 65536)
            except (BlockingIOError, InterruptedError):
                return
            if not data:
                self.undrain(member)
                return
            member.log.append(data)

    def pause(self) -> None:
        """Stops every busy worker with all its processes."""
        if self.paused_at is not None:
            return
        self.paused_at = time.monotonic()
        pids: list[int] = []
        for member in self.workers.values():
            if member.task is not None and not member.killed:
                system.send_group(member.pid, signal.SIGSTOP)
                family = list(system.descendants(member.pid))
                system.send_signal(family, signal.SIGSTOP)
                pids += [member.pid, *family]
        # A signal takes effect when its process next passes through the kernel.
        until = self.paused_at + STOP_SECONDS
        while time.monotonic() < until and not all(map(system.is_stopped, pids)):
            time.sleep(0.0005)

    def resume(self) -> None:
        """Lets the workers go on; their deadlines move by as long as they stood still."""
        if self.paused_at is None:
            return
        lost = time.monotonic() - self.paused_at
        self.paused_at = None
        for member in self.workers.values():
            if member.deadline is not None:
                member.deadline += lost
            system.send_signal(system.descendants(member.pid), signal.SIGCONT)
            system.send_group(member.pid, signal.SIGCONT)

    def end(self) -> None:
        """Kills all workers and all that they left; at most five seconds."""
        signal.set_wakeup_fd(-1)
        for member in self.workers.values():
            self.conclude(member, None)
        until = time.monotonic() + 5
        while time.monotonic() < until:
            system.send_signal(system.children(os.getpid()), signal.SIGKILL)
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            time.sleep(0.002)

    def unlisten(self, member: _Worker) -> None:
        if member.channel.socket.fileno() >= 0:
            self.selector.unregister(member.channel.socket)
            member.channel.close()

    def undrain(self, member: _Worker) -> None:
        if member.log_end in self.selector.get_map():
            self.selector.unregister(member.log_end)

    def _stop(self, *_: Any) -> None:
        self.stopping = True

    def _watch_driver(self) -> None:
        """Notices the driver's death even when a process that it forked keeps the socket open."""
        if sys.platform == "linux" and hasattr(os, "pidfd_open"):
            try:
                end = os.pidfd_open(self.settings.driver)
            except ProcessLookupError:
                self.stopping = True
                return
            except OSError:
                # An old kernel: the socket's end has to do.
                return
            self.selector.register(end, selectors.EVENT_READ, "end")
