"""Worker processes: what they promise when nothing goes wrong, and at their end."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import threading
import time
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import psutil
import pytest

from netwright.errors import InputError, ResourceError
from netwright.executors import InProcess, Processes, TaskFailed, report
from netwright.executors import processes as processes_module
from netwright.executors.processes import MAX_RESTARTS
from netwright.testing import check_executor
from netwright.trial import Failure


def light(workers: int = 2, **options: Any) -> Processes:
    """Processes that are up at once, because their nursery imports nothing."""
    return Processes(workers, preload=(), **options)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Tasks that wait for this file run until the test makes it."""
    return tmp_path / "gate"


def wait_for(gate: Path) -> str:
    while not gate.exists():
        time.sleep(0.002)
    return "through"


def hold(gate: Path) -> str:
    """Tells that it runs, then waits for the gate."""
    report({"pid": os.getpid()})
    return wait_for(gate)


def gone(pids: set[int]) -> bool:
    """Whether these processes end within some seconds."""
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=10)
    return not alive


@pytest.mark.parametrize("kind", ["in_process", "processes"])
def test_executors_conform(kind: str) -> None:
    """Both kinds pass the public suite."""
    check_executor(
        lambda listener: InProcess(on_report=listener) if kind == "in_process" else light(on_report=listener)
    )


def test_workers_start_when_they_are_needed() -> None:
    """One task at a time needs one worker, which stays."""
    with light(4) as executor:
        assert executor.pids == ()
        pids = {executor.submit(os.getpid).result(60) for _ in range(5)}
        assert pids == set(executor.pids)
        assert len(pids) == 1
    assert executor.pids == ()
    assert gone(pids)


def test_workers_work_side_by_side(gate: Path) -> None:
    """Two tasks that wait for each other finish with two workers."""

    def meet(mine: Path, other: Path) -> str:
        mine.touch()
        return wait_for(other)

    a, b = gate.with_name("a"), gate.with_name("b")
    with light(2) as executor:
        assert [f.result(60) for f in (executor.submit(meet, a, b), executor.submit(meet, b, a))] == ["through"] * 2


def test_a_worker_is_set_up_for_candidates() -> None:
    """Own session, Ctrl-C ignored, nothing to read, one thread for torch, no core files."""

    def describe() -> list[Any]:
        import resource
        import sys

        import torch

        return [
            os.getsid(0) == os.getpid(),
            signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
            sys.stdin.read(),
            torch.get_num_threads(),
            os.environ["OMP_NUM_THREADS"],
            resource.getrlimit(resource.RLIMIT_CORE)[0],
        ]

    with Processes(1) as executor:
        assert executor.submit(describe).result(60) == [True, True, "", 1, "1", 0]


def test_nothing_is_torch_in_the_driver() -> None:
    """Importing the executors imports neither torch nor cloudpickle."""
    import subprocess

    code = "import sys, netwright.executors; print({'torch', 'cloudpickle', 'psutil'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_a_function_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is submitted, it is pickled once and loaded once by a worker."""
    dumped = []
    real = processes_module.dump_function
    monkeypatch.setattr(processes_module, "dump_function", lambda function: dumped.append(function) or real(function))
    calls: list[int] = []

    def count() -> int:
        calls.append(1)
        return len(calls)

    with light(1) as executor:
        assert [executor.submit(count).result(60) for _ in range(3)] == [1, 2, 3]
    assert [count] == dumped


def test_functions_that_are_not_used_any_more_are_forgotten() -> None:
    """Hundreds of functions made on the spot do not stay; one that comes again is sent again."""

    def make(number: int) -> Any:
        return lambda: number

    first = make(-1)
    with light(1) as executor:
        assert executor.submit(first).result(60) == -1
        assert list(range(60)) == [executor.submit(make(number)).result(60) for number in range(60)]
        assert executor.submit(first).result(60) == -1
        assert len(executor._supervisor.functions) <= processes_module.MAX_FUNCTIONS + 1


def test_what_cannot_be_sent_is_refused_at_once() -> None:
    """The caller gets the error, not the future."""
    with light(1) as executor:
        with pytest.raises(
            InputError, match=r"^The function cannot be sent to a worker process: TypeError: cannot pickle"
        ):
            executor.submit(lambda lock=threading.Lock(): lock)  # noqa: B008
        with pytest.raises(InputError, match=r"^An argument cannot be sent to a worker process"):
            executor.submit(abs, threading.Lock())


def test_a_module_loaded_from_a_path_travels_whole(tmp_path: Path) -> None:
    """Workers could not import it: its functions and classes go by value."""
    path = tmp_path / "somewhere_else.py"
    path.write_text(
        "class Net:\n    depth = 3\ndef deep():\n    return Net.depth + helper()\ndef helper():\n    return 4\n"
    )
    spec = importlib.util.spec_from_file_location("somewhere_else", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["somewhere_else"] = module
    try:
        spec.loader.exec_module(module)
        with light(1) as executor:
            assert executor.submit(module.deep).result(60) == 7
            assert executor.submit(lambda net: net.depth, module.Net()).result(60) == 3
    finally:
        del sys.modules["somewhere_else"]


def test_reports_arrive_in_order_before_the_result() -> None:
    """With the future of their task, in the supervisor's thread."""
    heard: list[tuple[int, Any]] = []
    done: dict[int, bool] = {}

    def listen(future: Future[Any], message: dict[str, Any]) -> None:
        heard.append((message["task"], message["step"]))
        done[message["task"]] = future.done()

    def work(task: int) -> int:
        for step in range(50):
            report({"task": task, "step": step})
        return task

    with light(2, on_report=listen) as executor:
        assert [future.result(60) for future in [executor.submit(work, task) for task in range(2)]] == [0, 1]
    assert [[step for task, step in heard if task == number] for number in range(2)] == [list(range(50))] * 2
    assert done == {0: False, 1: False}


def test_a_slow_listener_holds_no_worker_up(gate: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Reports that nobody reads in time are dropped and counted; the task goes on, its result arrives."""

    def flood(done: Path) -> str:
        for _ in range(600):
            report({"text": "x" * 60_000})
        done.touch()
        return "done"

    # The listener hears nothing more until the task has made all its reports.
    with light(1, on_report=lambda future, message: wait_for(gate) and None) as executor:
        assert executor.submit(flood, gate).result(60) == "done"
    assert "reports of a task were dropped" in caplog.text


def test_an_error_of_the_listener_is_shown_and_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """As with the callbacks of a future."""

    def listen(future: Future[Any], message: dict[str, Any]) -> None:
        raise ValueError("the listener's own")

    with light(1, on_report=listen) as executor:
        executor.submit(report, {"step": 1}).result(60)
    assert "the listener's own" in caplog.text


def test_what_is_printed_goes_into_a_file_a_task(tmp_path: Path) -> None:
    """At most 1 MB of it, safe to show; a task that prints nothing makes no file."""
    with light(1, log_folder=tmp_path / "logs") as executor:
        executor.submit(print, "\x1b[2Jhello").result(60)
        executor.submit(abs, -1).result(60)
    files = list((tmp_path / "logs").iterdir())
    assert [f"{os.getpid()}-000001.log"] == [file.name for file in files]
    assert files[0].read_text() == "\\x1b[2Jhello\n"


def test_pause_stops_all_tasks_and_their_clocks() -> None:
    """A task of 0.2 s survives a pause that is longer than its time limit."""
    heard: list[int] = []
    running = threading.Event()

    def listen(future: Future[Any], message: dict[str, Any]) -> None:
        heard.append(message["pid"])
        running.set()

    def work() -> str:
        report({"pid": os.getpid()})
        until = time.process_time() + 0.2
        while time.process_time() < until:
            pass
        return "done"

    with light(1, time_limit=2, on_report=listen) as executor:
        future = executor.submit(work)
        assert running.wait(60)
        with executor.pause():
            assert psutil.Process(heard[0]).status() == psutil.STATUS_STOPPED
            time.sleep(2.2)
            assert not future.done()
        assert future.result(60) == "done"


def test_a_task_submitted_in_a_pause_waits() -> None:
    """Nothing starts while others measure; pauses may be nested."""
    with light(1) as executor:
        executor.submit(abs, -1).result(60)
        with executor.pause(), executor.pause():
            future = executor.submit(abs, -2)
            with pytest.raises(TimeoutError):
                future.result(0.1)
        assert future.result(60) == 2


def test_a_pause_before_the_first_task_is_a_pause() -> None:
    """Also when nothing runs yet."""
    with light(1) as executor:
        with executor.pause():
            future = executor.submit(abs, -2)
        assert future.result(60) == 2


def test_a_pause_in_a_callback_is_refused() -> None:
    """It would wait for the thread that it runs in."""
    caught: list[str] = []

    def listen(future: Future[Any], message: dict[str, Any]) -> None:
        try:
            with executor.pause():
                pass
        except RuntimeError as error:
            caught.append(str(error))

    with light(1, on_report=listen) as executor:
        executor.submit(report, {"step": 1}).result(60)
    assert caught == ["pause() was called in a callback of the executor, whose thread would have to answer it"]


def test_shutdown_waits_for_what_was_submitted() -> None:
    """And takes nothing more."""
    executor = light(2)
    futures = [executor.submit(abs, -number) for number in range(10)]
    executor.shutdown()
    assert list(range(10)) == [future.result(0) for future in futures]
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(abs, -1)


def test_shutdown_ends_a_pause() -> None:
    """Else it would wait for ever for tasks that stand still."""
    executor = light(1)
    executor.submit(abs, -1).result(60)
    with executor.pause():
        future = executor.submit(abs, -2)
        executor.shutdown()
    assert future.result(0) == 2


def test_shutdown_can_cancel_what_waits(gate: Path) -> None:
    """What runs finishes, what waits is cancelled."""
    running = threading.Event()
    executor = light(1, on_report=lambda future, message: running.set())
    first, second = executor.submit(hold, gate), executor.submit(abs, -1)
    assert running.wait(60)
    executor.shutdown(wait=False, cancel_futures=True)
    gate.touch()
    assert first.result(60) == "through"
    with pytest.raises(CancelledError):
        second.result(60)
    executor.shutdown()


def test_kill_ends_everything_at_once(gate: Path) -> None:
    """Running tasks fail, waiting ones are cancelled, no process is left."""
    running = threading.Event()
    executor = light(1, on_report=lambda future, message: running.set())
    first, second = executor.submit(hold, gate), executor.submit(abs, -1)
    assert running.wait(60)
    pids = set(executor.pids)
    executor.kill()
    error = first.exception(0)
    assert isinstance(error, TaskFailed)
    assert Failure("died", "the executor was killed") == error.failure
    assert second.cancelled()
    assert gone(pids)


def test_single_tasks_can_be_ended(gate: Path) -> None:
    """The ones that run fail, the ones that wait are cancelled, others do not notice."""
    running = threading.Event()
    with light(1, on_report=lambda future, message: running.set()) as executor:
        first, second, third = executor.submit(hold, gate), executor.submit(abs, -1), executor.submit(abs, -2)
        assert running.wait(60)
        executor.cancel_running([first, second])
        assert isinstance(first.exception(0), TaskFailed)
        assert second.cancelled()
        assert third.result(60) == 2


def test_a_waiting_task_can_be_cancelled(gate: Path) -> None:
    """As in concurrent.futures; a running one cannot."""
    running = threading.Event()
    with light(1, on_report=lambda future, message: running.set()) as executor:
        first, second = executor.submit(hold, gate), executor.submit(abs, -1)
        assert running.wait(60)
        assert (first.cancel(), second.cancel()) == (False, True)
        gate.touch()
        assert first.result(60) == "through"


def test_an_idle_worker_that_dies_is_replaced() -> None:
    """Nobody notices."""
    with light(1) as executor:
        pid = executor.submit(os.getpid).result(60)
        os.kill(pid, signal.SIGKILL)
        assert gone({pid})
        other = executor.submit(os.getpid).result(60)
        assert other != pid


def test_a_killed_nursery_is_replaced(gate: Path) -> None:
    """Its running tasks fail, its workers go with it, and the next task runs."""

    def kill_the_parent() -> None:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)

    with light(1) as executor:
        pid = executor.submit(os.getpid).result(60)
        error = executor.submit(kill_the_parent).exception(60)
        assert isinstance(error, TaskFailed)
        assert Failure("died", "the process that watches over the workers was killed") == error.failure
        assert gone({pid})
        assert executor.submit(abs, -1).result(60) == 1


def test_what_a_nursery_that_is_killed_at_its_start_was_sent_runs_in_the_next() -> None:
    """No task has begun yet, so that none fails; and they run in their order."""
    with Processes(2) as executor:
        futures = [executor.submit(pow, number, 2) for number in range(4)]
        nursery: Any = executor._supervisor.nursery
        assert not nursery.ready
        nursery.process.kill()
        assert [0, 1, 4, 9] == [future.result(60) for future in futures]


def test_what_was_ended_is_not_sent_to_the_next_nursery() -> None:
    """A task that was ended while its nursery came up fails with it; and one that waits to be sent again can be."""
    with Processes(1) as executor:
        future = executor.submit(time.sleep, 600)
        nursery: Any = executor._supervisor.nursery
        while not future.running():
            time.sleep(0.001)
        executor._supervisor.end([future])
        while not executor._supervisor.ending:
            time.sleep(0.001)
        assert not nursery.ready
        nursery.process.kill()
        assert isinstance(future.exception(20), TaskFailed)
        assert 1 == executor.submit(abs, -1).result(60)
    again: Future[Any] = Future()
    again.set_running_or_notify_cancel()
    processes_module._drop(processes_module._Task(1, again, b"", None, b""))
    assert isinstance(again.exception(0), TaskFailed)


def test_workers_that_cannot_be_had_are_no_fault_of_a_task() -> None:
    """What is tried again and again, and fails, is told with its reason, which is not the task's."""
    with Processes(1, preload=("no_such_module_anywhere",)) as executor:
        first, second = (executor.submit(abs, -1).exception(60) for _ in range(2))
    for error in (first, second):
        assert isinstance(error, ResourceError)
        assert not isinstance(error, TaskFailed)
        assert "No module named 'no_such_module_anywhere'" in error.message
    assert f"ended {MAX_RESTARTS + 1} times" in str(first)


def test_an_executor_that_is_forgotten_leaves_nothing() -> None:
    """Without shutdown its processes end when nobody holds it any more."""
    executor = light(1)
    pid = executor.submit(os.getpid).result(60)
    del executor
    assert gone({pid})


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_an_executor_does_not_survive_a_fork() -> None:
    """In a forked process it refuses work instead of confusing its owner."""
    with light(1) as executor:
        executor.submit(abs, -1).result(60)
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                executor.submit(abs, -1)
            except RuntimeError as error:
                os.write(write_end, str(error).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert b"make another one after a fork" in os.read(read_end, 1000)
        os.close(read_end)
        os.close(write_end)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers is 0, a whole number from 1 on was expected"),
        ({"workers": 2.0}, "workers is 2.0, a whole number from 1 on was expected"),
        ({"workers": 1, "time_limit": 0}, "time_limit is 0, a number above 0 was expected"),
        ({"workers": 1, "memory_limit": -1}, "memory_limit is -1, a number above 0 was expected"),
        ({"workers": 1, "grace": float("nan")}, "grace is nan, a number above 0 was expected"),
    ],
)
def test_nonsense_is_refused(options: dict[str, Any], message: str) -> None:
    """Before anything starts."""
    with pytest.raises(InputError, match=message):
        Processes(**options)
