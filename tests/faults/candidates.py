"""Rows 21–25, 27–29 and 36: what candidates do costs only themselves, within a whole study with two workers."""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from tests.faults.records import Record, folder, record
from torch import Tensor, nn

from netwright.evaluators.base import Candidate
from netwright.executors import InProcess, Processes
from netwright.space import SearchSpace, choose
from netwright.stores import check
from netwright.strategies import Random
from netwright.study import Study

FAULTY = (3, 7)
PLACES = 10
TIME_LIMIT = 1.5
NEVER = 120.0
MEMORY_LIMIT = 600 * 2**20


class Places(nn.Module):
    """Ten architectures that differ in nothing but their number."""

    def __init__(self, outputs: int = 2) -> None:
        super().__init__()
        self.place = choose("place", *range(PLACES))
        self.head = nn.Linear(2, outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x)
        return out


class BreaksWhenBuilt(Places):
    def __init__(self, outputs: int = 2) -> None:
        super().__init__(outputs)
        if self.place in FAULTY:
            raise ValueError("this option cannot be built")


class BreaksWhenRun(Places):
    def forward(self, x: Tensor) -> Tensor:
        if self.place in FAULTY:
            raise ValueError("this network cannot run")
        return super().forward(x)


Act = Callable[[Candidate], Any]


@dataclass(frozen=True)
class Fault:
    """What a faulty candidate does, and the kind of failure that must come of it; None: the trial finishes."""

    row: str
    act: Act
    kind: str | None
    network: type[nn.Module] = Places


@dataclass(frozen=True)
class Faulty:
    """Healthy but for two architectures."""

    act: Act

    def __call__(self, candidate: Candidate) -> Any:
        if candidate.architecture["place"] in FAULTY:
            return self.act(candidate)
        network = candidate.network()
        return {"score": float(network(torch.zeros(1, 2)).sum().detach()), "place": candidate.architecture["place"]}


def _raises(candidate: Candidate) -> None:
    raise ValueError("not this one")


def _raises_with_a_huge_message(candidate: Candidate) -> None:
    raise ValueError("x" * 10**7)


class _Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("not a word")


def _raises_what_cannot_be_printed(candidate: Candidate) -> None:
    raise _Mute


def _recurses(candidate: Candidate) -> None:
    _recurses(candidate)


def _interrupts(candidate: Candidate) -> None:
    raise KeyboardInterrupt


def _exits_quietly(candidate: Candidate) -> None:
    os._exit(0)


def _exits(candidate: Candidate) -> None:
    sys.exit(3)


def _kills_itself(candidate: Candidate) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _segfaults(candidate: Candidate) -> None:
    ctypes.string_at(0)


def _aborts(candidate: Candidate) -> None:
    os.abort()


def _overflows_the_stack(candidate: Candidate) -> None:
    sys.setrecursionlimit(10**9)
    ctypes.pythonapi.Py_SetRecursionLimit(10**9)
    values: list[list[Any]] = [[], []]
    for _ in range(10**6):
        values = [[value] for value in values]
    values[0] == values[1]  # noqa: B015


def _sleeps(candidate: Candidate) -> None:
    time.sleep(1000)


def _holds_the_interpreter(candidate: Candidate) -> None:
    sum(itertools.repeat(1, 10**11))


def _blocks_signals(candidate: Candidate) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(1000)


def _stops_itself(candidate: Candidate) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _answers_late(candidate: Candidate) -> Mapping[str, float]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(TIME_LIMIT + 0.2)
    return {"score": 99.0}


def _leaks(candidate: Candidate) -> None:
    kept = []
    while True:
        kept.append(bytearray(b"x" * (20 * 2**20)))
        time.sleep(0.005)


def _asks_for_100_gib(candidate: Candidate) -> None:
    torch.empty(100 * 2**30, dtype=torch.uint8)


def _leaks_in_a_child(candidate: Candidate) -> None:
    program = "kept = [bytearray(b'x' * (20 * 2**20)) for _ in range(60)]; import time; time.sleep(1000)"
    subprocess.run([sys.executable, "-c", program])


def _leaves_a_child(candidate: Candidate) -> Mapping[str, float]:
    subprocess.Popen(["sleep", "1000"])
    return {"score": 1.0}


def _leaves_a_daemon(candidate: Candidate) -> Mapping[str, float]:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)
    return {"score": 1.0}


def _leaves_a_daemon_and_dies(candidate: Candidate) -> None:
    _leaves_a_daemon(candidate)
    os._exit(7)


def _floods(candidate: Candidate) -> Mapping[str, float]:
    line = "x" * 1023 + "\n"
    for _ in range(30_000):
        sys.stdout.write(line)
    return {"score": 1.0}


def _prints_binary(candidate: Candidate) -> Mapping[str, float]:
    os.write(1, os.urandom(200_000))
    os.write(2, b"\x1b[2J\x1b]0;title\x07\rtrial 3: score 1.0\r\n")
    return {"score": 1.0}


def _writes_everywhere(candidate: Candidate) -> Mapping[str, float]:
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b'{"score": 99.0}\n' * 10)
        except OSError:
            pass
    return {"score": 98.0}


def _closes_everything(candidate: Candidate) -> None:
    os.closerange(3, 65536)
    time.sleep(1000)


def _answers(value: Any) -> Act:
    return lambda candidate: value() if callable(value) else value


def _scores(value: Any) -> Act:
    return lambda candidate: {"score": value}


def _runs(candidate: Candidate) -> Mapping[str, float]:
    network = candidate.network()
    return {"score": float(network(torch.zeros(1, 2)).sum().detach())}


KINDS: dict[str, Fault] = {
    "raises": Fault("21", _raises, "exception"),
    "raises with a huge message": Fault("21", _raises_with_a_huge_message, "exception"),
    "raises what cannot be printed": Fault("21", _raises_what_cannot_be_printed, "exception"),
    "recurses without end": Fault("21", _recurses, "exception"),
    "raises KeyboardInterrupt": Fault("21", _interrupts, "exception"),
    "network cannot be built": Fault("21", _runs, "exception", BreaksWhenBuilt),
    "network cannot run": Fault("21", _runs, "exception", BreaksWhenRun),
    "os._exit(0)": Fault("22", _exits_quietly, "died"),
    "sys.exit(3)": Fault("22", _exits, "exception"),
    "kills itself": Fault("22", _kills_itself, "died"),
    "segfaults": Fault("23", _segfaults, "died"),
    "aborts": Fault("23", _aborts, "died"),
    "overflows the stack in C": Fault("23", _overflows_the_stack, "died"),
    "sleeps": Fault("24", _sleeps, "timeout"),
    "holds the interpreter": Fault("24", _holds_the_interpreter, "timeout"),
    "blocks all signals": Fault("24", _blocks_signals, "timeout"),
    "stops itself": Fault("24", _stops_itself, "timeout"),
    "leaks memory": Fault("25", _leaks, "memory"),
    "asks for 100 GiB": Fault("25", _asks_for_100_gib, "memory"),
    "leaks in a child": Fault("25", _leaks_in_a_child, "memory"),
    "leaves a child": Fault("27", _leaves_a_child, None),
    "leaves a daemon": Fault("27", _leaves_a_daemon, None),
    "leaves a daemon and dies": Fault("27", _leaves_a_daemon_and_dies, "died"),
    "floods its output": Fault("28", _floods, None),
    "prints binary and fake lines": Fault("28", _prints_binary, None),
    "writes into every descriptor": Fault("28", _writes_everywhere, "any"),
    "closes every descriptor": Fault("28", _closes_everything, "died"),
    "NaN": Fault("29", _scores(float("nan")), "non_finite"),
    "infinity": Fault("29", _scores(float("inf")), "non_finite"),
    "1e400": Fault("29", _scores(10**400), "non_finite"),
    "None as a metric": Fault("29", _scores(None), "bad_result"),
    "a string as a metric": Fault("29", _scores("0.9"), "bad_result"),
    "True as a metric": Fault("29", _scores(True), "bad_result"),
    "a complex number": Fault("29", _scores(1 + 2j), "bad_result"),
    "a list of a million": Fault("29", _scores([0.5] * 10**6), "bad_result"),
    "None as the answer": Fault("29", _answers(None), "bad_result"),
    "no metric that was asked for": Fault("29", _answers({"another": 1.0}), "bad_result"),
    "300 MB": Fault("29", _answers(lambda: {"score": 1.0, "x" * (300 * 2**20): 1.0}), "bad_result"),
    "a lone surrogate": Fault("29", _answers({"score": 1.0, "\ud800": 1.0}), "bad_result"),
    "what cannot be pickled": Fault("29", _answers(lambda: {"score": (n for n in range(3))}), "bad_result"),
    "np.float32": Fault("29", _scores(np.float32(0.5)), None),
    "np.int64": Fault("29", _scores(np.int64(1)), None),
    "a tensor without dimensions": Fault("29", _scores(torch.tensor(0.5)), None),
    "answers after the time limit": Fault("36", _answers_late, "timeout"),
}


def kinds(names: tuple[str, ...] = tuple(KINDS)) -> list[Record]:
    """One study a kind, with two faulty architectures among eight healthy ones, on two workers with limits."""
    records = []
    for limit in (NEVER, TIME_LIMIT):
        chosen = [name for name in names if (KINDS[name].kind == "timeout") == (limit == TIME_LIMIT)]
        if not chosen:
            continue
        with folder() as place, Processes(2, time_limit=limit, memory_limit=MEMORY_LIMIT, grace=0.5) as executor:
            for name in chosen:
                fault = KINDS[name]
                began = time.monotonic()
                found = _study(place / "study", fault, executor)
                figure = f"{time.monotonic() - began:.1f} s"
                records.append(record(fault.row, f"candidate: {name}", 1, found, figure, kinds=1))
                shutil.rmtree(place / "study", ignore_errors=True)
    return records


def in_process_violations(plant: Callable[[], None]) -> list[str]:
    """A study of one kind in a process of its own, with a plant."""
    from tests.faults import drivers

    with folder() as place:

        def before() -> None:
            found = _study(place / "study", KINDS["raises"], InProcess())
            print("\n".join(found))
            sys.stdout.flush()
            os._exit(8 if found else 0)

        outcome = drivers.run(drivers.Plan(place / "driver", plant=plant, before=before))
    return [] if outcome.code == 0 else [outcome.text.strip() or "the study did not come to its end"]


def _study(store: Path, fault: Fault, executor: Any) -> list[str]:
    space = SearchSpace(fault.network, outputs=2)
    study = Study(
        space,
        Random(),
        Faulty(fault.act),
        maximize="score",
        store=store,
        seed=1,
        executor=executor,
        max_consecutive_failures=PLACES,
    )
    try:
        study.run(n_jobs=2)
    except Exception as error:
        return [f"I8: the study ended with {type(error).__name__}: {str(error)[:300]}"]
    found = []
    for trial in study.trials:
        place = trial.architecture["place"]
        if place not in FAULTY or fault.kind is None:
            if trial.state != "finished":
                found.append(f"I8: the healthy place {place} is {trial.state}: {trial.error}")
            elif not all(type(value) is float for value in trial.metrics.values()):
                found.append(f"I2: the metrics of place {place} are not floats: {trial.metrics}")
        elif fault.kind == "any":
            if trial.metrics.get("score") == 99.0:
                found.append(f"I7: place {place} forged its result")
        elif trial.state != "failed" or trial.error is None:
            found.append(f"I2: the faulty place {place} is {trial.state} with {dict(trial.metrics)}")
        elif trial.error.kind != fault.kind:
            found.append(f"I6: the faulty place {place} failed with {trial.error}, expected kind {fault.kind}")
        elif len(str(trial.error)) > 2100 or "\x1b" in str(trial.error) + trial.error.detail:
            found.append(f"I6: the failure of place {place} is not fit to be shown")
    if len(study.trials) != PLACES:
        found.append(f"I2: {len(study.trials)} of {PLACES} architectures were tried")
    found += [f"I4: {line}" for line in check(store)]
    if isinstance(executor, Processes):
        found += [f"I5: process {pid} is left" for pid in _strangers(executor)]
    return found


def _strangers(executor: Processes, timeout: float = 3.0) -> list[int]:
    """The descendants of this process that are neither the nursery nor its workers."""
    until = time.monotonic() + timeout
    while True:
        nurseries = psutil.Process().children()
        below = [child for nursery in nurseries for child in nursery.children(recursive=True)]
        strange = [child.pid for child in below if child.pid not in executor.pids and _alive(child)]
        if (not strange and len(nurseries) <= 1) or time.monotonic() > until:
            return strange + [child.pid for child in nurseries[1:]]
        time.sleep(0.05)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
