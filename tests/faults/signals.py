"""Rows 14 and 15: real programs with real terminals, signals and broken outputs."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.drivers import left_over
from tests.faults.records import Record, folder, record

from netwright.errors import NetwrightError
from netwright.stores import check, open_readonly

PATIENCE = 120.0
GRACE = 3.0

PROGRAM = """
import sys, time
import netwright as nw
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(nw.choose("width", *range(1, 400)), 2)

def evaluate(candidate):
    time.sleep({seconds} if candidate.architecture["width"] > {quick} else 0.05)
    return {{"score": float(candidate.architecture["width"])}}

study = nw.Study(nw.SearchSpace(Net), "random", evaluate, maximize="score", store="run")
try:
    study.run(max_trials={trials}, n_jobs=2)
except nw.errors.NetwrightError as error:
    print(error, file=sys.stderr)
    sys.exit(error.code)
print(len(study.trials))
"""


@dataclass(frozen=True)
class Way:
    """How a program is stopped, the code it ends with, and the seconds that it may take over it."""

    stop: Callable[[subprocess.Popen[bytes], int], None]
    code: int
    seconds: float
    trial: float = 0.3
    terminal: bool = False


def _to_the_group(number: int, times: int = 1) -> Callable[[subprocess.Popen[bytes], int], None]:
    """As a terminal does it: to the whole foreground group."""

    def stop(process: subprocess.Popen[bytes], master: int) -> None:
        for turn in range(times):
            if turn:
                time.sleep(0.3)
            os.killpg(process.pid, number)

    return stop


def _hang_up(process: subprocess.Popen[bytes], master: int) -> None:
    os.close(master)


WAYS: dict[str, Way] = {
    "Ctrl-C": Way(_to_the_group(signal.SIGINT), 130, GRACE + 3),
    "Ctrl-C, trials of half a minute": Way(_to_the_group(signal.SIGINT), 130, GRACE + 3, 30.0),
    "Ctrl-C twice": Way(_to_the_group(signal.SIGINT, 2), 130, 3.0, 30.0),
    "SIGTERM": Way(_to_the_group(signal.SIGTERM), 143, GRACE + 3),
    "SIGHUP": Way(_to_the_group(signal.SIGHUP), 143, GRACE + 3),
    "the terminal is closed": Way(_hang_up, 143, GRACE + 3, terminal=True),
}


def stopped_programs() -> list[Record]:
    """A script that searches with two workers is stopped while trials run; then it goes on to its end."""
    records = []
    for name, way in WAYS.items():
        with folder() as place:
            script = place / "program.py"
            # Trials of half a minute come after a first few quick ones, so that something is there to be kept.
            quick = 200 if way.trial > 1 else 0
            script.write_text(PROGRAM.format(seconds=way.trial, quick=quick, trials=300))
            found, seconds, text = _stop([sys.executable, str(script)], place, place / "run", way)
            if not found and "Go on with" not in text and "go on" not in text and not way.terminal:
                found.append(f"I6: nothing says how to go on: {text[-300:]}")
            if not found:
                script.write_text(PROGRAM.format(seconds=0, quick=0, trials=_ended(place / "run") + 4))
                again = _command([sys.executable, str(script)], place)
                if again.returncode != 0:
                    found.append(f"I1: it did not go on, code {again.returncode}: {again.stderr[-300:]!r}")
            found += _sound(place / "run") + [f"I5: {orphan} is left" for orphan in left_over()]
            records.append(record("14", f"script: {name}", 1, found, f"{seconds:.1f} s to the end"))
    return records


def stopped_command() -> list[Record]:
    """``netwright search`` is stopped, writes its best network, says the command that resumes, and that works."""
    records = []
    for name, number, code in (("Ctrl-C", signal.SIGINT, 130), ("SIGTERM", signal.SIGTERM, 143)):
        with folder() as place:
            command = [sys.executable, "-m", "netwright", "search", "iris", "--max-trials", "500", "--out", "run"]
            way = Way(_to_the_group(number), code, GRACE + 12)
            found, seconds, text = _stop(command, place, place / "run", way)
            if not found and not re.search(r"netwright resume \S*run", text):
                found.append(f"I6: the command that resumes is not there: {text[-300:]}")
            if not found and not (place / "run" / "best" / "model.py").exists():
                found.append("I1: the best network so far was not written")
            if not found and name == "Ctrl-C":
                resume = [*command[:3], "resume", "run", "--max-trials", str(_ended(place / "run") + 2)]
                again = _command(resume, place)
                if again.returncode != 0 or not (place / "run" / "best" / "model.py").exists():
                    found.append(f"I1: resume ended with code {again.returncode}: {again.stderr[-300:]!r}")
            found += _sound(place / "run") + [f"I5: {orphan} is left" for orphan in left_over()]
            records.append(record("14", f"netwright search: {name}", 1, found, f"{seconds:.1f} s to the end"))
    return records


def _stop(command: list[str], place: Path, store: Path, way: Way) -> tuple[list[str], float, str]:
    """Starts a program, stops it after a few trials; the violations, the seconds it took, and what it said."""
    errors = place / "errors.txt"
    master, slave = os.openpty() if way.terminal else (-1, -1)

    def take_terminal() -> None:
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    with open(errors, "wb") as file:
        process = subprocess.Popen(
            command,
            cwd=place,
            stdin=slave if way.terminal else subprocess.DEVNULL,
            stdout=slave if way.terminal else file,
            stderr=file,
            start_new_session=True,
            preexec_fn=take_terminal if way.terminal else None,
            env=_environment(),
        )
    if way.terminal:
        os.close(slave)
    until = time.monotonic() + PATIENCE
    while _ended(store) < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    if process.poll() is not None or _ended(store) < 3:
        process.kill()
        process.wait()
        return [f"it ended before it was stopped: {errors.read_text()[-500:]}"], 0.0, ""
    before = _ended(store)
    began = time.monotonic()
    way.stop(process, master)
    try:
        code = process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return ["I9: it did not end within a minute"], 60.0, ""
    seconds = time.monotonic() - began
    text = errors.read_text("utf-8", "replace")
    found = []
    if code != way.code:
        found.append(f"I6: code {code}, expected {way.code}: {text[-300:]}")
    if "Traceback" in text:
        found.append(f"I6: a traceback was printed: {text[-300:]}")
    # Half again as long where others use the machine as well.
    if seconds > 1.5 * way.seconds:
        found.append(f"I9: it took {seconds:.1f} s to end, at most {way.seconds:g} s were meant")
    if _ended(store) < before:
        found.append(f"I1: {before} trials had ended, {_ended(store)} are kept")
    return found, seconds, text


OUTPUTS = {
    "a closed standard output": ">&-",
    "closed outputs, both": ">&- 2>&-",
    "a reader that leaves": "| head -1",
    "a full device": "> /dev/full",
    "full devices, both": "> /dev/full 2> /dev/full",
    "a pipe that nobody reads": "| sleep 300",
}


def broken_outputs() -> list[Record]:
    """The search goes on to its end whatever becomes of what it prints."""
    records = []
    for name, redirection in OUTPUTS.items():
        with folder() as place:
            search = f"{sys.executable} -m netwright search iris --max-trials 2 --jobs 1 --out run"
            line = f"({search}; echo $? > code) {redirection}"
            process = subprocess.Popen(
                ["/bin/sh", "-c", line],
                cwd=place,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=_environment(),
            )
            until = time.monotonic() + PATIENCE
            while not _text(place / "code") and time.monotonic() < until:
                time.sleep(0.1)
            code = _text(place / "code")
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
            found = [] if code == "0" else [f"I8: the search ended with code {code or 'none within two minutes'}"]
            if not (place / "run" / "best" / "model.py").exists():
                found.append("I8: no network was written")
            found += _sound(place / "run")
            records.append(record("15", f"output: {name}", 1, found))
    return records


def _command(command: list[str], place: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, cwd=place, capture_output=True, timeout=PATIENCE, env=_environment())


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def _ended(store: Path) -> int:
    """How many trials have ended, as another process sees it."""
    try:
        with open_readonly(store) as reader:
            return sum(row.state != "running" for row in reader.trials())
    except NetwrightError:
        return 0


def _sound(store: Path) -> list[str]:
    return [f"I4: {line}" for line in check(store)] if (store / "study.db").exists() else ["I4: there is no store"]


def _text(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""
