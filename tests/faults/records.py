"""What a row of the table says: a fault, how often it was tried, and what went against the promises."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

VARIABLE = "NETWRIGHT_FAULTS_RECORD"
"""Names a file to which every record is appended as a line of JSON."""


@dataclass
class Record:
    """One line of the table. ``counts`` names what the totals add up: kinds, failpoint runs, kills, planted, caught."""

    row: str
    fault: str
    runs: int
    violations: list[str] = field(default_factory=list)
    figure: str = ""
    counts: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def record(row: str, fault: str, runs: int, violations: Iterable[str], figure: str = "", **counts: int) -> Record:
    """Makes a record, and leaves it in the file that the environment names, if it names one."""
    made = Record(row, fault, runs, list(violations), figure, counts)
    path = os.environ.get(VARIABLE)
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(made.to_json() + "\n")
    return made


@contextmanager
def folder() -> Iterator[Path]:
    """A new folder, in memory where the system has such: what a killed process wrote, the kernel keeps without syncing.

    Power cuts are another fault; nothing here depends on a disk, and disks that others use are slow to sync.
    """
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="netwright-faults-", dir=place, ignore_cleanup_errors=True) as name:
        yield Path(name)
