"""Drivers of every kind, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

PROGRAM = """
from netwright.executors import Processes, report

class Net:
    width = 21

def work(factor):
    return {"width": factor * Net.width}

executor = Processes(2, preload=())
futures = [executor.submit(work, factor) for factor in (1, 2)]
print([future.result(60)["width"] for future in futures], __name__)
executor.shutdown()
"""


@pytest.mark.parametrize("way", ["script", "command", "standard input", "notebook"])
def test_an_unguarded_program_runs_once(tmp_path: Path, way: str) -> None:
    """Workers never run the user's program again; its functions and classes travel to them."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    cell = f"exec(compile({PROGRAM!r}, '<cell>', 'exec'), {{'__name__': '__main__'}})"
    arguments = {"script": [str(script)], "command": ["-c", PROGRAM], "standard input": ["-"], "notebook": ["-c", cell]}
    result = subprocess.run(
        [sys.executable, *arguments[way]], input=PROGRAM, capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert (result.stdout, result.stderr) == ("[21, 42] __main__\n", "")


def test_a_file_named_like_a_library_hurts_nobody(tmp_path: Path) -> None:
    """The nursery does not look for its own modules in the working directory."""
    (tmp_path / "json.py").write_text("raise RuntimeError('not this one')")
    result = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert result.stdout == "[21, 42] __main__\n"


def test_a_program_that_ends_without_shutdown_ends(tmp_path: Path) -> None:
    """Neither a running task nor an idle worker keeps it; nothing is left."""
    program = """
import os, time
from netwright.executors import Processes
executor = Processes(2, preload=())
pid = executor.submit(os.getpid).result(60)
executor.submit(time.sleep, 100)
print(pid)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert result.stderr == ""
    assert not psutil.pid_exists(int(result.stdout))


LITTERING = """
import os, sys, time
from netwright.executors import Processes, report

def litter():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(100)
        os._exit(0)
    os.wait()
    report({"ready": True})
    time.sleep(100)

def tell(future, message):
    print("ready", flush=True)

executor = Processes(2, preload=(), on_report=tell)
futures = [executor.submit(litter) for _ in range(2)]
%s
for future in futures:
    future.result()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("forked", [False, True], ids=["alone", "with a fork that lives on"])
def test_nothing_outlives_a_killed_driver(number: int, forked: bool) -> None:
    """Workers and the daemons that they started go, also when a fork of the driver keeps its sockets open."""
    fork = "if os.fork() == 0: time.sleep(100); os._exit(0)" if forked else ""
    driver = subprocess.Popen([sys.executable, "-c", LITTERING % fork], stdout=subprocess.PIPE, start_new_session=True)
    assert driver.stdout is not None
    with driver.stdout as output:
        assert [output.readline(), output.readline()] == [b"ready\n"] * 2
        below = psutil.Process(driver.pid).children(recursive=True)
        assert len(below) >= 5
        mine = [child for child in below if forked and os.getsid(child.pid) == driver.pid]
        # As a terminal does that closes, and as one does who knows the process id.
        (os.kill if forked else os.killpg)(driver.pid, number)
        driver.wait(10)
        _, alive = psutil.wait_procs([child for child in below if child not in mine], timeout=10)
        for child in mine:
            child.kill()
    assert alive == []


def test_ctrl_c_does_not_reach_the_workers(tmp_path: Path) -> None:
    """A SIGINT to the driver's process group leaves a running task to the driver's own decision."""
    program = """
import os, signal, time
from netwright.executors import Processes, report

def work(gate):
    report({"ready": True})
    while not os.path.exists(gate):
        time.sleep(.002)
    return "done"

executor = Processes(1, preload=(), on_report=lambda future, message: print("ready", flush=True))
future = executor.submit(work, GATE)
try:
    future.result()
except KeyboardInterrupt:
    open(GATE, "w").close()
    print(future.result(60), flush=True)
executor.shutdown()
""".replace("GATE", repr(str(tmp_path / "gate")))
    driver = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True)
    assert driver.stdout is not None
    with driver.stdout as output:
        assert output.readline() == b"ready\n"
        os.killpg(driver.pid, signal.SIGINT)
        assert output.readline() == b"done\n"
    assert driver.wait(60) == 0
