"""A writer killed at any moment loses nothing that it acknowledged, and nothing counts twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from netwright.stores import SQLiteStore, check, open_readonly

WRITER = [sys.executable, str(Path(__file__).with_name("store_writer.py"))]


def acknowledged(folder: Path, *options: str, point: str = "", kill_after: int | None = None) -> set[int]:
    """Runs the writer until it dies, by its failpoint or after so many acknowledgements; the numbers it vouched for."""
    environment = {**os.environ, "NETWRIGHT_FAILPOINT": point}
    with subprocess.Popen([*WRITER, str(folder), *options], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        found = []
        for line in process.stdout:
            found.append(int(line))
            if kill_after is not None and len(found) >= kill_after:
                process.kill()
                found.extend(int(line) for line in process.stdout)
                break
    assert -signal.SIGKILL == process.returncode
    assert len(found) == len(set(found))
    return set(found)


def missing(folder: Path, vouched: set[int]) -> set[int]:
    """What was vouched for and is not finished in the store after the crash."""
    with open_readonly(folder) as reader:
        rows = reader.trials()
        endings = [event.body["number"] for event in reader.read() if event.kind == "ended"]
    assert len(endings) == len(set(endings))
    assert list(range(len(rows))) == [row.number for row in rows]
    return vouched - {row.number for row in rows if row.state == "finished"}


@pytest.mark.parametrize("times", [1, 2, 17, 60])
@pytest.mark.parametrize("point", ["in_claim", "in_complete", "after_commit"])
def test_death_at_a_named_place_loses_nothing(tmp_path: Path, point: str, times: int) -> None:
    """Inside the transaction or right after it, the first time or the sixtieth; and the study goes on afterwards."""
    vouched = acknowledged(tmp_path, point=f"{point}:{times}")
    assert set() == missing(tmp_path, vouched)
    assert [] == check(tmp_path)
    with SQLiteStore(tmp_path, create=False) as store:
        states = [row.state for row in store.trials()]
    assert {"in_claim": times - 1, "in_complete": times, "after_commit": times}[point] == len(states)
    assert states.count("finished") == (times if point == "after_commit" else times - 1)


def test_death_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    """One study, killed and taken up again: all that was ever acknowledged stays, once."""
    generator, vouched = random.Random(0), set()
    for _ in range(8):
        new = acknowledged(tmp_path, kill_after=generator.randrange(1, 60))
        assert set() == vouched & new
        vouched |= new
        assert set() == missing(tmp_path, vouched)
    assert [] == check(tmp_path)


def test_these_tests_see_a_planted_bug(tmp_path: Path) -> None:
    """A writer that acknowledges before it commits is found out at the failpoint inside the transaction."""
    vouched = acknowledged(tmp_path, "early", point="in_complete:5")
    assert {4} == missing(tmp_path, vouched)
