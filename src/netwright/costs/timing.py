"""Times programs on a machine that does other work, too; and as a script of its own, the parts of a space on a device.

Programs take turns: each round visits all of them, in another order every time, so that what slows the machine down
for a while slows all of them down. What all programs of a round have in common is taken out of each, calls that another
process interrupted do not count, and what is left is judged by medians, which a single disturbance does not move.

This file imports nothing but what comes with Python, so that it can be carried to a phone, a board or a server with the
folder that ``netwright profile SPACE --for-device FOLDER`` writes. There it needs onnxruntime or torch, and nothing
else::

    python profile_device.py [--threads N] [--seconds S] [--out profile.json]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, final

Program = Callable[[], float]
"""Runs once and answers with the milliseconds that it took."""

COMMON = 8
"""So many programs say how slow a round was; of fewer nothing is taken out."""
WARM = 4
"""The first calls of a visit, which do not count: they find in the caches what ran before."""
VISIT = 4.0
"""Of those that count there are as many in a visit as take about so many milliseconds together, but at least three."""
CALLS = 10
"""And at most so many."""
LEAST, MOST = 7, 200
"""Rounds."""
UNDISTURBED = 0.95
"""A call that had the processor for this part of its time counts as not interrupted."""


@final
@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call: the median with its 95 % interval, and the 95th percentile of single calls."""

    median: float
    low: float
    high: float
    p95: float

    def to_value(self) -> dict[str, float]:
        """As JSON, to a hundredth of a microsecond."""
        return {
            "median_ms": round(self.median, 5),
            "low_ms": round(self.low, 5),
            "high_ms": round(self.high, 5),
            "p95_ms": round(self.p95, 5),
        }

    @classmethod
    def from_value(cls, value: Any) -> Timing:
        """What :meth:`to_value` gave; KeyError, TypeError or ValueError where it is no time."""
        numbers = [float(value[name]) for name in ("median_ms", "low_ms", "high_ms", "p95_ms")]
        if not all(math.isfinite(each) and each >= 0 for each in numbers):
            raise ValueError("a time is a finite number that is not negative")
        return cls(*numbers)


def clocked(run: Callable[[], object], copies: int = 1) -> Program:
    """A program by the clock of this process; what it answers is for one of ``copies`` that a call runs."""
    unit = 1e6 * copies

    def once() -> float:
        start = time.perf_counter_ns()
        run()
        return (time.perf_counter_ns() - start) / unit

    return once


def repeated(program: Program, *, repeats: int, warmup: int) -> Timing:
    """One program ``repeats`` times, after ``warmup`` calls that do not count."""
    for _ in range(warmup):
        program()
    times = [program() for _ in range(repeats)]
    return Timing(median(times), *interval(times), quantile(times, 0.95))


def in_rounds(
    programs: Sequence[Program],
    *,
    seconds: float,
    least: int = LEAST,
    most: int = MOST,
    said: Callable[[float], None] | None = None,
) -> list[Timing]:
    """The times of some programs that take turns for about ``seconds``, in ``least`` to ``most`` rounds.

    A network that runs again and again finds its weights in the caches. So a visit has some calls that do not count,
    and then some that do. ``said`` is told after each round which part of all is done.
    """
    counts = []
    for program in programs:
        program()
        counts.append(max(3, min(CALLS, int(VISIT / max(1e-6, min(program(), program()))))))
    order = random.Random(0)
    visits: list[list[list[tuple[float, bool]]]] = []
    began = time.monotonic()
    while programs and len(visits) < most and (len(visits) < least or time.monotonic() - began < seconds):
        visited: list[list[tuple[float, bool]]] = [[] for _ in programs]
        for place in order.sample(range(len(programs)), len(programs)):
            for _ in range(WARM):
                programs[place]()
            visited[place] = [_called(programs[place]) for _ in range(counts[place])]
        visits.append(visited)
        if said is not None:
            said(min(1.0, len(visits) / least, (time.monotonic() - began) / max(seconds, 1e-9)))
    kept = [_undisturbed([visited[place] for visited in visits]) for place in range(len(programs))]
    rounds = [[median(times[number]) if times[number] else None for times in kept] for number in range(len(visits))]
    slowness = slowness_of(rounds)
    answers = []
    for times in kept:
        even = [[each / slow for each in calls] for calls, slow in zip(times, slowness, strict=True) if calls]
        levels = [median(calls) for calls in even]
        singles = [each for calls in even for each in calls]
        answers.append(Timing(median(levels), *interval(levels), quantile(singles, 0.95)))
    return answers


def _called(program: Program) -> tuple[float, bool]:
    """What a program says that it took, and whether it had the processor all the while."""
    wall, mine = time.perf_counter_ns(), time.thread_time_ns()
    found = program()
    mine, wall = time.thread_time_ns() - mine, time.perf_counter_ns() - wall
    return found, mine >= UNDISTURBED * wall


def _undisturbed(visits: Sequence[Sequence[tuple[float, bool]]]) -> list[list[float]]:
    """The times of each visit in which nothing else had the processor.

    All of them where these are few: on a machine that is too busy, and of a program that works in other threads or on
    another device.
    """
    clear = [[took for took, alone in visit if alone] for visit in visits]
    if 3 * sum(map(bool, clear)) >= len(clear):
        return clear
    return [[took for took, _ in visit] for visit in visits]


def slowness_of(rounds: Sequence[Sequence[float | None]]) -> list[float]:
    """How slow each round (a row) was, from what its programs (columns) have in common; the median round has 1.

    A program that was not timed in a round has None there.
    """
    if not rounds or len(rounds[0]) < COMMON:
        return [1.0] * len(rounds)
    logs = [[None if each is None else math.log(max(each, 1e-9)) for each in row] for row in rounds]
    # Tukey's median polish: columns and rows in turn, until little is left in common.
    rows = [0.0] * len(logs)
    for _ in range(5):
        columns = [
            _middle(each - own for each, own in zip(column, rows, strict=True) if each is not None)
            for column in zip(*logs, strict=True)
        ]
        rows = [_middle(each - own for each, own in zip(row, columns, strict=True) if each is not None) for row in logs]
    middle = median(rows)
    return [math.exp(row - middle) for row in rows]


def _middle(values: Iterable[float]) -> float:
    found = list(values)
    return median(found) if found else 0.0


def interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Of the median, whatever the distribution is: two order statistics, all there is where values are few."""
    ordered, count = sorted(values), len(values)
    place, below = 0, 0.5**count
    while below + math.comb(count, place + 1) * 0.5**count <= (1 - level) / 2:
        place += 1
        below += math.comb(count, place) * 0.5**count
    return ordered[place], ordered[-1 - place]


def quantile(values: Sequence[float], part: float) -> float:
    """By linear interpolation between order statistics, as numpy's default."""
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def processor() -> str:
    """The model of this machine's processor, as it calls itself."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.lower().startswith(("model name", "hardware")):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def load() -> float | None:
    """How many processes waited for a processor in the last minute, on average; None where the system does not say."""
    try:
        return round(os.getloadavg()[0], 2)
    except (OSError, AttributeError):
        return None


# As a script: everything in the folder is timed, and what was found is written into the plan.


def main(arguments: Sequence[str] | None = None) -> int:
    """Times the kernels and networks beside this file, and writes a profile; see the head of the file."""
    parser = argparse.ArgumentParser(description="Time the parts of a search space on this device.")
    parser.add_argument("--folder", default=str(Path(__file__).resolve().parent), help="where plan.json lies")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0, help="about so long everything takes turns")
    parser.add_argument("--out", default="profile.json", help="the file to carry back")
    given = parser.parse_args(arguments)
    folder = Path(given.folder)
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    runtime = plan["host"]["on"].partition(":")[0]
    opener, versions = _OPENERS[runtime]()
    parts = [*plan["kernels"], *plan["networks"]]
    copies = [part.pop("copies", 1) for part in parts]
    programs = [
        opener(folder / part["file"], part["inputs"] * many, given.threads, many)
        for part, many in zip(parts, copies, strict=True)
    ]
    before = load()

    def said(part: float) -> None:
        print(f"\r{100 * part:3.0f} % of {len(programs)} programs", end="", file=sys.stderr, flush=True)

    for part, timing in zip(parts, in_rounds(programs, seconds=given.seconds, said=said), strict=True):
        del part["file"]
        part.update(timing.to_value())
    print(file=sys.stderr)
    plan["host"] = {
        "on": f"{runtime}:{given.threads}",
        "processor": processor(),
        "machine": platform.machine(),
        "system": platform.system(),
        "versions": versions,
        "load": before,
    }
    out = Path(given.out)
    out.write_text(json.dumps(plan) + "\n", encoding="utf-8")
    print(f"{out}: carry it back, and search with --on {out.name}")
    return 0


_Opener = Callable[[Path, list[Any], int, int], Program]


def _onnxruntime() -> tuple[_Opener, dict[str, str]]:
    import numpy
    import onnxruntime

    def opened(file: Path, inputs: list[Any], threads: int, copies: int) -> Program:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_inputs()]
        rows = {name: numpy.ones(shape, dtype) for name, (shape, dtype) in zip(names, inputs, strict=True)}
        return clocked(lambda: session.run(None, rows), copies)

    return opened, {"onnxruntime": onnxruntime.__version__}


def _torch() -> tuple[_Opener, dict[str, str]]:
    import torch

    def opened(file: Path, inputs: list[Any], threads: int, copies: int) -> Program:
        torch.set_num_threads(threads)
        network: Any = torch.export.load(file).module()
        rows = [torch.ones(shape, dtype=getattr(torch, dtype)) for shape, dtype in inputs]

        def run() -> None:
            with torch.inference_mode():
                network(*rows)

        return clocked(run, copies)

    return opened, {"torch": str(torch.__version__)}


_OPENERS: dict[str, Callable[[], tuple[_Opener, dict[str, str]]]] = {
    "onnxruntime": _onnxruntime,
    "torch-exported": _torch,
}

if __name__ == "__main__":
    sys.exit(main())
