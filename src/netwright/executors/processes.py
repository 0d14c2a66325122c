"""Tasks in worker processes that may die, hang, leak and litter without harm to anyone else."""

from __future__ import annotations

import itertools
import json
import logging
import os
import secrets
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from netwright.errors import InputError, ResourceError
from netwright.executors.channel import Channel, Frame, Garbage, Kind
from netwright.executors.failures import TaskFailed, describe_code, failure_of
from netwright.executors.payload import dump_arguments, dump_function, search_path
from netwright.executors.results import decode
from netwright.metrics import BadResult
from netwright.trial import Failure

OnReport = Callable[[Future[Any], dict[str, Any]], None]

# The first optimiser that a process makes imports torch's compiler, which takes longer than torch itself. Done once in
# the nursery, a worker that replaces a dead one need not do it again.
PRELOAD = ("torch", "torch._dynamo", "numpy", "cloudpickle", "netwright.executors.worker")
MAX_FUNCTIONS = 16
MAX_RESTARTS = 3
# One thread a worker; and macOS, which ends a forked process that touches its frameworks unless told not to.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
}

_log = logging.getLogger("netwright.executors")


class Processes(Executor):
    """Runs tasks in up to ``workers`` processes, each with one torch thread, limits, and a session of its own.

    A task's result is a JSON value of at most 1 MB. A task that raises, dies, exceeds a limit or answers what JSON
    cannot hold sets :class:`TaskFailed` on its future and costs only itself. Futures are resolved, and ``on_report``
    and callbacks are called, in a thread of this object; the same future never changes again, however late a worker
    answers. Where no worker can be had at all, because the process that makes them ends again and again, the future's
    exception is a :class:`~netwright.errors.ResourceError`: it says nothing of the task.

    ``time_limit`` is in seconds for each task: SIGTERM at the limit, SIGKILL ``grace`` seconds later. ``memory_limit``
    is in bytes above what a worker holds at its start, its children counted in. What a task prints is kept, at most
    1 MB of it, in a file a task in ``log_folder``; without the folder only its last lines, in the failure's detail.

    Functions travel by cloudpickle, and workers never run the caller's ``__main__``: an unguarded script, ``python -c``
    and a notebook's cell all work. A function is sent once: what it closes over is as it was at its first submission.
    Nothing here is a sandbox: a task is the user's own code with the user's own rights.
    """

    def __init__(
        self,
        workers: int,
        *,
        time_limit: float | None = None,
        memory_limit: int | None = None,
        grace: float = 2.0,
        log_folder: Path | None = None,
        on_report: OnReport | None = None,
        preload: tuple[str, ...] = PRELOAD,
    ) -> None:
        if os.name != "posix":
            raise ResourceError(
                "Worker processes need Linux or macOS", hint="Use netwright.executors.InProcess, or --workers 1"
            )
        if not sys.executable:
            raise ResourceError(
                "This Python does not know its own program, which worker processes need",
                hint="Use netwright.executors.InProcess",
            )
        if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
            raise InputError(f"workers is {workers!r}, a whole number from 1 on was expected")
        for name, value in (("time_limit", time_limit), ("memory_limit", memory_limit), ("grace", grace)):
            if value is not None and not (value > 0 or (name == "grace" and value == 0)):
                raise InputError(f"{name} is {value!r}, a number above 0 was expected")
        if log_folder is not None:
            log_folder = Path(log_folder).absolute()
            log_folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "driver": os.getpid(),
            "preload": preload,
            "time_limit": time_limit,
            "memory_limit": None if memory_limit is None else int(memory_limit),
            "grace": float(grace),
            "log_folder": None if log_folder is None else str(log_folder),
        }
        self._supervisor = _Supervisor(workers, settings, on_report)
        self._numbers = itertools.count(1)
        self._functions: OrderedDict[int, tuple[Callable[..., Any], bytes]] = OrderedDict()
        self._lock = threading.Lock()
        # Neither an executor that is forgotten nor the end of the program leaves processes behind.
        self._finalizer = weakref.finalize(self, _Supervisor.kill, self._supervisor)

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queues a call and returns at once; raises ``InputError`` for what cannot be sent to another process."""
        arguments = dump_arguments(args, kwargs)
        with self._lock:
            digest, payload = self._dumped(function)
            task = _Task(next(self._numbers), Future(), digest, payload, arguments)
            self._supervisor.submit(task)
        return task.future

    def start(self) -> None:
        """Begins to import torch in the background, so that the first task waits less; else ``submit`` begins it."""
        self._supervisor.start()

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Stops all running tasks for the length of the block; their time limits stand still with them.

        Not for callbacks and ``on_report``, which run in the thread that would have to answer.
        """
        self._supervisor.pause()
        try:
            yield
        finally:
            self._supervisor.resume()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more tasks, finishes those it has (or cancels those that wait), and ends all processes."""
        self._supervisor.shutdown(cancel_futures)
        if wait:
            self._supervisor.join()

    def kill(self) -> None:
        """Ends everything at once: waiting tasks are cancelled, running ones fail."""
        self._supervisor.kill()

    def cancel_running(self, futures: Iterable[Future[Any]]) -> None:
        """Ends these tasks at once and waits until they have ended: those that wait are cancelled, others fail."""
        wanted = list(futures)
        self._supervisor.end(wanted)
        if not self._supervisor.is_here():
            wait(wanted)

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the workers that live now."""
        return tuple(self._supervisor.pids)

    def _dumped(self, function: Callable[..., Any]) -> tuple[bytes, bytes | None]:
        """The digest of a function, and its pickled form unless the supervisor has that already."""
        known = self._functions.get(id(function))
        if known is not None:
            self._functions.move_to_end(id(function))
            return known[1], None
        digest, payload = dump_function(function)
        # Holding the function keeps its id from being given to another one.
        self._functions[id(function)] = function, digest
        if len(self._functions) > MAX_FUNCTIONS:
            _, (_, oldest) = self._functions.popitem(last=False)
            if all(other != oldest for _, other in self._functions.values()):
                self._supervisor.forget(oldest)
        return digest, payload


@dataclass(frozen=True, slots=True)
class _Task:
    number: int
    future: Future[Any]
    digest: bytes
    payload: bytes | None
    arguments: bytes


class _Supervisor:
    """The driver's side: one thread that owns the queue, the nursery and the futures.

    It does not know the executor, so that an executor that nobody holds any more can be collected. Others speak to it
    through a queue that may be used from signal handlers too.
    """

    def __init__(self, workers: int, settings: dict[str, Any], on_report: OnReport | None) -> None:
        self.workers = workers
        self.settings = settings
        self.on_report = on_report
        self.pids: set[int] = set()
        self.commands: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.queue: deque[_Task] = deque()
        self.running: dict[int, _Task] = {}
        self.ending: set[int] = set()
        self.functions: dict[bytes, bytes] = {}
        self.forgotten: set[bytes] = set()
        self.sent: set[bytes] = set()
        self.nursery: _Link | None = None
        self.restarts = 0
        self.broken: str | None = None
        self.pauses: dict[int, threading.Event] = {}
        self.pause_numbers = itertools.count(1)
        self.pause_depth = 0
        self.closing = False
        self.closed = False
        self.owner = os.getpid()
        self.lock = threading.RLock()
        self.thread: threading.Thread | None = None
        self.wake, self.wake_end = socket.socketpair()
        self.wake.setblocking(False)
        self.wake_end.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.wake, selectors.EVENT_READ)

    # What other threads call.

    def submit(self, task: _Task) -> None:
        if os.getpid() != self.owner:
            raise RuntimeError("This executor belongs to the process that made it; make another one after a fork")
        with self.lock:
            if self.closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self.say("submit", task)
            self.begin()

    def start(self) -> None:
        with self.lock:
            if not self.closed:
                self.begin()

    def forget(self, digest: bytes) -> None:
        self.say("forget", digest)

    def pause(self) -> None:
        if self.is_here():
            raise RuntimeError("pause() was called in a callback of the executor, whose thread would have to answer it")
        with self.lock:
            self.pause_depth += 1
            if self.pause_depth > 1 or self.thread is None or self.closed:
                return
            event = threading.Event()
            self.say("pause", event)
        event.wait()

    def resume(self) -> None:
        with self.lock:
            self.pause_depth -= 1
            if self.pause_depth == 0:
                self.say("resume", None)

    def end(self, futures: list[Future[Any]]) -> None:
        with self.lock:
            if not self.closed or (self.thread is not None and self.thread.is_alive()):
                self.say("end", futures)

    def shutdown(self, cancel: bool) -> None:
        if os.getpid() != self.owner:
            return
        with self.lock:
            self.closed = True
            self.say("shutdown", cancel)
            if self.thread is None:
                self.release()

    def kill(self) -> None:
        if os.getpid() != self.owner:
            return
        with self.lock:
            self.closed = True
            self.say("kill", None)
            if self.thread is None:
                self.release()
        self.join()

    def join(self) -> None:
        if self.thread is not None and not self.is_here():
            self.thread.join()

    def is_here(self) -> bool:
        """Whether the caller runs in the supervisor's own thread."""
        return threading.current_thread() is self.thread

    def begin(self) -> None:
        if self.thread is None:
            # Here and not in the thread: a caller that forks while another thread starts a process inherits the pipe
            # by which that thread waits for the start, and holds it up for as long as the fork lives.
            self.link()
            # A daemon: the interpreter waits for other threads before it lets anyone end them.
            self.thread = threading.Thread(target=self.run, name="netwright-executor", daemon=True)
            self.thread.start()

    def say(self, verb: str, thing: Any) -> None:
        self.commands.put((verb, thing))
        try:
            self.wake_end.send(b"x")
        except OSError:
            # Full: it will wake anyway. Closed: it has ended.
            pass

    # What its own thread does.

    def run(self) -> None:
        try:
            while not self.ended():
                self.step()
        finally:
            self.stop()

    def ended(self) -> bool:
        return self.closing and not self.queue and not self.running

    def step(self) -> None:
        if self.nursery is not None:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.nursery.channel.waiting else 0)
            self.selector.modify(self.nursery.channel.socket, wanted)
        ready = {key.fileobj for key, _ in self.selector.select()}
        if self.wake in ready:
            self.wake.recv(65536)
        self.obey()
        if self.nursery is not None:
            self.nursery.channel.flush()
            if self.nursery.channel.socket in ready:
                self.listen(self.nursery)
        self.dispatch()

    def obey(self) -> None:
        while True:
            try:
                verb, thing = self.commands.get_nowait()
            except Empty:
                return
            if verb == "submit":
                if thing.payload is not None:
                    self.functions[thing.digest] = thing.payload
                self.forgotten.discard(thing.digest)
                self.queue.append(thing)
            elif verb == "forget":
                self.forgotten.add(thing)
            elif verb == "pause":
                number = next(self.pause_numbers)
                self.pauses[number] = thing
                if self.nursery is None:
                    self.paused(number)
                else:
                    self.nursery.channel.send(Frame(Kind.PAUSE, number))
            elif verb == "resume":
                if self.nursery is not None:
                    self.nursery.channel.send(Frame(Kind.RESUME))
            elif verb == "end":
                self.end_tasks(set(map(id, thing)))
            elif verb == "shutdown":
                self.closing = True
                if self.nursery is not None:
                    # A pause that lasts would keep the tasks from ending.
                    self.nursery.channel.send(Frame(Kind.RESUME))
                if thing:
                    self.cancel()
            elif verb == "kill":
                self.closing = True
                self.cancel()
                self.fail_running(Failure("died", "the executor was killed"))

    def cancel(self) -> None:
        for task in self.queue:
            _drop(task)
        self.queue.clear()

    def end_tasks(self, unwanted: set[int]) -> None:
        waiting, self.queue = self.queue, deque()
        for task in waiting:
            if id(task.future) in unwanted:
                _drop(task)
            else:
                self.queue.append(task)
        for task in self.running.values():
            if id(task.future) in unwanted and self.nursery is not None:
                self.ending.add(task.number)
                self.nursery.channel.send(Frame(Kind.END, task.number))

    def dispatch(self) -> None:
        if self.pause_depth and not self.closing:
            return
        while self.queue and len(self.running) < self.workers:
            task = self.queue.popleft()
            # One that is sent again is running already.
            if not task.future.running() and not task.future.set_running_or_notify_cancel():
                continue
            nursery = self.link()
            if nursery is None:
                task.future.set_exception(ResourceError(f"No worker can be had: {self.broken}", hint=_NO_WORKER))
                continue
            if task.digest not in self.sent:
                nursery.channel.send(Frame(Kind.FUNCTION, 0, task.digest + self.functions[task.digest]))
                self.sent.add(task.digest)
            self.running[task.number] = task
            nursery.channel.send(Frame(Kind.TASK, task.number, task.digest + task.arguments))
        self.forget_unused()

    def forget_unused(self) -> None:
        if not self.forgotten:
            return
        used = {task.digest for task in (*self.queue, *self.running.values())}
        for digest in self.forgotten - used:
            self.forgotten.discard(digest)
            self.functions.pop(digest, None)
            if digest in self.sent and self.nursery is not None:
                self.nursery.channel.send(Frame(Kind.FORGET, 0, digest))
            self.sent.discard(digest)

    def listen(self, nursery: _Link) -> None:
        try:
            frames = nursery.channel.receive()
        except Garbage:
            frames = []
            nursery.channel.closed = True
        for frame in frames:
            self.hear(nursery, frame)
        if nursery.channel.closed:
            self.bury(nursery)

    def hear(self, nursery: _Link, frame: Frame) -> None:
        if frame.kind is Kind.HELLO:
            nursery.ready = True
        elif frame.kind is Kind.UP:
            self.pids.add(frame.number)
        elif frame.kind is Kind.DOWN:
            self.pids.discard(frame.number)
        elif frame.kind is Kind.PAUSED:
            self.paused(frame.number)
        elif frame.number not in self.running:
            # Late: its future has been failed already.
            return
        elif frame.kind is Kind.REPORT:
            self.tell_report(self.running[frame.number], frame.body)
        elif frame.kind is Kind.LOST:
            _log.warning("%s reports of a task were dropped: they came faster than they were read", frame.body.decode())
        elif frame.kind is Kind.OUTCOME:
            self.restarts = 0
            self.ending.discard(frame.number)
            resolve(self.running.pop(frame.number).future, frame.body)

    def tell_report(self, task: _Task, body: bytes) -> None:
        if self.on_report is None:
            return
        try:
            self.on_report(task.future, decode(body))
        except Exception:
            # Like a future's callback: its error is shown, and the executor goes on.
            _log.exception("on_report failed")

    def paused(self, number: int) -> None:
        event = self.pauses.pop(number, None)
        if event is not None:
            event.set()

    def link(self) -> _Link | None:
        """The nursery, started if need be; None when it cannot be kept alive."""
        if self.nursery is None and self.broken is None:
            try:
                self.nursery = _Link(self.settings)
            except OSError as error:
                self.broken = f"the process that makes them did not start ({error})"
            else:
                self.selector.register(self.nursery.channel.socket, selectors.EVENT_READ)
        return self.nursery

    def bury(self, nursery: _Link) -> None:
        """The nursery is gone; only something outside, or a candidate that kills its parent, can do that.

        What it was sent before it was up has not begun, and is sent to the next one.
        """
        self.selector.unregister(nursery.channel.socket)
        last = nursery.end()
        self.nursery = None
        self.sent.clear()
        self.pids.clear()
        self.restarts += 1
        for number in list(self.pauses):
            self.paused(number)
        if self.restarts > MAX_RESTARTS:
            self.broken = f"the process that makes them ended {self.restarts} times, at last with {last}"
        if not nursery.ready:
            wanted = sorted(self.running.keys() - self.ending, reverse=True)
            self.queue.extendleft(self.running.pop(number) for number in wanted)
        self.fail_running(Failure("died", "the process that watches over the workers was killed"))

    def fail_running(self, failure: Failure) -> None:
        running, self.running = self.running, {}
        self.ending.clear()
        for task in running.values():
            task.future.set_exception(TaskFailed(failure))

    def stop(self) -> None:
        if self.nursery is not None:
            self.nursery.end()
            self.nursery = None
        self.pids.clear()
        self.closed = True
        self.obey_none()
        self.release()

    def obey_none(self) -> None:
        """Leaves nobody waiting for a thread that has ended, whatever ended it."""
        while not self.commands.empty():
            verb, thing = self.commands.get()
            if verb == "submit":
                self.queue.append(thing)
            elif verb == "pause":
                thing.set()
        self.cancel()
        self.fail_running(Failure("died", "the executor ended"))
        for number in list(self.pauses):
            self.paused(number)

    def release(self) -> None:
        self.selector.close()
        self.wake.close()
        self.wake_end.close()


class _Link:
    """A running nursery: its process and the channel to it."""

    def __init__(self, settings: dict[str, Any]) -> None:
        ours, theirs = socket.socketpair()
        self.mark = secrets.token_hex(16)
        self.ready = False
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in end()
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, str(theirs.fileno()), json.dumps(search_path())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.errors,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env={**os.environ, **ENVIRONMENT, _mark_name(self.mark): "1"},
            )
        except OSError:
            ours.close()
            self.errors.close()
            raise
        finally:
            theirs.close()
        self.channel = Channel(ours)
        self.channel.send(Frame(Kind.CONFIGURE, 0, json.dumps(settings).encode()))

    def end(self) -> str:
        """Ends the nursery with all its workers; the last line that it complained of, or else what ended it."""
        self.channel.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.returncode != 0:
            # It did not get to clean up behind its workers.
            from netwright.executors import system

            system.kill_marked(_mark_name(self.mark))
        self.errors.seek(0)
        lines = self.errors.read()[-4000:].decode("utf-8", "replace").strip().splitlines()
        self.errors.close()
        return lines[-1][:300] if lines else describe_code(self.process.returncode)


_NO_WORKER = "Look whether there is memory left and whether something ends processes here, then go on"

_START = """\
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from netwright.executors.nursery import main
main(int(sys.argv[1]))
"""


def _drop(task: _Task) -> None:
    """Cancels a task that waits; one that waits to be sent again counts as running, and fails."""
    if not task.future.cancel():
        task.future.set_exception(TaskFailed(Failure("died", "it was ended before it began")))
    else:
        task.future.set_running_or_notify_cancel()


def resolve(future: Future[Any], outcome: bytes) -> None:
    """Sets a future from the JSON of an outcome."""
    try:
        value = decode(outcome)
        if "failure" in value:
            future.set_exception(TaskFailed(Failure(*value["failure"])))
        else:
            future.set_result(value["result"])
    except (BadResult, KeyError, TypeError) as error:
        future.set_exception(TaskFailed(failure_of(error)))


def _mark_name(mark: str) -> str:
    return f"NETWRIGHT_NURSERY_{mark}"
