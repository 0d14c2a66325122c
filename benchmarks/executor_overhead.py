"""What worker processes cost: start, replacement, a task's overhead, lateness of kills, overshoot of memory.

    python benchmarks/executor_overhead.py

Prints one figure a line, medians and the worst of several runs; the overhead of a task is set beside that of
``concurrent.futures.ProcessPoolExecutor`` in the same run.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import statistics
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context

import psutil

from netwright.executors import Processes, TaskFailed

MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    first_worker(runs=max(2, runs // 4))
    with Processes(2) as executor:
        executor.submit(nothing).result()
        replacement(executor, runs)
    overhead(2_000)
    lateness(runs // 2 or 1)
    overshoot(runs // 2 or 1)
    idle()
    ending(runs // 2 or 1)


def first_worker(runs: int) -> None:
    """From the first submission to its result, torch's import in the nursery included; then the second worker."""
    first, second = [], []
    for _ in range(runs):
        with Processes(2) as executor:
            began = time.perf_counter()
            executor.submit(nothing).result()
            first.append(time.perf_counter() - began)
            began = time.perf_counter()
            both = [executor.submit(time.sleep, 0.05) for _ in range(2)]
            for future in both:
                future.result()
            second.append(time.perf_counter() - began - 0.05)
    show("first worker, torch imported", first, "s")
    show("second worker", second, "s")


def replacement(executor: Executor, runs: int) -> None:
    """From the death of a worker to the result of the next task in its successor, and to the news of the death."""
    news, replaced = [], []
    for _ in range(runs):
        before = time.time()
        error = executor.submit(die).exception()
        assert isinstance(error, TaskFailed)
        news.append(time.time() - before)
        executor.submit(nothing).result()
        replaced.append(time.time() - before)
    show("death noticed", news, "s")
    show("death to next result (limit 0.2)", replaced, "s")


def overhead(tasks: int) -> None:
    """A task that does nothing, one after the other and two at a time, beside the standard library's pool."""
    with Processes(2) as ours, ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as theirs:
        for executor in (ours, theirs):
            for future in [executor.submit(nothing) for _ in range(20)]:
                future.result()
        for name, width in (("one at a time", 1), ("two at a time", 2)):
            figures: dict[str, list[float]] = {"ours": [], "standard library": []}
            for _ in range(5):
                for label, executor in (("ours", ours), ("standard library", theirs)):
                    began = time.perf_counter()
                    for _ in range(tasks // 5 // width):
                        for future in [executor.submit(nothing) for _ in range(width)]:
                            future.result()
                    figures[label].append((time.perf_counter() - began) / (tasks // 5) * 1e3)
            for label, seconds in figures.items():
                show(f"a task, {name}, {label}", seconds, "ms")


def lateness(runs: int) -> None:
    """How long after limit and grace the future of a task that holds the interpreter's lock is resolved."""
    limit, grace = 0.5, 0.2
    for name, function, allowed in (("sleeping", doze, limit), ("deaf to SIGTERM", hold, limit + grace)):
        late = []
        with Processes(2, time_limit=limit, grace=grace) as executor:
            executor.submit(nothing).result()
            for _ in range(runs):
                began = time.perf_counter()
                executor.submit(function).exception()
                late.append(time.perf_counter() - began - allowed)
        show(f"kill lateness, {name} (limit 0.5)", late, "s")


def overshoot(runs: int) -> None:
    """What a task that leaks 20 MB each 5 ms held when it was killed, above its limit of 300 MiB."""
    over, driver = [], []
    with Processes(2, memory_limit=300 * MIB) as executor:
        executor.submit(nothing).result()
        for _ in range(runs):
            before = psutil.Process().memory_info().rss
            error = executor.submit(leak).exception()
            assert isinstance(error, TaskFailed)
            found = re.search(r"used ([\d,]+) MiB", error.failure.message)
            assert found is not None, error.failure
            over.append(float(found[1].replace(",", "")) - 300)
            driver.append((psutil.Process().memory_info().rss - before) / MIB)
    show("memory overshoot at the kill", over, "MiB")
    show("growth of the driver meanwhile", driver, "MiB")


def idle() -> None:
    """The processor time that two idle workers, their nursery and the driver's thread use in a second."""
    with Processes(2, time_limit=60, memory_limit=300 * MIB) as executor:
        for future in [executor.submit(time.sleep, 0.05) for _ in range(2)]:
            future.result()
        family = [psutil.Process(), *psutil.Process().children(recursive=True)]
        before = sum(sum(process.cpu_times()[:2]) for process in family)
        time.sleep(1)
        used = sum(sum(process.cpu_times()[:2]) for process in family) - before
        show("processor time of an idle second", [used], "s")


def ending(runs: int) -> None:
    """A shutdown with two idle workers, and a kill with two busy ones."""
    shut, killed = [], []
    for _ in range(runs):
        executor = Processes(2, preload=("torch",))
        executor.submit(nothing).result()
        began = time.perf_counter()
        executor.shutdown()
        shut.append(time.perf_counter() - began)
        executor = Processes(2, preload=("torch",))
        executor.submit(nothing).result()
        for _ in range(2):
            executor.submit(doze)
        began = time.perf_counter()
        executor.kill()
        killed.append(time.perf_counter() - began)
    show("shutdown", shut, "s")
    show("kill", killed, "s")


def nothing() -> int:
    return 0


def die() -> None:
    os._exit(0)


def doze() -> None:
    time.sleep(100)


def hold() -> None:
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sum(itertools.repeat(1, 10**10))


def leak() -> None:
    kept = []
    while True:
        kept.append(bytearray(b"x" * (20 * MIB)))
        time.sleep(0.005)


def show(name: str, values: list[float], unit: str) -> None:
    print(f"{name:<48} {statistics.median(values):9.3f} {unit:<4} worst {max(values):9.3f}", flush=True)


if __name__ == "__main__":
    main()
